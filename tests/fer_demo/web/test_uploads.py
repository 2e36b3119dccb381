"""Uploads stay in memory, each under a path of its own, for a moment, and within limits."""

import tempfile
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from fer_demo.web.limits import Limits
from fer_demo.web.uploads import Upload, UploadStore

MB = 2**20


def application(store: UploadStore) -> Starlette:
    async def receive(request):
        files = await store.receive(request, "file")
        return JSONResponse([[file.name, len(file.data)] for file in files])

    def sentence(_, error):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    return Starlette(routes=[Route("/", receive, methods=["POST"])], exception_handlers={HTTPException: sentence})


@pytest.fixture
def store() -> UploadStore:
    return UploadStore(Limits(upload_mb=2, request_mb=4, request_files=3, held_mb=8, held_seconds=60))


@pytest.fixture
def client(store) -> TestClient:
    return TestClient(application(store))


def form(*files: tuple[str, bytes], field: str = "file") -> list:
    return [(field, file) for file in files]


def test_files_never_reach_the_disk(client, monkeypatch):
    def rollover(_):
        raise AssertionError("an upload was written to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    answer = client.post("/", files=form(("a.jpg", bytes(2 * MB)), ("b.jpg", bytes(MB))))
    assert answer.json() == [["a.jpg", 2 * MB], ["b.jpg", MB]]


def test_names_lose_their_folders(client):
    files = form(("C:\\photos\\a.jpg", b"1"), ("../../etc/passwd", b"2"), ("x" * 400, b"3"))
    assert client.post("/", files=files).json() == [["a.jpg", 1], ["passwd", 1], ["x" * 255, 1]]


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"files": form(("a.jpg", bytes(2 * MB + 1)))}, 413, "A picture may have 2 MB"),
        ({"files": form(*(("a.jpg", bytes(int(1.9 * MB))),) * 3)}, 413, "A request may have 4 MB"),
        ({"files": form(*(("a.jpg", b"1"),) * 4)}, 413, "A request may have 3 files"),
        ({"files": form(("a.jpg", b"1"), field="other")}, 422, "No picture was sent; send one as the field 'file'"),
        ({"data": {"file": "text"}}, 415, "Send the picture as multipart/form-data in the field 'file'"),
        ({"content": b"\xff\xd8"}, 415, "Send the picture as multipart/form-data"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "no valid multipart form"),
        (
            {"content": b"--b\r\nnonsense", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            422,
            "No picture was sent",
        ),
    ],
)
def test_bad_requests_are_one_sentence(client, store, request_, status, said):
    answer = client.post("/", **request_)
    assert answer.status_code == status and said in answer.json()["error"]
    assert store.held() == 0


def test_a_request_that_lies_about_its_length_is_stopped(client, store):
    def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield bytes(MB)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post("/", content=endless(), headers=headers)
    assert answer.status_code == 413 and store.held() == 0


def test_every_upload_has_a_path_of_its_own_and_is_there_once(store):
    same = Upload("a.jpg", b"same")
    first, second = store.put(same), store.put(same)
    assert first != second and first.endswith("/a.jpg")
    assert store.take(first) == same and store.take(first) is None
    assert store.take(second) == same
    assert store.take(None) is None and store.take("a.jpg") is None and store.take({}) is None


def test_an_upload_nobody_asks_about_is_forgotten():
    now = [0.0]
    store = UploadStore(Limits(held_seconds=60), clock=lambda: now[0])
    old = store.put(Upload("a.jpg", bytes(100)))
    now[0] = 61
    new = store.put(Upload("b.jpg", bytes(10)))
    assert store.held() == 10 and store.take(old) is None and store.take(new) is not None


def test_memory_is_bounded_for_all_together(store, client):
    for _ in range(4):
        store.put(Upload("a.jpg", bytes(int(1.9 * MB))))
    with pytest.raises(HTTPException) as error:
        store.put(Upload("a.jpg", bytes(MB)))
    assert error.value.status_code == 503 and error.value.headers["Retry-After"]
    answer = client.post("/", files=form(("a.jpg", bytes(MB))))
    assert answer.status_code == 503 and answer.headers["Retry-After"] and "can hold" in answer.json()["error"]


def slow_form(pause: threading.Event):
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nxxxx'
    pause.wait(10)
    yield b"\r\n--b--\r\n"


def test_what_is_arriving_counts_and_a_slow_upload_ends(serve):
    store = UploadStore(Limits(upload_seconds=1))
    with serve(application(store)) as url:
        pause = threading.Event()
        answers = []
        headers = {"Content-Type": "multipart/form-data; boundary=b"}

        def send():
            answers.append(httpx.post(url, content=slow_form(pause), headers=headers, timeout=20))

        thread = threading.Thread(target=send)
        thread.start()
        deadline = time.monotonic() + 10
        while not store.held():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        while store.held():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        pause.set()
        thread.join(10)
    assert [a.status_code for a in answers] in ([408], [])


def test_a_broken_off_upload_leaves_nothing(serve):
    store = UploadStore(Limits())
    with serve(application(store)) as url:
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": "5000"}

        def half():
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nxxxx'
            raise ConnectionError

        with pytest.raises(ConnectionError):
            httpx.post(url, content=half(), headers=headers)
        time.sleep(0.3)
        assert store.held() == 0
