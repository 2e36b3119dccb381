"""The Video page: its words, a result, and what it says of files that are no videos."""

import importlib.util
import time

import pytest

pytest.importorskip("av", reason="the video extra is not installed")
from actions import button, open_page, texts

from fer_demo.emotions import DISCLAIMER
from fer_demo.video import clips
from fer_demo.web import limits as limits_module
from fer_demo.web import video_desk as desk_module
from fer_demo.web.video_desk import video_desk


@pytest.fixture(autouse=True)
def own_desk(monkeypatch):
    """A desk with limits of its own; nothing goes on after the test."""
    video_desk.cache_clear()
    yield
    video_desk().close()
    video_desk.cache_clear()


@pytest.fixture(scope="module")
def clip() -> bytes:
    return clips.encode(clips.pan(2.0))


def give(app, name: str, data: bytes):
    return app.file_uploader[0].set_value((name, data, "video/mp4")).run()


def finished(app):
    """Draws the page until nothing is on its way."""
    deadline = time.monotonic() + 120
    while "video job" in app.session_state:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        app.run()
    assert not app.exception
    return app


def test_what_the_page_says(app):
    open_page(app, "video")
    assert not app.exception and DISCLAIMER in texts(app)
    assert app.file_uploader[0].label == "Choose a video, up to 200 MB and 20 minutes"
    assert app.file_uploader[0].proto.max_upload_size_mb == 200
    assert "Nothing is written to disk" in texts(app)


def test_the_limits_are_those_of_the_server(app, monkeypatch):
    monkeypatch.setenv("FER_DEMO_VIDEO_MB", "30")
    limits_module.limits.cache_clear()
    try:
        open_page(app, "video")
        assert app.file_uploader[0].label.startswith("Choose a video, up to 30 MB")
    finally:
        monkeypatch.undo()
        limits_module.limits.cache_clear()


@pytest.mark.processes
def test_a_result_and_then_what_is_no_video(app, clip):
    open_page(app, "video")
    give(app, "two *friends*.mp4", clip)
    assert "video job" in app.session_state and button(app, "Cancel")
    assert app.file_uploader[0].proto.disabled
    finished(app)
    said = texts(app)
    assert r"two \*friends\*.mp4" in "\n".join(e.value for e in app.header) and "2 persons" in said
    assert "Person 1" in said and "Person 2" in said and "Longest without a break" in said
    assert "could not be read, its moments are left out" in said
    assert {d.label for d in app.get("download_button")} >= {
        "Download CSV",
        "Download JSON",
        "Download subtitle file",
        "Download report",
    }
    moments = app.session_state["video result"].moments
    app.select_slider[0].set_value(len(moments) - 1).run()
    assert app.session_state["video at"] == len(moments) - 1 and not app.exception
    # A moment by its episode.
    next(b for b in app.button if b.key and b.key.startswith("episode 1 ")).click().run()
    assert 0 < app.session_state["video at"] < len(moments) - 1
    for name, data, sentence in (
        ("song.mp4", b"RIFF\x24\0\0\0WAVEfmt ", "song.mp4 is a sound file"),
        ("notes.mp4", b"no video at all", "notes.mp4 is no video that can be read"),
    ):
        finished(give(app, name, data))
        assert sentence in app.error[0].value.replace("\\", "") and "2 persons" in texts(app)
    button(app, "Forget it").click().run()
    assert "video result" not in app.session_state and "2 persons" not in texts(app)


@pytest.mark.processes
def test_a_video_without_a_face(app):
    open_page(app, "video")
    finished(give(app, "wall.mp4", clips.encode(clips.still(320, 240, 0, 1.0))))
    assert "No face was found" in app.info[0].value and not app.error


@pytest.mark.processes
def test_cancelling_shows_what_is_done(app):
    open_page(app, "video")
    app.selectbox[0].set_value("All frames").run()
    give(app, "long.mp4", clips.encode(clips.still(320, 240, seconds=30)))
    job = app.session_state["video job"]
    deadline = time.monotonic() + 120
    while not job.progress:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    button(app, "Cancel").click().run()
    finished(app)
    assert "Stopped at 0:" in texts(app).replace("\\", "") and not app.session_state["video result"].complete


def test_a_busy_server_is_one_sentence(app, clip, monkeypatch):
    open_page(app, "video")
    monkeypatch.setattr(desk_module, "limits", lambda: limits_module.Limits(video_held_mb=0.001))
    monkeypatch.setattr(video_desk(), "limits", limits_module.Limits(video_held_mb=0.001))
    give(app, "a.mp4", clip)
    assert "More videos are waiting than this server can hold" in app.error[0].value


def test_without_pyav_the_page_says_how_to_get_it(app, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "av" else found(name, *more))
    open_page(app, "video")
    assert "pip install" in app.info[0].value and not app.file_uploader


def test_a_video_on_another_page_leads_here(app, clip):
    app.session_state["frame"] = "blocked"
    app.run()
    app.file_uploader[0].set_value(("clip.png", clip, "image/png")).run()
    assert "is a video" in app.error[0].value
    assert [link.proto.page for link in app.get("page_link")].count("video") == 2  # beside the way in, and the sentence
