"""Several models on the same face: their answers, their maps, where they disagree, and the time each took."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_demo.explain.face import FaceMap, face_map, on_photo
from fer_demo.explain.figures import blend
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import Predictor

RUNS = 5


@dataclass(frozen=True)
class ModelAnswer:
    """What one model says of a face.

    Attributes:
        name: The checkpoint's.
        face: The answer.
        found: Its Grad-CAM map for its own answer.
        picture: uint8 (H, W, 3): the map on the photo.
        seconds: For one pass of the network over the crop, the median of `RUNS`; detection is not in it.
    """

    name: str
    face: FacePrediction
    found: FaceMap
    picture: NDArray[np.uint8]
    seconds: float


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
        found = face_map(predictor, crop, own.label)
        part, laid, _ = on_photo(found.values, image, own)
        answers.append(ModelAnswer(name, own, found, blend(part, laid, opacity=0.7), _seconds(predictor, crop)))
    return answers


def _seconds(predictor: Predictor, crop: NDArray[np.uint8]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        predictor.classify([crop])
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def disagreement(answers: Sequence[ModelAnswer]) -> str:
    """Where the models differ, as one or two sentences of Markdown.

    Args:
        answers: Two or more.
    """
    labels = {answer.face.label for answer in answers}
    parts = {}
    for label in answers[0].face.probabilities:
        given = [answer.face.probabilities[label] for answer in answers]
        parts[label] = (max(given) - min(given), given.index(max(given)), given.index(min(given)))
    label, (gap, high, low) = max(parts.items(), key=lambda item: item[1][0])
    if len(labels) == 1:
        first = f"They **agree**: all say {labels.pop()}."
    else:
        said = "; ".join(f"`{a.name}` says {a.face.label}" for a in answers)
        first = f"They **disagree**: {said}."
    unsure = [a.name for a in answers if a.face.unsure]
    doubt = f" Unsure: {', '.join(f'`{name}`' for name in unsure)}." if unsure else ""
    return (
        f"{first}{doubt} They are furthest apart on {label}: {100 * gap:.0f} points between "
        f"`{answers[high].name}` and `{answers[low].name}`."
    )


def answer_rows(answers: Sequence[ModelAnswer]) -> list[dict[str, str | float]]:
    """A line a model, for CSV: its answer, milliseconds, and the seven probabilities."""
    return [
        {
            "model": answer.name,
            "answer": answer.face.sentence,
            "milliseconds": round(1000 * answer.seconds, 3),
            **{label: round(p, 4) for label, p in answer.face.probabilities.items()},
        }
        for answer in answers
    ]
