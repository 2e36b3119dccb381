"""The trainer: it learns, resumes exactly, keeps the last good checkpoint, and says what is wrong."""

import errno
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from training import UNFINISHED
from training.__main__ import main
from training.data import DataError, Faces
from training.run import train
from training.run.config import RANGES, TrainConfig, from_dict
from training.run.recipes import RECIPES, change_execution, load_config
from training.run.run_folder import BEST, LAST, resume_config
from training.run.runlog import LOG, TimeUp, read_run
from training.run.settings import describe_settings
from training.run.train import Trainer


def weights(trainer):
    return torch.cat([v.double().flatten() for v in trainer.model.state_dict().values()])


def test_it_learns(faces, config, tmp_path):
    best = Trainer(config(epochs=8), faces, tmp_path, quiet=True).fit()
    assert best["accuracy"] > 0.6  # chance is 1 in 7
    assert {LAST, BEST, LOG, "config.json"} <= {p.name for p in tmp_path.iterdir()}
    log = (tmp_path / LOG).read_text().splitlines()
    assert len(log) == 9 and log[0].startswith("epoch,size,lr,train_loss,public_loss,public_accuracy")
    assert any(p.name.startswith("events") for p in tmp_path.iterdir())


def test_both_networks_go_on_after_an_evaluation(faces, config, tmp_path):
    """A weight that evaluation replaced by a tensor of inference mode could not be trained any further."""
    trainer = Trainer(config(model="fer_sedense.restart_fer2013", epochs=2), faces, tmp_path, quiet=True)
    before = [p.data_ptr() for p in trainer.model.parameters()]
    trainer.fit()
    assert len(trainer.history) == 2 and not any(p.is_inference() for p in trainer.model.parameters())
    assert [p.data_ptr() for p in trainer.model.parameters()] == before


def test_same_seed_same_weights(faces, config, tmp_path):
    runs = [Trainer(config(epochs=1, seed=s), faces, tmp_path / str(i), quiet=True) for i, s in enumerate((1, 1, 2))]
    for trainer in runs:
        trainer.fit()
    assert torch.equal(weights(runs[0]), weights(runs[1])) and not torch.equal(weights(runs[0]), weights(runs[2]))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_resume_in_the_middle_of_an_epoch_is_exact(faces, config, tmp_path, ema, monkeypatch):
    settings = config(ema_decay=ema, drop_rate=0.2)
    whole = Trainer(settings, faces, tmp_path / "a", quiet=True)
    whole.fit()

    class Killed(Exception):
        pass

    stopped = Trainer(settings, faces, tmp_path / "b", quiet=True)
    schedule = stopped.scheduler.step_update

    def save_then_die(updates):
        if (stopped.epoch, stopped.step) == (1, 4):
            stopped.save()
            raise Killed
        schedule(updates)

    monkeypatch.setattr(stopped.scheduler, "step_update", save_then_die)
    with pytest.raises(Killed):
        stopped.fit()
    resumed = Trainer(resume_config(tmp_path / "b"), faces, tmp_path / "b", quiet=True)
    resumed.load(tmp_path / "b" / LAST)
    assert (resumed.epoch, resumed.step) == (1, 4)
    resumed.fit()
    assert torch.equal(weights(resumed), weights(whole))
    assert [r["train_loss"] for r in resumed.history] == [r["train_loss"] for r in whole.history]
    assert resumed.best == whole.best


@pytest.mark.parametrize("steps", [3, 7, 10])
def test_out_of_time_and_on_is_exact(faces, config, tmp_path, monkeypatch, steps):
    """Stopped in the middle of an epoch, or between its last step and its evaluation."""
    whole = Trainer(config(), faces, tmp_path / "a", quiet=True)
    whole.fit()
    stopped = Trainer(config(), faces, tmp_path / "b", record_dir=tmp_path / "record", quiet=True)
    step = stopped._train_step

    def tick(batch):
        step(batch)
        clock.now += 1

    clock = SimpleNamespace(now=0)
    monkeypatch.setattr(stopped, "_train_step", tick)
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with pytest.raises(TimeUp):
        stopped.fit(deadline=steps - 0.5)
    assert (stopped.epoch, stopped.step) == ((steps - 1) // 7, (steps - 1) % 7 + 1)
    record = read_run(tmp_path / "record").record
    assert (record["status"], record["reason"]) == ("paused", "its time was up")
    resumed = Trainer(resume_config(tmp_path / "b"), faces, tmp_path / "b", quiet=True)
    resumed.load(tmp_path / "b" / LAST)
    assert (resumed.epoch, resumed.step) == (stopped.epoch, stopped.step)
    resumed.fit()
    assert torch.equal(weights(resumed), weights(whole)) and resumed.best == whole.best
    assert [r["train_loss"] for r in resumed.history] == [r["train_loss"] for r in whole.history]


def test_minutes_on_the_command_line(data, tmp_path, capsys):
    settings = ["epochs=2", "batch_size=16", "sizes=[[0,24]]", "device=cpu", "bf16=off", "threads=1", "lr=0.02"]
    run = ["train", "--data", str(data), "--run-dir", str(tmp_path / "run"), "--quiet", "--no-record"]
    assert main([*run, "--set", *settings, "--minutes", "0.0001"]) == UNFINISHED
    assert "time is up in epoch 1 of 2; --resume --run-dir" in capsys.readouterr().out
    assert main([*run, "--resume", "--set", "lr=0.3"]) == 2
    assert (
        "Only device, threads, compile, cuda_graph, save_minutes can be changed on --resume" in capsys.readouterr().err
    )
    assert main([*run, "--resume", "--set", "save_minutes=1"]) == 0
    assert "best on PublicTest" in capsys.readouterr().out
    for wrong in ("0", "-1", "nan", "soon"):
        with pytest.raises(SystemExit):
            main([*run, "--minutes", wrong])
        assert "--minutes" in capsys.readouterr().err


def test_settings_on_the_command_line(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--settings"])
    said = capsys.readouterr().out
    assert "lr=0.1  (number, from above 0 to 1,000)\n    Peak learning rate.\n" in said
    assert "sizes=[[0, 48]]  (list)\n" in said and 'init_from=""  (text)\n' in said
    assert "augment.erase=0.25  (number, from 0 to 1)\n    Probability that a rectangle is erased.\n" in said


@pytest.mark.processes
def test_kill_minus_nine(data, tmp_path):
    """A process killed at an arbitrary moment and resumed gives the weights of one that was left alone."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "model: fer_sedense_s2.tune_fer2013\nepochs: 4\nbatch_size: 16\nsizes: [[0, 24]]\nlr: 0.02\nbf16: false\n"
        "device: cpu\nthreads: 1\nsave_minutes: 0.002\n"
    )
    run = [sys.executable, "-m", "training", "train", "--data", str(data), "--quiet", "--no-record"]
    start = [*run, str(recipe), "--run-dir"]
    subprocess.run([*start, str(tmp_path / "whole")], check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen([*start, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
    last = tmp_path / "killed" / LAST
    deadline = time.monotonic() + 120
    while not last.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert torch.load(last, weights_only=True)["epoch"] < 4, "killed too late to prove anything"
    subprocess.run([*run, "--resume", "--run-dir", str(tmp_path / "killed")], check=True, stdout=subprocess.DEVNULL)
    final = [torch.load(tmp_path / d / LAST, weights_only=True)["model"] for d in ("whole", "killed")]
    assert all(torch.equal(final[0][k], final[1][k]) for k in final[0])
    best = [load_file(tmp_path / d / BEST) for d in ("whole", "killed")]
    assert all(torch.equal(best[0][k], best[1][k]) for k in best[0])


def test_a_full_disk_keeps_the_last_good_checkpoint(faces, config, tmp_path, monkeypatch):
    trainer = Trainer(config(epochs=1), faces, tmp_path, quiet=True)
    trainer.fit()
    before = (tmp_path / LAST).read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fer_demo.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        trainer.save()
    assert (tmp_path / LAST).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".last")] == []


def test_best_weights_come_from_the_final_size(faces, config, tmp_path):
    trainer = Trainer(config(epochs=3, sizes=[[0, 16], [2, 24]]), faces, tmp_path, quiet=True)
    best = trainer.fit()
    assert best["epoch"] == 3
    assert [r["size"] for r in trainer.history] == [16, 16, 24]


def test_resume_needs_a_run(tmp_path):
    with pytest.raises(ValueError, match="holds no run to resume"):
        resume_config(tmp_path)


def test_checkpoint_of_another_model_is_refused(faces, config, tmp_path):
    trainer = Trainer(config(epochs=1), faces, tmp_path, quiet=True)
    trainer.save()
    other = Trainer(config(model="fer_sedense.restart_fer2013"), faces, tmp_path, quiet=True)
    with pytest.raises(ValueError, match="does not fit these settings"):
        other.load(tmp_path / LAST)


def test_other_data_are_refused(faces, config, tmp_path):
    Trainer(config(epochs=1), faces, tmp_path, quiet=True).save()
    labels = faces.labels.clone()
    labels[0] = (labels[0] + 1) % 7
    other = Trainer(config(epochs=1), Faces(faces.images, labels, faces.splits), tmp_path, quiet=True)
    with pytest.raises(ValueError, match="trained on other data"):
        other.load(tmp_path / LAST)


def test_going_on_in_another_way_is_said(faces, config, tmp_path, capsys):
    Trainer(config(epochs=1), faces, tmp_path, quiet=True).save()
    Trainer(config(epochs=1), faces, tmp_path, quiet=True).load(tmp_path / LAST)
    assert "note:" not in "".join(capsys.readouterr())
    Trainer(config(epochs=1, bf16="on"), faces, tmp_path, quiet=True).load(tmp_path / LAST)
    assert "note: begun with" in "".join(capsys.readouterr())


def test_a_run_that_died_before_its_curve_was_written(faces, config, tmp_path):
    trainer = Trainer(config(epochs=1), faces, tmp_path, quiet=True)
    trainer.fit()
    curve = (tmp_path / LOG).read_text()
    (tmp_path / LOG).unlink()
    again = Trainer(config(epochs=1), faces, tmp_path, quiet=True)
    again.load(tmp_path / LAST)
    again.fit()
    assert (tmp_path / LOG).read_text() == curve


def test_a_good_state_outlives_a_loss_that_explodes(faces, config, tmp_path):
    trainer = Trainer(config(epochs=2, lr=1000, warmup_epochs=0, save_minutes=0), faces, tmp_path, quiet=True)
    trainer.save()
    with pytest.raises(FloatingPointError, match="start again with a lower lr"):
        trainer.fit()
    state = torch.load(tmp_path / LAST, weights_only=True)
    assert torch.isfinite(state["loss_sum"])


class TestInitialWeights:
    def test_they_are_where_it_starts(self, faces, config, tmp_path):
        first = Trainer(config(epochs=1), faces, tmp_path / "a", quiet=True)
        first.fit()
        start = str(tmp_path / "a" / BEST)
        second = Trainer(
            config(epochs=1, seed=5, lr=1e-9, warmup_epochs=0, min_lr=0, ema_decay=0.9, init_from=start),
            faces,
            tmp_path / "b",
            quiet=True,
        )
        second.fit()
        expected = first.model.get_classifier().weight  # one epoch: its best weights are its last
        for model in (second.model, second.ema.module):
            torch.testing.assert_close(model.get_classifier().weight, expected, atol=1e-5, rtol=0)

    def test_what_is_wrong_is_named(self, faces, config, tmp_path):
        with pytest.raises(ValueError, match="neither a bundled checkpoint nor a file: 'nothing'"):
            Trainer(config(init_from="nothing"), faces, tmp_path, quiet=True).fit()
        Trainer(config(model="fer_sedense_nano.wide_fer2013", epochs=1), faces, tmp_path / "a", quiet=True).fit()
        with pytest.raises(ValueError, match="do not fit this network"):
            Trainer(config(init_from=str(tmp_path / "a" / BEST)), faces, tmp_path / "b", quiet=True).fit()


def test_too_few_pictures(faces, config, tmp_path):
    with pytest.raises(DataError, match="do not fill a batch of 512"):
        Trainer(config(batch_size=512), faces, tmp_path)


class TestConfig:
    def test_recipes_load(self):
        recipes = sorted(RECIPES.glob("*.yaml"))
        assert recipes
        for recipe in recipes:
            config = load_config(recipe)
            assert from_dict(config.to_dict()) == config

    def test_overrides(self):
        config = load_config(None, ["lr=1e-3", "augment.erase=0", "sizes=[[0, 24], [3, 48]]", "epochs=4"])
        assert config.lr == 1e-3 and config.augment.erase == 0 and config.size_at(2) == 24 and config.size_at(3) == 48

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            ("lrr=1", "no setting 'lrr'"),
            ("augment.turn=1", "augment has no setting 'turn'"),
            ("epochs=0", "epochs must be from 1 to 1,000,000"),
            ("epochs=many", "epochs must be int"),
            ("lr", "has no '='"),
            ("sizes=[[5, 48]]", "rising epochs from 0"),
            ("sizes=48", "sizes must be"),
            ("sizes=[0, 48]", "pairs \\(first epoch, side\\)"),
            ("sizes=[[0, 48]", "not valid YAML"),
            ("sizes=[[0, 24], [60, 48]]", r"last stage in epoch 60, but there are only 60 epochs.*sizes=\[\[0, 48\]\]"),
            ("augment=false", "augment holds settings of its own"),
            ("lr.peak=1", "lr must be float"),
            ("seed=20240601", "seed must be from 0 to 16,777,215"),
            ("sizes=[[0, 0]]", "sizes must be pairs"),
            ("lr=-1", "lr must be from above 0 to 1,000; got -1"),
            ("lr=0", "lr must be from above 0"),
            ("lr=nan", "lr must be a finite number; got nan"),
            ("weight_decay=.inf", "weight_decay must be a finite number; got inf"),
            ("weight_decay=-0.1", "weight_decay must be from 0 to 1,000"),
            ("momentum=1", "momentum must be from 0 to below 1"),
            ("min_lr=0.2", r"min_lr must not be above lr, but 0\.2 is above 0\.1"),
            ("opt=sgdd", "opt must be one of timm's optimisers, such as sgd or adamw; got 'sgdd'"),
            ("device=abacus", "device must be auto, cpu, cuda"),
            ("augment.rotation=-5", r"augment\.rotation must be from 0 to 180"),
            ("augment.contrast=.nan", r"augment\.contrast must be a finite number"),
            ("augment.erase_area=[0.2, 0.1]", r"augment\.erase_area must be two rising fractions"),
            ("augment.erase_area=0.2", r"augment\.erase_area must be two rising fractions"),
        ],
    )
    def test_wrong_settings(self, override, message):
        with pytest.raises(ValueError, match=message):
            load_config(None, [override])

    def test_every_number_has_a_range(self):
        numbers = {name for name, value in vars(TrainConfig()).items() if type(value) in (int, float)}
        assert set(RANGES) == numbers

    def test_optimisers_with_lookahead_are_known(self):
        assert load_config(None, ["opt=lookahead_adamw"]).opt == "lookahead_adamw"

    def test_every_setting_is_described_as_its_docstring_says(self):
        found = {setting.name: (setting.default, setting.meaning) for setting in describe_settings()}
        defaults = TrainConfig().to_dict()
        groups = {name for name, value in defaults.items() if isinstance(value, dict)} - {"model_args", "classes"}
        assert groups == {"augment", "corruption"}
        inner = {f"{group}.{name}" for group in groups for name in defaults[group]}
        assert set(found) == set(defaults) - groups | inner
        assert found["lr"] == (0.1, "Peak learning rate.")
        assert found["augment.erase"] == (0.25, "Probability that a rectangle is erased.")
        assert found["sizes"][0] == [[0, 48]] and found["teachers"][1].endswith("at its own size.")  # its third line
        assert all(meaning.endswith(".") and "\n" not in meaning for _, meaning in found.values())

    def test_what_may_change_when_a_run_goes_on(self):
        begun = TrainConfig(lr=0.3, compile=True)
        assert change_execution(begun, ["threads=2", "compile=false"]) == TrainConfig(lr=0.3, threads=2)
        with pytest.raises(ValueError, match="Only device, threads, compile, cuda_graph, save_minutes can be changed"):
            change_execution(begun, ["threads=2", "lr=0.1"])
        with pytest.raises(ValueError, match="threads must be int"):
            change_execution(begun, ["threads="])

    def test_unknown_recipe(self):
        with pytest.raises(ValueError, match="There is no recipe"):
            load_config("nothing")

    def test_size_schedule(self):
        config = TrainConfig(sizes=((0, 24), (10, 32), (20, 48)))
        assert [config.size_at(e) for e in (0, 9, 10, 19, 20, 99)] == [24, 24, 32, 32, 48, 48]


def test_evaluated_every_other_epoch_and_at_the_end(faces, config, tmp_path):
    every = Trainer(config(epochs=5, seed=3), faces, tmp_path / "a", quiet=True)
    seldom = Trainer(config(epochs=5, seed=3, evaluate_every=2), faces, tmp_path / "b", quiet=True)
    every.fit()
    seldom.fit()
    assert [row["epoch"] for row in seldom.history] == [2, 4, 5]
    assert torch.equal(weights(every), weights(seldom))
    kept = ("epoch", "train_loss", "public_accuracy", "lr")
    rows = {row["epoch"]: row for row in every.history}
    assert all({k: row[k] for k in kept} == {k: rows[row["epoch"]][k] for k in kept} for row in seldom.history)


class TestSizeJitter:
    """Batches of several sizes."""

    def test_each_batch_has_a_size_of_its_own_at_the_last_stage(self, faces, config, tmp_path):
        settings = {"epochs": 3, "sizes": [[0, 16], [1, 24]], "size_jitter": [20, 32]}
        settings["corruption"] = {"share": 0.5}
        trainer = Trainer(config(**settings), faces, tmp_path, quiet=True)
        batches, order = trainer.batches, trainer.batches.order(0)[:16]
        assert {batches.side(0, step) for step in range(20)} == {16}
        sides = [batches.side(epoch, step) for epoch in (1, 2) for step in range(40)]
        assert set(sides) == {20, 24, 28, 32} and sides[:40] != sides[40:]
        assert sides[:3] == [batches.make(order, 1, step)[0].shape[-1] for step in range(3)]
        best = trainer.fit()
        assert best["epoch"] >= 2 and [row["size"] for row in trainer.history] == [16, 24, 24]

    def test_nothing_else_changes(self, faces, config, tmp_path):
        plain, jittered = (
            Trainer(config(size_jitter=jitter), faces, tmp_path / str(len(jitter)), quiet=True).batches
            for jitter in ([], [16, 32])
        )
        order = plain.order(1)[:16]
        assert torch.equal(order, jittered.order(1)[:16])
        for a, b in zip(plain.draw(order, 1, 3), jittered.draw(order, 1, 3), strict=True):
            assert torch.equal(a, b)

    @pytest.mark.parametrize("wrong", ["[40]", "[52, 64]", "[24, 40]", "48", "[0, 64]", "[40.0, 64]", "[40, 4000]"])
    def test_what_makes_no_sense_is_refused(self, wrong):
        with pytest.raises(ValueError, match=r"size_jitter must be the lowest and the highest side .* 48.*got"):
            load_config(None, [f"size_jitter={wrong}"])
