"""HEIC photos, as iPhones write them."""

import io
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo.vision import limits
from fer_demo.vision.images import ImageError, find_images, open_image, open_reduced, reading_cost

pillow_heif = pytest.importorskip("pillow_heif", reason="what writes HEIC files is in the test extra")


def heic(*pictures: np.ndarray, **options) -> bytes:
    """A file with these pictures, the first of which is the one to show."""
    made = pillow_heif.from_pillow(Image.fromarray(pictures[0]))
    for picture in pictures[1:]:
        made.add_from_pillow(Image.fromarray(picture))
    file = io.BytesIO()
    made.save(file, quality=90, primary_index=0, enc_params={"preset": "ultrafast"}, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """uint8 RGB (96, 128, 3): bright at the upper left, darker to the right and below."""
    y, x = np.mgrid[:96, :128]
    return np.stack([250 - x, 250 - y, 200 - (x + y) // 2], axis=-1).astype(np.uint8)


def is_like(result: np.ndarray, expected: np.ndarray) -> bool:
    return result.shape == expected.shape and np.abs(result.astype(int) - expected).mean() < 4


def test_pixels(photo, tmp_path):
    data = heic(photo)
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(data)
    for source in (data, path, io.BytesIO(data)):
        assert is_like(open_image(source), photo)
    assert reading_cost(data) > 0
    assert find_images([tmp_path]) == [path]


@pytest.mark.parametrize("ending", [".heic", ".heif", ".hif"])
def test_endings(ending, tmp_path):
    (tmp_path / f"a{ending}").touch()
    assert [path.suffix for path in find_images([tmp_path])] == [ending]


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1"])
def test_brands(photo, brand):
    data = heic(photo)
    assert is_like(open_image(data[:8] + brand + data[12:]), photo)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(photo, orientation):
    """The writer turns the tag into boxes, as telephones do, and keeps the tag beside them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    inverse = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: np.rot90,
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    stored = np.ascontiguousarray(inverse(photo))
    opened = open_reduced(heic(stored, exif=exif.tobytes()))
    assert is_like(opened.pixels, photo)
    assert (opened.width, opened.height) == (128, 96)


def test_a_tag_without_a_box_turns_nothing(photo):
    """The standard says that the boxes alone count; so do telephones and browsers."""
    exif = Image.Exif()
    exif[0x0112] = 1
    data, tag = heic(photo, exif=exif.tobytes()), struct.Struct("<HHII")
    stated = tag.pack(0x0112, 3, 1, 1)
    if stated not in data:
        tag = struct.Struct(">HHIHH")
        stated = tag.pack(0x0112, 3, 1, 1, 0)
    assert data.count(stated) == 1
    turned = tag.pack(0x0112, 3, 1, 6, *([0] if tag.format.startswith(">") else []))
    assert is_like(open_image(data.replace(stated, turned)), photo)


def test_the_first_picture_is_read(photo):
    data = heic(photo, 255 - photo[:64])
    assert is_like(open_image(data), photo)


def test_a_large_one_is_reduced(photo):
    opened = open_reduced(heic(photo), max_pixels=4000)
    assert opened.pixels.shape == (48, 64, 3) and opened.scale == (2, 2)


def test_transparent_parts_are_white(photo):
    alpha = np.where(np.arange(128) < 64, 0, 255).astype(np.uint8)
    result = open_image(heic(np.dstack([photo, np.broadcast_to(alpha, (96, 128))])))
    assert (result[:, :56] > 240).all() and is_like(result[:, 72:], photo[:, 72:])


def test_grey_and_ten_bits(photo):
    grey = photo[..., 0]
    assert is_like(open_image(heic(grey)), np.repeat(grey[..., None], 3, -1))
    file = io.BytesIO()
    deep = pillow_heif.from_bytes("RGB;16", (128, 96), (photo.astype("<u2") * 257).tobytes())
    deep.save(file, quality=90)
    assert is_like(open_image(file.getvalue()), photo)


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.6, 0.99])
def test_cut_off(photo, fraction):
    data = heic(photo)
    with pytest.raises(ImageError, match=r"^The picture is .*\.$") as error:
        open_image(data[: int(len(data) * fraction)])
    assert "\n" not in str(error.value)


def sized(data: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its boxes."""
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", width, height) + data[place + 8 :]


class TestLimits:
    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_sizes(self, photo):
        assert limits.FORMAT_LIMITS["HEIF"][0] > 8064 * 6048  # an iPhone's largest
        for options, pixels in (({}, (10_000, 5100)), ({"chroma": 444}, (6000, 4200))):
            with pytest.raises(ImageError, match=r"is a HEIF.* file with \d+ million pixels, more than the"):
                reading_cost(sized(heic(photo, **options), *pixels))
        with pytest.raises(ImageError, match="transparency file with 25 million"):
            reading_cost(sized(heic(np.dstack([photo, photo[..., :1]])), 6000, 4200))

    @pytest.mark.parametrize("size", [(60, 40), (4000, 3000)])
    def test_a_size_that_is_a_lie(self, photo, size):
        with pytest.raises(ImageError, match="damaged"):
            open_image(sized(heic(photo), *size))

    def test_metadata_that_many_pictures_share(self, photo):
        data = heic(photo) + b"irefcdsc" + struct.pack(">HH", 1, 900) + bytes(300_000)
        with pytest.raises(ImageError, match="metadata for 900 pictures"):
            reading_cost(data)

    def test_a_huge_colour_profile(self, photo):
        with pytest.raises(ImageError, match="colour profile"):
            reading_cost(heic(photo) + struct.pack(">I", 2_000_000) + b"colrprof")

    def test_a_bomb_in_the_exif_data(self, photo):
        entries = b"".join(struct.pack("<HHII", 0x9000 + i, 7, 200_000, 10) for i in range(2000))
        exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2000) + entries + bytes(200_000)
        with pytest.raises(ImageError, match="EXIF"):
            reading_cost(heic(photo, exif=exif))


PROGRAM = """
import json, re, sys
from fer_demo.vision.images import open_reduced
opened = open_reduced(sys.argv[1])
used = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
print(json.dumps([opened.width, opened.height, *opened.pixels.shape, used / 1024]))
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_memory_of_48_megapixels(tmp_path):
    path = tmp_path / "large.heic"
    path.write_bytes(heic(np.full((6048, 8064, 3), (9, 99, 200), np.uint8)))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(path)], capture_output=True, text=True, env=dict(os.environ)
    )
    assert run.returncode == 0, run.stderr
    *shape, used = json.loads(run.stdout)
    assert shape == [8064, 6048, 3024, 4032, 3] and used < 600


def test_a_telephones_photo():
    folder = os.environ.get("FER_CASES_DIR")
    if not folder or not Path(folder, "face.heic").is_file():
        pytest.skip("odd pictures are not here: set FER_CASES_DIR to their folder, with face.heic")
    from fer_demo import Predictor

    (face,) = Predictor().predict(Path(folder, "face.heic"))
    assert face.label == "happy" and re.search("happy", face.full_sentence, re.IGNORECASE)
