"""The Video page's way in: the uploader and a sample, the progress of what is being read, and its end.

Keys of ``st.session_state``:
    ``video job``: the `VideoJob` that is on its way, or absent.
    ``video result``: the `VideoResult` on show, or absent.
    ``video problem``: one sentence about the last video, or absent.
    ``video uploads``: how many were taken; part of the uploader's key, so that it is empty again after each.
"""

from collections.abc import Callable
from contextlib import suppress

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from fer_demo.video import clips
from fer_demo.video.summary import clock
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.limits import limits
from fer_demo.web.video_desk import video_desk
from fer_demo.web.video_job import UNSEEN_SECONDS, VideoJob, Wishes
from fer_demo.web.video_result import VideoResult
from pages.common import look, state

ENDINGS = ("mp4", "mov", "m4v", "webm", "mkv", "avi", "mpg", "mpeg", "3gp", "wmv", "flv", "ts", "mts", "ogv")
"""That the uploader offers; what is in a file decides."""

SPEEDS = {"5 frames a second": 5.0, "10 frames a second": 10.0, "All frames": None}

SAMPLE_SECONDS = 6.0


def job() -> VideoJob | None:
    """What is on its way."""
    return st.session_state.get("video job")


def result() -> VideoResult | None:
    """What is on show."""
    return st.session_state.get("video result")


def ways_in() -> None:
    """The uploader with what is wanted of a video, and the sample."""
    sizes, busy = limits(), job() is not None
    key = f"video upload {st.session_state.get('video uploads', 0)}"
    st.file_uploader(
        f"Choose a video, up to {sizes.video_mb:g} MB and {sizes.video_minutes:g} minutes",
        type=ENDINGS,
        key=key,
        on_change=_take,
        args=(key,),
        max_upload_size=max(1, int(sizes.video_mb)),
        disabled=busy,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Read",
            list(SPEEDS),
            index=1,
            key="video speed",
            width=200,
            disabled=busy,
            persist_state="session",
            help="Fewer frames are read sooner. Ten a second are enough for most faces.",
        )
        st.toggle(
            "Make the video with boxes",
            key="video boxes",
            disabled=busy,
            persist_state="session",
            help=f"To download, with its sound, up to {sizes.video_out_mb:g} MB. It takes about twice as long.",
        )
    st.caption(
        ":material/lock: The video stays in this server's memory while it is read, and what is shown here while this "
        "page is open. Nothing is written to disk or passed on."
    )
    st.button(
        "Try a sample clip",
        icon=":material/movie:",
        on_click=_take_sample,
        disabled=busy,
        help="Six seconds, in which two persons walk past each other; made from the sample photos.",
    )


@st.fragment(run_every=1)
def progress() -> None:
    """How far it is, and a way to stop it; draws the page anew at the end."""
    running = job()
    if running is None:
        return
    running.seen()
    if running.done:
        _end(running)
        st.rerun()
    name = look.plain(running.name)
    if running.waiting():
        before = running.ahead()
        words = f"{name} waits: {before} before it" if before else f"{name} begins …"
        st.progress(0.0, words)
    elif running.cancelled:
        st.progress(running.progress or 0.0, f"{name}: stopping …")
    else:
        left = running.seconds_left()
        rest = "" if left is None else f", about {_duration(left)} left"
        st.progress(running.progress or 0.0, f"Reading {name}: at {clock(running.time)}{rest}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Cancel", icon=":material/stop:", on_click=running.cancel, disabled=running.cancelled)
        st.caption(
            "Cancelling shows what is done. You may look at other pages, but after "
            f"{UNSEEN_SECONDS:g} seconds away from this one the reading ends.",
            width="stretch",
        )


def forget() -> None:
    """Removes what is shown from the server."""
    for key in ("video result", "video problem", "video at"):
        st.session_state.pop(key, None)


def _take(key: str) -> None:
    """Begins with the uploaded video, of which Streamlit then keeps nothing."""
    file = st.session_state.get(key)
    if file is None or job() is not None:
        return
    st.session_state["video uploads"] = st.session_state.get("video uploads", 0) + 1
    data = file.getvalue()
    context = get_script_run_ctx()
    with suppress(AttributeError):  # Streamlit's test runner has no store for uploads
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    _begin(data, file.name)


def _take_sample() -> None:
    _begin(_sample(), "sample.mp4")


@st.cache_data(show_spinner=False)
def _sample() -> bytes:
    return clips.encode(clips.crossing(SAMPLE_SECONDS))


def _begin(data: bytes, name: str) -> None:
    wishes = Wishes(
        SPEEDS[st.session_state.get("video speed") or "10 frames a second"], bool(st.session_state.get("video boxes"))
    )
    st.session_state.pop("video problem", None)
    try:
        st.session_state["video job"] = video_desk().start(data, name, state.visitor(), wishes, _there())
    except BusyError as error:
        st.session_state["video problem"] = str(error)


def _end(running: VideoJob) -> None:
    """Puts what came out on show; if nothing did, what was there stays."""
    del st.session_state["video job"]
    if running.result is not None:
        forget()
        st.session_state["video result"] = running.result
    elif running.problem:
        st.session_state["video problem"] = running.problem
    elif running.cancelled:
        st.session_state["video problem"] = f"{running.name} was cancelled before it was read."
    else:
        st.session_state["video problem"] = (
            f"The reading of {running.name} ended, since nobody was on this page; choose it again."
        )


def _there() -> Callable[[], bool]:
    """A function that says whether this visitor still has a connection."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: True
    session = context.session_id
    return lambda: runtime.exists() and runtime.get_instance().is_active_session(session)


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} minutes"
