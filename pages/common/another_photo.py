"""Streamlit's own uploader, for pages without the upload widget."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from fer_demo.web.limits import limits
from pages.common import state


def uploader(key: str) -> None:
    """Asks for the photo that is chosen.

    Args:
        key: The widget's key.
    """
    st.file_uploader(
        "Choose a photo",
        type=state.PICTURES,
        key=key,
        on_change=state.ask_widget,
        args=(key,),
        max_upload_size=max(1, int(limits().upload_mb)),  # the server's is that of a video
    )


@contextmanager
def another_photo(key: str) -> Iterator[None]:
    """A popover with `uploader`; what is drawn in the block stands below it.

    Args:
        key: The uploader's key.
    """
    with st.popover("Another photo", icon=":material/add_a_photo:"):
        uploader(key)
        yield


def other_ways() -> None:
    """Where to go with more than a photo."""
    with st.container(horizontal=True, key="other_ways"):
        for page, title, icon in (
            ("pages/folder.py", "Many photos", ":material/photo_library:"),
            ("pages/live.py", "The camera, live", ":material/videocam:"),
            ("pages/video.py", "A video", ":material/movie:"),
        ):
            st.page_link(page, label=title, icon=icon, width="content")
