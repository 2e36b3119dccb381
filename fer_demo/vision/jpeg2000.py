"""Look through a JPEG 2000 file, whose size is written twice and whose decoder believes the second one."""

import struct
from typing import BinaryIO

from fer_demo.vision.directories import wasteful
from fer_demo.vision.limits import FORMAT_LIMITS

__all__ = ["check_jpeg2000"]

MAX_TILES, MAX_LAYERS = 4096, 100
"""Tiles and quality layers of a JPEG 2000 stream."""
MAX_BOXES = 10_000
"""Boxes before the one that holds the picture."""
MAX_HEAD = 65_536
"""Bytes of the stream that are looked through; its main header has a few hundred."""


def check_jpeg2000(file: BinaryIO, name: str) -> None:
    """Refuses a file whose decoder would make large tables of what is hardly there.

    Raises:
        ImageError: If it has too many pixels, tiles or layers, or precincts that are too small.
    """
    position = 0
    for _ in range(MAX_BOXES):  # boxes, until the one that holds the picture
        file.seek(position)
        head = file.read(16).ljust(16, b"\0")
        if head.startswith(b"\xff\x4f\xff\x51"):
            break
        size = int.from_bytes(head[:4])
        long = size == 1
        if head[4:8] == b"jp2c":
            position += 16 if long else 8
        elif size == 0:
            return
        else:
            position += max(8, int.from_bytes(head[8:]) if long else size)
    file.seek(position + 2)
    data = file.read(MAX_HEAD)
    if len(data) < 40:
        return
    x1, y1, x0, y0, *tiles, parts = struct.unpack_from(">IIIIIIIIH", data, 6)
    across, along, left, top = tiles
    number = -((left - x1) // max(1, across)) * -((top - y1) // max(1, along))
    if (x1 - x0) * (y1 - y0) > FORMAT_LIMITS["JPEG2000"][0] or parts > 4 or number > MAX_TILES:
        raise wasteful(name, f"a JPEG 2000 stream of {x1 - x0} x {y1 - y0} x {parts} values in {number} tiles")
    start = 0
    while start + 13 < len(data) and data[start] == 0xFF and data[start + 1] not in (0x90, 0x93):
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        # Layers, and what would be rows of precincts: tables of all of them are made before anything is read.
        if data[start + 1] == 0x52 and int.from_bytes(data[start + 6 : start + 8]) > MAX_LAYERS:
            raise wasteful(name, f"more than {MAX_LAYERS} layers")
        if (
            data[start + 1] == 0x52
            and data[start + 4] & 1
            and any(b & 15 < 5 or b < 0x50 for b in data[start + 14 : end])
        ):
            raise wasteful(name, "precincts of less than 32 x 32 values")
        start = end
