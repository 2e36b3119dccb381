"""Look through a picture file for what would keep its decoder, or Pillow's reader of headers, busy for long.

Pillow reads headers in Python, block by block, and copies whatever a directory of tags points to; so files are looked
through before it sees them. Only what costs is looked for: whether a file is whole and lawful is left to the decoders.
"""

import io
import itertools
import re
import struct
from typing import BinaryIO

from fer_demo.vision.directories import TIFF_STARTS, check_directory, check_exif, wasteful
from fer_demo.vision.heif import check_heif
from fer_demo.vision.jpeg2000 import check_jpeg2000
from fer_demo.vision.limits import (
    FORMAT_LIMITS,
    MAX_ANIMATED_PIXELS,
    MAX_COEFFICIENT_BYTES,
    MAX_SCANNED,
    Header,
    ImageError,
)

__all__ = ["read_header"]

MAX_JPEG_BYTES = 256_000_000
"""Bytes of a JPEG file, which is looked through in memory."""
MAX_SEGMENTS = 10_000
"""Segments of a JPEG file; scans take two each, a colour profile and EXIF data a few hundred at most."""
MAX_EXIF = 100
"""Segments of EXIF data of a JPEG file; nearly all files have one."""
MAX_LOOKS = 20
"""Places of an AVIF or HEIF file that look like EXIF data; by chance there is one in 30 files of 20 MB."""
MAX_JUNK = 65_536
"""Bytes of a JPEG file before its first scan, or of the head of a PPM file, that say nothing."""
MAX_CHUNKS = 100_000
"""Chunks of a PNG file; at libpng's 8 KB each, 800 MB."""
MAX_BLOCKS = 10_000
"""Blocks of up to 255 bytes before the first frame of a GIF file: comments and other extensions."""
MAX_COMMENTS = 100
"""Number signs, which begin comments, in a PPM file of decimal numbers."""


_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither stuffing nor padding nor a restart, which have no length
_EXIF_STARTS = (re.compile(rb"II[\0*+]{2}"), re.compile(rb"MM[\0*+]{2}"))
_BARE = {0xC8, 0xD8, 0xD9, *range(0xF0, 0xFE)}  # Pillow looks for markers right behind these
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE, _LOSSLESS, _ARITHMETIC = {0xC2, 0xC6, 0xCA, 0xCE}, {0xC3, 0xC7, 0xCB, 0xCF}, set(range(0xC9, 0xD0))
# An arithmetic decoder takes several steps for each coefficient.
_ARITHMETIC_COST = 4


def read_header(file: BinaryIO, name: str) -> Header:
    """Looks through a file without decoding it.

    Args:
        file: A file that can go back; it is left at its start.
        name: What the picture is called in a sentence.

    Returns:
        What the file says about the work of its decoder; formats that are not looked at have their length alone.

    Raises:
        ImageError: If reading it would take far longer, or far more memory, than a picture of its size needs.
    """
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = file.read(16)
    header = Header(length)
    if start.startswith(b"\xff\xd8\xff"):
        header = _jpeg(file, length, name)
    elif start.startswith(b"\x89PNG\r\n\x1a\n"):
        header = Header(length, significant_bits=_png(file, name))
    elif start.startswith(b"GIF8"):
        _gif(file, name)
    elif start.startswith(TIFF_STARTS):
        check_directory(file, length, name, "tags")
    elif start[4:8] == b"ftyp":
        _boxes(file, length, name)
    elif start[:1] == b"P":
        _ppm(file, start[:2], name)
    elif start.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
        check_jpeg2000(file, name)
    file.seek(0)
    return header


def _jpeg(file: BinaryIO, length: int, name: str) -> Header:
    if length > MAX_JPEG_BYTES:
        raise wasteful(name, f"{length / 1e6:.0f} MB, more than the {MAX_JPEG_BYTES / 1e6:.0f} of any JPEG file")
    file.seek(0)
    data = file.read()
    position, junk, scans, scanned, held, frame = 2, 0, 0, 0, 0, 0
    samples: list[tuple[int, int]] = []  # a component's name and how many it has
    exif: list[bytes] = []
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or (scans and data[found.end() - 1] == 0xD9):
            break
        junk += 0 if scans else found.start() - position
        if junk > MAX_JUNK:
            raise wasteful(name, f"more than {MAX_JUNK} bytes that mean nothing before its first scan")
        marker, position = data[found.end() - 1], found.end()
        if marker < 0xC0 or marker in _BARE:
            continue
        body = data[position + 2 : position + int.from_bytes(data[position : position + 2])]
        position += len(body) + 2
        if marker in _FRAMES and len(body) >= 6:
            frame, samples = marker, _samples(body)
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif.append(body[6:])
            if len(exif) > MAX_EXIF:  # Pillow copies all of them for each one more
                raise wasteful(name, f"more than {MAX_EXIF} segments of EXIF data")
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            check_exif(body[4:], name)
        elif marker == 0xDA and body:
            parts = [
                max((n for part, n in samples if part == named), default=0) for named in body[1 : 1 + 2 * body[0] : 2]
            ]
            if not scans:
                check_exif(b"".join(exif), name)
                if len(parts) < len(samples) or frame in _PROGRESSIVE:
                    held = 2 * sum(number for _, number in samples)
            scans += 1
            scanned += sum(parts) * (_ARITHMETIC_COST if frame in _ARITHMETIC else 1)
            _check_scans(scans, scanned, held, name)
            if not held:
                break  # the decoder reads no further either
    else:
        raise wasteful(name, f"more than {MAX_SEGMENTS} segments")
    return Header(length, scanned if held else 0, held, frame in _LOSSLESS)


def _samples(body: bytes) -> list[tuple[int, int]]:
    """Name of each component of a frame, and its samples with those that fill up blocks."""
    height, width, number = struct.unpack(">HHB", body[1:6])
    parts = [(body[i], max(1, body[i + 1] >> 4), max(1, body[i + 1] & 15)) for i in range(6, len(body) - 2, 3)][:number]
    across, along = max((h for _, h, _ in parts), default=1), max((v for *_, v in parts), default=1)
    units = -(-width // (8 * across)) * -(-height // (8 * along))
    return [(part, units * h * v * 64) for part, h, v in parts]


def _check_scans(scans: int, scanned: int, held: int, name: str) -> None:
    if held > MAX_COEFFICIENT_BYTES:
        raise ImageError(
            f"{name} is a progressive JPEG whose decoder needs {held / 1e6:.0f} MB, more than the "
            f"{MAX_COEFFICIENT_BYTES / 1e6:.0f} that are accepted; save it as an ordinary (baseline) JPEG or make it "
            "smaller."
        )
    if scanned > MAX_SCANNED:
        raise ImageError(
            f"{name} is a JPEG whose first {scans} scans go over {scanned / 1e6:.0f} million samples, more than the "
            f"{MAX_SCANNED / 1e6:.0f} million that are accepted; save it as an ordinary (baseline) JPEG."
        )


def _png(file: BinaryIO, name: str) -> int | None:
    """The significant bits, if the file says so."""
    position, profiles, pixels, bits = 8, 0, 0, None
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return bits
        position += 12 + int.from_bytes(head[:4])
        if head[4:] == b"IHDR":
            width, height = struct.unpack(">II", file.read(8).ljust(8, b"\0"))
            pixels = width * height
        if head[4:] == b"acTL" and pixels > MAX_ANIMATED_PIXELS:  # Pillow makes copies as soon as it opens the file
            raise ImageError(
                f"{name} is an animated PNG file with {pixels / 1e6:.0f} million pixels, more than the "
                f"{MAX_ANIMATED_PIXELS / 1e6:.0f} million that are accepted of its kind; save one frame as JPEG or PNG."
            )
        if head[4:] == b"sBIT":
            bits = next(iter(file.read(1)), None)  # of the first channel
        profiles += head[4:] == b"iCCP"
        if profiles > 1:  # Pillow would unpack each of them
            raise wasteful(name, "more than one colour profile")
    raise wasteful(name, f"more than {MAX_CHUNKS} chunks")


def _gif(file: BinaryIO, name: str) -> None:
    file.seek(0)
    screen = file.read(13).ljust(13, b"\0")
    file.seek(3 << (screen[10] & 7) + 1 if screen[10] & 0x80 else 0, io.SEEK_CUR)
    blocks = junk = 0
    while (kind := file.read(1)) and kind not in b",;":
        if kind == b"!":
            file.read(1)
            while (count := file.read(1)) and count != b"\0":
                file.seek(count[0], io.SEEK_CUR)
                blocks += 1
                if blocks > MAX_BLOCKS:
                    raise wasteful(name, f"more than {MAX_BLOCKS} blocks before its first frame")
        junk += 1
        if junk > MAX_JUNK:
            raise wasteful(name, f"more than {MAX_JUNK} bytes that mean nothing before its first frame")


def _boxes(file: BinaryIO, length: int, name: str) -> None:
    """AVIF and HEIF, which are kept in the same boxes and have the same limit of bytes."""
    # Where the EXIF data are is written in boxes inside boxes; so they are looked for by their start.
    if length > FORMAT_LIMITS["AVIF"][1]:
        return  # which is refused for its length
    file.seek(0)
    data = file.read()
    check_heif(data, name)
    starts = itertools.chain.from_iterable(pattern.finditer(data) for pattern in _EXIF_STARTS)
    for looks, found in enumerate(starts, 1):
        if looks > MAX_LOOKS:
            raise wasteful(name, f"more than {MAX_LOOKS} places that look like EXIF data")
        check_exif(data[found.start() :], name)


def _ppm(file: BinaryIO, kind: bytes, name: str) -> None:
    file.seek(0)
    # Pillow reads the head character by character: three numbers, which this many bytes must reach.
    words = re.sub(rb"#[^\r\n]*", b"", file.read(MAX_JUNK)).split(maxsplit=4)
    if len(words) < 3:
        raise wasteful(name, f"a head of more than {MAX_JUNK} bytes")
    if kind in (b"P1", b"P2", b"P3"):
        file.seek(0)
        if sum(block.count(b"#") for block in iter(lambda: file.read(1 << 20), b"")) > MAX_COMMENTS:
            raise wasteful(name, f"more than {MAX_COMMENTS} comments")
