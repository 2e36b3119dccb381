"""The README is short, its Python runs, and its figures and its drawing are right."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo import Predictor
from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics, resolve
from fer_demo.vision.samples import SAMPLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SERVER = "localhost:8501"

NOT_DRAWN = {"build", "dist", "runs", "data"}
"""What .gitignore keeps out of the repository."""


def tables(text: str) -> Iterator[list[dict[str, str]]]:
    """The tables of a Markdown text, each row as title to cell."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        titles, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
        yield [dict(zip(titles, row, strict=True)) for row in rows]


@pytest.fixture
def photo(tmp_path, monkeypatch) -> Path:
    """The photo that the examples name, in the folder that they are started in."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(SAMPLES[0].load()).save("photo.jpg")
    return tmp_path / "photo.jpg"


@pytest.fixture
def server(tmp_path_factory, serve) -> Iterator[str]:
    """Host and port of a server that has the upload widget and the API where the app has them."""
    pytest.importorskip("gradio", reason="the app extra is not installed")
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from fer_demo.web.api import build_api
    from fer_demo.web.upload import build_widget

    widget = build_widget()
    routes = [Mount("/upload", app=widget.app), Mount("/api", app=build_api())]
    with serve(Starlette(routes=routes, lifespan=lambda _: widget.lifespan(widget.gradio))) as url:
        yield url.removeprefix("http://").rstrip("/")


def test_it_is_short_and_begins_with_what_the_answer_is():
    lines = README.splitlines()
    assert len(lines) <= 120
    assert "a guess about an *expression*, not about a feeling" in " ".join(lines[:6])


def example(part: str) -> str:
    """The one example that holds some text."""
    (code,) = [code for code in PYTHON if part in code]
    return code


def test_no_example_is_left_out():
    assert {example("Predictor()\nfaces"), example("import timm")} == set(PYTHON)


def test_its_python_runs(photo, capsys):
    names = {}
    exec(example("Predictor()\nfaces"), names)
    face, stream = capsys.readouterr().out.splitlines()
    assert "looks happy" in face and "'happy'" in stream
    assert len(names["table"]) == 1 and names["picture"].shape == (512, 512, 3)


def test_its_timm_example_gives_the_predictors_answer(photo):
    names = {}
    exec(example("import timm"), names)
    expected = Predictor("fer_sedense").classify([names["crop"]])
    np.testing.assert_allclose(names["probabilities"].detach().numpy(), expected, atol=1e-4)


def labels(answer: dict) -> list[str]:
    return [face["label"] for face in answer["faces"]]


def test_its_request_to_the_app_is_answered(photo, server):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (command,) = re.findall(r"^(curl .*?)\s+#", README, re.MULTILINE)
    words = shlex.split(command.replace(SERVER, server))
    answer = json.loads(subprocess.run([*words, "--silent"], capture_output=True, check=True).stdout)
    assert labels(answer) == labels(Predictor().predict(photo).to_dict())


def test_gradios_client_is_answered_as_the_docs_say(photo, server):
    (code,) = [code for code in re.findall(r"^```python\n(.*?)^```", API, re.MULTILINE | re.DOTALL) if SERVER in code]
    *imports, call = code.strip().splitlines()
    names = {}
    exec("\n".join([*imports, f"answer = {call}"]).replace(SERVER, server), names)
    assert labels(names["answer"]) == labels(Predictor().predict(photo).to_dict())


def shorter(part: dict) -> str:
    low, high = part["interval"]
    return f"{part['accuracy']:.1%} ({low:.1%}–{high:.1%})"


def test_the_models_figures():
    from training.eval.reproduce import percent

    engines = {row["checkpoint"]: row for rows in tables(BENCHMARKS) for row in rows if row.get("engine") == "onnx"}
    (models,) = [rows for rows in tables(README) if "model" in rows[0]]
    shown = {resolve(row["model"].split("`")[1]).name: row for row in models}
    assert sorted(shown) == sorted(bundled_checkpoints())
    for name, row in shown.items():
        metrics = checkpoint_metrics(name)
        assert row["parameters"] == f"{metrics['parameters']:,}"
        assert row["PrivateTest (95 %)"] == percent(metrics["PrivateTest"])
        assert row["862 photographs (95 %)"] == (shorter(metrics["photos"]) if "photos" in metrics else "–")
        assert row["one face, ONNX Runtime on one core"] == engines[f"`{name}`"]["one face"]


def test_the_comparison_has_rows_of_the_docs_and_the_papers_network():
    (everything,) = [rows for rows in tables(BENCHMARKS) if {"system", "licence"} <= set(rows[0])]
    (shown,) = [rows for rows in tables(README) if "system" in rows[0]]
    assert any(resolve("fer_sedense").name in row["system"] for row in shown)  # by the labels that all were made for
    assert {row["system"] for row in everything if "this project" not in row["system"]} <= {r["system"] for r in shown}
    for row in shown:
        assert any(row.items() <= full.items() for full in everything), row


def folders(path: Path) -> set[str]:
    found = {p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))}
    return {name for name in found if not name.endswith(".egg-info")}


def test_the_drawing_shows_the_folders_that_there_are():
    drawing = re.search(r"^## Layout\n+((?: {4}.*\n)+)", README, re.MULTILINE)[1]
    drawn: dict[str, set[str]] = {}
    for indent, names in re.findall(r"^ {4}( *)((?:\w+/ ?)+)", drawing, re.MULTILINE):
        if not indent:
            (top,) = names.replace("/", "").split()
            drawn[top] = set()
        else:
            drawn[top] |= set(names.replace("/", "").split())
    assert set(drawn) == folders(ROOT) - NOT_DRAWN
    for top in ("fer_demo", "training", "tests"):
        assert drawn[top] == folders(ROOT / top)
    for package in ("fer_demo", "training"):
        assert folders(ROOT / "tests" / package) <= drawn[package]  # they mirror them
