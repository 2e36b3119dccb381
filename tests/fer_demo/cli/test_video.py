"""``fer-demo video``: from the arguments to files and exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("av", reason="the video extra is not installed")

from fer_demo.__main__ import main
from fer_demo.cli import video as command
from fer_demo.video import clips

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("clips") / "a clip.mp4"
    path.write_bytes(clips.encode(clips.still(320, 240, seconds=1.0)))
    return str(path)


def usage_error(capsys, *argv) -> str:
    with pytest.raises(SystemExit) as error:
        main(["video", *map(str, argv)])
    out, err = capsys.readouterr()
    assert error.value.code == 2 and out == "" and "Traceback" not in err
    return err.splitlines()[-1]


def test_everything(clip, capsys, tmp_path):
    table = tmp_path / "new folder" / "t.jsonl"
    assert main(["video", clip, "--jsonl", str(table), "--fps", "5", "--end", "0:00.7", "--half-life", "0"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("person 1: 0.6 s from 0:00: ") and "%" in err
    lines = [json.loads(line) for line in table.read_text().splitlines()]
    assert [line["time"] for line in lines] == [0.0, 0.2, 0.4, 0.6]
    assert all(f["raw"] == f["probabilities"] for line in lines for f in line["faces"])
    assert [path.name for path in table.parent.iterdir()] == ["t.jsonl"]


def test_mistakes_are_one_sentence(clip, capsys, tmp_path):
    picture = tmp_path / "picture.mp4"
    picture.write_bytes(b"\xff\xd8\xff\xe0" + bytes(99))
    assert "is a picture, not a video" in usage_error(capsys, picture)
    assert "does not exist" in usage_error(capsys, tmp_path / "none.mp4")
    assert "nothing is fetched" in usage_error(capsys, "https://example.org/a.mp4")
    assert "is no time" in usage_error(capsys, clip, "--start", "soon")
    assert "is no region" in usage_error(capsys, clip, "--region", "1,2,3")
    assert "later than the start" in usage_error(capsys, clip, "--start", 2, "--end", 1)
    assert "must end in" in usage_error(capsys, clip, "--out", tmp_path / "a.gif")
    assert "the video itself" in usage_error(capsys, clip, "--out", clip)
    assert "--resume needs" in usage_error(capsys, clip, "--resume")
    assert "no_such" in usage_error(capsys, clip, "--model", "no_such")


def test_no_frames_between_the_times(clip, capsys, tmp_path):
    assert main(["video", clip, "--start", "50", "--csv", str(tmp_path / "a.csv"), "--quiet"]) == 1
    assert "no frames between the start and the end" in capsys.readouterr().err


def test_without_the_extra(clip, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'fer-demo[video]'" in usage_error(capsys, clip)


def test_predict_points_here(clip, capsys):
    assert main(["predict", clip]) == 1
    assert "read it with `fer-demo video`" in capsys.readouterr().err


def test_the_default_is_the_small_network_that_knows_damaged_pictures():
    from fer_demo.classifier import FaceClassifier

    assert FaceClassifier(command.DEFAULT_MODEL).robust


@pytest.mark.processes
def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(tmp_path):
    path = tmp_path / "long.mp4"
    path.write_bytes(clips.encode(clips.still(320, 240, seconds=8.0)))
    table = tmp_path / "t.jsonl"
    words = [sys.executable, "-m", "fer_demo", "video", str(path), "--jsonl", str(table), "--quiet"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal, until = tmp_path / "t.jsonl.progress", time.monotonic() + 60
    while not (journal.is_file() and journal.stat().st_size > 20_000):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "person 1" in out and "add --resume to go on" in err and "Traceback" not in err
    done = table.read_text().splitlines()
    assert 0 < len(done) < 200 and journal.is_file()
    again = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert again.returncode == 2 and "--resume" in again.stderr
    assert table.read_text().splitlines() == done
    resumed = subprocess.run([*words, "--resume"], env=environment, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    lines = [json.loads(line) for line in table.read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(200)) and not journal.exists()
    assert lines[: len(done)] == [json.loads(line) for line in done]
    assert {f["person"] for line in lines for f in line["faces"]} == {1}
