"""Reading on a Ray cluster of this machine: the same answers, and nothing lost or repeated when a worker goes."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from PIL import Image

from fer_demo import ModelError
from fer_demo.batch import Item, Settings, answers
from fer_demo.batch import ray as on_ray
from fer_demo.checkpoints import bundled_checkpoints
from tests.fer_demo.test_no_telemetry import STRACE, outside

pytest.importorskip("ray", reason="the ray extra is not installed")
pytest.importorskip("ray.data", reason="the ray extra is not installed")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not bundled_checkpoints(), reason="no trained checkpoint is bundled"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]

ROOT = Path(__file__).parents[3]
WHOLE = Settings(whole_image=True)


@pytest.fixture
def items(tmp_path) -> list[Item]:
    found = []
    for number in range(120):
        path = tmp_path / f"{number:03}.png"
        Image.new("RGB", (64, 48), (2 * number, 90, 90)).save(path)
        found.append(Item.of(path))
    (tmp_path / "bad.jpg").write_text("no picture")
    return [*found, Item.of(tmp_path / "bad.jpg"), Item("x.tar.gz/a.jpg", data=b"x")]


def own_actors() -> list[psutil.Process]:
    """The actors of the cluster that this process started."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if process.cmdline() and "MapWorker" in process.cmdline()[0]]


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing_and_repeats_nothing(items, monkeypatch):
    monkeypatch.setattr(on_ray, "BLOCK", 8)
    seen: dict[str, dict] = {}
    times: Counter[str] = Counter()
    killed: list[psutil.Process] = []
    for answer in on_ray.answers(items, WHOLE, on_ray.LOCAL, 2):
        seen[answer.name] = answer.data
        times[answer.name] += 1
        if len(seen) == 20:
            actors = own_actors()
            assert len(actors) == 2
            killed = [actors[0], *actors[0].children(recursive=True)]
            actors[0].kill()
    assert set(times.values()) == {1} and len(seen) == len(items) and len(killed) == 2
    assert not any(process.is_running() for process in killed)
    assert "packed archive" in seen.pop("x.tar.gz/a.jpg")["error"]
    alone = {answer.name: answer.data for answer in answers(items[:-1], WHOLE, 1)}
    assert seen == alone and [name for name, data in seen.items() if "error" in data] == [items[-2].name]


@pytest.mark.slow
def test_a_model_that_is_not_there_is_one_sentence(items):
    with pytest.raises(ModelError, match="no_such"):
        list(on_ray.answers(items, Settings(model="no_such"), on_ray.LOCAL, 1))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "auto"])
def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path, address):
    """Ray itself would end the process."""
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    code = (
        "import sys\nfrom fer_demo.__main__ import main\n"
        "sys.exit(main(['batch', 'a.png', '--out', 'o.csv', '--ray', sys.argv[1]]))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, address]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and f"There is no Ray cluster at {address}" in done.stderr, done.stderr[-2000:]
    assert sorted(os.listdir(tmp_path)) == ["a.png"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_nobody_is_asked(tmp_path):
    """Neither Ray's collector nor, to find out where it runs, a cloud's metadata service."""
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    trace = tmp_path / "trace"
    command = ["batch", "a.png", "--out", "o.csv", "--whole-image", "--ray", "--processes", "1"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"PYTHONPATH": str(ROOT)}
    strace = [*STRACE, "-o", str(trace), sys.executable, "-m", "fer_demo", *command]
    done = subprocess.run(strace, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = outside(trace.read_text(encoding="utf-8", errors="replace"))
    # Ray connects a datagram socket, which sends nothing, to see by which of its addresses the machine would be left.
    quiet = re.compile(r"::ffff:127\.0\.0\.1|connect\(.*(8\.8\.8\.8|2001:4860:4860::8888)")
    assert [line for line in found if not quiet.search(line)] == []


def test_without_ray_it_says_what_to_install(monkeypatch, items):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModelError, match=r"fer-demo\[ray\]"):
        list(on_ray.answers(items, WHOLE))
