"""An answer as JSON and as CSV."""

import json

import numpy as np

from fer_demo.emotions import LABELS
from fer_demo.predictor import FacePrediction
from fer_demo.results import result_csv, result_dict, result_json

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
    assert list(data) == ["box", "landmarks", "score", "label", "confidence", "unsure", "probabilities"]
    assert data["box"] == {"x": 10.0, "y": 20.0, "width": 30.1, "height": 40.0}
    assert data["landmarks"][0] == [0.3, 1.3] and data["landmarks"][4] == [8.3, 9.3]
    assert (data["score"], data["label"], data["confidence"]) == (0.9123, "happy", 0.6123)
    assert data["probabilities"] == {**PROBABILITIES, "happy": 0.6123, "neutral": 0.0877}
    bare = prediction((0, 0, 1, 1)).to_dict()
    assert bare["landmarks"] is None and bare["score"] is None


def test_an_unsure_answer():
    face = prediction((0, 0, 1, 1), probabilities={**dict.fromkeys(LABELS, 0.02), "sad": 0.45, "fear": 0.45})
    assert face.label == "fear"  # the first of equals, in the order of the classes
    assert face.sentence.startswith("unsure: fear")
    assert face.unsure and face.to_dict()["unsure"] and not prediction((0, 0, 1, 1)).unsure
    assert ",fear,0.4500,yes," in result_csv(None, [face])


def test_json():
    image = np.zeros((30, 40, 3), np.uint8)
    faces = [prediction((1, 2, 3, 4))]
    data = result_dict("ä, b.jpg", image, faces)
    assert data == {"file": "ä, b.jpg", "width": 40, "height": 30, "faces": [faces[0].to_dict()]}
    text = result_json("ä, b.jpg", image, faces)
    assert json.loads(text) == data and text.endswith("}\n") and "ä" in text
    assert result_dict(None, image, [])["file"] is None


def test_csv():
    faces = [prediction((10, 20, 30, 40)), prediction((1.26, 2, 3, 4), score=0.912345)]
    header, first, second = result_csv("ä, b.jpg", faces).splitlines()
    assert header == "file,face,x,y,width,height,score,label,confidence,unsure," + ",".join(LABELS)
    numbers = "happy,0.6123,no,0.0500,0.0100,0.0400,0.6123,0.0800,0.1200,0.0877"
    assert first == f'"ä, b.jpg",1,10.0,20.0,30.0,40.0,,{numbers}'
    assert second == f'"ä, b.jpg",2,1.3,2.0,3.0,4.0,0.9123,{numbers}'
    assert result_csv(None, []) == header + "\n"
    assert result_csv(None, [prediction((0, 0, 1, 1))]).splitlines()[1].startswith(",1,0.0,")
