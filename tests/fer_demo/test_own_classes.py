"""Models of classes that somebody has trained for themselves, from the folder to every kind of answer."""

import csv
import io
import json
import shutil

import numpy as np
import pytest

from fer_demo import ModelError, Predictor
from fer_demo.__main__ import main
from fer_demo.annotate import face_color
from fer_demo.checkpoints import ONNX_FILE
from fer_demo.classes import class_set
from fer_demo.emotions import LABELS
from fer_demo.figures import MOST_BARS, probability_bars
from fer_demo.prediction import FacePrediction
from fer_demo.results import FaceResults, csv_columns
from tests.fer_demo.own_classes import NAMES, checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("own") / "mine", onnx=True)


@pytest.fixture(scope="module")
def faces(folder, astronaut):
    return Predictor(folder).predict(astronaut)


@pytest.fixture
def photo(tmp_path, astronaut):
    from PIL import Image

    Image.fromarray(astronaut).save(tmp_path / "a.jpg")
    return tmp_path / "a.jpg"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_folder_and_file_answer_alike(folder, astronaut):
    crop = np.asarray(astronaut[60:220, 150:300, 0])
    found = [Predictor(model, engine=engine) for model, engine in
             ((folder, "torch"), (folder, "onnx"), (folder / ONNX_FILE, None))]  # fmt: skip
    assert all(one.labels == NAMES and one.classes is class_set(NAMES) for one in found)
    first, *others = (one.classify([crop]) for one in found)
    assert first.shape == (1, 4)
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-4)


@pytest.mark.parametrize("count", [2, 8, 20])
def test_any_number(tmp_path, count, astronaut):
    names = tuple(f"class {i}" for i in range(count))
    (face,) = Predictor(checkpoint(tmp_path / "m", names)).predict(astronaut)
    assert tuple(face.probabilities) == names and sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert len(probability_bars(face.probabilities).data[1].y) == min(count, MOST_BARS)
    assert tuple(csv_columns(names)[13:-1]) == names and f"“{face.label}”" in face.sentence


def test_a_folder_that_does_not_name_its_classes(tmp_path):
    model = checkpoint(tmp_path / "m", None)
    with pytest.raises(ModelError, match=r"answers for 4 classes, but no label_names .*; add label_names .* 4 names"):
        Predictor(model)


def test_a_file_beside_another_config(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "m")
    text = (other / "config.json").read_text("utf-8").replace('"neutral"', '"plain"')
    (other / "config.json").write_text(text, "utf-8")
    with pytest.raises(ModelError, match=r"has other classes .*; export it again"):
        Predictor(other)


def test_there_and_back(faces):
    (face,) = faces
    again = FacePrediction.from_dict(json.loads(json.dumps(face.to_dict())))
    assert again.to_dict() == face.to_dict() and again.sentence == face.sentence
    assert FaceResults.from_dict(faces.to_dict()).labels == faces[:0].labels == NAMES
    with pytest.raises(ValueError, match="candidates happy"):
        FacePrediction.from_dict(face.to_dict() | {"candidates": ["happy"]})
    with pytest.raises(ValueError, match="'a/b' cannot be a class name"):
        FacePrediction.from_dict(face.to_dict() | {"probabilities": {"a/b": 0.5, "c": 0.5}})


def test_tables_and_pictures(faces, astronaut):
    (row,) = rows_of(faces.to_csv())
    assert tuple(row) == csv_columns(NAMES) and not set(row) & (set(LABELS) - {"neutral"})
    assert row["candidates"].split("; ") == list(faces[0].candidates)
    assert float(row["not smiling"]) == pytest.approx(faces[0].probabilities["not smiling"], abs=1e-4)
    (nobody,) = rows_of(faces[:0].to_csv())
    assert tuple(nobody) == csv_columns(NAMES) and nobody["status"] == "no face"
    assert (faces.draw(astronaut) != astronaut).any()
    assert face_color(faces[0]) in {*class_set(NAMES).colors.values(), "#BBBBBB"}
    pandas = pytest.importorskip("pandas")
    assert pandas.concat([faces.to_dataframe(), faces[:0].to_dataframe()]).dtypes["not smiling"] == "float64"


def test_predict(folder, photo, tmp_path, capsys):
    assert main(["predict", str(photo), "--model", str(folder), "--csv", "-", "--draw", str(tmp_path / "d.png")]) == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert tuple(row) == (*csv_columns(NAMES), "error") and row["label"] in NAMES
    assert (tmp_path / "d.png").is_file()
    assert main(["predict", str(photo), "--model", str(folder / ONNX_FILE), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert tuple(entry["faces"][0]["probabilities"]) == NAMES
    main(["predict", str(photo), "--model", str(folder), "--merge", "wry=not smiling,contempt"])
    assert f"{photo}: face at" in capsys.readouterr().out


@pytest.mark.parametrize("merge", [None, {"wry": ["not smiling", "contempt"]}])
def test_explanations(folder, astronaut, merge):
    predictor = Predictor(folder, merge=merge)
    (face,) = predictor.predict(astronaut)
    for label in predictor.labels:
        found = predictor.explain(face, label)
        assert found.values.shape == (48, 48) and np.isfinite(found.values).all()
    from fer_demo.explain.face import answer_rows, face_curves, network_input

    x = network_input(predictor, face.crop)
    np.testing.assert_allclose(answer_rows(predictor, x)[0], list(face.probabilities.values()), atol=1e-4)
    label = predictor.labels[1]
    curves = face_curves(predictor, face.crop, label, predictor.explain(face, label))["this map"]
    assert curves["deletion"][0] == pytest.approx(face.probabilities[label], abs=1e-3)
    with pytest.raises(ValueError, match="Unknown expression 'happy'; choose one of smiling"):
        predictor.explain(face, "happy")


def test_the_report_of_an_explanation(folder, photo, tmp_path):
    assert main(["explain", str(photo), "--model", str(folder), "--label", "contempt", "--out", str(tmp_path)]) == 0
    assert "why contempt?" in (tmp_path / "a.html").read_text("utf-8")
