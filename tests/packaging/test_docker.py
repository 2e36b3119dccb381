"""What deploy/Dockerfile asks for is there and reaches the builder."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
TEXT = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", "")
STAGES = TEXT.split("\nFROM ")[1:]


def test_the_builder_gets_all_that_the_image_is_made_of_and_nothing_else():
    lines = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    (copied,) = re.findall(r"cp -r (.+) /app$", STAGES[0], re.MULTILINE)
    assert {name for name in copied.split() if name not in {n.split("/")[0] for n in allowed}} == set()
    # What `pip install .` reads.
    assert {"pyproject.toml", "README.md", "LICENSE", "fer_demo", "checkpoints"} <= allowed


def test_the_image_runs_the_app_as_nobody():
    final = STAGES[-1]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert "STOPSIGNAL SIGINT" in final
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", final, re.MULTILINE)
    assert json.loads(entry)[:3] == ["streamlit", "run", "app.py"]
    (check,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", final, re.MULTILINE)
    compile(json.loads(check)[2], "health check", "exec")
    (environment,) = re.findall(r"^ENV (.*)$", final, re.MULTILINE)
    written = dict(word.partition("=")[::2] for word in shlex.split(environment))
    assert all(written[name].startswith("/tmp") for name in ("HOME", "FER_DEMO_CACHE", "MPLCONFIGDIR"))


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed")
def test_the_linter_has_nothing_to_say():
    done = subprocess.run(["hadolint", DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
