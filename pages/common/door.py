"""What the pages do in the visitor's browser: hear from the widget, say and show what is new, and mind phones."""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_SCRIPT = Path(__file__).with_name("door.js")


@cache
def _component() -> Any:
    return st.components.v2.component(
        "fer_demo_door", html='<div class="news" role="status" aria-live="polite"></div>', js=_SCRIPT.read_text("utf-8")
    )


def door(*, sid: str | None = None, news: str = "") -> Any:
    """Puts the script into a page.

    Args:
        sid: The visitor's ticket on a page with the upload widget, remembered by the browser tab; None elsewhere.
        news: What there is to say to somebody who listens; when it changes it is read out, and the answer comes into
            view on a small screen.

    Returns:
        What came from the browser: ``arrived``, a mark when the widget has an answer; ``before``, the ticket of the
        visit that the tab had before it was loaded again; ``frame``, of the widget's: "slow" if it has not
        loaded within 20 seconds, "blocked" if not within 60, and "ready" if it came after all.
    """
    return _component()(
        key="door",
        data={"sid": sid, "news": news},
        # Without these, Streamlit has no such results.
        on_arrived_change=_nothing,
        on_before_change=_nothing,
        on_frame_change=_nothing,
    )


def _nothing() -> None:
    pass
