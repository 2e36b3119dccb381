"""What is said once, however many processes `torchrun` has started."""

import os
import sys
import time

PATIENCE = 10.0
"""Seconds that a process with an error leaves the first one on its machine to say the same; `torchrun` ends it then."""


def first_here() -> bool:
    """Whether this is the only process, or the first on its machine of those that `torchrun` started."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def say_error(sentence: str) -> None:
    """Prints why a command ends, to stderr.

    What is wrong with settings, folders or data every process finds by itself, at nearly the same time. The first one
    says so, and `torchrun` ends the others when it is gone. Only one that fails alone lives to speak for itself.

    Args:
        sentence: Why.
    """
    if not first_here():
        time.sleep(PATIENCE)
    print(f"error: {sentence}", file=sys.stderr)
