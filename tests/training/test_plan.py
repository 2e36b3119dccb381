"""Recipes shortened to a span of time, by what epochs cost on this machine."""

import json

import pytest

from training import full as full_module
from training.__main__ import main
from training.plan import MARGIN, Speed, fitted
from training.runlog import read_run


@pytest.fixture
def recipe(config):
    return config(epochs=300, sizes=[[0, 24], [100, 48]], warmup_epochs=5)


class TestFitted:
    def test_the_time_is_used_and_kept(self, recipe):
        speed = Speed(startup=60, epoch={24: 1.0, 48: 4.0})
        short = fitted(recipe, speed, 360)
        taken = 60 + sum(speed.epoch[short.size_at(epoch)] for epoch in range(short.epochs))
        assert 0.97 * 360 * MARGIN < taken <= 1.01 * 360 * MARGIN
        assert short.sizes == ((0, 24), (round(short.epochs / 3), 48)) and short.warmup_epochs == 5

    def test_a_recipe_is_not_made_longer(self, recipe):
        assert fitted(recipe, Speed(0, {24: 1.0, 48: 4.0}), 1e6) == recipe

    def test_few_epochs_keep_every_size_and_little_warm_up(self, recipe):
        short = fitted(recipe, Speed(0, {24: 100.0, 48: 400.0}), 900 / MARGIN)
        assert short.epochs == 3 and short.sizes == ((0, 24), (1, 48)) and short.warmup_epochs == 0.3
        assert fitted(recipe, Speed(0, {24: 100.0, 48: 400.0}), 650 / MARGIN).sizes == ((0, 24), (1, 48))

    def test_too_little_time_is_said(self, recipe):
        with pytest.raises(ValueError, match=r"1.0 minutes do not suffice for .*: at least 9.8 are needed"):
            fitted(recipe, Speed(60, {24: 100.0, 48: 400.0}), 60)


def test_rehearsal_measures_each_size_and_leaves_nothing(data, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ["model=fer_sedense_nano", "batch_size=16", "sizes=[[0, 24], [3, 48]]", "threads=1", "device=cpu"]
    assert main(["rehearse", "--data", str(data), "--steps", "2", "--set", *settings]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(answer["epoch"]) == {"24", "48"} and all(0 < s < 60 for s in answer["epoch"].values())
    # Two of an epoch's seven steps at each size, and one judgement each.
    assert answer["timed"] < sum(answer["epoch"].values())
    assert [p.name for p in tmp_path.iterdir()] == ["data.npz"]


def test_full_fits_both_generations_into_the_time(data, tmp_path, capsys, monkeypatch):
    asked = []

    def measure(runs, data):
        asked.append(runs)
        return Speed(0, {48: 200.0 if len(asked) == 1 else 300.0})

    monkeypatch.setattr(full_module, "measure", measure)
    settings = ["epochs=50", "batch_size=16", "sizes=[[0, 48]]", "threads=1", "device=cpu", "compile=false"]
    out = tmp_path / "out"
    command = ["full", "--data", str(data), "--out", str(out), "--seeds", "1", "--views", "single", "--no-record"]
    command += ["--fit", "--minutes", "20", "--set", *settings]
    assert main(command) == 0
    plan = json.loads((out / "plan.json").read_text())
    # 0.42 * 1200 s of 200 s each; then 0.92 * 1200 s, with hardly anything gone, of 300 s each.
    assert (plan["teacher"]["epochs"], plan["student"]["epochs"]) == (2, 3)
    for generation in ("teacher", "student"):
        run = read_run(out / f"fer_sedense.fer2013-{generation}0")
        assert len(run.history) == run.config["epochs"] == plan[generation]["epochs"]
    assert len(asked) == 2 and "teachers=[fer_sedense.fer2013@" in " ".join(asked[1][0])
    assert (out / "fer_sedense.fer2013" / "metrics.json").is_file()
    assert main(command) == 0 and len(asked) == 2, "measured again"
