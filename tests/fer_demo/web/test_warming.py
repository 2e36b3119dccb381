"""What explanations need is loaded in the background, and what goes wrong there stays there."""

import logging
import subprocess
import sys
from itertools import accumulate

import pytest

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.web import shared, warming


@pytest.mark.processes
@pytest.mark.skipif(not bundled_checkpoints(), reason="no trained checkpoint is bundled")
def test_everything_is_loaded_and_the_caller_does_not_wait():
    code = (
        "import sys, time\n"
        "from fer_demo.web import warming\n"
        "start = time.perf_counter()\n"
        "thread = warming.warm_up()\n"
        "assert time.perf_counter() - start < 1 and 'torch' not in sys.modules\n"
        "thread.join(120)\n"
        "from fer_demo.web.shared import shared_predictor\n"
        "assert shared_predictor()._explainable is not None\n"
        "assert {'captum', 'fer_demo.explain.regions'} <= set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_errors_are_only_logged(monkeypatch, caplog):
    def fail(*_):
        raise OSError("no such file")

    monkeypatch.setattr(shared, "shared_predictor", fail)
    monkeypatch.setattr(warming, "_wait_until_quiet", lambda: None)
    with caplog.at_level(logging.INFO, "fer_demo.warming"):
        warming.warm_up().join(10)
    assert "could not be loaded ahead" in caplog.text and "ready" not in caplog.text


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(warming.VARIABLE, "0")
    assert warming.warm_up() is None


def test_it_waits_until_the_process_is_quiet(monkeypatch):
    now, used = [0.0], accumulate([0, 0.9, 0, 0.8, 0, 0.1])  # read in pairs: busy, busy, quiet
    monkeypatch.setattr(warming.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(warming.time, "process_time", lambda: next(used))
    monkeypatch.setattr(warming.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    warming._wait_until_quiet()
    assert now[0] == 3
    busy = iter(range(1000))
    monkeypatch.setattr(warming.time, "process_time", lambda: next(busy))
    warming._wait_until_quiet()
    assert now[0] == pytest.approx(3 + warming.PATIENCE_SECONDS, abs=2)
