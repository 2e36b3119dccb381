"""Full disks, folders that cannot be written, pipes and Ctrl-C: one sentence, and nothing half-written."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import fer_demo.checkpoints as checkpoints
from fer_demo.__main__ import main
from fer_demo.checkpoints import DEFAULT, METRICS_FILE
from fer_demo.files import atomic_write_text, parse_json, writing
from fer_demo.runtime.model_info import ModelError

MODEL = "fer_sedense_nano.wide_fer2013"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def photo(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (64, 48), "gray").save(folder / "one.png")
    return folder / "one.png"


@pytest.fixture
def full(monkeypatch):
    """A disk that is full when a file is to be flushed to it."""

    def fsync(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fer_demo.files.os.fsync", fsync)


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("before", [None, "the last good one"])
@pytest.mark.parametrize("option", ["--csv", "--draw"])
def test_predict_on_a_full_disk(photo, tmp_path, full, capsys, option, before):
    out = tmp_path / "results" / ("out.csv" if option == "--csv" else "out.png")
    out.parent.mkdir()
    if before:
        out.write_text(before)
    assert main(["predict", option, str(out), "--whole-image", "--model", MODEL, str(photo)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and f"{out} cannot be written (No space left on device)" in said[0]
    assert left(out.parent) == ([out.name] if before else [])
    assert not before or out.read_text() == before


def test_explain_on_a_full_disk(photo, tmp_path, full, capsys):
    assert main(["explain", "--out", str(tmp_path / "out"), "--whole-image", "--model", MODEL, str(photo)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].endswith("one-1.png cannot be written (No space left on device)")
    assert left(tmp_path / "out") == []


def test_benchmark_on_a_full_disk(tmp_path, full, capsys, monkeypatch):
    monkeypatch.setattr("fer_demo.tradeoffs.tradeoff_rows", lambda *_: [])  # which takes seconds
    assert main(["benchmark", "--cached", "--csv", str(tmp_path / "out.csv")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'out.csv'} cannot be written (No space left on device)\n"
    assert left(tmp_path) == []


def test_a_folder_that_cannot_be_written(photo, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    assert main(["explain", str(photo), "--whole-image", "--out", str(tmp_path / "file" / "out")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"error: {tmp_path / 'file'}") and "cannot be written (" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.processes
@pytest.mark.parametrize("output", [[], ["--json"], ["--csv", "-"]])
def test_standard_output_on_a_full_disk(photo, output):
    command = [sys.executable, "-m", "fer_demo", "predict", "--whole-image", "--model", MODEL, *output, str(photo)]
    with open("/dev/full", "w") as device:
        done = subprocess.run(command, stdout=device, stderr=subprocess.PIPE, cwd=ROOT, text=True)
    assert (done.returncode, done.stderr) == (1, "error: the output cannot be written (No space left on device)\n")


@pytest.mark.processes
@pytest.mark.parametrize("output", [[], ["--csv", "{folder}/out.csv"]])
def test_stopped_by_hand(photo, tmp_path, output):
    """Many small pictures, so that there is time to stop; a table that is not whole is not left."""
    for i in range(20_000):
        os.link(photo, photo.parent / f"{i:04d}.png")
    results = tmp_path / "results"
    results.mkdir()
    options = [part.format(folder=results) for part in output]
    command = [sys.executable, "-m", "fer_demo", "predict", "--whole-image", "--model", MODEL, *options]
    with subprocess.Popen(
        [*command, str(photo.parent)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as program:
        stream = program.stderr if output else program.stdout  # the bar appears before the first answer
        assert stream.read(1)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=60)
    assert program.returncode == 130
    lines = errors.decode().splitlines()
    assert lines[-1] == "Stopped." and "Traceback" not in errors.decode() and left(results) == []


def test_a_network_that_fails_at_its_work_is_one_sentence(photo, capsys, monkeypatch):
    def classify(*_):
        raise ModelError("The model answered with numbers that are not finite.")

    monkeypatch.setattr("fer_demo.predictor.Predictor.classify", classify)
    assert main(["predict", "--whole-image", "--model", MODEL, str(photo)]) == 1
    assert capsys.readouterr().err == "error: The model answered with numbers that are not finite.\n"


def test_benchmark_with_a_damaged_checkpoint(tmp_path, monkeypatch, capsys):
    shutil.copytree(checkpoints.checkpoints_dir(), tmp_path / "checkpoints")
    metrics = tmp_path / "checkpoints" / DEFAULT / METRICS_FILE
    metrics.write_bytes(b"{}")
    monkeypatch.setattr(checkpoints, "checkpoints_dir", lambda: tmp_path / "checkpoints")
    with pytest.raises(SystemExit) as left_with:
        main(["benchmark", "--cached"])
    assert left_with.value.code == 2 and f"{metrics} is damaged" in capsys.readouterr().err


def test_a_pipe_is_not_waited_for(photo, tmp_path, capsys):
    os.mkfifo(tmp_path / "model.onnx")
    folder = tmp_path / MODEL
    shutil.copytree(checkpoints.checkpoints_dir() / MODEL, folder)
    (folder / METRICS_FILE).unlink()
    os.mkfifo(folder / METRICS_FILE)
    for model, said in ((tmp_path / "model.onnx", "There is no model"), (folder, "cannot be read (no regular file)")):
        with pytest.raises(SystemExit):
            main(["predict", "--model", str(model), str(photo)])
        assert said in capsys.readouterr().err


class TestFiles:
    def test_a_link_stays_one(self, tmp_path):
        (tmp_path / "real.txt").write_text("old")
        (tmp_path / "link.txt").symlink_to("real.txt")
        atomic_write_text(tmp_path / "link.txt", "new")
        assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"

    def test_what_breaks_off_leaves_the_old_one(self, tmp_path):
        (tmp_path / "a.txt").write_text("old")

        def stopped_half_way():
            with writing(tmp_path / "a.txt") as file:
                file.write(b"half")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            stopped_half_way()
        assert left(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"

    @pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -1e999}', "[" * 100_000, "{", "\ud800", '"x"'])
    def test_json_holds_what_it_says(self, text):
        with pytest.raises(ValueError, match=r"^[^\n]{1,200}[^.\n]$"):
            parse_json(text.encode("utf-8", "surrogatepass"))
