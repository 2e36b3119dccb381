"""What the Video page shows of a result: timelines beside the chosen moment, a card a person, downloads."""

import base64
import html
from pathlib import PurePath

import streamlit as st

from fer_demo.classes import class_set
from fer_demo.video.figures import share_figure, timeline_figure
from fer_demo.video.summary import clock
from fer_demo.video.timeline import MomentFace
from fer_demo.web.video_process import MARKED
from fer_demo.web.video_result import KINDS, VideoResult
from fer_demo.wording import adjective, percent
from pages.common import look
from pages.common.video_job import forget

AT_FIRST = 6
"""So many persons are shown; the rest comes at a click."""

# On a wide screen the frame stays in sight beside however many timelines.
_STYLE = "<style>@media (min-width: 641px) {.st-key-video_moment {position: sticky; top: 4rem}}</style>"


def heading(result: VideoResult) -> None:
    """What was read, and what people should know about it."""
    st.header(look.plain(result.name), anchor=False)
    info, persons = result.info, len(result.summary["persons"])
    size = f"{info['width']} \N{MULTIPLICATION SIGN} {info['height']} pixels"
    length = f"{clock(info['duration'])} long, " if info.get("duration") else ""
    found = "1 person" if persons == 1 else f"{persons} persons"
    st.caption(f"{length}{size} · {result.summary['frames']:,} frames read · {found} · `{result.model}` answered")
    for note in result.notes:
        st.caption(f":material/info: {look.plain(note)}")


@st.fragment
def findings(result: VideoResult) -> None:
    """The timelines with the chosen moment, and the persons."""
    if not result.summary["persons"]:
        st.info(
            "No face was found in this video. What usually helps: larger faces, upright and turned to the camera.",
            icon=":material/face:",
        )
        _moment(result)
        return
    shown = _shown(result)
    st.html(_STYLE)
    left, right = st.columns([3, 2], gap="medium")
    with right, st.container(key="video_moment"):
        at = _moment(result)
    with left:
        _legend(result)
        for person in result.persons:
            if person["person"] in shown:
                _timeline(result, person, at)
        st.caption(
            "Smoothed probabilities over time. Click a timeline, or move the slider, to see that moment. Where a face "
            "could not be read, its moments are left out."
        )
    _cards(result, shown)
    if len(result.persons) > AT_FIRST:
        st.toggle(f"Show all {len(result.persons)} persons", key="video everybody")


def downloads(result: VideoResult) -> None:
    """What was found as files."""
    stem = PurePath(result.name).stem or "video"
    with st.container(horizontal=True):
        for ending in result.endings:
            title, mime = KINDS[ending]
            st.download_button(
                f"Download {title}",
                lambda ending=ending: result.file(ending),  # unpacked only when asked for
                MARKED.format(stem) if ending == "mp4" else f"{stem}.{ending}",
                mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"video {ending}",
            )
        st.button("Forget it", icon=":material/delete:", on_click=forget, help="Removes it from the server.")


def _shown(result: VideoResult) -> set[int]:
    """Those who were there for longest."""
    lines = {person["person"] for person in result.persons}
    there = sorted((p for p in result.summary["persons"] if p["person"] in lines), key=lambda p: -p["seconds"])
    most = len(there) if st.session_state.get("video everybody") else AT_FIRST
    return {p["person"] for p in there[:most]}


def _moment(result: VideoResult) -> float | None:
    """The frame of the chosen moment and the faces on it; its time in seconds."""
    moments = result.moments
    if not moments:
        return None
    last = len(moments) - 1
    if not 0 <= st.session_state.get("video at", 0) <= last:
        st.session_state["video at"] = 0
    place = st.container()
    at = 0
    if last:
        at = st.select_slider("Moment", range(last + 1), format_func=lambda i: _stamp(moments[i].time), key="video at")
    moment = moments[at]
    words = "; ".join(f"person {face.person} {face.says}" for face in moment.faces) or "nobody"
    place.image(moment.frame, width="stretch", alt=f"The frame at {_stamp(moment.time)}: {words}")
    if moment.faces:
        st.html(f'<div style="display:grid;gap:.5rem">{"".join(map(_face, moment.faces))}</div>')
    if not moment.faces:
        st.caption("Nobody is seen at this moment.")
    return moment.time


def _face(face: MomentFace) -> str:
    """A face of the chosen moment as HTML: what the network saw, and the answer."""
    crop = ""
    if face.crop:
        source = f"data:image/jpeg;base64,{base64.b64encode(face.crop).decode()}"
        crop = f'<img src="{source}" width="56" height="56" alt="Person {face.person} as the network saw it">'
    said = f"<div><b>Person {face.person}</b> {html.escape(face.says)}</div>"
    return f'<div style="display:flex;gap:.75rem;align-items:center">{crop}{said}</div>'


def _legend(result: VideoResult) -> None:
    entries = (
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:.8em;height:.8em;border-radius:3px;'
        f'background:{one.color}"></span> {html.escape(one.name)}</span>'
        for one in class_set(result.labels)
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:.25rem 1rem">{"".join(entries)}</div>')


def _timeline(result: VideoResult, person: dict, at: float | None) -> None:
    number = person["person"]
    key = f"timeline {number}"
    st.markdown(f"**Person {number}**")
    look.chart(
        timeline_figure(person, result.summary["start"], result.summary["end"], at, labels=result.labels),
        f"Timeline of {_words(result, number)}",
        key=key,
        on_select=lambda: _choose(result, key),
        selection_mode="points",
    )


def _choose(result: VideoResult, key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points and points[0].get("x") is not None:
        st.session_state["video at"] = result.nearest(float(points[0]["x"]))


def _go(result: VideoResult, time: float) -> None:
    st.session_state["video at"] = result.nearest(time)


def _words(result: VideoResult, number: int) -> str:
    numbers = [p["person"] for p in result.summary["persons"]]
    return dict(zip(numbers, result.words, strict=True)).get(number, f"person {number}")


def _cards(result: VideoResult, shown: set[int]) -> None:
    """A card a person, two in a row."""
    persons = [p for p in result.summary["persons"] if p["person"] in shown]
    for first in range(0, len(persons), 2):
        for column, person in zip(st.columns(2), persons[first : first + 2], strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(result, person)


def _card(result: VideoResult, person: dict) -> None:
    number = person["person"]
    st.subheader(f"Person {number}", anchor=False)
    sentence = _words(result, number).partition(": ")[2]
    st.markdown(look.plain(sentence[:1].upper() + sentence[1:]) + ".")
    if portraits := result.portraits.get(number, ())[:4]:
        with st.container(horizontal=True, gap="small"):
            for one in portraits:
                with st.container(width=84, gap=None):
                    st.image(one.jpeg, width=84, alt=f"Person {number}, {one.label}, at {_stamp(one.time)}")
                    st.caption(f"{one.label} {percent(one.probability)}")
    if any(person["share"].values()):
        told = ", ".join(f"{name} {percent(value)}" for name, value in person["share"].items() if value >= 0.005)
        st.caption("Share of the time in which the face could be read")
        look.chart(share_figure(person["share"]), f"Person {number}, share of time: {told}", key=f"share {number}")
    else:
        st.caption("This face could not be read long enough for shares of time.")
    if person["episodes"]:
        st.caption("Longest without a break")
        with st.container(horizontal=True, gap="small"):
            for i, episode in enumerate(person["episodes"]):
                st.button(
                    f"{_stamp(episode['start'])} {adjective(episode['label'])}, {episode['seconds']:.1f} s",
                    key=f"episode {number} {i}",
                    type="tertiary",
                    icon=":material/schedule:",
                    on_click=_go,
                    args=(result, episode["start"] + episode["seconds"] / 2),
                )
    if person["unreadable_seconds"] >= 0.05:
        st.caption(f"For {person['unreadable_seconds']:.1f} s the face could not be read; these are left out.")


def _stamp(seconds: float) -> str:
    tenths = round(10 * seconds)
    return f"{clock(tenths / 10)}.{tenths % 10}"
