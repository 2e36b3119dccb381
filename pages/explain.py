"""Explain: what the network looked at on the chosen face, what its channels say, and whether to believe it."""

import streamlit as st

from fer_demo.emotions import DISCLAIMER
from fer_demo.web.shared import USER_ERRORS
from pages.common import channels, class_averages, explained, look, state

st.title("Why this answer?", anchor=False)
st.markdown(":gray[The photo and face chosen on the Predict page, seen through the network's eyes.]")
try:
    predictor = state.predictor()
    state.work_off()
except USER_ERRORS as error:
    st.error(look.plain(str(error)), icon=":material/error:")
    st.stop()
if problem := st.session_state.get("problem"):
    st.error(look.plain(problem), icon=":material/error:")
look.model_note()
with st.popover("Another photo", icon=":material/add_a_photo:"):
    st.file_uploader(
        "Choose a photo", type=state.PICTURES, key="explain_file", on_change=state.ask_widget, args=("explain_file",)
    )
photo, face = state.current_photo(), state.chosen_face()
if photo is None or face is None:
    st.info("There is no face to explain yet. Add a photo on the Predict page.", icon=":material/face:")
    st.stop()
st.markdown(f"The network's answer: **{face.full_sentence}**  \n:gray[{DISCLAIMER}]")
look.choose_face(photo)
explained.what_counted(predictor, photo, face)
channels.channels(predictor, face)
class_averages.average_maps(predictor)
