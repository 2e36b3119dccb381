"""Predict: a photo in, a guess about the expression of each face out."""

import streamlit as st

from fer_demo.emotions import DISCLAIMER
from fer_demo.vision.samples import SAMPLES
from fer_demo.web.browser_page import ADDRESS, has_browser_page
from pages.common import look, state

UPLOAD, FILE, CAMERA = "Drop or paste", "File", "Camera"


@st.fragment(run_every=0.4)
def wait_for_upload() -> None:
    """Looks every moment whether the upload widget has left a photo for this visitor."""
    if state.collect():
        st.rerun()


def add_a_photo() -> None:
    """Three ways in, and two samples."""
    st.subheader("Add a photo", anchor=False)
    # Only the open tab runs: the camera would otherwise ask for permission as soon as the page opens.
    upload, file, camera = st.tabs([UPLOAD, FILE, CAMERA], key="source", on_change="rerun")
    if upload.open:
        with upload:
            theme = st.context.theme.type
            dress = f"&__theme={theme}" if theme else ""
            source = f"{state.base_path()}upload/?sid={state.ticket()}{dress}"
            st.iframe(source, height=310, alt="Upload a photo, paste it or use the webcam")
            wait_for_upload()
    if file.open:
        file.file_uploader(
            "Choose a photo",
            type=state.PICTURES,
            key="file",
            on_change=state.ask_widget,
            args=("file",),
        )
    if camera.open:
        camera.camera_input("Take a picture", key="camera", on_change=state.ask_widget, args=("camera",))
    st.caption("Or try a sample")
    columns = st.columns(len(SAMPLES))
    for column, sample in zip(columns, SAMPLES, strict=True):
        column.button(sample.title, key=sample.name, on_click=state.ask_sample, args=(sample,), width="stretch")
    alone = f" [Keep them on your own machine]({state.base_path()}{ADDRESS.strip('/')}/)." if has_browser_page() else ""
    st.caption(
        f":material/lock: Photos stay in this server's memory until you leave. None is kept or passed on.{alone}"
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


st.title("What does this face look like?", anchor=False)
st.markdown(f":gray[{DISCLAIMER}]")
left, right = st.columns([3, 2], gap="large")
with right:
    add_a_photo()
with left:
    look.model_note()
    with st.spinner("Looking for faces …"):
        state.work_off()
    photo = state.current_photo()
    if problem := st.session_state.get("problem"):
        st.error(look.plain(problem), icon=":material/error:")
    if photo:
        look.photo_with_boxes(photo)
        look.answers(photo)
        if photo.faces:
            downloads(photo)
        else:
            look.no_face_message()
if photo and len(photo.faces) > 1:
    look.face_cards(photo)
