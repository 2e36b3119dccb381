"""timm's own tests over the networks registered here: ``python -m tests.timm_contract [NAME ...] [pytest options]``.

The source archive of the installed release is fetched by pip, or read from the folder ``--source``; its
``tests/test_models.py`` is run as it is. Names are patterns such as ``"fer_sedense*"``, so that the whole can be run in
parts; without any, all networks of this package are tested, and one of timm's own to compare with. Each test is a line
with its share of the whole.
"""

import argparse
import fnmatch
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
import timm

import fer_demo  # noqa: F401  (registers the networks)

NAMES = ("fer_*", "densenet121")
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


def only(names: list[str]) -> None:
    """Lets timm list the networks of these patterns alone: collecting tests of all others would take minutes."""

    def narrowed(listing):
        def listed(*args, **kwargs):
            found = listing(*args, **kwargs)
            return [n for n in found if any(fnmatch.fnmatchcase(n.split(".")[0], name) for name in names)]

        return listed

    timm.list_models, timm.list_pretrained = narrowed(timm.list_models), narrowed(timm.list_pretrained)


def run(file: Path, names: list[str], options: list[str]) -> int:
    """Runs timm's tests; pytest's exit code."""
    only(names)
    # Those that name a network themselves are timm's own affair, and its weights would have to be fetched.
    shown = " or ".join(sorted({n for pattern in names for n in timm.list_models(pattern)}))
    if not shown:
        print(f"error: no network is called {', '.join(names)}; timm.list_models('fer_*') has them.", file=sys.stderr)
        return 2
    chosen = f"({shown}) and not (densenet121 and pretrained)"
    # An own root: the rules of this repository's tests are not timm's.
    own = [f"--rootdir={file.parents[1]}", "--config-file=/dev/null", "-p", "no:cacheprovider"]
    how = ["-v", "--tb=short", "--durations=5", "-W", "ignore", "--import-mode=importlib"]
    return pytest.main([str(file), *how, "-k", chosen, *own, *options])


def main(arguments: list[str]) -> int:
    """Runs them; pytest's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.timm_contract", description="timm's own tests of models")
    parser.add_argument("names", nargs="*", metavar="NAME", help="patterns of networks (default: all here)")
    parser.add_argument("--source", type=Path, help="an unpacked source archive of timm's installed release")
    args, options = parser.parse_known_args(arguments)
    names = args.names or list(NAMES)
    if args.source:
        return run(args.source / "tests" / "test_models.py", names, options)
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = fetch(Path(folder))
        except RuntimeError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        return run(file, names, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
