"""The machine that something was measured on; no name of its owner or of the computer."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name as its maker gives it, e.g. ``"AMD EPYC"``; what kind it is where that is not to be had."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, names), platform.processor() or platform.machine() or "unknown processor")
