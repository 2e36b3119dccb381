"""Pictures of 16 bits a sample that use fewer: as cameras of 10, 12 or 14 bits and careless programs write them."""

import sys
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

__all__ = ["FULL", "Deep", "depth", "depth_note", "stated_depth", "stretched"]

FULL = 16
"""Bits of a sample that fills its place."""

MAX_DEEP_PIXELS = 50_000_000
"""Larger colour pictures keep what Pillow makes of them, since for the other bits they are decoded twice."""

_DEPTHS = (8, 10, 12, 14)
# A quarter of the full brightness is not too little for a photo taken in the dark: so 14 bits must be filled.
_FILLED_14 = 16_000
_OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def depth(largest: int, stated: int | None = None) -> int:
    """How many bits the samples of a 16-bit picture use.

    Args:
        largest: The largest sample, 0 to 65535.
        stated: What the file says; None if nothing. A file whose samples are larger than it says is not believed.

    Returns:
        8, 10, 12, 14 or, if the picture is to be left as it is, 16.
    """
    if stated == FULL or largest == 0:
        return FULL
    if stated is not None and largest < 1 << stated:
        return stated
    bits = next((bits for bits in _DEPTHS if largest < 1 << bits), FULL)
    return FULL if bits == 14 and largest < _FILLED_14 else bits


def depth_note(bits: int) -> tuple[str, ...]:
    """What to tell people about samples of so many bits; nothing for `FULL`."""
    return () if bits == FULL else (f"{bits}-bit values in a 16-bit file were brightened",)


def stated_depth(image: Image.Image, significant: int | None) -> int | None:
    """What a file says about the bits that its samples use; None if nothing that is known.

    Args:
        image: As Pillow opened it.
        significant: What a PNG file says, `fer_demo.vision.limits.Header.significant_bits`. Its samples should be
            stretched to 16 bits all the same, and are then larger than that.
    """
    if image.format == "PNG":
        return significant
    if image.format != "TIFF":
        return None
    tags: Any = getattr(image, "tag_v2", {})
    bits, largest = (_first(tags.get(tag)) for tag in (258, 281))  # BitsPerSample, MaxSampleValue
    if isinstance(bits, int) and bits in _DEPTHS:
        return bits
    known = {(1 << bits) - 1: bits for bits in (*_DEPTHS, FULL)}
    return known.get(largest) if isinstance(largest, int) else None


def stretched(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """Samples of so many bits as samples of 16; a fourth channel, the transparency, stays as it is."""
    if bits == FULL:
        return samples
    wide = (samples.astype(np.uint32) * 65535 // ((1 << bits) - 1)).clip(0, 65535).astype(np.uint16)
    if samples.ndim == 3 and samples.shape[2] == 4:
        wide[..., 3] = samples[..., 3]
    return wide


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else value


class Deep:
    """A colour file of 16 bits, of which Pillow keeps the upper eight.

    Args:
        image: A file that was opened, but not decoded.
    """

    def __init__(self, image: Image.Image) -> None:
        self._file: BinaryIO | None = None
        tiles = list(image.tile) if isinstance(image, ImageFile.ImageFile) else []
        modes = {_first(tile.args) for tile in tiles}
        mode = str(next(iter(modes), ""))
        if len(modes) == 1 and mode.partition(";16")[0] in ("RGB", "RGBA") and mode[-3:-1] == "16":
            self._file, self._format = getattr(image, "fp", None), str(image.format)
            self._mode = f"{mode[:-1]}{_OTHER[mode[-1]]}"
        if image.width * image.height > MAX_DEEP_PIXELS:
            self._file = None

    def lower(self, image: Image.Image) -> Image.Image | None:
        """The lower eight bits of each sample, if the upper ones show that they are needed.

        Args:
            image: The same file, decoded.
        """
        if self._file is None:
            return None
        extremes: Any = image.getextrema()
        if max(high for _, high in extremes[:3]) >= 1 << _DEPTHS[-1] - 8:
            return None
        self._file.seek(0)
        other: Any = Image.open(self._file, formats=[self._format])
        other.tile = [tile._replace(args=self._replaced(tile.args)) for tile in other.tile]
        other.load()
        lower: Image.Image = other
        return lower

    def _replaced(self, args: Any) -> Any:
        return (self._mode, *args[1:]) if isinstance(args, tuple) else self._mode
