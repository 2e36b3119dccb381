"""Files that are either whole or not there, and JSON that holds what it says: numbers, and the right kind of value."""

import errno
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from fer_demo.vision.sources import one_line


def atomic_write(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Writes a file beside its place, flushes it to the disk, then moves it there in one step.

    A full disk or a kill so never costs the last good one. What is no regular file, such as a pipe, is written as it
    is.

    Args:
        path: The file to create or replace. The folder is made if need be.
        write: Called with the open binary file.

    Raises:
        OSError: If the disk is full or the folder cannot be written; the old file is then untouched.
    """
    Path(path).resolve().parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as f:
        write(f)


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file that is written while the context lasts; see `atomic_write`. Its folder must be there.

    Yields:
        The open binary file, beside its place.

    Raises:
        OSError: As for `atomic_write`; its ``filename`` is the path.
    """
    path = Path(path)
    temporary = None
    try:
        if path.exists() and not path.is_file():
            with open(path, "wb") as f:
                yield f
            return
        path = path.resolve()  # a link stays one
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        with os.fdopen(handle, "wb") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, temporary):
            raise type(error)(error.errno, error.strerror, str(path)) from None
        raise


def atomic_write_text(path: str | os.PathLike[str], text: str, errors: str = "strict") -> None:
    """`atomic_write` for UTF-8 text; `errors` as ``str.encode`` takes it."""
    atomic_write(path, lambda f: f.write(text.encode(errors=errors)))


def read_json(path: str | os.PathLike[str], kind: type = dict) -> Any:
    """Reads a JSON file.

    Args:
        path: The file, UTF-8.
        kind: What must stand in it: dict or list.

    Returns:
        Its content, in which every number is finite.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it holds no JSON, another kind of value, or a number that is not finite; the message is the
            reason alone, a clause without a full stop.
    """
    return parse_json(Path(path).read_bytes(), kind)


def parse_json(content: str | bytes, kind: type = dict) -> Any:
    """The same for a JSON text; see `read_json`."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(one_line(str(error))) from None
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} instead of {'an object' if kind is dict else f'a {kind.__name__}'}")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no finite number")


def _finite(text: str) -> float:
    return number if math.isfinite(number := float(text)) else _no_number(one_line(text, 20))
