"""Recipes shortened to a span of time, by what epochs cost on this machine."""

import json
import time
from types import SimpleNamespace

import pytest

from training.__main__ import main
from training.run import full, plan
from training.run.full import run_side_by_side
from training.run.plan import MARGIN, Speed, fitted, measure
from training.run.runlog import read_run


@pytest.fixture
def recipe(config):
    return config(epochs=300, sizes=[[0, 24], [100, 48]], warmup_epochs=5)


def cost(recipe, speed) -> float:
    return speed.startup + sum(speed.epoch[recipe.size_at(epoch)] for epoch in range(recipe.epochs))


class TestFitted:
    def test_the_time_is_used_and_kept(self, recipe):
        speed = Speed(startup=60, epoch={24: 1.0, 48: 4.0})
        short = fitted(recipe, speed, 360)
        assert 360 * MARGIN - 4 < cost(short, speed) <= 360 * MARGIN
        assert short.sizes == ((0, 24), (round(short.epochs / 3), 48)) and short.warmup_epochs == 5

    def test_a_recipe_is_not_made_longer(self, recipe):
        assert fitted(recipe, Speed(0, {24: 1.0, 48: 4.0}), 1e6) == recipe

    @pytest.mark.parametrize("seconds", [530, 700, 950, 1263.7, 1400, 2000])
    def test_rounding_never_costs_more_than_there_is(self, recipe, seconds):
        speed = Speed(0, {24: 100.0, 48: 400.0})
        short = fitted(recipe, speed, seconds)
        assert cost(short, speed) <= seconds * MARGIN and {side for _, side in short.sizes} == {24, 48}
        assert short.warmup_epochs == pytest.approx(short.epochs / 10)

    def test_too_little_time_is_said(self, recipe):
        with pytest.raises(ValueError, match=r"needs at least 9.8 minutes, its start included, where there are 1.0"):
            fitted(recipe, Speed(60, {24: 100.0, 48: 400.0}), 60)
        with pytest.raises(ValueError, match=r"where there are 0.0: give more --minutes"):
            fitted(recipe, Speed(60, {24: 100.0, 48: 400.0}), -5)


NANO = "fer_sedense_nano.wide_fer2013"
SETTINGS = ["model=fer_sedense_nano", "batch_size=16", "threads=1", "device=cpu"]


def test_rehearsal_measures_each_size_and_leaves_nothing(data, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = [*SETTINGS, "sizes=[[0, 24], [3, 48]]"]
    assert main(["rehearse", "--data", str(data), "--steps", "2", "--set", *settings]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(answer["epoch"]) == {"24", "48"}
    # Two of an epoch's seven steps at each size, and the end of one epoch.
    assert 0 < answer["timed"] < sum(answer["epoch"].values()) < 120
    assert [p.name for p in tmp_path.iterdir()] == ["data.npz"]


class TestMeasure:
    def test_runs_are_rehearsed_side_by_side(self, data):
        commands = [["systems", "--set", *SETTINGS, "sizes=[[0, 24]]", f"seed={seed}"] for seed in range(2)]
        speed = measure(commands, str(data), steps=2)
        assert set(speed.epoch) == {24} and 0 < speed.epoch[24] < 60
        assert 1 < speed.startup < 120  # importing PyTorch alone takes longer than a second

    def test_what_went_wrong_is_said_and_nothing_is_left(self, data, monkeypatch):
        started = []
        popen = plan.subprocess.Popen
        monkeypatch.setattr(plan.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
        commands = [["systems", "--set", *SETTINGS, "batch_size=4096"], ["systems", "--set", *SETTINGS]]
        with pytest.raises(RuntimeError, match=r"The rehearsal failed: .*do not fill a batch of 4096"):
            measure(commands, str(data))
        assert len(started) == 2 and all(process.wait(10) is not None for process in started)
        with pytest.raises(RuntimeError, match=r"The rehearsal took longer than 0.0 minutes"):
            measure(commands[1:], str(data), timeout=0.1)


class TestFull:
    @pytest.fixture
    def asked(self, monkeypatch):
        """The commands that were measured; a teacher's epoch is said to take 20 s, a student's 30 s."""
        calls = []

        def measure(runs, data, timeout):
            calls.append(runs)
            return Speed(0, {48: 20.0 if "teachers" not in " ".join(runs[0]) else 30.0})

        monkeypatch.setattr(plan, "measure", measure)
        return calls

    @pytest.fixture
    def command(self, data, tmp_path):
        settings = [f"model={NANO}", "epochs=50", "batch_size=16", "sizes=[[0, 48]]", "threads=1", "device=cpu"]
        settings += ["compile=false"]
        return [
            "full",
            "--data",
            str(data),
            "--out",
            str(tmp_path / "out"),
            "--seeds",
            "1",
            "--views",
            "single",
            "--no-record",
            "--fit",
            "--set",
            *settings,
        ]

    def test_both_generations_fit_into_the_time(self, command, asked, tmp_path, monkeypatch):
        monkeypatch.setattr(plan, "MARGIN", 0.05)  # whatever the machine is doing, the runs end in time
        assert main([*command, "--minutes", "60"]) == 0
        plans = json.loads((tmp_path / "out" / "plan.json").read_text())
        assert plans["teacher"]["set"]["epochs"] == 3  # 0.4 of the hour, a twentieth of it, 20 s each
        for generation in ("teacher", "student"):
            run = read_run(tmp_path / "out" / f"{NANO}-{generation}0")
            assert len(run.history) == run.config["epochs"] == plans[generation]["set"]["epochs"]
        assert len(asked) == 2 and f"teachers=[{NANO}@" in " ".join(asked[1][0])
        assert (tmp_path / "out" / NANO / "metrics.json").is_file()
        assert main([*command, "--minutes", "60"]) == 0 and len(asked) == 2, "measured again"
        assert main([*command, "lr=0.05", "--minutes", "60"]) == 2 and len(asked) == 3, "another recipe, another plan"

    def test_a_late_generation_is_taken_as_it_stands(self, command, asked, tmp_path, monkeypatch, capsys):
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + clock.ahead, ahead=0, sleep=time.sleep)
        monkeypatch.setattr(full, "time", clock)
        killed = True

        def one_epoch(commands, common, epochs, deadline):
            """Ends when the first epoch has been trained: killed then, or because that took all the time."""
            folder, arguments = next(iter(commands.items()))
            if not (folder / "best.safetensors").is_file():
                assert run_side_by_side({folder: [*arguments, "epochs=1"]}, common, 1, clock.monotonic() + 600)
            clock.ahead = clock.ahead if killed else deadline - time.monotonic() + 1
            return False

        monkeypatch.setattr(full, "run_side_by_side", one_epoch)
        assert main([*command, "--minutes", "60"]) == 0
        assert "time is up; the same command goes on" in capsys.readouterr().out
        assert "closed" not in json.loads((tmp_path / "out" / "plan.json").read_text())["teacher"]
        killed = False
        assert main([*command, "--minutes", "60"]) == 0
        assert f"exported {NANO}-student0" in capsys.readouterr().out
        plans = json.loads((tmp_path / "out" / "plan.json").read_text())
        assert plans["teacher"]["closed"] and plans["student"]["closed"]
        monkeypatch.setattr(full, "run_side_by_side", lambda *_: pytest.fail("trained any further"))
        assert main([*command, "--minutes", "60"]) == 0

    def test_one_that_never_began_is_not(self, command, asked, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(full, "run_side_by_side", lambda *_: False)
        assert main([*command, "--minutes", "60"]) == 0
        assert "time is up; the same command goes on" in capsys.readouterr().out
        assert "closed" not in json.loads((tmp_path / "out" / "plan.json").read_text())["teacher"]
