"""The source archive: all that the repository tracks but settings of tools, since the wheel and the tests need it."""

import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_it_holds_what_the_repository_holds(sdist):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    tracked -= {name for name in tracked if name.startswith(".") and "/" not in name}
    with tarfile.open(sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert tracked - held == set()
    assert not [name for name in held if "__pycache__" in name or name.endswith(".pyc")]
