"""No door into the package reports anything to anybody, or leaves files in the user's folders.

Looked at are the system calls of whole processes, and folders that are empty before.
"""

import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from fer_demo._no_telemetry import SWITCHES
from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.vision.samples import SAMPLES

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
    pytest.mark.skipif(not bundled_checkpoints(), reason="no trained checkpoint is bundled"),
]

ROOT = Path(__file__).parents[2]
FOLDERS = {"HOME": "home", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config", "TMPDIR": "tmp"}
STRACE = ["strace", "-f", "-qq", "-s", "200", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
NOWHERE = "/proc/nowhere"
"""A folder that not even root can make or write to."""

ADDRESS = re.compile(
    r'sin6?_port=htons\((?P<port>\d+)\).*?(?:inet_addr\("(?P<v4>[^"]+)"|inet_pton\(AF_INET6, "(?P<v6>[^"]+)")'
)
RESOLVER = "systemd/resolve"
"""In the path of the socket by which some machines look names up."""
DNS = 53


def outside(trace: str) -> list[str]:
    """The calls in a trace that look a name up, or talk to another machine."""
    found = []
    for line in trace.splitlines():
        if address := ADDRESS.search(line):
            if int(address["port"]) == DNS or not ipaddress.ip_address(address["v4"] or address["v6"]).is_loopback:
                found.append(line)
        elif RESOLVER in line:
            found.append(line)
    return found


class Watched:
    """Folders of a user who has nothing yet, and what a process does in them and on the network.

    Args:
        root: Where the folders are made.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.trace = root, root / "trace"
        for name in FOLDERS.values():
            (root / name).mkdir()
        inherited = {k: v for k, v in os.environ.items() if k not in SWITCHES and not k.startswith(("XDG_", "MPL"))}
        # What a developer's or a build machine's environment switches off must not be what keeps it quiet here.
        self.environment = {k: v for k, v in inherited.items() if k not in ("DO_NOT_TRACK", "CI", "HF_HUB_OFFLINE")}
        self.environment |= {k: str(root / name) for k, name in FOLDERS.items()}
        self.environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, *arguments: str) -> list[str]:
        return [*STRACE, "-o", str(self.trace), sys.executable, *arguments]

    def run(self, *arguments: str) -> str:
        """Runs Python until it ends; what it printed."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment, cwd=self.root, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def outside(self) -> list[str]:
        return outside(self.trace.read_text(encoding="utf-8", errors="replace"))

    def files(self) -> list[str]:
        """What was left in the folders; an empty folder tells nothing about anybody."""
        paths = (path for name in FOLDERS.values() for path in (self.root / name).rglob("*"))
        return [str(path.relative_to(self.root)) for path in paths if not path.is_dir()]


@pytest.fixture
def watched(tmp_path) -> Watched:
    (tmp_path / "watched").mkdir()
    return Watched(tmp_path / "watched")


@pytest.fixture
def photo(tmp_path) -> str:
    Image.fromarray(SAMPLES[0].load()).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


NO_TEMPORARY_FOLDER = "import tempfile\ntempfile._candidate_tempdir_list = list\n"
# The look-ups of ONNX Runtime come from a thread of its own, a moment after the answer.
WAIT = "import time; time.sleep(3)\n"
ONNX = "import sys, fer_demo\nprint(fer_demo.Predictor(engine='onnx').predict(sys.argv[1])[0].label)\n" + WAIT
TORCH = (
    "import sys, fer_demo, timm\n"
    "timm.create_model('fer_sedense', pretrained=True)\n"
    "print(fer_demo.Predictor(engine='torch').predict(sys.argv[1])[0].label)\n"
) + WAIT

DOORS = {
    "import": ["-c", ONNX],
    "torch": ["-c", TORCH],
    "command line": ["-m", "fer_demo", "predict"],
}

every_door = pytest.mark.parametrize("arguments", DOORS.values(), ids=DOORS.keys())


@every_door
def test_a_prediction_leaves_no_file_and_asks_nobody(watched, photo, arguments):
    assert "happy" in watched.run(*arguments, photo)
    assert watched.files() == []
    assert watched.outside() == []


@every_door
def test_folders_that_cannot_be_written_to_are_gone_without(watched, photo, arguments):
    watched.environment |= dict.fromkeys(FOLDERS, NOWHERE)
    assert "happy" in watched.run(*arguments, photo)
    assert watched.outside() == []


def test_the_base_install_needs_no_folder_at_all(watched, photo):
    """PyTorch, Matplotlib and Gradio ask for one for temporary files when they are imported."""
    watched.environment |= dict.fromkeys(FOLDERS, NOWHERE)
    assert "happy" in watched.run("-c", NO_TEMPORARY_FOLDER + ONNX, photo)


def test_what_is_watched_for_is_noticed(watched):
    code = (
        "import os, pathlib, socket\n"
        "(pathlib.Path(os.environ['XDG_CACHE_HOME']) / 'deviceid').write_text('x')\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.53', 53))\n"
    )
    watched.run("-c", code)
    assert watched.files() == ["cache/deviceid"]
    remote, resolver = watched.outside()
    assert "192.0.2.1" in remote and "127.0.0.53" in resolver


def test_this_process_and_those_that_it_starts_are_quiet():
    """Some tests import ONNX Runtime before the package; tests/conftest.py comes before them."""
    now = {name: os.environ.get(name, "") for name in SWITCHES}
    assert now | {"HF_HUB_DISABLE_TELEMETRY": "1"} == SWITCHES
    assert now["HF_HUB_DISABLE_TELEMETRY"] in ("1", "True")  # Gradio sets it too, in its own words


@contextmanager
def serving(watched: Watched, log: Path) -> Iterator[str]:
    """The app, started from a folder that is not the checkout; its address."""
    pytest.importorskip("streamlit", reason="the app extra is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = watched.command("-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port))
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--server.headless", "true"],
            env=watched.environment,
            cwd=watched.root,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/_stcore/health"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status == 200
    except OSError:
        return False


def test_the_app_talks_to_its_visitors_alone(watched, photo, tmp_path):
    client = pytest.importorskip("gradio_client", reason="the app extra is not installed")
    with serving(watched, tmp_path / "log") as address:
        assert answers(f"http://{address}/")
        api = client.Client(f"http://{address}/upload/", verbose=False, download_files=str(tmp_path))
        found = api.predict(client.handle_file(photo), api_name="/predict")
        assert [face["label"] for face in found["faces"]] == ["happy"]
        time.sleep(3)
        assert watched.files() == []
    assert watched.outside() == []
    assert watched.files() == []


def test_the_app_does_without_a_folder_of_the_user(watched, tmp_path):
    watched.environment |= dict.fromkeys(FOLDERS, NOWHERE)
    with serving(watched, tmp_path / "log") as address:
        assert answers(f"http://{address}/") and answers(f"http://{address}/upload/")
    assert watched.outside() == []


def test_a_page_of_another_site_does_not_make_the_app_ask_for_its_own_address(watched, tmp_path):
    """Streamlit would compare an unknown `Origin` with the server's outer address, for which it asks a web service."""
    client = pytest.importorskip("websockets.sync.client", reason="the app extra is not installed")
    with serving(watched, tmp_path / "log") as address, pytest.raises(Exception, match="403"):
        client.connect(f"ws://{address}/_stcore/stream", origin="http://elsewhere.example", subprotocols=["streamlit"])
    assert watched.outside() == []
