"""Data of any classes: those that the data name, a choice among them, and maps."""

import numpy as np
import pytest
from PIL import Image

from training.data import SPLITS, BadRows, DataError, load_faces
from training.data.classes import map_choice, parse_choice
from training.data.fer2013 import FERPLUS_FILE
from training.data.ferplus import FERPLUS_COLUMNS
from training.run.config import from_dict
from training.run.facts import data_facts

PIXELS = " ".join(["7"] * 2304)


@pytest.fixture
def folder(tmp_path):
    """``folder(name=count, ...)``: class folders with so many grey pictures."""

    def make(**counts):
        for name, count in counts.items():
            (tmp_path / "pictures" / name).mkdir(parents=True)
            for i in range(count):
                picture = np.full((8, 8), (37 * i + len(name)) % 256, np.uint8)
                Image.fromarray(picture).save(tmp_path / "pictures" / name / f"{i:02}.png")
        return tmp_path / "pictures"

    return make


def read(path, classes, bad=None):
    return load_faces(path, bad=bad, choice=parse_choice(classes))


def test_without_classes_the_error_names_what_there_is(folder):
    with pytest.raises(DataError, match=r"The data name happy, smiling: add --classes auto"):
        load_faces(folder(happy=1, smiling=1))


def test_auto_orders_and_folds(folder):
    root = folder(zeal=2, Happiness=3, contempt=2, anger=2)
    faces = read(root, "auto")
    assert faces.classes == ("angry", "happy", "contempt", "zeal")
    assert np.bincount(faces.labels).tolist() == [2, 3, 2, 2]
    again = load_faces(root, choice=map_choice(faces.class_map, "classes"))  # as a run reads them that goes on
    assert again.fingerprint() == faces.fingerprint()


def test_auto_of_the_seven_is_as_ever(folder):
    root = folder(angry=1, disgust=1, fear=1, happy=1, sad=1, surprise=1, neutral=1)
    assert read(root, "auto").class_map == {} and read(root, "auto").fingerprint() == load_faces(root).fingerprint()


def test_names_leave_out_and_say_so(folder):
    root, bad = folder(smiling=3, sadness=2, fear=1), BadRows()
    faces = read(root, "sad,happy", bad)
    assert faces.classes == ("happy", "sad") and np.bincount(faces.labels).tolist() == [3, 2]
    assert "left out 1 picture of other classes: fear 1" in bad.report()
    assert read(root, "smiling,happy").classes == ("happy", "smiling")  # a word that is listed stands for itself
    assert np.bincount(read(root, "smiling,happy").labels).tolist() == [0, 3]


def test_a_map_merges(folder, tmp_path):
    (tmp_path / "map.yaml").write_text("positive: [happy, smiling]\nother: sad\n")
    faces = read(folder(smiling=3, happiness=2, sad=4, fear=1), str(tmp_path / "map.yaml"))
    assert faces.classes == ("other", "positive") and np.bincount(faces.labels).tolist() == [4, 5]
    assert from_dict({"classes": dict(faces.class_map)}).heads == (2,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("happy", "needs 2 to 1000 classes"),
        ("happy,joy", "two of these names are one class"),
        ("happy,score", "has a meaning of its own"),
        ("nowhere.yaml", "there is no file nowhere.yaml"),
    ],
)
def test_bad_choices(text, message):
    with pytest.raises(DataError, match=message):
        parse_choice(text)
    with pytest.raises(DataError, match="belongs to"):
        map_choice({"a": ["happy"], "b": ["joy"]}, "map")


def test_numbers(folder, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("emotion,pixels,Usage\n" + "".join(f"{i},{PIXELS},Training\n" for i in (0, 1, 1)))
    assert load_faces(table).classes[3] == "happy" and load_faces(table).labels.tolist() == [0, 1, 1]
    assert read(table, "auto").classes == ("0", "1")
    assert read(table, "angry,disgust").classes == ("angry", "disgust")
    assert map_choice({"no": [0], "yes": [1]}, "map").settle(["0", "1"], "", {"0": "angry"}).id("1.", "") is None


def test_votes_without_usage(tmp_path):
    votes = "".join(f"Training,fer{i}.png,{','.join(['0'] * i + ['9'] + ['0'] * (9 - i))}\n" for i in range(2))
    (tmp_path / FERPLUS_FILE).write_text(f"Usage,Image name,{','.join(FERPLUS_COLUMNS)}\n{votes}")
    table = tmp_path / "fer2013.csv"
    table.write_text(f"emotion,pixels\n3,{PIXELS}\n4,{PIXELS}\n")
    with pytest.raises(DataError, match="neither a column Usage nor one of file names"):
        load_faces(table)
    table.write_text(f"emotion,pixels,file\n3,{PIXELS},fer1.png\n4,{PIXELS},fer0.png\n")
    assert load_faces(table).votes.argmax(1).tolist() == [1, 0]


def test_facts_name_no_data_set_that_it_is_not(faces):
    facts = data_facts(faces)
    assert facts["set"] == "" and list(facts["splits"]) == list(SPLITS) and facts["side"] == 48
