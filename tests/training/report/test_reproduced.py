"""Systems trained here without their weights being bundled: from the records of runs to the trade-offs."""

import dataclasses
import json

import pytest

from fer_demo.tradeoffs import reproduced, table
from fer_demo.tradeoffs.answers import for_my_device
from fer_demo.tradeoffs.labels import short_title
from fer_demo.tradeoffs.reproduced import FILE
from fer_demo.tradeoffs.table import rows_csv, tradeoff_rows
from fer_demo.tradeoffs.words import card, paper_table
from training.report.reproduced import reproduced_runs, write_reproduced
from training.report.systems import reached, systems
from training.run.recipes import load_config

TANG = "fer_tang_svm.paper_fer2013"
RECIPES = {TANG, "fer_pramerdorfer_inception.paper_fer2013"}


def keep(runs, name, accuracy, public, **record):
    folder = runs / name
    folder.mkdir(parents=True)
    recipe = name.partition("-seed")[0]
    settings = load_config(recipe).to_dict() if recipe in RECIPES else {}
    settings |= {"epochs": 60, "sizes": [[0, 48]], "seed": int(name[-1]) if "-seed" in name else 0}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "record.json").write_text(json.dumps({"status": "finished", **record}))
    figures = {"accuracy": accuracy, "interval": [accuracy - 0.01, accuracy + 0.01]}
    metrics = {"size": [48, 48], "PrivateTest": figures, "PublicTest": {"accuracy": public}}
    (folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def runs(tmp_path):
    keep(tmp_path, f"{TANG}-seed0", 0.70, 0.66, note="Its paper trained ten times as long.")
    keep(tmp_path, f"{TANG}-seed1", 0.69, 0.67)
    keep(tmp_path, "fer_guo_relativity.paper_fer2013-seed0", 0.6, 0.6, status="stopped")
    keep(tmp_path, "systems-fer_tang_svm", 0.5, 0.5)
    keep(tmp_path, "fer_sedense_nano.wide_fer2013-seed0", 0.7, 0.7)
    keep(tmp_path, "another.paper_fer2013-seed0", 0.7, 0.7)
    return tmp_path


def test_the_seed_is_chosen_on_public_test(runs):
    (found,) = reproduced_runs(runs)
    assert (found.name, found.run, found.seeds) == (TANG, f"{TANG}-seed1", 2)
    assert (found.accuracy, found.public, found.schedule) == (0.69, 0.67, "60 epochs at 48 px")


def test_the_file_is_what_the_records_say(tmp_path):
    write_reproduced(file=tmp_path / "reproduced.json")
    assert json.loads((tmp_path / "reproduced.json").read_text()) == json.loads(FILE.read_text()), "systems --write"


GOOD = {"size": [48, 48], "PrivateTest": {"accuracy": 0.7, "interval": [0.69, 0.71]}, "PublicTest": {"accuracy": 0.7}}


@pytest.mark.parametrize(
    "changes",
    [
        {"PrivateTest": {}},
        {"PrivateTest": {"accuracy": 0.7}},
        {"PrivateTest": {"accuracy": 0.7, "interval": [0.71, 0.72]}},
        {"PrivateTest": {"accuracy": 70.0, "interval": [69.0, 71.0]}},
        {"PublicTest": {"accuracy": float("nan")}},
        {"size": []},
        {"size": None},
    ],
)
def test_a_damaged_record_is_named(runs, changes):
    (runs / f"{TANG}-seed1" / "metrics.json").write_text(json.dumps(GOOD | changes))
    with pytest.raises(ValueError, match=f"{TANG}-seed1/metrics.json is damaged.*restore it from the repository"):
        reproduced_runs(runs)


def test_a_damaged_record_of_the_common_schedule_is_named(runs):
    (runs / "systems-fer_tang_svm" / "metrics.json").write_text("{}")
    system = next(s for s in systems() if s.model == "fer_tang_svm")
    with pytest.raises(ValueError, match=r"systems-fer_tang_svm/metrics\.json is damaged"):
        reached(system, "fer2013", runs)


def test_a_run_with_other_settings_is_no_seed(runs):
    settings = json.loads((runs / f"{TANG}-seed0" / "config.json").read_text())
    (runs / f"{TANG}-seed0" / "config.json").write_text(json.dumps(settings | {"epochs": 61}))
    (found,) = reproduced_runs(runs)
    assert (found.run, found.seeds) == (f"{TANG}-seed1", 1)


def test_what_a_recipe_names_and_its_run_does_not(runs, monkeypatch):
    recipe = dataclasses.replace(load_config(TANG), model_args={"hidden": 9, "width": 3})
    monkeypatch.setattr("training.report.reproduced.load_config", lambda _: recipe)
    settings = json.loads((runs / f"{TANG}-seed1" / "config.json").read_text())
    (runs / f"{TANG}-seed1" / "config.json").write_text(json.dumps(settings | {"model_args": {"width": 2}}))
    (found,) = reproduced_runs(runs)
    assert 'model_args={"width":2}' in found.changes and sum("model_args" in change for change in found.changes) == 1
    assert """ 'model_args={"width":2}'""" in found.command, "for a shell, which takes braces and quotes for its own"


def test_docs_name_it_before_the_common_schedule(runs):
    system = next(s for s in systems() if s.model == "fer_tang_svm")
    assert reached(system, "fer2013", runs).startswith("69.00% (68.0%–70.0%), 60 epochs at 48 px; 50.00%")


@pytest.fixture
def rows(runs, monkeypatch):
    keep(runs, "fer_pramerdorfer_inception.paper_fer2013-seed0", 0.99, 0.99, note="It is too good.")
    file = runs / "reproduced.json"
    assert write_reproduced(runs, file) == 2
    monkeypatch.setattr(reproduced, "FILE", file)
    monkeypatch.setattr(table, "reproductions", reproduced.reproductions.__wrapped__)
    return tradeoff_rows()


def test_its_row_on_the_trade_offs(rows):
    (row,) = [r for r in rows if r.title == TANG]
    assert row.kind == "reproduced here" and row.checkpoint is None and not row.usable
    assert row.values["accuracy"] == 0.69 and row.intervals["accuracy"] == pytest.approx((0.68, 0.7))
    assert row.values["parameters"] == 12_007_799 and row.values["macs"] > 0
    assert TANG in rows_csv(rows) and short_title(row) == "Tang, here"
    (line,) = [line for line in paper_table(rows, 2) if line["system"] == "Tang 2013"]
    assert line["reproduced here"] == "69.0\N{NO-BREAK SPACE}% (68.0 to 70.0)"


def test_its_card_says_how_to_train_it_again(rows):
    words = card(next(r for r in rows if r.title == TANG))["How it was trained"]
    assert "60 epochs at 48 px; the best of 2 seeds" in words and f"training train {TANG}" in words
    assert f"--run-dir runs/{TANG}-seed1 --set seed=1`" in words
    other = card(next(r for r in rows if "inception" in r.title and r.reproduced))["How it was trained"]
    assert "-seed0 --set epochs=60`" in other
    assert other.endswith("trains them again. It is too good.") and "seeds" not in other


def test_nobody_is_told_to_take_weights_that_are_not_there(rows):
    assert "inception" not in for_my_device(rows)
