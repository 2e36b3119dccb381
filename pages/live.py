"""Live: the camera, and a guess about each face; in the visitor's own browser where that page was exported."""

from urllib.parse import urlencode

import streamlit as st

from fer_demo.emotions import DISCLAIMER
from fer_demo.runtime.model_info import ModelError
from fer_demo.web import camera
from fer_demo.web.browser_page import ADDRESS, LIVE, has_live_page
from fer_demo.web.models import default_model, named
from pages.common import look, state

HEIGHT = 900
"""Pixels of a frame until its page says how high it is."""


def in_the_browser(model: str) -> None:
    """The exported page, from which nothing is sent."""
    source = f"{state.base_path()}{ADDRESS.strip('/')}/{LIVE}"
    query = {"theme": theme} if (theme := st.context.theme.type) else {}
    if named():  # or else the page begins with its fastest
        query["model"] = model
    alone = f"{source}?{urlencode({'model': model})}" if named() else source
    st.iframe(f"{source}?{urlencode(query)}" if query else source, height=HEIGHT, alt="Camera and answers")
    st.caption(
        ":material/lock: Your own browser does the reading: no picture leaves this device. "
        f"[Open it without the menu]({alone})."
    )


def on_the_server() -> None:
    """Gradio's stream, whose pictures come to this server."""
    st.info(
        "The pictures are **sent to this server**, read there in memory and forgotten; those that come while one is "
        "being read are left out. Whoever runs the server can have them read in the visitor's own browser instead: "
        "with `npm` installed, `make app` sees to it.",
        icon=":material/cloud_upload:",
    )
    theme = st.context.theme.type
    source = f"{state.base_path()}{camera.ADDRESS.strip('/')}/"
    st.iframe(f"{source}?{urlencode({'__theme': theme})}" if theme else source, height=HEIGHT, alt="Camera and answers")


st.title("Live", anchor=False)
st.markdown(f":gray[{DISCLAIMER}]")
try:
    model = default_model()
except ModelError as error:
    st.error(look.plain(str(error)), icon=":material/error:")
    st.stop()
if has_live_page():
    in_the_browser(model.name)
else:
    on_the_server()
