"""timm's own tests over the networks registered here: ``python -m tests.timm_contract [pytest options]``.

The source archive of the installed release is fetched by pip; its ``tests/test_models.py`` is run as it is, with the
names of this package added to those that timm registers, and with nothing but them.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
import timm

import fer_demo  # noqa: F401  (registers the networks)

PATTERN = "fer_ or densenet121"
"""What is run: the networks here, and one of timm's own to compare with."""


def fetch(folder: Path) -> Path:
    """timm's tests of models.

    Args:
        folder: Where to put the archive and what is in it.

    Raises:
        RuntimeError: If pip cannot get it; the message is one sentence.
    """
    wanted = f"timm=={timm.__version__}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", wanted]
    done = subprocess.run([*command, "--dest", str(folder)], capture_output=True, text=True, check=False)
    archive = next(folder.glob("timm-*.tar.gz"), None)
    if archive is None:
        reason = " ".join(done.stderr.split())[-200:]
        raise RuntimeError(f"pip could not fetch the source archive of {wanted} ({reason}); connect to an index.")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz") / "tests" / "test_models.py"


def main(options: list[str]) -> int:
    """Runs them; pytest's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = fetch(Path(folder))
        except RuntimeError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        # An own root: the rules of this repository's tests are not timm's.
        own = [f"--rootdir={file.parents[1]}", "--config-file=/dev/null", "-p", "no:cacheprovider"]
        return pytest.main([str(file), "-q", "-W", "ignore", "-k", PATTERN, "--import-mode=importlib", *own, *options])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
