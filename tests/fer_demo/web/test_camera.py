"""The camera's pictures on the server: one at a time for each visitor, nothing kept, and few routes."""

import asyncio
import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("gradio", reason="the app extra is not installed")
from fastapi.testclient import TestClient
from PIL import Image

from fer_demo.prediction import FacePrediction
from fer_demo.results import FaceResults
from fer_demo.vision.images import OpenedImage
from fer_demo.web.answering import Answer
from fer_demo.web.camera import build_camera, show
from fer_demo.web.fair_queue import BusyError


def frame(color: str = "white") -> dict:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(file, "JPEG")
    return {"url": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"}


def handler(widget):
    """The function that Gradio calls for each picture."""
    mounted = next(route.app for route in widget.gradio.routes if hasattr(getattr(route, "app", None), "blocks"))
    (function,) = mounted.blocks.fns.values()
    return function.fn


def request(address: str):
    return SimpleNamespace(client=SimpleNamespace(host=address))


def nobody() -> Answer:
    return Answer(OpenedImage.of(np.zeros((48, 64, 3), np.uint8)), FaceResults(file=None, width=64, height=48))


def test_a_picture_that_comes_while_one_is_read_is_dropped(run_async):
    asked: list[str] = []

    async def scenario():
        go_on = asyncio.Event()

        async def read(data, name, visitor):
            asked.append(visitor)
            await go_on.wait()
            return nobody()

        look = handler(build_camera(read))
        first = asyncio.ensure_future(look(frame(), request("10.0.0.1")))
        await asyncio.sleep(0)
        second = await look(frame(), request("10.0.0.1"))
        other = asyncio.ensure_future(look(frame(), request("10.0.0.2")))
        await asyncio.sleep(0)
        go_on.set()
        return await first, second, await other, await look(frame(), request("10.0.0.1"))

    first, second, other, third = run_async(scenario())
    assert asked == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]
    assert second == {"__type__": "update"}
    assert all("No face in view" in answer for answer in (first, other, third))


def test_a_full_server_drops_pictures_without_a_word(run_async):
    async def read(data, name, visitor):
        raise BusyError("full")

    look = handler(build_camera(read))
    for _ in range(2):  # and the visitor is not taken for busy afterwards
        assert run_async(look(frame(), request("10.0.0.1"))) == {"__type__": "update"}


@pytest.fixture(scope="module")
def client():
    with TestClient(build_camera().app) as client:
        yield client


@pytest.mark.parametrize("path", ["upload", "upload_progress", "call/predict/x", "file=/etc/passwd", "run/look"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_else_of_gradio_is_there(client, method, path):
    answer = client.request(method, f"/gradio_api/{path}")
    assert answer.status_code == 404 or answer.text.startswith("<svg")


def test_a_heartbeat_is_answered_and_ends(client):
    """Gradio's own never ends; each would keep a connection."""
    answer = client.get("/gradio_api/heartbeat/abc")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "data: ALIVE\n\n"
    assert client.get("/gradio_api/heartbeat/a/b").status_code == 404
    assert client.post("/gradio_api/heartbeat/abc").status_code == 404


@pytest.mark.parametrize(
    "value",
    [
        {"url": "http://127.0.0.1/secret.jpg"},
        {"url": "data:text/html;base64,AAAA"},
        {"path": "/etc/passwd"},
        {"path": "/etc/passwd", **frame()},
        "data:image/jpeg;base64,AAAA",
        7,
    ],
)
@pytest.mark.parametrize("path", ["queue/join", "stream/abc"])
def test_only_pictures_that_come_along_are_taken(client, path, value):
    question = {"fn_index": 0, "session_hash": "abc", "data": [value]}
    answer = client.post(f"/gradio_api/{path}", json=question)
    assert answer.status_code == 422 and "as data:" in answer.json()["error"]


def test_a_picture_for_no_stream(client):
    question = {"fn_index": 0, "session_hash": "abc", "data": [frame()]}
    assert client.post("/gradio_api/stream/abc", json=question).status_code == 404
    assert client.post("/gradio_api/stream/abc/close").status_code == 404


def test_a_picture_that_is_too_large(client):
    question = {"fn_index": 0, "session_hash": "abc", "data": [{"url": "data:image/jpeg;base64," + "A" * 2**21}]}
    assert client.post("/gradio_api/queue/join", json=question).status_code == 413


def test_an_answer_has_the_picture_a_sentence_and_seven_bars():
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    face = FacePrediction((8, 8, 20, 20), None, None, dict.fromkeys(labels, 0.0) | {"happy": 1.0})
    picture = OpenedImage.of(np.zeros((48, 64, 3), np.uint8))
    said = show(Answer(picture, FaceResults([face], file=None, width=64, height=48)))
    assert said.count('class="bar"') == 7 and "data:image/jpeg;base64," in said and "looks happy" in said
