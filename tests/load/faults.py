"""The server is killed, stopped, cut off and given no room: it says so, leaves no photo, and starts again."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.load.clients import Outcome, ask, photo
from tests.load.serving import Server, free_port, serve, start


class NotHereError(Exception):
    """This machine cannot show it; the message says why."""


def answers(server: Server) -> bool:
    """Whether a photo gets its answer."""
    outcome = Outcome()
    with httpx.Client() as client:
        ask(client, server.url, 512, "check.jpg", outcome, photo())
    return not outcome.errors and not outcome.crossed


@contextmanager
def busy(server: Server) -> Iterator[None]:
    """Uploads are on their way, one of which never ends, and answers are being made."""
    stop = threading.Event()

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="half.jpg"\r\n\r\n' + photo()
        stop.wait(60)

    def half() -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        with suppress(httpx.HTTPError):
            httpx.post(f"{server.url}/upload/gradio_api/upload", content=endless(), headers=headers, timeout=60)

    def whole() -> None:
        with httpx.Client() as client:
            while not stop.is_set():
                ask(client, server.url, 512, "a.jpg", Outcome(), photo())

    def unasked() -> None:
        with suppress(httpx.HTTPError):
            httpx.post(f"{server.url}/upload/gradio_api/upload", files={"files": ("forgotten.jpg", photo())})

    threads = [threading.Thread(target=work, daemon=True) for work in (half, whole, whole, unasked)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(70)


def ended(how: int) -> Callable[[Path], str]:
    """A scene in which the server gets a signal while it works, and is started again."""

    def scene(folder: Path) -> str:
        port = free_port()
        with serve(folder / "one", port=port) as server:
            assert answers(server)
            with busy(server):
                began = time.monotonic()
                server.stop(how)
                took = time.monotonic() - began
            assert not server.files(), f"left behind: {server.files()}"
            assert "Traceback" not in server.log, server.log
        with serve(folder / "one", port=port) as server:
            assert answers(server)
        return f"ended after {took:.1f} s, no file left, answers again on the same port"

    return scene


def no_room(folder: Path) -> str:
    """HOME and TMPDIR lie on a file system of one megabyte that is full."""
    _need_root("unshare")
    (folder / "full").mkdir()
    full = folder / "full"
    script = f'mount -t tmpfs -o size=1m tmpfs {full} && dd if=/dev/zero of={full}/x bs=1k 2>/dev/null; exec "$@"'
    places = {name: str(folder / "full") for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    with serve(folder, prefix=["unshare", "-m", "sh", "-c", script, "sh"], **places) as server:
        assert all(answers(server) for _ in range(3))
        _page_is_whole(server)
        assert "Traceback" not in server.log, server.log
    return "starts, three of three photos answered, the page opens"


def read_only(folder: Path) -> str:
    """Nothing at all can be written, the whole file system is read-only."""
    _need_root("unshare")
    script = 'mount -o remount,bind,ro / && mount -t tmpfs -o ro,size=1m tmpfs /tmp; exec "$@"'
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), "/nowhere")
    outside = Path(tempfile.mkdtemp(dir=Path.home()))
    try:
        with serve(outside, prefix=["unshare", "-m", "sh", "-c", script, "sh"], **places) as server:
            assert all(answers(server) for _ in range(3))
            _page_is_whole(server)
            assert "Traceback" not in server.log, server.log
    finally:
        shutil.rmtree(outside)
    return "starts, three of three photos answered, the page opens"


def second_server(folder: Path) -> str:
    """A second server is started on the same port."""
    port = free_port()
    with serve(folder / "one", port=port) as server:
        second = start(folder / "two", port=port)
        code = second.process.wait(60)
        said = " ".join(second.log.split())
        assert code != 0 and "Traceback" not in said and str(port) in said, said
        assert answers(server)
    return f"exit code {code}: “{said[:90]}”; the first one goes on"


def no_network(folder: Path) -> str:
    """There is no network but loopback."""
    _need_root("unshare")
    script = f"ip link set lo up && {sys.executable} -m tests.load clients --clients 2 --requests 10"
    found = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, text=True, timeout=180)
    assert found.returncode == 0, found.stdout + found.stderr
    return "starts, 10 of 10 photos answered"


def _page_is_whole(server: Server) -> None:
    page = httpx.get(f"{server.url}/upload/")
    assert page.status_code == 200 and "gradio_config" in page.text and httpx.get(server.url).status_code == 200


def _need_root(program: str) -> None:
    if os.geteuid() != 0 or shutil.which(program) is None:
        raise NotHereError(f"needs root and {program}")
    if subprocess.run([program, "-m", "true"], capture_output=True).returncode:
        raise NotHereError("this machine allows no namespaces")


SCENES: dict[str, Callable[[Path], str]] = {
    "kill -9 while it works": ended(signal.SIGKILL),
    "SIGTERM while it works": ended(signal.SIGTERM),
    "full disk": no_room,
    "read-only file system": read_only,
    "second server on the port": second_server,
    "network gone": no_network,
}


def run(args: argparse.Namespace) -> int:
    """Prints a row of a Markdown table for each scene; 1 if one failed."""
    failed = 0
    for name, scene in SCENES.items():
        if args.only and args.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                said = scene(Path(folder))
            except NotHereError as error:
                said = f"not tried: {error}"
            except (AssertionError, RuntimeError, subprocess.TimeoutExpired) as error:
                failed, said = 1, f"FAILED: {error}"
        print(f"| {name} | {said} |", flush=True)
    return failed


def add_parser(subparsers) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("faults", help="the server is killed, stopped, cut off and given no room")
    parser.add_argument("--only", help="scenes whose name holds this")
    parser.set_defaults(run=run)
