"""Costs, published figures, rows and the command; speeds are measured, never judged."""

import csv
import dataclasses
import io
import json

import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

import fer_demo.tradeoffs.table as table
import fer_demo.tradeoffs.timing as timing
import fer_demo.tradeoffs.turns as turns
from fer_demo.__main__ import main
from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.provenance import answering_figures
from fer_demo.runtime.model_info import ModelError
from fer_demo.tradeoffs import (
    KINDS,
    MEASURES,
    Benchmark,
    Printed,
    Row,
    Spread,
    Timing,
    best_within,
    load_benchmark,
    measure,
    network_costs,
    networks_of,
    pareto_front,
    rows_csv,
    save_benchmark,
    tradeoff_rows,
)
from fer_demo.tradeoffs.answers import busy_note, time_text
from fer_demo.tradeoffs.costs import PeakMemory
from fer_demo.tradeoffs.published import systems, tables


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DEMO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "benchmark.json"


def row(key: str, x: float | None, y: float | None, data: str = "fer2013") -> Row:
    values = {"parameters": x, "accuracy": y}
    return Row(key, key, "published", data, 48, {name: v for name, v in values.items() if v is not None})


def timed(seconds: float, macs: int) -> Timing:
    batch = Spread(32 / seconds, 30 / seconds, 35 / seconds)
    return Timing(Spread(seconds, seconds * 0.9, seconds * 1.1), batch, macs, products=seconds / 0.02)


def printed() -> list[Printed]:
    return [row.published for row in tradeoff_rows() if row.published]


def test_the_papers_own_arithmetic():
    notes = " ".join(tables()[3]["notes"])
    assert "12,771" in notes and 12_271 + 3_068 == 15_339 and "15,339" in notes
    three = {p.system.label: p for p in printed() if p.result.table == 3}
    ours = three["SE-Dense"]
    assert round(100 * (ours.result.accuracy - three["Vielzeuf"].result.accuracy), 1) == 5.4 and "5.4 %" in notes
    assert round(100 * (ours.result.accuracy - three["Li"].result.accuracy), 1) == 0.7 and "0.7 %" in notes
    assert int(three["Li"].parameters / ours.parameters) == 156 and "156" in notes
    assert set(tables()) == {2, 3} and {t["title"][:7] for t in tables().values()} == {"Table 2", "Table 3"}


def test_published_networks_are_built_about_as_large_as_printed():
    """The page shows both numbers; a build far from its paper would not be that network."""
    for row in tradeoff_rows():
        if row.published and row.network:
            assert network_costs(*row.network).parameters == pytest.approx(row.published.parameters, rel=0.06), row.key


def test_costs_are_those_of_the_real_network():
    model = timm.create_model("fer_sedense_s2").eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as flops:
        model(torch.zeros(1, 1, 48, 48))
    with torch.inference_mode(), PeakMemory(model) as memory:
        model(torch.zeros(1, 1, 48, 48))
    costs = network_costs("fer_sedense_s2", 48)
    assert costs.parameters == 481_019
    assert costs.macs == flops.get_total_flops() // 2 and costs.activation_bytes == memory.peak
    assert costs.file_bytes == sum(t.nbytes for t in model.state_dict().values())
    with pytest.raises(ValueError, match="no network 'fer_nothing'; choose one of fer_acharya"):
        network_costs("fer_nothing", 48)
    fewer = network_costs("fer_sedense_s2", 48, (("se", "none"),))
    assert fewer.parameters < costs.parameters


def test_macs_of_one_convolution_by_hand():
    conv = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
    x = torch.zeros(1, 3, 10, 10)
    with torch.inference_mode(), PeakMemory(conv) as memory:
        conv(x)
    assert memory.peak == 4 * (3 * 100 + 8 * 100)  # picture and map; the weights do not count


def test_peak_memory_forgets_what_is_gone():
    chain = torch.nn.Sequential(*(torch.nn.Conv2d(4, 4, 1, bias=False) for _ in range(6)))
    x = torch.zeros(1, 4, 10, 10)
    with torch.inference_mode(), PeakMemory(chain) as memory:
        chain(x)
    assert memory.peak == 3 * 4 * 4 * 100  # the caller's picture, one map and the next


def test_every_row_has_a_kind_and_every_checkpoint_and_network_is_there():
    rows = tradeoff_rows()
    assert len({r.key for r in rows}) == len(rows) and {r.kind for r in rows} <= set(KINDS)
    assert {r.checkpoint for r in rows} - {None} == set(bundled_checkpoints())
    assert {r.model for r in rows} >= set(timm.list_models("fer_*"))
    assert len([r for r in rows if r.kind == "published"]) == sum(len(s.results) for s in systems())
    for r in rows:
        assert set(r.values) <= set(MEASURES) and "latency" not in r.values and None not in r.values.values()
        assert ("accuracy" not in r.values) == (r.kind == "not trained")
        assert r.usable == bool(r.checkpoint) and (r.kind == "reproduced here") == bool(r.checkpoint or r.reproduced)
        if r.usable:
            test = answering_figures(checkpoint_metrics(r.checkpoint))
            assert r.values["accuracy"] == test["accuracy"] and list(r.intervals["accuracy"]) == test["interval"]
        if r.published:
            assert r.values["parameters"] == r.published.parameters
            low, high = r.intervals["accuracy"]
            assert low < r.values["accuracy"] < high


def test_a_network_that_is_not_built_yet_keeps_its_printed_figures(monkeypatch):
    system = dataclasses.replace(systems()[0], model="fer_of_tomorrow")
    monkeypatch.setattr(table, "systems", lambda: (system,))
    found = table.tradeoff_rows()[0]
    assert found.model is None and found.network is None
    assert found.values["accuracy"] == 0.7069 and found.title == "SE-Dense (this paper)"
    assert found.values["parameters"] == 480_000 and "macs" not in found.values


def test_the_lightest_network_is_measured_first():
    found = networks_of(tradeoff_rows())
    macs = [network_costs(*network).macs for network in found]
    assert macs == sorted(macs) and len(set(found)) == len(found) and ("fer_sedense_s2", 100) in found


def test_wilson():
    private = checkpoint_metrics("fer_sedense_s2.tune_fer2013")["PrivateTest"]
    low, high = table.wilson(private["correct"] / private["n"], private["n"])
    assert [round(low, 6), round(high, 6)] == private["interval"]
    low, high = table.wilson(2495 / 3589, 3589)
    assert [round(low, 6), round(high, 6)] == [0.679917, 0.710025]


def test_pareto_front():
    rows = [row("small", 1, 0.6), row("good", 2, 0.8), row("worse", 3, 0.7), row("large", 4, 0.9), row("?", 5, None)]
    assert [r.key for r in pareto_front(rows, "parameters", "accuracy")] == ["small", "good", "large"]
    assert [r.key for r in pareto_front([*rows, row("twin", 2, 0.8)], "parameters", "accuracy")][1:3] == [
        "good",
        "twin",
    ]
    assert pareto_front([], "parameters", "accuracy") == []


def test_best_within():
    rows = [
        row("a", 1, 0.6),
        row("b", 2, 0.8),
        row("c", 3, 0.9),
        row("?", None, 0.95),
        row("raf", 1, 0.99, "raf_single"),
    ]
    fitting, unknown = best_within(rows, "fer2013", {"parameters": 2, "latency": None})
    assert [r.key for r in fitting] == ["b", "a"] and [r.key for r in unknown] == ["?"]
    fitting, unknown = best_within(rows, "fer2013", {"parameters": 2, "latency": 0.005})
    assert fitting == [] and [r.key for r in unknown] == ["a", "b", "?"]
    assert [r.key for r in best_within(rows, "raf_single", {})[0]] == ["raf"]


def test_numbers_are_written_with_three_digits():
    def text(name, value):
        return MEASURES[name].text(value).replace("\N{NO-BREAK SPACE}", " ")

    assert text("parameters", 480_763) == "0.481 M" and text("parameters", 74_900_000) == "74.9 M"
    assert text("file_bytes", 300_000_000) == "300 MB" and text("accuracy", 0.7069) == "70.7 %"
    assert text("latency", None) == "–" and text("latency", 0.0051) == "5.10 ms"


def test_csv_has_a_line_a_row():
    rows = tradeoff_rows()
    read = list(csv.DictReader(io.StringIO(rows_csv(rows))))
    assert len(read) == len(rows) and read[0]["kind"] == "published" and read[0]["parameters"] == "480000"
    assert read[0]["accuracy"] == "0.7069"
    tang = next(line for line in read if line["system"] == "Tang 2013")
    assert tang["source"].startswith("Lee, Yoon")  # its numbers are those of that paper's table


def test_times_are_measured_and_can_be_stopped():
    ticks = []
    threads = torch.get_num_threads()
    (network, found), *rest = measure([("fer_sedense_nano", 48)], seconds=0.01, tick=lambda: ticks.append(1))
    assert network == ("fer_sedense_nano", 48) and rest == [] and len(ticks) >= 2
    speed = found.timings[network]
    assert 0 < speed.latency.low <= speed.latency.median <= speed.latency.high
    assert 0 < speed.throughput.low <= speed.throughput.median <= speed.throughput.high
    assert speed.macs == network_costs(*network).macs and found.machine["threads"] == 1
    assert torch.get_num_threads() == threads
    assert speed.engine == "onnx" and speed.products > 0 and speed.busy >= 1

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(measure([network], seconds=60, tick=stop))
    assert torch.get_num_threads() == threads


def test_a_network_without_an_onnx_form_is_timed_with_pytorch_and_says_so(monkeypatch):
    def no_form(*_):
        raise ModelError("fer_mini_xception has operations that ONNX does not have.")

    monkeypatch.setattr(timing, "write_onnx", no_form)
    ((network, found),) = measure([("fer_mini_xception", 48)], seconds=0.01)
    assert found.timings[network].engine == "torch"
    row = next(r for r in tradeoff_rows(found) if r.model == "fer_mini_xception")
    assert "products, with PyTorch)" in time_text(row).replace("\N{NO-BREAK SPACE}", " ")
    assert row.to_dict()["engine"] == "torch" and row.values["products"] == found.timings[network].products


def test_a_busy_machine_does_not_lengthen_the_times_and_is_named(monkeypatch):
    wall = iter(range(10_000))  # each look at the clock is a second later; the processor's has moved by a tenth
    monkeypatch.setattr(turns.time, "perf_counter", lambda: float(next(wall)))
    processor = iter(range(10_000))
    monkeypatch.setattr(turns.time, "thread_time", lambda: 0.1 * next(processor))
    monkeypatch.setattr(turns.sys, "platform", "linux")
    found = turns.in_turns(lambda: None, 0.0)
    assert (
        found.seconds == pytest.approx(0.1) and found.products == pytest.approx(1) and found.busy == pytest.approx(10)
    )
    assert turns.in_turns(lambda: None, 0.0, threads=2).busy == 1
    here = Benchmark(timing.this_machine(), "2026-11-24", {("fer_sedense", 48): timed(0.01, 1)})
    assert busy_note(here) == "" == busy_note(Benchmark(timing.this_machine()))
    slow = dataclasses.replace(timed(0.01, 1), busy=3.4)
    note = busy_note(dataclasses.replace(here, timings={("fer_sedense", 48): slow}))
    assert "busy" in note and "3.4 times" in note and "1024 × 1024" in note


def test_results_are_kept_for_this_machine_only(cache):
    here = timing.this_machine()
    good, stale = network_costs("fer_sedense", 48).macs, 1
    speeds = {("fer_sedense", 48): timed(0.01, good), ("fer_sedense_s2", 48): timed(0.01, stale)}
    speeds[("fer_gone", 48)] = timed(0.01, 5)
    save_benchmark(Benchmark(here, "2026-11-24", speeds))
    save_benchmark(Benchmark(here | {"processor": "another"}, "2026-11-23", {}))
    assert len(json.loads(cache.read_text())) == 2
    found = load_benchmark()
    assert found.measured == "2026-11-24" and set(found.timings) == {("fer_sedense", 48)}
    assert load_benchmark(threads=7).timings == {}
    paper = next(r for r in tradeoff_rows(found) if r.model == "fer_sedense")
    assert paper.values["latency"] == 0.01 and paper.intervals["latency"] == pytest.approx((0.009, 0.011))
    cache.write_text("[{}")
    assert load_benchmark().timings == {} and load_benchmark().measured == ""


def test_the_command_measures_and_prints_what_the_page_shows(capsys, cache):
    arguments = ["benchmark", "--models", "fer_sedense_nano", "fer_mini_xception", "--seconds", "0.01"]
    assert main([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    shown = tradeoff_rows(load_benchmark())  # as the page calls it
    assert printed["rows"] == [r.to_dict() for r in shown]
    assert printed["machine"]["threads"] == 1 and printed["machine"]["processor"]
    nano = next(r for r in printed["rows"] if r["model"] == "fer_sedense_nano")
    assert nano["parameters"] == 314_167 and nano["latency"] > 0 and nano["throughput_low"] > 0
    assert sum(r["latency"] is not None for r in printed["rows"]) >= 2
    assert main(["benchmark", "--cached"]) == 0
    text = capsys.readouterr().out
    assert (
        "reproduced here" in text
        and "Tang 2013" in text
        and "1 thread; ONNX Runtime" in text
        and "71.2\N{NO-BREAK SPACE}%" in text
    )


def test_the_command_writes_csv_without_measuring(tmp_path, capsys):
    out = tmp_path / "rows.csv"
    assert main(["benchmark", "--cached", "--csv", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 1 + len(tradeoff_rows())
    with pytest.raises(SystemExit):
        main(["benchmark", "--cached", "--csv", str(tmp_path)])
    assert "is a folder; name a file in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "resnet50"], "there is no network resnet50; choose from"),
        (["--threads", "0"], "--threads must be 1 or more, but is 0"),
        (["--seconds", "-1"], "--seconds must be between 0 and 600"),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments, words, capsys):
    with pytest.raises(SystemExit) as error:
        main(["benchmark", *arguments])
    assert error.value.code == 2 and words in capsys.readouterr().err


def test_what_was_measured_before_a_stop_is_kept(monkeypatch, capsys):
    real = timing.time_network

    def stopped_at_the_second(model, *rest, **more):
        if model == "fer_sedense_nano":  # the heavier one
            raise KeyboardInterrupt
        return real(model, *rest, **more)

    monkeypatch.setattr(timing, "time_network", stopped_at_the_second)
    networks = ["fer_sedense_nano", "fer_mini_xception"]
    assert main(["benchmark", "--models", *networks, "--seconds", "0.01", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["measured"]
    assert set(load_benchmark().timings) == {("fer_mini_xception", 48)}
