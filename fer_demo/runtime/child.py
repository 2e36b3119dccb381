"""What a process does that works for another one: it ends with it, and takes no more memory than it may."""

import contextlib
import os
import resource
import threading
import time

__all__ = ["end_with_parent", "limit_memory"]


def limit_memory(megabytes: float) -> None:
    """Lets this process map so much more than it has mapped now; asking for more is then a `MemoryError`.

    Args:
        megabytes: Of 2**20 bytes.
    """
    # What is mapped now is code and libraries. Without /proc there is no telling how much that is, nor a limit.
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        most = mapped + int(megabytes * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def end_with_parent() -> None:
    """Ends this process at once when the one that started it is gone, whatever it is at."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
