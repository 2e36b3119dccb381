"""The Predict page, the visit as a whole, and what every page has to do."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from actions import button, png, texts, upload

import fer_demo.web.shared as predictors
from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.emotions import DISCLAIMER
from fer_demo.predictor import ModelError, Predictor
from fer_demo.results import FaceResults
from fer_demo.vision.images import OpenedImage
from fer_demo.vision.samples import SAMPLES
from fer_demo.web.answering import Answer
from fer_demo.web.handover import HANDOVER, Delivery, Picture


def test_the_page_opens_with_the_way_in_and_samples(app):
    app.run()
    assert not app.exception and not app.error
    assert DISCLAIMER in texts(app) and "No photo at hand?" in texts(app)
    assert "photo" not in app.session_state
    assert {sample.title for sample in SAMPLES} <= {b.label for b in app.button}


def test_the_first_page_leads_to_folders_the_camera_and_videos(app):
    app.run()
    assert {link.proto.page for link in app.get("page_link")} >= {"folder", "live", "video"} and not app.exception


def test_a_sample_is_answered(app):
    app.run()
    button(app, "Eileen Collins").click().run()
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
    button(app, "Eileen Collins").click().run()
    upload(app, "notes.png", b"not a photo")
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


def test_a_photo_can_be_turned(app, astronaut):
    """What lies on a side is put upright in one step, anything else by a quarter at a time; the answer follows."""
    part = np.ascontiguousarray(astronaut[:300, 50:400])
    upload(app, "headstand.png", png(np.rot90(part, 2)))
    assert "the photo seems to be upside down" in texts(app)
    button(app, "Put it upright").click().run()
    photo = app.session_state["photo"]
    assert (photo.image == part).all() and photo.results.turn == 0 and len(photo.faces) == 1
    assert "upside down" not in texts(app)
    button(app, "Turn").click().run()
    assert app.session_state["photo"].image.shape == (350, 300, 3)
    assert button(app, "Put it upright").click().run().session_state["photo"].results.turn == 0
    upload(app, "wall.png", png(np.full((200, 300, 3), 128, np.uint8)))
    button(app, "Turn").click().run()
    assert app.session_state["photo"].image.shape == (300, 200, 3) and not app.exception


def test_a_face_that_cannot_be_read_gets_no_answer(app, astronaut):
    upload(app, "blurred.png", png(cv2.GaussianBlur(astronaut[:300, 50:400], (0, 0), 8)))
    (face,) = app.session_state["photo"].faces
    assert face.sentence == "can't tell: blurred" and not app.exception
    assert "can&#x27;t tell: blurred" in "".join(e.proto.body for e in app.get("html"))
    assert "it cannot be read, so they are no answer" in texts(app)


def delivery(name: str, picture: np.ndarray, faces: list) -> Delivery:
    """What the upload widget leaves for a page."""
    height, width = picture.shape[:2]
    found = FaceResults(faces, file=name, width=width, height=height)
    return Delivery((Picture(name, Answer(OpenedImage.of(picture), found)),))


def test_candidates_and_remarks_are_shown(app, predictor, astronaut):
    (face,) = predictor.predict(astronaut)
    quality = replace(face.quality, yaw=50.0)
    app.run()
    several = replace(face, candidates=("sad", "neutral", "angry"), quality=quality)
    HANDOVER.put(app.session_state["sid"], delivery("maybe.jpg", astronaut, [several]))
    app.run()
    shown = "".join(e.proto.body for e in app.get("html"))
    assert "can&#x27;t tell: could be sad, neutral or angry" in shown and "The picture: turned away" in shown
    assert "Bold: what it may be." in texts(app) and not app.exception


def test_a_face_can_be_chosen(app, astronaut):
    upload(app, "two.png", png(np.hstack([astronaut, astronaut])))
    assert len(app.session_state["photo"].faces) == 2 and app.session_state["face"] == 0
    button(app, "Show in the photo").click().run()
    assert app.session_state["face"] == 1 and not app.exception


def test_many_faces_are_folded(app, predictor, astronaut):
    app.run()
    (face,) = predictor.predict(astronaut)
    sid = app.session_state["sid"]
    HANDOVER.put(sid, delivery("crowd.jpg", astronaut, [face] * 20))
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
    button(app, "Eileen Collins").click().run()
    assert [e.value for e in app.error] == ["No trained model is bundled."] and not app.exception
    app.switch_page("pages/about.py").run()
    assert [e.value for e in app.error] == ["No trained model is bundled."] and not app.exception


def test_about(app):
    app.run()
    button(app, "Eileen Collins").click().run()
    app.switch_page("pages/about.py").run()
    assert not app.exception
    for words in (DISCLAIMER, "at work and in education is forbidden", "2024/1689", "no telemetry"):
        assert words in texts(app)
    assert app.session_state["photo"].name == "astronaut.png"  # travels with the visitor
    assert "in the European Union, outside work and education" in texts(app).replace("Also in", "in")
    assert "Elsewhere" not in texts(app)


def test_about_says_what_must_not_be_done_before_the_figures(app):
    from pages.common.card import card_text

    for name in bundled_checkpoints():
        card = card_text(name)
        assert 0 < card.index("Not for: decisions about people") < card.index("Figures")
        assert "is not better than people" in card


@pytest.mark.parametrize("path", ["pages/predict.py", "pages/tradeoffs.py", "pages/about.py"])
def test_pages_are_short(path):
    assert len((Path(__file__).parents[2] / path).read_text(encoding="utf-8").splitlines()) <= 120


def test_the_widget_is_embedded_with_this_visitors_ticket(app, new_visit):
    app.run()
    other = new_visit().run()
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


def test_the_widget_asks_the_chosen_checkpoint(app, new_visit):
    app.session_state["model"] = "fer_sedense.restart_fer2013"
    app.run()
    (frame,) = app.get("iframe")
    assert "&model=fer_sedense.restart_fer2013" in frame.proto.src


def test_an_answer_of_another_model_than_the_chosen_one_is_not_shown(app, predictor, astronaut, monkeypatch):
    torch.manual_seed(1)
    other = Predictor(timm.create_model("fer_sedense_s2"))
    monkeypatch.setitem(predictors._predictors, "other", other)
    app.session_state["model"] = "other"
    app.run()
    (face,) = predictor.predict(astronaut)
    HANDOVER.put(app.session_state["sid"], delivery("mine.jpg", astronaut, [face]))
    app.run()
    (found,) = app.session_state["photo"].faces
    assert app.session_state["photo"].name == "mine.jpg"
    assert found.probabilities == other.predict(astronaut)[0].probabilities != face.probabilities


def test_several_photos_are_an_album(app, predictor, astronaut):
    app.run()
    (face,) = predictor.predict(astronaut)
    one = delivery("one.jpg", astronaut, [face]).pictures
    empty = delivery("wall.jpg", np.full((90, 120, 3), 128, np.uint8), []).pictures
    bad = (Picture("notes.txt", None, "notes.txt is not a picture."),)
    HANDOVER.put(app.session_state["sid"], Delivery(one + empty + bad, left_out=2))
    app.run()
    assert not app.exception and app.session_state["photo"].name == "one.jpg"
    said = texts(app)
    assert "no face 1" in said and "could not be read 1" in said and "2 other files left out" in said
    assert "notes.txt is not a picture" in said
    labels = [b.label for b in app.get("download_button")]
    assert labels[-2:] == ["Download CSV of all", "Download JSON of all"]
    next(b for b in app.button if b.key == "album1").click().run()
    assert app.session_state["photo"].name == "wall.jpg" and "No face found on this photo" in texts(app)


def test_the_table_of_an_album_has_no_formulas():
    from fer_demo.results import csv_text
    from pages.common.album import _rows

    name = "=1+1.txt"
    text = csv_text(_rows(Delivery((Picture(name, None, f"{name} is not a picture."),))))
    assert text.splitlines()[1].startswith("'=1+1.txt,0,") and text.splitlines()[1].endswith(
        "'=1+1.txt is not a picture."
    )


def test_a_photo_can_be_forgotten(app, predictor, astronaut):
    app.run()
    sid = app.session_state["sid"]
    HANDOVER.put(sid, delivery("mine.jpg", astronaut, predictor.predict(astronaut)))
    app.run()
    assert HANDOVER.kept(sid)
    button(app, "Forget it").click().run()
    assert "photo" not in app.session_state and HANDOVER.kept(sid) is None and app.session_state["sid"] != sid


def test_a_page_that_is_loaded_again_goes_on_with_its_photo(app, new_visit, predictor, astronaut):
    app.run()
    sid = app.session_state["sid"]
    HANDOVER.put(sid, delivery("mine.jpg", astronaut, predictor.predict(astronaut)))
    app.run()
    again = new_visit().run()
    from pages.common import state

    assert "photo" not in again.session_state and state.HANDOVER.kept(sid)


def test_a_link_to_a_page_works_before_the_first_visit():
    """Streamlit would otherwise serve the bare file to whoever comes first after a start."""
    import importlib

    from streamlit.runtime.pages_manager import PagesManager

    PagesManager.uses_pages_directory = None
    importlib.reload(importlib.import_module("app"))
    assert PagesManager.uses_pages_directory is False
