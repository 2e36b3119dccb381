"""How many pictures PyTorch gets at a time."""

CPU_BATCH = 16
"""On a CPU: the maps of so many pictures still fit its caches. Those of 32 of `fer_sedense` do not, and Integrated
Gradients then takes half as long again; with 64 the network has half its speed. ONNX Runtime needs less memory for a
picture and has a measure of its own, `fer_demo.runtime.engines.PIECE_BYTES`."""

GPU_BATCH = 256
"""Elsewhere, where fewer would not keep the device busy."""


def batch_size(device: str) -> int:
    """Pictures at a time on a kind of device.

    Args:
        device: As ``torch.device.type`` names it, such as ``"cpu"`` or ``"cuda"``.
    """
    return CPU_BATCH if device == "cpu" else GPU_BATCH
