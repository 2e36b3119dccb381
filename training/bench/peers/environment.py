"""Environments of their own for the peers: pinned packages, installed only when they are asked for."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fer_demo.cache import cache_dir
from training.bench.peers.results import PeerError

MINUTES = 30
"""How long an installation may take."""

UNREACHABLE = ("connection broken by", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
"""What pip and npm print when there is no network; the errors that follow say something else."""


def default_cache() -> Path:
    """Where the packages' environments go."""
    return cache_dir() / "peers"


@dataclass(frozen=True)
class Environment:
    """A folder with pinned packages and what runs programs in it.

    Attributes:
        name: The folder's name in the cache.
        size: What it downloads and takes, in words.
    """

    name: str
    size: str

    def ready(self, cache_dir: Path) -> bool:
        """Whether it has been built before, with the same packages."""
        stamp = cache_dir / self.name / "complete.txt"
        return stamp.is_file() and stamp.read_text(encoding="utf-8") == self._stamp

    def build(self, cache_dir: Path) -> Path:
        """Installs the packages, unless that has been done.

        Args:
            cache_dir: Where environments are kept; made if it is missing.

        Returns:
            The folder.

        Raises:
            PeerError: If something needed is missing or the installation fails.
        """
        folder = (cache_dir / self.name).absolute()
        try:
            if not self.ready(cache_dir):
                # What is there is half built or of other versions.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                self._install(folder)
                (folder / "complete.txt").write_text(self._stamp, encoding="utf-8")
        except OSError as error:
            raise PeerError(f"{folder} cannot be written ({error.strerror or error}).") from error
        return folder

    @property
    def _stamp(self) -> str:
        return repr(self)

    def command(self, folder: Path, runner: Path) -> list[str]:
        """The command that runs a program in the environment."""
        raise NotImplementedError

    def _install(self, folder: Path) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class PythonEnvironment(Environment):
    """A virtual environment of the Python that runs this.

    Attributes:
        requirements: What pip installs with all dependencies.
        alone: What pip installs without dependencies, for its files.
    """

    requirements: tuple[str, ...]
    alone: tuple[str, ...] = ()

    @property
    def _stamp(self) -> str:
        return f"{self!r}, Python {sys.version} at {sys.base_prefix}"  # a virtual environment needs the one it is of

    def command(self, folder: Path, runner: Path) -> list[str]:
        """What starts a runner: this environment's Python and the runner's file."""
        return [str(_python(folder)), str(runner)]

    def _install(self, folder: Path) -> None:
        _call([sys.executable, "-m", "venv", str(folder)], "the virtual environment could not be made")
        pip = [str(_python(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        pip += ["--retries", "2"]  # without a network the default waits for minutes
        for options in (list(self.requirements), ["--no-deps", *self.alone] if self.alone else []):
            if options:
                _call([*pip, *options], f"pip could not install {', '.join(self.requirements + self.alone)}")


@dataclass(frozen=True)
class NodeEnvironment(Environment):
    """A folder of npm packages, run by the Node.js that is installed.

    Attributes:
        packages: ``name@version`` each.
    """

    packages: tuple[str, ...]

    def command(self, folder: Path, runner: Path) -> list[str]:
        """What starts a runner: Node.js and the runner's file."""
        return [_find("node"), str(runner)]

    def _install(self, folder: Path) -> None:
        _find("node")
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", "--fetch-retries=1"]
        # No install scripts: one of them would fetch native code that the wasm backend does not need.
        command = [_find("npm"), "install", *quiet, "--ignore-scripts", "--save-exact", "--prefix", str(folder)]
        _call([*command, *self.packages], f"npm could not install {', '.join(self.packages)}", folder)


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _find(program: str) -> str:
    found = shutil.which(program)
    if not found:
        raise PeerError(f"{program} is not installed; it comes with Node.js 18 or newer.")
    return found


def _call(command: list[str], failure: str, folder: Path | None = None) -> None:
    """Runs a program, whose last line of errors explains a failure."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command, cwd=folder, env=clean, capture_output=True, text=True, errors="replace", timeout=60 * MINUTES
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{failure}: it took more than {MINUTES} minutes.") from error
    if done.returncode:
        raise PeerError(f"{failure}: {last_error(done.stderr + done.stdout)}.")


def last_error(text: str) -> str:
    """The line of a program's output that says most about why it failed, without a full stop."""
    if any(sign in text for sign in UNREACHABLE):
        return "the package registry could not be reached"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    chosen = (errors or lines or ["it gave no reason"])[-1]
    return chosen[:300].rstrip(".")
