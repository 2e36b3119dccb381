"""The Folder page: what it shows of the photos that have come, and what it gives as files."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas
import pytest
from actions import button, open_page, texts
from streamlit.testing.v1 import AppTest

from fer_demo.batch.tables import COLUMNS, write_table
from fer_demo.emotions import LABELS
from fer_demo.results import FaceResults
from fer_demo.vision.images import OpenedImage
from fer_demo.web.answering import Answer
from fer_demo.web.folder import NO_FACE, UNREAD, UNTOLD, Small, order, small
from fer_demo.web.handover import HANDOVER, Delivery, Picture
from pages.common import folder_tables


def photo(name: str, face=None, **probabilities: float) -> Picture:
    """A photo with a face that has these probabilities, or without one."""
    faces = []
    if face is not None:
        rest = (1 - sum(probabilities.values())) / (7 - len(probabilities))
        given = {label: probabilities.get(label, rest) for label in face.probabilities}
        sure = max(given.values()) > 0.5
        names = (max(given, key=given.get),) if sure else ("happy", "sad", "neutral")
        faces = [replace(face, probabilities=given, candidates=names, quality=None)]
    picture = np.full((90, 120, 3), 128, np.uint8)
    return Picture(name, Answer(OpenedImage.of(picture), FaceResults(faces, file=name, width=120, height=90)))


@pytest.fixture
def delivery(predictor, astronaut) -> Delivery:
    (face,) = predictor.predict(astronaut)
    face = replace(face, box=(10.0, 10.0, 40.0, 40.0), landmarks=None)
    return Delivery(
        (
            photo("b/sad.jpg", face, sad=0.8),
            photo("wall.jpg"),
            photo("a/happy.jpg", face, happy=0.7),
            Picture("notes.txt", None, "notes.txt is not a picture."),
            photo("a/happier.jpg", face, happy=0.9),
            photo("=odd.jpg", face, happy=0.2),
        ),
        left_out=2,
    )


def smalls(delivery: Delivery) -> list[Small]:
    return [small(one.name or "", one.answer, one.problem) for one in delivery.pictures]


def put(app: AppTest, pictures: list[Small], left_out: int = 0, most: int = 1000) -> AppTest:
    app.run()
    sid = app.session_state["sid"]
    assert HANDOVER.append(sid, pictures, left_out, most=most, originals=10**6, group="a") is not None
    return open_page(app, "folder")


def gallery(app: AppTest) -> list[str]:
    """What each photo says that the gallery shows, in its order."""
    return [e.value for e in app.markdown if e.value.startswith("**")]


def test_the_page_without_photos(app):
    open_page(app, "folder")
    assert not app.exception and "Up to 1,000 photos" in texts(app) and "`fer-demo batch`" in texts(app)
    assert not app.get("download_button")
    (frame,) = app.get("iframe")
    assert frame.proto.src.startswith(f"/upload/?sid={app.session_state['sid']}&folder=1")


def test_sorted_by_expression_then_by_confidence(app, delivery):
    put(app, smalls(delivery), delivery.left_out)
    assert not app.exception and app.header[0].value == "6 photos"
    starts = ["**happy** 90", "**happy** 70", "**sad** 80", "**can't tell**", "**no face**", "**could not be read**"]
    assert [said.startswith(start) for said, start in zip(gallery(app), starts, strict=True)] == [True] * 6
    said = texts(app)
    assert "4 faces" in said and "no face 1" in said and "could not be read 1" in said and "can't tell 1" in said
    assert "2 other files left out" in said and "not counted as any expression" in said
    assert "notes.txt is not a picture." in said.replace("\\", "")


def test_filters(app, delivery):
    put(app, smalls(delivery))
    app.get("button_group")[0].set_value(["happy", "no face"]).run()
    assert [said.split("**")[1] for said in gallery(app)] == ["happy", "happy", "no face"]
    app.slider[0].set_value(80).run()
    assert [said.split("**")[1] for said in gallery(app)] == ["happy"]
    app.text_input[0].set_value("SAD").run()
    assert gallery(app) == [] and "No photo fits these filters" in app.info[0].value
    app.get("button_group")[0].set_value([]).run()
    assert [said.split("**")[1] for said in gallery(app)] == ["sad"]


def test_a_part_of_the_gallery_at_a_time(app, delivery):
    wall = smalls(delivery)[1]
    put(app, [replace(wall, name=f"{number}.jpg") for number in range(60)])
    assert len(gallery(app)) == 24 and "1 to 24 of 60" in texts(app)
    button(app, "Next").click().run()
    button(app, "Next").click().run()
    assert len(gallery(app)) == 12 and "49 to 60 of 60" in texts(app) and button(app, "Next").disabled
    app.text_input[0].set_value("59").run()  # fewer photos than parts
    assert len(gallery(app)) == 1 and not app.exception


def test_the_files_are_what_batch_writes(app, delivery, tmp_path):
    pictures = smalls(delivery)
    put(app, pictures)
    labels = [b.label for b in app.get("download_button")]
    assert labels == ["Download CSV", "Download JSON", "Download Parquet"]
    entries = [
        {"file": one.name} | ({"error": one.problem} if one.answer is None else one.answer.faces.to_dict())
        for one in delivery.pictures
    ]
    folder = HANDOVER.folder(app.session_state["sid"])
    for ending in (".csv", ".parquet"):
        write_table(tmp_path / f"batch{ending}", entries)
        assert folder_tables.written(folder, ending) == (tmp_path / f"batch{ending}").read_bytes()
    table = pandas.read_parquet(io.BytesIO(folder_tables.written(folder, ".parquet")))
    assert tuple(table.columns) == COLUMNS and len(table) == 6
    assert list(app.dataframe[0].value["file"]) == [one.name for one in delivery.pictures]
    assert "\n'=odd.jpg," in folder_tables.written(folder, ".csv").decode()
    json.dumps([one.entry for one in folder.pictures], allow_nan=False)


def test_what_is_over_the_limit_is_told(app, delivery):
    put(app, smalls(delivery), most=4)
    assert app.header[0].value == "4 photos"
    assert "2 photos are over the limit of 1,000 and were left out; `fer-demo batch`" in app.warning[0].value


def test_photos_that_made_room_for_others_are_told(app, delivery, monkeypatch):
    monkeypatch.setattr(HANDOVER, "max_bytes", 100)
    put(app, smalls(delivery))
    assert "had to make room" in app.warning[0].value and not app.exception


def test_a_photo_whose_file_is_gone_is_shown_small(app, delivery):
    put(app, smalls(delivery))
    button(app, "Look at it").click().run()
    assert not app.exception and "keeps only this small picture" in texts(app)
    assert "Face 1: looks most like happy (90\N{NO-BREAK SPACE}%)" in texts(app)


def test_forgetting_removes_all(app, delivery):
    put(app, smalls(delivery))
    sid = app.session_state["sid"]
    button(app, "Forget them").click().run()
    assert HANDOVER.count(sid) == 0 and not HANDOVER.renew(sid)
    assert app.session_state["sid"] != sid and not app.header and not app.exception


def test_every_kind_has_its_place():
    assert order(LABELS) == (*LABELS, UNTOLD, NO_FACE, UNREAD) and len(set(order(LABELS))) == 10
