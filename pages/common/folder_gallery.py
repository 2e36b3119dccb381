"""The gallery of the page Folder: which photos, in which order, and a part of them at a time."""

import base64

import streamlit as st

from fer_demo.web.folder import Folder, Small, all_labels, order
from fer_demo.wording import count_faces, percent
from pages.common import look, state

AT_A_TIME = 24
"""Small pictures on one part of the gallery."""


def ordered(pictures: list[Small], labels: list[str], name: str, least: float) -> list[int]:
    """Which photos are shown, sorted by expression, then by confidence.

    Args:
        pictures: All photos.
        labels: What they count as; none is all.
        name: A part of the file's name, in any case.
        least: Confidence from 0 to 1; above 0, photos without an expression are not shown.

    Returns:
        Indices of `pictures`.
    """
    chosen = [
        number
        for number, one in enumerate(pictures)
        if (not labels or one.label in labels)
        and name.strip().casefold() in one.name.casefold()
        and (one.confidence or 0) >= least
    ]
    ranks = {label: rank for rank, label in enumerate(order(all_labels(one.labels for one in pictures)))}
    return sorted(chosen, key=lambda n: (ranks[pictures[n].label], -(pictures[n].confidence or 0), n))


def chosen(folder: Folder) -> list[int]:
    """Asks which photos are shown; indices of ``folder.pictures``, in order."""
    found = {one.label for one in folder.pictures}
    present = [label for label in order(folder.labels) if label in found]
    labels = st.segmented_control("Show", present, selection_mode="multi", key="folder labels") or []
    left, right = st.columns(2)
    name = left.text_input("Part of the file's name", key="folder name")
    least = right.slider(
        "At least this confidence",
        0,
        100,
        0,
        5,
        format="%d %%",
        key="folder least",
        help="Above 0 %, photos without an expression are not shown.",
    )
    return ordered(folder.pictures, labels, name, least / 100)


def gallery(folder: Folder, numbers: list[int]) -> None:
    """One part of the gallery, and the way to the others.

    Args:
        folder: The photos.
        numbers: Which of them, in order.
    """
    if not numbers:
        st.info("No photo fits these filters; take one of them away.", icon=":material/filter_alt_off:")
        return
    last = (len(numbers) - 1) // AT_A_TIME
    part = st.session_state["folder part"] = min(st.session_state.get("folder part", 0), last)
    shown = numbers[part * AT_A_TIME : (part + 1) * AT_A_TIME]
    with st.container(horizontal=True, gap="small", key="gallery"):
        for number in shown:
            _photo(folder.pictures[number], number)
    if last:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Before", icon=":material/chevron_left:", on_click=_turn, args=(-1,), disabled=part == 0)
            st.button("Next", icon=":material/chevron_right:", on_click=_turn, args=(1,), disabled=part == last)
            st.caption(
                f"{part * AT_A_TIME + 1} to {part * AT_A_TIME + len(shown)} of {len(numbers):,}", width="content"
            )


def _turn(parts: int) -> None:
    st.session_state["folder part"] += parts


def _photo(one: Small, number: int) -> None:
    with st.container(border=True, width=168, gap="small"):
        sure = f" {percent(one.confidence)}" if one.confidence is not None else ""
        name = look.plain(one.name)
        if not one.thumbnail:
            st.markdown(f"**{one.label}**  \n:small[{look.plain(one.data['error'])}]")
            return
        st.image(_address(one), alt=f"{one.name}: {one.label}{sure}")
        st.markdown(f"**{one.label}**{sure}  \n:small[{name} · {count_faces(len(one.data['faces']))}]")
        # Photos have numbers so that buttons of the same words differ.
        if st.button("Look at it", key=f"folder{number}", type="tertiary"):
            look_at(one)


def _address(one: Small) -> str:
    # Streamlit would forget a picture once the page is drawn anew, which it is with every group, perhaps before the
    # browser has fetched it.
    return f"data:image/jpeg;base64,{base64.b64encode(one.thumbnail).decode()}"


def look_at(one: Small) -> None:
    """Opens a photo on Predict where its file is still here, and else shows the small picture larger."""
    if one.original is not None:
        state.ask_file(one.name, one.original)
        st.session_state["album"] = None
        st.switch_page("pages/predict.py")
    _enlarged(one)


@st.dialog("The small picture", width="large")
def _enlarged(one: Small) -> None:
    st.image(_address(one), width="stretch", alt=f"{one.name}: {one.label}")
    st.caption(
        f"{look.plain(one.name)}: the server keeps only this small picture of it. For a closer look add the photo on "
        "Predict."
    )
    for number, face in enumerate(one.data["faces"], 1):
        words = f"looks most like {face['label']} ({percent(face['confidence'])})"
        if not face["readable"]:
            words = f"cannot be read: {', '.join(face['flags'])}"
        elif face["unsure"]:
            words = f"unsure: could be {', '.join(face['candidates'])}"
        st.markdown(f"Face {number}: {words}")


def unread(folder: Folder) -> None:
    """The photos that could not be read, with their sentences."""
    failed = [one for one in folder.pictures if not one.thumbnail]
    if failed:
        with st.expander(f"{len(failed)} could not be read", icon=":material/broken_image:"):
            st.markdown("\n".join(f"- {look.plain(one.data['error'])}" for one in failed))
