"""The answer for one face."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fer_demo.emotions import LABELS
from fer_demo.prediction import FacePrediction
from fer_demo.results import result_csv
from fer_demo.vision.quality import CropQuality

PROBABILITIES = dict(zip(LABELS, (0.05, 0.01, 0.04, 0.61234567, 0.08, 0.12, 0.08765433), strict=True))


def prediction(box, **kwargs) -> FacePrediction:
    given = {"landmarks": None, "score": None, "probabilities": PROBABILITIES, "crop": np.zeros((48, 48), np.uint8)}
    return FacePrediction(box=box, **given | kwargs)


def test_a_face():
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2) + 0.26
    face = prediction((10.04, 20.0, 30.06, 40.0), landmarks=landmarks, score=0.912345)
    assert (face.label, face.confidence, face.sentence) == ("happy", 0.61234567, "looks happy (61\N{NO-BREAK SPACE}%)")
    data = face.to_dict()
    assert json.loads(json.dumps(data)) == data
    keys = ["box", "landmarks", "score", "label", "confidence", "unsure"]
    assert list(data) == [*keys, "candidates", "readable", "flags", "quality", "probabilities"]
    assert data["box"] == {"x": 10.0, "y": 20.0, "width": 30.1, "height": 40.0}
    assert data["landmarks"][0] == [0.3, 1.3] and data["landmarks"][4] == [8.3, 9.3]
    assert (data["score"], data["label"], data["confidence"]) == (0.9123, "happy", 0.6123)
    assert data["probabilities"] == {**PROBABILITIES, "happy": 0.6123, "neutral": 0.0877}
    bare = prediction((0, 0, 1, 1)).to_dict()
    assert bare["landmarks"] is None and bare["score"] is None


def test_an_unsure_answer():
    face = prediction((0, 0, 1, 1), probabilities={**dict.fromkeys(LABELS, 0.02), "sad": 0.45, "fear": 0.45})
    assert face.label == "fear"  # the first of equals, in the order of the classes
    assert face.sentence.startswith("unsure: afraid") and face.candidates == ("fear", "sad")
    assert face.unsure and face.to_dict()["unsure"] and not prediction((0, 0, 1, 1)).unsure
    assert ",fear,0.4500,yes,fear sad,yes,," in result_csv(None, [face])


BLURRED = CropQuality(1.0, None, 20.0, 0.2, 0.03, 110.0, 40.0, None, None)


def test_an_answer_of_several_classes():
    face = prediction((0, 0, 1, 1), candidates=("happy", "surprise", "neutral"))
    assert not face.unsure and face.label == "happy" and face.readable and face.flags == ()  # clear, at 61 %
    assert face.sentence == face.full_sentence == "looks happy (61\N{NO-BREAK SPACE}%), maybe surprised or neutral"
    close = dict.fromkeys(LABELS, 0.02) | {"sad": 0.4, "neutral": 0.3, "angry": 0.22}
    unclear = replace(face, probabilities=close, candidates=("sad", "neutral", "angry"))
    assert unclear.unsure and unclear.sentence == "can't tell: could be sad, neutral or angry"


def test_a_crop_that_cannot_be_read():
    face = prediction((0, 0, 1, 1), quality=BLURRED)
    assert face.candidates == ("happy",) and face.unsure and not face.readable
    assert face.sentence == "can't tell: blurred" and face.full_sentence == "can't tell: blurred; too small"
    data = face.to_dict()
    assert (data["readable"], data["flags"], data["unsure"]) == (False, ["blurred", "too_small"], True)
    assert data["quality"]["sharpness"] == 0.2
    assert ",happy,0.6123,yes,happy,no,blurred too_small," in result_csv(None, [face])


def test_what_is_wrong_with_a_readable_crop_is_said_after_the_answer():
    face = prediction((0, 0, 1, 1), quality=replace(BLURRED, sharpness=0.5, yaw=-50.0))
    assert face.readable and not face.unsure
    assert face.full_sentence == f"{face.sentence}; too small, blurred, turned away"
    assert face.sentence.startswith("looks happy")


def test_dictionaries_of_an_older_version_can_be_read():
    data = prediction((0, 0, 1, 1)).to_dict()
    old = {k: v for k, v in data.items() if k not in ("candidates", "readable", "flags", "quality")}
    face = FacePrediction.from_dict(old)
    assert face.quality is None and face.readable and face.candidates == ("happy",)


def test_the_box_by_its_edges():
    assert prediction((10, 20.5, 30, 40)).xyxy == (10.0, 20.5, 40.0, 60.5)
    assert all(type(v) is float for v in prediction(np.array([1, 2, 3, 4])).xyxy)


def test_there_and_back():
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2) + 0.26
    for face in (
        prediction((10.04, 20, 30.06, 40), landmarks=landmarks, score=0.912345),
        prediction((0, 0, 1, 1)),
        prediction((0, 0, 1, 1), quality=BLURRED, candidates=("happy", "neutral", "surprise")),
    ):
        again = FacePrediction.from_dict(json.loads(json.dumps(face.to_dict())))
        assert again.to_dict() == face.to_dict() and again.crop is None
        assert (again.candidates, again.quality) == (face.candidates, face.quality)
        assert tuple(again.probabilities) == LABELS and again.sentence == face.sentence
    assert (
        FacePrediction.from_dict(prediction((0, 0, 1, 1), landmarks=landmarks).to_dict()).landmarks.dtype == np.float32
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"box": {"x": 1, "y": 2, "width": 3}},
        {"box": [1, 2, 3, 4]},
        {"landmarks": [[1, 2]]},
        {"score": "high"},
        {"candidates": ["cheerful"]},
        {"candidates": 3},
        {"quality": {"light": 3}},
        {"quality": "good"},
        {"probabilities": {"happy": 1.0}},
        {"probabilities": [1.0]},
    ],
)
def test_what_is_no_face(wrong):
    with pytest.raises(ValueError, match="cannot be read from this dictionary") as error:
        FacePrediction.from_dict(prediction((0, 0, 1, 1)).to_dict() | wrong)
    assert str(error.value).endswith(".") and len(str(error.value)) < 250
    with pytest.raises(ValueError, match="no 'box'"):
        FacePrediction.from_dict({})
