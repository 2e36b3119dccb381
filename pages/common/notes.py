"""Small print of the Explain page."""

import streamlit as st


def note(text: str) -> None:
    """Small grey text. Streamlit's own caption has a contrast of 4.2 to 1 on white, where WCAG asks for 4.5.

    Args:
        text: Markdown without square brackets.
    """
    st.markdown(f":small[:gray[{text}]]")
