"""Robustness: what blur, noise, bad light and covered parts do to an answer, on the visitor's face and on many."""

import streamlit as st

from fer_demo.emotions import DISCLAIMER
from fer_demo.vision.samples import SAMPLES
from fer_demo.web.shared import USER_ERRORS
from pages.common import damaged, links, look, robustness_charts, state
from pages.common.another_photo import another_photo

st.title("How much can a photo suffer?", anchor=False)
st.markdown(":gray[Spoil the face from the Predict page and watch the answer; below, the same on many labelled faces.]")
try:
    predictor = state.predictor()
    state.work_off()
    known = robustness_charts.known()
except USER_ERRORS as error:
    st.error(look.plain(str(error)), icon=":material/error:")
    st.stop()
links.choose_linked_face()
links.keep()
if problem := st.session_state.get("problem"):
    look.problem(problem)
look.model_note()
with another_photo("robustness_file"):
    st.caption("Or try a sample")
    for sample in SAMPLES:
        st.button(sample.title, key=sample.name, on_click=state.ask_sample, args=(sample,), width="stretch")
photo, face = state.current_photo(), state.chosen_face()
if photo is None or face is None:
    st.info("There is no face to spoil yet. Add a photo on the Predict page.", icon=":material/face:")
else:
    look.choose_face(photo)
    damaged.try_it(predictor, face)
    st.caption(DISCLAIMER)
robustness_charts.own(known)
robustness_charts.robustness(known)
