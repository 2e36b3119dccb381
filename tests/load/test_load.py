"""The commands of tests.load on a small scale; their figures are docs/reliability.md's, not a test's."""

import threading

import httpx
import pytest

from tests.load import faults, slow_pictures
from tests.load.clients import run_clients
from tests.load.serving import serve

pytest.importorskip("streamlit", reason="the app extra is not installed")

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("app")) as running:
        yield running


def test_everybody_gets_their_own_answer_and_nothing_is_left(server):
    outcome, _, _ = run_clients(server, 8, 48)
    assert (outcome.errors, outcome.crossed, len(outcome.seconds)) == ([], 0, 48)
    assert server.files() == []


def test_ordinary_visitors_are_answered_while_somebody_sends_slow_pictures(server):
    stop = threading.Event()
    thread, slow = slow_pictures.attack(server, 10, stop)
    beside = slow_pictures.ordinary(server, 16, 4, "192.0.2.")
    thread.join()
    assert beside.errors == [] and len(beside.seconds) == 16
    assert set(slow.statuses) <= {200, 400, 503} and len(slow.seconds) == 10
    assert server.files() == []


def test_a_picture_that_would_take_for_ever_is_refused(server):
    answer = httpx.post(f"{server.url}/api/predict", files={"file": slow_pictures.many_scans(1500, 3000)}, timeout=60)
    assert answer.status_code == 400 and "scan" in answer.json()["error"]


@pytest.mark.parametrize(
    "name",
    [
        "kill -9 while it works",
        "read-only file system",
        *(pytest.param(name, marks=pytest.mark.slow) for name in list(faults.SCENES)[1:] if "read-only" not in name),
    ],
)
def test_faults(name, tmp_path):
    try:
        said = faults.SCENES[name](tmp_path)
    except faults.NotHereError as error:
        pytest.skip(str(error))
    assert "photos answered" in said or "again" in said or "goes on" in said


def test_thumbnails_through_a_batch(tmp_path, capsys):
    from tests.load.__main__ import main

    command = ["batch", "--pictures", "40", "--processes", "1", "--folder", str(tmp_path / "thumbnails")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "| `batch --processes 1` |" in printed and "largest growth of memory" in printed
