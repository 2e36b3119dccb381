"""HEIC and HEIF, the photos of iPhones: read by libheif, which `pi_heif` brings as a plugin of Pillow."""

import re

import pi_heif

from fer_demo.vision.directories import wasteful

__all__ = ["check_heif", "register"]

MAX_COPIED = 256_000_000
"""Bytes of metadata that pictures of one file may share: the plugin copies them for each picture."""
MAX_PROFILE = 1_000_000
"""Bytes of a colour profile, of which the plugin makes a copy for each picture too; screens' have a few thousand."""

_REFERENCES = re.compile(rb"iref(.)\0{3}", re.DOTALL)
_DESCRIBED = re.compile(rb"cdsc")
_PROFILE = re.compile(rb"(.{4})colr(?:prof|rICC)", re.DOTALL)


def register() -> None:
    """Makes Pillow open HEIF files; of what stands in them beside the first picture nothing is decoded.

    libheif turns and mirrors the picture as its boxes say, and the plugin takes the orientation out of the EXIF data,
    so that nothing is turned twice.
    """
    # One thread: decoding runs in several processes already, and more saved nothing on photos.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


def check_heif(data: bytes, name: str) -> None:
    """Refuses a file whose metadata would be copied again and again; what libheif bounds itself is left to it.

    Args:
        data: The file.
        name: What the picture is called in a sentence.

    Raises:
        ImageError: If pictures share more metadata, or a larger colour profile, than any photo has.
    """
    version = _REFERENCES.search(data)
    wide = 4 if version and version[1] != b"\0" else 2  # bytes of an item's number
    described = sum(int.from_bytes(data[m.end() + wide : m.end() + wide + 2]) for m in _DESCRIBED.finditer(data))
    if described * len(data) > MAX_COPIED and described > 8:
        raise wasteful(name, f"metadata for {described} pictures")
    if any(int.from_bytes(m[1]) > MAX_PROFILE for m in _PROFILE.finditer(data)):
        raise wasteful(name, f"a colour profile of more than {MAX_PROFILE / 1e6:.0f} MB")
