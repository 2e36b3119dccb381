"""Figures and sentences of trade-offs, models side by side, and ablations."""

import dataclasses
import math

import numpy as np
import plotly.graph_objects as go
import pytest
import timm
import torch

from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.emotions import COLORS, LABELS
from fer_demo.figures import standalone_html
from fer_demo.predictor import Predictor
from fer_demo.tradeoffs import Row, tradeoff_rows
from fer_demo.tradeoffs.answers import does_the_claim_hold, for_my_device, what_ingredients_bring
from fer_demo.tradeoffs.compare import answer_rows, compare_models, disagreement
from fer_demo.tradeoffs.figures import answer_bars, ingredient_bars, model_color, parameters_text, tradeoff_chart
from fer_demo.tradeoffs.labels import place_labels, short_title
from fer_demo.tradeoffs.measures import REPRODUCED
from fer_demo.tradeoffs.published import data_sets, human, systems
from fer_demo.tradeoffs.words import card, paper_table, what_it_buys, what_it_does_not_buy


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return tradeoff_rows()


def of(rows: list[Row], data: str) -> list[Row]:
    return [row for row in rows if row.data == data]


def marks(fig: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in fig.data if "markers" in trace.mode}


@pytest.mark.parametrize("data", list(data_sets()))
def test_the_chart_shows_every_row_of_the_papers_tables_with_its_kind(rows, data):
    traces = marks(tradeoff_chart(of(rows, data)))
    shown = {key: kind for kind, trace in traces.items() for (key,) in trace.customdata}
    for row in of(rows, data):
        assert (row.key in shown) == ("accuracy" in row.values)
        if row.key in shown:
            assert shown[row.key] == row.kind
    assert len({trace.marker.symbol for trace in traces.values()}) == len(traces)
    printed = [(s, r) for s in systems() for r in s.results if r.data == data]
    assert sorted(traces["published"].y) == sorted(100 * r.accuracy for _, r in printed)
    assert sorted(traces["published"].x) == pytest.approx(
        sorted((r.parameters or s.parameters) / 1e6 for s, r in printed)
    )


def test_axes_front_and_intervals(rows):
    fer = of(rows, "fer2013")
    fig = tradeoff_chart(fer, people=human())
    assert fig.layout.xaxis.type == "log" and fig.layout.yaxis.type == "linear"
    assert fig.layout.xaxis.title.text == "parameters (M)" and f"people: {human()}" in str(fig.layout.annotations)
    (front,) = [trace for trace in fig.data if trace.name == "Pareto front"]
    assert list(front.x) == sorted(front.x) and list(front.y) == sorted(front.y) and front.y[-1] == 72.7
    (mine,) = [t for t in fig.data if t.name == "reproduced here"]
    private = checkpoint_metrics("fer_sedense_s2.tune_fer2013")["PrivateTest"]
    ends = [a for a, y in zip(mine.error_y.array, mine.y, strict=True) if y == pytest.approx(100 * private["accuracy"])]
    assert ends == [pytest.approx(100 * (private["interval"][1] - private["accuracy"]), abs=1e-3)]
    untrained = Row("new", "new", "not trained", "fer2013", 48, {"macs": 9e6, "file_bytes": 5e5})
    plain = tradeoff_chart(
        [*fer, untrained], "macs", "file_bytes", log_x=False, log_y=True, front=False, people=human()
    )
    assert plain.layout.xaxis.type == "linear" and plain.layout.yaxis.type == "log" and not plain.layout.shapes
    assert "not trained" in marks(plain)  # has these two numbers, but no accuracy
    assert not tradeoff_chart(fer, "latency", "accuracy").data[-1].x  # nothing measured: an empty chart, no error


def test_people_are_one_fact_in_words():
    assert str(human()) == "65 ± 5 %" and human().data == "fer2013" and human().source.year == 2013


def row(key, x, y):
    return Row(key, key, "not trained", "fer2013", 48, {"parameters": x, "accuracy": y})


def test_no_label_lies_on_what_stands_in_the_corner(rows, monkeypatch):
    monkeypatch.setattr("fer_demo.tradeoffs.labels.PLACES", {"bottom right": (1, -0.9)})
    low = [row("a", 1e5, 0.6), row("b", 3e6, 0.61), row("c", 1e7, 0.8)]
    assert place_labels(low, "parameters", "accuracy", True, False)["b"] == "bottom right"
    assert place_labels(low, "parameters", "accuracy", True, False, "people: 65 %")["b"] != "bottom right"
    (words,) = (a for a in tradeoff_chart(rows, people=human()).layout.annotations if a.text == f"people: {human()}")
    assert (words.x, words.y, words.yref, words.yanchor) == (1, 0, "y domain", "bottom")  # not at the line


def test_labels_without_room_beside_their_points_stand_further_off():
    apart = [row("one", 1e5, 0.6), row("two", 1e7, 0.8)]
    assert set(place_labels(apart, "parameters", "accuracy", True, False)) == {"one", "two"}
    heap = [row(f"network{i}", 1e6 * (1 + i / 1000), 0.7 + i / 1e5) for i in range(30)]
    corners = [row("a", 1e4, 0.5), row("b", 1e8, 0.9)]
    placed = place_labels([*heap, *corners], "parameters", "accuracy", True, False)
    assert set(placed) == {row.key for row in (*heap, *corners)}
    assert {type(place) for place in placed.values()} == {str, tuple}
    crowd = [row(f"network{i}", 1e6, 0.7) for i in range(60)]
    assert len(place_labels(crowd, "parameters", "accuracy", True, False)) < len(crowd)
    assert tradeoff_chart(crowd).data  # more than there is room for is no fault
    assert place_labels([], "parameters", "accuracy", True, False) == {}


@pytest.mark.parametrize("x", ["parameters", "macs", "file_bytes"])
def test_labels_stay_by_their_points(rows, x):
    shown = [row for row in of(rows, "fer2013") if "accuracy" in row.values]
    placed = place_labels(shown, x, "accuracy", True, False)
    assert set(placed) == {row.key for row in shown}
    assert all(math.hypot(*place) < 110 for place in placed.values() if isinstance(place, tuple))  # 162 once


def test_model_colours_are_no_emotion_colours_and_stay_the_same(rows):
    for model in timm.list_models("fer_*"):
        assert model_color(model) == model_color(f"{model}.fer2013") not in COLORS.values()
    family = timm.list_models("fer_sedense*")
    assert len({model_color(m) for m in family}) == min(4, len(family))
    assert model_color(None) == model_color("unheard_of") == "#7F7F7F"


@pytest.mark.parametrize("data", list(data_sets()))
def test_systems_in_one_chart_have_different_colours(rows, data):
    shown = {row.model for row in of(rows, data) if row.model and not row.model.startswith("fer_sedense")}
    assert len(shown) > 2 and len({model_color(model) for model in shown}) == len(shown)


def test_a_figure_as_a_file_of_its_own(rows):
    html = standalone_html(tradeoff_chart(of(rows, "raf_single")), "RAF <single>", "a note")
    assert "RAF &lt;single&gt;" in html and "a note" in html and "plotly.js v" in html
    assert "<script src=" not in html and 'charset="utf-8"' in html


def test_what_it_buys(rows):
    fer, raf = (what_it_buys(rows, data).replace("\N{NO-BREAK SPACE}", " ") for data in ("fer2013", "raf_single"))
    assert "0.48 M parameters give 70.7 % on FER2013" in fer and "2.0 points less" in fer
    best = max((checkpoint_metrics(name)["PrivateTest"] for name in bundled_checkpoints()), key=lambda m: m["accuracy"])
    low, high = best["interval"]
    ours = f"{best['accuracy']:.1%} ({low:.1%} to {high:.1%})".replace("%", "").replace(" (", " % (")
    assert "Pramerdorfer 2016, VGG, 72.7 %" in fer and ours in fer and "and that rival 70.3 % (68.8 to 71.8)." in fer
    bare = what_it_buys([row for row in rows if row.model != "fer_pramerdorfer_vgg" or row.published], "fer2013")
    assert "that rival" not in bare and "Trained here" in bare
    assert "85.4 % on RAF-single" in raf and "1.6 points less" in raf and "14.0 times as many" in raf
    less = what_it_does_not_buy(rows).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "211 M multiply-accumulates. In the paper's table for FER2013, each of the 4 rivals takes fewer" in less
        and "takes 52.8 M" in less
    )


def test_tables_say_what_was_reproduced(rows):
    table = {line["system"]: line for line in paper_table(rows, 2)}
    own = [checkpoint_metrics(r.checkpoint)["PrivateTest"] for r in rows if r.model == "fer_sedense" and r.checkpoint]
    low, high = max(own, key=lambda m: m["accuracy"])["interval"]
    assert table["SE-Dense (this paper)"]["reproduced here"].endswith(f"({low:.1%} to {high:.1%})".replace("%", ""))
    assert len(table) == 5 and table["Tang 2013"]["parameters here"] == pytest.approx(12.0, abs=0.02)
    trained = {row.model for row in rows if row.kind == REPRODUCED}
    for row in rows:
        if (
            row.published
            and row.published.result.table == 2
            and not row.published.this_paper
            and row.model not in trained
        ):
            assert table[row.title]["reproduced here"] == "not trained"
    ours, *rivals = [line["reproduced here"] for line in paper_table(rows, 3)]
    assert rivals == ["not trained"] * 3
    assert ours == "not trained here: data on request (python -m training raf-single --data RAF/ --out FOLDER)"
    short = {("fer_li_dlp", "raf_single"): "50 % after 6 epochs", ("fer_sedense", "fer2013"): "60 %"}
    assert "50 % after 6 epochs" in [line["reproduced here"] for line in paper_table(rows, 3, short)]
    assert paper_table(rows, 2, short)[0] == paper_table(rows, 2)[0]  # bundled weights come first
    assert paper_table(rows, 4) == []


def test_cards(rows):
    by_key = {row.key: row for row in rows}
    tang = card(next(r for r in rows if r.title == "Tang 2013"))
    assert "https://arxiv.org/abs/1306.0239" in tang["Paper"] and "table 2 of the SE-Dense paper" in tang["Paper"]
    assert "`fer_demo/models/baselines/tang_svm.py`" in tang["In the code"]
    assert tang["What it is"] == "CNN under an L2-SVM loss." and tang["How it was trained"].startswith(
        "By its authors."
    )
    mine = card(by_key["fer_sedense_s2.tune_fer2013"])
    assert 'create_model("fer_sedense_s2.tune_fer2013", pretrained=True)' in mine["In the code"]
    chosen = checkpoint_metrics("fer_sedense_s2.tune_fer2013")["training"]["chosen_epoch"]
    trained = mine["How it was trained"]
    assert "60 + 24 epochs of SGD" in trained and f"epoch {chosen}." in trained
    assert short_title(by_key["fer_pramerdorfer_vgg.paper_fer2013"]) == "VGG, here"
    assert "Below the 72.7 % of its paper" in card(by_key["fer_pramerdorfer_vgg.paper_fer2013"])["How it was trained"]
    sequel = card(next(r for r in rows if r.data == "raf_single" and r.model is None))
    assert sequel["In the code"] == "Not built here." and "10.5626/JOK.2019.46.12.1241" in sequel["Paper"]
    for row in rows:
        assert all(card(row).values())


def test_models_side_by_side(astronaut):
    torch.manual_seed(0)
    predictors = {name: Predictor(timm.create_model(name)) for name in ("fer_sedense_s2", "fer_sedense_nano")}
    (found,) = Predictor(timm.create_model("fer_sedense_s2")).predict(astronaut)
    answers = compare_models(predictors, astronaut, found)
    assert [a.name for a in answers] == list(predictors)
    for answer, predictor in zip(answers, predictors.values(), strict=True):
        (face,) = predictor.predict(astronaut)
        assert answer.face.probabilities == face.probabilities and answer.seconds > 0
        assert answer.picture.dtype == np.uint8 and answer.picture.shape[2] == 3
        assert answer.found.values.shape == face.crop.shape
    lines = answer_rows(answers)
    assert set(lines[0]) == {"model", "answer", "milliseconds", "matrix_products", "busy", *LABELS}
    (whole, _) = compare_models(predictors, astronaut, found, whole=True)
    assert whole.face.box == (0.0, 0.0, 512.0, 512.0)
    fig = answer_bars({a.name: a.face.probabilities for a in answers})
    assert [bar.marker.color for bar in fig.data] == [model_color(name) for name in predictors]
    assert list(fig.data[0].y) == [answers[0].face.probabilities[label] for label in LABELS]


def test_disagreement_in_words():
    from types import SimpleNamespace

    def says(name, label, share):
        rest = (1 - share) / (len(LABELS) - 1)
        probabilities = {n: share if n == label else rest for n in LABELS}
        face = SimpleNamespace(label=label, probabilities=probabilities, unsure=share < 0.5)
        return SimpleNamespace(name=name, face=face)

    both = disagreement([says("a", "happy", 0.9), says("b", "happy", 0.6)])
    assert (
        "They **agree**: both say happy." in both and "30 points between `a` and `b`" in both and "Unsure" not in both
    )
    apart = disagreement([says("a", "happy", 0.9), says("b", "sad", 0.4)])
    assert "`a` says happy; `b` says sad" in apart and "Unsure: `b`" in apart

    same = disagreement([says("a", "happy", 0.9), says("b", "happy", 0.9)])
    assert "both say happy" in same and same.endswith("differs by as much as a point.") and "0 points" not in same
    near = disagreement([says("a", "happy", 0.9), says("b", "happy", 0.889)])
    assert "1 point between" in near
    assert disagreement([says("a", "happy", 0.9)]) == "Only one model has answered: there is nothing to compare."
    assert disagreement([]) == "No model has answered."


def test_sentences_hold_at_their_edges(rows):
    """Ties, differences of nothing, one system and none."""
    ours = next(r for r in rows if r.published and r.published.this_paper and r.data == "fer2013")
    rival = next(r for r in rows if r.title == "Tang 2013")

    def beside(accuracy: float, **values: float) -> list[Row]:
        return [ours, dataclasses.replace(rival, values={**rival.values, "accuracy": accuracy, **values})]

    tie = beside(ours.values["accuracy"], parameters=480_000)
    assert "just as much as the most accurate rival" in what_it_buys(tie, "fer2013")
    assert "about as many" in what_it_buys(tie, "fer2013")
    assert "1.7 points more than the most accurate rival" in what_it_buys(beside(0.69), "fer2013")
    assert "which compares it with no other" in what_it_buys([ours], "fer2013")
    assert "no rival is built here" in what_it_does_not_buy([ours])
    assert "the one rival takes fewer" in what_it_does_not_buy(beside(0.7, macs=1))
    assert "the one rival takes no fewer" in what_it_does_not_buy(beside(0.7, macs=1e12))


def test_the_answer_for_a_device(rows):
    assert "**None yet**" in for_my_device(rows, "raf_single")
    ready = [r for r in rows if r.kind == "reproduced here"]
    best = max(ready, key=lambda r: r.values["accuracy"])
    assert "It is the only one." in for_my_device([best])
    twin = dataclasses.replace(best, title="twin", values={**best.values, "macs": 1.0})
    assert "with the same accuracy" in for_my_device([best, twin])
    assert for_my_device(rows).startswith(f"**`{best.title}`** is the most accurate")


@pytest.mark.parametrize(
    ("interval", "words"),
    [((0.70, 0.73), "**it holds**"), ((0.71, 0.73), "**it holds, and more**"), ((0.6, 0.7), "**it was not reached**")],
)
def test_whether_the_claim_holds(rows, interval, words):
    def judged(row: Row) -> Row:
        ours = row.kind == "reproduced here" and row.model == "fer_sedense"
        return dataclasses.replace(row, intervals={**row.intervals, "accuracy": interval}) if ours else row

    found = does_the_claim_hold([judged(row) for row in rows])
    assert words in found and "RAF-single" in found and "was not checked here" in found


def test_what_ingredients_bring():
    assert "Not known yet" in what_ingredients_bring({})
    chance = {"title": "a", "difference": 0.001, "interval": (-0.01, 0.01)}
    gain = {"title": "b", "difference": 0.02, "interval": (0.01, 0.03)}
    found = {"accuracy": 0.549, "epochs": 10, "parts": [chance, gain]}
    words = what_ingredients_bring({"block": found}, "71.6 %")
    assert "“b”, which gains 2.0 points; 1 of 2 changes may be chance" in words
    assert "ten short epochs" in words and "reaches 71.6 %" in words
    nothing = what_ingredients_bring({"block": found | {"parts": [chance]}})
    assert "None of the 1 changes" not in nothing and "beyond chance" in nothing


def test_ingredients_hang_from_the_whole():
    parts = [
        {"title": "without SE", "difference": -0.03, "interval": (-0.05, -0.01), "parameters": -12_345},
        {"title": "another seed", "difference": 0.002, "interval": (-0.02, 0.024), "parameters": 0},
    ]
    (bars,) = ingredient_bars(0.67, parts).data
    assert bars.base == 67 and list(bars.y) == ["another seed", "without SE"] and list(bars.x) == [0.2, -3.0]
    assert bars.marker.color[0] != bars.marker.color[1]  # within chance, and not
    assert bars.text[1] == "−3.0 points, −12 k parameters" and parameters_text(0) == "same size"
