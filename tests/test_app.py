"""The pages, run by Streamlit's own test runner, with a network of random weights."""

import io
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

pytest.importorskip("streamlit", reason="the app extra is not installed")
from streamlit.testing.v1 import AppTest

import fer_demo.predictors as predictors
from fer_demo.emotions import DISCLAIMER
from fer_demo.handover import HANDOVER, Delivery
from fer_demo.predictor import ModelError, Predictor
from fer_demo.weights import bundled_checkpoints, checkpoint_metrics

APP = str(Path(__file__).parent.parent / "app.py")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(timm.create_model("fer_sedense_s2"))


@pytest.fixture
def app(predictor, monkeypatch) -> AppTest:
    monkeypatch.setattr(predictors, "_predictors", {None: predictor})
    return AppTest.from_file(APP, default_timeout=60)


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def upload(app: AppTest, name: str, data: bytes) -> AppTest:
    app.session_state["source"] = "File"
    app.run()
    return app.file_uploader[0].set_value((name, data, "image/png")).run()


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label == label)


def texts(app: AppTest) -> str:
    return "\n".join(e.value for kind in (app.markdown, app.caption, app.title, app.subheader) for e in kind)


def test_the_page_opens_with_a_sample(app):
    app.run()
    assert not app.exception and not app.error
    assert DISCLAIMER in texts(app)
    photo = app.session_state["photo"]
    assert photo.name == "astronaut.png" and len(photo.faces) == 1
    assert "48 × 48 grey pixels" in texts(app) and "Eileen Collins" in texts(app)
    assert [b.label for b in app.get("download_button")] == ["Download CSV", "Download JSON"]


def test_samples_are_one_click_away(app):
    app.run()
    button(app, "Grace Hopper").click().run()
    assert app.session_state["photo"].name == "grace_hopper.jpg" and not app.exception


def test_an_uploaded_photo_is_shown(app, astronaut):
    upload(app, "me [1].png", png(astronaut[:, :400]))
    assert not app.exception and not app.error
    photo = app.session_state["photo"]
    assert photo.name == "me [1].png" and photo.image.shape == (512, 400, 3) and len(photo.faces) == 1
    assert "400 × 512 pixels" in texts(app)


def test_a_bad_upload_is_one_sentence_and_the_last_photo_stays(app):
    upload(app, "notes.png", b"not a photo")
    (error,) = app.error
    assert error.value.startswith("notes.png is not a picture") and not app.exception
    assert app.session_state["photo"].name == "astronaut.png"
    button(app, "Grace Hopper").click().run()
    assert not app.error


def test_no_face_and_the_whole_picture(app):
    upload(app, "wall.png", png(np.full((200, 300, 3), 128, np.uint8)))
    assert "No face found on this photo" in texts(app) and "larger" in texts(app)
    button(app, "Use the whole picture as one face").click().run()
    (face,) = app.session_state["photo"].faces
    assert face.box == (0, 0, 300, 200) and not app.exception
    assert "the whole picture as one face" in texts(app)


def test_a_face_can_be_chosen(app, astronaut):
    upload(app, "two.png", png(np.hstack([astronaut, astronaut])))
    assert len(app.session_state["photo"].faces) == 2 and app.session_state["face"] == 0
    button(app, "Show in the photo").click().run()
    assert app.session_state["face"] == 1 and not app.exception


def test_many_faces_are_folded(app, predictor, astronaut):
    app.run()
    (face,) = predictor.predict(astronaut)
    sid = app.session_state["sid"]
    HANDOVER.put(sid, Delivery("crowd.jpg", astronaut, [face] * 20))
    app.run()
    shown = texts(app).count("grey pixels")
    assert app.session_state["photo"].name == "crowd.jpg" and 0 < shown < 20
    app.toggle[0].set_value(True).run()
    assert texts(app).count("grey pixels") == 20 and not app.exception


def test_a_missing_model_is_one_sentence(app, monkeypatch):
    def none_bundled(*_, **__):
        raise ModelError("No trained model is bundled.")

    monkeypatch.setattr(predictors, "_predictors", {})
    monkeypatch.setattr(predictors, "Predictor", none_bundled)
    app.run()
    assert [e.value for e in app.error] == ["No trained model is bundled."] and not app.exception
    app.switch_page("pages/about.py").run()
    assert [e.value for e in app.error] == ["No trained model is bundled."] and not app.exception


def test_about(app):
    app.run()
    app.switch_page("pages/about.py").run()
    assert not app.exception
    for words in (DISCLAIMER, "at work and in education is forbidden", "2024/1689", "no telemetry"):
        assert words in texts(app)
    assert app.session_state["photo"].name == "astronaut.png"  # travels with the visitor


@pytest.mark.parametrize("path", ["pages/predict.py", "pages/tradeoffs.py", "pages/about.py"])
def test_pages_are_short(path):
    assert len((Path(APP).parent / path).read_text(encoding="utf-8").splitlines()) <= 120


def test_the_widget_is_embedded_with_this_visitors_ticket(app):
    app.run()
    other = AppTest.from_file(APP, default_timeout=60).run()
    (frame,) = app.get("iframe")
    sid = app.session_state["sid"]
    assert frame.proto.src.startswith(f"/upload/?sid={sid}") and HANDOVER.renew(sid)
    assert other.session_state["sid"] != sid


def test_a_ticket_that_ran_out_is_replaced(app, monkeypatch):
    app.run()
    old = app.session_state["sid"]
    now = HANDOVER.clock()
    monkeypatch.setattr(HANDOVER, "clock", lambda: now + HANDOVER.ticket_seconds + 1)
    app.run()
    new = app.session_state["sid"]
    assert new != old and HANDOVER.renew(new) and not HANDOVER.renew(old)


def open_page(app: AppTest, name: str) -> AppTest:
    app.run()
    return app.switch_page(f"pages/{name}.py").run()


def test_training_page(app):
    open_page(app, "training")
    assert not app.exception and not app.error
    assert app.title[0].value == "How it was trained"
    assert any(str(row) for row in app.dataframe[0].value["run"])
    assert len(app.get("plotly_chart")) >= 4  # curves, confusion, calibration, recall
    assert "95 % interval" in texts(app)


def test_training_page_lays_two_sets_of_answers_side_by_side(app):
    open_page(app, "training")
    alone = len(app.get("plotly_chart"))
    second = app.selectbox(key="second")
    second.select(second.options[1] if second.options[0] == "no others" else second.options[0]).run()
    assert not app.exception and len(app.get("plotly_chart")) == alone + 1


def test_training_page_without_records(app, tmp_path, monkeypatch):
    import training.runlog

    monkeypatch.setattr(training.runlog, "RUNS", tmp_path)
    monkeypatch.setattr(training.runlog, "read_runs", lambda: [])
    open_page(app, "training")
    assert not app.exception and "No runs are recorded yet" in app.info[0].value


def test_a_link_to_a_page_works_before_the_first_visit():
    """Streamlit would otherwise serve the bare file to whoever comes first after a start."""
    import importlib

    from streamlit.runtime.pages_manager import PagesManager

    PagesManager.uses_pages_directory = None
    importlib.reload(importlib.import_module("app"))
    assert PagesManager.uses_pages_directory is False


def test_explain_page(app):
    open_page(app, "explain")
    assert not app.exception and not app.error
    assert "Why " in texts(app) and "The network's answer" in texts(app)
    assert len(app.get("plotly_chart")) == 4  # hover, curves, gates, effect
    method = next(s for s in app.selectbox if s.label == "Method")
    method.select("integrated_gradients").run()
    assert not app.exception and "Completeness" in texts(app)
    assert not [s for s in app.selectbox if s.label == "Layer"]
    next(s for s in app.selectbox if s.label == "rather than").select("sad").run()
    assert not app.exception and "rather than sad?" in texts(app) and "Why sad? (" in texts(app)
    assert [b.label for b in app.get("download_button")] == ["Download PNG", "Download report"]


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_channels_of_every_checkpoint(name, app, monkeypatch):
    """Blocks may be of different widths: a channel that only the last has is left behind for the first."""
    monkeypatch.setattr(predictors, "_predictors", {None: Predictor(name, threads=1)})
    open_page(app, "explain")
    assert not app.exception and not app.error

    def box(label):
        return next(s for s in app.selectbox if s.label == label)

    first, last = box("Block").options[0], box("Block").options[-1]
    many = len(box("Block").select(last).run() and box("Channel").options)
    box("Channel").select_index(many - 1).run()
    assert not app.exception and f"Channel {many - 1} of {last}" in texts(app)
    box("Block").select(first).run()
    few = len(box("Channel").options)
    assert not app.exception and f"Channel {many - 1 if few == many else 0} of {first}" in texts(app)
    compare = next(s for s in app.segmented_control if s.label == "Show")
    compare.set_value(compare.options[1]).run()
    assert not app.exception


def test_explain_page_without_a_face(app):
    upload(app, "wall.png", png(np.full((200, 200, 3), 90, np.uint8)))
    app.switch_page("pages/explain.py").run()
    assert not app.exception and "no face to explain yet" in app.info[0].value


def test_gallery_of_a_labelled_set(app, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    data = tmp_path / "fer2013.npz"
    usage = np.repeat(["Training", "PublicTest", "PrivateTest"], 14)
    np.savez(data, images=rng.integers(0, 256, (42, 48, 48), np.uint8), label=np.arange(42) % 7, usage=usage)
    monkeypatch.setenv("FER2013_DIR", str(tmp_path))
    open_page(app, "explain")
    button(app, "Look at them").click().run()
    assert not app.exception and not app.error
    assert "Where it was surest and wrong" in texts(app) and "happy (2)" in texts(app)
    assert "taken for" in texts(app)


def test_gallery_says_what_it_needs(app, monkeypatch, tmp_path):
    monkeypatch.delenv("FER2013_DIR", raising=False)
    open_page(app, "explain")
    assert "environment variable FER2013_DIR" in texts(app)
    monkeypatch.setenv("FER2013_DIR", str(tmp_path / "nothing"))
    open_page(app, "explain")
    button(app, "Look at them").click().run()
    assert not app.exception and "There is no" in app.error[0].value


@pytest.fixture
def tradeoffs(app, monkeypatch, tmp_path) -> AppTest:
    monkeypatch.setenv("FER_DEMO_CACHE", str(tmp_path / "cache"))
    return open_page(app, "tradeoffs")


def test_tradeoffs_page(tradeoffs):
    assert not tradeoffs.exception and not tradeoffs.error
    assert tradeoffs.title[0].value == "What do 0.48 million parameters buy?"
    shown = texts(tradeoffs)
    for words in (
        "70.7\N{NO-BREAK SPACE}% on FER2013",
        "12,771 training pictures",
        "156 times fewer",
        "not measured yet",
    ):
        assert words in shown
    assert len(tradeoffs.get("plotly_chart")) >= 3  # two data sets, the ingredients of the training
    tables = [d.value for d in tradeoffs.dataframe]
    assert any("Tang 2013" in list(t["system"]) and "published accuracy" in t for t in tables if "system" in t)
    assert any(i.value.startswith("The limit on latency is left out") for i in tradeoffs.info)
    assert "Download CSV" in [b.label for b in tradeoffs.get("download_button")]


def test_tradeoffs_filters_and_axes(tradeoffs):
    charts = len(tradeoffs.get("plotly_chart"))
    tradeoffs.pills(key="sets").set_value(["fer2013"]).run()
    assert not tradeoffs.exception and len(tradeoffs.get("plotly_chart")) == charts - 1
    tradeoffs.selectbox(key="x").select("latency").run()
    assert not tradeoffs.exception and any("Speeds need to be measured" in i.value for i in tradeoffs.info)
    tradeoffs.selectbox(key="x").select("macs").run()
    tradeoffs.pills(key="kinds").set_value([]).run()
    assert not tradeoffs.exception and any("Nothing is chosen" in i.value for i in tradeoffs.info)


def test_the_calculator_answers_and_says_what_would_help(tradeoffs):
    ours = f"{max(checkpoint_metrics(n)['PrivateTest']['accuracy'] for n in bundled_checkpoints()):.1%}"[:-1]
    assert f"Most accurate: **{ours}" in texts(tradeoffs)
    tradeoffs.number_input(key="limit file_bytes").set_value(0.1).run()
    assert not tradeoffs.exception and "without the one on file size: 71.9" in texts(tradeoffs)
    tradeoffs.number_input(key="limit file_bytes").set_value(1000.0).run()
    tradeoffs.number_input(key="limit macs").set_value(1000.0).run()
    assert "Most accurate: **72.7" in texts(tradeoffs)
    assert f"With weights that you can use here: **{ours}" in texts(tradeoffs)


def test_a_card_loads_its_checkpoint_on_the_other_pages(tradeoffs, predictor, monkeypatch):
    monkeypatch.setitem(predictors._predictors, "fer_sedense_s2.fer2013", predictor)
    tradeoffs.selectbox(key="system").select("fer_sedense_s2.fer2013").run()
    assert "60 + 24 epochs of SGD" in texts(tradeoffs)
    button(tradeoffs, "Use it on Predict").click().run()
    assert not tradeoffs.exception and tradeoffs.session_state["model"] == "fer_sedense_s2.fer2013"
    tradeoffs.switch_page("pages/explain.py").run()
    assert "`fer_sedense_s2.fer2013` answers, as you chose." in texts(tradeoffs)
    button(tradeoffs, "Back to the best one").click().run()
    assert tradeoffs.session_state["model"] is None and "as you chose" not in texts(tradeoffs)


def test_the_widgets_photo_is_read_by_the_chosen_checkpoint(app, predictor, astronaut, monkeypatch):
    torch.manual_seed(1)
    other = Predictor(timm.create_model("fer_sedense_s2"))
    monkeypatch.setitem(predictors._predictors, "other", other)
    app.session_state["model"] = "other"
    app.run()
    (face,) = predictor.predict(astronaut)
    HANDOVER.put(app.session_state["sid"], Delivery("mine.jpg", astronaut, [face]))
    app.run()
    (found,) = app.session_state["photo"].faces
    assert app.session_state["photo"].name == "mine.jpg"
    assert found.probabilities == other.predict(astronaut)[0].probabilities != face.probabilities


def test_speeds_are_measured_once_and_kept(tradeoffs, monkeypatch):
    import fer_demo.tradeoffs.timing as timing
    from fer_demo.tradeoffs import Spread, Timing, network_costs

    def quick(model, size, *, tick, **_):
        tick()
        return Timing(Spread(0.004, 0.003, 0.005), Spread(300.0, 290.0, 310.0), network_costs(model, size).macs)

    monkeypatch.setattr(timing, "time_network", quick)
    button(tradeoffs, "Measure speed on this machine").click().run()
    assert not tradeoffs.exception and "networks measured" in texts(tradeoffs)
    assert timing.cache_file().is_file() and [b.label for b in tradeoffs.button if b.label == "Measure again"]
    assert not any("limit on latency" in i.value for i in tradeoffs.info)
    assert "4.00\N{NO-BREAK SPACE}ms (3 to 5)" in texts(tradeoffs)


def test_models_are_laid_side_by_side(app, predictor, monkeypatch):
    import pages.common.side_by_side as part

    torch.manual_seed(1)
    other = Predictor(timm.create_model("fer_sedense_nano"))
    monkeypatch.setattr(part, "bundled_checkpoints", lambda: ["fer_sedense_s2.a", "fer_sedense_nano.b"])
    for name, one in {"fer_sedense_s2.a": predictor, "fer_sedense_nano.b": other}.items():
        monkeypatch.setitem(predictors._predictors, name, one)
    open_page(app, "tradeoffs")
    assert not app.exception and not app.error
    assert "They are furthest apart on" in texts(app) and texts(app).count(" ms.") == 2
    app.multiselect(key="compared").set_value(["fer_sedense_s2.a"]).run()
    assert not app.exception and any("at least two models" in i.value for i in app.info)
    monkeypatch.setattr(part, "bundled_checkpoints", lambda: ["fer_sedense_s2.a"])
    app.run()
    assert not app.exception and any("two trained models are needed" in i.value for i in app.info)
