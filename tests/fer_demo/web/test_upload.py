"""The upload widget's HTTP API over a real server, with a network of random weights."""

import io
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import timm
import torch
from PIL import Image

pytest.importorskip("gradio", reason="the app extra is not installed")
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import fer_demo.web.answering as answering
import fer_demo.web.shared as predictors
from fer_demo.predictor import ModelError, Predictor
from fer_demo.results import result_dict
from fer_demo.vision.images import open_image
from fer_demo.web.answering import Desk
from fer_demo.web.handover import Handover
from fer_demo.web.limits import Limits
from fer_demo.web.upload import NOT_UPLOADED, build_widget
from fer_demo.web.uploads import UploadStore


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(timm.create_model("fer_sedense_s2"))


@pytest.fixture(scope="module")
def store() -> Handover:
    return Handover()


@pytest.fixture(scope="module")
def uploads() -> UploadStore:
    return UploadStore(Limits())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where Gradio would write uploads."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def url(predictor, store, uploads, folder, serve):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setattr(predictors, "_predictors", {None: predictor})
        made = Desk(Limits())
        patch.setattr("fer_demo.web.upload.desk", lambda: made)
        widget = build_widget(store, uploads)

        async def application(scope, receive, send):
            app = widget.gradio if scope["type"] == "lifespan" else widget.app
            await app(scope, receive, send)

        with serve(application) as address:
            yield address
        made.close()


@pytest.fixture(scope="module")
def client(url) -> Client:
    return Client(url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> str:
    from skimage.data import astronaut

    path = tmp_path_factory.mktemp("photos") / "Eileen Collins.png"
    Image.fromarray(astronaut()).save(path)
    return str(path)


@pytest.fixture(autouse=True)
def _nothing_is_written(folder, uploads, monkeypatch):
    """No test leaves a photo on disk or in memory."""

    def rollover(_):
        raise AssertionError("an upload was written to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    before = set(Path(tempfile.gettempdir()).glob("tmp*"))
    yield
    assert list(folder.rglob("*")) == []
    assert not {path for path in Path(tempfile.gettempdir()).glob("tmp*") if path.is_file()} - before
    assert uploads.held() == 0


def show(url: str, sid: str, payload: dict) -> None:
    """What the widget does in a browser once a photo was added: calls the private event and waits for its end."""
    event = next(d["id"] for d in httpx.get(f"{url}config").json()["dependencies"] if d["api_visibility"] == "private")
    body = {"data": [[payload]], "fn_index": event, "session_hash": f"test{time.monotonic_ns()}"}
    httpx.post(f"{url}gradio_api/queue/join", params={"sid": sid}, json=body).raise_for_status()
    stream = f"{url}gradio_api/queue/data?session_hash={body['session_hash']}"
    with httpx.stream("GET", stream, timeout=60) as response:
        for line in response.iter_lines():
            if "process_completed" in line:
                assert '"success":true' in line.replace(" ", ""), line
                return
    raise AssertionError("the event did not finish")


def upload(url: str, photo: str) -> dict:
    with open(photo, "rb") as file:
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": (Path(photo).name, file)})
    return {"path": answer.json()[0], "orig_name": "another name.png", "meta": {"_type": "gradio.FileData"}}


def test_same_answer_as_the_predictor(client, photo, predictor):
    answer = client.predict(handle_file(photo), api_name="/predict")
    image = Image.open(photo)
    assert answer == result_dict(Path(photo).name, open_image(image), predictor.predict(image))
    assert answer["width"] == answer["height"] == 512 and len(answer["faces"]) == 1


def test_whole_image(client, photo, predictor):
    answer = client.predict(handle_file(photo), True, api_name="/predict")
    assert answer["faces"] == [f.to_dict() for f in predictor.predict(photo, whole_image=True)]


def test_no_picture_stays_on_disk_when_it_is_none(client, tmp_path):
    bad = tmp_path / "notes <b>.jpg"
    bad.write_text("not a photo")
    with pytest.raises(AppError, match="is not a picture in a known format"):
        client.predict(handle_file(str(bad)), api_name="/predict")


def test_no_picture_at_all(client):
    with pytest.raises(AppError, match="No picture was sent"):
        client.predict(None, api_name="/predict")


def call(url: str, payload: dict) -> str:
    """The API without its client, which would upload a file of this machine first."""
    event = httpx.post(f"{url}gradio_api/call/predict", json={"data": [payload, False]}).json()["event_id"]
    return httpx.get(f"{url}gradio_api/call/predict/{event}", timeout=60).text


@pytest.mark.parametrize("extra", [{}, {"is_stream": True}, {"url": "http://127.0.0.1/x.png"}])
@pytest.mark.parametrize("path", ["{url}config", "{photo}", "{folder}/../{photo}", "file://{photo}", "/dev/stdin", ""])
def test_nothing_but_an_upload_is_read(url, photo, folder, path, extra):
    path = path.format(url=url, photo=photo, folder=folder)
    answer = call(url, {"path": path, "meta": {"_type": "gradio.FileData"}, **extra})
    assert "event: error" in answer and NOT_UPLOADED in answer
    assert Path(photo).exists()


def test_other_files_of_the_server_are_not_served(url, photo):
    for way in (f"file={photo}", f"file/{photo}", "file=http://example.com/", "proxy=http://example.com/"):
        for method in ("GET", "HEAD"):
            answer = httpx.request(method, f"{url}gradio_api/{way}")
            assert answer.headers["content-type"] == "image/svg+xml" and len(answer.content) < 100


def test_a_missing_model_is_one_sentence(client, photo, monkeypatch):
    def none_bundled():
        raise ModelError("No trained model is bundled.")

    monkeypatch.setattr("fer_demo.web.answering.shared_predictor", lambda model: none_bundled())
    with pytest.raises(AppError, match="No trained model is bundled"):
        client.predict(handle_file(photo), api_name="/predict")


def test_the_widget_hands_over_to_the_page_that_asked(url, store, photo):
    mine, other = store.open(), store.open()
    show(url, mine, upload(url, photo))
    assert store.take(other) is None
    delivery = store.take(mine)
    (picture,) = delivery.pictures
    assert picture.name == Path(photo).name and picture.answer.picture.pixels.shape == (512, 512, 3)
    assert len(picture.answer.faces) == 1


def test_forged_tickets_are_ignored(url, store, photo):
    before = len(store)
    show(url, "forged", upload(url, photo))
    assert len(store) == before and store.take("forged") is None


def test_too_large_files_are_refused(url):
    answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("large.jpg", bytes(21 * 1024**2))}, timeout=30)
    assert answer.status_code == 413


def test_nothing_but_the_api_is_offered(client, url):
    api = client.view_api(return_format="dict")
    assert list(api["named_endpoints"]) == ["/predict"]
    config = httpx.get(f"{url}config").json()
    assert config["footer_links"] == [] and config["run_history"] is False


GRADIOS_OWN = """
    GET gradio_api/deep_link | POST gradio_api/process_recording | POST gradio_api/stream/x
    GET gradio_api/queue/status
    POST gradio_api/run/predict | POST gradio_api/api/predict | POST gradio_api/component_server | POST gradio_api/reset
    GET monitoring | GET monitoring/summary | GET manifest.json | GET pwa_icon | GET robots.txt | GET gradio_api/user
    GET gradio_api/openapi.json | POST gradio_api/call/v2/predict | POST gradio_api/cancel | POST login
    GET svelte/x.js
    GET gradio_api/dev/reload | GET gradio_api/runs | POST gradio_api/vibe-edit | GET gradio_api/app_id | GET docs
    GET gradio_api/heartbeat/x | GET gradio_api/custom_component/a/b/c/d | POST gradio_api/call/show | DELETE config
    POST / | POST gradio_api/../gradio_api/process_recording | GET gradio_api/profiling/summary | PUT gradio_api/upload
""".replace("\n", "|").split("|")


@pytest.mark.parametrize("route", [route.strip() for route in GRADIOS_OWN if route.strip()])
def test_the_rest_of_gradio_is_not_there(url, route, photo):
    method, path = route.split()
    files = {"files": Path(photo).read_bytes()} if method == "POST" else None
    answer = httpx.request(method, f"{url}{path}", files=files)
    assert answer.status_code == 404 and answer.json()["error"] == "There is nothing under this address."


PICTURE = {"path": "x", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("queue/join", {"data": [PICTURE], "fn_index": 99, "session_hash": "a"}, "no function 99"),
        ("queue/join", {"data": [PICTURE], "fn_index": -1, "session_hash": "a"}, "no function -1"),
        ("queue/join", {"data": [PICTURE], "fn_index": "0", "session_hash": "a"}, "no function '0'"),
        ("queue/join", {"data": [PICTURE], "fn_index": True, "session_hash": "a"}, "no function True"),
        ("queue/join", {"data": [PICTURE], "session_hash": "a"}, "no function None"),
        ("queue/join", {"data": [PICTURE], "fn_index": 0}, "session_hash must be"),
        ("queue/join", {"data": [PICTURE], "fn_index": 0, "session_hash": "a" * 200}, "session_hash must be"),
        ("queue/join", {"data": [], "fn_index": 0, "session_hash": "a"}, "data, a list of 1 values"),
        ("call/predict", {"data": [PICTURE]}, "data, a list of 2 values"),
        ("call/predict", {}, "data, a list of 2 values"),
        ("call/predict", {"data": "ab"}, "data, a list of 2 values"),
        ("call/predict", {"data": ["x", False]}, "The picture must be what an upload answered"),
        ("call/predict", {"data": [{"path": 3}, False]}, "The picture must be what an upload answered"),
        ("call/predict", {"data": [[PICTURE], False]}, "The picture must be what an upload answered"),
        ("queue/join", {"data": [["x"]], "fn_index": 0, "session_hash": "a"}, "The picture must be what an upload"),
        ("queue/join", {"data": [[PICTURE] * 31], "fn_index": 0, "session_hash": "a"}, "The picture must be what"),
        ("call/predict", {"data": [PICTURE, "yes"]}, "whole_image must be true or false"),
        ("call/predict", [], "must be a JSON object"),
        ("call/predict", None, "must be a JSON object"),
        ("call/predict", b"{", "no JSON"),
        ("call/predict", b"\xff", "no JSON"),
        ("call/predict", b"[" * 60000, "no JSON"),
        ("call/predict", b"", "no JSON"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(url, path, body, said):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = httpx.post(f"{url}gradio_api/{path}", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and said in answer.json()["error"]


def test_a_request_that_is_too_large_is_refused(url):
    answer = httpx.post(f"{url}gradio_api/call/predict", content=b" " * 70_000)
    assert answer.status_code == 413 and "upload the picture first" in answer.json()["error"]


def test_the_same_photo_from_many_people(url, photo):
    """Every upload is its own, also of the same file at the same moment."""

    def ask(_):
        return call(url, upload(url, photo))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(24)))
    assert all("event: complete" in answer for answer in answers)


def test_an_upload_can_be_asked_about_once(url, photo):
    payload = upload(url, photo)
    assert "event: complete" in call(url, payload)
    assert NOT_UPLOADED in call(url, payload)


def test_too_many_files_or_too_much_in_one_request(url):
    many = httpx.post(f"{url}gradio_api/upload", files=[("files", ("a.jpg", b"1"))] * 60)
    assert many.status_code == 413 and "may have 30 files" in many.json()["error"]


def test_the_page_finds_its_server_below_any_path(url):
    page = httpx.get(url).text
    assert 'window.gradio_config.root = new URL(".", location.href)' in page and 'const root = ".";' in page


def test_each_gets_the_answer_to_their_own_photo(url, photo):
    def marked(width: int) -> bytes:
        file = io.BytesIO()
        Image.open(photo).resize((width, width)).save(file, "PNG")
        return file.getvalue()

    def ask(width: int):
        files = {"files": (f"{width}.png", marked(width))}
        path = httpx.post(f"{url}gradio_api/upload", files=files).json()[0]
        answer = call(url, {"path": path, "meta": {"_type": "gradio.FileData"}})
        return json.loads(answer.partition("data: ")[2].splitlines()[0])[0]

    widths = range(200, 216)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, widths))
    assert [(a["file"], a["width"]) for a in answers] == [(f"{width}.png", width) for width in widths]


def test_who_waits_sees_how_many_come_first(url, uploads, photo, monkeypatch):
    made = answering.Desk(Limits(readers=1))
    monkeypatch.setattr("fer_demo.web.upload.desk", lambda: made)
    monkeypatch.setattr(answering, "WAIT_NOTE_SECONDS", 0.05)
    running, first, second = (made.readers.enter(name) for name in ("somebody", "else", "here"))
    config = httpx.get(f"{url}config").json()
    event = next(d["id"] for d in config["dependencies"] if d["api_visibility"] == "private")
    body = {"data": [[upload(url, photo)]], "fn_index": event, "session_hash": "waiting"}
    httpx.post(f"{url}gradio_api/queue/join", json=body).raise_for_status()
    said = ""
    with httpx.stream("GET", f"{url}gradio_api/queue/data?session_hash=waiting", timeout=60) as response:
        for line in response.iter_lines():
            said += line
            if "Waiting: 2 before you" in said and running:
                for place in (running, first, second):
                    place.leave()
                running = None
            if "process_completed" in line:
                break
    made.close()
    assert running is None and "1 face found" in said


def test_busy_is_one_sentence(url, photo, monkeypatch):
    made = answering.Desk(Limits(readers=1, waiting=1))
    monkeypatch.setattr("fer_demo.web.upload.desk", lambda: made)
    places = [made.readers.enter(name) for name in ("somebody", "else")]
    answer = call(url, upload(url, photo))
    assert "event: error" in answer and "More people are asking than this server can answer" in answer
    for place in places:
        place.leave()
    made.close()
