"""The archives that are built from this checkout, once for all tests: without isolation, so that nothing is fetched."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NOT_SOURCE = {".git", ".venv", "build", "dist", "runs", "data", ".data"}
"""What the checkout's top folder may hold without belonging to the project."""


def build(kind: str, source: Path, out: Path) -> Path:
    """Builds an archive as `python -m build --no-isolation` does.

    Args:
        kind: ``"sdist"`` or ``"wheel"``.
        source: Folder with pyproject.toml; build folders are left in it.
        out: Where the archive goes.

    Returns:
        Its path.
    """
    code = f"import sys, setuptools.build_meta as backend; print(backend.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, out], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def sdist(tmp_path_factory) -> Path:
    """The source archive, built from links to the checkout, which so stays free of build folders."""
    pytest.importorskip("setuptools", reason="setuptools is needed to build an archive")
    source = tmp_path_factory.mktemp("source")
    for path in ROOT.iterdir():
        if path.name not in NOT_SOURCE and not path.name.endswith(".egg-info"):
            (source / path.name).symlink_to(path)
    return build("sdist", source, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(sdist, tmp_path_factory) -> Path:
    """The wheel, built from nothing but what is in the source archive."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))
