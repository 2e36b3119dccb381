"""Files of 16 bits a sample whose values need fewer."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_demo import Predictor
from fer_demo.vision.depth import depth
from fer_demo.vision.images import open_image, open_reduced


@pytest.fixture(scope="module")
def grey(astronaut) -> np.ndarray:
    picture = cv2.cvtColor(astronaut[:300, 60:360], cv2.COLOR_RGB2GRAY)
    picture[0, 0] = 255  # fills its range
    return picture


def deep(picture: np.ndarray, bits: int) -> np.ndarray:
    """uint16 with values from 0 to those that so many bits can hold."""
    return np.rint(picture / 255 * ((1 << bits) - 1)).astype(np.uint16)


def written(picture: np.ndarray, ending: str) -> bytes:
    order = picture if picture.ndim == 2 else picture[..., [2, 1, 0, 3][: picture.shape[2]]]
    ok, data = cv2.imencode(ending, np.ascontiguousarray(order))
    assert ok
    return data.tobytes()


def with_sbit(png: bytes, bits: int) -> bytes:
    body = b"sBIT" + bytes([bits])
    return png[:33] + struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body)) + png[33:]


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("colour", [False, True])
def test_they_are_stretched(astronaut, grey, bits, ending, colour):
    picture = astronaut if colour else grey
    opened = open_reduced(written(deep(picture, bits), ending))
    expected = picture if colour else np.repeat(picture[..., None], 3, -1)
    assert np.abs(opened.pixels.astype(int) - expected).max() <= 1
    assert opened.notes == (f"{bits}-bit values in a 16-bit file were brightened",)


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("colour", [False, True])
def test_full_ones_are_left_alone(astronaut, grey, ending, colour):
    picture = astronaut if colour else grey
    for dark in (1.0, 0.2, 0.1):  # of which 0.2 would nearly fit 14 bits
        samples = (deep(picture, 16) * dark).astype(np.uint16)
        opened = open_reduced(written(samples, ending))
        expected = np.rint(np.atleast_3d(picture) * dark)
        assert np.abs(opened.pixels - expected).max() <= 1
        assert opened.notes == ()


def test_transparency_is_not_stretched(astronaut):
    alpha = np.full(astronaut.shape[:2], 65535, np.uint16)
    alpha[:, :100] = 0
    opened = open_reduced(written(np.dstack([deep(astronaut, 12), alpha]), ".png"))
    assert (opened.pixels[:, :100] == 255).all()
    assert np.abs(opened.pixels[:, 100:].astype(int) - astronaut[:, 100:]).max() <= 1


def test_black_stays_black():
    opened = open_reduced(written(np.zeros((8, 8), np.uint16), ".png"))
    assert not opened.pixels.any() and opened.notes == ()


def test_what_a_png_states(grey):
    dark = deep(grey, 12)
    assert open_reduced(with_sbit(written(dark, ".png"), 16)).notes == ()
    assert open_reduced(with_sbit(written(dark // 2, ".png"), 12)).notes  # half as bright, not 11 bits
    assert np.abs(open_image(with_sbit(written(dark // 2, ".png"), 12))[..., 0].astype(int) - grey // 2).max() <= 1
    assert open_reduced(with_sbit(written(deep(grey, 16), ".png"), 12)).notes == ()  # as the standard has it


@pytest.mark.parametrize(("largest", "bits"), [(4095, 12), (16_383, 14), (65_535, 16)])
def test_what_a_tiff_states(grey, largest, bits):
    file = io.BytesIO()
    samples = (deep(grey, 10) * 3).astype(np.uint16)
    Image.fromarray(samples).save(file, "TIFF", tiffinfo={281: largest})
    opened = open_reduced(file.getvalue())
    expected = np.rint(samples / ((1 << bits) - 1) * 255)
    assert np.abs(opened.pixels[..., 0] - expected).max() <= 1
    assert bool(opened.notes) == (bits < 16)


@pytest.mark.parametrize(
    ("largest", "stated", "bits"),
    [
        *[(0, None, 16), (1, None, 8), (255, None, 8), (256, None, 10), (4095, None, 12), (4096, None, 16)],
        *[(15_999, None, 16), (16_383, None, 14), (16_384, None, 16), (9000, 14, 14), (9000, 12, 16), (9, 16, 16)],
    ],
)
def test_depth(largest, stated, bits):
    assert depth(largest, stated) == bits


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_answer_is_the_same(grey, bits):
    faces = Predictor().predict(written(deep(grey, bits), ".png"))
    assert [face.label for face in faces] == ["happy"]
    assert faces.notes == (() if bits == 16 else (f"{bits}-bit values in a 16-bit file were brightened",))
    assert faces.to_dict()["notes"] == list(faces.notes)
