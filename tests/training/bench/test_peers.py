"""The comparison with other packages: its figures, its table and its command."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fer_demo.emotions import LABELS
from fer_demo.stats import wilson
from training.__main__ import main
from training.bench.peers import PeerError, measure, table
from training.bench.peers.results import score, this_machine, to_classes

FOUND = {
    "version": "1.2",
    "licence": "MIT",
    "runtime": "Fake 3",
    "parameters": 1000,
    "weight_bytes": 4000,
    "labels": list(LABELS),
    "predicted": [0, 1, 2, 3],
    "batch_size": 8,
    "cpu_seconds": [2.0, 1.0, 4.0],
}
MACHINE = {"processor": "A CPU", "cpus": 2, "pinned": True, "system": "Linux x86_64", "python": "3.11.7", "load": 0.1}


@pytest.fixture
def faces():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (4, 48, 48), dtype=np.uint8), np.array([0, 1, 2, 6])


@pytest.mark.parametrize(
    "names",
    [
        ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],  # fer and human
        ["neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"],  # face-api
    ],
)
def test_class_orders(names):
    classes = [LABELS[i] for i in to_classes(range(7), names)]
    assert [name[:4] for name in classes] == [name[:4] for name in names]


def test_wrong_classes_are_refused():
    with pytest.raises(ValueError, match="contempt"):
        to_classes([0], [*LABELS[:6], "contempt"])
    with pytest.raises(ValueError, match="does not have"):
        to_classes([7], LABELS)
    with pytest.raises(ValueError, match="does not have"):
        to_classes([-1], LABELS)


def test_scoring():
    result = score("Fake", FOUND, np.array([0, 1, 2, 6]), note="a note")
    assert result.accuracy == 0.75 and result.interval == wilson(0.75, 4)
    assert result.faces_per_second == 2 and result.spread == (1, 4)  # 4 faces in 2, 1 and 4 seconds
    assert result.recall == {"angry": 1, "disgust": 1, "fear": 1, "neutral": 0}
    assert (result.version, result.parameters, result.ours) == ("1.2", 1000, False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"predicted": [0]}, "1 of 4 faces"),
        ({"labels": ["a", "b"]}, "its classes are a, b"),
        ({"cpu_seconds": [0.0]}, "division"),
        ({"cpu_seconds": []}, "median"),
        ({"weight_bytes": None}, "NoneType"),
    ],
)
def test_an_answer_that_does_not_fit_is_one_sentence(change, reason):
    with pytest.raises(PeerError, match=reason):
        score("Fake", FOUND | change, np.zeros(4, int))


def test_a_missing_fact_is_named():
    with pytest.raises(PeerError, match="it gave no 'version'"):
        score("Fake", {k: v for k, v in FOUND.items() if k != "version"}, np.zeros(4, int))


def test_the_table():
    good = score("Good", FOUND, np.array([0, 1, 2, 6]), note="as it does.", ours=True)
    bad = replace(good, name="Bad", accuracy=0.25, parameters=None, ours=False, note="")
    text = table([bad, good], 4, MACHINE)
    head, rows = text.split("\n\n", 1)
    assert "4 faces" in head and "A CPU" in head and "Python 3.11.7" in head and "one thread on one core" in head
    lines = rows.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert len({len(row) for row in cells}) == 1
    assert [row[0] for row in cells[2:]] == ["**Good**", "Bad"]  # by accuracy
    low, high = (100 * v for v in wilson(0.75, 4))
    assert cells[2][1:] == [
        "1.2",
        "Fake 3",
        "MIT",
        "1,000",
        "0.00 MB",
        f"75.00 % ({low:.1f}–{high:.1f})",
        "2 (1–4)",
        "8",
    ]
    assert cells[3][4] == "–"
    assert lines[-1] == "- Good: as it does."
    assert "not bound to a core" in table([good], 4, MACHINE | {"pinned": False})
    assert "busy" not in text and "the machine was busy (load 3.5)" in table([good], 4, MACHINE | {"load": 3.5})


def _command(*argv: str) -> int:
    return main(["benchmark", "peers", *argv])


@pytest.fixture
def data(tmp_path, faces):
    images, labels = faces
    np.savez(tmp_path / "faces.npz", images=images, label=labels, usage=np.array(["PrivateTest"] * len(labels)))
    return str(tmp_path / "faces.npz")


def test_the_command_prints_results_and_what_was_left_out(monkeypatch, capsys, data):
    result = score("Good", FOUND, np.array([0, 1, 2, 6]))
    monkeypatch.setattr(measure, "each_system", lambda *a, **k: iter([result, PeerError("human: no network.")]))
    assert _command("--data", data) == 1
    printed = capsys.readouterr()
    assert "| Good |" in printed.out and "- human: no network." in printed.out
    assert "Left out: human" in printed.err
    assert _command("--data", data, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["results"][0]["name"] == "Good" and found["left_out"] == ["human: no network."]
    assert found["threads"] == 1 and found["machine"]["processor"]


def test_wrong_use_is_one_sentence(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("FER2013_DIR", raising=False)
    assert _command() == 2 and "No data: give --data PATH" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        _command("--data", "x", "--without", "nobody")
    capsys.readouterr()
    assert _command("--data", str(tmp_path / "none.csv")) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: There is no") and error.count("\n") == 1


def test_this_machine_is_named():
    assert this_machine()["processor"]
