"""``python -m training class-averages``."""

import shutil

import numpy as np
import pytest

import fer_demo.checkpoints as checkpoints
from fer_demo.emotions import LABELS
from fer_demo.explain.averages import FILE, read_averages
from training.__main__ import main

NAME = "fer_sedense_nano.photos_fer2013"


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (700, 48, 48), np.uint8)
    np.savez(tmp_path / "fer2013.npz", images=images, label=np.arange(700) % 7, usage=np.repeat("Training", 700))
    return tmp_path / "fer2013.npz"


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    if NAME not in checkpoints.bundled_checkpoints():
        pytest.skip(f"{NAME} is not bundled")
    shutil.copytree(checkpoints.checkpoints_dir() / NAME, tmp_path / "checkpoints" / NAME)
    monkeypatch.setattr(checkpoints, "checkpoints_dir", lambda: tmp_path / "checkpoints")
    return tmp_path / "checkpoints" / NAME


def test_they_are_printed_and_written_where_that_is_asked_for(data, bundled, capsys):
    before = (bundled / FILE).read_bytes()
    command = ["class-averages", NAME, "--data", str(data), "--faces", "100", "--threads", "1"]
    assert main(command) == 0
    assert "happy (100 faces): " in capsys.readouterr().out and (bundled / FILE).read_bytes() == before
    assert main([*command, "--write"]) == 0
    assert (bundled / FILE).read_bytes() != before
    assert read_averages(NAME).counts == dict.fromkeys(LABELS, 100)  # and it fits the manifest


@pytest.mark.parametrize(("faces", "words"), [("5", "--faces must be 100 or more"), ("100", "99 faces of neutral")])
def test_too_few_faces_are_one_sentence(faces, words, data, bundled, capsys):
    with np.load(data) as held:
        few = {name: held[name][:699] for name in held}
    np.savez(data, **few)
    assert main(["class-averages", NAME, "--data", str(data), "--faces", faces, "--write"]) == 2
    assert words in capsys.readouterr().err
