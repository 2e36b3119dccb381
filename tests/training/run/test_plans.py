"""Comparisons of several seeds: what is trained, what is left to do, and what is said of it."""

import dataclasses

import pytest
import torch

from training.run.plans import _evaluated, compared, load_plan, run_plan
from training.run.train import Trainer


def test_the_plan_of_attention():
    plan = load_plan("attention")
    assert list(plan.variants) == ["baseline", "learnt", "cbam", "coord", "guided", "shuffled"]
    budgets = {(c.epochs, c.batch_size, c.lr, c.sizes, c.augment) for c in plan.variants.values()}
    assert len(budgets) == 1 and plan.variants["guided"].epochs == 40
    with pytest.raises(ValueError, match=r"no plan .*attention"):
        load_plan("nothing")


def test_a_comparison_goes_on(tmp_path, data, config, monkeypatch, capsys):
    file = tmp_path / "small.yaml"
    file.write_text("settings: {epochs: 1}\nvariants: {whole: {}, smooth: {label_smoothing: 0.0}}\n")
    plan, trained = load_plan(file), []

    def train(runs, options, deadline):
        if len(trained) == 3 and deadline == 0:
            return False
        for run, settings in runs.items():
            trained.append((run.name, settings.seed, settings.label_smoothing))
            run.mkdir(parents=True, exist_ok=True)
        return True

    def evaluated(settings, _, run):
        figure = {"accuracy": 0.5 + settings.seed / 10 + (settings.label_smoothing == 0) / 100}
        given = {"accuracy": figure["accuracy"] + 0.02}
        both = {"PublicTest": figure, "PrivateTest": figure}
        return both | ({"landmarks": dict.fromkeys(both, given)} if "smooth" in run.name else {})

    monkeypatch.setattr("training.run.plans.train_side_by_side", train)
    monkeypatch.setattr("training.run.plans._evaluated", evaluated)
    assert run_plan(plan, str(data), tmp_path / "out", seeds=2, deadline=0) is None
    assert [name for name, *_ in trained] == ["small-whole-seed0", "small-smooth-seed0", "small-whole-seed1"]
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert said[2].endswith("small-whole-seed1")
    assert set(compared(plan, tmp_path / "out", 2)["smooth"]["PublicTest"]["accuracies"]) == {"0"}
    results = run_plan(plan, str(data), tmp_path / "out", seeds=2, deadline=1)
    assert results["smooth"]["PublicTest"]["gain"] == pytest.approx(0.01)
    assert results["smooth"]["PublicTest"]["gain_deviation"] == pytest.approx(0, abs=1e-9)
    assert results["smooth"]["PrivateTest, with landmarks"]["gain"] == pytest.approx(0.03)
    assert results["whole"]["PublicTest"]["standard_deviation"] == pytest.approx(0.0707, abs=1e-3)
    file.write_text("settings: {epochs: 1}\n")
    with pytest.raises(ValueError, match="must hold settings: and variants:"):
        load_plan(file)


def test_weights_of_a_comparison_are_evaluated(config, faces, tmp_path, monkeypatch):
    known = dataclasses.replace(faces, landmarks=torch.rand(len(faces), 5, 2) * 48)
    settings = config(model="fer_sedense_lm_nano", landmarks="shuffled", epochs=1)
    run = Trainer(settings, known, tmp_path / "run", quiet=True)
    run.fit()
    monkeypatch.setattr("training.run.plans.load_faces", lambda _: known)
    metrics = _evaluated(run.config, "anything", tmp_path / "run")
    assert metrics["PublicTest"]["n"] == metrics["landmarks"]["PublicTest"]["n"] == 42
