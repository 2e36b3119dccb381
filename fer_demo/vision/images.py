"""Open any picture as one kind of array: upright, 8-bit RGB."""

import contextlib
import io
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fer_demo.vision.sources import NAMELESS, one_line, source_name, why_no_path

__all__ = ["IMAGE_EXTENSIONS", "MAX_PIXELS", "ImageError", "find_images", "open_image"]

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded: a file of a few kilobytes can unpack to gigabytes."""

MAX_SIDE = 65_535
"""The longest side that is accepted, which is JPEG's own limit."""

Image.init()  # registers all formats, of which a build of Pillow may lack some

# Only plain picture formats. Pillow would also start Ghostscript for EPS and read containers that nobody means here.
_FORMATS = tuple({"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"} & Image.OPEN.keys())

IMAGE_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
    | {".jp2", ".pgm", ".ppm", ".pbm", ".pnm"}
)
"""File name endings, in lower case, that `find_images` takes from a folder."""

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[Any]
"""What `open_image` takes."""


class ImageError(ValueError):
    """A picture cannot be used; the message is one sentence that a user can act on."""


def open_image(source: ImageSource, *, channels: str = "rgb") -> NDArray[np.uint8]:
    """Opens a picture from wherever it is; nothing is fetched from an address.

    The EXIF orientation is applied, 16-bit samples are scaled to 8 bits, transparent parts become white and only the
    first frame of an animation is read. Colour profiles are ignored.

    Args:
        source: A path, a file's bytes, a binary file object, a PIL image, or an array: grey (H, W) or (H, W, 1),
            RGB (H, W, 3) or RGBA (H, W, 4); uint8 0 to 255, uint16 0 to 65535, float 0 to 1, or bool.
        channels: "bgr" for an array in OpenCV's order, BGR or BGRA; grey ones have no order. Files state their own
            order and are "rgb".

    Returns:
        C-contiguous uint8 RGB array (H, W, 3). It may share memory with a uint8 RGB array given as `source`.

    Raises:
        ImageError: If there is no such file, if it is no picture, is damaged or cut off, or has more than
            `MAX_PIXELS` pixels or `MAX_SIDE` on a side.
        ValueError: If `channels` is neither "rgb" nor "bgr", or is "bgr" for anything but an array.
    """
    if channels not in ("rgb", "bgr"):
        raise ValueError(f"The channels must be 'rgb' or 'bgr', but are {channels!r}.")
    if isinstance(source, np.ndarray):
        return _from_array(source, channels)
    if channels == "bgr":
        raise ValueError(
            f"Only arrays can have the channels 'bgr', but the picture was given as {type(source).__name__}; leave "
            "them at 'rgb'."
        )
    if isinstance(source, Image.Image):
        return _decode(source, _name(source))
    if isinstance(source, (str, os.PathLike)):
        return _from_path(os.fsdecode(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        if sentence := why_no_path(bytes(source[:400]).decode("latin-1")):
            raise ImageError(sentence)
        return _from_file(io.BytesIO(source), NAMELESS)
    if isinstance(source, io.TextIOBase):
        raise ImageError(f"{_name(source)} was opened as text; open it in binary mode, open(path, 'rb').")
    if hasattr(source, "read"):
        return _from_file(source, _name(source))
    raise ImageError(
        f"A picture cannot be opened from {type(source).__name__}; give a path, bytes, a binary file, "
        "a PIL image or a NumPy array."
    )


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Lists files, and all pictures in folders and their sub-folders.

    Args:
        paths: Files and folders. A file is kept whatever its name is and whether or not it exists, so that opening
            it tells what is wrong. From a folder come the files that end in `IMAGE_EXTENSIONS`, but none that is hidden
            or in a hidden folder.

    Returns:
        Paths without repetitions, in the order given, each folder's pictures sorted.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if os.path.isdir(path):  # unlike Path.is_dir, it takes whatever text somebody gave for a path
            inside = (p for p in path.rglob("*") if p.suffix.lower() in IMAGE_EXTENSIONS and p.is_file())
            shown = (p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts))
            found |= dict.fromkeys(sorted(shown))
        else:
            found[path] = None
    return list(found)


def _name(source: object) -> str:
    return one_line(source_name(source) or NAMELESS)


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width} x {height} = {width * height / 1e6:.0f} megapixels, more than the "
            f"{MAX_PIXELS / 1e6:.0f} that are accepted; make it smaller first."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{name} has {width} x {height} pixels, but only {MAX_SIDE} on a side are accepted; crop it.")
    if width == 0 or height == 0:
        raise ImageError(f"{name} is empty: {width} x {height} pixels; choose another picture.")


def _from_path(path: str) -> NDArray[np.uint8]:
    name = one_line(path) or "The empty path"
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(f"{name} is a folder, not a picture; name a picture inside it.")
        if not stat.S_ISREG(mode):  # reading from a pipe or a device may never end
            raise ImageError(f"{name} is not a regular file; save the picture to one, or give its bytes.")
        with open(path, "rb") as file:
            return _from_file(file, name)
    except ImageError:
        raise
    except PermissionError:
        raise ImageError(f"{name} may not be read; change its permissions or choose another picture.") from None
    except (OSError, ValueError) as error:  # the second for a null character
        if sentence := why_no_path(path):
            raise ImageError(sentence) from None
        if isinstance(error, FileNotFoundError):
            raise ImageError(f"{name} does not exist; check the path.") from None
        # Not the error itself, which repeats the whole path.
        reason = getattr(error, "strerror", None) or "it is no path"
        raise ImageError(f"{name} cannot be opened ({reason}); check the path.") from None


def _from_file(file: BinaryIO, name: str) -> NDArray[np.uint8]:
    try:
        image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        if _is_empty(file):
            raise ImageError(f"{name} is empty (0 bytes); choose another picture.") from None
        raise ImageError(
            f"{name} is not a picture in a known format; save it as JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} has more than the {MAX_PIXELS / 1e6:.0f} megapixels that are accepted; make it smaller first."
        ) from None
    except Exception as error:  # see _decode
        raise ImageError(_damaged(name, error)) from error
    with image:
        return _decode(image, name)


def _is_empty(file: BinaryIO) -> bool:
    try:
        file.seek(0)
        return not file.read(1)
    except (OSError, ValueError):  # a pipe, which cannot go back
        return False


def _damaged(name: str, error: Exception) -> str:
    return f"{name} is damaged or cut off ({error}); get the file again or save it anew as JPEG or PNG."


def _decode(image: Image.Image, name: str) -> NDArray[np.uint8]:
    _check_size(*image.size, name)
    try:
        image.load()
        with contextlib.suppress(Exception):  # a broken EXIF block says nothing about the pixels, which are intact
            image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            # Pillow's own conversion clips at 255 instead of scaling; int32 ("I") holds 16-bit samples in practice.
            return _from_array(np.clip(np.asarray(image), 0, 65535).astype(np.uint16))
        if image.mode == "F":
            return _from_array(np.asarray(image))
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        return np.array(image.convert("RGB"))
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly anything: OSError, SyntaxError, struct.error
        raise ImageError(_damaged(name, error)) from error


def _from_array(array: NDArray[Any], channels: str = "rgb") -> NDArray[np.uint8]:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(
            f"An array of shape {array.shape} is not a picture; give (height, width) or (height, width, 1, 3 or 4)."
        )
    _check_size(array.shape[1], array.shape[0], "The array")
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
        if not (array.min() >= 0 and array.max() <= 1):  # written so that NaN fails too
            raise ImageError(
                f"A float array must hold values from 0 to 1, but has {array.min():g} to {array.max():g}; "
                "scale it or convert it to uint8."
            )
        levels: NDArray[np.floating] = np.rint(array * 255)
        return levels.astype(np.uint8)
    raise ImageError(f"An array of {array.dtype} is not a picture; convert it to uint8 (0 to 255) or float (0 to 1).")
