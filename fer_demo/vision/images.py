"""Open any picture as one kind of array: upright, 8-bit RGB."""

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fer_demo.vision.decoding import OpenedImage, damaged, decode, from_array
from fer_demo.vision.folders import IMAGE_EXTENSIONS, find_images
from fer_demo.vision.headers import read_header
from fer_demo.vision.heif import register
from fer_demo.vision.kinds import HEAD_BYTES, RAW_PHOTO, is_raw_photo, what_it_is
from fer_demo.vision.limits import MAX_PIXELS, MAX_SIDE, READ_PIXELS, Header, ImageError, check_decoder, seconds
from fer_demo.vision.sources import NAMELESS, one_line, source_name, why_no_path

__all__ = [
    "IMAGE_EXTENSIONS",
    "MAX_PIXELS",
    "MAX_SIDE",
    "READ_PIXELS",
    "ImageError",
    "OpenedImage",
    "find_images",
    "open_image",
    "open_reduced",
    "reading_cost",
]

Image.init()  # registers all formats, of which a build of Pillow may lack some
register()

# Only plain picture formats. Pillow would also start Ghostscript for EPS and read containers that nobody means here.
# They are tried in this order: of what stands in boxes that both may be in, HEIF takes what AVIF has left.
_KNOWN = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF")
_FORMATS = tuple(format for format in _KNOWN if format in Image.OPEN)

ImageSource = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | NDArray[Any] | OpenedImage
)
"""What `open_image` takes."""


def open_image(source: ImageSource, *, channels: str = "rgb") -> NDArray[np.uint8]:
    """Opens a picture from wherever it is, in full size; nothing is fetched from an address.

    The EXIF orientation is applied, 16-bit samples are scaled to 8 bits, transparent parts become white and only the
    first frame of an animation is read. Colour profiles are ignored. Files that would take far longer, or far more
    memory, than an ordinary photo of 100 megapixels are refused before they are decoded; docs/deployment.md has the
    limits.

    Args:
        source: A path, a file's bytes, a binary file object, a PIL image, or an array: grey (H, W) or (H, W, 1),
            RGB (H, W, 3) or RGBA (H, W, 4); uint8 0 to 255, uint16 0 to 65535, float 0 to 1, or bool.
        channels: "bgr" for an array in OpenCV's order, BGR or BGRA; grey ones have no order. Files state their own
            order and are "rgb".

    Returns:
        C-contiguous uint8 RGB array (H, W, 3). It may share memory with a uint8 RGB array given as `source`.

    Raises:
        ImageError: If there is no such file, if it is no picture, is damaged or cut off, has more than `MAX_PIXELS`
            pixels or `MAX_SIDE` on a side, or is over a limit of its format.
        ValueError: If `channels` is neither "rgb" nor "bgr", or is "bgr" for anything but an array.
    """
    return _open(source, channels, None).pixels


def open_reduced(source: ImageSource, *, channels: str = "rgb", max_pixels: int = READ_PIXELS) -> OpenedImage:
    """Opens a picture as `open_image` does, but a large file at a whole-number fraction of its size.

    That takes less time and memory: of a JPEG file, most of what is not needed is not decoded.

    Args:
        source: As for `open_image`. Arrays and PIL images are never reduced; what was opened before stays as it is.
        channels: As for `open_image`.
        max_pixels: Files of more pixels are reduced until they have no more.

    Returns:
        The pixels, and the size that the picture has itself; `OpenedImage.scale` leads from places in one to the other.

    Raises:
        ImageError: As for `open_image`.
        ValueError: As for `open_image`, and if `max_pixels` is less than 1.
    """
    if max_pixels < 1:
        raise ValueError(f"The max_pixels must be 1 or more, but are {max_pixels}.")
    return _open(source, channels, max_pixels)


def reading_cost(source: ImageSource) -> float:
    """Estimates how long `open_reduced` takes for a file, from what stands before its pixels; nothing is decoded.

    Args:
        source: As for `open_image`; of a file object, the whole content.

    Returns:
        Seconds on one core, on an ordinary machine of 2025; 0 for an array or a PIL image.

    Raises:
        ImageError: If `open_image` would refuse the file for what stands before its pixels.
    """
    if isinstance(source, (np.ndarray, Image.Image, OpenedImage)):
        return 0.0
    with _opened(source) as (image, header, _):
        return seconds(image, header)


def _open(source: ImageSource, channels: str, max_pixels: int | None) -> OpenedImage:
    if channels not in ("rgb", "bgr"):
        raise ValueError(f"The channels must be 'rgb' or 'bgr', but are {channels!r}.")
    if isinstance(source, np.ndarray):
        pixels = from_array(source, channels)
        return OpenedImage(pixels, pixels.shape[1], pixels.shape[0])
    if channels == "bgr":
        raise ValueError(
            f"Only arrays can have the channels 'bgr', but the picture was given as {type(source).__name__}; leave "
            "them at 'rgb'."
        )
    if isinstance(source, OpenedImage):
        return source
    if isinstance(source, Image.Image):
        return decode(source, _name(source))
    with _opened(source) as (image, header, name):
        return decode(image, name, header, max_pixels)


def _name(source: object) -> str:
    return one_line(source_name(source) or NAMELESS)


@contextlib.contextmanager
def _opened(source: Any) -> Iterator[tuple[Image.Image, Header, str]]:
    """A file that was looked through and opened, but not decoded, and what it is called."""
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        with _file(path) as file, _image(file, one_line(path)) as opened:
            yield opened
    elif isinstance(source, (bytes, bytearray, memoryview)):
        if sentence := why_no_path(bytes(source[:400]).decode("latin-1")):
            raise ImageError(sentence)
        with _image(io.BytesIO(source), NAMELESS) as opened:
            yield opened
    elif isinstance(source, io.TextIOBase):
        raise ImageError(f"{_name(source)} was opened as text; open it in binary mode, open(path, 'rb').")
    elif hasattr(source, "read"):
        with _image(source, _name(source)) as opened:
            yield opened
    else:
        raise ImageError(
            f"A picture cannot be opened from {type(source).__name__}; give a path, bytes, a binary file, "
            "a PIL image or a NumPy array."
        )


def _file(path: str) -> BinaryIO:
    name = one_line(path) or "The empty path"
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            if not os.access(path, os.R_OK | os.X_OK):
                raise ImageError(f"{name} is a folder that may not be looked into; change its permissions.")
            raise ImageError(f"{name} is a folder, not a picture; name a picture inside it.")
        if not stat.S_ISREG(mode):  # reading from a pipe or a device may never end
            raise ImageError(f"{name} is not a regular file; save the picture to one, or give its bytes.")
        return open(path, "rb")
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


@contextlib.contextmanager
def _image(file: BinaryIO, name: str) -> Iterator[tuple[Image.Image, Header, str]]:
    try:
        try:
            file.seek(0)
        except (AttributeError, OSError):  # a pipe, which cannot go back
            file = io.BytesIO(file.read())
        head = file.read(HEAD_BYTES)
        if kind := what_it_is(head):
            raise ImageError(f"{name} is {kind}")
        header = read_header(file, name)
        image = Image.open(file, formats=_FORMATS)
        if image.format == "TIFF" and is_raw_photo(getattr(image, "tag_v2", {})):
            raise ImageError(f"{name} is {RAW_PHOTO}")
        check_decoder(image, header, name)
    except ImageError:
        raise
    except UnidentifiedImageError:
        if header.file_bytes == 0:
            raise ImageError(f"{name} is empty (0 bytes); choose another picture.") from None
        raise ImageError(
            f"{name} is not a picture in a known format; save it as JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC."
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} has more than the {MAX_PIXELS / 1e6:.0f} megapixels that are accepted; make it smaller first."
        ) from None
    except Exception as error:  # decoders raise nearly anything
        raise ImageError(damaged(name, error)) from error
    with image:
        yield image, header, name
