"""How the comparison installs and runs a peer: fast and offline with runners that are made up, and once for real."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.emotions import LABELS
from training.bench.peers import PEERS, Peer, PeerError, PeerResult, each_system, run_peers
from training.bench.peers import measure as measuring
from training.bench.peers.environment import Environment, NodeEnvironment, PythonEnvironment, default_cache, last_error

pytestmark = pytest.mark.processes

FOUND = {
    "version": "1.2",
    "licence": "MIT",
    "runtime": "Fake 3",
    "parameters": 1000,
    "weight_bytes": 4000,
    "labels": list(LABELS),
    "predicted": [0, 1, 2, 3],
    "batch_size": 8,
    "cpu_seconds": [2.0, 1.0, 4.0],
}


@dataclass(frozen=True)
class HereEnvironment(Environment):
    """Runs a runner in this process's Python; nothing is installed."""

    def command(self, folder, runner):
        return [sys.executable, str(runner)]

    def _install(self, folder):
        pass


@dataclass(frozen=True)
class BrokenEnvironment(Environment):
    """Cannot be installed."""

    def _install(self, folder):
        raise PeerError("pip could not install it: no network.")


@pytest.fixture
def faces():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (4, 48, 48), dtype=np.uint8), np.array([0, 1, 2, 6])


@pytest.fixture
def run(tmp_path, faces, monkeypatch):
    """Runs a made-up peer, whose runner is the given program; returns results and what was said."""
    monkeypatch.setattr(measuring, "own_systems", list)

    def run(program: str, environment=None) -> tuple[list[PeerResult], list[str]]:
        runner = tmp_path / "runner.py"
        runner.write_text(program, encoding="utf-8")
        peer = Peer("fake", "Fake", environment or HereEnvironment("fake", "nothing"), str(runner), "as it does.")
        said: list[str] = []
        return run_peers(*faces, tmp_path / "cache", said.append, peers=[peer]), said

    return run


def test_a_peer_is_measured_on_the_faces_and_its_copy_is_deleted(run, faces, tmp_path):
    seen = tmp_path / "seen"
    program = (
        "import json, os, sys\n"
        f"open({str(seen)!r}, 'w').write(sys.argv[1])\n"
        "print('noise')\n"
        f"found = {FOUND!r}\n"
        "pixels = open(sys.argv[1], 'rb').read()\n"
        "found['version'] = f'{len(pixels)} {sum(pixels)} ' + os.environ['OMP_NUM_THREADS']\n"
        "found['runtime'] = str(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1)\n"
        "print(json.dumps(found))\n"
    )
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    results, said = run(program)
    images = faces[0]
    assert results[0].version == f"{images.size} {images.sum(dtype=int)} 1"
    assert results[0].runtime == "1", "it was not bound to one core"
    assert not Path(seen.read_text()).exists()
    assert before is None or os.sched_getaffinity(0) == before
    assert said[0].startswith("Downloading for fake") and "nothing" in said[0] and said[1] == "Measuring Fake."


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise ValueError('it is broken')", "Fake failed: ValueError: it is broken."),
        ("print('no JSON')", "Fake printed no result."),
        ("print('[1]')", "Fake printed no result."),
        ("", "Fake printed no result."),
        ("print('{}')", "gave an answer that cannot be used"),
    ],
)
def test_a_runner_that_fails_is_left_out_in_one_sentence(run, program, reason):
    results, said = run(program)
    assert results == []
    assert said[-1].startswith("Left out: ") and reason in said[-1] and "\n" not in said[-1]


def test_a_peer_that_cannot_be_installed_is_left_out(run):
    results, said = run("", BrokenEnvironment("broken", "nothing"))
    assert results == [] and said[-1] == "Left out: fake: pip could not install it: no network."


def test_a_cache_that_cannot_be_written_is_one_sentence(run, tmp_path):
    (tmp_path / "cache").write_text("a file")
    results, said = run("")
    assert results == [] and "cannot be written" in said[-1]


def test_a_program_that_is_not_there_is_one_sentence():
    with pytest.raises(PeerError, match="Fake could not be started"):
        measuring.run_runner("Fake", ["/no/such/program"])


def test_a_runner_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(measuring, "MINUTES", 0.002)
    with pytest.raises(PeerError, match="took more than"):
        measuring.run_runner("Fake", [sys.executable, "-c", "import time; time.sleep(60)"])


def test_without_node_npm_packages_are_left_out(run, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    _, said = run("", NodeEnvironment("node", "nothing", ("left-pad@1.3.0",)))
    assert said[-1] == "Left out: fake: node is not installed; it comes with Node.js 18 or newer."


def test_without_a_network_python_packages_are_left_out(run, monkeypatch):
    def fake(command, **options):
        failed = "install" in command
        return subprocess.CompletedProcess(command, failed, "", "WARNING: slow\nERROR: No matching distribution\n")

    monkeypatch.setattr(subprocess, "run", fake)
    _, said = run("", PythonEnvironment("python", "nothing", ("numpy",), ("fer==1",)))
    assert said[-1] == "Left out: fake: pip could not install numpy, fer==1: ERROR: No matching distribution."


def test_an_environment_is_built_once_and_again_for_other_versions(tmp_path):
    built = []

    @dataclass(frozen=True)
    class Counted(Environment):
        def _install(self, folder):
            built.append(self.size)

    for size in ("a", "a", "b"):
        environment = Counted("counted", size)
        assert environment.build(tmp_path).is_dir() and environment.ready(tmp_path)
    assert built == ["a", "b"]


def test_last_error():
    npm = "npm error code ENOTFOUND\nnpm error request failed, reason: no such host\nnpm error is your proxy set?\n"
    pip = "WARNING: Retrying after connection broken by 'E()'\nERROR: No matching distribution found for a==1\n"
    assert last_error(npm) == last_error(pip) == "the package registry could not be reached"
    assert last_error("Traceback\nValueError: no.\n") == "ValueError: no"
    assert last_error("") == "it gave no reason"


def test_peers_are_pinned_and_their_runners_are_there():
    assert len({peer.key for peer in PEERS}) == len(PEERS)
    for peer in PEERS:
        assert (measuring.RUNNERS / peer.runner).is_file()
        environment = peer.environment
        pinned = environment.packages if isinstance(environment, NodeEnvironment) else environment.alone
        assert pinned and all("@" in name[1:] or "==" in name for name in pinned)


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("FER_DEMO_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "fer_demo" / "peers"


def test_faces_of_another_kind_are_refused(faces):
    images, labels = faces
    with pytest.raises(ValueError, match="uint8"):
        run_peers(images.astype(float), labels)
    with pytest.raises(ValueError, match="uint8"):
        run_peers(images[:0], labels[:0])
    with pytest.raises(ValueError, match="a label for each"):
        run_peers(images, labels[:2])


def test_our_checkpoints_go_the_same_way(faces, monkeypatch):
    if not bundled_checkpoints():
        pytest.skip("no checkpoint is bundled yet")
    from fer_demo.predictor import Predictor

    images, labels = faces
    smallest = min(bundled_checkpoints(), key=lambda name: checkpoint_metrics(name)["parameters"])
    monkeypatch.setattr(measuring, "bundled_checkpoints", lambda: [smallest])
    results = list(each_system(images, labels, peers=()))
    assert all(isinstance(result, PeerResult) for result in results), results
    assert len(results) == len(measuring.own_systems()) == 2
    for result in results:
        name = result.name.split("`")[1]
        probabilities = Predictor(name).classify(images)
        assert result.ours and result.accuracy == (probabilities.argmax(1) == labels).mean()
        assert result.faces_per_second > 0 and result.weight_bytes > 0 and result.parameters


@pytest.mark.slow
def test_real_peers_reach_what_is_known_of_them(fer2013, tmp_path):
    """Installs and runs every peer but TensorFlow; a wrong class order or scaling would cost tens of points."""
    part = fer2013.split("PrivateTest")
    said: list[str] = []
    results = run_peers(
        part.images[::9, 0].numpy(), part.labels[::9].numpy(), tmp_path, said.append, without=["fer-keras"]
    )
    left_out = [sentence for sentence in said if sentence.startswith("Left out")]
    if left_out:
        pytest.skip(" ".join(left_out))
    accuracy = {result.name: result.accuracy for result in results if not result.ours}
    for known, name in zip((0.658, 0.666, 0.589), accuracy, strict=True):
        assert accuracy[name] == pytest.approx(known, abs=0.06), name
