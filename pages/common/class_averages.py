"""The part of the Explain page that looks at many labelled faces."""

import os

import cv2
import numpy as np
import streamlit as st

from fer_demo.annotate import enlarge
from fer_demo.emotions import LABELS
from fer_demo.explain import figures as draw
from fer_demo.explain.averages import read_averages
from fer_demo.wording import percent
from pages.common import pictures, state
from pages.common.notes import note


@st.cache_resource(max_entries=1, show_spinner=False)
def _labelled(path: str):
    """PublicTest of the set that this server's owner points at."""
    from training.data import load_faces

    return load_faces(path).split("PublicTest")


def average_maps(predictor) -> None:
    """The mean face of each expression under its mean map, as they come with the checkpoint."""
    st.header("Over many faces", anchor=False)
    found = read_averages(state.files())
    if found is None or not found.counts:
        st.markdown("No averages come with this model; choose another one above to see some.")
        return
    st.markdown(
        f"What `{predictor.name}` looks at on average: each picture is the mean of {min(found.counts.values())} or "
        f"more faces of {found.source} that people labelled so, and below it with the mean of their maps."
    )
    st.html(pictures.grid(_tile(found.faces[label], found.maps[label], label, n) for label, n in found.counts.items()))
    note(f"{draw.colours_say(True)} In brackets: how many faces.")


def _tile(face: np.ndarray, values: np.ndarray, label: str, count: int) -> tuple[np.ndarray, str, str]:
    side = (192, 192)
    large, laid = (cv2.resize(picture, side, interpolation=cv2.INTER_CUBIC) for picture in (face, values))
    alone = np.repeat(large[..., None], 3, axis=2)
    mapped = draw.blend(large, laid, opacity=0.55, strongest=draw.robust_limit(laid))
    return np.vstack([alone, mapped]), f"Mean face, and mean map on it, for {label}", f"{label} ({count})"


@st.fragment
def own_faces(predictor) -> None:
    """Mean maps and the most confident mistakes over the labelled faces that this server's owner points at, if any."""
    path = os.environ.get("FER2013_DIR")
    if not path:
        return
    st.header("The labelled faces on this server", anchor=False)
    if set(predictor.labels) != set(LABELS):
        st.markdown(f"They are labelled with {', '.join(LABELS)}, which are not the classes of this model.")
        return
    st.markdown(
        "The same over faces of your own choice of number, and those on which the network was surest and wrong."
    )
    from training.report.class_averages import class_averages

    with st.container(horizontal=True, vertical_alignment="bottom"):
        per_class = st.number_input("Faces of each expression", 5, 500, 30, 5, width=200)
        asked = st.button("Look at them", icon=":material/grid_view:")
    if asked:
        bar = st.progress(0.0, "Reading the faces …")
        stop = st.empty()
        stop.button("Stop", icon=":material/stop:")  # any click ends this run at the bar's next step
        try:
            st.session_state["class averages"] = class_averages(
                predictor.model,
                _labelled(path),
                per_class=int(per_class),
                temperature=predictor.temperature,
                progress=lambda done: bar.progress(done, f"{done:.0%} of the faces"),
            )
        except (ValueError, OSError) as error:
            st.error(str(error), icon=":material/error:")
        bar.empty()
        stop.empty()
    found = st.session_state.get("class averages")
    if found is None:
        return
    st.subheader("The mean face of each expression, under the mean of its Grad-CAM maps", anchor=False)
    maps = found.mean_maps
    st.html(pictures.grid(_tile(found.mean_faces[name], maps[name], name, found.counts[name]) for name in maps))
    st.subheader("Where it was surest and wrong", anchor=False)
    st.html(pictures.grid(_mistake(mistake) for mistake in found.mistakes))
    note("Labels of FER2013 are themselves often wrong: on some of these, people would side with the network.")


def _mistake(mistake) -> tuple[np.ndarray, str, str]:
    said = f"labelled {mistake.label}, taken for {mistake.answer}"
    return enlarge(mistake.crop, 4), said, f"{said} ({percent(mistake.confidence)})"
