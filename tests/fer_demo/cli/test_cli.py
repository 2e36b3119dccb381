"""The command line, from the arguments to what is printed."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from PIL import Image

from fer_demo import Predictor
from fer_demo.__main__ import build_parser, main
from fer_demo.emotions import LABELS


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """The folder of a checkpoint with random weights."""
    folder = tmp_path_factory.mktemp("checkpoints") / "mine.random"
    torch.manual_seed(0)
    net = timm.create_model("fer_sedense_s2.tune_fer2013")
    torch.nn.init.normal_(net.get_classifier().weight)
    timm.models.save_for_hf(net, folder, safe_serialization=True)
    return str(folder)


@pytest.fixture
def photos(tmp_path, astronaut) -> Path:
    """A folder: one face, no face, and a file that is no picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(astronaut).save(folder / "a face, ä.png")
    (folder / "broken.jpg").write_text("no picture")
    Image.new("RGB", (64, 48), "gray").save(folder / "nobody.png")
    (folder / "notes.txt").write_text("not to be opened")
    return folder


def usage_error(capsys, *argv) -> str:
    with pytest.raises(SystemExit) as error:
        main(["predict", *map(str, argv)])
    out, err = capsys.readouterr()
    assert error.value.code == 2 and out == "" and "Traceback" not in err
    assert "usage:" in err
    return err.splitlines()[-1]


def test_json(model, photos, capsys, astronaut):
    path = photos / "a face, ä.png"
    assert main(["predict", "--json", "--model", model, str(path)]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    (face,) = Predictor(model).predict(astronaut)
    assert entry == {"file": str(path), "width": 512, "height": 512, "notes": [], "faces": [face.to_dict()]}
    keys = ["box", "landmarks", "score", "label", "confidence", "unsure"]
    assert list(entry["faces"][0]) == [*keys, "candidates", "readable", "flags", "quality", "probabilities"]
    assert tuple(entry["faces"][0]["probabilities"]) == LABELS
    assert abs(sum(entry["faces"][0]["probabilities"].values()) - 1) < 1e-3


def test_a_folder_in_which_one_file_is_bad(model, photos, capsys):
    assert main(["predict", "--json", "--model", model, str(photos)]) == 1
    out, err = capsys.readouterr()
    face, broken, nobody = json.loads(out)
    assert [Path(e["file"]).name for e in (face, broken, nobody)] == ["a face, ä.png", "broken.jpg", "nobody.png"]
    assert len(face["faces"]) == 1 and nobody["faces"] == [] and nobody["width"] == 64
    assert set(broken) == {"file", "error"} and "not a picture" in broken["error"]
    assert err.count("broken.jpg") == 1 and "Traceback" not in err


def test_csv(model, photos, capsys, tmp_path):
    out = tmp_path / "out.csv"
    assert main(["predict", "--csv", str(out), "--model", model, str(photos)]) == 1
    assert capsys.readouterr().out == ""
    with out.open(newline="", encoding="utf-8") as file:
        face, broken, nobody = csv.DictReader(file)
    columns = ["file", "face", "x", "y", "width", "height", "score", "label", "confidence"]
    assert list(face) == [*columns, "unsure", "candidates", "readable", "flags", *LABELS, "status", "error"]
    assert (face["candidates"].split()[0], face["readable"], face["flags"]) == (face["label"], "yes", "")
    assert face["file"].endswith("a face, ä.png") and face["face"] == "1" and face["error"] == ""
    assert float(face["confidence"]) == max(float(face[label]) for label in LABELS) == float(face[face["label"]])
    assert broken["file"].endswith("broken.jpg") and "not a picture" in broken["error"] and broken["label"] == ""
    assert nobody["file"].endswith("nobody.png") and nobody["face"] == "0" and nobody["label"] == nobody["error"] == ""
    assert [row["status"] for row in (face, broken, nobody)] == ["face", "error", "no face"]


def test_csv_to_the_terminal(model, photos, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--csv", "-", "--model", model, str(photos)]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["status"] for row in rows] == ["face", "error", "no face"] and not Path("-").exists()
    print("still open")
    assert capsys.readouterr().out == "still open\n"


def test_file_names_are_no_formulas_in_csv(model, photos, capsys, monkeypatch):
    monkeypatch.chdir(photos)
    Path("broken.jpg").rename("@broken.jpg")
    Path("nobody.png").rename("=nobody.png")
    assert main(["predict", "--csv", "-", "--model", model, "@broken.jpg", "=nobody.png"]) == 1
    broken, nobody = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert broken["file"] == "'@broken.jpg" and broken["error"].startswith("'@broken.jpg is not")
    assert nobody["file"] == "'=nobody.png"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_one_sentence(model, photos, capsys):
    assert main(["predict", "--csv", "/dev/full", "--whole-image", "--model", model, str(photos / "nobody.png")]) == 1
    assert capsys.readouterr().err == "error: /dev/full cannot be written (No space left on device)\n"


def test_text(model, photos, capsys):
    assert main(["predict", "--model", model, str(photos)]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert "a face, ä.png: face at (" in first and "%" in first
    assert second.endswith("nobody.png: no face found")


def test_what_is_wrong_with_a_crop_is_said(model, tmp_path, capsys, astronaut):
    """After the answer, or instead of one."""
    for name, sigma in (("soft", 2.6), ("blurred", 8)):
        picture = cv2.GaussianBlur(astronaut[:300, 50:400], (0, 0), sigma)
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    assert main(["predict", "--model", model, str(tmp_path / "soft.png"), str(tmp_path / "blurred.png")]) == 0
    soft, blurred = capsys.readouterr().out.splitlines()
    assert soft.endswith("; blurred") and "can't tell: blurred" not in soft
    assert blurred.endswith("pixels: can't tell: blurred")


def test_a_file_name_stays_on_its_line(model, photos, capsys):
    (photos / "nobody.png").rename(photos / "no\nbody\x1b[2J.png")
    assert main(["predict", "--model", model, str(photos)]) == 1
    assert capsys.readouterr().out.splitlines()[1].endswith(r"no\nbody\x1b[2J.png: no face found")


def test_whole_image(model, photos, capsys, monkeypatch):
    def detect(*args, **kwargs):
        raise AssertionError("was called")

    monkeypatch.setattr("fer_demo.vision.detector.FaceDetector.detect", detect)
    assert main(["predict", "--json", "--whole-image", "--model", model, str(photos / "nobody.png")]) == 0
    ((face,),) = [entry["faces"] for entry in json.loads(capsys.readouterr().out)]
    assert face["box"] == {"x": 0, "y": 0, "width": 64, "height": 48} and face["landmarks"] is None


def test_more_photos_than_a_chunk(model, tmp_path, capsys):
    # Past a chunk and with the progress bar on, output stays in order and free of the bar.
    for i in range(19):
        if i % 7 == 5:
            (tmp_path / f"{i:02d}.png").write_text("bad")
        else:
            Image.fromarray(np.full((40, 40 + i), 10 * i, np.uint8)).save(tmp_path / f"{i:02d}.png")
    assert main(["predict", "--json", "--whole-image", "--model", model, str(tmp_path)]) == 1
    entries = json.loads(capsys.readouterr().out)
    assert [Path(e["file"]).stem for e in entries] == [f"{i:02d}" for i in range(19)]
    assert [i for i, e in enumerate(entries) if "error" in e] == [5, 12]
    assert [e["width"] for e in entries if "error" not in e] == [40 + i for i in range(19) if i % 7 != 5]


def test_a_missing_photo_does_not_lose_the_others(model, photos, capsys):
    missing = photos / "none.jpg"
    assert main(["predict", "--json", "--model", model, str(missing), str(photos / "a face, ä.png")]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert "does not exist" in first["error"] and len(second["faces"]) == 1


def test_what_is_no_file(model, photos, capsys):
    os.mkfifo(photos / "pipe.jpg")
    sources = [str(photos / "pipe.jpg"), "https://example.com/a.jpg", "data:image/png;base64," + "iVBORw0K" * 10_000]
    assert main(["predict", "--model", model, *sources]) == 1
    out, err = capsys.readouterr()
    pipe, address, data = err.splitlines()
    assert "is not a regular file" in pipe and "nothing is fetched" in address and "data URI" in data
    assert out == "" and len(err) < 600


class TestUsageErrors:
    def test_no_photo(self, capsys):
        assert "PHOTO" in usage_error(capsys)

    def test_unknown_option(self, capsys):
        assert "--jsn" in usage_error(capsys, "--jsn", "a.jpg")

    def test_two_outputs(self, capsys):
        assert "not allowed with" in usage_error(capsys, "--json", "--csv", "out.csv", "a.jpg")

    def test_a_folder_without_pictures(self, capsys, tmp_path):
        assert "no pictures in" in usage_error(capsys, tmp_path)

    def test_unknown_model(self, capsys, photos):
        assert "no model 'nobody'" in usage_error(capsys, "--model", "nobody", photos)

    def test_unknown_device(self, capsys, photos, model):
        assert "use 'cpu'" in usage_error(capsys, "--model", model, "--device", "abacus", photos)

    def test_csv_that_cannot_be_written(self, capsys, photos, model, tmp_path):
        assert "cannot be written" in usage_error(capsys, "--model", model, "--csv", tmp_path / "no" / "x.csv", photos)

    def test_missing_detector(self, capsys, photos, model, monkeypatch, tmp_path):
        monkeypatch.setenv("FER_DEMO_YUNET", str(tmp_path / "none.onnx"))
        assert "none.onnx does not exist" in usage_error(capsys, "--model", model, photos)
        nobody = str(photos / "nobody.png")
        assert main(["predict", "--model", model, "--whole-image", nobody]) == 0  # which needs none

    def test_no_command(self, capsys):
        with pytest.raises(SystemExit) as error:
            main([])
        assert error.value.code == 2 and "COMMAND" in capsys.readouterr().err


@pytest.mark.processes
def test_as_a_program(model, photos):
    # An ASCII terminal and a file name that is no UTF-8.
    odd = os.fsencode(photos) + b"/odd \xff.png"
    try:
        with open(odd, "wb") as file:
            file.write((photos / "nobody.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    env = os.environ | {"PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "fer_demo", "predict", "--model", model, os.fsencode(photos)]
    done = subprocess.run(command, capture_output=True, env=env, cwd=Path(__file__).parents[3])
    assert done.returncode == 1, done.stderr.decode()
    lines = done.stdout.decode("ascii").splitlines()
    assert len(lines) == 3 and r"a face, \xe4.png: face at" in lines[0] and r"odd \udcff.png: no face" in lines[2]
    errors = done.stderr.decode().splitlines()
    assert len(errors) == 2 and "left out" in errors[0] and "broken.jpg is not a picture" in errors[1]


@pytest.mark.parametrize("output", [[], ["--json"], ["--csv", "-"]])
def test_a_reader_that_has_seen_enough(tmp_path, output):
    for i in range(30):
        Image.new("RGB", (48, 48), (i, i, i)).save(tmp_path / f"{i:02d}.png")
    command = [sys.executable, "-m", "fer_demo", "predict", "--whole-image", *output, tmp_path]
    assert "Error" not in left_early(command)


def test_a_reader_that_left_before_the_end():
    # What one short command printed is only written when it ends.
    code = (
        "import argparse, sys, fer_demo.__main__ as program\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.set_defaults(run=lambda args: print('first', flush=True) or sys.stdin.read() or print('second') or 0)\n"
        "program.build_parser = lambda: parser\n"
        "sys.exit(program.main([]))\n"
    )
    assert left_early([sys.executable, "-c", code]) == ""


def left_early(command: list) -> str:
    """Reads one line of what a program prints, closes the pipe as head does, and returns what it says about that."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], env=buffered, **pipes) as program:
        assert program.stdout.readline()
        program.stdout.close()
        program.stdin.close()
        errors = program.stderr.read().decode()
        assert program.wait() == 141
        return errors


def test_usage_shows_how_it_was_called(monkeypatch):
    for called, shown in (
        ("/usr/bin/fer-demo", "fer-demo"),
        (r"fer-demo.exe", "fer-demo"),
        ("/site-packages/fer_demo/__main__.py", "python -m fer_demo"),
        ("/usr/bin/pytest", "python -m fer_demo"),
    ):
        monkeypatch.setattr(sys, "argv", [called])
        assert build_parser().format_usage().startswith(f"usage: {shown} [-h]")
