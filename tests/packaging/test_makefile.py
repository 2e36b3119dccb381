"""`make` with a Python that writes down what it is asked to do instead of doing it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

INDEX = "https://download.pytorch.org/whl/cpu"

FAKE = """#!/bin/sh
echo "$@" >> "$LOG"
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m fer_demo.web.browser_page") exit "${OTHER_MODEL:-0}" ;;
    "-c "*"import sys, torch"*) exit "${HAS_CUDA:-0}" ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """Runs make on a copy of what it reads; the result also has `asked`, the arguments of each call of Python."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    for name in ("Makefile", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(FAKE)
    python.chmod(0o755)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
        log.write_text("")
        own = ("TORCH", "HTTPS", "MAKEFLAGS", "MAKELEVEL", "FER_DEMO_MODEL")
        clean = {k: v for k, v in os.environ.items() if k not in own}
        clean |= {"LOG": str(log), **environment}
        command = ["make", f"PYTHON={python}", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
        done.asked = log.read_text().splitlines()
        return done

    return run


def install(asked: list[str]) -> str:
    (line,) = [line for line in asked if line.startswith("-m pip install")]
    return line


def test_plain_make_asks_no_other_index(make):
    done = make(".venv/.installed")
    assert done.returncode == 0, done.stderr
    assert install(done.asked).endswith("-r requirements.txt") and "index-url" not in install(done.asked)
    assert "7 GB" in done.stdout
    assert make(".venv/.installed").asked == []  # the second time it is installed


def test_torch_cpu_reaches_pip(make):
    done = make("TORCH=cpu", ".venv/.installed-cpu")
    assert done.returncode == 0, done.stderr
    assert f"--extra-index-url {INDEX}" in install(done.asked) and "7 GB" not in done.stdout
    assert make("TORCH=cpu", ".venv/.installed-cpu").asked == []


@pytest.mark.parametrize(("torch", "stamp"), [("", ".venv/.installed"), ("cpu", ".venv/.installed-cpu")])
@pytest.mark.parametrize("target", ["app", "test", "slow", "lint"])
def test_every_target_installs_the_build_that_was_asked_for(make, target, torch, stamp):
    planned = make("--dry-run", f"TORCH={torch}", target).stdout
    assert f"touch {stamp}\n" in planned and (INDEX in planned) == (torch == "cpu")


def test_an_install_with_the_other_build_is_looked_at_again(make):
    make(".venv/.installed")
    assert f"--extra-index-url {INDEX}" in install(make("TORCH=cpu", ".venv/.installed-cpu").asked)


def test_cuda_where_the_cpu_build_was_asked_for_is_an_error(make):
    done = make("TORCH=cpu", ".venv/.installed-cpu", HAS_CUDA="1")
    assert done.returncode != 0 and "make clean" in done.stdout
    assert install(make("TORCH=cpu", ".venv/.installed-cpu").asked)  # and it is not taken for installed


def test_other_builds_are_unknown(make):
    done = make("TORCH=cuda", "test")
    assert done.returncode != 0 and "TORCH=cpu" in done.stderr and done.asked == []


def test_dist_builds_the_wheel_from_the_source_archive_and_checks_both(make):
    """`python -m build` without --wheel or --sdist does so."""
    asked = make("dist").asked
    assert "-m build" in asked and "-m twine check --strict dist/*" in asked


def test_the_app_is_served_over_http_to_this_machine_alone_unless_asked_otherwise(make):
    planned = make("--dry-run", "PORT=8600", "app").stdout
    assert planned.rstrip().endswith("streamlit run app.py --server.port 8600") and "certificate" not in planned


def test_https_makes_a_certificate_and_lets_others_in(make):
    *_, first, second = make("--dry-run", "PORT=8600", "HTTPS=1", "app").stdout.splitlines()
    assert first.endswith("deploy/certificate.py build/https 8600")
    assert "--server.port 8600 --server.address 0.0.0.0" in second
    assert "--server.sslCertFile build/https/certificate.pem --server.sslKeyFile build/https/key.pem" in second


def test_the_live_page_is_exported_at_install_where_npm_is(make, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("make", "sh", "touch", "mkdir", "cp", "echo"):
        (programs / name).symlink_to(shutil.which(name))
    without = make(".venv/.live-page", PATH=str(programs))
    assert without.returncode == 0, without.stderr
    assert "-m fer_demo export --web" not in without.asked and "npm is not installed" in without.stdout
    (programs / "npm").symlink_to(shutil.which("touch"))
    assert "-m fer_demo export --web" in make(".venv/.live-page", PATH=str(programs)).asked  # once npm is there
    assert make(".venv/.live-page", PATH=str(programs)).asked == ["-m fer_demo.web.browser_page"]  # of the same model
    other = make(".venv/.live-page", PATH=str(programs), OTHER_MODEL="1", FER_DEMO_MODEL="my models/mine")
    assert "-m fer_demo export my models/mine --web" in other.asked
    assert make(".venv/.live-page", PATH=str(programs)).asked == ["-m fer_demo.web.browser_page"]
    assert "touch .venv/.live-page" in make("--dry-run", "--always-make", "app").stdout


def test_other_values_of_https_are_unknown(make):
    done = make("HTTPS=yes", "app")
    assert done.returncode != 0 and "HTTPS=1" in done.stderr and done.asked == []
