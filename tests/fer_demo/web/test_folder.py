"""Very many photos: what is kept of them, and the groups in which they come."""

import io
import json
from dataclasses import replace

import httpx
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from starlette.responses import PlainTextResponse

import fer_demo.web.shared as predictors
from fer_demo.batch.tables import rows
from fer_demo.predictor import Predictor
from fer_demo.results import FaceResults
from fer_demo.vision.images import OpenedImage
from fer_demo.web.answering import Answer, Desk
from fer_demo.web.folder import NO_FACE, THUMBNAIL, UNREAD, Folder, Small, small
from fer_demo.web.groups import GONE, Groups
from fer_demo.web.handover import Handover
from fer_demo.web.limits import Limits
from fer_demo.web.uploads import UploadStore


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(timm.create_model("fer_sedense_s2"))


def kept(name: str = "a.jpg", original: bytes | None = None) -> Small:
    return Small(name, {"faces": []}, NO_FACE, thumbnail=b"1234", original=original)


def test_what_is_kept_of_a_large_photo_is_small(predictor, astronaut):
    photo = np.asarray(Image.fromarray(astronaut).resize((2048, 1536)))
    found = predictor.predict(photo)
    made = small("big.jpg", Answer(OpenedImage.of(photo), found), original=b"file")
    with Image.open(io.BytesIO(made.thumbnail)) as picture:
        assert max(picture.size) == THUMBNAIL and picture.format == "JPEG"
    assert 500 * made.nbytes + Limits().folder_mb * 2**20 < 60e6 and len(found) == 1
    assert rows(made.entry) == rows(found.to_dict() | {"file": "big.jpg"})


def test_faces_are_drawn_where_they_are(predictor, astronaut):
    """Also on a picture that was opened at a fraction of its size."""
    (face,) = predictor.predict(astronaut)
    half = OpenedImage(np.zeros((256, 256, 3), np.uint8), 512, 512)
    face = replace(face, box=(256.0, 256.0, 200.0, 200.0))
    made = small("a.jpg", Answer(half, FaceResults([face], file="a.jpg", width=512, height=512)))
    drawn = np.asarray(Image.open(io.BytesIO(made.thumbnail))).max(axis=2) > 60
    y, x = np.nonzero(drawn)
    assert x.min() > 110 and 215 < x.max() < 256 and 215 < y.max() < 256


def test_a_folder_grows_up_to_its_limit():
    folder = Folder()
    assert folder.add([kept("a"), kept("b")], 1, most=3, originals=10) == 2
    assert folder.add([kept("c"), kept("d")], 2, most=3, originals=10) == 1
    assert [one.name for one in folder.pictures] == ["a", "b", "c"] and (folder.over, folder.left_out) == (1, 3)


def test_files_of_the_oldest_photos_go_first():
    folder = Folder()
    for name in "abc":
        folder.add([kept(name, original=bytes(40))], 0, most=9, originals=100)
    assert [one.original is not None for one in folder.pictures] == [False, True, True]
    assert folder.nbytes < 80 + 3 * 5000


def test_groups_are_added_once_and_by_the_pages_own_ticket():
    store = Handover()
    sid, other = store.open(), store.open()
    options = {"most": 5, "originals": 0}
    assert store.append(sid, [kept("a")], group="1", **options) == 4
    assert store.append(sid, [kept("a")], group="1", **options) == 4
    assert store.append(sid, [kept("b")], group="2", **options) == 3
    assert store.append("guess", [kept("b")], group="3", **options) is None
    assert store.append(None, [kept("b")], group="3", **options) is None
    assert [one.name for one in store.folder(sid).pictures] == ["a", "b"] and store.count(sid) == 2
    assert store.folder(other).pictures == [] and store.folder("guess").pictures == []
    store.folder(sid).pictures.clear()
    assert store.count(sid) == 2
    store.close(sid)
    assert store.count(sid) == 0


def test_folders_count_as_memory_and_run_out():
    now = 0.0
    store = Handover(max_bytes=20_000, ticket_seconds=100, clock=lambda: now)
    first, second = store.open(), store.open()
    store.append(first, [kept()] * 3, group="1", most=9, originals=0)
    now = 1.0
    store.append(second, [kept()] * 3, group="1", most=9, originals=0)
    assert store.folder(first).lost and store.count(first) == 0 and store.count(second) == 3
    store.append(first, [kept()], group="2", most=9, originals=0)
    assert store.folder(first).lost and store.count(first) == 1
    now = 102.0
    assert store.count(first) == store.count(second) == 0


@pytest.fixture(scope="module")
def store() -> Handover:
    return Handover()


@pytest.fixture(scope="module")
def url(predictor, store, serve):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictors, "_predictors", {None: predictor})
        made = Desk(Limits())
        uploads = UploadStore(Limits(folder=4, upload_mb=1, request_files=5))
        with serve(Groups(PlainTextResponse("the other"), store, uploads, lambda: made), lifespan="off") as address:
            yield address
        assert uploads.held() == 0
        made.close()


@pytest.fixture(scope="module")
def photo() -> bytes:
    from skimage.data import astronaut

    file = io.BytesIO()
    Image.fromarray(astronaut()[:300, 50:400]).save(file, "PNG")
    return file.getvalue()


def send(url: str, sid: str, files: list[tuple[str, bytes]], group: str = "a") -> list[dict]:
    parts = [("files", file) for file in files]
    answer = httpx.post(f"{url}group", params={"sid": sid, "group": group}, files=parts, timeout=60)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_group_is_answered_and_added(url, store, photo):
    sid = store.open()
    lines = send(url, sid, [("trip/one.png", photo), ("notes.jpg", b"no picture"), ("c.png", photo)])
    assert [line["photo"] for line in lines if "photo" in line] == [1, 2, 3]
    assert lines[-1] == {"added": 3, "read": 2, "faces": 2, "left_out": 0, "room": 1}
    pictures = store.folder(sid).pictures
    assert [one.name for one in pictures] == ["trip/one.png", "notes.jpg", "c.png"]
    assert pictures[1].label == UNREAD and pictures[1].data["error"].startswith("notes.jpg is not a picture")
    assert pictures[0].original == photo and pictures[1].original is None
    assert send(url, sid, [("trip/one.png", photo)])[-1]["room"] == 1  # the same group once more
    assert send(url, sid, [("d.png", photo), ("e.png", photo)], "b")[-1]["room"] == 0
    assert store.count(sid) == 4 and store.folder(sid).over == 1


@pytest.mark.parametrize(
    ("query", "files", "status", "said"),
    [
        ({"sid": "guess", "group": "a"}, 1, 404, GONE),
        ({"group": "a"}, 1, 404, GONE),
        ({"sid": "mine"}, 1, 422, "The group must have a mark"),
        ({"sid": "mine", "group": "../a"}, 1, 422, "The group must have a mark"),
        ({"sid": "mine", "group": "a"}, 6, 413, "may have 5 files"),
        ({"sid": "mine", "group": "a"}, 0, 415, "multipart/form-data"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(url, store, query, files, status, said):
    sid = store.open()
    query = {name: sid if value == "mine" else value for name, value in query.items()}
    answer = httpx.post(f"{url}group", params=query, files=[("files", ("a.jpg", b"1"))] * files)
    assert answer.status_code == status and said in answer.json()["error"]


def test_an_archive_that_is_none_is_one_sentence(url, store):
    (line,) = send(url, store.open(), [("a.zip", b"PK\x03\x04 nonsense")])
    assert line["error"].startswith("a.zip is damaged or no ZIP archive") and line["retry"] == 0


def test_all_else_is_for_the_other_application(url):
    assert httpx.get(f"{url}group").text == "the other"
    assert httpx.post(f"{url}groups").text == "the other"
