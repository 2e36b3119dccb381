"""Where the labels of a chart's points stand, so that they do not lie on one another."""

import math
from collections.abc import Sequence

from fer_demo.tradeoffs.measures import REPRODUCED
from fer_demo.tradeoffs.table import Row, pareto_front

WIDTH, HEIGHT = 285, 270
"""The plot that labels are placed for: that of a phone. On a wider one they only get further apart."""

LETTER, LINE, POINT = 6.5, 15, 9
"""Width of a letter, height of a line, and distance of a label from its point, in pixels."""

PLACES = {
    "top right": (1, -1),
    "top left": (-1, -1),
    "bottom right": (1, 1),
    "bottom left": (-1, 1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top center": (0, -1),
    "bottom center": (0, 1),
}
"""Plotly's name of a place to the direction from the point, down being positive."""

Box = tuple[float, float, float, float]


def short_title(row: Row) -> str:
    """A label for a point: the checkpoint's or network's name without what all of them share."""
    return row.published.system.label if row.published else row.title.removeprefix("fer_").partition(".")[0]


def place_labels(rows: Sequence[Row], x: str, y: str, log_x: bool, log_y: bool) -> dict[str, str]:
    """Finds a free place for each label, the most wanted labels first.

    Args:
        rows: Rows that have both numbers.
        x: A key of `MEASURES`.
        y: Another one.
        log_x: Whether that axis is logarithmic.
        log_y: Likewise.

    Returns:
        A row's key to Plotly's ``textposition``; labels without a free place are left out, and the pointer tells them.
    """
    across, down = _Scale(rows, x, log_x, WIDTH), _Scale(rows, y, log_y, HEIGHT)
    at = {row.key: (across(row.values[x]), HEIGHT - down(row.values[y])) for row in rows}
    taken: list[Box] = [(a - POINT + 2, b - POINT + 2, a + POINT - 2, b + POINT - 2) for a, b in at.values()]
    bars: list[Box] = []
    for row in rows:
        (a, b), (low, high) = at[row.key], row.intervals.get(y, (row.values[y],) * 2)
        bars.append((a - 1, HEIGHT - down(high), a + 1, HEIGHT - down(low)))
        if x in row.intervals:
            bars.append((across(row.intervals[x][0]), b - 1, across(row.intervals[x][1]), b + 1))
    front = {row.key for row in pareto_front(rows, x, y)}

    def wanted(row: Row) -> tuple:
        ours = row.kind == REPRODUCED or bool(row.published and row.published.this_paper)
        return not ours, row.key not in front, not (row.published and row.published.result.table)

    places = {}
    for row in sorted(rows, key=wanted):
        boxes = {p: _box(*at[row.key], *direction, LETTER * len(short_title(row))) for p, direction in PLACES.items()}
        boxes = {p: b for p, b in boxes.items() if b[0] >= -POINT and b[2] <= WIDTH + 2 * POINT}
        # Best without a bar through it, else at least clear of points and other labels.
        for obstacles in (taken + bars, taken):
            free = [p for p, box in boxes.items() if not any(_overlap(box, other) for other in obstacles)]
            if free:
                places[row.key] = free[0]
                taken.append(boxes[free[0]])
                break
    return places


class _Scale:
    """From a measure's number to pixels from the left or the bottom of a plot that holds all rows and their bars."""

    def __init__(self, rows: Sequence[Row], name: str, log: bool, length: float) -> None:
        self.log, self.length = log, length
        ends = [self._value(v) for row in rows for v in row.intervals.get(name, (row.values[name],))]
        self.low, self.high = min(ends, default=0), max(ends, default=1)

    def _value(self, value: float) -> float:
        return math.log10(value) if self.log and value > 0 else value

    def __call__(self, value: float) -> float:
        share = (self._value(value) - self.low) / ((self.high - self.low) or 1)
        return POINT + (self.length - 2 * POINT) * share


def _box(a: float, b: float, right: int, down: int, width: float) -> Box:
    """Left, top, right and bottom of a label beside the point (a, b)."""
    middle = a + right * ((3 if down else POINT) + width / 2)
    centre = b + down * (POINT + LINE / 2)
    return middle - width / 2, centre - LINE / 2, middle + width / 2, centre + LINE / 2


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
