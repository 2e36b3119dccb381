"""What a picture is called in a sentence, and what somebody meant who gave a text that is no path."""

import os
import re
from typing import Any

import numpy as np
from PIL import Image

LONGEST_NAME = 120
"""Characters of a name that an error message shows."""

NAMELESS = "The picture"
"""What a picture without a name is called."""

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # one letter would be a drive; pathlib joins two slashes
_DATA_URI = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]+={0,2}\s*")
_BASE64_STARTS = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR")  # JPEG, PNG, GIF, WebP
# Also what turns the direction of writing, and byte order marks: no terminal shows them, but they change a line.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def one_line(name: str, longest: int | None = LONGEST_NAME) -> str:
    """A name as a sentence can hold it: control characters escaped, and the middle left out if it is too long.

    Args:
        name: Whatever a file is called.
        longest: Most characters of the result; None for any number.
    """
    shown = _CONTROLS.sub(lambda found: repr(found.group())[1:-1], name)
    if longest is None or len(shown) <= longest:
        return shown
    end = longest // 2
    return f"{shown[: longest - end - 1]}…{shown[-end:]}"


def source_name(source: Any) -> str | None:
    """The path or file name of what `fer_demo.open_image` takes; None for bytes, arrays and whatever has none."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    # A binary file, or a picture of Pillow; the name of a file that was opened by number is that number.
    name = getattr(source, "filename" if isinstance(source, Image.Image) else "name", None)
    return os.fsdecode(name) if name and isinstance(name, (str, bytes, os.PathLike)) else None


def is_one_picture(sources: Any) -> bool:
    """Whether something that should be many pictures is one, whose characters, bytes, lines or rows would be taken."""
    if isinstance(sources, np.ndarray):
        return sources.dtype.kind in "buif" and sources.ndim < 4
    one = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)
    return isinstance(sources, one) or hasattr(sources, "read")


def why_no_path(text: str) -> str | None:
    """One sentence about a text that was given as a path, but is something else; None if it looks like a path.

    Args:
        text: What was given; a picture as text can be megabytes long, and none of it is repeated.
    """
    if _DATA_URI.match(text):
        return (
            f"{NAMELESS} was given as a data URI, from which nothing is fetched or decoded; give a path, or the bytes "
            "that base64.b64decode makes of what follows the comma."
        )
    if _ADDRESS.match(text):
        return (
            f"{one_line(text)} is an address, from which nothing is fetched; download the picture and give its path or "
            "its bytes."
        )
    # No path of a few hundred characters does without a dot and other signs that base64 has not.
    if (len(text) > 500 or text.startswith(_BASE64_STARTS)) and _BASE64.fullmatch(text):
        return (
            f"{NAMELESS} was given as base64 text, which is not decoded; give a path, or the bytes that "
            "base64.b64decode makes of it."
        )
    return None
