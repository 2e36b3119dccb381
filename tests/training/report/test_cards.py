"""Cards of three different runs, read sentence by sentence: each says what was so, and nothing of the others."""

import math
import re

import numpy as np
import pytest
from PIL import Image

from training.__main__ import main

NANO = "fer_sedense_nano.wide_fer2013"
QUICK = ["epochs=1", "batch_size=16", "sizes=[[0, 48]]", "lr=0.02", "warmup_epochs=0", "threads=1", "bn_pictures=0"]

FER = ("Training split of FER2013", "People reach", "noisy", "web image search")
RAF = ("RAF-DB", "forty annotators", "not commercial")
OWN = ("a folder of pictures", "smiling", "no statement about fairness can be made", "does not know the terms")
STARTED = (f"starting from the weights {NANO}", "classifier, which began anew")
NEVER = ("FER+", "photographs", "Teachers", "was released", "set of weights number", "fails if a digit differs")


@pytest.fixture(autouse=True)
def no_photographs(monkeypatch):
    """Where there are some, an export adds figures of them."""
    for variable in ("FER_WILD_DIR", "FER_PHOTOS_DIR"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def own_folder(tmp_path):
    """Four classes of gratings in train/, val/ and test/."""
    random, (y, x) = np.random.default_rng(0), np.mgrid[:48, :48]
    for i, name in enumerate(("smiling", "not smiling", "contempt", "neutral")):
        for split, count in (("train", 12), ("val", 5), ("test", 7)):
            folder = tmp_path / "pictures" / split / name
            folder.mkdir(parents=True)
            for j in range(count):
                wave = np.sin((x * math.cos(i) + y * math.sin(i)) * 0.4 + random.uniform(0, 6))
                Image.fromarray((128 + 90 * wave).astype(np.uint8)).save(folder / f"{j}.png")
    return tmp_path / "pictures"


def card_of(recipe, data, folder, name, *options, settings=()):
    """The text of a checkpoint's card after a run and its export; in one line."""
    train = ["train", recipe, "--data", str(data), "--run-dir", str(folder / "run"), "--no-record", "--quiet", *options]
    assert main([*train, "--set", *QUICK, *settings]) == 0
    out = folder / name
    assert main(["export", str(folder / "run"), "--data", str(data), "--out", str(out), "--tta", "none"]) == 0
    return " ".join((out / "README.md").read_text(encoding="utf-8").split())


def assert_card(card, says, silent):
    for words in says:
        assert words in card, words
    for words in silent:
        assert words not in card, words
    assert "None" not in card and "nan" not in re.findall(r"[\w.]+", card)
    assert card.count("The answer is a guess about the expression on a face") == 1


@pytest.fixture
def taken_for_fer2013(monkeypatch):
    """Generated pictures have other counts than FER2013's, by which it is known."""
    monkeypatch.setattr("training.run.facts.known_set", lambda splits: "fer2013")


def test_fer2013_from_scratch(data, tmp_path, taken_for_fer2013):
    card = card_of("fer_sedense_nano.wide_fer2013", data, tmp_path, "fer_sedense_nano.mine_fer2013", settings=SCRATCH)
    assert_card(card, (*FER, "Seven expressions", "from scratch"), (*RAF, *OWN[:2], *STARTED, "FER2013 alone", *NEVER))
    assert "license_name: research-and-education" in card


def test_what_the_record_remarks_on_the_figure_is_in_the_card(data, tmp_path, monkeypatch):
    record = tmp_path / "records" / "run"
    record.mkdir(parents=True)
    (record / "config.json").write_text("{}")
    (record / "record.json").write_text('{"status": "finished", "note": "Below its paper, which trained longer."}')
    monkeypatch.setattr("training.report.release.RUNS", record.parent)
    card = card_of("fer_sedense_nano.wide_fer2013", data, tmp_path, "fer_sedense_nano.mine", settings=SCRATCH)
    assert "has not been measured yet. Below its paper, which trained longer. ## Limits" in card


def test_own_pictures_from_the_nanos_weights(own_folder, tmp_path):
    card = card_of("fer_sedense_nano.own_data", own_folder, tmp_path, "my_smiles", "--classes", "auto")
    says = (*OWN, *STARTED, "# fer_sedense_nano.my_smiles", "4 classes (neutral, contempt, not smiling, smiling)")
    says += ("48 Training pictures in 4 classes", "beside 20 of PublicTest, 28 of PrivateTest", "had a part in these")
    assert_card(card, says, (*FER, *RAF, *NEVER, "Seven", "from scratch", "Table"))
    assert "license_name: not-stated" in card


def test_rafs_layout_from_scratch(raf_archive, tmp_path):
    data = raf_archive(tmp_path / "RAF", {"train": 140, "test": 28}, side=48)
    card = card_of("fer_sedense_nano.wide_fer2013", data, tmp_path, "fer_sedense_nano.raf", settings=SCRATCH)
    assert_card(card, (*RAF, "Seven expressions", "from scratch"), (*FER, *OWN[:2], *STARTED, *NEVER, "FER2013"))


SCRATCH = ("init_from=''", "teachers=[]", "teacher_cycle=0", "ema_decay=0")
