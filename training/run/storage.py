"""Files that are either whole or not there: a full disk or a kill never costs the last good one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def atomic_write(path: str | Path, write: Callable[[BinaryIO], None]) -> None:
    """Writes a file beside its place, flushes it to the disk, then moves it there in one step.

    Args:
        path: The file to create or replace.
        write: Called with the open binary file.

    Raises:
        OSError: If the disk is full or the folder cannot be written; the old file is then untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as f:
            write(f)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def atomic_write_text(path: str | Path, text: str) -> None:
    """`atomic_write` for UTF-8 text."""
    atomic_write(path, lambda f: f.write(text.encode()))
