"""Make upright 8-bit RGB arrays of what Pillow decodes and of other arrays."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_demo.vision.depth import FULL, Deep, depth, depth_note, stated_depth, stretched
from fer_demo.vision.directories import check_exif
from fer_demo.vision.limits import Header, ImageError, check_size

__all__ = ["OpenedImage", "damaged", "decode", "from_array"]

STRIP_PIXELS = 1 << 20
"""Pixels that are converted at once."""

# The coefficients of a progressive JPEG in full colour resolution leave no room for a picture of half its size.
_LARGE_COEFFICIENTS = 500_000_000

_ORIENTATION = 0x0112
_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
"""What makes a stored picture upright, by its EXIF orientation."""


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """A picture that may have been reduced.

    Attributes:
        pixels: C-contiguous uint8 RGB (h, w, 3), upright.
        width: Pixels of a row of the picture itself, upright.
        height: Rows of the picture itself, upright.
        notes: What was done to the pixels that people should know, such as "12-bit values in a 16-bit file were
            brightened".
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> "OpenedImage":
        """A picture in its full size.

        Args:
            pixels: As the attribute.
        """
        return cls(pixels, pixels.shape[1], pixels.shape[0])

    def within(self, side: int) -> "OpenedImage":
        """The same picture with pixels for a small place.

        Args:
            side: Most pixels of the longer side.
        """
        height, width = self.pixels.shape[:2]
        if max(height, width) <= side:
            return self
        share = side / max(height, width)
        size = max(1, round(width * share)), max(1, round(height * share))
        return replace(self, pixels=np.asarray(Image.fromarray(self.pixels).resize(size, Image.Resampling.BOX)))

    def turned(self, degrees: int) -> "OpenedImage":
        """The same picture, turned clockwise.

        Args:
            degrees: A multiple of 90.

        Raises:
            ValueError: For another angle.
        """
        if degrees % 90:
            raise ValueError(f"A picture is turned by a multiple of 90 degrees, not by {degrees}.")
        sides = (self.width, self.height) if degrees % 180 == 0 else (self.height, self.width)
        return OpenedImage(np.ascontiguousarray(np.rot90(self.pixels, -degrees // 90)), *sides, self.notes)

    @property
    def scale(self) -> tuple[float, float]:
        """What x and y of a place in `pixels` are multiplied by for the place in the picture itself."""
        return self.width / self.pixels.shape[1], self.height / self.pixels.shape[0]


def damaged(name: str, error: Exception) -> str:
    """The sentence about a file that a decoder stumbled over."""
    reason = " ".join(str(error).split())  # libheif ends its sentences with a line break
    return f"{name} is damaged or cut off ({reason}); get the file again or save it anew as JPEG or PNG."


def decode(image: Image.Image, name: str, header: Header | None = None, max_pixels: int | None = None) -> OpenedImage:
    """Decodes a picture and makes it upright 8-bit RGB, strip by strip: there is one full-size copy beside Pillow's.

    Args:
        image: A picture of Pillow; one that was opened from a file for this alone is closed.
        name: What the picture is called in a sentence.
        header: What `fer_demo.vision.headers.read_header` said about the file; None for a picture that somebody else
            opened, which is left as it is.
        max_pixels: Larger pictures are reduced by the smallest whole number that makes them no larger; JPEG files by
            a power of two where that is no more than 8, since their decoder does most of it. None for no reduction.

    Raises:
        ImageError: If the picture is too large or damaged.
    """
    check_size(*image.size, name)
    try:
        width, height = image.size
        factor = 1 if max_pixels is None else _factor(width, height, max_pixels)
        if factor > 1 and header is not None and image.format in ("JPEG", "MPO") and not header.lossless:
            if header.coefficient_bytes > _LARGE_COEFFICIENTS:
                factor = max(factor, 4)
            scale = min(8, 1 << factor.bit_length() - 1)
            image.draft(None, (max(1, width // scale), max(1, height // scale)))
            factor = math.ceil(factor / round(width / image.width))
        deep = Deep(image)
        image.load()
        lower = deep.lower(image) if header is not None else None
        bits = _depth(image, lower, None if header is None else header.significant_bits)
        try:
            turned = _UPRIGHT.get(_orientation(image, name))
        except ImageError:
            raise
        except Exception:  # a broken EXIF block says nothing about the pixels, which are intact
            turned = None
        pixels = _joined(image, lower, bits, factor)
        if header is not None:
            image.close()  # before turning makes another copy
        if turned is not None:
            pixels = np.ascontiguousarray(turned(pixels))
            if turned(np.empty((1, 2, 0), np.uint8)).shape[:2] == (2, 1):
                width, height = height, width
        return OpenedImage(pixels, width, height, depth_note(bits))
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly anything: OSError, SyntaxError, struct.error
        raise ImageError(damaged(name, error)) from error


def _factor(width: int, height: int, max_pixels: int) -> int:
    factor = max(1, math.isqrt(width * height // max_pixels))
    while math.ceil(width / factor) * math.ceil(height / factor) > max_pixels:
        factor += 1
    return factor


def _orientation(image: Image.Image, name: str) -> int:
    data = image.info.get("exif")
    if data is None and "Raw profile type exif" in image.info:  # as Pillow reads it
        data = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    if data is not None:
        check_exif(data, name)
    return int(image.getexif().get(_ORIENTATION, 1))


def _depth(image: Image.Image, lower: Image.Image | None, significant: int | None) -> int:
    """The bits that samples of 16 bits use."""
    if lower is None and not image.mode.startswith("I"):
        return FULL
    strips = zip(_strips(image, 1), _strips(lower or image, 1), strict=True)
    largest = max(int(_wide(strip, low if lower else None)[..., :3].max()) for strip, low in strips)
    return depth(largest, stated_depth(image, significant))


def _wide(strip: Image.Image, lower: Image.Image | None) -> NDArray[np.uint16]:
    """Samples of 16 bits (H, W) or, of the upper and the lower halves of colour ones, (H, W, channels)."""
    if lower is not None:
        wide: NDArray[np.uint16] = np.asarray(strip).astype(np.uint16) << 8 | np.asarray(lower)
        return wide
    # int32 ("I") holds 16-bit samples in practice.
    samples: NDArray[np.uint16] = np.clip(np.asarray(strip), 0, 65535).astype(np.uint16)
    return samples


def _joined(image: Image.Image, lower: Image.Image | None, bits: int, factor: int) -> NDArray[np.uint8]:
    """The picture as RGB, each side divided by `factor`; for `lower` and `bits` see `_wide` and `_depth`."""
    pixels = np.empty((math.ceil(image.height / factor), math.ceil(image.width / factor), 3), np.uint8)
    if image.mode == "F":
        _check_floats([(strip.min(), strip.max()) for strip in map(np.asarray, _strips(image, 1))])
    top = 0
    for strip, low in zip(_strips(image, factor), _strips(lower or image, factor), strict=True):
        rgb = _rgb(strip, low if lower else None, bits)
        if factor > 1:
            rgb = np.asarray(Image.fromarray(rgb).reduce(factor))
        pixels[top : top + len(rgb)] = rgb
        top += len(rgb)
    return pixels


def _strips(image: Image.Image, factor: int) -> Iterator[Image.Image]:
    rows = max(1, STRIP_PIXELS // (image.width * factor)) * factor
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _rgb(strip: Image.Image, lower: Image.Image | None, bits: int) -> NDArray[np.uint8]:
    if strip.mode.startswith("I") or lower is not None:
        # Pillow's own conversion of grey clips at 255 instead of scaling.
        return from_array(stretched(_wide(strip, lower), bits))
    if strip.mode == "F":
        return from_array(np.asarray(strip))
    if strip.has_transparency_data:
        white = Image.new("RGBA", strip.size, "white")
        strip = Image.alpha_composite(white, strip.convert("RGBA"))
    return np.asarray(strip.convert("RGB"))


def from_array(array: NDArray[Any], channels: str = "rgb") -> NDArray[np.uint8]:
    """Makes any array that is a picture RGB; arguments as for `fer_demo.vision.images.open_image`.

    Returns:
        C-contiguous uint8 RGB (H, W, 3), which may share memory with `array`.

    Raises:
        ImageError: If the array is no picture.
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(
            f"An array of shape {array.shape} is not a picture; give (height, width) or (height, width, 1, 3 or 4)."
        )
    check_size(array.shape[1], array.shape[0], "The array")
    if channels == "bgr":
        array = array[:, :, [0] if array.shape[2] == 1 else [2, 1, 0, 3][: array.shape[2]]]
    pixels = _to_uint8(array)
    if pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:].astype(np.uint16)
        pixels = ((pixels[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels)


def _to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        _check_floats([(array.min(), array.max())])
        levels: NDArray[np.floating] = np.rint(array * 255)
        return levels.astype(np.uint8)
    raise ImageError(f"An array of {array.dtype} is not a picture; convert it to uint8 (0 to 255) or float (0 to 1).")


def _check_floats(limits: list[tuple[Any, Any]]) -> None:
    """Refuses values outside 0 to 1, given the smallest and the largest of each part."""
    low, high = np.min([a for a, _ in limits]), np.max([b for _, b in limits])
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ImageError(
            f"A float array must hold values from 0 to 1, but has {low:g} to {high:g}; scale it or convert it to uint8."
        )
