"""What was measured on damaged faces, as rows and as charts."""

import pytest

from fer_demo.tradeoffs.robustness import MEASURES, highest, in_words, ladder_figure, ladder_rows, summary_rows
from fer_demo.vision.damages import KINDS


def content(best: float) -> dict:
    """A file's content, in which every step costs a tenth of what is left."""

    def step(kind: str, strength: float, i: int) -> dict:
        return {"kind": kind, "strength": strength, "accuracy": best * 0.9**i, "ece": 0.02 * i, "unsure": 0.1 * i}

    ladders = {kind: [step(kind, s, i) for i, s in enumerate(about.ladder)] for kind, about in KINDS.items()}
    mean = {"accuracy": best / 2, "interval": [0.3, 0.5], "ece": 0.1, "unsure": 0.25}
    clean = {"accuracy": best, "ece": 0.0, "unsure": 0.0}
    return {"n": 400, "clean": clean, "mean": mean, "worst": ladders["blur"][3], "ladders": ladders}


KNOWN = {"fer_a.one": content(0.7), "fer_b.two": content(0.8)}


def test_rows():
    first, second = summary_rows(KNOWN)
    assert (first["checkpoint"], first["mean of twelve"], first["undamaged"]) == ("fer_b.two", 0.4, 0.8)
    assert second["worst damage"] == "blur, sigma 1.5" and second["95 % interval"] == "30.0 to 50.0 %"
    rows = ladder_rows(KNOWN)
    assert len(rows) == 2 * sum(len(about.ladder) for about in KINDS.values())
    assert [row["damage"] for row in rows[:4]] == ["undamaged", "undamaged", *["turned by 5 degrees"] * 2]
    assert ladder_rows({}) == summary_rows({}) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES)
def test_a_line_a_checkpoint(kind, measure):
    top = highest(KNOWN, measure)
    figure = ladder_figure(KNOWN, kind, measure, top=top)
    assert [trace.name for trace in figure.data] == list(KNOWN)
    assert len({(t.line.color, t.line.dash, t.marker.symbol) for t in figure.data}) == 2
    for trace, known in zip(figure.data, KNOWN.values(), strict=True):
        assert list(trace.x) == list(KINDS[kind].ladder)
        assert list(trace.y) == [step[measure] for step in known["ladders"][kind]] and max(trace.y) <= top
    falls = KINDS[kind].ladder[1] < KINDS[kind].ladder[0]
    assert (figure.layout.xaxis.autorange == "reversed") == falls  # the damage grows to the right
    assert len(figure.layout.xaxis.ticktext) == len(KINDS[kind].ladder)
    assert all(name in in_words(KNOWN, kind, measure) for name in KNOWN)


def test_numbers_do_not_run_into_each_other():
    assert list(ladder_figure(KNOWN, "jpeg", top=1).layout.xaxis.ticktext) == ["100", "", "40", "20", "10", "5", "2"]


def test_a_value_is_read_with_its_interval():
    trace = ladder_figure(KNOWN, "blur", top=1).data[0]
    assert trace.customdata[0] == "undamaged: 70.0% (65 to 74 %)"
    assert ladder_figure(KNOWN, "blur", "ece", top=1).data[0].customdata[1] == "blur, sigma 0.5: 0.020"


def test_a_kind_that_was_not_measured_stays_empty():
    old = {"fer_a.one": {**content(0.7), "ladders": {"blur": content(0.7)["ladders"]["blur"]}}}
    assert list(ladder_figure(old, "noise", top=1).data[0].x) == []
    assert {row["kind"] for row in ladder_rows(old)} == {"Blur"}
