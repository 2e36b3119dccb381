"""From photo to answer: how much accuracy is lost by finding faces and cutting them out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fer_demo import Predictor
from fer_demo.stats import wilson
from fer_demo.vision.detector import DetectedFace
from training.data import Faces
from training.eval.scenes import check_side, make_scenes

SIZES = (30, 48, 64, 96, 150, 300)
"""Sides of a face's square in a scene, in pixels. FER2013's own is 48."""


def end_to_end(
    predictors: Mapping[str, Predictor],
    faces: Faces,
    *,
    count: int = 1000,
    sizes: Sequence[int] = SIZES,
    cut: float = 0.0,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """Reads faces in scenes, and the same faces' clean crops, with the same networks.

    A face is found if the centre of a box lies in the face's square; of several such boxes the one of the best score
    counts. Overlap would not do: a detector's box ends at the brow and the chin, FER2013's square does not.

    Args:
        predictors: Name to predictor. The first one's detector looks for the faces, for all of them.
        faces: The split to draw from.
        count: Faces for each size, the same for every size; drawn at random, or all if there are not so many.
        sizes: Sides of a face's square in the scene, in pixels.
        cut: This fraction of each face lies beyond the scene's left or right edge; see `make_scenes`.
        seed: Decides which faces, and the scenes.
        progress: Show a progress bar.

    Returns:
        ``n``, ``cut``, ``seed``, ``detection``: size to ``n``, ``found``, ``rate``, ``interval`` (95 %, Wilson), and
        ``models``: name to size to the figures of `paired`; the key "all" is all sizes from 48 pixels up together, if
        there are any.

    Raises:
        ValueError: If there is no predictor, no size, no face to draw, a size has no place in a scene, or pictures are
            not single grey squares.
    """
    if not predictors:
        raise ValueError("Give at least one model to measure.")
    if not sizes:
        raise ValueError("Give at least one size in pixels.")
    if count < 1:
        raise ValueError(f"At least one face must be drawn, but {count} were asked for.")
    for side in sizes:
        check_side(side)
    if faces.images.shape[1] != 1 or faces.images.shape[2] != faces.images.shape[3]:
        raise ValueError(f"Faces must be single grey squares, but have shape {tuple(faces.images.shape[1:])}.")
    order = np.random.default_rng(seed).permutation(len(faces))[:count]
    images, labels = faces.images[order, 0].numpy(), faces.labels[order].numpy()
    clean = {name: _answers(predictor, list(images)) == labels for name, predictor in predictors.items()}
    right = {name: {side: _unseen(len(images)) for side in sizes} for name in predictors}
    found = {side: np.zeros(len(images), bool) for side in sizes}
    finder = next(iter(predictors.values()))
    with tqdm(total=len(images) * len(found), desc="faces", disable=not progress, leave=False) as bar:
        for side in found:
            for scene in make_scenes(images, side, seed=seed, cut=cut):
                seen = finder.detect(scene.image)
                hits = {r: hit for r, box in zip(scene.rows, scene.boxes, strict=True) if (hit := _hit(seen, box))}
                rows = list(hits)
                found[side][rows] = True
                for name, predictor in predictors.items():
                    answers = predictor.predict(scene.image, faces=list(hits.values()))
                    given = np.array([predictor.labels.index(answer.label) for answer in answers], int)
                    right[name][side][rows] = given == labels[rows]
                bar.update(len(scene.rows))
    models = {}
    for name in predictors:
        figures = {str(side): paired(right[name][side][f], clean[name][f]) for side, f in found.items()}
        fair = [side for side in found if side >= images.shape[-1]]
        if fair:
            ends = np.concatenate([right[name][side][found[side]] for side in fair])
            starts = np.concatenate([clean[name][found[side]] for side in fair])
            who = np.concatenate([np.flatnonzero(found[side]) for side in fair])
            figures["all"] = paired(ends, starts, who)
        models[name] = figures
    return {"n": len(images), "cut": cut, "seed": seed, "detection": _rates(found), "models": models}


def paired(
    found: NDArray[np.bool_], clean: NDArray[np.bool_], groups: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """How accuracy changes from clean crops to the crops of found faces.

    Args:
        found: bool (N,), whether each answer in the scene is right.
        clean: bool (N,), whether the answer for the clean crop of the same face is.
        groups: int (N,), equal for measurements of one face, which depend on each other; None if each has its own.

    Returns:
        ``n``, ``accuracy``, ``clean`` and ``difference`` in [0, 1], ``interval``, the difference's 95 % interval: the
        normal one for the mean of paired values, with one value for each group. Without a face all but ``n`` are None.
    """
    n = len(found)
    if n == 0:
        return {"n": 0, "accuracy": None, "clean": None, "difference": None, "interval": None}
    change = found.astype(float) - clean.astype(float)
    mean = float(change.mean())
    _, group = np.unique(np.arange(n) if groups is None else groups, return_inverse=True)
    totals = np.bincount(group, weights=change - mean)
    k = len(totals)
    half = 1.96 * math.sqrt(k / (k - 1) * float((totals**2).sum())) / n if k > 1 else 1.0
    return {
        "n": n,
        "accuracy": float(found.mean()),
        "clean": float(clean.mean()),
        "difference": mean,
        "interval": [round(max(-1.0, mean - half), 6), round(min(1.0, mean + half), 6)],
    }


def table(result: dict[str, Any]) -> str:
    """The result in Markdown, sizes from small to large."""
    lines = [
        "| model | face's square | found | accuracy among found | the same faces, clean crops | difference (95 %) |",
        "|---|---|---|---|---|---|",
    ]
    for name, figures in result["models"].items():
        lines += [
            _line(name, f"{size} px", f"{result['detection'][size]['rate']:.1%}", figures[size])
            for size in sorted(result["detection"], key=int)
        ]
        if "all" in figures:
            lines.append(_line(name, "48 px and more", "", figures["all"]))
    return "\n".join(lines)


def _line(name: str, size: str, rate: str, figures: dict[str, Any]) -> str:
    values = ["–"] * 3
    if figures["n"]:
        low, high = figures["interval"]
        values = [f"{figures['accuracy']:.1%}", f"{figures['clean']:.1%}"]
        values.append(f"{100 * figures['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")
    return f"| {' | '.join([f'`{name}`', size, rate, *values])} |"


def _hit(seen: Sequence[DetectedFace], place: tuple[int, int, int]) -> DetectedFace | None:
    """The found face whose box has its centre in a square; the one of the best score."""
    left, top, side = place
    inside = []
    for face in seen:
        x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
        if left <= x < left + side and top <= y < top + side:
            inside.append(face)
    return max(inside, key=lambda face: face.score, default=None)


def _answers(predictor: Predictor, crops: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
    return np.asarray(predictor.classify(crops)).argmax(1)


def _unseen(n: int) -> NDArray[np.bool_]:
    return np.zeros(n, bool)


def _rates(found: Mapping[int, NDArray[np.bool_]]) -> dict[str, Any]:
    rates = {}
    for side, seen in found.items():
        n, k = len(seen), int(seen.sum())
        interval = [round(end, 6) for end in wilson(k / n, n)]
        rates[str(side)] = {"n": n, "found": k, "rate": k / n, "interval": interval}
    return rates
