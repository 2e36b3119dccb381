"""The upload widget's HTTP API over a real server, with a network of random weights."""

import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
import timm
import torch
import uvicorn
from PIL import Image

pytest.importorskip("gradio", reason="the app extra is not installed")
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import fer_demo.web.shared as predictors
from fer_demo.predictor import ModelError, Predictor
from fer_demo.results import result_dict
from fer_demo.vision.images import open_image
from fer_demo.web.handover import Handover
from fer_demo.web.upload import LINKS, NOT_UPLOADED, build_gradio


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(timm.create_model("fer_sedense_s2"))


@pytest.fixture(scope="module")
def store() -> Handover:
    return Handover()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where uploads touch the disk."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def url(predictor, store, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setattr(predictors, "_predictors", {None: predictor})
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(build_gradio(store), port=port, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def client(url) -> Client:
    return Client(url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> str:
    from skimage.data import astronaut

    path = tmp_path_factory.mktemp("photos") / "Eileen Collins.png"
    Image.fromarray(astronaut()).save(path)
    return str(path)


def files_in(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def show(url: str, sid: str, payload: dict) -> None:
    """What the widget does in a browser once a photo was added: calls the private event and waits for its end."""
    event = next(d["id"] for d in httpx.get(f"{url}config").json()["dependencies"] if d["api_visibility"] == "private")
    body = {"data": [payload], "fn_index": event, "session_hash": f"test{time.monotonic_ns()}"}
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
    return {"path": answer.json()[0], "orig_name": Path(photo).name, "meta": {"_type": "gradio.FileData"}}


def test_same_answer_as_the_predictor(client, photo, predictor, folder):
    answer = client.predict(handle_file(photo), api_name="/predict")
    image = Image.open(photo)
    assert answer == result_dict(Path(photo).name, open_image(image), predictor.predict(image))
    assert answer["width"] == answer["height"] == 512 and len(answer["faces"]) == 1
    assert files_in(folder) == []


def test_whole_image(client, photo, predictor):
    answer = client.predict(handle_file(photo), True, api_name="/predict")
    assert answer["faces"] == [f.to_dict() for f in predictor.predict(photo, whole_image=True)]


def test_no_picture_stays_on_disk_when_it_is_none(client, tmp_path, folder):
    bad = tmp_path / "notes <b>.jpg"
    bad.write_text("not a photo")
    with pytest.raises(AppError, match="is not a picture in a known format"):
        client.predict(handle_file(str(bad)), api_name="/predict")
    assert files_in(folder) == []


def test_no_picture_at_all(client):
    with pytest.raises(AppError, match="No picture was sent"):
        client.predict(None, api_name="/predict")


def call(url: str, payload: dict) -> str:
    """The API without its client, which would upload a file of this machine first."""
    event = httpx.post(f"{url}gradio_api/call/predict", json={"data": [payload, False]}).json()["event_id"]
    return httpx.get(f"{url}gradio_api/call/predict/{event}", timeout=60).text


@pytest.mark.parametrize("extra", [{}, {"is_stream": True}, {"url": "http://127.0.0.1/x.png"}])
def test_links_are_not_followed(url, extra):
    answer = call(url, {"path": f"{url}config", "meta": {"_type": "gradio.FileData"}, **extra})
    assert "event: error" in answer and (LINKS in answer or NOT_UPLOADED in answer)


@pytest.mark.parametrize("extra", [{}, {"is_stream": True}, {"url": "data:image/png;base64,AAAA"}])
def test_other_files_of_the_server_are_neither_read_nor_deleted(url, photo, folder, extra):
    for path in (photo, f"{folder}/../{Path(photo).parent.name}/{Path(photo).name}"):
        assert Path(path).exists()
        answer = call(url, {"path": path, "meta": {"_type": "gradio.FileData"}, **extra})
        assert "event: error" in answer and NOT_UPLOADED in answer
    assert Path(photo).exists() and files_in(folder) == []


def test_other_files_of_the_server_are_not_served(url, photo):
    for way in (f"file={photo}", f"file/{photo}", "file=http://example.com/", "proxy=http://example.com/"):
        for method in ("GET", "HEAD"):
            answer = httpx.request(method, f"{url}gradio_api/{way}")
            assert answer.headers["content-type"] == "image/svg+xml" and len(answer.content) < 100


def test_a_missing_model_is_one_sentence(client, photo, monkeypatch):
    def none_bundled():
        raise ModelError("No trained model is bundled.")

    monkeypatch.setattr("fer_demo.web.upload.shared_predictor", none_bundled)
    with pytest.raises(AppError, match="No trained model is bundled"):
        client.predict(handle_file(photo), api_name="/predict")


def test_the_widget_hands_over_to_the_page_that_asked(url, store, photo, folder):
    mine, other = store.open(), store.open()
    show(url, mine, upload(url, photo))
    assert store.take(other) is None
    delivery = store.take(mine)
    assert delivery.name == Path(photo).name and delivery.image.shape == (512, 512, 3) and len(delivery.faces) == 1
    assert files_in(folder) == []


def test_forged_tickets_are_ignored(url, store, photo, folder):
    before = len(store)
    show(url, "forged", upload(url, photo))
    assert len(store) == before and store.take("forged") is None
    assert files_in(folder) == []


def test_too_large_files_are_refused(url):
    answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("large.jpg", bytes(21 * 1024**2))}, timeout=30)
    assert answer.status_code == 413


def test_nothing_but_the_api_is_offered(client, url):
    api = client.view_api(return_format="dict")
    assert list(api["named_endpoints"]) == ["/predict"]
    config = httpx.get(f"{url}config").json()
    assert config["footer_links"] == [] and config["run_history"] is False
