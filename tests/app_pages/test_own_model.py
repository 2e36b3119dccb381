"""Every page with a model of somebody's own, which tells apart other classes than FER2013's."""

import io
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas
import pytest
from actions import button, open_page, png, texts, upload

import fer_demo.web.shared as predictors
from fer_demo.cache import web_page_dir
from fer_demo.checkpoints import (
    DEFAULT,
    METRICS_FILE,
    ONNX_FILE,
    bundled_checkpoints,
    checkpoint_dir,
    weights_digest,
)
from fer_demo.emotions import LABELS
from fer_demo.figures import MOST_BARS
from fer_demo.predictor import Predictor
from fer_demo.video import clips
from fer_demo.vision.images import OpenedImage
from fer_demo.web.answering import read_now
from fer_demo.web.folder import small
from fer_demo.web.handover import HANDOVER
from fer_demo.web.models import VARIABLE, default_model
from pages.common import folder_tables
from pages.common.own_row import own_row
from tests.fer_demo.own_classes import NAMES, checkpoint

SEVEN = ("FER2013", "seven", "angry", "disgust", "fear", "happy", "surprise")
"""What nothing may say of a model of other classes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("own") / "mine", onnx=True)


@pytest.fixture
def own(folder, new_visit, monkeypatch):
    """A visit of the app whose default model is `folder`."""
    monkeypatch.setenv(VARIABLE, str(folder))
    monkeypatch.setattr(predictors, "_predictors", {})
    monkeypatch.delenv("FER2013_DIR", raising=False)
    return new_visit()


@pytest.fixture
def use(new_visit, monkeypatch):
    """A function that starts a visit with another value of the variable."""

    def start(value: object):
        monkeypatch.setenv(VARIABLE, str(value))
        monkeypatch.setattr(predictors, "_predictors", {})
        return new_visit()

    return start


def box(app, label):
    return next(s for s in app.selectbox if s.label == label)


def html(app) -> str:
    return "\n".join(e.proto.body for e in app.get("html"))


def test_the_package_itself_does_not_look_at_the_variable(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(folder))
    assert Predictor().name == DEFAULT


def test_predict(own, astronaut):
    upload(own, "me.png", png(astronaut))
    assert not own.exception and not own.error
    (face,) = own.session_state["photo"].faces
    assert tuple(face.probabilities) == NAMES
    assert "`mine` answers." in texts(own) and not any(word in texts(own) for word in SEVEN)
    assert "paper's weights" not in " ".join(b.label for b in own.button)
    files = {b.label: b for b in own.get("download_button")}
    assert set(files) == {"Download CSV", "Download JSON"}
    assert "not smiling" in own.session_state["photo"].results.to_csv().splitlines()[0]


def test_explain(own):
    open_page(own, "explain")
    assert not own.exception and not own.error
    assert (
        box(own, "Model").value == "mine"
        and [one.split()[0] for one in box(own, "Model").options[1:]] == bundled_checkpoints()
    )
    assert tuple(box(own, "Explain another expression").options) == NAMES
    box(own, "Explain another expression").select("not smiling").run()
    assert not own.exception and "Why not smiling?" in [h.value for h in own.header]
    assert "No averages come with this model" in texts(own) and "learned" not in texts(own)
    own.session_state["researchers"] = True
    for tab, words in {"Maps": "Why ", "To be believed?": "not measured for this model", "Channels": "shut"}.items():
        own.session_state["researchers_tabs"] = tab
        own.run()
        assert not own.exception and words in texts(own) + " ".join(s.label for s in own.selectbox) + str(
            [s.options for s in own.selectbox]
        )
        assert not any(word in texts(own) for word in SEVEN)


def test_explain_with_another_model_and_back(own):
    open_page(own, "explain")
    box(own, "Model").select(DEFAULT).run()
    assert not own.exception and own.session_state["model"] == DEFAULT
    assert tuple(box(own, "Explain another expression").options) == LABELS
    own.switch_page("pages/predict.py").run()
    assert f"`{DEFAULT}` answers, as you chose." in texts(own)
    button(own, "Back to mine").click().run()
    assert not own.exception and own.session_state["model"] is None and "`mine` answers." in texts(own)


def test_figures_of_other_classes_are_left_out(folder, use, tmp_path):
    """Somebody may have copied files of another checkpoint beside their own weights."""
    mixed = Path(shutil.copytree(folder, tmp_path / "mixed"))
    for file in ("channels.json", "faithfulness.json", "metrics.json"):
        if (checkpoint_dir(DEFAULT) / file).is_file():
            shutil.copy(checkpoint_dir(DEFAULT) / file, mixed)
    app = open_page(use(mixed), "explain")
    app.session_state["researchers"] = True
    for tab in ("To be believed?", "Channels"):
        app.session_state["researchers_tabs"] = tab
        app.run()
        assert not app.exception and "PublicTest" not in texts(app)
    app.switch_page("pages/about.py").run()
    assert not app.exception and "Right on FER2013" not in [m.label for m in app.metric]
    (mixed / "channels.json").write_text("[")
    app.switch_page("pages/explain.py").run()
    app.session_state["researchers"], app.session_state["researchers_tabs"] = True, "Channels"
    app.run()
    assert not app.exception and any("channels.json" in w.value for w in app.warning)


def test_an_onnx_file_is_not_explained_but_used(use, folder):
    app = open_page(use(folder / ONNX_FILE), "explain")
    assert not app.exception and any("insides cannot be explained" in i.value for i in app.info)
    app.session_state["question"] = "Side by side"
    app.switch_page("pages/tradeoffs.py").run()
    assert not app.exception and "different classes" in texts(app) and "An ONNX file" in texts(app)


def in_the_folder(app, pictures) -> tuple:
    """Puts photos into the visitor's folder as the widget does, and opens the page."""
    app.run()
    with ThreadPoolExecutor(1) as thread:  # in the tests' own, Playwright's event loop may be running
        answers = list(
            thread.map(lambda i: read_now(OpenedImage.of(pictures[i]), f"{i}.png", "me"), range(len(pictures)))
        )
    smalls = [small(one.faces.file, one) for one in answers]
    sid = app.session_state["sid"]
    assert HANDOVER.append(sid, smalls, 0, most=10, originals=10**6, group="a") is not None
    return open_page(app, "folder"), answers


def test_folder(own, folder, astronaut):
    app, answers = in_the_folder(own, [astronaut, astronaut[:, ::-1].copy(), astronaut[:60, :60].copy()])
    assert not app.exception and not app.error
    label = answers[0].faces[0].label
    assert label in app.segmented_control[0].options and "no face" in app.segmented_control[0].options
    assert "answered by mine" in texts(app) and not any(word in texts(app) for word in SEVEN)
    assert set(NAMES) <= set(HANDOVER.folder(app.session_state["sid"]).labels)
    held = HANDOVER.folder(app.session_state["sid"])
    read = pandas.read_csv(io.BytesIO(folder_tables.written(held, ".csv")))
    assert set(NAMES) <= set(read.columns) and "happy" not in read.columns and len(read) == 3
    assert list(pandas.read_parquet(io.BytesIO(folder_tables.written(held, ".parquet"))).columns) == list(read.columns)
    app.segmented_control[0].set_value(["no face"]).run()
    assert not app.exception and len([m for m in app.markdown if m.value.startswith("**no face")]) == 1


def test_tradeoffs(own, folder):
    open_page(own, "tradeoffs")
    assert not own.exception and not own.error and "`mine`, which answers on the other pages" in texts(own)
    assert "which answers on the Predict page" not in texts(own)
    tables = [d.value for d in own.dataframe if "checkpoint" in d.value]
    (line,) = [row for table in tables for _, row in table.iterrows() if row["system"] == "mine"]
    assert line["data"] == "its own" and pandas.isna(line["accuracy"]) and line["file_bytes"] > 0
    assert line["parameters"] > 0 and pandas.isna(line["latency"])
    own.session_state["question"] = "Side by side"
    own.run()
    assert not own.exception and not own.error
    assert own.multiselect(key="compared").value == ["mine", bundled_checkpoints()[0]]
    assert "They answer for **different classes**: `mine` says" in texts(own)


def test_accuracies_of_the_table_are_the_models_own(folder, tmp_path, use):
    copy = Path(shutil.copytree(folder, tmp_path / "mine"))
    for content, expected in (
        ({"PrivateTest": {"accuracy": 0.75, "interval": [0.7, 0.8], "n": 10}}, 0.75),
        ({"PrivateTest": {"accuracy": 75}}, None),
        ({"PrivateTest": []}, None),
    ):
        (copy / METRICS_FILE).write_text(json.dumps(content))
        app = use(copy)
        assert own_row(default_model())["accuracy"] == expected
    (copy / METRICS_FILE).write_text(json.dumps({"PrivateTest": {"accuracy": 0.75, "interval": [0.7, 0.8], "n": 10}}))
    open_page(app, "about")
    assert not app.exception and [m.label for m in app.metric] == ["Right on its test pictures"]


def test_robustness_about_and_api(own):
    open_page(own, "robustness")
    assert not own.exception and not own.error and any("`mine`" in i.value for i in own.info)
    own.switch_page("pages/about.py").run()
    assert not own.exception and not own.metric and "no figures of its own" in texts(own)
    assert "The model: mine" in [h.value for h in own.header] and "4 classes: smiling, not smiling" in texts(own)
    own.switch_page("pages/api.py").run()
    assert not own.exception and "`mine`, " in texts(own) and "`not smiling`" in texts(own)
    own.switch_page("pages/training.py").run()
    assert not own.exception


def test_live(own, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("FER_DEMO_CACHE", str(tmp_path))
    page = web_page_dir()
    page.mkdir(parents=True)
    for name in ("index.html", "live.html"):
        (page / name).write_text("")

    def exported(name: str, digest: str) -> str:
        about = {"name": name, "digest": digest}
        (page / "model.json").write_text(json.dumps(about | {"models": [about]}))
        open_page(own, "live")
        assert not own.exception
        return own.get("iframe")[0].proto.src

    assert "/camera/" in exported(DEFAULT, "a")  # of another model: pictures go to the server
    assert "/camera/" in exported("mine", "of other weights")
    assert "model=mine" in exported("mine", weights_digest(folder))
    monkeypatch.delenv(VARIABLE)
    assert "/camera/" in exported("mine", weights_digest(folder)) and "/browser/" in exported(DEFAULT, "a")


@pytest.mark.parametrize("count", [2, 20])
def test_few_and_many_classes(count, use, tmp_path, astronaut):
    names = tuple(f"expression {i}" for i in range(count))
    app = use(checkpoint(tmp_path / "other", names, onnx=True))
    upload(app, "me.png", png(astronaut))
    assert not app.exception and not app.error
    assert (f"The {MOST_BARS} most probable of 20 classes." in texts(app)) == (count == 20)
    in_the_folder(app, [astronaut])
    assert not app.exception and ("1 of 20 classes: those that photos count as" in texts(app)) == (count == 20)
    app.session_state["question"] = "Side by side"
    app.switch_page("pages/tradeoffs.py").run()
    assert not app.exception and not app.error
    app.switch_page("pages/robustness.py").run()
    assert not app.exception and not app.error


@pytest.mark.parametrize("page", ["predict", "explain", "folder", "live", "api", "robustness", "tradeoffs", "about"])
def test_a_model_that_is_gone_meanwhile_is_one_sentence_on_every_page(page, use, tmp_path):
    app = use(tmp_path / "nothing")
    app.run()
    app.switch_page(f"pages/{page}.py").run()
    if page == "predict":
        button(app, "Eileen Collins").click().run()
    assert not app.exception
    assert page == "folder" or any(e.value.startswith(VARIABLE.replace("_", "\\_")) for e in app.error)


def test_a_bundled_name_is_the_default_too(use):
    name = "fer_sedense_nano.photos_fer2013"
    app = open_page(use(name), "about")
    assert not app.exception and [h.value.replace("\\", "") for h in app.header] == [f"The model: {name}"]


@pytest.mark.processes
def test_video(own):
    pytest.importorskip("av", reason="the video extra is not installed")
    open_page(own, "video")
    own.file_uploader[0].set_value(("clip.mp4", clips.encode(clips.pan(1.0)), "video/mp4")).run()
    deadline = time.monotonic() + 120
    while "video job" in own.session_state:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        own.run()
    assert not own.exception and "`mine` answered" in texts(own)
    assert all(f"</span> {name}</span>" in html(own) for name in NAMES) and "happy" not in html(own) + texts(own)
