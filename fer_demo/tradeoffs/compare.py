"""Several models on the same face: their answers, their maps, where they disagree, and the time each took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fer_demo.explain.face import FaceMap, face_map, on_photo
from fer_demo.explain.figures import blend
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import Predictor
from fer_demo.tradeoffs.answers import count_in_words
from fer_demo.tradeoffs.turns import in_turns
from fer_demo.vision.close_up import close_up

RUNS = 5


@dataclass(frozen=True)
class ModelAnswer:
    """What one model says of a face.

    Attributes:
        name: The checkpoint's.
        face: The answer.
        found: Its Grad-CAM map for its own answer; None for an ONNX file, whose insides cannot be looked at.
        picture: uint8 (H, W, 3): the map on the photo, or the photo alone.
        seconds: Of one core for its answer to the crop, with the mirror image where it reads that too; the median of
            `RUNS` or more. Detection is not in it.
        products: The same in products of matrices, see `fer_demo.tradeoffs.turns`.
        busy: Time by the clock by processor time meanwhile.
    """

    name: str
    face: FacePrediction
    found: FaceMap | None
    picture: NDArray[np.uint8]
    seconds: float
    products: float
    busy: float


def compare_models(
    predictors: Mapping[str, Predictor], image: NDArray[np.uint8], face: FacePrediction, *, whole: bool = False
) -> list[ModelAnswer]:
    """Shows one face of a photo to several models.

    Args:
        predictors: Checkpoint's name to its predictor.
        image: uint8 RGB (H, W, 3).
        face: Where it is, as one of the models or another one found it.
        whole: Take the whole picture as the face.

    Returns:
        An answer a model, in the given order.
    """
    answers = []
    for name, predictor in predictors.items():
        (own,) = predictor.predict(image, **({"whole_image": True} if whole else {"faces": [face]}))
        crop = own.required_crop()
        found, picture = _explained(predictor, image, own)
        turns = in_turns(partial(predictor.classify, [crop]), 0.0, least=RUNS)
        seconds = float(np.median(turns.seconds))
        answers.append(ModelAnswer(name, own, found, picture, seconds, turns.products, turns.busy))
    return answers


def _explained(
    predictor: Predictor, image: NDArray[np.uint8], face: FacePrediction
) -> tuple[FaceMap | None, NDArray[np.uint8]]:
    """`ModelAnswer.found` and `ModelAnswer.picture`."""
    crop = face.required_crop()
    if not predictor.explainable:
        return None, close_up(image, face, crop.shape[0])[0]
    found = face_map(predictor, crop, face.label)
    part, laid, _ = on_photo(found.values, image, face)
    return found, blend(part, laid, opacity=0.7)


def disagreement(answers: Sequence[ModelAnswer]) -> str:
    """Where the models differ, as one or two sentences of Markdown.

    Args:
        answers: One a model; of fewer than two it says that there is nothing to compare.
    """
    if len(answers) < 2:
        return "Only one model has answered: there is nothing to compare." if answers else "No model has answered."
    unsure = [a.name for a in answers if a.face.unsure]
    doubt = f" Unsure: {', '.join(f'`{name}`' for name in unsure)}." if unsure else ""
    said = "; ".join(f"`{a.name}` says {a.face.label}" for a in answers)
    if len({frozenset(answer.face.probabilities) for answer in answers}) > 1:
        return f"They answer for **different classes**: {said}.{doubt}"
    labels = {answer.face.label for answer in answers}
    parts = {}
    for label in answers[0].face.probabilities:
        given = [answer.face.probabilities[label] for answer in answers]
        parts[label] = (max(given) - min(given), given.index(max(given)), given.index(min(given)))
    label, (gap, high, low) = max(parts.items(), key=lambda item: item[1][0])
    if len(labels) == 1:
        first = f"They **agree**: {'both' if len(answers) == 2 else 'all'} say {labels.pop()}."
    else:
        first = f"They **disagree**: {said}."
    points = round(100 * gap)
    if points == 0:
        return f"{first}{doubt} None of their {count_in_words(len(parts))} probabilities differs by as much as a point."
    return (
        f"{first}{doubt} They are furthest apart on {label}: {points} {'point' if points == 1 else 'points'} between "
        f"`{answers[high].name}` and `{answers[low].name}`."
    )


def answer_rows(answers: Sequence[ModelAnswer]) -> list[dict[str, str | float]]:
    """A line a model, for CSV: its answer, its time, and all probabilities; empty for classes that only others have."""
    labels = dict.fromkeys(label for answer in answers for label in answer.face.probabilities)
    return [
        {
            "model": answer.name,
            "answer": answer.face.sentence,
            "milliseconds": round(1000 * answer.seconds, 3),
            "matrix_products": round(answer.products, 4),
            "busy": round(answer.busy, 2),
            **dict.fromkeys(labels, ""),
            **{label: round(p, 4) for label, p in answer.face.probabilities.items()},
        }
        for answer in answers
    ]
