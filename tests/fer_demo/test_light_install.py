"""`pip install .` without extras: no PyTorch, the same answers."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo import Predictor
from fer_demo.vision.samples import SAMPLES

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]

HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "safetensors",
    "captum",
    "plotly",
    "skimage",
    "matplotlib",
    "onnxscript",
    "scipy",
    "pandas",
    "streamlit",
    "gradio",
    "torchmetrics",
    "yaml",
    "tensorboard",
    "pyarrow",
    "ray",
    "training",
)
"""Packages that only the extras bring, and the trainer, which is not in the wheel."""

BLOCK = f"""
import importlib.abc, runpy, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for sample in SAMPLES:
        Image.fromarray(sample.load()).save(folder / f"{Path(sample.name).stem}.png")
    return folder


def light(code: str, *arguments, ok: bool = True) -> subprocess.CompletedProcess:
    """Runs Python code as if only the base dependencies were installed."""
    command = [sys.executable, "-c", BLOCK + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert not ok or done.returncode == 0, done.stderr
    return done


COMMAND = "runpy.run_module('fer_demo', run_name='__main__', alter_sys=True)"


def answers(text: str) -> list[dict]:
    return [face for photo in json.loads(text) for face in photo["faces"]]


def check_same_answers(found: list[dict], photos: Path) -> None:
    expected = [f.to_dict() for faces in Predictor(engine="torch").predict(sorted(photos.glob("*"))) for f in faces]
    assert len(found) == len(expected) >= 2
    for one, other in zip(found, expected, strict=True):
        assert {k: one[k] for k in ("box", "landmarks", "label")} == {
            k: other[k] for k in ("box", "landmarks", "label")
        }
        for label, probability in other["probabilities"].items():  # printed with four digits
            assert one["probabilities"][label] == pytest.approx(probability, abs=1.01e-4)


def test_the_command_line_gives_the_same_answers(photos):
    check_same_answers(answers(light(COMMAND, "predict", photos, "--json").stdout), photos)


def test_very_many_photos_need_nothing_heavy_but_for_parquet(photos, tmp_path):
    light(COMMAND, "batch", photos, "--out", tmp_path / "out.csv", "--processes", "1")
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) > len(list(photos.glob("*")))
    done = light(COMMAND, "batch", photos, "--out", tmp_path / "out.parquet", ok=False)
    assert done.returncode == 2 and "pip install 'fer-demo[batch]'" in done.stderr
    done = light(COMMAND, "batch", photos, "--out", tmp_path / "out.csv", "--ray", ok=False)
    assert done.returncode == 2 and "pip install 'fer-demo[ray]'" in done.stderr


DRAW = (
    "import sys, numpy as np\n"
    "from fer_demo import *\n"
    "from fer_demo.annotate import draw_faces\n"
    "image = open_image(sys.argv[1])\n"
    "faces = Predictor().predict(image)\n"
    "print(len(faces), int((draw_faces(image, faces) != image).sum()))\n"
)
"""Prints how many faces a photo has, and how many of its values change when they are drawn onto it."""


def check_drawn(printed: str) -> None:
    faces, changed = map(int, printed.split())
    assert faces == 1 and changed > 1000


def test_the_predictor_needs_nothing_heavy():
    code = (
        "import numpy as np, fer_demo\n"
        "predictor = fer_demo.Predictor()\n"
        "print(predictor.engine, predictor.name, predictor.classify(np.zeros((2, 30, 40), np.uint8)).shape)\n"
        "try: predictor.model\n"
        "except fer_demo.ModelError as error: print(error)\n"
        "try: fer_demo.Predictor(engine='torch')\n"
        "except fer_demo.ModelError as error: print(error)\n"
    )
    first, *errors = light(code).stdout.splitlines()
    assert first.startswith("onnx ") and first.endswith("(2, 7)")
    assert len(errors) == 2 and all("pip install 'fer-demo[torch]'" in error for error in errors)


def test_a_star_import_brings_what_works():
    code = (
        "from fer_demo import *\n"
        "import fer_demo, numpy as np\n"
        "assert all(name in globals() for name in fer_demo.__all__)\n"
        "faces = Predictor().predict(np.zeros((60, 40, 3), np.uint8), whole_image=True)\n"
        "print(draw_faces(np.zeros((60, 40, 3), np.uint8), faces).shape, faces.draw(np.zeros((60, 40))).max())\n"
        "print(len(faces.to_csv().splitlines()), FaceResults.from_dict(faces.to_dict())[0].label == faces[0].label)\n"
        "for needs_more in (lambda: Predictor().explain(faces[0]), faces.to_dataframe):\n"
        "    try: needs_more()\n"
        "    except (ModelError, ImportError) as error: print(error)\n"
    )
    drawn, same, *errors = light(code).stdout.splitlines()
    assert drawn.startswith("(60, 40, 3) ") and same == "2 True"
    assert errors == [
        "Explanations need PyTorch and Captum; run `pip install 'fer-demo[torch]'`.",
        "A data frame needs pandas; run `pip install pandas`.",
    ]


def test_photos_with_boxes(photos, tmp_path):
    light(COMMAND, "predict", photos, "--draw", tmp_path / "drawn")
    changed = 0
    for photo in photos.glob("*"):
        image, drawn = (np.asarray(Image.open(file)) for file in (photo, tmp_path / "drawn" / photo.name))
        assert image.shape == drawn.shape
        changed += bool((image != drawn).any())
    assert changed >= sum(bool(sample.shows) for sample in SAMPLES)  # the others have no face


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "photo.jpg", "--out", "x"),
        ("export", "--out", "x.onnx"),
        ("predict", "--device", "cuda", "photo.jpg"),
    ],
)
def test_what_needs_pytorch_says_so(arguments, tmp_path):
    Image.new("RGB", (60, 60)).save(tmp_path / "photo.jpg")
    arguments = [str(tmp_path / a) if a.startswith(("photo", "x")) else a for a in arguments]
    done = light(COMMAND, *arguments, ok=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "PyTorch" in done.stderr and "pip install 'fer-demo[torch]'" in done.stderr


@pytest.mark.slow
def test_a_real_environment(photos, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    source = tmp_path / "source"
    source.mkdir()
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "fer_demo",
        "checkpoints",
    ):  # no build folders in the checkout
        (source / name).symlink_to(ROOT / name)
    install = [python, "-m", "pip", "install", "--quiet", "--retries", "1", f"{source}[runtime]"]
    done = subprocess.run(list(map(str, install)), capture_output=True, text=True, cwd=tmp_path)
    if done.returncode != 0 and any(word in done.stderr for word in ("NewConnectionError", "No matching distribution")):
        pytest.skip("the packages cannot be fetched: no network")
    assert done.returncode == 0, done.stderr
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def printed(*command) -> str:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    check_same_answers(answers(printed(python.with_name("fer-demo"), "predict", photos, "--json")), photos)
    check_drawn(printed(python, "-c", DRAW, photos / "astronaut.png"))
    files = [p for p in (tmp_path / "venv").rglob("*") if p.is_file() and not p.is_symlink()]
    assert not any(p.parts[-2] == "torch" for p in files)
    megabytes = sum(p.stat().st_size for p in files) / 1e6
    print(f"the environment takes {megabytes:.0f} MB")
    assert megabytes < 500
