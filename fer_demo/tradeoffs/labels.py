"""Where the labels of a chart's points stand, so that they do not lie on one another."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_demo.tradeoffs.measures import REPRODUCED
from fer_demo.tradeoffs.table import Row, pareto_front

WIDTH, HEIGHT = 285, 270
"""The plot that labels are placed for: that of a phone. On a wider one they only get further apart."""

LETTER, LINE, POINT, MARGIN = 7, 18, 9, 20
"""Width of a letter, height of a line, distance of a label from its point, and what Plotly leaves free at the end of an
axis, in pixels."""

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


def short_title(row: Row) -> str:
    """A label for a point: the checkpoint's or network's name without what all of them share."""
    return row.published.system.label if row.published else row.title.removeprefix("fer_").partition(".")[0]


def place_labels(rows: Sequence[Row], x: str, y: str, log_x: bool, log_y: bool) -> dict[str, str]:
    """Finds a free place for each label: ours first, then those of the Pareto front.

    Args:
        rows: Rows that have both numbers.
        x: A key of `MEASURES`.
        y: Another one.
        log_x: Whether that axis is logarithmic.
        log_y: Likewise.

    Returns:
        A row's key to Plotly's ``textposition``; labels without a free place are left out, and the pointer tells them.
    """
    front = {row.key for row in pareto_front(rows, x, y)}
    points = np.column_stack([_pixels(rows, x, log_x, WIDTH), _pixels(rows, y, log_y, HEIGHT)])
    taken = [(point, np.full(2, POINT - 2.0)) for point in points]  # middles and halves of boxes
    places = {}

    def wanted(item: tuple[Row, NDArray[np.float64]]) -> tuple[bool, bool]:
        row, _ = item
        return row.kind != REPRODUCED and not (row.published and row.published.this_paper), row.key not in front

    for row, point in sorted(zip(rows, points, strict=True), key=wanted):
        half = np.array([LETTER * len(short_title(row)), LINE]) / 2
        for place, direction in PLACES.items():
            middle = point + np.array(direction) * (half + POINT)
            inside = half[0] <= middle[0] + POINT and middle[0] + half[0] <= WIDTH + 2 * POINT
            if inside and all((abs(middle - m) >= half + h).any() for m, h in taken):
                places[row.key] = place
                taken.append((middle, half))
                break
    return places


def _pixels(rows: Sequence[Row], name: str, log: bool, length: float) -> NDArray[np.float64]:
    """Where rows stand along an axis that holds all of them and their intervals, from the left or the bottom."""
    values: NDArray[np.float64] = np.array([row.values[name] for row in rows])
    ends = np.array([row.intervals.get(name, (row.values[name],) * 2) for row in rows]).reshape(-1, 2)
    if log:
        values, ends = np.log10(values), np.log10(ends)
    low, high = float(ends.min(initial=np.inf)), float(ends.max(initial=-np.inf))
    return MARGIN + (length - 2 * MARGIN) * (values - low) / ((high - low) or 1.0)
