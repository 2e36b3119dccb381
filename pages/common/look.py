"""Pieces of pages: the photo, a card for each face, the message for a photo without faces."""

import html

import streamlit as st

from fer_demo import provenance
from fer_demo.annotate import draw_faces, enlarge, face_color, fit_width
from fer_demo.checkpoints import DEFAULT, resolve
from fer_demo.emotions import text_color
from fer_demo.figures import probability_bars, shown_of
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.kinds import tells_of_a_video
from fer_demo.web.models import VARIABLE, AppModel, default_model
from fer_demo.wording import count_faces, in_words
from pages.common import state
from pages.common.state import Photo

CARDS_AT_FIRST = 8
"""A class photo has dozens of faces; the rest of the cards comes at a click."""

# The bar is there while the mouse is over a chart; a touch screen has none, and it would lie on the figures.
_PLOTLY = {"displaylogo": False, "modeBarButtons": [["toImage"]], "displayModeBar": "hover"}


def problem(sentence: str) -> None:
    """Says what was wrong, with the way to the page for a video."""
    st.error(plain(sentence), icon=":material/error:")
    if tells_of_a_video(sentence):
        st.page_link("pages/video.py", label="Read it on the page Video", icon=":material/movie:")


def chart(figure, alt: str, **more):
    """A Plotly figure with nothing on its bar but the download as a picture.

    Args:
        figure: The figure.
        alt: What it shows, for those who cannot see it; its key too, unless `more` has one.
        **more: As ``st.plotly_chart`` takes it.

    Returns:
        What ``st.plotly_chart`` returns.
    """
    return st.plotly_chart(figure, alt=alt, config=_PLOTLY, **{"key": alt, **more})


LABELS_ONLY = "fer_sedense"
"""What the paper's number belongs to, one click away from the checkpoint for photographs."""


def model_note() -> None:
    """Says which model answers and what taught it, and offers another one.

    That is the default one, or where that is for photographs, the paper's.
    """
    chosen = st.session_state.get("model")
    try:
        answering, usual = state.model(), default_model()
        taught = taught_by(answering)
    except ModelError:  # the page says what is wrong with it
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        who = f":material/model_training: :gray[`{answering.name}` answers{', as you chose' if chosen else ''}."
        why = f" It learned {taught}." if taught else ""
        st.markdown(f"{who}{why}]", width="content")
        if chosen:
            back = "photographs" if usual.name == DEFAULT else usual.name
            st.button(
                f"Back to {plain(back)}", key="model_back", type="tertiary", on_click=state.use_model, args=(None,)
            )
        elif usual.name == DEFAULT and (paper := _papers_weights()):
            st.button(
                "Ask the paper's weights",
                key="model_paper",
                type="tertiary",
                help=f"`{paper}` learned FER2013's labels alone: better on FER2013, worse on photographs.",
                on_click=state.use_model,
                args=(paper,),
            )


def taught_by(model: AppModel) -> str:
    """Which labels taught a model, in words; empty if nobody knows.

    Raises:
        ModelError: If it is damaged.
    """
    return provenance.taught_by(model.source) if model.of_fer2013 else ""


def _papers_weights() -> str:
    """Their name; empty where they are not here."""
    try:
        return resolve(LABELS_ONLY).name
    except ModelError:
        return ""


def choose_face(photo: Photo) -> None:
    """A choice among several faces."""
    if len(photo.faces) > 1:
        number = st.segmented_control(
            "Face", range(len(photo.faces)), default=st.session_state["face"], format_func=lambda i: f"{i + 1}"
        )
        if number is not None and number != st.session_state["face"]:
            state.choose_face(number)
            st.rerun()


def photo_with_boxes(photo: Photo) -> None:
    """The picture with numbered boxes, and a line about it."""
    chosen = st.session_state["face"] if len(photo.faces) > 1 else None
    picture = draw_faces(photo.image, [] if photo.whole else photo.faces, chosen=chosen, max_side=1280)
    words = "; ".join(f"face {i}: {face.full_sentence}" for i, face in enumerate(photo.faces, 1))
    st.image(
        picture,
        width=fit_width(picture, max_width=1280, max_height=500),
        output_format="JPEG",
        alt=f"Photo, {count_faces(len(photo.faces))}. {words}".strip(),
    )
    height, width = photo.image.shape[:2]
    found = "the whole picture as one face" if photo.whole else count_faces(len(photo.faces))
    name = photo.credit or photo.name or "Your photo"
    st.caption(f"{plain(name)}  ·  {width} \N{MULTIPLICATION SIGN} {height} pixels  ·  {found}")


def answers(photo: Photo) -> None:
    """Right under the photo: the one face's card, or a line for each of several."""
    if len(photo.faces) == 1:
        _face_card(photo, 0, photo.faces[0])
    elif photo.faces:
        lines = (_headline(i, face) for i, face in enumerate(photo.faces[:CARDS_AT_FIRST]))
        more = len(photo.faces) - CARDS_AT_FIRST
        rest = f'<div style="opacity:.7">and {more} more: see the cards below</div>' if more > 0 else ""
        st.html(f'<div style="display:grid;gap:.5rem">{"".join(lines)}{rest}</div>')


def in_one_sentence(photo: Photo) -> str:
    """The answer for somebody who hears it."""
    words = "; ".join(f"face {i}: {face.full_sentence}" for i, face in enumerate(photo.faces, 1))
    return f"{photo.name or 'Your photo'}: {count_faces(len(photo.faces))}. {words}".strip()


def notes(photo: Photo) -> None:
    """What was done to the picture before it was read."""
    for note in getattr(photo.results, "notes", ()):
        st.caption(f":material/info: {plain(note)}")


def no_insides(face) -> None:
    """The answer for a face, and why it is not explained."""
    st.markdown(f"The network's answer: **{plain(face.full_sentence)}**")
    st.info(
        "This model is an ONNX file, whose insides cannot be explained: choose another one above, or have the server's "
        f"owner name the checkpoint's folder in {VARIABLE}.",
        icon=":material/visibility_off:",
    )


def turn_button(photo: Photo) -> None:
    """Turns the photo and asks again: upright where its faces say how it lies, else by a quarter."""
    turn = photo.results.turn
    st.button(
        "Put it upright" if turn else "Turn",
        key="turn",
        icon=":material/rotate_90_degrees_cw:",
        type="primary" if turn else "secondary",
        on_click=state.turn_photo,
        args=(turn or 90,),
        help="Looks at the photo again, turned." if turn else "Looks at it again, turned clockwise by a quarter.",
    )


def no_face_message(photo: Photo) -> None:
    """Says plainly that there is no face, what to try, and offers to go on without a box."""
    with st.container(border=True):
        st.subheader("No face found on this photo")
        st.markdown(
            "What usually helps:\n"
            "- a **larger** face: crop the photo or come closer\n"
            "- an **upright** face that looks roughly at the camera: turn the photo if it lies on a side\n"
            "- **better light**, without hands, masks or sunglasses over the face"
        )
        turn_button(photo)
        st.button(
            "Use the whole picture as one face",
            icon=":material/crop_free:",
            on_click=state.ask_whole_picture,
            help="For pictures that are already cropped to a face.",
        )


def face_cards(photo: Photo) -> None:
    """A card for each of several faces, two in a row."""
    limit = len(photo.faces) if st.session_state.get("all_cards") else CARDS_AT_FIRST
    shown = photo.faces[:limit]
    for first in range(0, len(shown), 2):
        columns = st.columns(2)
        for offset, face in enumerate(shown[first : first + 2]):
            with columns[offset]:
                _face_card(photo, first + offset, face)
    if len(photo.faces) > len(shown) or st.session_state.get("all_cards"):
        st.toggle(f"Show all {len(photo.faces)} faces", key="all_cards")


def _face_card(photo: Photo, index: int, face) -> None:
    with st.container(border=True, height="stretch"):
        st.html(f'<div style="font-size:1.15rem;font-weight:600">{_headline(index, face)}</div>')
        crop, bars = st.columns([2, 3], vertical_alignment="center")
        with crop:
            height, width = face.crop.shape
            st.image(enlarge(face.crop), width=144, alt=f"Face {index + 1} as the network saw it")
            st.caption(f"What the network saw:  \n{width} \N{MULTIPLICATION SIGN} {height} grey pixels")
        with bars:
            chart(
                probability_bars(face.probabilities, candidates=face.candidates if face.readable else ()),
                f"Face {index + 1}: {in_words(face.probabilities)}",
                key=f"bars{index}",
            )
        for note in filter(None, (shown_of(len(face.probabilities)), _doubt(face))):
            st.caption(note)
        if len(photo.faces) > 1 and not photo.whole:
            is_chosen = st.session_state["face"] == index
            st.button(
                "Shown in the photo" if is_chosen else "Show in the photo",
                key=f"choose{index}",
                type="tertiary",
                icon=":material/check:" if is_chosen else ":material/center_focus_strong:",
                disabled=is_chosen,
                on_click=state.choose_face,
                args=(index,),
            )


def _headline(index: int, face) -> str:
    color = face_color(face)
    chip = f"background:{color};color:{text_color(color)};border-radius:6px;padding:0 .5em;margin-right:.5em"
    small = "font-size:.875rem;font-weight:400;opacity:.7"
    remarks = f'<div style="{small}">The picture: {html.escape(face.remarks)}</div>' if face.remarks else ""
    return (
        '<div style="display:flex;align-items:baseline">'
        f'<span style="{chip}">{index + 1}</span><div>{html.escape(face.sentence)}{remarks}</div></div>'
    )


def _doubt(face) -> str:
    """Why the answer is none, or names several classes; empty for a plain one."""
    if not face.readable:
        return "The bars are what the network says of such a crop; it cannot be read, so they are no answer."
    if len(face.candidates) > 1:
        return "Bold: what it may be."
    return ""


def plain(text: str) -> str:
    """Text with Markdown's signs escaped, since a file name may hold any."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-!|~:$<>" else c for c in text)
