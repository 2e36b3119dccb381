"""Comparisons of several seeds: what is trained, what is left to do, and what is said of it."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from training.eval.evaluate import evaluate
from training.run.full import train_side_by_side
from training.run.plans import METRICS, Plan, _evaluated, compared, load_plan, run_plan
from training.run.run_folder import LAST, trained_model
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
    monkeypatch.setattr("training.run.plans._faces", lambda *_: known)
    metrics = _evaluated(run.config, "anything", tmp_path / "run")
    assert metrics["PublicTest"]["n"] == metrics["landmarks"]["PublicTest"]["n"] == 42
    assert metrics["size"] == [24, 24], "not the size at which they were chosen"
    assert metrics["PublicTest"]["accuracy"] == run.best["accuracy"] and metrics["data"] == known.fingerprint()


def test_data_of_other_classes_without_a_private_test(config, faces, tmp_path):
    """Landmarks of three classes, and figures of the only test set that there is."""
    few = faces.take(np.flatnonzero((faces.labels.numpy() < 3) & (faces.splits != "PrivateTest")))
    names = {"happy": ["happy"], "sad": ["sad"], "calm": ["neutral"]}
    few = dataclasses.replace(few, classes=tuple(names), landmarks=torch.rand(len(few), 5, 2) * 48)
    settings = config(model="fer_sedense_lm_nano", landmarks="detected", epochs=1, classes=names)
    run = tmp_path / "small-one-seed0"
    Trainer(settings, few, run, quiet=True).fit()
    metrics = evaluate(trained_model(settings, run), few)
    assert set(metrics["landmarks"]["PublicTest"]["recall"]) == set(names)
    (run / METRICS).write_text(json.dumps(metrics))
    results = compared(Plan("small", {"one": settings}), tmp_path, 1)
    assert set(results["one"]) == {"PublicTest", "PublicTest, with landmarks"}


def plan_of(tmp_path, text):
    (tmp_path / "p.yaml").write_text(text)
    return load_plan(tmp_path / "p.yaml")


def test_a_variant_differs_in_what_it_names_alone(tmp_path):
    plan = plan_of(
        tmp_path, "settings: {augment: {rotation: 12, erase: 0.5}}\nvariants: {a: {}, b: {augment: {erase: 0}}}"
    )
    assert plan.variants["b"].augment == dataclasses.replace(plan.variants["a"].augment, erase=0.0)
    assert plan.variants["b"].augment.rotation == 12


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ("{a: {}, b: {threads: 2}}", "a and b have the same settings; leave one of them out"),
        ("{a: {}, b: {seed: 1}}", "b: seed is none of a plan's settings: --seeds N"),
        ("{a: {}, ../b: {lr: 0.2}}", "'../b' cannot name a variant"),
        ("{a: {}, b: {targets: both}}", "b: networks with two heads cannot be compared"),
        ("{a: {}, b: {learning: 1}}", "b has no setting 'learning'"),
    ],
)
def test_plans_that_compare_nothing(tmp_path, variants, said):
    with pytest.raises(ValueError, match=said):
        plan_of(tmp_path, f"settings: {{epochs: 1, sizes: [[0, 48]]}}\nvariants: {variants}")


@pytest.mark.parametrize("wrong", ["{model: fer_nothing}", "{landmarks: detected}", "{model_args: {width: 3}}"])
def test_no_variant_is_trained_before_all_can_be(tmp_path, data, wrong, monkeypatch):
    trained = []
    monkeypatch.setattr("training.run.plans.train_side_by_side", lambda *args: trained.append(args))
    plan = plan_of(tmp_path, f"settings: {{epochs: 1, model: fer_sedense_nano}}\nvariants: {{a: {{}}, b: {wrong}}}")
    with pytest.raises(ValueError, match=r"takes no landmarks|cannot be made"):
        run_plan(plan, str(data), tmp_path / "out", seeds=1, deadline=0)
    assert not trained


def test_runs_at_once(tmp_path, data, faces, monkeypatch):
    plan = plan_of(tmp_path, "settings: {epochs: 1, sizes: [[0, 48]]}\nvariants: {a: {}, b: {lr: 0.2}, c: {lr: 0.3}}")
    begun = []
    monkeypatch.setattr("training.run.plans.check_networks", lambda _: None)
    monkeypatch.setattr("training.run.plans.train_side_by_side", lambda runs, *_: begun.append(list(runs)) or True)
    figures = {split: {"accuracy": 0.5} for split in ("PublicTest", "PrivateTest")}
    monkeypatch.setattr("training.run.plans._evaluated", lambda *_: figures)
    out = tmp_path / "out"
    names = [out / f"p-{variant}-seed{seed}" for seed in (0, 1) for variant in "abc"]
    records = tmp_path / "records"
    monkeypatch.setattr("training.run.plans.RUNS", records)
    for name in names:
        name.mkdir(parents=True)  # as training does
    (records / names[0].name).mkdir(parents=True)
    results = run_plan(plan, str(data), out, seeds=2, deadline=0, processes=4, record=True)
    assert begun == [names[:4], names[4:]]
    assert [file.parent.name for file in records.rglob(METRICS)] == [names[0].name]
    assert all(set(part["PublicTest"]["accuracies"]) == {"0", "1"} for part in results.values())


def test_landmarks_are_found_once_for_runs_at_once(tmp_path, data, monkeypatch):
    text = "settings: {epochs: 1, landmarks: detected, sizes: [[0, 48]]}\nvariants: {a: {}, b: {lr: 0.2}}"
    plan, said = plan_of(tmp_path, text), []
    monkeypatch.setattr("training.run.plans.check_networks", lambda _: None)
    monkeypatch.setattr("training.data.landmarks.with_landmarks", lambda _, file, quiet: said.append(file))
    monkeypatch.setattr("training.run.plans.train_side_by_side", lambda *_: said.append("training") and None)
    for processes in (1, 2):
        run_plan(plan, str(data), tmp_path / "out", seeds=1, deadline=0, processes=processes)
    assert said[0] == said[2] == "training" and said[1].parent == tmp_path / "out" and len(said) == 3


PAIR = "settings: {epochs: 1, model: fer_sedense_nano}\nvariants: {a: {}, b: {lr: 0.2}}"


def keep(out, name, accuracy, **more):
    figures = {"accuracy": accuracy}
    (out / name).mkdir(parents=True)
    (out / name / METRICS).write_text(json.dumps({"PublicTest": figures, "PrivateTest": figures, **more}))


def test_gains_are_over_the_first_variant_alone(tmp_path):
    plan = plan_of(tmp_path, PAIR)
    keep(tmp_path, "p-b-seed0", 0.5)
    figures = compared(plan, tmp_path, 1)
    assert figures["a"] == {} and figures["b"]["PublicTest"]["gain"] is None


@pytest.mark.parametrize("text", ["{", '{"PublicTest": {}}', '{"PublicTest": {"accuracy": NaN}}', "{}"])
def test_damaged_figures_are_named(tmp_path, text):
    plan = plan_of(tmp_path, PAIR)
    keep(tmp_path, "p-a-seed0", 0.5)
    (tmp_path / "p-a-seed0" / METRICS).write_text(text)
    with pytest.raises(ValueError, match=r"p-a-seed0/metrics\.json is damaged.*delete it: the run is then evaluated"):
        compared(plan, tmp_path, 1)


def test_runs_on_other_data_are_not_compared(tmp_path, data, faces, monkeypatch):
    plan, out = plan_of(tmp_path, PAIR), tmp_path / "out"
    keep(out, "p-a-seed0", 0.5, data=faces.fingerprint())
    keep(out, "p-b-seed0", 0.6, data=faces.fingerprint())
    monkeypatch.setattr("training.run.plans.train_side_by_side", lambda *_: True)
    assert run_plan(plan, str(data), out, seeds=1, deadline=0)["b"]["PublicTest"]["gain"] == pytest.approx(0.1)
    other = tmp_path / "other.npz"
    np.savez(other, images=255 - faces.images[:, 0].numpy(), label=faces.labels.numpy(), usage=faces.splits)
    with pytest.raises(ValueError, match="p-a-seed0 was trained on other data: give the same --data as before"):
        run_plan(plan, str(other), out, seeds=1, deadline=0)


def test_a_finished_run_that_has_lost_its_state_is_not_taken_for_another(config, faces, tmp_path):
    settings, run = config(epochs=1), tmp_path / "run"
    Trainer(settings, faces, run, quiet=True).fit()
    (run / LAST).unlink()
    assert train_side_by_side({run: settings}, [], 0)
    with pytest.raises(ValueError, match=r"begun with other settings \(label_smoothing\)"):
        train_side_by_side({run: dataclasses.replace(settings, label_smoothing=0.0)}, [], 0)
