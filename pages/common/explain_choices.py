"""What is explained: another photo or model, without leaving the Explain page; and what to do without a face."""

import streamlit as st

from fer_demo.checkpoints import DEFAULT
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.samples import SAMPLES
from fer_demo.web.models import default_model, model_names
from pages.common import look, state
from pages.common.another_photo import another_photo
from pages.common.notes import note


def photo_and_model() -> None:
    """A popover for another photo, a choice of the model, and what taught it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with another_photo("explain_file"):
            for sample in SAMPLES:
                st.button(f"{sample.title} (a sample)", on_click=state.ask_sample, args=(sample,), type="tertiary")
        try:
            names, answering = model_names(), state.model()
        except ModelError:  # the page says what is wrong with it
            return
        name = answering.name
        if len(names) > 1 and name in names:
            st.selectbox(
                "Model",
                names,
                index=names.index(name),
                key=f"explain_model {name}",  # chosen elsewhere meanwhile: a box of its own
                format_func=lambda one: f"{one} (for photographs)" if one == DEFAULT else one,
                on_change=_use_model,
                args=(f"explain_model {name}",),
                width=340,
            )
    try:
        taught = look.taught_by(answering)
    except ModelError:
        return
    if taught:
        note(f"{name} learned {taught}.")


def _use_model(key: str) -> None:
    chosen = st.session_state[key]
    state.use_model(None if chosen == default_model().name else chosen)


def no_face() -> None:
    """Says what to do where there is nothing to explain."""
    st.info(
        "There is no face to explain yet. Add another photo above, or go to the Predict page: it says what helps, and "
        "can take the whole picture as one face.",
        icon=":material/face:",
    )
    st.page_link("pages/predict.py", label="Go to the Predict page", icon=":material/arrow_back:")
