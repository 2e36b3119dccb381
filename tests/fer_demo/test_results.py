"""An answer as a list, as JSON, as CSV and as a data frame."""

import copy
import csv
import io
import json
import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from fer_demo.annotate import draw_faces
from fer_demo.emotions import LABELS
from fer_demo.prediction import FacePrediction
from fer_demo.results import CSV_COLUMNS, FaceResults, plain_cell, result_csv, result_dict, result_json

PROBABILITIES = dict(zip(LABELS, (0.05, 0.01, 0.04, 0.61234567, 0.08, 0.12, 0.08765433), strict=True))


def prediction(box, **kwargs) -> FacePrediction:
    given = {"landmarks": None, "score": None, "probabilities": PROBABILITIES, "crop": np.zeros((48, 48), np.uint8)}
    return FacePrediction(box=box, **given | kwargs)


def results(*faces, file="photo.jpg") -> FaceResults:
    return FaceResults(faces, file=file, width=40, height=30)


def rows_of(text: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text)))


def test_json():
    image = np.zeros((30, 40, 3), np.uint8)
    faces = [prediction((1, 2, 3, 4))]
    data = result_dict("ä, b.jpg", image, faces)
    assert data == {"file": "ä, b.jpg", "width": 40, "height": 30, "notes": [], "faces": [faces[0].to_dict()]}
    text = result_json("ä, b.jpg", image, faces)
    assert json.loads(text) == data and text.endswith("}\n") and "ä" in text
    assert result_dict(None, image, [])["file"] is None


def test_csv():
    faces = [prediction((10, 20, 30, 40)), prediction((1.26, 2, 3, 4), score=0.912345)]
    header, first, second = result_csv("ä, b.jpg", faces).splitlines()
    assert (
        header
        == "file,face,x,y,width,height,score,label,confidence,unsure,candidates,readable,flags,"
        + ",".join(LABELS)
        + ",status"
    )
    numbers = "happy,0.6123,no,happy,yes,,0.0500,0.0100,0.0400,0.6123,0.0800,0.1200,0.0877,face"
    assert first == f'"ä, b.jpg",1,10.0,20.0,30.0,40.0,,{numbers}'
    assert second == f'"ä, b.jpg",2,1.3,2.0,3.0,4.0,0.9123,{numbers}'
    assert result_csv(None, [prediction((0, 0, 1, 1))]).splitlines()[1].startswith(",1,0.0,")


def test_a_picture_without_faces_has_a_row():
    (row,) = rows_of(result_csv("wall.jpg", []))
    assert (row["file"], row["face"], row["status"]) == ("wall.jpg", "0", "no face")
    assert not any(value for name, value in row.items() if name not in ("file", "face", "status"))


@pytest.mark.parametrize("name", ["=1+1.png", "+1.png", "-1.png", "@a.png", "'=a.png"])
def test_no_file_name_is_a_formula(name):
    assert plain_cell(name) == "'" + name  # so that one apostrophe less is the name again, whatever it is
    for faces in ([], [prediction((-5, -1, 3, 4))]):
        (row,) = rows_of(results(*faces, file=name).to_csv())
        assert row["file"] == "'" + name
        assert row["x"] in ("", "-5.0")  # a number is one
    assert plain_cell("a=b.png") == "a=b.png"


def test_a_row_is_a_line():
    assert len(results(prediction((0, 0, 1, 1)), file="a\r\n=b\t.png").to_csv().splitlines()) == 2
    assert plain_cell("\t=a\r\n.png") == r"\t=a\r\n.png"


class TestFaceResults:
    def test_a_list(self):
        one, other = prediction((0, 0, 1, 1)), prediction((5, 5, 2, 2))
        faces = results(one, other)
        assert faces == [one, other] and isinstance(faces, list) and results() == [] and not results()
        assert faces[0] is one and faces[-1] is other
        assert isinstance(faces[:1], FaceResults) and faces[:1] == [one] and faces[:1].file == "photo.jpg"
        assert "FacePrediction(box=(0, 0, 1, 1)" in repr(faces) and "width=40, height=30" in repr(faces)

    def test_copies(self):
        faces = results(prediction((0, 0, 1, 1)))
        for again in (copy.copy(faces), copy.deepcopy(faces), pickle.loads(pickle.dumps(faces))):
            assert isinstance(again, FaceResults) and again.to_dict() == faces.to_dict()
            np.testing.assert_array_equal(again[0].crop, faces[0].crop)

    def test_the_same_as_the_functions(self):
        faces, image = results(prediction((1, 2, 3, 4))), np.zeros((30, 40, 3), np.uint8)
        assert faces.to_dict() == result_dict("photo.jpg", image, list(faces))
        assert faces.to_json() == result_json("photo.jpg", image, list(faces))
        assert faces.to_csv() == result_csv("photo.jpg", list(faces))

    def test_there_and_back(self):
        faces = results(prediction((1, 2, 3, 4), score=0.5), prediction((5, 6, 7, 8)))
        again = FaceResults.from_dict(json.loads(faces.to_json()))
        assert again.to_dict() == faces.to_dict() and again[0].crop is None
        noted = FaceResults(faces, file="a.jpg", width=4, height=3, notes=["one"])
        assert FaceResults.from_dict(noted.to_dict()).notes == noted[:1].notes == ("one",)
        assert FaceResults.from_dict({k: v for k, v in noted.to_dict().items() if k != "notes"}).notes == ()
        with pytest.raises(ValueError, match="no 'width'"):
            FaceResults.from_dict({"file": "a.jpg", "error": "a.jpg does not exist."})

    def test_draw(self, tmp_path):
        image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        faces = results(prediction((10, 5, 20, 20)))
        path = tmp_path / "photo.png"
        Image.fromarray(image).save(path)
        drawn = faces.draw(path)
        np.testing.assert_array_equal(drawn, draw_faces(image, faces))
        assert (drawn != image).any() and faces.draw(path, max_side=20).shape == (15, 20, 3)
        bgr = np.ascontiguousarray(image[..., ::-1])
        np.testing.assert_array_equal(faces.draw(bgr, channels="bgr")[..., ::-1], drawn)
        with pytest.raises(ValueError, match="40 x 30 pixels, but this one has 30 x 40"):
            faces.draw(image.transpose(1, 0, 2))


class TestDataFrame:
    def test_the_columns_of_the_csv_with_plain_numbers(self):
        pandas = pytest.importorskip("pandas")
        frame = results(
            prediction((-1.26, 2, 3, 4), score=0.912345), prediction((5, 6, 7, 8)), file="=a.jpg"
        ).to_dataframe()
        assert tuple(frame.columns) == CSV_COLUMNS and list(frame["face"]) == [1, 2]
        assert frame["file"][0] == "=a.jpg" and frame["x"][0] == -1.26 and frame["happy"][1] == PROBABILITIES["happy"]
        assert frame["score"][0] == 0.912345 and pandas.isna(frame["score"][1])
        assert set(frame["candidates"]) == {"happy"} and frame["readable"].all() and set(frame["flags"]) == {""}
        assert not frame["unsure"].any() and set(frame["label"]) == {"happy"} and set(frame["status"]) == {"face"}

    def test_pictures_without_faces_stay_and_frames_add_up(self):
        pandas = pytest.importorskip("pandas")
        frames = [faces.to_dataframe() for faces in (results(), results(prediction((0, 0, 1, 1)), file=None))]
        assert list(frames[0].dtypes) == list(frames[1].dtypes)
        whole = pandas.concat(frames)
        assert list(whole["status"]) == ["no face", "face"] and list(whole["face"]) == [0, 1]
        assert whole["happy"].mean() == PROBABILITIES["happy"] and list(whole.dtypes) == list(frames[0].dtypes)

    def test_without_pandas(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ImportError, match="A data frame needs pandas; run `pip install pandas`"):
            results().to_dataframe()
