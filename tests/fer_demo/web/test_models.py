"""Which models the application offers, and the one that its owner names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the app extra is not installed")
import fer_demo.web.shared as shared
from fer_demo import ModelError, Predictor
from fer_demo.checkpoints import DEFAULT, ONNX_FILE, bundled_checkpoints, checkpoint_dir, weights_digest
from fer_demo.prediction import FacePrediction
from fer_demo.results import FaceResults
from fer_demo.vision.images import OpenedImage
from fer_demo.web import video_desk
from fer_demo.web.answering import Answer
from fer_demo.web.folder import all_labels, order
from fer_demo.web.models import VARIABLE, default_model, find, model_names
from tests.fer_demo.own_classes import NAMES, checkpoint

ROOT = Path(__file__).parents[3]
BUNDLED = "fer_sedense_nano.photos_fer2013"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("own") / "mine", onnx=True)


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    monkeypatch.setattr(shared, "_predictors", {})
    monkeypatch.delenv(VARIABLE, raising=False)


def test_without_the_variable(monkeypatch):
    assert default_model().name == DEFAULT and model_names() == bundled_checkpoints()
    monkeypatch.setenv(VARIABLE, " ")
    assert default_model().name == DEFAULT


def test_a_folder(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(folder))
    own = default_model()
    assert (own.name, own.source, own.own, own.labels) == ("mine", str(folder), True, NAMES)
    assert model_names() == ["mine", *bundled_checkpoints()] and find("mine") == find(None) == own
    assert own.explainable and not own.of_fer2013
    assert shared.shared_predictor().labels == NAMES and shared.shared_predictor("mine") is shared.shared_predictor()
    assert shared.shared_predictor(BUNDLED).name == BUNDLED


def test_a_relative_folder_is_found_from_elsewhere(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv(VARIABLE, "mine")
    source = default_model().source
    monkeypatch.chdir(tmp_path)
    assert Predictor(source).labels == NAMES


def test_an_onnx_file(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(folder / ONNX_FILE))
    own = default_model()
    assert own.own and own.labels == NAMES and not own.explainable
    assert shared.shared_predictor().labels == NAMES


def test_a_bundled_name_or_architecture_or_folder(monkeypatch):
    for value in (BUNDLED, str(checkpoint_dir(BUNDLED))):
        monkeypatch.setenv(VARIABLE, value)
        assert (default_model().name, default_model().own) == (BUNDLED, False)
        assert model_names() == bundled_checkpoints()
    monkeypatch.setenv(VARIABLE, "fer_sedense_s2")
    assert default_model().name == "fer_sedense_s2.tune_fer2013"


def test_a_model_called_like_a_bundled_one_is_told_from_it(folder, monkeypatch, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "mine" / BUNDLED)
    monkeypatch.setenv(VARIABLE, str(copy))
    assert default_model().name == f"mine/{BUNDLED}" and not default_model().of_fer2013
    assert find(BUNDLED).source == BUNDLED and shared.shared_predictor(BUNDLED).labels != NAMES
    assert shared.shared_predictor().labels == NAMES


@pytest.mark.parametrize("value", ["nothing", "nothing.onnx", "{empty}"])
def test_a_wrong_value_is_one_sentence(value, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, value.format(empty=tmp_path))
    with pytest.raises(ModelError, match=f"^{VARIABLE}: ") as error:
        shared.check_default()
    assert "\n" not in str(error.value)


@pytest.mark.processes
def test_a_wrong_value_ends_the_server_with_its_sentence(tmp_path):
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", "0", "--server.headless=true"]
    environment = os.environ | {VARIABLE: str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    said = (done.stdout + done.stderr).splitlines()
    assert done.returncode != 0 and sum(VARIABLE in line for line in said) == 1 and "Traceback" not in "".join(said)


def test_the_digest_tells_other_weights_and_names(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "mine"))
    assert weights_digest(copy) == weights_digest(folder) != weights_digest(BUNDLED)
    config = copy / "config.json"
    config.write_text(config.read_text("utf-8").replace("contempt", "disdain"), "utf-8")
    assert weights_digest(copy) != weights_digest(folder)
    with pytest.raises(ModelError):
        weights_digest(tmp_path / "nothing.onnx")


def test_the_order_of_what_photos_count_as():
    assert all_labels([]) == all_labels([("sad", "angry", "disgust", "fear", "happy", "neutral", "surprise")])
    assert all_labels([NAMES, NAMES]) == NAMES and order(NAMES)[:4] == NAMES
    assert all_labels([NAMES, ("neutral", "happy")]) == (*NAMES, "happy")


@pytest.mark.parametrize("count", [4, 20])
def test_the_cameras_bars(count, monkeypatch):
    pytest.importorskip("gradio", reason="the app extra is not installed")
    from fer_demo.web.camera import show

    names = NAMES if count == 4 else tuple(f"this & that {i}" for i in range(count))
    crop = np.full((48, 48), 128, np.uint8)
    likely = {name: (i + 1) / sum(range(count + 1)) for i, name in enumerate(names)}
    face = FacePrediction((0.0, 0.0, 48.0, 48.0), None, None, likely, crop, None, names[-1:])
    answer = Answer(
        OpenedImage.of(np.zeros((48, 64, 3), np.uint8)), FaceResults([face], file=None, width=64, height=48)
    )
    shown = show(answer)
    assert shown.count("<dt>") == min(count, 12) and ("The 12 most probable of 20 classes." in shown) == (count == 20)
    assert "this & that" not in shown


@pytest.mark.processes
def test_a_video_is_read_by_it(folder, monkeypatch):
    pytest.importorskip("av", reason="the video extra is not installed")
    from fer_demo.video import clips

    monkeypatch.setenv(VARIABLE, str(folder))
    desk = video_desk.VideoDesk()
    try:
        job = desk.start(clips.encode(clips.pan(1.0)), "clip.mp4", "me")
        assert job.wait(120) and job.result is not None, job.problem
        assert job.result.model == "mine" and job.result.labels == NAMES
        assert set(NAMES) <= set(job.result.file("csv").decode().splitlines()[0].split(","))
        person, *_ = job.result.summary["persons"]
        assert set(person["share"]) == {*NAMES, "unsure"}
    finally:
        desk.close()
