"""Whole runs, by the function and by the command: what is written, and what a stop costs."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from fer_demo.__main__ import main
from fer_demo.batch import Settings, StateError, run
from fer_demo.batch.state import journal_path
from fer_demo.checkpoints import bundled_checkpoints

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not bundled_checkpoints(), reason="no trained checkpoint is bundled"),
]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path, astronaut) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    Image.fromarray(astronaut[:300, 50:400]).save(root / "a.jpg")
    (root / "bad.jpg").write_text("no picture")
    Image.new("RGB", (64, 48), "gray").save(root / "none.png")
    (root / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 40)
    (root / "notes.txt").write_text("x")
    return root


@pytest.fixture
def many(tmp_path) -> Path:
    """Enough for a run to be stopped in its middle."""
    root = tmp_path / "many"
    root.mkdir()
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "gray").save(file, "PNG")
    for number in range(400):
        (root / f"{number:04}.png").write_bytes(file.getvalue())
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_command(folder, tmp_path, capsys):
    out = tmp_path / "out.csv"
    command = ["batch", str(folder), "--out", str(out), "--copy-to", f"{folder}/sorted/{{label}}", "--processes", "1"]
    assert main(command) == 1
    said = capsys.readouterr()
    found = rows(out)
    assert [(Path(row["file"]).name, row["status"]) for row in found] == [
        ("a.jpg", "face"),
        ("bad.jpg", "error"),
        ("clip.mp4", "error"),
        ("none.png", "no face"),
    ]
    assert "a video (MP4)" in said.err and "bad.jpg is not a picture" in said.err and "1 file that is no" in said.err
    assert "4 pictures, 1 faces, 2 not readable, 4 rows" in said.out and "Copied 2 pictures" in said.out
    assert (folder / "sorted" / found[0]["label"] / "a.jpg").is_file() and not journal_path(out).exists()
    assert main(command) == 1  # the copies inside are not taken for pictures
    assert len(rows(out)) == 4 and len(list((folder / "sorted").rglob("*.jpg"))) == 1


def test_predict_tells_of_what_is_no_picture_too(folder, capsys):
    assert main(["predict", "--whole-image", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "clip.mp4 is a video (MP4)" in said and "1 file that is no picture, or is hidden, was left out." in said


def test_where_and_json_lines(folder, tmp_path):
    out = tmp_path / "out.jsonl"
    summary = run([folder], out, where="faces==0", processes=1)
    assert (summary.pictures, summary.faces, summary.failed, summary.rows, summary.left_out) == (4, 1, 2, 3, 1)
    assert [json.loads(line)["status"] for line in out.read_text().splitlines()] == ["error", "error", "no face"]


def test_a_kept_state_reads_new_pictures_alone(folder, tmp_path):
    out, read = tmp_path / "out.csv", []
    settings = Settings(whole_image=True)
    run([folder], out, settings=settings, keep_state=True, processes=1, on_answer=read.append)
    Image.new("RGB", (64, 48), "gray").save(folder / "new.png")
    summary = run([folder], out, settings=settings, keep_state=True, processes=1, on_answer=read.append)
    assert [Path(answer.name).name for answer in read[4:]] == ["new.png"]
    assert (summary.before, summary.pictures) == (4, 5) and len(rows(out)) == 5
    with pytest.raises(StateError, match="whole image"):
        run([folder], out, processes=1)


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "fer_demo", "batch", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def wait_for_lines(path: Path, number: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < number:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)


def test_kill_9_at_any_time_loses_nothing_and_repeats_nothing(many, tmp_path):
    out = tmp_path / "out.csv"
    arguments = [many, "--out", out, "--whole-image", "--processes", "2", "--copy-to", tmp_path / "copies"]
    noted: list[int] = []
    for lines in (1, 20, 80):
        process = start(*arguments)
        wait_for_lines(journal_path(out), sum(noted[-1:]) + lines, process)
        process.kill()
        process.communicate()
        assert not out.exists()
        noted.append(journal_path(out).read_bytes().count(b"\n"))
    process = start(*arguments, "--resume")
    said = process.communicate()[0]
    assert process.returncode == 0
    before = int(re.search(r"(\d+) of them read before", said)[1])
    assert noted[-1] - 1 <= before < 400
    assert [Path(row["file"]).name for row in rows(out)] == [f"{number:04}.png" for number in range(400)]
    assert not journal_path(out).exists()
    # Every picture has the same bytes and a name of its own.
    copies = [path.name for path in (tmp_path / "copies").iterdir() if not path.name.startswith(".")]
    assert sorted(copies) == [f"{number:04}.png" for number in range(400)]


def test_ctrl_c_says_how_to_go_on(many, tmp_path):
    out = tmp_path / "out.csv"
    process = start(many, "--out", out, "--whole-image", "--processes", "1")
    wait_for_lines(journal_path(out), 10, process)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130 and "Traceback" not in said
    assert f"is in {journal_path(out)}; the same command goes on from there." in said.splitlines()[-1]
    assert journal_path(out).exists() and not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing", "--out", "o.csv"], "missing does not exist"),
        ([".", "--out", "o.xlsx"], "must end in one of .parquet, .csv, .jsonl"),
        ([".", "--out", "o.csv", "--where", "joy>1"], "there is no 'joy'"),
        ([".", "--out", "o.csv", "--copy-to", "x/{name}"], "alone in braces"),
        ([".", "--out", "o.csv", "--processes", "0"], "must be 1 or more"),
        ([".", "--out", "o.csv", "--seconds", "nan"], "must be more than 0"),
        ([".", "--out", "o.csv", "--resume"], "there is no run to go on with"),
        (["--out", "o.csv"], "No pictures are given"),
        (["--out", "o.csv", "--ray", "a.png"], "a.png is a source"),
        (["a.png", "--out", "o.csv", "--model", "no_such"], "no_such"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (9, 9)).save("a.png")
    with pytest.raises(SystemExit) as error:
        main(["batch", *arguments])
    said = capsys.readouterr()
    assert error.value.code == 2 and words in said.err.splitlines()[-1] and "Traceback" not in said.err
    assert sorted(os.listdir()) == ["a.png"]


@pytest.mark.parametrize("step", ["add", "_fill"])
def test_a_full_disk_keeps_the_state(folder, tmp_path, capsys, monkeypatch, step):
    from fer_demo.batch import copying
    from fer_demo.batch.state import Journal

    place = Journal if step == "add" else copying
    real, calls = getattr(place, step), []

    def full(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(place, step, full)
    out = tmp_path / "out.csv"
    command = ["batch", str(folder), "--out", str(out), "--whole-image", "--copy-to", str(tmp_path / "copies")]
    assert main([*command, "--processes", "1"]) == 1
    said = capsys.readouterr().err
    assert "cannot be written (No space left on device)" in said and "goes on from there" in said
    assert not out.exists() and journal_path(out).exists()
    assert main([*command, "--processes", "1"]) == 1 and len(rows(out)) == 4
