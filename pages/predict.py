"""Predict: photos in, a guess about the expression of each face out."""

from urllib.parse import urlencode

import streamlit as st

from fer_demo.emotions import DISCLAIMER
from fer_demo.web.browser_page import ADDRESS, has_browser_page
from pages.common import album, links, look, state
from pages.common.another_photo import other_ways, uploader
from pages.common.door import door
from pages.common.sample_gallery import samples

STAY_MINUTES = 15
"""How long a photo stays on the server after the last sign of its page."""


@st.fragment(run_every=5)
def wait_for_upload() -> None:
    """Looks now and then whether the widget has left something, in case that the browser did not say so."""
    if state.collect():
        st.rerun()


def add_a_photo() -> None:
    """The one way in, and samples."""
    query = {"sid": state.ticket()}
    if theme := st.context.theme.type:
        query["__theme"] = theme
    if model := st.session_state.get("model"):
        query["model"] = model
    frame = st.session_state.get("frame")
    if frame != "blocked":
        source = f"{state.base_path()}upload/?{urlencode(query)}"
        st.iframe(source, height=230, alt="Take or choose photos, drop them, paste one or use the camera")
        wait_for_upload()
    if frame in ("slow", "blocked"):
        if frame == "slow":
            st.caption("The part above is slow to load. This one does the same:")
        uploader("file")
    other_ways()
    alone = f" [Keep them on your own machine]({state.base_path()}{ADDRESS.strip('/')}/)." if has_browser_page() else ""
    st.caption(
        f":material/lock: Photos stay in this server's memory while this page is open, and {STAY_MINUTES} minutes "
        f"longer. None is written to disk or passed on.{alone}"
    )


def downloads(photo: state.Photo) -> None:
    """The answer as files."""
    stem = (photo.name or "photo").rsplit(".", 1)[0]
    with st.container(horizontal=True):
        for label, mime, ending, text in (
            ("CSV", "text/csv", "csv", photo.results.to_csv()),
            ("JSON", "application/json", "json", photo.results.to_json()),
        ):
            st.download_button(
                f"Download {label}", text, f"{stem}.{ending}", mime, icon=":material/download:", on_click="ignore"
            )
        look.turn_button(photo)
        if photo.credit is None:
            st.button("Forget it", icon=":material/delete:", on_click=state.forget, help="Removes it from the server.")


def news(photo: state.Photo | None) -> str:
    """What is read out to somebody who cannot see that an answer came."""
    if problem := st.session_state.get("problem"):
        return problem
    if photo is None:
        return ""
    return look.in_one_sentence(photo)


st.title("What does this face look like?", anchor=False)
st.markdown(f":gray[{DISCLAIMER}]")
left, right = st.columns([2, 3], gap="large")
with right:
    answer = st.container(key="answer")
with answer:
    with st.spinner("Looking for faces …"):
        state.work_off(sample=False)
    links.choose_linked_face()
photo = state.current_photo()
with left:
    heard = door(sid=state.ticket(), news=news(photo))
    if heard.before and state.resume(heard.before):
        st.rerun()
    if heard.frame and st.session_state.get("frame") != heard.frame:
        st.session_state["frame"] = heard.frame
        st.rerun()
    if heard.arrived and state.collect():
        st.rerun()
    add_a_photo()
    if photo:
        with st.expander("Samples", icon=":material/photo_library:"):
            samples()
with answer:
    if problem := st.session_state.get("problem"):
        look.problem(problem)
    if photo:
        look.photo_with_boxes(photo)
        look.answers(photo)
        look.notes(photo)
        if photo.faces:
            downloads(photo)
        else:
            look.no_face_message(photo)
        look.model_note()
    else:
        st.subheader("No photo at hand? Try one of these", anchor=False)
        samples()
        look.model_note()
if photo and len(photo.faces) > 1:
    look.face_cards(photo)
if delivery := state.album():
    album.show(delivery)
links.keep()
