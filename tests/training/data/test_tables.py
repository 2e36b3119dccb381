"""Tables like FER2013's in the spellings in which they circulate."""

import csv
import io

import numpy as np
import pytest

from fer_demo.emotions import LABELS
from training.data import SPLITS, BadRows, DataError, load_faces
from training.data.splitting import split_by_group

IMAGES = np.random.default_rng(0).integers(0, 256, (21, 48, 48), dtype=np.uint8)
CLASSES = np.arange(21) % 7
USAGE = np.repeat(SPLITS, 7)


def table(delimiter=",", pixels=str, joint=" ", label=str, usage=None, edges=("", ""), headings=None):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(headings or ("emotion", "pixels", "Usage"))
    for image, name, split in zip(IMAGES, CLASSES, USAGE, strict=True):
        cell = edges[0] + joint.join(pixels(value) for value in image.ravel()) + edges[1]
        writer.writerow([label(name), cell, (usage or {}).get(str(split), split)])
    return text.getvalue()


FLOATS = {"pixels": lambda value: f"{value}.0"}
DIALECTS = {
    "short splits": (table(usage={"Training": "Train", "PublicTest": "val", "PrivateTest": "test"}), "utf-8"),
    "lower case": (table(usage={"Training": "training", "PublicTest": "Validation", "PrivateTest": "Test"}), "utf-8"),
    "class names": (table(label=lambda i: LABELS[i].capitalize()), "utf-8"),
    "decimal labels": (table(label=lambda i: f"{i}.0"), "utf-8"),
    "lists": (table(joint=", ", edges="[]"), "utf-8"),
    "decimals": (table(**FLOATS), "utf-8"),
    "lists of decimals": (table(joint=", ", edges="[]", **FLOATS), "utf-8"),
    "semicolons": (table(delimiter=";", joint=", ", edges="[]"), "utf-8-sig"),
    "tabs": (table(delimiter="\t"), "utf-8"),
    "UTF-16": (table(delimiter="\t"), "utf-16"),
    "other headings": (table(headings=("Label", "pixels", "split")), "utf-8"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_the_same_pictures(tmp_path, dialect):
    text, encoding = DIALECTS[dialect]
    (tmp_path / "fer2013.csv").write_text(text, encoding=encoding, newline="")
    bad = BadRows()
    faces = load_faces(tmp_path, bad=bad)
    assert np.array_equal(faces.images[:, 0], IMAGES) and faces.labels.tolist() == CLASSES.tolist()
    assert faces.splits.tolist() == USAGE.tolist() and not bad.report()


@pytest.mark.parametrize("value", ["0.5", "nan", "1e300", "x"])
def test_pixels_that_are_no_whole_numbers(tmp_path, value):
    (tmp_path / "a.csv").write_text(f"emotion,pixels,Usage\n0,{' '.join([value] * 2304)},Training\n")
    with pytest.raises(DataError, match="line 2: the pixels are not all whole numbers"):
        load_faces(tmp_path / "a.csv")


def write(path, people=None):
    """A table without Usage of 140 pictures, of which each is there twice."""
    rng = np.random.default_rng(1)
    lines = ["emotion,pixels" + (",subject" if people else "")]
    for i in range(140):
        cell = " ".join(map(str, rng.integers(0, 256, 2304)))
        lines += [f"{i % 7},{cell}" + (f",person {i // 7 % people}" if people else "")] * 2
    path.write_text("\n".join(lines) + "\n")
    return path


def test_without_usage_equal_pictures_stay_together(tmp_path):
    bad = BadRows()
    faces = load_faces(write(tmp_path / "train.csv"), bad=bad)
    assert [faces.split(s).labels.bincount().tolist() for s in SPLITS] == [[32] * 7, [4] * 7, [4] * 7]
    assert (faces.splits[::2] == faces.splits[1::2]).all()
    assert load_faces(tmp_path / "train.csv").splits.tolist() == faces.splits.tolist()
    (said,) = bad.report()
    assert "no column Usage" in said and "seed 0" in said and "224 Training, 28 PublicTest, 28 PrivateTest" in said


def test_without_usage_persons_stay_together(tmp_path):
    bad = BadRows()
    faces = load_faces(write(tmp_path / "train.csv", people=10), bad=bad)
    person = np.repeat(np.arange(140) // 7 % 10, 2)
    assert [len(set(person[faces.splits == s])) for s in SPLITS] == [8, 1, 1]
    assert "by person (column 'subject')" in bad.report()[0]


def test_a_class_of_a_few_pictures_is_in_training_first():
    splits = split_by_group([0] * 50 + [1], range(51))
    assert splits[-1] == "Training" and [splits.count(s) for s in SPLITS] == [41, 5, 5]
