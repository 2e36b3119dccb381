"""What run records say of ingredients."""

import pytest

from fer_demo.tradeoffs import network_costs
from training.report.ablations import ablations
from training.run.runlog import Run, read_runs


def run(name: str, accuracy: float, status: str = "finished", **config) -> Run:
    record = {"status": status, "public": {"n": 3589, "accuracy": accuracy}}
    return Run(name, {"model": "fer_sedense_s2.tune_fer2013", "epochs": 10, **config}, [], record)


def test_a_variant_is_compared_with_the_whole_of_its_group():
    runs = [run("arch-full", 0.6), run("arch-no_se", 0.58, model_args={"se": "none"}), run("ablation-ema", 0.7)]
    found = ablations(runs, "arch")
    assert found["whole"].name == "arch-full" and found["accuracy"] == 0.6
    (part,) = found["parts"]
    assert part["title"] == "without squeeze-and-excitation" and part["difference"] == pytest.approx(-0.02)
    low, high = part["interval"]
    assert low < -0.02 < high and high - low == pytest.approx(2 * 1.96 * ((0.24 + 0.2436) / 3589) ** 0.5)
    fewer = network_costs("fer_sedense_s2", 48, (("se", "none"),)).parameters
    assert part["parameters"] == fewer - 481_019 < 0


def test_the_whole_may_be_a_run_that_differs_in_nothing_else():
    runs = [
        run("other", 0.5, epochs=20),
        run("ablation-base", 0.6, model_args={}),
        run("arch-no_skip", 0.55, model_args={"skip": False}),
        run("arch-of_tomorrow", 0.61, model_args={"skip": True}),
    ]
    found = ablations(runs, "arch")
    assert found["whole"].name == "ablation-base"
    assert [part["title"] for part in found["parts"]] == ["without skip connection", "of tomorrow"]


def test_unfinished_runs_do_not_count_and_none_is_none():
    assert ablations([], "arch") is None
    assert ablations([run("arch-full", 0.6)], "arch") is None
    assert ablations([run("arch-full", 0.6), run("arch-no_se", 0.1, status="running")], "arch") is None


def test_seeds_are_compared_in_pairs():
    runs = [run(f"attention-baseline-seed{k}", a) for k, a in enumerate((0.60, 0.62, 0.61))]
    runs += [run(f"attention-guided-seed{k}", a) for k, a in enumerate((0.61, 0.62, 0.63, 0.99))]
    runs += [run("attention-cbam-seed0", 0.58), run("attention-coord-seed7", 0.9)]
    found = ablations(runs, "attention")
    assert found["accuracy"] == pytest.approx(0.61) and found["seeds"] == 3
    guided, cbam = found["parts"]  # coordinate attention has no seed of the whole's
    assert (guided["title"], guided["seeds"], guided["run"]) == ("guided by landmarks", 3, "attention-guided-seed0")
    # Differences of 1, 0 and 2 points: mean 1, deviation 1, and 4.3027 is Student's t for three.
    assert guided["difference"] == pytest.approx(0.01)
    assert guided["interval"] == pytest.approx((0.01 - 4.3027 * 0.01 / 3**0.5, 0.01 + 4.3027 * 0.01 / 3**0.5), abs=1e-6)
    assert cbam["seeds"] == 1 and cbam["difference"] == pytest.approx(-0.02)
    assert cbam["interval"][1] > 0.002  # of one run by the pictures


def test_the_records_of_this_project():
    found = ablations(read_runs(), "ablation")
    assert found["whole"].name == "ablation-base" and len(found["parts"]) >= 6
    assert {part["title"] for part in found["parts"]} >= {"with CutMix", "without label smoothing"}
