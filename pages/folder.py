"""Folder: very many photos in, a gallery sorted by what the faces look like, and tables out."""

from urllib.parse import urlencode

import streamlit as st

from fer_demo.emotions import DISCLAIMER
from fer_demo.web.handover import HANDOVER
from fer_demo.web.limits import limits
from pages.common import folder_gallery, folder_tables, state
from pages.common.door import door

MANY = "`fer-demo batch` reads any number, from the command line."


@st.fragment(run_every=5)
def wait_for_photos(shown: int) -> None:
    """Looks now and then whether photos have come, in case that the browser did not say so.

    Args:
        shown: How many the page shows.
    """
    if HANDOVER.count(st.session_state["sid"]) != shown:
        st.rerun()


def add_photos() -> None:
    """The one way in."""
    query = {"sid": state.ticket(), "folder": "1"}
    if theme := st.context.theme.type:
        query["__theme"] = theme
    if model := st.session_state.get("model"):
        query["model"] = model
    source = f"{state.base_path()}upload/?{urlencode(query)}"
    st.iframe(source, height=200, alt="Choose many photos, a folder or a ZIP archive, or drop them")
    if st.session_state.get("frame") in ("slow", "blocked"):
        st.warning(
            f"The part above is slow to load. Load the page again; or leave the browser out: {MANY}",
            icon=":material/hourglass_empty:",
        )
    st.caption(
        f":material/lock: Up to {limits().folder:,} photos. Small pictures of them, the answers and the last "
        f"{limits().folder_mb:g} MB of files stay in this server's memory while this page is open, and 15 minutes "
        "longer. Nothing is written to disk or passed on. Stay on this page until all have been sent. For more photos, "
        f"{MANY}"
    )


sid = state.ticket()
st.title("Folder", anchor=False)
st.markdown(f":gray[{DISCLAIMER}]")
heard = door(sid=sid)
if heard.before and state.resume(heard.before):
    st.rerun()
if heard.frame and st.session_state.get("frame") != heard.frame:
    st.session_state["frame"] = heard.frame
    st.rerun()
add_photos()
folder = HANDOVER.folder(sid)
wait_for_photos(len(folder.pictures))
if folder.lost:
    st.warning(
        "Photos that were here had to make room for those of others, and are gone; add them again, or fewer at a time.",
        icon=":material/memory:",
    )
if folder.pictures:
    folder_tables.summary(folder)
    chosen = folder_gallery.chosen(folder)
    folder_gallery.gallery(folder, chosen)
    folder_gallery.unread(folder)
    folder_tables.tables(folder, lambda: HANDOVER.folder(sid))
    st.button(
        "Forget them",
        icon=":material/delete:",
        on_click=state.forget,
        help="Removes all photos and answers from the server, those on Predict too.",
    )
