"""Photos on their heads and on their sides."""

import json

import numpy as np
import pytest

from fer_demo import Predictor
from fer_demo.__main__ import main
from fer_demo.results import FaceResults
from fer_demo.vision.align import TEMPLATE
from fer_demo.vision.detector import FaceDetector
from fer_demo.vision.turns import QUARTERS, turn_of, turn_sentence, turned_back

WORDS = {0: None, 90: "turned left", 180: "upside down", 270: "turned right"}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor()


@pytest.fixture(scope="module")
def hopper() -> np.ndarray:
    from fer_demo.vision.samples import SAMPLES

    return SAMPLES[1].load()


@pytest.mark.parametrize("quarters", QUARTERS)
def test_places_come_back(quarters):
    picture = np.arange(6 * 4).reshape(6, 4)
    turned, back = np.rot90(picture, -quarters), turned_back(quarters, 4, 6)
    for y in range(turned.shape[0]):
        for x in range(turned.shape[1]):
            column, row = np.rint(back[:, :2] @ (x, y) + back[:, 2]).astype(int)
            assert picture[row, column] == turned[y, x]


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("photo", ["astronaut", "hopper"])
def test_faces_and_answers_are_the_upright_ones(predictor, request, photo, turn):
    upright = request.getfixturevalue(photo)
    (expected,) = predictor.predict(upright)
    stored = np.ascontiguousarray(np.rot90(upright, turn // 90))  # `turn` degrees clockwise put it upright again
    faces = predictor.predict(stored)
    (face,) = faces
    assert face.label == expected.label and abs(face.confidence - expected.confidence) < 0.15
    assert np.corrcoef(face.crop.ravel(), expected.crop.ravel())[0, 1] > 0.95  # the crop is upright
    assert faces.turn == turn and faces.notes == (f"the photo seems to be {WORDS[turn]}",)
    back = turned_back(4 - turn // 90, *upright.shape[1::-1])  # from places in what was given to upright ones
    places = face.landmarks @ back[:, :2].T + back[:, 2]
    assert np.abs(places - expected.landmarks).max() < 0.2 * expected.box[2]
    again = FaceResults.from_dict(json.loads(faces.to_json()))
    assert again.turn == turn and again.notes == faces.notes


def test_upright_photos_cost_no_more(predictor, astronaut, monkeypatch):
    def find(self, picture):
        raise AssertionError("looked at the quarter turns")

    monkeypatch.setattr(FaceDetector, "_find_in_quarters", find)
    faces = predictor.predict(astronaut)
    assert faces.turn == 0 and faces.notes == ()
    with pytest.raises(AssertionError, match="quarter turns"):
        predictor.predict(astronaut[::-1].copy())
    assert predictor.predict(astronaut[::-1].copy(), turned=False) is not None  # for video


def test_nothing_in_noise(predictor):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    faces = predictor.predict(noise)
    assert faces == [] and faces.turn == 0 and faces.notes == ()


def rolled(degrees: float) -> np.ndarray:
    a = np.radians(degrees)
    return TEMPLATE @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])


@pytest.mark.parametrize(
    ("rolls", "turn"),
    [
        ([], 0),
        ([0], 0),
        ([50], 0),
        ([80], 270),
        ([-95], 90),
        ([175], 180),
        ([-170], 180),
        ([90, 5], 0),
        ([85, 100], 270),
    ],
)
def test_turn(rolls, turn):
    assert turn_of([None, *map(rolled, rolls)]) == turn
    assert (turn_sentence(turn) or "the photo seems to be None").endswith(str(WORDS[turn]))


def test_the_command_line_says_so(hopper, tmp_path, capsys):
    from PIL import Image

    path = tmp_path / "a.png"
    Image.fromarray(hopper[::-1, ::-1]).save(path)
    assert main(["predict", str(path)]) == 0
    assert capsys.readouterr().out.endswith("a.png: note: the photo seems to be upside down\n")
