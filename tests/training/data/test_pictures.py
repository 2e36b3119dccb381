"""Training reads the pixels that predicting sees, from every file that predicting reads."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo.vision.align import whole_picture
from fer_demo.vision.folders import IMAGE_EXTENSIONS
from fer_demo.vision.images import open_image
from training.data import BadRows, load_faces
from training.data.pictures import read_picture

RAMP = np.add.outer(np.arange(48) * 3, np.arange(48) * 2).astype(np.uint8)


def sixteen_bits(path):
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(path)


def on_its_side(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(RAMP)).save(path, exif=exif)


def cut_out(path):
    alpha = np.full((48, 48), 255, np.uint8)
    alpha[:10] = 0
    Image.fromarray(np.dstack([np.where(alpha, RAMP, 0)] * 3 + [alpha])).save(path)


def wide(path):
    Image.fromarray(RAMP[10:38]).save(path)


EXPECTED = {
    sixteen_bits: RAMP,
    on_its_side: RAMP,
    cut_out: np.vstack([np.full((10, 48), 255, np.uint8), RAMP[10:]]),
    wide: np.vstack([RAMP[10:11]] * 10 + [RAMP[10:38]] + [RAMP[37:38]] * 10),
}


@pytest.mark.parametrize("write", EXPECTED, ids=lambda write: write.__name__)
def test_the_same_pixels_as_predicting(tmp_path, write):
    path = tmp_path / "a.png"
    write(path)
    for source in (path, path.read_bytes()):
        read = read_picture(source, "a.png", None)
        assert np.array_equal(read, whole_picture(open_image(path), 48))
        assert np.array_equal(read, EXPECTED[write])


def test_the_collected_cases():
    folder = os.environ.get("FER_CASES_DIR")
    if not folder or not os.path.isdir(folder):
        pytest.skip("pictures that once went wrong are not here: set FER_CASES_DIR to their folder")
    files = sorted(p for p in Path(folder).iterdir() if p.suffix in IMAGE_EXTENSIONS)
    assert files
    for file in files:
        assert np.array_equal(read_picture(file, file.name, 48), whole_picture(open_image(file), 48)), file.name


def test_every_ending_is_read_and_what_is_left_out_is_named(tmp_path):
    for k, name in enumerate(("happy", "sad")):
        (tmp_path / name / "person 1").mkdir(parents=True)
        for ending in ("png", "tiff", "TIF", "gif", "jp2", "pgm"):
            Image.fromarray(RAMP + k).save(tmp_path / name / f"0.{ending}")
        Image.fromarray(RAMP).save(tmp_path / name / "person 1" / "0.tif")
    left_out = [tmp_path / "happy" / name for name in (".DS_Store", "film.mp4", "notes.txt", "raw.psd")]
    for file in left_out:
        file.write_bytes(b"8BPS")
    Image.fromarray(RAMP).save(tmp_path / "stray.png")
    bad = BadRows()
    assert len(load_faces(tmp_path, bad=bad)) == 14
    assert sorted(bad.left_out) == sorted(map(str, [*left_out, tmp_path / "stray.png"]))
    (said,) = bad.report()
    assert said.startswith("left out 5 files that are no pictures") and said.endswith(" and 2 more")


def test_a_folder_beside_the_splits_is_named(tmp_path):
    for part in ("train/happy", "test/happy", "happy"):
        (tmp_path / part).mkdir(parents=True)
        Image.fromarray(RAMP).save(tmp_path / part / "a.png")
    bad = BadRows()
    assert len(load_faces(tmp_path, bad=bad)) == 2
    assert bad.left_out == [str(tmp_path / "happy")]
