"""Faces of photographs are cut out as predicting cuts them, and looked for once."""

import json
import multiprocessing
import os

import numpy as np
import pytest
from PIL import Image

from fer_demo import Predictor
from fer_demo.vision import detector as detector_module
from training.__main__ import main
from training.cli.options import load
from training.data import BadRows, DataError
from training.data.detection import FaceCache, Seen, read_faces


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DEMO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "faces"


@pytest.fixture
def photographs(tmp_path, astronaut):
    """Two photographs of a face, one of two faces, and one of none."""
    face = astronaut[:300, 60:360]
    root = tmp_path / "photographs"
    pictures = {
        "happy/a.png": astronaut,
        "happy/b.png": face,
        "sad/two.png": np.hstack([face, np.array(Image.fromarray(face).resize((300, 300)))[:, ::-1]]),
        "sad/sky.png": np.full((200, 200, 3), 150, np.uint8),
    }
    for name, pixels in pictures.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)
    return root


def test_the_crops_are_those_of_predicting(photographs):
    predictor = Predictor("fer_sedense_nano")
    bad = BadRows()
    faces = read_faces(photographs, bad=bad, faces="detect")
    assert faces.images.shape == (3, 1, 48, 48) and faces.labels.tolist() == [3, 3, 4]
    for read, name in zip(faces.images[:, 0], ("happy/a.png", "happy/b.png", "sad/two.png"), strict=True):
        assert np.array_equal(read, predictor.predict(photographs / name)[0].crop), name
    assert bad.faceless == [str(photographs / "sad" / "sky.png")] and bad.several == 1
    said = bad.report()
    assert said[0] == f"left out 1 photograph in which no face was found: {photographs / 'sad' / 'sky.png'}"
    assert said[1] == "photographs with several faces, of which the largest was taken: 1"


def test_a_photograph_without_a_face_can_be_taken_whole(photographs):
    bad = BadRows()
    faces = read_faces(photographs, bad=bad, faces="detect", no_face="as-is", side=30)
    assert faces.images.shape == (4, 1, 30, 30) and bad.whole == 1 and not bad.faceless
    assert bad.report()[0] == "taken whole, since no face was found: 1"


def test_the_second_reading_needs_no_detector(photographs, monkeypatch, cache):
    first = read_faces(photographs, faces="detect")
    monkeypatch.setattr(detector_module, "FaceDetector", None)
    (photographs / "sad" / "two.png").rename(photographs / "sad" / "renamed.png")  # the content counts
    assert read_faces(photographs, faces="detect").fingerprint() == first.fingerprint()
    (file,) = cache.rglob("*.jsonl")
    assert len(file.read_text().splitlines()) == 4 and str(photographs) not in file.read_text()


def test_what_a_kill_left_is_passed_over(photographs, cache):
    whole = read_faces(photographs, faces="detect").fingerprint()
    (file,) = cache.rglob("*.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    known = json.loads(lines[0])
    wrong = [{**known, "size": 3}, {**known, "faces": [{"box": [1]}]}, [], {"file": known["file"]}]
    file.write_text("".join([*(json.dumps(w) + "\n" for w in wrong), lines[1], lines[2][: len(lines[2]) // 2]]))
    assert len(FaceCache(file.parent)._known) == 1
    assert read_faces(photographs, faces="detect").fingerprint() == whole
    assert len(list(cache.rglob("*.jsonl"))) == 2 and len(FaceCache(file.parent)._known) == 4


def test_another_detector_looks_again(photographs, monkeypatch, cache):
    read_faces(photographs, faces="detect")
    monkeypatch.setattr("training.data.detection.version", lambda package: "0")
    read_faces(photographs, faces="detect")
    assert len(list(cache.iterdir())) == 2


def _add(folder, start):
    kept = FaceCache(folder)
    for i in range(start, start + 200):
        kept.add(f"{i}", Seen((10, 10), [{"box": [0, 0, 5, 5], "landmarks": [[1, 2]] * 5, "score": 0.9}]))
    os._exit(0)  # as a kill ends it, without closing anything


@pytest.mark.processes
def test_processes_do_not_meet(tmp_path):
    processes = [multiprocessing.get_context("spawn").Process(target=_add, args=(tmp_path, 200 * i)) for i in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(FaceCache(tmp_path)._known) == 400


def test_a_cache_that_cannot_be_written_is_said(photographs, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    bad = BadRows()
    assert len(read_faces(photographs, bad=bad, faces="detect")) == 3
    assert "faces are not kept" in bad.report()[0]


def test_tables_hold_no_photographs(data):
    with pytest.raises(DataError, match="holds faces that are cut out already, no photographs: leave out --faces"):
        read_faces(data, faces="detect")


def test_audit_names_all_of_them(photographs, capsys):
    assert main(["audit", str(photographs), "--faces", "detect", "--json"]) == 0
    out = capsys.readouterr()
    found = json.loads(out.out)["faces"]
    assert found == {"no_face": [str(photographs / "sad" / "sky.png")], "taken_whole": 0, "several": 1}
    assert "no face was found" in out.err


def test_a_run_remembers_it(photographs, tmp_path, monkeypatch, capsys):
    for name in ("train", "val"):
        (photographs / name).mkdir()
    for folder in ("happy", "sad"):
        (photographs / folder).rename(photographs / "train" / folder)
    (photographs / "val" / "happy").mkdir()
    (photographs / "train/happy/b.png").rename(photographs / "val/happy/b.png")
    run = tmp_path / "run"
    common = ["train", "--data", str(photographs), "--run-dir", str(run), "--no-record", "--quiet"]
    settings = ["epochs=1", "batch_size=2", "sizes=[[0,40]]", "device=cpu", "bf16=off", "threads=1", "lr=0.01"]
    read = []
    monkeypatch.setattr("training.cli.train.load", lambda *a, **k: read.append(load(*a, **k)) or read[-1])
    assert main([*common, "--faces", "detect", "--set", "model=fer_sedense_nano", *settings]) == 0
    assert json.loads((run / "config.json").read_text())["faces"] == "detect" and read[0].images.shape[-1] == 40
    assert main([*common, "--resume", "--faces", "as-is"]) == 2
    assert f"{run} was begun with --faces detect: leave --faces out, or start another run." in capsys.readouterr().err
    assert main([*common, "--resume"]) == 0 and read[1].fingerprint() == read[0].fingerprint()
