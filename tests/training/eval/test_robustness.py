"""The robustness command: its figures by hand, its tables, and what it writes."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from fer_demo.checkpoints import (
    MANIFEST_FILE,
    Checkpoint,
    bundled_checkpoints,
    checkpoint_dir,
    checkpoint_file,
    write_manifest,
)
from fer_demo.classifier import FaceClassifier
from fer_demo.emotions import LABELS
from fer_demo.prediction import FacePrediction
from fer_demo.stats import wilson
from fer_demo.tradeoffs.robustness import ROBUSTNESS_FILE
from fer_demo.vision.damages import KINDS, TWELVE
from training.__main__ import main
from training.bench.peers import Peer, PeerError
from training.bench.peers.environment import Environment
from training.data import DataError, Faces
from training.eval.robustness import LADDERS, peer_robustness, robustness, sample
from training.report.robustness import ladder_tables, table

DOCS = Path(__file__).parents[3] / "docs"


@dataclass
class Reader:
    """Answers from a crop's mean alone: a bright face is surely happy, any other is one of two."""

    temperature: float = 1.5
    labels: tuple[str, ...] = LABELS

    def classify(self, crops):
        rows = np.full((len(crops), 7), 0.02, np.float32)
        for row, crop in zip(rows, crops, strict=True):
            bright = crop.mean() > 100
            row[LABELS.index("happy")] = 0.88 if bright else 0.4
            row[LABELS.index("sad")] = 0.02 if bright else 0.5
        return rows / rows.sum(1, keepdims=True)

    def read(self, crops):
        rows = [dict(zip(LABELS, map(float, row), strict=True)) for row in self.classify(crops)]
        return [FacePrediction((0, 0, 48, 48), None, None, p, c) for p, c in zip(rows, crops, strict=True)]


@pytest.fixture
def grey():
    """Ten bright faces: six happy, four of other classes."""
    labels = torch.tensor([LABELS.index("happy")] * 6 + [LABELS.index("sad")] * 4)
    return Faces(torch.full((10, 1, 48, 48), 180, dtype=torch.uint8), labels, np.repeat("PrivateTest", 10))


def test_figures_by_hand(grey):
    result = robustness(Reader(), grey, ladders=True)
    assert result["n"] == 10 and result["seed"] == 0 and result["temperature"] == 1.5
    assert result["clean"] == {
        "accuracy": 0.6,
        "macro_f1": result["clean"]["macro_f1"],
        "ece": 0.28,
        "unsure": 0.0,
        "unreadable": 0.0,
    }
    assert [(m["kind"], m["strength"]) for m in result["twelve"]] == list(TWELVE)
    dark = next(m for m in result["twelve"] if m["kind"] == "light")
    assert (dark["accuracy"], dark["unsure"]) == (0.4, 1.0) and dark["ece"] == pytest.approx(0.1, abs=1e-3)
    others = [m for m in result["twelve"] if m["kind"] != "light"]
    assert all(m["accuracy"] == 0.6 and m["unsure"] == 0 for m in others)
    mean = (11 * 0.6 + 0.4) / 12
    assert result["mean"]["accuracy"] == pytest.approx(mean, abs=1e-6)
    assert result["mean"]["interval"] == pytest.approx(wilson(mean, 10), abs=1e-5)
    assert result["mean"]["unsure"] == pytest.approx(1 / 12, abs=1e-6)
    assert result["worst"] == dark
    assert set(result["ladders"]) == set(KINDS) and set(TWELVE) <= set(LADDERS)
    for kind, steps in result["ladders"].items():
        assert [step["strength"] for step in steps] == list(KINDS[kind].ladder)
        assert steps[0]["accuracy"] == 0.6 and {step["kind"] for step in steps} == {kind}
    assert "ladders" not in robustness(Reader(), grey)
    assert json.loads(json.dumps(result)) == result


def test_unsure_is_what_the_package_calls_so(grey, monkeypatch):
    monkeypatch.setattr(
        "fer_demo.prediction.FacePrediction.unsure", property(lambda face: face.required_crop().min() < 9)
    )
    by_kind = {m["kind"]: m["unsure"] for m in robustness(Reader(), grey)["twelve"]}
    assert by_kind["eyes"] == by_kind["mouth"] == 1 and by_kind["turn"] == by_kind["blur"] == 0


def test_what_cannot_be_read_does_not_count_for_calibration(grey, monkeypatch):
    monkeypatch.setattr("fer_demo.prediction.FacePrediction.readable", property(lambda face: face.crop.mean() > 100))
    dark = next(m for m in robustness(Reader(), grey)["twelve"] if m["kind"] == "light")
    assert (dark["unreadable"], dark["ece"], dark["unsure"], dark["accuracy"]) == (1.0, 0.0, 1.0, 0.4)


def test_a_network_of_two_kinds_of_labels_is_calibrated_to_both(grey):
    votes = torch.zeros(10, 10)
    votes[:, 1] = 10  # the annotators call all of them happy
    voted = Faces(grey.images, grey.labels, grey.splits, votes)
    assert robustness(Reader(), voted)["clean"]["ece"] == 0.28
    # Six of ten by the labels and ten of ten by the votes: eight of ten, at a confidence of 0.88.
    assert robustness(Reader(), voted, votes_share=0.5)["clean"]["ece"] == pytest.approx(0.08, abs=1e-3)


def test_a_sample_is_seeded(faces):
    private = faces.split("PrivateTest")
    one, again, other = sample(private, 10), sample(private, 10, 0), sample(private, 10, 1)
    assert len(one) == 10 and (one.images == again.images).all() and (one.images != other.images).any()
    assert len(sample(private, 0)) == len(sample(private, 9999)) == len(private)
    with pytest.raises(ValueError, match="0 \\(for all\\) or more; got -1"):
        sample(private, -1)
    with pytest.raises(ValueError, match="seed must be 0 or more"):
        sample(private, 1, -1)


def test_twins_are_refused(grey):
    with pytest.raises(DataError, match="2 twins"):
        robustness(Reader(), Faces(grey.images.expand(-1, 2, -1, -1), grey.labels, grey.splits))


def test_tables(grey):
    result = robustness(Reader(), grey, ladders=True)
    bare = {"clean": {"accuracy": 0.5, "macro_f1": 0.1}, "twelve": [], "mean": {"accuracy": 0.25}, "worst": {}}
    bare["twelve"] = [{**what._asdict(), "accuracy": 0.25, "macro_f1": 0.1} for what in TWELVE]
    bare |= {"mean": {"accuracy": 0.25, "interval": [0.1, 0.5]}, "worst": bare["twelve"][0]}
    lines = table({"`ours`": result, "theirs": bare}).splitlines()
    assert len(lines) == 2 + 1 + 12 + 5 and all(line.count("|") == 4 for line in lines[:1] + lines[2:])
    assert lines[2] == "| undamaged | 60.0 % · 0.280 · 0 % | 50.0 % |"
    assert "| brightness x 0.3 | 40.0 % · 0.100 · 100 % | 25.0 % |" in lines
    assert "| its 95 % interval | 29.9–82.1 % | 10.0–50.0 % |" in lines
    assert lines[-1].startswith("| largest ECE | 0.280, blur, sigma 1 | – |")
    ladders = ladder_tables({"`ours`": result, "theirs": bare})
    assert ladders.count("| undamaged |") == len(KINDS) and "theirs" not in ladders


@pytest.fixture
def checkpoint(tmp_path):
    """A small checkpoint of random weights in a folder of its own."""
    torch.manual_seed(0)
    folder = tmp_path / "fer_sedense_nano.mine_fer2013"
    timm.models.save_for_hf(timm.create_model("fer_sedense_nano"), folder, safe_serialization=True)
    write_manifest(folder)
    return folder


def test_the_command(checkpoint, data, tmp_path, capsys):
    out = tmp_path / "out.json"
    args = ["robustness", str(checkpoint), "--data", str(data), "--faces", "14", "--split", "PublicTest"]
    assert main([*args, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| undamaged |" in printed and "14 faces of PublicTest, seed 0" in printed and "| Blur |" not in printed
    (result,) = json.loads(out.read_text()).values()
    assert result["split"] == "PublicTest" and result["n"] == 14 and "ladders" not in result
    assert not (checkpoint / ROBUSTNESS_FILE).exists()
    assert main([*args, "--write"]) == 0
    assert "| Blur |" in capsys.readouterr().out
    kept = Checkpoint.at(checkpoint).json(ROBUSTNESS_FILE)  # the manifest was renewed
    assert ROBUSTNESS_FILE in json.loads((checkpoint / MANIFEST_FILE).read_text())
    assert set(kept["ladders"]) == set(KINDS) and kept["twelve"] == result["twelve"]


def test_bad_input_gets_a_sentence(data, tmp_path, capsys):
    file = tmp_path / "x.onnx"
    file.touch()
    for args, words in (
        (["fer_nothing.fer2013"], "fer_nothing"),
        ([str(file), "--write"], "leave out --write"),
        (["--faces", "-1"], "0 (for all) or more"),
    ):
        assert main(["robustness", *args, "--data", str(data)]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: ") and words in error


@dataclass(frozen=True)
class Python(Environment):
    """This Python, with nothing to install."""

    def command(self, folder, runner):
        return [sys.executable, str(runner)]

    def _install(self, folder):
        pass


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """A package that calls a bright face happy, and any other sad."""
    import training.bench.peers.measure as measure

    (tmp_path / "runners").mkdir()
    (tmp_path / "runners" / "bright.py").write_text(
        "import json, sys\nimport numpy as np\n"
        "faces = np.fromfile(sys.argv[1], np.uint8).reshape(-1, 48, 48)\n"
        "found = [0 if face.mean() > 100 else 1 for face in faces]\n"
        "names = ['happy', 'sad', 'angry', 'disgust', 'fear', 'surprise', 'neutral']\n"
        "print(json.dumps({'predicted': found, 'labels': names, 'version': '1.0'}))\n"
    )
    monkeypatch.setattr(measure, "RUNNERS", tmp_path / "runners")
    return Peer("bright", "PyPI `bright`", Python("bright", "nothing"), "bright.py", "")


def test_another_package_reads_the_same_pictures(peer, grey, tmp_path):
    ours, theirs = robustness(Reader(), grey), peer_robustness(peer, grey, tmp_path / "cache")
    for key in ("clean", "worst"):
        assert {k: ours[key][k] for k in theirs[key]} == theirs[key]
    assert theirs["version"] == "1.0" and "ece" not in theirs["mean"]
    assert theirs["mean"]["interval"] == ours["mean"]["interval"]
    small = Faces(grey.images[..., :24, :24], grey.labels, grey.splits)
    with pytest.raises(DataError, match="48 x 48"):
        peer_robustness(peer, small, tmp_path / "cache")


def test_a_package_that_answers_nonsense(peer, grey, tmp_path, monkeypatch):
    monkeypatch.setattr("training.eval.robustness.run_peer", lambda *_: {"predicted": [0], "labels": list(LABELS)})
    with pytest.raises(PeerError, match="cannot be used"):
        peer_robustness(peer, grey, tmp_path)


def test_packages_that_are_installed_stand_beside(checkpoint, data, peer, tmp_path, capsys, monkeypatch):
    import training.bench.peers.registry as registry

    monkeypatch.setattr(registry, "PEERS", (peer,))
    args = ["robustness", str(checkpoint), "--data", str(data), "--faces", "7", "--peers"]
    args += ["--cache", str(tmp_path / "cache")]
    assert main(args) == 0
    first = capsys.readouterr()
    assert "bright is not installed" in first.err and "PyPI" not in first.out
    peer.environment.build(tmp_path / "cache")
    assert main(args) == 0
    assert "| PyPI `bright` |" in capsys.readouterr().out
    (tmp_path / "runners" / "bright.py").write_text("raise SystemExit('broken')")
    assert main(args) == 1
    assert "Left out: bright:" in capsys.readouterr().err


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_every_bundled_checkpoint_has_its_figures(name):
    kept = checkpoint_file(name, ROBUSTNESS_FILE)
    assert kept, f"run `python -m training robustness {name} --write`"
    assert kept["n"] >= 400 and kept["split"] == "PrivateTest"
    assert kept["temperature"] == FaceClassifier(name).temperature  # else the checkpoint has been made anew
    assert [(m["kind"], m["strength"]) for m in kept["twelve"]] == list(TWELVE)
    assert {kind: [s["strength"] for s in steps] for kind, steps in kept["ladders"].items()} == {
        kind: list(about.ladder) for kind, about in KINDS.items()
    }
    measured = [kept["clean"], *kept["twelve"], *(s for steps in kept["ladders"].values() for s in steps)]
    assert all(0 <= m[key] <= 1 for m in measured for key in ("accuracy", "macro_f1", "ece", "unsure"))
    low, high = kept["mean"]["interval"]
    assert low < kept["mean"]["accuracy"] < high


def test_the_docs_show_the_figures_of_the_checkpoints():
    text = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    found = {f"`{name}`": checkpoint_file(name, ROBUSTNESS_FILE) for name in bundled_checkpoints()}
    known = {name: content for name, content in found.items() if content}
    for ours in table(known).splitlines()[2:]:
        assert ours.removesuffix(" |") in text  # other packages may stand behind


def test_a_checkpoint_without_figures_is_left_out(tmp_path, monkeypatch):
    import fer_demo.checkpoints
    from fer_demo.tradeoffs.robustness import known_robustness

    name = bundled_checkpoints()[0]
    folder = tmp_path / name
    shutil.copytree(checkpoint_dir(name), folder)
    (folder / ROBUSTNESS_FILE).unlink(missing_ok=True)
    write_manifest(folder)
    monkeypatch.setattr(fer_demo.checkpoints, "checkpoints_dir", lambda: tmp_path)
    assert known_robustness() == {}
