"""What pages may send through Streamlit's own uploader, pictures and videos apart."""

import pytest

from fer_demo.web import page_uploads
from fer_demo.web.limits import Limits
from fer_demo.web.page_uploads import WINDOW, PageUploads

MB = 2**20


@pytest.fixture
def send(monkeypatch, run_async):
    """A function that sends so many megabytes from a page, and returns the status."""
    sizes = Limits(upload_mb=2, request_mb=4, held_mb=8, video_mb=10, video_held_mb=40)
    monkeypatch.setattr(page_uploads, "limits", lambda: sizes)
    now = [0.0]

    async def app(scope, receive, answer):
        while (await receive()).get("more_body"):
            pass
        await answer({"type": "http.response.start", "status": 204, "headers": []})

    uploads = PageUploads(app, clock=lambda: now[0])

    def put(page: str, megabytes: int, length: bool = True, later: float = 0.0) -> int:
        now[0] += later
        said: list[int] = []

        async def receive():
            return {"type": "http.request", "body": bytes(megabytes * MB)}

        async def answer(message):
            said.append(message.get("status", 0))

        headers = [(b"content-length", str(megabytes * MB).encode())] if length else []
        scope = {"type": "http", "method": "PUT", "path": f"/_stcore/upload_file/{page}/x", "headers": headers}
        run_async(uploads(scope, receive, answer))
        return said[0]

    return put


def test_pictures_of_a_page_are_added_up(send):
    assert [send("a", 2) for _ in range(3)] == [204, 204, 429]
    assert send("b", 2) == 204 and send("a", 2, later=WINDOW + 1) == 204


def test_videos_are_counted_apart(send):
    assert [send("a", 10) for _ in range(3)] == [204, 204, 429]
    assert send("a", 2) == 204, "pictures still arrive"
    assert [send("b", 10), send("c", 10), send("d", 10)] == [204, 204, 429], "all pages together"


def test_the_length_has_to_be_said(send):
    assert send("a", 1, length=False) == 411
