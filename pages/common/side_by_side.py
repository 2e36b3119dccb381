"""The part of the Trade-offs page where several models look at the visitor's own photo."""

import html

import streamlit as st

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.emotions import DISCLAIMER
from fer_demo.figures import MOST_BARS, shown_of
from fer_demo.tradeoffs.compare import ModelAnswer, answer_rows, compare_models, disagreement
from fer_demo.tradeoffs.figures import answer_bars, model_color
from fer_demo.tradeoffs.turns import BUSY, MATRIX
from fer_demo.web.models import own_models
from fer_demo.web.shared import USER_ERRORS, shared_predictor
from fer_demo.wording import count_faces
from pages.common import look, state
from pages.common.another_photo import another_photo
from pages.common.downloads import downloads

MOST = 4


@st.fragment
def side_by_side() -> None:
    """Two to four models on one face: answers, maps, times, and where they disagree."""
    st.header("Side by side on your photo", anchor=False)
    names = [*(one.name for one in own_models()), *bundled_checkpoints()]
    if len(names) < 2:
        st.info(
            f"To compare, two trained models are needed; {len(names)} is bundled. Train another one with "
            "`python -m training full`, and it appears here."
        )
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    chosen = left.multiselect("Models", names, default=names[:2], max_selections=MOST, key="compared")
    with right, another_photo("tradeoffs_file"):
        pass
    if len(chosen) < 2:
        st.info("Choose at least two models.")
        return
    try:
        state.work_off()
    except USER_ERRORS as error:
        st.error(str(error), icon=":material/error:")
        return
    if problem := st.session_state.get("problem"):
        look.problem(problem)
    photo, index = state.current_photo(), st.session_state.get("face", 0)
    if photo is None or not photo.faces:
        st.info("There is no face on this photo. Add another one.", icon=":material/face:")
        return
    st.caption(
        f"{look.plain(photo.credit or photo.name or 'Your photo')}  ·  face {index + 1} of "
        f"{count_faces(len(photo.faces))}. The photo is the one of the Predict page; choose the face there."
    )
    try:
        with st.spinner("Asking the models …"):
            answers = _answers(photo, index, chosen)
    except USER_ERRORS as error:
        st.error(str(error), icon=":material/error:")
        return
    _show(answers)


def _answers(photo: state.Photo, index: int, names: list[str]) -> list[ModelAnswer]:
    """The answers, kept with the visitor until the photo, the face or the choice changes."""
    asked = (id(photo), index, tuple(names))
    kept = st.session_state.get("answers")
    if kept is None or kept[0] != asked:
        predictors = {name: shared_predictor(name) for name in names}
        # The photo is kept with them, since its id could otherwise come again.
        kept = asked, photo, compare_models(predictors, photo.image, photo.faces[index], whole=photo.whole)
        st.session_state["answers"] = kept
    return kept[2]


def _show(answers: list[ModelAnswer]) -> None:
    st.markdown(disagreement(answers))
    for column, answer in zip(st.columns(len(answers)), answers, strict=True):
        with column.container(border=True, height="stretch"):
            dot = f'<span style="color:{model_color(answer.name)}">\N{BLACK SQUARE}</span>'
            st.html(f"<div style='overflow-wrap:anywhere'>{dot} <b>{html.escape(answer.name)}</b></div>")
            st.markdown(answer.face.sentence)
            shown = f"Grad-CAM for {answer.face.label}" if answer.found else "the face"
            st.image(answer.picture, width="stretch", alt=f"{answer.name}: {shown}")
            why = f"Why {answer.face.label}? Red speaks for it, blue against it."
            if not answer.found:
                why = "An ONNX file, whose insides cannot be explained."
            st.caption(f"{why} {1000 * answer.seconds:.1f} ms, {answer.products:.3f} matrix products.")
    figure = answer_bars({answer.name: answer.face.probabilities for answer in answers})
    look.chart(figure, "Probabilities of the expressions by model", key="answer bars")
    classes = {label for answer in answers for label in answer.face.probabilities}
    if len(classes) > MOST_BARS:
        st.caption(shown_of(len(classes)))
    note = (
        "Times are the answer to one crop on one core, mirror image included where a checkpoint reads that too: "
        "processor time of the engine of the Predict page, ONNX Runtime where a checkpoint has such a file, else "
        f"PyTorch, in turns with the product of two {MATRIX} × {MATRIX} matrices. Finding the face is not included. "
        f"{DISCLAIMER}"
    )
    if (busy := max(answer.busy for answer in answers)) >= BUSY:
        note = f"The machine was busy: by the clock it took up to {busy:.1f} times as long. {note}"
    st.caption(note)
    downloads("side-by-side", "Several models on one face", answer_rows(answers), figure, note)
