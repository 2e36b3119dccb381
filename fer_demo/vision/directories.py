"""Look through the directories of tags in TIFF files and EXIF data."""

import io
import struct
from typing import BinaryIO

from fer_demo.vision.limits import ImageError

__all__ = ["TIFF_STARTS", "check_directory", "check_exif", "wasteful"]

MAX_VALUES = 250_000
"""Strips or tiles of a TIFF file, and values of each other tag that Pillow looks at."""
MAX_ENTRIES = 65_535
"""Entries of a directory; only BigTIFF could have more."""
SLACK = 65_536
"""Bytes that tags may claim together beyond the length of the data that they are in."""

TIFF_STARTS = (b"II\x2a\0", b"MM\0\x2a", b"II\0\x2a", b"MM\x2a\0", b"II\x2b\0", b"MM\0\x2b")
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


def wasteful(name: str, what: str) -> ImageError:
    """The error about a file of which a reader would make far more than it needs."""
    return ImageError(f"{name} has {what}; save it anew, as JPEG or PNG and without metadata.")


def check_exif(data: bytes, name: str) -> None:
    """Refuses EXIF data of which Pillow would make far more than they are.

    Raises:
        ImageError: If tags point to the same bytes again and again.
    """
    while data.startswith(b"Exif\0\0"):
        data = data[6:]
    check_directory(io.BytesIO(data), len(data), name, "EXIF tags")


def check_directory(file: BinaryIO, length: int, name: str, what: str) -> None:
    """Looks at the first directory of a TIFF file or of EXIF data; what cannot be understood is left to Pillow.

    Args:
        file: A file that can go back.
        length: Its length in bytes.
        name: What the picture is called in a sentence.
        what: "tags" for a TIFF file, "EXIF tags" for EXIF data.

    Raises:
        ImageError: If tags point to the same bytes again and again, or to far too many strips.
    """
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return
    big = head[2] == 43  # as Pillow tells BigTIFF
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), head.ljust(16, b"\0"), 8 if big else 4)
    file.seek(min(start, length))
    (number,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2).ljust(8 if big else 2, b"\0"))
    if number > MAX_ENTRIES:
        raise wasteful(name, f"{number} {what}")
    entry = struct.Struct(order + ("HHQQ" if big else "HHII"))
    data = file.read(number * entry.size)
    copied = 0
    for tag, kind, count, place in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
        size = count * _TYPE_BYTES.get(kind, 0)
        if size > (8 if big else 4) and place + size <= length:
            copied += size
            if what == "tags" and tag < 700 and kind not in (1, 2, 6, 7) and count > MAX_VALUES:
                raise wasteful(name, f"{count} strips or tiles, or values of a tag")
    if copied > length + SLACK:
        raise wasteful(name, f"{what} that claim {copied / 1e6:.0f} MB of its {length / 1e6:.1f}")
