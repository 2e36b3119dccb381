"""Files that the trainer's commands read back: whatever is wrong with one is one sentence, and never a traceback."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fer_demo.checkpoints import checkpoint_dir
from training.__main__ import main
from training.report.release import _outcome
from training.run.provenance import Release, read_sources, record_release, releases
from training.run.run_folder import BEST, LAST, build_model, load_initial_weights
from training.run.runlog import read_run
from training.run.state import read_state
from training.run.train import Trainer


@pytest.fixture(scope="module")
def run_dir(faces, tmp_path_factory) -> Path:
    """A run that was stopped after its first step."""
    from training.run.config import from_dict

    folder = tmp_path_factory.mktemp("runs") / "stopped"
    config = from_dict({"model": "fer_sedense_nano", "epochs": 1, "batch_size": 16, "sizes": [[0, 24]]})
    trainer = Trainer(config, faces, folder, quiet=True)
    trainer.log.start(config.to_dict())
    trainer.save()
    return folder


@pytest.fixture
def run(run_dir, tmp_path) -> Path:
    """A copy of it."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("config.json", LAST):
        (folder / name).write_bytes((run_dir / name).read_bytes())
    return folder


def refusal(capsys, *argv) -> str:
    """What a command says that ends with 2, after a look at its form."""
    assert main([*map(str, argv)]) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and lines[0].endswith(".") and not out
    return lines[0]


def changed(content: bytes, **changes) -> bytes:
    """A ``last.pt`` in which some entries are others, or missing if None."""
    import io

    state = torch.load(io.BytesIO(content), weights_only=True) | changes
    file = io.BytesIO()
    torch.save({name: value for name, value in state.items() if value is not None}, file)
    return file.getvalue()


STATES = {
    "empty": lambda whole: b"",
    "cut off": lambda whole: whole[: len(whole) // 2],
    "half written": lambda whole: whole[:1000] + b"\0" * (len(whole) - 1000),
    "text": lambda whole: b"not a state",
    "a pickle": lambda whole: pickle.dumps({"epoch": Path("x")}),
    "foreign": lambda whole: changed(whole, epoch=None, step=None),
    "of another kind": lambda whole: changed(whole, epoch="1"),
    "another history": lambda whole: changed(whole, history="{"),
    "another choice": lambda whole: changed(whole, best="[]"),
    "no optimiser": lambda whole: changed(whole, optimizer={}),
    "no weights": lambda whole: changed(whole, model={"x": torch.zeros(1)}),
    "no number": lambda whole: changed(whole, loss_sum=torch.tensor(float("nan"))),
}


@pytest.mark.parametrize("damage", STATES)
def test_a_state_that_cannot_go_on(run, data, capsys, damage):
    (run / LAST).write_bytes(STATES[damage]((run / LAST).read_bytes()))
    said = refusal(capsys, "train", "--resume", "--run-dir", run, "--data", data, "--no-record", "--quiet")
    assert str(run / LAST) in said and "another --run-dir" in said


@pytest.mark.parametrize("text", ["", "{", "[]", '{"lr": NaN}', '{"x": 1}', '{"sizes": 3}', "\xff\xfe", "[" * 100_000])
def test_settings_that_cannot_go_on(run, data, capsys, text):
    (run / "config.json").write_bytes(text.encode("latin-1"))
    said = refusal(capsys, "train", "--resume", "--run-dir", run, "--data", data, "--no-record", "--quiet")
    assert str(run / "config.json") in said


def test_the_state_is_read_by_export_too(run):
    (run / LAST).write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match=f"{LAST} is damaged or of another kind .* another --run-dir\\.$"):
        _outcome(run)


def test_weights_of_a_run(run, tmp_path):
    config = read_state(run / LAST, "cpu")  # a whole one is read
    assert config["epoch"] == 0
    from training.run.run_folder import run_config

    settings = run_config(run)
    for content in (b"", b"x" * 100, (9999).to_bytes(8, "little") + b"{}"):
        (run / BEST).write_bytes(content)
        with pytest.raises(ValueError, match=f"cannot be made from .*{BEST}.*\\.$"):
            build_model(settings, checkpoint_path=str(run / BEST))
        with pytest.raises(ValueError, match="do not fit this network"):
            load_initial_weights(build_model(settings), str(run / BEST))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.json", "[]"),
        ("config.json", '{"augment": 3}'),
        ("log.csv", "epoch,train_loss\n1,2,3,4\n"),
        ("log.csv", "epoch,train_loss\n1,nan\n"),
        ("log.csv", "epoch\n\xff\n"),
        ("log.csv", 'epoch\n"' + "9" * 200_000),
        ("record.json", "3"),
        ("record.json", '{"best": []}'),
    ],
)
def test_a_record(tmp_path, file, text):
    (tmp_path / "config.json").write_text('{"lr": 0.1}')
    (tmp_path / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"is damaged or of another kind \(.*\); restore its files.*\.$"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"name": 1}]', "x", '[{"name": NaN}]'])
def test_the_list_of_releases(tmp_path, text):
    file = tmp_path / "releases.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="restore it from the repository"):
        releases(file)
    with pytest.raises(ValueError, match="restore it from the repository"):
        record_release(Release("a.b", "0", "run", 1, "2025-01-01", 0.5, None), file)
    assert file.read_text() == text


def test_where_weights_came_from(tmp_path):
    (tmp_path / "provenance.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"provenance.json is damaged .* another --run-dir"):
        read_sources(tmp_path)


class TestCheckpoints:
    """A folder that commands read, with one file damaged and no manifest to notice it."""

    @pytest.fixture
    def folder(self, tmp_path) -> Path:
        place = tmp_path / "fer_sedense_nano.mine_fer2013"
        place.mkdir()
        for name in ("config.json", "metrics.json", "model.safetensors"):
            (place / name).write_bytes((checkpoint_dir("fer_sedense_nano.wide_fer2013") / name).read_bytes())
        return place

    @pytest.mark.parametrize("text", ["[]", "{}", '{"architecture": 3}', '{"architecture": "fer_nothing"}', "\x00"])
    def test_settings(self, folder, data, capsys, text):
        (folder / "config.json").write_text(text)
        for command in ("evaluate", "faithfulness"):
            assert folder.name in refusal(capsys, command, f"local-dir:{folder}", "--data", data)

    @pytest.mark.parametrize("text", ["[]", "{}", '{"training": []}', '{"training": {"recipe": {"lr": "x"}}}'])
    def test_metrics(self, folder, data, capsys, text):
        (folder / "metrics.json").write_text(text)
        out = folder.parent / "fer_sedense_nano.other_fer2013"
        said = refusal(capsys, "calibrate", folder, "--out", out, "--data", data)
        assert str(folder) in said and not out.exists()

    def test_weights_of_another_file(self, folder, data, capsys, tmp_path):
        (tmp_path / "x.safetensors").write_bytes(b"x")
        said = refusal(capsys, "evaluate", "fer_sedense_nano", "--weights", tmp_path / "x.safetensors", "--data", data)
        assert "x.safetensors" in said

    def test_a_pipe_is_not_waited_for(self, data, capsys, tmp_path):
        os.mkfifo(tmp_path / "model.onnx")
        assert "no regular file" in refusal(capsys, "evaluate", tmp_path / "model.onnx", "--data", data)
        os.mkfifo(tmp_path / "fer2013.csv")
        assert "neither a regular file nor a folder" in refusal(capsys, "audit", tmp_path / "fer2013.csv")


def test_a_result_that_cannot_be_written_names_its_file(data, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_demo.files.os.fsync", full_disk)
    assert main(["evaluate", "fer_sedense_nano", "--data", str(data), "--out", str(tmp_path / "out.json")]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert err == f"error: {tmp_path / 'out.json'}: No space left on device"
    assert list(tmp_path.glob("*out*")) == []


def full_disk(_):
    raise OSError(28, os.strerror(28))


class TestEndings:
    """How the program ends, with a command that needs no PyTorch."""

    def start(self, command: str) -> subprocess.Popen:
        code = (
            "import argparse, sys, time, training.__main__ as program\n"
            "parser = argparse.ArgumentParser()\n"
            f"parser.set_defaults(run=lambda args: {command})\n"
            "program.build_parser = lambda: parser\n"
            "sys.exit(program.main([]))\n"
        )
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        env = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        return subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3], env=env, **pipes)

    def test_a_reader_that_has_seen_enough(self):
        with self.start("print('first', flush=True) or sys.stdin.read() or print('second')") as program:
            assert program.stdout.readline() == b"first\n"
            program.stdout.close()
            program.stdin.close()
            assert program.stderr.read() == b"" and program.wait() == 141

    def test_stopped_by_hand(self):
        with self.start("print('first', flush=True) or time.sleep(60)") as program:
            assert program.stdout.readline() == b"first\n"
            program.send_signal(signal.SIGINT)
            assert program.stderr.read() == b"Stopped.\n" and program.wait() == 130


def test_a_recipe_says_nothing_twice_and_needs_no_aliases(tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    for text, said in (
        ("lr: 0.1\nlr: 0.2\n", "'lr' stands there twice"),
        ("augment: {erase: 0, erase: 0.2}\n", "'erase' stands there twice"),
        ("a: &a [1, 1]\nb: [*a, *a]\n", "aliases such as"),
        ("[" * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("lr: 2024-99-99\n", "not valid YAML"),
        ("sizes: [[0, 100000000]]\n", "sides up to 1024"),
        ("teachers: [3]\n", "teachers must be a list of names"),
        (json.dumps({"x" * 900: 1}), "has no setting"),
    ):
        recipe.write_text(text)
        refused = refusal(capsys, "train", recipe, "--run-dir", tmp_path / "run")
        assert said in refused and len(refused) < 1500
    recipe.write_bytes("lr: 0.1  # ä".encode("latin-1"))
    assert "no UTF-8 text" in refusal(capsys, "train", recipe, "--run-dir", tmp_path / "run")
