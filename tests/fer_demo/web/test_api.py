"""The HTTP API that has nothing to do with Gradio."""

import io
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount

from fer_demo.checkpoints import DEFAULT, bundled_checkpoints
from fer_demo.predictor import ModelError, Predictor
from fer_demo.web.answering import Desk, visitor_of
from fer_demo.web.api import build_api
from fer_demo.web.limits import Limits
from fer_demo.web.uploads import UploadStore


@pytest.fixture(scope="module")
def desk():
    made = Desk(Limits())
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(serve, desk):
    if not bundled_checkpoints():
        pytest.skip("no trained checkpoint is bundled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fer_demo.web.api.desk", lambda: desk)
        with serve(Starlette(routes=[Mount("/api", build_api(UploadStore(Limits())))])) as address:
            yield f"{address}api/"


def png(picture, size: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(picture)
    (image.resize(size) if size else image).save(file, "PNG")
    return file.getvalue()


def ask(url: str, data: bytes, name: str = "a.png", **query) -> httpx.Response:
    return httpx.post(f"{url}predict", files={"file": (name, data)}, params=query, timeout=60)


def test_same_answer_as_the_predictor(url, astronaut):
    answer = ask(url, png(astronaut), "Eileen Collins.png")
    found = Predictor().predict(astronaut)
    found.file = "Eileen Collins.png"
    assert answer.status_code == 200 and answer.json() == found.to_dict()


def test_whole_image_and_model(url, astronaut):
    name = next(name for name in bundled_checkpoints() if name != DEFAULT)
    answer = ask(url, png(astronaut), whole_image=True, model=name).json()
    assert answer["faces"] == [face.to_dict() for face in Predictor(name).predict(astronaut, whole_image=True)]


def test_merged_classes(url, astronaut):
    merge = ["negative=angry,sad,fear,disgust", "calm=neutral"]
    answer = ask(url, png(astronaut), model="fer_sedense_nano.wide_fer2013", merge=merge).json()
    wanted = {"negative": ["angry", "sad", "fear", "disgust"], "calm": ["neutral"]}
    found = Predictor("fer_sedense_nano.wide_fer2013", merge=wanted).predict(astronaut)
    assert answer["faces"] == [face.to_dict() for face in found]
    for wrong, words in (("negative=angry,furious", "no class 'furious'"), ("angry", "'angry' merges nothing")):
        refused = ask(url, png(astronaut), merge=wrong)
        assert refused.status_code == 422 and words in refused.json()["error"]


def test_a_picture_without_a_face(url):
    blank = Image.new("RGB", (80, 60), "white")
    file = io.BytesIO()
    blank.save(file, "PNG")
    assert ask(url, file.getvalue()).json() == {"file": "a.png", "width": 80, "height": 60, "notes": [], "faces": []}


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"files": {"file": ("notes.txt", b"no picture")}}, 400, "notes.txt is not a picture in a known format"),
        ({"files": {"file": ("a.png", b"")}}, 400, "a.png is empty"),
        ({"files": {"photo": ("a.png", b"x")}}, 422, "No picture was sent; send one as the field 'file'"),
        ({"files": [("file", ("a", b"x")), ("file", ("b", b"y"))]}, 422, "2 pictures were sent; send one a request"),
        ({}, 415, "Send the picture as multipart/form-data in the field 'file'"),
        (
            {"files": {"file": b"x"}, "params": {"model": "best"}},
            422,
            "There is no model 'best'; choose one of fer_sed",
        ),
        ({"files": {"file": b"x"}, "params": {"whole_image": "maybe"}}, 422, "whole_image: Input should be"),
    ],
)
def test_bad_requests_are_one_sentence(url, request_, status, said):
    answer = httpx.post(f"{url}predict", **request_)
    assert answer.status_code == status and said in answer.json()["error"] and set(answer.json()) == {"error"}


def test_other_addresses_and_methods(url):
    assert httpx.get(f"{url}nothing").status_code == 404
    assert httpx.get(f"{url}predict").status_code == 405
    assert httpx.get(f"{url}health").json() == {"status": "ok"}


def test_busy_is_503_with_a_time_to_retry(url, desk, astronaut, monkeypatch):
    busy = Desk(Limits(readers=1, waiting=1))
    monkeypatch.setattr("fer_demo.web.api.desk", lambda: busy)
    places = [busy.readers.enter(name) for name in ("somebody", "else")]
    answer = ask(url, png(astronaut))
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    assert "More people are asking" in answer.json()["error"]
    for place in places:
        place.leave()
    assert ask(url, png(astronaut)).status_code == 200
    busy.close()


def test_a_missing_model_is_one_sentence(url, astronaut, monkeypatch):
    def missing(_):
        raise ModelError("No trained model is bundled.")

    monkeypatch.setattr("fer_demo.web.answering.shared_predictor", missing)
    answer = ask(url, png(astronaut))
    assert answer.status_code == 500 and answer.json() == {"error": "No trained model is bundled."}


def test_each_gets_the_answer_to_their_own_photo(url, astronaut):
    widths = list(range(200, 232, 2))
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda w: ask(url, png(astronaut, (w, w)), f"{w}.png").json(), widths)
    assert [(a["file"], a["width"]) for a in found] == [(f"{w}.png", w) for w in widths]


def test_it_describes_itself(url, astronaut):
    described = httpx.get(f"{url}openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/health"}
    assert "not about what the person feels" in described["info"]["description"]
    face = described["components"]["schemas"]["Face"]["properties"]
    assert set(face) == set(ask(url, png(astronaut)).json()["faces"][0])


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("127.0.0.1", "this machine"),
        ("::1", "this machine"),
        (None, "this machine"),
        ("unix:", "unknown"),
    ],
)
def test_who_is_one_visitor(address, visitor):
    assert visitor_of(address) == visitor
