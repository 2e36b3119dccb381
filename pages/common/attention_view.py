"""What a network with attention to eyes, brows and mouth attends to, on the Explain page; absent for all others."""

import streamlit as st

from fer_demo.explain import attention_figures as draw
from fer_demo.explain.attention import (
    RegionLook,
    attends,
    compare,
    found_landmarks,
    moved_landmarks,
    where_marked,
)
from fer_demo.models.regions import REGIONS
from fer_demo.wording import in_words, percent, ranked
from pages.common import look, state
from pages.common.cache import cached_look, seen
from pages.common.notes import note

FOUND, MOVED, NONE = "as found", "moved", "none"

WITHOUT = "the app's answer, without landmarks"

GUIDED = (
    "This network has learned where the eyes with their brows and the mouth lie, and weighs each place of the picture "
    "accordingly. Mark them in the wrong place to see how much its answer hangs on them: where it hardly changes, the "
    "network does not need the marks. `docs/attention.md` of this project says how it is built."
)

LEARNT = (
    "This network draws three maps of its own on the face, and weighs each place of the picture accordingly. Nobody "
    "told it what the maps should show: they need not be eyes and mouth. `docs/attention.md` of this project says how "
    "it is built."
)


@st.fragment
def attention(predictor, photo: state.Photo, face) -> None:
    """Maps, gates and answer with landmarks and without; nothing is computed before it is opened."""
    if not attends(predictor.model):
        return
    guided = bool(getattr(predictor.model, "takes_landmarks", False))
    st.header("Attention", anchor=False)
    st.markdown(GUIDED if guided else LEARNT)
    title = "Eyes, brows and mouth" if guided else "Its three maps"
    box = st.expander(title, icon=":material/center_focus_strong:", key="attention", on_change="rerun")
    if not box.open:
        return
    with box:
        marks, marked = _landmarks(photo, face) if guided else (None, "")
        own = cached_look(seen(face), None)
        stages = range(1, len(own.maps) + 1)  # a network of one's own may have fewer than three
        stage = st.segmented_control(
            "After stage", stages, default=1, key="attention_stage", help="Later stages see the face more coarsely."
        )
        given = own if marks is None else cached_look(seen(face), tuple(map(tuple, marks.tolist())))
        _pictures(photo, face, given, marks, (stage or 1) - 1, guided)
        _answers(own, given, marked)


def _landmarks(photo: state.Photo, face):
    """The controls: the landmarks in pixels of the crop and how they are marked in words, or None and no words."""
    found = found_landmarks(face)
    if found is None:
        why = (
            "The whole picture was taken as the face, so nobody looked for eyes and mouth"
            if photo.whole
            else "Where eyes and mouth of this face lie is not known"
        )
        st.info(f"{why}: all below is by the network's own maps.", icon=":material/info:")
        return None, ""
    choice = st.segmented_control(
        "Landmarks",
        (FOUND, MOVED, NONE),
        default=FOUND,
        key="attention_landmarks",
        help="Two eyes, the nose tip and the corners of the mouth. With none the network predicts its maps itself.",
    )
    if choice == MOVED:
        right, down, turn = st.columns(3)
        x = right.slider("To the right", -60, 60, 30, 5, format="%d %%", key="attention_right")
        y = down.slider("Down", -60, 60, 0, 5, format="%d %%", key="attention_down")
        angle = turn.slider("Turned clockwise", -45, 45, 0, 5, format="%d°", key="attention_turn")
        note("Percent of the distance between the eyes.")
        return moved_landmarks(found, x / 100, y / 100, angle), where_marked(x / 100, y / 100, angle)
    return (found, where_marked()) if choice == FOUND else (None, "")


def _pictures(photo: state.Photo, face, given: RegionLook, marks, stage: int, guided: bool) -> None:
    """The maps and the gate of a stage, side by side; one below the other on a phone."""
    names, signs = (REGIONS, ("R", "L", "M")) if guided else (("map 1", "map 2", "map 3"), ("1", "2", "3"))
    gate = given.gates[stage]
    maps, places = st.columns(2, gap="large")
    with maps:
        st.subheader("Where it takes them to be" if guided else "Its maps", anchor=False)
        shown = draw.region_picture(given.maps[stage], photo.image, face, marks, signs)
        drawn = "drawn from the landmarks" if given.drawn else "as the network predicts them"
        st.image(shown, width="stretch", alt=f"Maps of {', '.join(names)} after stage {stage + 1}, {drawn}")
        st.html(draw.region_legend(names, signs, dots=marks is not None))
        side = " Right and left are the person's own." if guided else ""
        highest = ", ".join(f"{one.max():.2f}" for one in given.maps[stage])
        sure = "" if given.drawn or not guided else f" They reach {highest}; 1 would be sure."
        note(f"The maps after stage {stage + 1}, {drawn}; each line is at half of its map's height.{sure}{side}")
    with places:
        st.subheader("Where it looks harder", anchor=False)
        place = st.empty()
        mean = st.toggle(
            "Compare places with each other",
            value=draw.one_sided(gate),
            key=f"attention_mean {stage} {draw.one_sided(gate)}",
            help="Without colour is then the gate's mean. What a gate does to all places alike, later layers can undo.",
        )
        centre = float(gate.mean()) if mean else 1.0
        shown = draw.gate_picture(gate, photo.image, face, centre)
        with place.container():
            st.image(shown, width="stretch", alt=f"The spatial gate after stage {stage + 1}, on the photo")
            st.html(draw.gate_legend(gate, centre))
        kept = "its mean" if mean else "1"
        note(
            f"The gate for places after stage {stage + 1}: all that the stage saw at a place is multiplied by it, "
            f"here by {gate.min():.2f} to {gate.max():.2f}. Above {kept} it looks harder, below {kept} it looks away."
        )


def _answers(own: RegionLook, given: RegionLook, marked: str) -> None:
    """Both answers, and what the landmarks change, in a sentence."""
    answers = {WITHOUT: own.probabilities}
    if marked:
        st.markdown(f"**{look.plain(compare(own.probabilities, given.probabilities, marked))}**")
        answers["with these landmarks"] = given.probabilities
    else:
        label, probability = ranked(own.probabilities)[0]
        st.markdown(f"**By the network's own maps the answer is {look.plain(label)} ({percent(probability)}).**")
    look.chart(
        draw.answer_pair(answers),
        "; ".join(f"{title}: {in_words(probabilities)}" for title, probabilities in answers.items()),
        key="attention_answers",
    )
    note(
        "The app's own answer is always the one without landmarks: there the network finds eyes, brows and mouth by "
        "itself."
        if given.drawn or marked
        else "This is the app's own answer: it gives the network no landmarks."
    )
