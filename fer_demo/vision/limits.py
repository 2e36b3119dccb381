"""What a picture may ask of its decoder; docs/deployment.md has the limits as a table."""

from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile

__all__ = ["MAX_PIXELS", "MAX_SIDE", "READ_PIXELS", "Header", "ImageError", "check_decoder", "check_size", "seconds"]

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded: a file of a few kilobytes can unpack to gigabytes."""

MAX_SIDE = 65_535
"""The longest side that is accepted, which is JPEG's own limit."""

READ_PIXELS = 25_000_000
"""Larger pictures are read at a whole-number fraction of their size: a half, for all that `MAX_PIXELS` leaves."""

# Formats whose decoder holds the whole picture several times, or is slow, have limits of their own: pixels, and
# bytes of the file. Measured in fresh processes, with Pillow 12.3: WebP takes up to 25 bytes a pixel, AVIF 19 to 26,
# JPEG 2000 18; and JPEG 2000 takes 0.08 s for each megapixel and 0.23 s for each megabyte. HEIF takes 7 bytes as
# telephones write it, and up to 20 with transparency and 10 bits in full colour resolution.
FORMAT_LIMITS: dict[str, tuple[int, int]] = {
    "WEBP": (25_000_000, 64_000_000),
    "AVIF": (25_000_000, 64_000_000),
    "HEIF": (50_000_000, 64_000_000),
    "HEIF in full colour resolution or with transparency": (25_000_000, 64_000_000),
    "JPEG2000": (20_000_000, 14_000_000),
    "TIFF with JPEG inside": (50_000_000, 256_000_000),  # libtiff accepts 100 scans in each strip
}

MAX_ANIMATED_PIXELS = 25_000_000
"""Of an animated PNG file, whose first frame Pillow may lay on copies of the canvas."""

# Decoders that Pillow has in Python alone: picture samples, and bytes of the file.
CODEC_LIMITS = {
    "ppm_plain": ("a PPM file of decimal numbers", 10_000_000, 32_000_000),
    "ppm": ("a PPM file whose largest value is neither 255 nor 65535", 6_000_000, None),
    "bmp_rle": ("a run-length coded BMP file", 8_000_000, 4_000_000),
}

# A JPEG decoder goes over the picture once for each scan, even if that scan says nothing about it: 0.6 ns a sample.
# Pillow writes colour pictures in ten scans, which together go over 8 (4:2:0) to 14 samples for each pixel.
MAX_SCANNED = 3_000_000_000
# With more than one scan all coefficients are held until the last one, in two bytes each: three for a pixel in full
# colour resolution, one and a half in 4:2:0.
MAX_COEFFICIENT_BYTES = 610_000_000
# A strip or tile of a compressed TIFF file is unpacked as a whole, beside the picture.
MAX_STRIP_BYTES = 200_000_000


class ImageError(ValueError):
    """A picture cannot be used; the message is one sentence that a user can act on."""


@dataclass(frozen=True)
class Header:
    """What a file says about the work of its decoder.

    Attributes:
        file_bytes: Length of the file.
        scanned: JPEG: samples that all scans together go over; 0 for one scan.
        coefficient_bytes: JPEG: bytes of the coefficients that are held for several scans; 0 for one scan.
        lossless: JPEG: coded without a transform, so that nothing can be decoded at a fraction of its size.
        significant_bits: PNG: bits that a sample had before it was written; None if the file does not say.
    """

    file_bytes: int = 0
    scanned: int = 0
    coefficient_bytes: int = 0
    lossless: bool = False
    significant_bits: int | None = None


def check_size(width: int, height: int, name: str) -> None:
    """Refuses what is too large for any format, or empty.

    Raises:
        ImageError: If there are more than `MAX_PIXELS` pixels, more than `MAX_SIDE` on a side, or none.
    """
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {width} x {height} = {width * height / 1e6:.0f} megapixels, more than the "
            f"{MAX_PIXELS / 1e6:.0f} that are accepted; make it smaller first."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{name} has {width} x {height} pixels, but only {MAX_SIDE} on a side are accepted; crop it.")
    if width == 0 or height == 0:
        raise ImageError(f"{name} is empty: {width} x {height} pixels; choose another picture.")


def check_decoder(image: Image.Image, header: Header, name: str) -> None:
    """Refuses a file, opened but not decoded, whose decoder would take too much memory or time.

    Args:
        image: As `PIL.Image.open` returned it.
        header: As `fer_demo.vision.headers.read_header` returned it.
        name: What the picture is called in a sentence.

    Raises:
        ImageError: If it is over one of the limits.
    """
    check_size(*image.size, name)
    pixels = image.width * image.height
    kind = _kind(image)
    if kind in FORMAT_LIMITS:
        _check(name, f"{_article(kind)} {kind} file", pixels, header.file_bytes, *FORMAT_LIMITS[kind])
    codec = _codec(image)
    if codec in CODEC_LIMITS:
        words, samples, most = CODEC_LIMITS[codec]
        _check(name, words, pixels * len(image.getbands()), header.file_bytes, samples, most, "values")
    if image.format == "TIFF":
        _check_tiff(image, name)


def _kind(image: Image.Image) -> str:
    if image.format == "TIFF" and "jpeg" in str(image.info.get("compression")):
        return "TIFF with JPEG inside"
    if image.format == "HEIF" and (image.has_transparency_data or image.info.get("chroma") not in (400, 420)):
        return "HEIF in full colour resolution or with transparency"
    return str(image.format)


def _article(word: str) -> str:
    return "an" if word[0] in "aA" else "a"


def _tiles(image: Image.Image) -> list[Any]:
    return list(image.tile) if isinstance(image, ImageFile.ImageFile) else []


def _codec(image: Image.Image) -> str:
    return str(_tiles(image)[0][0]) if _tiles(image) else ""


def _check(
    name: str, kind: str, size: int, file_bytes: int, most: int, most_bytes: int | None, unit: str = "pixels"
) -> None:
    if size > most:
        raise ImageError(
            f"{name} is {kind} with {size / 1e6:.0f} million {unit}, more than the {most / 1e6:.0f} million that are "
            "accepted of its kind; make it smaller, or save it as an ordinary JPEG or PNG."
        )
    if most_bytes is not None and file_bytes > most_bytes:
        raise ImageError(
            f"{name} is {kind} of {file_bytes / 1e6:.0f} MB, more than the {most_bytes / 1e6:.0f} that are accepted of "
            "its kind; make it smaller, or save it as an ordinary JPEG or PNG."
        )


def _check_tiff(image: Any, name: str) -> None:
    tiles = _tiles(image)
    covered = sum((right - left) * (bottom - top) for _, (left, top, right, bottom), *_ in tiles)
    planes = len(image.getbands()) if image.tag_v2.get(284) == 2 else 1  # PlanarConfiguration
    if covered > image.width * image.height * planes:
        raise ImageError(f"{name} is a TIFF file that covers its own area several times; save it anew.")
    if tiles and tiles[0][0] == "libtiff":
        bits = image.tag_v2.get(258, (1,))  # BitsPerSample
        depth = sum(bits) if isinstance(bits, tuple) else bits
        across = image.tag_v2.get(322, image.width)  # TileWidth
        along = image.tag_v2.get(323) or min(image.tag_v2.get(278, image.height), image.height)  # RowsPerStrip
        if across * along * depth // 8 > MAX_STRIP_BYTES:
            raise ImageError(
                f"{name} is a TIFF file in strips or tiles of {across * along * depth / 8e6:.0f} MB, more than the "
                f"{MAX_STRIP_BYTES / 1e6:.0f} that are accepted; save it as an ordinary JPEG or PNG."
            )


# Seconds for a million pixels, for a megabyte of the file and for a million scanned samples; measured on one core.
_COSTS = {
    "JPEG": (0.005, 0.015, 0.0008),
    "WEBP": (0.02, 0.02, 0.0),
    "AVIF": (0.03, 0.05, 0.0),
    "HEIF": (0.04, 0.06, 0.0),
    "JPEG2000": (0.08, 0.23, 0.0),
    "GIF": (0.012, 0.02, 0.0),
    "BMP": (0.012, 0.0, 0.0),
    "PPM": (0.012, 0.0, 0.0),
    "ppm_plain": (1.3, 0.05, 0.0),
    "ppm": (1.7, 0.0, 0.0),
    "bmp_rle": (0.4, 0.25, 0.0),
}
_OTHER_COST = (0.035, 0.01, 0.0)


def seconds(image: Image.Image, header: Header) -> float:
    """Estimates how long a file takes to decode, on one core."""
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    costs = _COSTS.get(_codec(image)) or _COSTS.get(kind, _OTHER_COST)
    amounts = (image.width * image.height, header.file_bytes, header.scanned)
    return 0.005 + sum(cost * amount / 1e6 for cost, amount in zip(costs, amounts, strict=True))
