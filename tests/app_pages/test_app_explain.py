"""The Explain page and its averages over labelled faces."""

import numpy as np
import pytest
from actions import button, open_page, png, texts, upload

import fer_demo.web.shared as predictors
from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.predictor import Predictor


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


def test_class_averages_of_a_labelled_set(app, tmp_path, monkeypatch):
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


def test_class_averages_say_what_they_need(app, monkeypatch, tmp_path):
    monkeypatch.delenv("FER2013_DIR", raising=False)
    open_page(app, "explain")
    assert "environment variable FER2013_DIR" in texts(app)
    monkeypatch.setenv("FER2013_DIR", str(tmp_path / "nothing"))
    open_page(app, "explain")
    button(app, "Look at them").click().run()
    assert not app.exception and "There is no" in app.error[0].value
