"""Where a run computes, and in which number format."""

import ctypes
import sys

import torch


def pick_device(name: str) -> torch.device:
    """``"auto"`` is CUDA, then MPS, then the CPU; other names are PyTorch's own."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def use_bf16(choice: str, device: torch.device) -> bool:
    """Whether to autocast to bfloat16: ``"on"``, ``"off"``, or ``"auto"`` for where it is faster.

    On a CPU that is one with AMX. AVX-512 multiplies bfloat16 no faster than float32, and conversions cost:
    two cores of such a Xeon trained `fer_sedense` at 32 pixels on 143 pictures a second with it and 165 without.
    """
    if choice != "auto":
        return choice == "on"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(cpu_capabilities().get("amx_bf16"))


def cpu_capabilities() -> dict:
    """What PyTorch says of the processor; empty where this PyTorch cannot tell."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def keep_freed_memory() -> bool:
    """Lets glibc reuse a step's memory for the next step instead of returning it to the system in between.

    A training step on a CPU allocates hundreds of megabytes. By default each large tensor is mapped afresh and the
    system clears its pages first: on two cores `fer_sedense` then learns from 72 instead of 105 pictures a second at
    32 pixels, and from 29 instead of 54 at 48.

    Returns:
        Whether it was set: False on systems without glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    return bool(mallopt(mmap_max, 0) and mallopt(trim_threshold, -1) and mallopt(top_pad, 64 << 20))
