"""Where a run computes, and in which number format."""

import torch


def pick_device(name: str) -> torch.device:
    """``"auto"`` is CUDA, then MPS, then the CPU; other names are PyTorch's own."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def use_bf16(choice: str, device: torch.device) -> bool:
    """Whether to autocast to bfloat16: ``"on"``, ``"off"``, or ``"auto"`` for where the hardware computes in it."""
    if choice != "auto":
        return choice == "on"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
