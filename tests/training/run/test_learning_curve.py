"""Accuracy by the number of training pictures."""

import json

import numpy as np
import pytest

from training.__main__ import main
from training.data import DataError
from training.run.learning_curve import Point, learning_curve, subset, table
from training.run.train import Trainer

SMALL = ["model=fer_sedense_nano", "init_from=''", "frozen_stages=0", "head_epochs=0", "epochs=1", "batch_size=16"]
SMALL += ["sizes=[[0, 24]]", "lr=0.02", "threads=1"]


def test_a_part_has_as_many_of_each_class_and_all_other_splits(faces):
    part = subset(faces, 3, seed=0)
    training = part.labels[part.splits == "Training"].bincount()
    assert training.tolist() == [3] * len(faces.classes)
    assert (part.splits != "Training").sum() == (faces.splits != "Training").sum()


def test_a_larger_part_holds_the_smaller_one(faces):
    few, more = (
        {image.numpy().tobytes() for image in subset(faces, count, seed=1).split("Training").images} for count in (2, 5)
    )
    assert few < more
    other = {image.numpy().tobytes() for image in subset(faces, 2, seed=2).split("Training").images}
    assert other != few


def test_too_few_pictures_are_named_before_anything_is_trained(config, faces):
    least = min(np.bincount(faces.labels[faces.splits == "Training"]))
    with pytest.raises(DataError, match=rf"Training has {least} pictures of \w+: give --counts up to {least}"):
        next(learning_curve(config(), faces, [1, least + 1], 1))


def test_the_command_prints_a_table(data, tmp_path, capsys):
    out = tmp_path / "curve.json"
    command = ["learning-curve", "fer_sedense_nano.own_data", "--data", str(data), "--counts", "3", "6", "--seeds", "2"]
    assert main([*command, "--out", str(out), "--quiet", "--set", *SMALL]) == 0
    printed = capsys.readouterr().out
    assert "| pictures a class | PrivateTest | seconds a run |" in printed and "\n| 3 |" in printed and " ± " in printed
    points = json.loads(out.read_text())
    assert [(p["count"], p["seed"]) for p in points] == [(3, 0), (3, 1), (6, 0), (6, 1)]
    assert all(0 <= p["accuracy"] <= 1 for p in points)


def test_the_table_gives_mean_and_deviation():
    points = [Point(25, seed, "PublicTest", accuracy, 2.0) for seed, accuracy in enumerate((0.5, 0.7))]
    assert table(points).splitlines()[-1] == "| 25 | 60.0 ± 14.1 % | 2 |"


def test_numbers_that_make_no_sense(data, capsys):
    assert main(["learning-curve", "fer_sedense_nano.own_data", "--data", str(data), "--counts", "0"]) == 2
    assert "must be 1 or more" in capsys.readouterr().err


def test_a_point_is_what_the_chosen_weights_reach(config, faces, tmp_path):
    public = faces.take(faces.splits != "PrivateTest")
    (point,) = learning_curve(config(), public, [6], 1)
    assert point.split == "PublicTest"
    assert point.accuracy == round(Trainer(config(), subset(public, 6, 0), tmp_path, quiet=True).fit()["accuracy"], 4)
