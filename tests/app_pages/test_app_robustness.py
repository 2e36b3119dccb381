"""The Robustness page."""

import numpy as np
import pytest
from actions import button, open_page, png, texts, upload
from streamlit.testing.v1 import AppTest

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.vision.damages import KINDS, damage_all

SLIDERS = ("blur", "pixels", "noise", "light", "jpeg", "turn")


@pytest.fixture
def robustness(app) -> AppTest:
    return open_page(app, "robustness")


def test_robustness_page(robustness):
    assert not robustness.exception and not robustness.error
    assert robustness.title[0].value == "How much can a photo suffer?"
    shown = texts(robustness)
    assert "faces of FER2013's PrivateTest" in shown and "The twelve: blur, sigma 1;" in shown
    assert len(robustness.get("plotly_chart")) == 2 + len(KINDS)
    table, ladders = (d.value for d in robustness.dataframe)
    assert sorted(table["checkpoint"]) == sorted(bundled_checkpoints())
    assert len(ladders) == len(bundled_checkpoints()) * sum(len(about.ladder) for about in KINDS.values())


def test_charts_show_the_measure_that_is_asked_for(robustness):
    robustness.segmented_control(key="robust measure").set_value("ece").run()
    assert not robustness.exception and "0 is best" in texts(robustness)
    robustness.segmented_control(key="robust measure").set_value("unsure").run()
    assert not robustness.exception and "more are better" in texts(robustness)


def test_a_slider_spoils_the_face_and_the_answer_moves_along(robustness, predictor):
    face = robustness.session_state["photo"].faces[0]
    assert texts(robustness).count(face.sentence) == 2 and button(robustness, "Reset").disabled
    robustness.slider(key="damage blur").set_value(2.0).run()
    robustness.slider(key="damage turn").set_value(-20).run()
    robustness.toggle(key="damage mouth").set_value(True).run()
    assert not robustness.exception
    crop = damage_all(face.crop, {"blur": 2.0, "turn": -20, "mouth": 0.25})
    assert f"**Spoilt**  \n{predictor.read([crop])[0].sentence}" in texts(robustness)
    assert texts(robustness).count(face.sentence) == 1  # the one before stays
    button(robustness, "Reset").click().run()
    assert not robustness.exception and "Not spoilt yet" in texts(robustness)
    assert [s.value for s in robustness.slider] == [
        KINDS[k].none for k in ("blur", "pixels", "noise", "light", "jpeg", "turn")
    ]
    assert not any(t.value for t in robustness.toggle) and button(robustness, "Reset").disabled


def test_another_sample(robustness):
    before = robustness.session_state["photo"].faces[0].crop
    robustness.slider(key="damage noise").set_value(10).run()
    button(robustness, "Grace Hopper").click().run()
    assert not robustness.exception and (robustness.session_state["photo"].faces[0].crop != before).any()
    assert robustness.slider(key="damage noise").value == 10  # the same damage to the next face


@pytest.mark.parametrize("end", ["low", "high"])
def test_every_slider_goes_to_its_ends(robustness, end):
    for kind in SLIDERS:
        robustness.slider(key=f"damage {kind}").set_value(getattr(KINDS[kind], end))
    robustness.run()
    assert not robustness.exception and "**Spoilt**" in texts(robustness)


def test_robustness_page_without_a_face(app):
    upload(app, "wall.png", png(np.full((200, 200, 3), 90, np.uint8)))
    app.switch_page("pages/robustness.py").run()
    assert not app.exception and "no face to spoil yet" in app.info[0].value
    assert len(app.get("plotly_chart")) == len(KINDS)


def test_what_was_not_measured_is_named(app, monkeypatch):
    import fer_demo.tradeoffs.robustness as part

    measured = part.known_robustness()
    first, *rest = measured
    monkeypatch.setattr(part, "known_robustness", lambda: {name: measured[name] for name in rest})
    open_page(app, "robustness")
    assert not app.exception and any(f"Not measured yet: {first}" in i.value for i in app.info)
    monkeypatch.setattr(part, "known_robustness", dict)
    app.run()
    assert not app.exception and len(app.get("plotly_chart")) == 2 and not app.dataframe


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"happy": 0.9, "sad": 0.1}, {"happy": 0.8, "sad": 0.2}, "**stays**"),
        ({"happy": 0.9, "sad": 0.1}, {"happy": 0.52, "sad": 0.48}, "same answer, but now"),
        ({"happy": 0.9, "sad": 0.1}, {"happy": 0.48, "sad": 0.52}, "says that it is **unsure**"),
        ({"happy": 0.9, "sad": 0.1}, {"happy": 0.1, "sad": 0.9}, "sure of it"),
    ],
)
def test_what_became_of_the_answer(before, after, words):
    from fer_demo.prediction import FacePrediction
    from pages.common.damaged import change

    one, other = (FacePrediction((0, 0, 1, 1), None, None, p) for p in (before, after))
    assert words in change(one, other)
