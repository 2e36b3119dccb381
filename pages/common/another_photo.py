"""Streamlit's own uploader, for pages without the upload widget."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pages.common import state


def uploader(key: str) -> None:
    """Asks for the photo that is chosen.

    Args:
        key: The widget's key.
    """
    st.file_uploader("Choose a photo", type=state.PICTURES, key=key, on_change=state.ask_widget, args=(key,))


@contextmanager
def another_photo(key: str) -> Iterator[None]:
    """A popover with `uploader`; what is drawn in the block stands below it.

    Args:
        key: The uploader's key.
    """
    with st.popover("Another photo", icon=":material/add_a_photo:"):
        uploader(key)
        yield
