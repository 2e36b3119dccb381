"""Addresses that lead to what is on show: ``?sample=…&model=…&face=2``."""

import streamlit as st

from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.samples import sample
from fer_demo.web.models import model_names
from pages.common import state


def follow() -> str | None:
    """Asks for what the page's address names, once a visit.

    Returns:
        What makes no sense in it, now the session's ``problem``; None if all does, or after the first time.
    """
    if st.session_state.get("followed"):
        return None
    st.session_state["followed"] = True
    asked = st.query_params
    problems = []
    if model := asked.get("model"):
        if _offered(model):
            state.use_model(model)
        else:
            problems.append(f"The link names a model that is not here: {model[:60]}.")
    if name := asked.get("sample"):
        if found := sample(name):
            state.ask_sample(found)
        else:
            problems.append(f"The link names a sample that is not here: {name[:60]}.")
    if face := asked.get("face"):
        if face.isdecimal() and 0 < int(face) <= 1000:
            st.session_state["linked face"] = int(face) - 1
        else:
            problems.append("The link's face must be a number from 1.")
    if not problems:
        return None
    st.session_state["problem"] = " ".join(problems)
    return st.session_state["problem"]


def _offered(model: str) -> bool:
    try:
        return model in model_names()
    except ModelError:  # the page itself says what is wrong with the application's own model
        return False


def choose_linked_face() -> None:
    """Chooses the face that the address named, if the photo has it."""
    photo = state.current_photo()
    number = st.session_state.pop("linked face", None)
    if photo and number is not None:
        if number < len(photo.faces):
            state.choose_face(number)
        else:
            st.session_state["problem"] = f"The link names face {number + 1}, but there are {len(photo.faces)}."


def keep() -> None:
    """Makes the page's address lead to what is on show; a visitor's own photo is in no address."""
    photo, model = state.current_photo(), st.session_state.get("model")
    wanted: dict[str, str] = {}
    if photo and photo.sample:
        wanted["sample"] = photo.sample
        if st.session_state.get("face"):
            wanted["face"] = str(st.session_state["face"] + 1)
    if model:
        wanted["model"] = model
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
