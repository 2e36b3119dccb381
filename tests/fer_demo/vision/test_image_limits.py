"""Opening pictures is bounded in time and memory: files that ask for more are refused before they are decoded."""

import io
import json
import math
import os
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from fer_demo.vision import directories, headers, limits
from fer_demo.vision.images import READ_PIXELS, ImageError, open_image, open_reduced, reading_cost


def encoded(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_scans(jpeg: bytes, number: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    last = jpeg[jpeg.rfind(b"\xff\xda") : -2]
    return jpeg[:-2] + last * number + jpeg[-2:]


def after_start(jpeg: bytes, inserted: bytes) -> bytes:
    return jpeg[:2] + inserted + jpeg[2:]


def with_chunks(png: bytes, inserted: bytes) -> bytes:
    """A PNG with chunks after its header."""
    return png[:33] + inserted + png[33:]


def directory(entries: list[tuple[int, int, int, int]], rest: bytes = b"") -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", 0) + rest


def tiff(width: int, height: int, offsets: list[int], rows: int, data: bytes = b"", compression: int = 1) -> bytes:
    """A grey TIFF with strips of `rows` rows at these places."""
    number, after = len(offsets), 8 + 2 + 9 * 12 + 4
    values = [(256, width), (257, height), (258, 8), (259, compression), (262, 1), (273, after), (277, 1), (278, rows)]
    entries = [(tag, 4, number if tag == 273 else 1, value) for tag, value in values]
    entries.append((279, 4, number, after + 4 * number))
    return directory(entries, struct.pack(f"<{number}I", *offsets) + struct.pack(f"<{number}I", *[100] * number) + data)


def bmp_rle(width: int, height: int, data: bytes = b"\0\1") -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(data), 0, 0, 1078) + head + bytes(range(256)) * 4 + data


@pytest.fixture(scope="module")
def small() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def progressive(small) -> bytes:
    return encoded(small, "JPEG", progressive=True)


BOMB = directory([(0x9000 + i, 7, 200_000, 10) for i in range(2000)], bytes(200_000))
"""Tags that all point to the same bytes: 400 MB out of 0.2."""


@pytest.fixture(scope="module")
def attacks(small, progressive) -> dict[str, tuple[bytes, str]]:
    """Files that would take too long or too much, and a word of the sentence about each."""
    jpeg, png, gif = (encoded(small, format) for format in ("JPEG", "PNG", "GIF"))
    gif_start = 13 + (3 << (gif[10] & 7) + 1)
    large = Image.new("L", (6000, 5000))
    jp2 = encoded(small, "JPEG2000")
    cod = jp2.index(b"\xff\x52")
    siz = jp2.index(b"\xff\x51")
    bomb_segments = b"".join(segment(0xE1, b"Exif\0\0" + BOMB[i : i + 65_000]) for i in range(0, len(BOMB), 65_000))
    return {
        "segments": (after_start(jpeg, segment(0xFE, b"") * 20_000), "segments"),
        "scans in segments": (with_scans(progressive, 20_000), "segments"),
        "junk": (jpeg[:20] + bytes(100_000) + jpeg[20:], "mean nothing"),
        "exif.jpg": (after_start(jpeg, bomb_segments), "EXIF"),
        "mpf.jpg": (
            after_start(
                jpeg, segment(0xE2, b"MPF\0" + directory([(i, 7, 20_000, 10) for i in range(3000)], bytes(20_000)))
            ),
            "EXIF",
        ),
        "exif parts.jpg": (after_start(jpeg, segment(0xE1, b"Exif\0\0") * 101), "more than 100 segments of EXIF"),
        "exif after the end.jpg": (after_start(jpeg, b"\xff\xd9" + bomb_segments), "EXIF"),
        "exif inside.jpg": (after_start(jpeg, b"\xff\xf0\xff\xf0" + bomb_segments), "EXIF"),
        "exif.png": (with_chunks(png, chunk(b"eXIf", BOMB)), "EXIF"),
        "exif.webp": (encoded(small, "WEBP", exif=BOMB), "EXIF"),
        "exif.avif": (encoded(small, "AVIF", exif=BOMB), "EXIF"),
        "looks.avif": (encoded(small, "AVIF") + b"II*\0" * 21, "look like EXIF"),
        "tags.tif": (directory([(256, 4, 1, 8), *[(0x9000 + i, 7, 200_000, 10) for i in range(2000)]], BOMB), "tags"),
        "strips.tif": (tiff(4000, 4000, [8] * 300_000, 1), "strips"),
        "repeated.tif": (tiff(40, 40, [8, 16] * 100, 20), "covers"),
        "one strip.tif": (
            tiff(60_000, 1000, [8], 1000, b"", 8).replace(
                struct.pack("<HHII", 258, 4, 1, 8), struct.pack("<HHII", 258, 4, 1, 32)
            ),
            "200 that are accepted",
        ),
        "jpeg.tif": (tiff(8000, 7000, [8], 16, b"", 7), "JPEG inside"),
        "chunks.png": (with_chunks(png, chunk(b"abCd", b"") * 100_001), "chunks"),
        "profiles.png": (with_chunks(png, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(99_999))) * 2), "profile"),
        "comments.gif": (gif[:gif_start] + b"!\xfe" + b"\1a" * 20_000 + b"\0" + gif[gif_start:], "blocks"),
        "junk.gif": (gif[:gif_start] + bytes(100_000) + gif[gif_start:], "mean nothing"),
        "head.ppm": (b"P6" + b" " * 100_000 + b"8 8 255\n" + bytes(192), "head"),
        "comments.ppm": (b"P2 8 8 255\n" + b"#\n" * 1000 + b"1 " * 64, "comments"),
        "plain.ppm": (b"P3 2000 2000 255\n" + b"1 " * 9, "decimal"),
        "values.ppm": (b"P6 2000 2000 254\n" + bytes(9), "largest value"),
        "lengths.bmp": (bmp_rle(4000, 4000), "run-length"),
        "large.webp": (encoded(large, "WEBP", lossless=True, method=0), "WEBP file with 30 million"),
        "large.avif": (encoded(large, "AVIF", speed=10), "AVIF file with 30 million"),
        "large.png": (
            encoded(large, "PNG", save_all=True, append_images=[Image.new("L", large.size, 9)], compress_level=1),
            "animated PNG",
        ),
        "large.jp2": (jp2[: siz + 6] + struct.pack(">II", 6000, 5000) + jp2[siz + 14 :], "6000 x 5000"),
        "tiles.jp2": (
            jp2[: siz + 6] + struct.pack(">IIIIII", 80, 80, 0, 0, 1, 1) + jp2[siz + 30 :],
            "in 6400 tiles",
        ),
        "precincts.jp2": (encoded(small, "JPEG2000", precinct_size=(16, 16), codeblock_size=(4, 4)), "precincts"),
        "layers.jp2": (jp2[: cod + 6] + struct.pack(">H", 9999) + jp2[cod + 8 :], "layers"),
    }


NAMES = [
    "segments",
    "scans in segments",
    "junk",
    "exif.jpg",
    "mpf.jpg",
    "exif parts.jpg",
    "exif after the end.jpg",
    "exif inside.jpg",
    "exif.png",
    "exif.webp",
    "exif.avif",
    "looks.avif",
    "tags.tif",
    "strips.tif",
    "repeated.tif",
    "one strip.tif",
    "jpeg.tif",
    "chunks.png",
    "profiles.png",
    "comments.gif",
    "junk.gif",
    "head.ppm",
    "comments.ppm",
    "plain.ppm",
    "values.ppm",
    "lengths.bmp",
    "large.webp",
    "large.avif",
    "large.png",
    "large.jp2",
    "tiles.jp2",
    "precincts.jp2",
    "layers.jp2",
]


def test_all_of_them_are_tried(attacks):
    assert list(attacks) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_refused_before_it_is_decoded(name, attacks, monkeypatch):
    def load(self):
        raise AssertionError("was decoded")

    data, words = attacks[name]
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    for read in (open_image, open_reduced, reading_cost):
        if name in ("exif.png", "exif.webp") and read is not reading_cost:
            monkeypatch.undo()  # what Pillow does with these data comes after decoding
        if name in ("exif.png", "exif.webp") and read is reading_cost:
            continue
        start = time.process_time()
        with pytest.raises(ImageError, match=words) as error:
            read(data)
        text = str(error.value)
        assert text.endswith(".") and "\n" not in text and "; " in text and len(text) < 300
        assert time.process_time() - start < 1


class TestScans:
    def test_scans_are_counted_by_what_they_go_over(self, small, progressive, monkeypatch):
        samples = 64 * 48  # of the luminance, which the last scan is about
        usual = headers.read_header(io.BytesIO(progressive), "A").scanned
        assert 7 * samples < usual < 14 * samples
        more = headers.read_header(io.BytesIO(with_scans(progressive, 50)), "A").scanned
        assert more - usual == 50 * samples
        monkeypatch.setattr(headers, "MAX_SCANNED", more)
        assert open_image(with_scans(progressive, 50)).shape == (64, 48, 3)
        with pytest.raises(ImageError, match=r"first 61 scans go over .*baseline"):
            open_image(with_scans(progressive, 51))

    def test_many_scans_of_a_large_picture(self):
        data = encoded(Image.new("RGB", (6000, 5000), 99), "JPEG", progressive=True)
        assert open_reduced(data).pixels.shape == (2500, 3000, 3)
        with pytest.raises(ImageError, match="scans go over"):
            open_image(with_scans(data, 100))

    def test_an_ordinary_file_has_one(self, small):
        header = headers.read_header(io.BytesIO(encoded(small, "JPEG")), "A")
        assert header.scanned == header.coefficient_bytes == 0

    def test_a_thumbnail_has_scans_of_its_own(self, small, progressive, monkeypatch):
        inner = with_scans(progressive, 9)
        for jpeg in (encoded(small, "JPEG"), progressive):
            data = after_start(jpeg, segment(0xED, inner))
            assert (
                headers.read_header(io.BytesIO(data), "A").scanned == headers.read_header(io.BytesIO(jpeg), "A").scanned
            )

    def test_what_the_decoder_holds(self, progressive, monkeypatch):
        held = headers.read_header(io.BytesIO(progressive), "A").coefficient_bytes
        assert held == 2 * 64 * 48 * 3 // 2
        monkeypatch.setattr(headers, "MAX_COEFFICIENT_BYTES", held - 1)
        with pytest.raises(ImageError, match="progressive JPEG whose decoder needs"):
            open_image(progressive)

    def test_components_of_the_same_name_are_several(self, small):
        # As long as all are in the first scan, there is no other one; names must not make them fewer.
        jpeg = bytearray(encoded(small, "JPEG", subsampling=0))
        frame, scan = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
        for i in range(3):
            jpeg[frame + 10 + 3 * i] = 1
        jpeg[scan + 4 : scan + 5] = b"\1"
        assert headers.read_header(io.BytesIO(bytes(jpeg)), "A").coefficient_bytes > 0


class TestReduced:
    @pytest.mark.parametrize("orientation", [1, 2, 6])
    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
    def test_a_fraction_of_the_size(self, format, orientation):
        y, x = np.mgrid[:203, :301]
        pixels = np.stack([x * 255 // 301, y * 255 // 203, (x + y) // 2], axis=2).astype(np.uint8)
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(Image.fromarray(pixels), format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
        full = open_image(data)
        opened = open_reduced(data, max_pixels=20_000)
        assert (opened.height, opened.width) == full.shape[:2]
        assert opened.pixels.shape[:2] == tuple(math.ceil(side / 2) for side in full.shape[:2])
        assert opened.pixels.flags.c_contiguous
        expected = np.asarray(Image.fromarray(full).reduce(2)).astype(int)
        if orientation == 1:
            assert np.abs(opened.pixels - expected).max() <= (0 if format != "JPEG" else 6)
        else:  # the odd rows and columns are at the other end
            assert np.abs(opened.pixels - expected).max() <= 6
        assert opened.scale == (opened.width / opened.pixels.shape[1], opened.height / opened.pixels.shape[0])

    def test_pictures_up_to_the_limit_are_left_alone(self, small):
        data = encoded(small, "PNG")
        opened = open_reduced(data, max_pixels=64 * 48)
        np.testing.assert_array_equal(opened.pixels, open_image(data))
        assert opened.scale == (1, 1)
        assert open_reduced(data, max_pixels=64 * 48 - 1).pixels.shape == (32, 24, 3)

    def test_arrays_and_pil_images_are_never_reduced(self, small):
        for source in (small, np.asarray(small)):
            assert open_reduced(source, max_pixels=1).pixels.shape == (64, 48, 3)
            assert reading_cost(source) == 0

    def test_transparent_parts_are_white_before_they_are_mixed(self):
        rgba = np.zeros((40, 40, 4), np.uint8)
        rgba[:, ::2] = 200, 0, 0, 255
        opened = open_reduced(encoded(Image.fromarray(rgba), "PNG"), max_pixels=400)
        assert np.abs(opened.pixels.astype(int) - [228, 128, 128]).max() <= 1

    def test_large_jpeg_files_are_decoded_at_that_fraction(self, monkeypatch):
        loaded = []
        load = ImageFile.ImageFile.load
        monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: (loaded.append(self.size), load(self))[1])
        data = encoded(Image.new("RGB", (1001, 801)), "JPEG")
        for most, size in ((802_000, (1001, 801)), (300_000, (501, 401)), (60_000, (251, 201)), (9_000, (126, 101))):
            opened = open_reduced(data, max_pixels=most)
            assert loaded[0] == size and (opened.width, opened.height) == (1001, 801)
            assert opened.pixels.shape[0] * opened.pixels.shape[1] <= most
            loaded.clear()

    def test_strips_join(self, monkeypatch):
        pixels = np.random.default_rng(0).integers(0, 256, (97, 31, 3), dtype=np.uint8)
        data = encoded(Image.fromarray(pixels), "PNG")
        monkeypatch.setattr("fer_demo.vision.decoding.STRIP_PIXELS", 100)
        np.testing.assert_array_equal(open_image(data), pixels)
        expected = np.asarray(Image.fromarray(pixels).reduce(3))
        np.testing.assert_array_equal(open_reduced(data, max_pixels=400).pixels, expected)

    def test_no_pixels_make_no_sense(self, small):
        with pytest.raises(ValueError, match="max_pixels"):
            open_reduced(encoded(small, "PNG"), max_pixels=0)


class TestCost:
    def test_slow_files_cost_more(self, small, progressive):
        cost = reading_cost(progressive)
        assert 0 < cost < reading_cost(with_scans(progressive, 2000)) < 1
        large = Image.new("RGB", (4000, 4000))
        jpeg, jp2 = encoded(large, "JPEG"), encoded(large, "JPEG2000")
        assert cost < reading_cost(jpeg) < 0.3 < reading_cost(jp2) < 5

    def test_nothing_is_decoded(self, small, monkeypatch, tmp_path):
        monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("was decoded"))
        path = tmp_path / "a.png"
        small.save(path)
        assert reading_cost(path) == reading_cost(path.read_bytes()) == reading_cost(io.BytesIO(path.read_bytes()))
        with pytest.raises(ImageError, match="does not exist"):
            reading_cost(tmp_path / "none.png")


PROGRAM = """
import json, re, sys, time
from fer_demo.vision.images import open_reduced
start = time.process_time()
opened = open_reduced(sys.argv[1])
used = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])  # unlike ru_maxrss, not the parent's
print(json.dumps([opened.width, opened.height, *opened.pixels.shape, used / 1024, time.process_time() - start]))
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(
    ("format", "options", "size", "megabytes"),
    [
        ("JPEG", {}, (10_000, 10_000), 400),
        ("JPEG", {"progressive": True, "subsampling": 0}, (10_000, 10_000), 700),
        ("PNG", {"compress_level": 1}, (8000, 5000), 300),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_memory(format, options, size, megabytes, tmp_path):
    path = tmp_path / "large"  # what it shows makes no difference
    Image.new("RGBA" if format == "PNG" else "RGB", size, (9, 99, 200)).save(path, format, **options)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(path)], capture_output=True, text=True, env=dict(os.environ)
    )
    assert run.returncode == 0, run.stderr
    width, height, rows, columns, _, used, seconds = json.loads(run.stdout)
    assert (width, height) == size and rows * columns <= READ_PIXELS
    assert used < megabytes and seconds < 10


def test_odd_tags_are_one_sentence():
    data = tiff(40, 40, [300], 40, b"", 8).replace(struct.pack("<HH", 278, 4), struct.pack("<HH", 278, 2))
    with pytest.raises(ImageError, match=r"damaged|known format"):
        open_image(data)


def test_the_limits_that_the_documentation_names():
    assert (
        limits.MAX_SCANNED == 3_000_000_000 and limits.READ_PIXELS == 25_000_000 and directories.MAX_VALUES == 250_000
    )
