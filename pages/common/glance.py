"""The first layer of the Explain page: the photo and the answer at once, then a sentence, a map and the face's parts.

Nothing here imports PyTorch before the photo is on the page.
"""

import zlib
from typing import TYPE_CHECKING

import streamlit as st

from fer_demo.classes import column_order
from fer_demo.emotions import DISCLAIMER
from fer_demo.vision.close_up import close_up
from fer_demo.wording import percent
from pages.common import look, pictures, state
from pages.common.notes import note

if TYPE_CHECKING:
    from fer_demo.explain.regions import RegionReport

SOFT = 0.14
"""Over which fraction of the crop the map fades out towards the crop's edge."""

OPACITY = 0.8


@st.fragment
def glance(predictor, photo: state.Photo, face) -> None:
    """Why this class, or another one: in a sentence, on the photo, and by parts of the face."""
    labels = column_order(predictor.labels)
    said = st.container()
    picture, words = st.columns([3, 2], gap="large")
    with words:
        label = st.selectbox(
            "Explain another expression",
            labels,
            index=labels.index(face.label),
            key=f"why {face.label} of {' '.join(labels)}",  # another model may have the same class among others
        )
    with said:
        st.header(f"Why {label}?", anchor=False)
        st.markdown(f"The network's answer: **{look.plain(face.full_sentence)}**")
        sentence = st.empty()
    part, _ = close_up(photo.image, face, face.crop.shape[0])
    about = f"The face on the photo, {face.sentence}"
    known = (state.files(), zlib.crc32(face.crop), label)
    seen_before = st.session_state.setdefault("explained", set())
    with picture:
        slot = st.empty()
    if known not in seen_before:
        sentence.markdown("Looking at what counted …")
        slot.html(pictures.comparison(part, about), unsafe_allow_javascript=True)

    from fer_demo.explain import figures as draw
    from fer_demo.explain.face import on_photo
    from pages.common.cache import cached_map, cached_regions, seen

    values = cached_map(seen(face), label, "gradcam", None).values
    _, laid, _ = on_photo(values, photo.image, face, soft=SOFT)
    shown = draw.blend(part, laid, opacity=OPACITY, strongest=draw.robust_limit(laid))
    alt = f"Why {label}? Grad-CAM on the photo"
    slot.html(pictures.comparison(part, about, shown, alt), unsafe_allow_javascript=True)
    with picture:
        note(
            f"{draw.colours_say(True)} Grad-CAM at the last stage: coarse, and close to what the network does. "
            "The slider lays the map over the photo."
        )
    report = cached_regions(seen(face), face, label)
    seen_before.add(known)
    sentence.markdown(f"**{report.sentence}**")
    with words:
        _parts(report)
        note(DISCLAIMER)


def _parts(report: "RegionReport") -> None:
    """Each part's share of the map, and the answer without it."""
    order = sorted(report.shares, key=lambda name: -report.shares[name])
    rows = [(name, report.shares[name], percent(report.alone[name])) for name in order]
    own = f"'{report.label}' is {percent(report.before)} with everything there."
    st.html(
        pictures.table(
            f"Where what speaks for '{report.label}' lies. {own}",
            ("Part of the face", "Share of the map", "Without it"),
            rows,
        )
    )
    note(
        "Parts are rough: they follow from eyes, nose and mouth corners. A part is taken away by blurring it. "
        "The surroundings are hair, ears and background."
    )
