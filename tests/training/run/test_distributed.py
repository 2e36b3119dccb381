"""Two processes train what one trains."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.__main__ import main
from training.run import distributed
from training.run.distributed import World

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = ["epochs=2", "batch_size=16", "sizes=[[0,24]]", "lr=0.02", "bf16=off", "device=cpu", "threads=1"]

# Batch normalisation sees the pictures of its own process on a CPU, so the exact comparison is made without it.
SCRIPT = """
import sys
import torch.nn as nn
nn.BatchNorm2d.forward = lambda self, x: x * self.weight.view(1, -1, 1, 1) * 0.5 + self.bias.view(1, -1, 1, 1)
from training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(data, run_dir, program, processes, options):
    arguments = ["train", "--data", str(data), "--run-dir", str(run_dir), "--quiet", "--no-record", *options]
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--master-addr=127.0.0.1"]
        launcher += [f"--master-port={free_port()}"]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(ROOT),  # a program elsewhere has its own folder on the path, not this one
    }
    return subprocess.run([*launcher, *program, *arguments], capture_output=True, text=True, env=environment)


def train(data, run_dir, program, processes):
    done = start(data, run_dir, program, processes, ["--set", *SETTINGS])
    assert done.returncode == 0, done.stderr[-3000:]
    return *result(run_dir), done.stdout


def train_here(data, run_dir):
    """In this process: others start with seconds of imports."""
    assert (
        main(["train", "--data", str(data), "--run-dir", str(run_dir), "--quiet", "--no-record", "--set", *SETTINGS])
        == 0
    )
    return result(run_dir)


def result(run_dir):
    with open(run_dir / "log.csv", newline="") as f:
        log = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(f)]
    return log, torch.load(run_dir / "last.pt", weights_only=True)


def test_two_processes_reach_the_same_loss(data, tmp_path, monkeypatch):
    program = tmp_path / "program.py"
    program.write_text(SCRIPT)
    with monkeypatch.context() as patch:
        scaled = lambda self, x: x * self.weight.view(1, -1, 1, 1) * 0.5 + self.bias.view(1, -1, 1, 1)  # noqa: E731
        patch.setattr(torch.nn.BatchNorm2d, "forward", scaled)  # as in SCRIPT
        one, state_one = train_here(data, tmp_path / "one")
    two, state_two, printed = train(data, tmp_path / "two", [str(program)], 2)
    assert printed.count("best on PublicTest") == 1, "only the first process reports"
    assert [r["train_loss"] for r in two] == pytest.approx([r["train_loss"] for r in one], abs=2e-4)
    assert two[-1]["train_loss"] < two[0]["train_loss"]
    for name, value in state_one["model"].items():
        torch.testing.assert_close(state_two["model"][name], value, atol=1e-4, rtol=1e-3, msg=name)
    assert json.loads(state_two["best"])["epoch"] == json.loads(state_one["best"])["epoch"]


def test_two_processes_with_batch_normalisation(data, tmp_path):
    """With eight instead of sixteen pictures behind each mean the losses agree roughly, not to the digit."""
    one, _ = train_here(data, tmp_path / "one")
    two, _, _ = train(data, tmp_path / "two", ["-m", "training"], 2)
    assert two[-1]["train_loss"] == pytest.approx(one[-1]["train_loss"], rel=0.1)


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on(data, tmp_path):
    """Each looks at its own clock, and a process that stopped alone would leave the other waiting for it."""
    run, program = tmp_path / "run", ["-m", "training"]
    done = start(data, run, program, 2, ["--minutes", "0.0001", "--set", *SETTINGS])
    assert done.returncode != 0 and done.stdout.count("time is up in epoch 1 of 2") == 1, done.stderr[-3000:]
    assert torch.load(run / "last.pt", weights_only=True)["step"] == 1
    done = start(data, run, program, 2, ["--resume"])
    assert done.returncode == 0 and done.stdout.count("best on PublicTest") == 1, done.stderr[-3000:]
    whole, _, _ = train(data, tmp_path / "whole", program, 2)
    with open(run / "log.csv", newline="") as f:
        found = [float(row["train_loss"]) for row in csv.DictReader(f)]
    assert found == pytest.approx([row["train_loss"] for row in whole], abs=2e-4)


def test_a_second_start_says_once_why_it_is_refused(data, tmp_path):
    run, program = tmp_path / "run", ["-m", "training"]
    run.mkdir()
    (run / "last.pt").touch()
    done = start(data, run, program, 2, ["--set", *SETTINGS])
    said = f"error: {run} holds a run already: add --resume, or choose another --run-dir.\n"
    assert done.returncode != 0 and done.stderr.count(said) == 1 and done.stderr.count("error: ") == 1
    assert "exitcode  : 2 " in done.stderr  # of the first process, in torchrun's own report


def test_a_process_that_fails_alone_speaks_for_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_RANK", "1")
    waited = []
    monkeypatch.setattr("training.cli.processes.time.sleep", waited.append)
    assert main(["train", "--data", "x", "--run-dir", str(tmp_path), "--set", "lr=-1"]) == 2
    assert "error: lr must be" in capsys.readouterr().err and waited == [10.0]


def test_one_process_that_is_late_stops_all(monkeypatch):
    asked = []
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda value, op: asked.append(op) or value.fill_(1.0))
    assert World(torch.device("cpu"), 0, 2).any(False) and asked == [torch.distributed.ReduceOp.MAX]
    assert [World(torch.device("cpu")).any(flag) for flag in (True, False)] == [True, False] and len(asked) == 1


def test_a_batch_that_cannot_be_shared(faces, config, tmp_path, monkeypatch):
    from training.run import train as module

    monkeypatch.setattr(module, "join", lambda device: World(device, rank=0, size=3))
    with pytest.raises(ValueError, match="batch_size 16 cannot be shared by 3 processes"):
        module.Trainer(config(), faces, tmp_path)


def test_the_parts_make_the_whole():
    batch = torch.arange(10)
    parts = [batch[World(torch.device("cpu"), rank, 2).part] for rank in range(2)]
    assert torch.equal(torch.cat(parts).sort().values, batch) and len(parts[0]) == len(parts[1])


def test_one_process_works_with_the_threads_of_those_that_wait(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    own = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), World(torch.device("cpu"), 0, 4).all_threads():  # noqa: PT012  (both count)
        assert torch.get_num_threads() == 2 * own  # of four processes, two are on this machine
        raise ZeroDivisionError
    assert torch.get_num_threads() == own
    with World(torch.device("cpu")).all_threads():
        assert torch.get_num_threads() == own
