"""The part of the Robustness page where a visitor spoils a face: sliders, the crop before and after, the answers."""

import base64
from io import BytesIO

import numpy as np
import streamlit as st
from PIL import Image

from fer_demo.annotate import enlarge
from fer_demo.figures import probability_bars, shown_of
from fer_demo.vision.damages import KINDS, damage_all
from fer_demo.wording import in_words
from pages.common import look

SLIDERS = {
    "blur": ("%.2f px", "The Gaussian's standard deviation, in pixels of the 48 that the crop is wide."),
    "pixels": ("%d px", "How many pixels the face is wide, as if it stood further away."),
    "noise": ("%d", "Standard deviation of the grain, in grey levels of 255."),
    "light": ("\N{MULTIPLICATION SIGN} %.1f", "What every pixel is multiplied by."),
    "jpeg": ("%d", "The lower, the smaller the file, and the blockier the picture. 100 leaves it alone."),
    "turn": ("%d°", "The head tilted to one side."),
}
"""Kinds that have a slider: how it shows its number, and its help."""

BAR = 0.25
"""Height of the bar over eyes or mouth, as in the benchmark of twelve."""

BARS = {"eyes": "Cover the eyes", "mouth": "Cover the mouth"}


def _key(kind: str) -> str:
    return f"damage {kind}"


def reset() -> None:
    """Puts all sliders back to where nothing happens."""
    for kind in SLIDERS:
        st.session_state[_key(kind)] = _position(kind, KINDS[kind].none)
    for kind in BARS:
        st.session_state[_key(kind)] = False


def _position(kind: str, value: float) -> float | int:
    """A slider takes whole numbers for its ends and steps, or fractions, but no mixture."""
    return value if KINDS[kind].step % 1 else int(value)


def _strengths() -> dict[str, float]:
    """The sliders and switches, drawn."""
    chosen: dict[str, float] = {}
    places = st.columns(2)
    for i, (kind, (shown, words)) in enumerate(SLIDERS.items()):
        about = KINDS[kind]
        # Started through the session, so that the reset can move it.
        st.session_state.setdefault(_key(kind), _position(kind, about.none))
        low, high, step = (float(v) if about.step % 1 else int(v) for v in (about.low, about.high, about.step))
        place = places[2 * i // len(SLIDERS)]  # where there is no room for two columns, the second is below the first
        chosen[kind] = place.slider(about.title, low, high, step=step, format=shown, key=_key(kind), help=words)
    with st.container(horizontal=True):
        for kind, title in BARS.items():
            chosen[kind] = BAR if st.toggle(title, key=_key(kind)) else KINDS[kind].none
    return chosen


@st.fragment
def try_it(predictor, face) -> None:
    """The chosen face, spoilt as the sliders say, with the answer before and after."""
    pictures, controls = st.columns([5, 4], gap="medium")
    with controls:
        chosen = _strengths()
        spoilt = any(value != KINDS[kind].none for kind, value in chosen.items())
        st.button("Reset", icon=":material/restart_alt:", key="damage reset", on_click=reset, disabled=not spoilt)
    crop = damage_all(face.required_crop(), chosen)
    answer = predictor.read([crop])[0]
    sides = (("As it came", face), ("Spoilt" if spoilt else "Not spoilt yet", answer))
    with pictures, st.container(horizontal=True, gap="small"):
        for title, one in sides:
            with st.container(gap="small", width="stretch"):
                st.image(_inline(one.crop), width="stretch", alt=f"{title}: the face as the network sees it")
                st.markdown(f"**{title}**  \n{one.sentence}")
    with pictures:
        if spoilt:
            st.markdown(change(face, answer))
        else:
            st.caption("The crop as the network sees it, in large squares. Move a slider, and the answer moves along.")
    for column, (title, one) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.markdown(f"**{title}**")
            look.chart(probability_bars(one.probabilities), f"{title}: {in_words(one.probabilities)}", key=title[:3])
            if left_out := shown_of(len(one.probabilities)):
                st.caption(left_out)


def _inline(crop: np.ndarray) -> str:
    """A crop in large squares as an address that holds the picture itself.

    Streamlit forgets a picture as soon as the next one is shown: while a slider moves, a browser would ask too late.
    """
    data = BytesIO()
    Image.fromarray(enlarge(crop, 8)).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def change(before, after) -> str:
    """What became of the answer."""
    if before.label != after.label and not after.unsure:
        return ":material/error: **Another answer, and sure of it:** nothing tells that the picture is bad."
    if before.label != after.label:
        return ":material/help: Another answer, and the network says that it is **unsure**."
    if after.unsure and not before.unsure:
        return ":material/help: The same answer, but now the network is **unsure**."
    return ":material/check: The answer **stays**."
