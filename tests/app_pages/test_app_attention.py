"""The Explain page's attention: there for networks that attend to eyes, brows and mouth, and for no others."""

import re
from dataclasses import replace

import numpy as np
import pytest
import timm
from actions import button, open_page, png, texts, upload

import fer_demo.web.shared as predictors
from fer_demo.predictor import Predictor
from fer_demo.results import FaceResults
from fer_demo.web.models import VARIABLE
from pages.common import cache
from tests.fer_demo.own_classes import attending

OWN = "By the network's own maps the answer is"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A function that gives a checkpoint's folder of a kind of attention, written once."""
    root, written = tmp_path_factory.mktemp("attending"), {}
    return lambda guide: written.setdefault(guide, attending(root / guide, guide))


@pytest.fixture
def explain(folders, new_visit, monkeypatch):
    """A function that opens the Explain page with a kind of attention as the app's model."""

    def start(guide="landmarks", opened=True):
        monkeypatch.setenv(VARIABLE, str(folders(guide)))
        monkeypatch.setattr(predictors, "_predictors", {})
        app = new_visit()
        app.session_state["attention"] = opened
        return open_page(app, "explain")

    return start


def control(app, label):
    return next((s for s in app.segmented_control if s.label == label), None)


def headings(app) -> list[str]:
    return [h.value for h in app.header]


def the_sentence(app) -> str:
    return next(m.value for m in app.markdown if m.value.startswith(("**With the eyes", f"**{OWN}")))


def bars(app) -> str:
    """The names of the chart's answers."""
    (chart,) = app.get("plotly_chart")
    return re.sub(r"\\u[0-9a-f]{4}", "", chart.proto.spec)


def test_nothing_is_computed_before_it_is_opened(explain, monkeypatch):
    asked = []
    own = cache.look
    monkeypatch.setattr(cache, "look", lambda *a: asked.append(a) or own(*a))
    app = explain(opened=False)
    assert not app.exception and "Attention" in headings(app) and "docs/attention.md" in texts(app)
    assert asked == [] and control(app, "Landmarks") is None
    app.session_state["attention"] = True
    app.run()
    assert not app.exception and len(asked) == 2 and control(app, "Landmarks").value == "as found"


def test_landmarks_as_found_moved_and_none(explain):
    app = explain()
    assert not app.exception and not app.error
    assert "marked where the detector found them" in the_sentence(app) and "drawn from the landmarks" in texts(app)
    assert "without landmarks" in bars(app) and "with these landmarks" in bars(app)
    assert "own answer is always the one without landmarks" in texts(app)
    control(app, "Landmarks").set_value("moved").run()
    assert not app.exception and "too far right, the answer" in the_sentence(app)
    assert [s.label for s in app.slider if s.key and s.key.startswith("attention")] == [
        "To the right",
        "Down",
        "Turned clockwise",
    ]
    for key, value in {"right": 0, "down": -20, "turn": 15}.items():
        app.slider(key=f"attention_{key}").set_value(value).run()
    assert "too far up and as if turned by 15° clockwise" in the_sentence(app)
    control(app, "Landmarks").set_value("none").run()
    assert not app.exception and OWN in the_sentence(app) and "as the network predicts them" in texts(app)
    assert "with these landmarks" not in bars(app) and "This is the app's own answer" in texts(app)
    face = app.session_state["photo"].faces[0]
    assert f"{face.label} ({round(100 * face.confidence)}" in the_sentence(app)


def test_the_stage_is_chosen(explain):
    app = explain()
    assert "The gate for places after stage 1" in texts(app)
    control(app, "After stage").set_value(3).run()
    assert not app.exception and "The gate for places after stage 3" in texts(app)
    control(app, "After stage").set_value(None).run()  # a click on the chosen one takes the choice back
    assert not app.exception and "after stage 1" in texts(app)


def test_a_network_of_two_stages_has_two(tmp_path, new_visit, monkeypatch):
    options = {"depths": [1, 1], "growth_rate": 8, "bottleneck": 8}
    monkeypatch.setenv(VARIABLE, str(attending(tmp_path / "small", **options)))
    monkeypatch.setattr(predictors, "_predictors", {})
    app = new_visit()
    app.session_state["attention"] = True
    app = open_page(app, "explain")
    assert not app.exception and control(app, "After stage").options == ["1", "2"]
    control(app, "After stage").set_value(2).run()
    assert not app.exception and "The gate for places after stage 2" in texts(app)


def test_a_picture_that_is_a_face_has_no_landmarks(explain):
    app = explain()
    upload(app.switch_page("pages/predict.py"), "wall.png", png(np.full((60, 60, 3), 90, np.uint8)))
    button(app, "Use the whole picture as one face").click().run()
    app.switch_page("pages/explain.py").run()
    app.session_state["attention"] = True
    app.run()
    assert not app.exception and control(app, "Landmarks") is None
    assert any("The whole picture was taken as the face" in info.value for info in app.info)
    assert OWN in the_sentence(app) and "as the network predicts them" in texts(app)


def test_a_face_whose_landmarks_nobody_knows(explain):
    app = explain()
    photo = app.session_state["photo"]
    results = FaceResults([replace(photo.results[0], landmarks=None)], file=None, width=512, height=512)
    app.session_state["photo"] = replace(photo, results=results)
    app.run()
    assert not app.exception and control(app, "Landmarks") is None and OWN in the_sentence(app)
    assert any("of this face lie is not known" in info.value for info in app.info)


def test_learnt_maps_take_no_landmarks(explain):
    app = explain("learnt")
    assert not app.exception and "Attention" in headings(app) and control(app, "Landmarks") is None
    assert "Nobody told it what the maps should show" in texts(app) and OWN in the_sentence(app)
    assert control(app, "After stage") is not None and not app.info


@pytest.mark.parametrize("guide", ["cbam", "coord"])
def test_attention_without_maps_has_no_view(explain, guide):
    app = explain(guide)
    assert not app.exception and "Over many faces" in headings(app) and "Attention" not in headings(app)


@pytest.mark.parametrize("name", ["fer_sedense", "fer_sedense_nano"])
def test_an_ordinary_network_has_no_view(name, new_visit, monkeypatch):
    monkeypatch.setattr(predictors, "_predictors", {None: Predictor(timm.create_model(name))})
    app = open_page(new_visit(), "explain")
    assert not app.exception and "Over many faces" in headings(app) and "Attention" not in headings(app)
