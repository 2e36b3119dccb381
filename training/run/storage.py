"""Files that are either whole or not there (see `fer_demo.files`), and what is said of one that cannot be read back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_demo.files import atomic_write, atomic_write_text
from fer_demo.vision.sources import one_line

__all__ = ["atomic_write", "atomic_write_text", "read_back"]


@contextmanager
def read_back(path: str | Path, remedy: str) -> Iterator[None]:
    """Surrounds the reading of a file that the trainer or somebody else wrote: whatever is wrong is one sentence.

    Args:
        path: The file, or its folder.
        remedy: What to do about it; a clause without a full stop.

    Raises:
        ValueError: For any error within.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ValueError(f"There is no {error.filename or path}; {remedy}.") from error
    except Exception as error:  # PyTorch, NumPy and safetensors raise nearly anything for bytes that are none of theirs
        words = " ".join(str(error).split()) or type(error).__name__
        reason = one_line(f"there is no {words}" if isinstance(error, KeyError) else words, 200).rstrip(".")
        raise ValueError(f"{path} is damaged or of another kind ({reason}); {remedy}.") from error
