"""Explain: what the network looked at on the chosen face, in a sentence and a map; below it what researchers ask."""

import streamlit as st

from fer_demo.web.shared import USER_ERRORS
from pages.common import explain_choices, glance, links, look, state

st.title("Why this answer?", anchor=False)
st.markdown(":gray[The photo and face chosen on the Predict page, seen through the network's eyes.]")
explain_choices.photo_and_model()
try:
    predictor = state.predictor()
    state.work_off()
except USER_ERRORS as error:
    st.error(look.plain(str(error)), icon=":material/error:")
    st.stop()
links.choose_linked_face()
links.keep()
if problem := st.session_state.get("problem"):
    look.problem(problem)
photo, face = state.current_photo(), state.chosen_face()
if photo is None or face is None:
    explain_choices.no_face()
    st.stop()
look.choose_face(photo)
if not state.model().explainable:
    look.photo_with_boxes(photo)
    look.no_insides(face)
    st.stop()
glance.glance(predictor, photo, face)
# Not before the photo and the answer are on the page: what follows needs PyTorch, which may still be loading.
from pages.common import attention_view, class_averages, explained  # noqa: E402

attention_view.attention(predictor, photo, face)
class_averages.average_maps(predictor)
explained.researchers(predictor, photo, face)
class_averages.own_faces(predictor)
