"""The labels of the trade-off charts as Chromium draws them on a phone."""

import dataclasses
import itertools
import json

import pytest

from fer_demo.tradeoffs import MEASURES, Row, tradeoff_rows
from fer_demo.tradeoffs.figures import tradeoff_chart
from fer_demo.tradeoffs.labels import HEIGHT, WIDTH
from fer_demo.tradeoffs.published import data_sets, human

MARGIN = 60


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """All rows, with times as if they had been measured."""
    found = []
    for row in tradeoff_rows():
        if row.network:
            seconds = 5e-4 + 5e-11 * row.values["macs"]
            times = {"latency": seconds, "throughput": 20 / seconds, "products": seconds / 0.02}
            spreads = {name: (0.9 * times[name], 1.1 * times[name]) for name in ("latency", "throughput")}
            row = dataclasses.replace(row, values=row.values | times, intervals=row.intervals | spreads)
        found.append(row)
    return found


@pytest.fixture(scope="module")
def labels(browser):
    """A function from a figure to its labels: text, left, top, right and bottom in pixels."""
    page = browser.new_page(viewport={"width": WIDTH + 3 * MARGIN, "height": HEIGHT + 3 * MARGIN})

    def drawn(figure) -> list[tuple[str, float, float, float, float]]:
        figure.update_layout(width=WIDTH + 2 * MARGIN, height=HEIGHT + 2 * MARGIN, showlegend=False)
        figure.update_layout(margin=dict.fromkeys("lrtb", MARGIN) | {"autoexpand": False})
        figure.update_xaxes(automargin=False)
        figure.update_yaxes(automargin=False)
        if page.url == "about:blank" and not page.query_selector("#chart"):
            page.set_content(figure.to_html(div_id="chart"))
        content = json.loads(figure.to_json())
        page.evaluate("c => Plotly.newPlot('chart', c.data, c.layout)", content)
        boxes = """[...document.querySelectorAll('.textpoint text, .annotation-text')]
            .filter(e => e.textContent).map(e => {
                const r = e.getBoundingClientRect();
                return [e.textContent, r.left, r.top, r.right, r.bottom]})"""
        return page.evaluate(boxes)

    yield drawn
    page.close()


@pytest.mark.parametrize("data", list(data_sets()))
def test_every_point_has_a_name_that_lies_on_no_other(rows, labels, data):
    part = [row for row in rows if row.data == data]
    for x, y in itertools.permutations(MEASURES, 2):
        figure = tradeoff_chart(part, x, y, log_x=MEASURES[x].log, log_y=MEASURES[y].log, people=human())
        boxes = [box for box in labels(figure) if not box[0].startswith("people")]
        points = sum(len(trace.x) for trace in figure.data if "markers" in trace.mode)
        assert len(boxes) == points, f"{y} by {x}: {points} points have {len(boxes)} names"
        for one, other in itertools.combinations(boxes, 2):
            apart = (one[3] <= other[1], other[3] <= one[1], one[4] <= other[2], other[4] <= one[2])
            assert any(apart), f"{y} by {x}: {one} lies on {other}"
