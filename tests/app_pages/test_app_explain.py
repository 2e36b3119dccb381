"""The Explain page: the sentence, the map and what is computed only when somebody opens it."""

import re
import shutil

import numpy as np
import pytest
from actions import button, open_page, png, texts, upload

import fer_demo.checkpoints as checkpoints
import fer_demo.web.shared as predictors
from fer_demo.checkpoints import DEFAULT, bundled_checkpoints
from fer_demo.predictor import Predictor
from pages.common import cache

NANO = "fer_sedense_nano.photos_fer2013"


def html(app) -> str:
    return "\n".join(e.proto.body for e in app.get("html"))


def headings(app) -> str:
    return "\n".join(e.value for e in app.header)


def box(app, label):
    return next(s for s in app.selectbox if s.label == label)


def open_researchers(app, tab="Maps"):
    app.session_state["researchers"] = True
    app.session_state["researchers_tabs"] = tab
    return app.run()


def test_explain_page(app):
    open_page(app, "explain")
    assert not app.exception and not app.error
    assert "Why " in headings(app) and "The network's answer" in texts(app)
    assert re.search(r"\*\*(It looked mostly at|Most of this map|Nothing in this map)", texts(app))
    shown = html(app)
    assert 'alt="The face on the photo' in shown and "Grad-CAM on the photo" in shown and 'type="range"' in shown
    assert not re.findall(r"<img(?![^>]*alt=\"[^\"])", shown), "a picture without a text"
    assert not app.get("plotly_chart")  # all of these are for researchers


def test_the_shares_of_the_parts_add_up(app):
    open_page(app, "explain")
    cells = re.findall(r'<tr><th scope="row"[^>]*>([^<]+)</th><td>.*?</span>(\d+)\s%</td>', html(app))
    assert {"mouth", "eyes", "surroundings"} <= {name for name, _ in cells} and len(cells) == 8
    assert sum(int(share) for _, share in cells) == pytest.approx(100, abs=5) or all(s == "0" for _, s in cells)


def test_another_class(app):
    open_page(app, "explain")
    before = html(app)
    box(app, "Explain another expression").select("fear").run()
    assert not app.exception and "Why fear?" in headings(app) and "'fear'" in texts(app)
    assert html(app) != before


def test_nothing_for_researchers_is_computed_before_it_is_opened(app, monkeypatch):
    asked = []
    for name in ("face_curves", "face_channels", "channel_effect", "face_channel_importance"):
        own = getattr(cache, name)
        monkeypatch.setattr(cache, name, lambda *a, own=own, name=name, **k: asked.append(name) or own(*a, **k))
    open_page(app, "explain")
    assert asked == []
    open_researchers(app)
    assert asked == [] and len(app.get("plotly_chart")) == 1  # the crop to point at
    open_researchers(app, "To be believed?")
    assert asked == ["face_curves"] and "On this face the map is" in texts(app)
    open_researchers(app, "Channels")
    assert set(asked[1:]) == {"face_channels", "channel_effect", "face_channel_importance"}
    count = len(asked)
    open_researchers(app, "To be believed?")
    assert len(asked) == count, "what was computed once in a visit is kept"


def test_the_settings_of_a_map(app):
    open_page(app, "explain")
    open_researchers(app)
    assert not app.exception and len(box(app, "Layer").options) > 10
    box(app, "Method").select("integrated_gradients").run()
    assert not app.exception and "Completeness" in texts(app)
    assert not [s for s in app.selectbox if s.label == "Layer"]
    box(app, "rather than").select("sad").run()
    assert not app.exception and "rather than sad?" in texts(app) and "Why sad? (" in texts(app)
    assert [b.label for b in app.get("download_button")] == ["Download PNG", "Download report"]


@pytest.mark.parametrize("name", [name for name in bundled_checkpoints() if name.startswith("fer_sedense")])
def test_channels_of_every_checkpoint(name, app, monkeypatch):
    """Blocks may be of different widths, and each starts with the channel that the answer hangs on most."""
    monkeypatch.setattr(predictors, "_predictors", {None: Predictor(name, threads=1)})
    open_page(app, "explain")
    open_researchers(app, "Channels")
    assert not app.exception and not app.error
    for block in (box(app, "Block").options[0], box(app, "Block").options[-1]):
        box(app, "Block").select(block).run()
        changes = [float(re.search(r"\((.*) when", text)[1]) for text in box(app, "Channel").options]
        assert [abs(c) for c in changes] == sorted((abs(c) for c in changes), reverse=True)
        last = box(app, "Channel").options[-1]
        box(app, "Channel").select_index(len(changes) - 1).run()
        assert not app.exception and f"Channel {last.split()[0]} of {block}" in texts(app)
    next(t for t in app.toggle if t.key == "all_weights").set_value(True).run()
    compare = next(s for s in app.segmented_control if s.label == "Show")
    compare.set_value(compare.options[1]).run()
    assert not app.exception and len(app.get("plotly_chart")) == 3


@pytest.mark.parametrize("name", [name for name in bundled_checkpoints() if not name.startswith("fer_sedense")])
def test_other_systems_are_explained_too(name, app, monkeypatch):
    monkeypatch.setattr(predictors, "_predictors", {None: Predictor(name, threads=1)})
    open_page(app, "explain")
    assert not app.exception and not app.error and "Grad-CAM on the photo" in html(app)
    open_researchers(app)
    assert not app.exception and not app.error
    open_researchers(app, "Channels")
    assert not app.exception and "This network has no squeeze-and-excitation" in texts(app)


def test_without_a_face_the_page_says_where_to_go(app):
    upload(app, "wall.png", png(np.full((200, 200, 3), 90, np.uint8)))
    app.switch_page("pages/explain.py").run()
    assert not app.exception and "no face to explain yet" in app.info[0].value
    (link,) = app.get("page_link")
    assert link.proto.label == "Go to the Predict page"


def test_another_photo_on_the_page(app):
    open_page(app, "explain")
    button(app, "Grace Hopper (a sample)").click().run()
    assert not app.exception and app.session_state["photo"].name == "grace_hopper.jpg"
    assert "Grad-CAM on the photo" in html(app)


def test_another_model_on_the_page(new_visit):
    if NANO not in bundled_checkpoints():
        pytest.skip("fer_sedense_nano is not bundled")
    app = new_visit()
    open_page(app, "explain")
    assert box(app, "Model").value == DEFAULT
    box(app, "Model").select(NANO).run()
    assert not app.exception and app.session_state["model"] == NANO and f"{NANO} learned" in texts(app)
    assert box(app, "Model").value == NANO
    box(app, "Model").select(DEFAULT).run()
    assert app.session_state["model"] is None and box(app, "Model").value == DEFAULT


def test_averages_come_with_the_checkpoint(new_visit, monkeypatch, tmp_path):
    monkeypatch.delenv("FER2013_DIR", raising=False)
    app = open_page(new_visit(), "explain")
    assert "Over many faces" in headings(app) and "FER2013_DIR" not in texts(app)
    assert "Mean face, and mean map on it, for happy" in html(app) and "FER2013 Training" in texts(app)
    shutil.copytree(checkpoints.checkpoints_dir() / NANO, tmp_path / DEFAULT)
    (tmp_path / DEFAULT / "class_averages.npz").unlink()
    checkpoints.write_manifest(tmp_path / DEFAULT)
    monkeypatch.setattr(checkpoints, "checkpoints_dir", lambda: tmp_path)
    monkeypatch.setattr(predictors, "_predictors", {})
    app = open_page(new_visit(), "explain")
    assert not app.exception and "No averages come with this model" in texts(app)


def test_class_averages_of_a_labelled_set(app, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    data = tmp_path / "fer2013.npz"
    usage = np.repeat(["Training", "PublicTest", "PrivateTest"], 14)
    np.savez(data, images=rng.integers(0, 256, (42, 48, 48), np.uint8), label=np.arange(42) % 7, usage=usage)
    monkeypatch.setenv("FER2013_DIR", str(tmp_path))
    open_page(app, "explain")
    button(app, "Look at them").click().run()
    assert not app.exception and not app.error
    assert "Where it was surest and wrong" in texts(app) and "happy (2)" in html(app)
    assert "taken for" in html(app)


def test_a_labelled_set_that_is_not_there_is_one_sentence(app, monkeypatch, tmp_path):
    monkeypatch.setenv("FER2013_DIR", str(tmp_path / "nothing"))
    open_page(app, "explain")
    button(app, "Look at them").click().run()
    assert not app.exception and "There is no" in app.error[0].value
