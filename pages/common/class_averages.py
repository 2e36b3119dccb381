"""The part of the Explain page that looks at many labelled faces."""

import os

import streamlit as st

from fer_demo.annotate import enlarge
from fer_demo.explain import figures as draw
from fer_demo.wording import percent


@st.cache_resource(max_entries=1, show_spinner=False)
def _labelled(path: str):
    """PublicTest of the set that this server's owner points at."""
    from training.data import load_faces

    return load_faces(path).split("PublicTest")


@st.fragment
def average_maps(predictor) -> None:
    """Mean maps by expression and the most confident mistakes, over a labelled set."""
    st.header("Over many faces", anchor=False)
    path = os.environ.get("FER2013_DIR")
    if not path:
        st.caption(
            "Start the app with the environment variable FER2013_DIR set to FER2013's folder to see what the network "
            "looks at on average for each expression, and its most confident mistakes."
        )
        return
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
    for column, label in zip(st.columns(len(found.mean_maps)), found.mean_maps, strict=True):
        picture = draw.blend(enlarge(found.mean_faces[label], 4), enlarge(found.mean_maps[label], 4))
        column.image(picture, width="stretch", alt=f"Mean face and mean map for {label}")
        column.caption(f"{label} ({found.counts[label]})")
    st.subheader("Where it was surest and wrong", anchor=False)
    for first in range(0, len(found.mistakes), 6):
        for column, mistake in zip(st.columns(6), found.mistakes[first : first + 6], strict=False):
            said = f"labelled {mistake.label}, taken for {mistake.answer}"
            column.image(enlarge(mistake.crop, 4), width="stretch", alt=said)
            column.caption(f"{said} ({percent(mistake.confidence)})")
    st.caption("Labels of FER2013 are themselves often wrong: on some of these, people would side with the network.")
