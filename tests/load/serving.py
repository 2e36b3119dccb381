"""Starts the application as a user starts it, on loopback, and looks at what it takes and leaves."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]

START_SECONDS = 120
"""For a start on a busy machine."""


@dataclass
class Server:
    """A running application.

    Attributes:
        url: Its address.
        process: Its process; others below it decode pictures.
        folder: Its HOME, its TMPDIR and its log.
    """

    url: str
    process: subprocess.Popen
    folder: Path

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text()

    def megabytes(self) -> float:
        """Resident memory of the process and all below it."""
        top = psutil.Process(self.process.pid)
        total = 0
        for process in (top, *top.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:  # it ended meanwhile
                continue
        return total / 2**20

    def files(self) -> list[Path]:
        """Files below its HOME and TMPDIR, but for Matplotlib's list of the machine's fonts."""
        found = (path for name in ("home", "tmp") for path in (self.folder / name).rglob("*") if path.is_file())
        return [path for path in found if not path.name.startswith("fontlist-")]

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5).status == 200
        except OSError:
            return False

    def wait(self) -> None:
        """Waits until it answers.

        Raises:
            RuntimeError: If it ended or takes too long; with its log.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the application did not start:\n{self.log}")
            time.sleep(0.2)

    def stop(self, how: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Ends it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def start(
    folder: Path, port: int | None = None, prefix: Sequence[str] = (), options: Sequence[str] = (), **environment: str
) -> Server:
    """Starts the application; it may not answer yet.

    Args:
        folder: Where its HOME and TMPDIR are made, and its log goes.
        port: Where it listens; None is a free one.
        prefix: What comes before the command, such as ``unshare``.
        options: For Streamlit.
        **environment: Variables that are set for it.
    """
    port = port or free_port()
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    command = [*prefix, sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.headless", "true"]
    command += ["--server.port", str(port), *options]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "FER_DEMO_", "GRADIO_"))}
    surroundings = kept | {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=log, stderr=subprocess.STDOUT)
    return Server(f"http://localhost:{port}", process, folder)


@contextmanager
def serve(folder: Path, **options) -> Iterator[Server]:
    """A running application, which ends with the block; arguments as for `start`."""
    server = start(folder, **options)
    try:
        server.wait()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
