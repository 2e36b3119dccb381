"""A static page that finds faces and reads their expressions in the visitor's own browser."""

import importlib.resources
import json
import math
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import onnx
from PIL import Image

from fer_demo.annotate import UNTOLD_COLOR
from fer_demo.checkpoints import DEFAULT, bundled_checkpoints, own_name, resolve, weights_digest
from fer_demo.classes import class_set
from fer_demo.emotions import DISCLAIMER, text_color
from fer_demo.export import export_model
from fer_demo.export.cam import add_maps
from fer_demo.figures import MOST_BARS
from fer_demo.files import read_json
from fer_demo.runtime.engines import OnnxEngine
from fer_demo.runtime.model_info import ModelError, ModelInfo
from fer_demo.runtime.torch_engine import load_model
from fer_demo.vision import align, copies, detector, found, quality
from fer_demo.vision.limits import MAX_PIXELS, READ_PIXELS
from fer_demo.vision.samples import SAMPLES
from fer_demo.vision.yunet import plain_yunet
from fer_demo.wording import CLEAR_LEAD, SURE_FROM

RUNTIME_PACKAGE = "onnxruntime-web@^1.30.0"
"""What npm fetches: ONNX Runtime compiled to WebAssembly, under the MIT licence."""

RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    # For WebGPU; browsers that have it load these too, on the live page alone.
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
MARKER = "model.json"
SAMPLE_FOLDER, MODEL_FOLDER = "samples", "models"


def export_web(
    model: str | os.PathLike[str] | None, folder: str | os.PathLike[str], runtime: str | os.PathLike[str] | None = None
) -> Path:
    """Writes the page with everything it needs; any web server can serve the folder.

    Args:
        model: A bundled checkpoint's name or the folder of one, or an ONNX file of `fer_demo.export`; None is
            `fer_demo.checkpoints.DEFAULT`. The live page begins with it, if it is no bundled one.
        folder: Where to; must be new, empty or an earlier export, which is replaced.
        runtime: The npm package onnxruntime-web: its ``.tgz``, its folder or that folder's ``dist``. None lets npm
            fetch it, which takes a connection.

    Returns:
        The page's ``index.html``.

    Raises:
        ModelError: If the folder holds other files, the model cannot be exported, or the runtime cannot be had.
        FaceDetectorError: If the detector's model file is missing.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()) and not _is_export(folder):
        raise ModelError(f"{folder} holds other files; name a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        made = Path(temporary) / "page"
        for file in importlib.resources.files("fer_demo.export").joinpath("page").iterdir():
            _write(made / file.name, file.read_bytes())
        _copy_runtime(made / "ort", runtime)
        first = _write_model(DEFAULT if model is None else model, made, "model.onnx")
        own = [first["name"]] if first["name"] not in bundled_checkpoints() else []
        others = [name for name in _live_models() if name != first["name"]]
        models = [first, *(_write_model(name, made, f"{MODEL_FOLDER}/{name}.onnx") for name in others)]
        models.sort(key=lambda one: (made / one["file"]).stat().st_size)
        fastest = models[0]["name"]
        onnx.save(plain_yunet(detector.find_model(None)), made / "yunet.onnx")
        samples = _write_samples(made)
        about = first | {
            # For the live page: the smallest first, which is the fastest; but somebody's own before all others.
            "models": sorted(models, key=lambda one: one["name"] not in own),
            "fastest": fastest,
            "mostBars": MOST_BARS,
            "disclaimer": DISCLAIMER,
            "sureFrom": SURE_FROM,
            "clearLead": CLEAR_LEAD,
            "detection": _detection(),
            "maxPixels": MAX_PIXELS,
            "readPixels": READ_PIXELS,
            "samples": samples,
            "untoldColor": UNTOLD_COLOR,
        }
        _write(made / MARKER, json.dumps(about, ensure_ascii=False, indent=1).encode())
        if folder.is_dir():
            shutil.rmtree(folder)
        shutil.move(made, folder)
    return folder / "index.html"


def _live_models() -> list[str]:
    """The checkpoints for photographs, of every size that is bundled."""
    _, _, recipe = DEFAULT.partition(".")
    return [name for name in bundled_checkpoints() if name.partition(".")[2] == recipe]


def _write_model(model: str | os.PathLike[str], folder: Path, file: str) -> dict[str, Any]:
    """Writes a network with its activation maps, and says what a page has to know of it."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    info = _write_network(model, folder / file)
    graph = onnx.load(folder / file)
    if add_maps(graph):
        onnx.save(graph, folder / file)
    emotions = class_set(info.labels).emotions
    return {
        "file": file,
        "name": _name(model, info),
        "digest": weights_digest(model),
        "labels": info.labels,
        "size": info.size,
        "mean": info.mean,
        "std": info.std,
        "temperature": info.temperature,
        "setThreshold": info.set_threshold,
        "mirror": info.mirror,
        "quality": _quality(info.robust),
        "looks": [emotion.looks for emotion in emotions],
        "colors": [emotion.color for emotion in emotions],
        "symbols": [emotion.symbol for emotion in emotions],
        "textColors": [text_color(emotion.color) for emotion in emotions],
    }


def _write_network(model: str | os.PathLike[str], file: Path) -> ModelInfo:
    if Path(model).suffix == ".onnx" and Path(model).is_file():
        info = OnnxEngine(model, 1).info
        shutil.copyfile(model, file)
        return info
    network, info = load_model(model)
    export_model(network, info, file)
    return info


def _name(model: str | os.PathLike[str], info: ModelInfo) -> str:
    """What the page calls a model, as the app does."""
    if not (Path(model).suffix == ".onnx" and Path(model).is_file()) and resolve(model).bundled:
        return info.name
    return own_name(Path(model), info.name)


def _is_export(folder: Path) -> bool:
    """Whether a folder holds what this module wrote and nothing else, so that it may be replaced."""
    try:
        about = read_json(folder / MARKER)
    except (OSError, ValueError):
        return False
    page = {file.name for file in importlib.resources.files("fer_demo.export").joinpath("page").iterdir()}
    known = page | {MARKER, "model.onnx", "yunet.onnx", "ort", SAMPLE_FOLDER, MODEL_FOLDER}
    return {"detection", "sureFrom"} <= set(about) and {file.name for file in folder.iterdir()} <= known


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _write_samples(folder: Path) -> list[dict[str, str]]:
    """Writes the app's samples as PNG files beside the page, and says where they are.

    A sample whose package is not installed is left out: the page offers those that there are.
    """
    written = []
    for sample in SAMPLES:
        try:
            picture = sample.load()
        except ImportError:
            continue
        name = f"{SAMPLE_FOLDER}/{Path(sample.name).stem}.png"
        (folder / SAMPLE_FOLDER).mkdir(parents=True, exist_ok=True)
        # Without loss, so that answers are the app's: a JPEG of quality 95 moves one of them by three hundredths.
        Image.fromarray(picture).save(folder / name)
        written.append({"file": name, "title": sample.title, "credit": sample.credit})
    return written


def _quality(robust: bool) -> dict[str, Any]:
    """The limits of `fer_demo.vision.quality`, so that both refuse the same crops; null is infinity."""
    below, above = (
        {name: [measure, *(v if math.isfinite(v) else None for v in ends)] for name, (measure, *ends) in t.items()}
        for t in quality.limits(robust)
    )
    return {"blank": quality.BLANK, "below": below, "above": above, "words": quality.FLAGS}


def _detection() -> dict[str, Any]:
    """The constants of `fer_demo.vision.detector`, so that both detectors look alike."""
    return {
        "template": align.TEMPLATE.tolist(),
        "fineness": align.FINENESS,
        "maxFrame": align.MAX_FRAME,
        "longestSide": copies.LONGEST_SIDE,
        "closeUpSide": copies.CLOSE_UP_SIDE,
        "turns": detector.TURNS,
        "scoreThreshold": detector.SCORE_THRESHOLD,
        "nmsThreshold": detector.NMS_THRESHOLD,
        "lookSize": detector.LOOK_SIZE,
        "lookFill": detector.LOOK_FILL,
        "lookAngles": detector.LOOK_ANGLES,
        "lookScore": detector.LOOK_SCORE,
        "sureScore": detector.SURE_SCORE,
        "looksAtOnce": detector.LOOKS_AT_ONCE,
        "weakScore": detector.WEAK_SCORE,
        "placeScore": detector.PLACE_SCORE,
        "levelRoll": detector.LEVEL_ROLL,
        "tiltedRoll": detector.TILTED_ROLL,
        "promisingScore": detector.PROMISING_SCORE,
        "clearScore": found.CLEAR_SCORE,
        "clearRoll": found.CLEAR_ROLL,
        "follow": found.FOLLOW,
        "sameRoll": found.SAME_ROLL,
        "sameSize": found.SAME_SIZE,
        "samePlace": found.SAME_PLACE,
    }


def _copy_runtime(target: Path, given: str | os.PathLike[str] | None) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        package = Path(given) if given else _fetch_runtime(Path(temporary))
        if package.is_file():
            try:
                with tarfile.open(package) as archive:
                    archive.extractall(temporary, filter="data")
            except tarfile.TarError as error:
                raise ModelError(
                    f"{package} is no npm package ({error}); get it with `npm pack {RUNTIME_PACKAGE}`."
                ) from None
            package = Path(temporary) / "package"
        dist = package / "dist" if (package / "dist").is_dir() else package
        missing = [name for name in RUNTIME_FILES if not (dist / name).is_file()]
        if missing:
            raise ModelError(f"{given} holds no {missing[0]}; give the npm package onnxruntime-web, 1.30 or newer.")
        for name in RUNTIME_FILES:
            _write(target / name, (dist / name).read_bytes())


_ELSEWHERE = f"run `npm pack {RUNTIME_PACKAGE}` where there is a connection, and give the file with --runtime"


def _fetch_runtime(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(f"The browser's ONNX Runtime comes from npm, which is not installed; {_ELSEWHERE}.")
    command = [npm, "pack", "--silent", "--fetch-retries=1", "--fetch-timeout=60000", RUNTIME_PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    packages = list(folder.glob("*.tgz"))
    if done.returncode != 0 or not packages:
        raise ModelError(f"npm could not fetch {RUNTIME_PACKAGE}; {_ELSEWHERE}.")
    return packages[0]
