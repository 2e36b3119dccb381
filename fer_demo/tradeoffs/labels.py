"""Where the labels of a chart's points stand, so that they do not lie on one another."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_demo.tradeoffs.measures import MEASURES, REPRODUCED
from fer_demo.tradeoffs.published import systems
from fer_demo.tradeoffs.table import Row, pareto_front

WIDTH, HEIGHT = 285, 320
"""The plot that labels are placed for: that of a phone. On a wider one they only get further apart."""

LETTER, CAPITAL, LINE, POINT, MARGIN = 6.8, 9, 18, 9, 20
"""Width of a letter and of a capital, height of a line, distance of a label from its point, and what Plotly leaves free
at the end of an axis, in pixels."""

CLOSE = 80
"""Up to how many pixels from its point a label's middle is looked for before it may lie on a bar."""

PLACES = {
    "top right": (1, 0.9),
    "top left": (-1, 0.9),
    "bottom right": (1, -0.9),
    "bottom left": (-1, -0.9),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top center": (0, 1),
    "bottom center": (0, -1),
}
"""Plotly's name of a place to the direction from the point, up being positive; first what is clear of the bars, which
stand upright on the points, and of the Pareto front, which leaves them sideways."""


Place = str | tuple[float, float]
"""Plotly's name of a place beside the point, or the pixels from the point to the label's middle, right and up."""


def short_title(row: Row) -> str:
    """A label for a point: the checkpoint's or network's name without what all of them share."""
    if row.published:
        return row.published.system.label
    if row.kind == REPRODUCED and row.model and not row.model.startswith("fer_sedense"):
        label = next((system.label for system in systems() if system.model == row.model), row.model)
        return f"{label}, here"
    network, _, tag = row.title.removeprefix("fer_").partition(".")
    return f"{network} {tag.partition('_')[0]}".strip()  # two checkpoints of a network are two points


def place_labels(rows: Sequence[Row], x: str, y: str, log_x: bool, log_y: bool, corner: str = "") -> dict[str, Place]:
    """Finds a place for each label, clear of other labels, points and bars: ours first, then the Pareto front's.

    Args:
        rows: Rows that have both numbers.
        x: A key of `MEASURES`.
        y: Another one.
        log_x: Whether that axis is logarithmic.
        log_y: Likewise.
        corner: What stands in the bottom right corner already.

    Returns:
        A row's key to Plotly's ``textposition``, or for a label that has no room beside its point to the pixels from
        the point to the label's middle, right and up, for a line to lead there. Every row has one, up to
        some thirty; of more, the pointer tells the last.
    """
    front = {row.key for row in pareto_front(rows, x, y)}
    at_x, ends_x = _pixels(rows, x, log_x, WIDTH)
    at_y, ends_y = _pixels(rows, y, log_y, HEIGHT)
    points = np.column_stack([at_x, at_y])
    circles = [(point, np.full(2, POINT - 2.0)) for point in points]  # middles and halves of boxes
    marks = list(circles)
    marks += [
        (np.array([px, low + high]) * (1, 0.5), np.array([2.0, (high - low) / 2]))
        for px, (low, high) in zip(at_x, ends_y, strict=True)
    ]
    marks += [
        (np.array([low + high, py]) * (0.5, 1), np.array([(high - low) / 2, 2.0]))
        for py, (low, high) in zip(at_y, ends_x, strict=True)
    ]
    labels: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    if corner:
        half = _half_size(corner)
        labels.append((np.array([WIDTH, 0.0]) + half * (-1, 1), half))
    places: dict[str, Place] = {}

    def wanted(item: tuple[Row, NDArray[np.float64]]) -> tuple[bool, bool]:
        row, _ = item
        return row.kind != REPRODUCED and not (row.published and row.published.this_paper), row.key not in front

    for row, point in sorted(zip(rows, points, strict=True), key=wanted):
        half = _half_size(short_title(row))
        near = np.array(list(PLACES.values())) * (half + POINT)
        far = _STEPS[(abs(_STEPS) > half + POINT).any(1)]
        close = np.concatenate([near, far[np.hypot(*far.T) <= CLOSE]])
        everywhere = np.concatenate([near, far])
        # Where nothing near is clear of all marks, a label may lie on a bar rather than far away, and at last on a
        # point, but never on another label.
        choices = (
            (close, labels + marks),
            (near, labels + circles),
            (close, labels + circles),
            (everywhere, labels + marks),
            (everywhere, labels),
        )
        for steps, taken in choices:
            fits = _fits(point + steps, half, taken)
            if fits.any():
                break
        else:
            continue
        found = int(fits.argmax())  # the first
        step = steps[found]
        places[row.key] = list(PLACES)[found] if found < len(PLACES) else (float(step[0]), float(step[1]))
        labels.append((point + step, half + 3.0))  # Plotly moves some by a pixel or two
    return places


def _half_size(text: str) -> NDArray[np.float64]:
    """Half the width and height of a label."""
    capitals = sum(letter.isupper() for letter in text)
    return np.array([LETTER * (len(text) - capitals) + CAPITAL * capitals, LINE]) / 2


_STEPS: NDArray[np.float64] = np.array(
    sorted(
        ((dx, dy) for dx in range(-WIDTH, WIDTH + 1, 6) for dy in range(-HEIGHT, HEIGHT + 1, 6)),
        key=lambda step: step[0] ** 2 + (1.5 * step[1]) ** 2,
    ),
    dtype=float,
)
"""Ways from a point to a label further off, the shortest first."""


def _fits(
    middles: NDArray[np.float64],
    half: NDArray[np.float64],
    taken: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.bool_]:
    """Whether a label with its middle at each of some places (N, 2) lies within the plot and on none of the boxes."""
    low, high = middles - half, middles + half
    fits: NDArray[np.bool_] = np.all((low >= (-POINT, 0)) & (high <= (WIDTH + POINT, HEIGHT + POINT)), axis=1)
    for middle, other in taken:
        fits &= np.any(abs(middles - middle) >= half + other, axis=1)
    return fits


def axis_range(rows: Sequence[Row], name: str, log: bool, length: float) -> list[float]:
    """The ends of an axis as Plotly takes them, so that points stand where labels were placed for.

    Args:
        rows: Rows that have the number; at least one.
        name: A key of `MEASURES`.
        log: Whether the axis is logarithmic.
        length: `WIDTH` or `HEIGHT`.
    """
    ends = np.array([row.intervals.get(name, (row.values[name],) * 2) for row in rows]) * MEASURES[name].factor
    ends = np.log10(ends) if log else ends
    low, high = float(ends.min()), float(ends.max())
    margin = MARGIN / (length - 2 * MARGIN) * ((high - low) or 1.0)
    return [low - margin, high + margin]


def _pixels(
    rows: Sequence[Row], name: str, log: bool, length: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where rows and the ends of their intervals stand along an axis that holds them all, from the left or bottom."""
    values: NDArray[np.float64] = np.array([row.values[name] for row in rows])
    ends = np.array([row.intervals.get(name, (row.values[name],) * 2) for row in rows]).reshape(-1, 2)
    if log:
        values, ends = np.log10(values), np.log10(ends)
    low, high = float(ends.min(initial=np.inf)), float(ends.max(initial=-np.inf))
    scale = (length - 2 * MARGIN) / ((high - low) or 1.0)
    return MARGIN + scale * (values - low), MARGIN + scale * (ends - low)
