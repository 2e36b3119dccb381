"""What the Explain page has for researchers: maps with their settings, their faithfulness, and the channels."""

import numpy as np
import streamlit as st

from fer_demo.classes import column_order
from fer_demo.explain import METHODS, UNSIGNED, layers
from fer_demo.explain import figures as draw
from fer_demo.explain.face import on_photo
from fer_demo.explain.report import png, report, section
from fer_demo.wording import percent
from pages.common import look, state
from pages.common.cache import cached_curves, cached_map, seen
from pages.common.channels import channels
from pages.common.glance import SOFT
from pages.common.notes import note

WHAT_IT_SHOWS = {
    "gradcam": "where the chosen layer's features raise the class's score. Coarse, and close to what the network does.",
    "integrated_gradients": "how each pixel moved the score on the way from plain grey to this face. Exact in sum, "
    "noisy to the eye.",
    "occlusion": "how much the score falls when a small square is covered with grey. Slow, and easy to believe.",
    "smoothgrad": "where small changes of a pixel would change the score most, in either direction, averaged over "
    "noise.",
}


def settings(predictor, face) -> dict:
    """The widgets that say what is explained, and how."""
    labels = column_order(predictor.labels)
    key = f"label {face.label} of {' '.join(labels)}"  # another model may have the same class among others
    label = st.selectbox("Explain", labels, index=labels.index(face.label), key=key)
    others = [name for name in labels if name != label]
    against = st.selectbox("rather than", [None, *others], format_func=lambda name: name or "anything else")
    method = st.selectbox("Method", list(METHODS), format_func=METHODS.get)
    layer = None
    if method == "gradcam":
        names = list(layers(predictor.model))
        layer = st.selectbox("Layer", names, index=len(names) - 1, format_func=draw.layer_title)
    signed = st.toggle("Show what speaks against it too", value=method not in UNSIGNED, disabled=method in UNSIGNED)
    opacity = st.slider("Opacity", 0.2, 1.0, 0.7, 0.1)
    return {"label": label, "against": against, "method": method, "layer": layer, "signed": signed, "opacity": opacity}


@st.fragment
def researchers(predictor, photo: state.Photo, face) -> None:
    """Methods, layers, faithfulness and channels; nothing is computed before it is opened."""
    st.header("For researchers", anchor=False)
    st.markdown(
        "Other maps of the same face, whether a map is to be believed, and what the network's channels say here."
    )
    box = st.expander("Maps, faithfulness, channels", icon=":material/science:", key="researchers", on_change="rerun")
    if not box.open:
        return
    with box:
        maps, belief, gates = st.tabs(
            ["Maps", "To be believed?", "Channels"], key="researchers_tabs", on_change="rerun"
        )
        with maps:
            st.markdown(
                "A map says which pixels raise or lower a class's score. Each method asks that in another way, and "
                "Grad-CAM can ask at each of the network's layers: early ones see edges, late ones parts of a face."
            )
            picture, controls = st.columns([3, 2], gap="large")
            with controls:
                chosen = settings(predictor, face)
            if maps.open:
                what_counted(predictor, photo, face, chosen, picture, controls)
        with belief:
            if belief.open:
                believe_it(predictor, face, chosen)
        with gates:
            if gates.open:
                channels(predictor, face)


def what_counted(predictor, photo: state.Photo, face, chosen: dict, picture, controls) -> None:
    """The map on the photo and on the crop."""
    with picture, st.spinner("Looking at what counted …"):
        found = cached_map(seen(face), chosen["label"], chosen["method"], chosen["layer"], chosen["against"])
    part, laid = _laid(found, photo, face, chosen["method"])
    rather = f" rather than {chosen['against']}" if chosen["against"] else ""
    question = f"Why {chosen['label']}{rather}?"
    with picture:
        st.subheader(question, anchor=False)
        strongest = draw.robust_limit(laid)
        shown = draw.blend(part, laid, signed=chosen["signed"], opacity=chosen["opacity"], strongest=strongest)
        st.image(shown, width="stretch", alt=f"{question} {METHODS[chosen['method']]}, as set beside it, on the photo")
        meaning = f"{METHODS[chosen['method']]} shows {WHAT_IT_SHOWS[chosen['method']]}"
        note(f"{draw.colours_say(chosen['signed'])} {meaning}")
        negative = float(-np.clip(found.values, None, 0).sum())
        if chosen["method"] not in UNSIGNED and negative > float(np.clip(found.values, 0, None).sum()):
            st.info(f"Most of this map speaks **against** {chosen['label']}{rather}.", icon=":material/info:")
        if chosen["against"]:
            _side_by_side(predictor, photo, face, chosen)
        _downloads(predictor, photo, face, chosen, found, shown)
        if found.delta is not None:
            note(f"Completeness: the map's sum misses the change of the score by {abs(found.delta):.3f}.")
    with controls:
        look.chart(
            draw.hover_map(face.crop, found.values, signed=chosen["signed"], height=260),
            "The crop that the network saw, with the map's value at each pixel",
        )
        note("The crop that the network saw. Point at it for values, 1 being the strongest.")


def _laid(found, photo: state.Photo, face, method: str) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo, and the map on it: with soft edges, and single pixels run into each other a little."""
    values = found.values if method == "gradcam" else draw.softened(found.values)
    part, laid, _ = on_photo(values, photo.image, face, soft=SOFT)
    return part, laid


def _side_by_side(predictor, photo: state.Photo, face, chosen: dict) -> None:
    """Each of the two classes by itself."""
    for column, label in zip(st.columns(2), (chosen["label"], chosen["against"]), strict=True):
        alone = cached_map(seen(face), label, chosen["method"], chosen["layer"])
        part, laid = _laid(alone, photo, face, chosen["method"])
        shown = draw.blend(part, laid, signed=chosen["signed"], strongest=draw.robust_limit(laid))
        column.image(shown, width="stretch", alt=f"Why {label}, by itself, on the photo")
        with column:
            note(f"Why {label}? ({percent(face.probabilities[label])})")


def _downloads(predictor, photo: state.Photo, face, chosen: dict, found, picture: np.ndarray) -> None:
    """The picture as PNG and everything as a report that opens offline; both made only when asked for."""
    stem = (photo.name or "photo").rsplit(".", 1)[0]
    number = st.session_state.get("face", 0) + 1  # read here: the functions below run outside the session

    def page() -> str:
        words = {key: chosen[key] for key in ("label", "method", "against", "signed")}
        parts = [section(predictor, face, number, picture, found, **words)]
        return report(photo.name or "photo", predictor.name, parts)

    files = (("PNG", lambda: png(picture), "png", "image/png"), ("report", page, "html", "text/html"))
    with st.container(horizontal=True):
        for label, data, ending, mime in files:
            st.download_button(
                f"Download {label}",
                data,
                f"{stem}-explained.{ending}",
                mime,
                icon=":material/download:",
                on_click="ignore",
            )


def believe_it(predictor, face, chosen: dict) -> None:
    """Deletion and insertion for the map chosen under "Maps", and for many faces."""
    st.subheader("Is this map to be believed?", anchor=False)
    st.markdown(
        "If the map tells the truth, blurring away its strongest pixels first should make the answer **fall fast** "
        "(deletion), and bringing them back first should make it **rise fast** (insertion). A map that knows nothing "
        "does worse."
    )
    if chosen["against"]:
        st.info("The curves follow one class; choose *anything else* under Maps to see them.")
        return
    with st.spinner("Taking pixels away and bringing them back …"):
        curves = cached_curves(seen(face), chosen["label"], chosen["method"], chosen["layer"])
    chart, figures = st.columns([3, 2], gap="large")
    with chart:
        look.chart(draw.faithfulness_curves(curves), "Deletion and insertion curves with two controls")
    with figures:
        st.dataframe(
            [
                {"map": name, "deletion": c["deletion_area"], "insertion": c["insertion_area"]}
                for name, c in curves.items()
            ],
            hide_index=True,
            column_config={
                "deletion": st.column_config.NumberColumn(
                    format="%.2f", help="Area under the dashed curve: low is good."
                ),
                "insertion": st.column_config.NumberColumn(
                    format="%.2f", help="Area under the solid curve: high is good."
                ),
            },
        )
        mine, *controls = curves.values()
        better = sum(
            mine["insertion_area"] - mine["deletion_area"] > c["insertion_area"] - c["deletion_area"] for c in controls
        )
        verdict = (
            "worse than both controls: do not believe it",
            "better than one of two controls: doubtful",
            "better than both controls",
        )[better]
        st.markdown(f"On this face the map is **{verdict}**.")
        if said := over_many(METHODS[chosen["method"]]):
            note(said)


def over_many(method: str) -> str:
    """What ``faithfulness.json`` beside the model says of a method, in a sentence; one that says so if it is not there.

    Args:
        method: A value of `METHODS`.
    """
    many = state.figures("faithfulness.json")
    try:
        row = many["methods"][method]
        gain, low, high = row["gain_insertion"]
        faces = f"{many['n']:,} PublicTest faces" if state.model().of_fer2013 else f"{many['n']:,} faces"
        return (
            f"Over {faces} {method} beats {row['control']} in insertion by {gain:.2f} (95 % interval {low:.2f} to "
            f"{high:.2f}) and in deletion by {row['gain_deletion'][0]:.2f}."
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return "" if many else "How its maps do over many faces was not measured for this model."
