"""Video: a clip in, what expression each person shows over time out."""

from importlib.util import find_spec

import streamlit as st

from fer_demo.emotions import DISCLAIMER
from fer_demo.video.extra import INSTALL
from pages.common import look, video_job


def page() -> None:
    """The page where videos can be read."""
    from pages.common import video_view

    video_job.ways_in()
    if video_job.job() is not None:
        video_job.progress()
    if problem := st.session_state.get("video problem"):
        st.error(look.plain(problem), icon=":material/error:")
    if result := video_job.result():
        video_view.heading(result)
        video_view.findings(result)
        video_view.downloads(result)


st.title("Expressions over time", anchor=False)
st.markdown(f":gray[{DISCLAIMER}]")
if find_spec("av") and find_spec("scipy"):
    page()
else:
    st.info(look.plain(INSTALL).replace("\\`", "`"), icon=":material/install_desktop:")
