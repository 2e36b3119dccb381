"""From photo to answer: how often a face is found and read rightly, and what it costs; beside PyPI's `fer`."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from fer_demo.emotions import LABELS
from fer_demo.predictor import Predictor
from fer_demo.stats import wilson
from fer_demo.tradeoffs.turns import matrix_product
from fer_demo.vision.samples import SAMPLES

EVERY = 20  # photographs from one product of matrices to the next

Photographs = list[tuple[Path, str]]
"""File and label."""


@dataclass(frozen=True)
class PhotographResult:
    """What one system made of the photographs.

    Attributes:
        system: Its name.
        n: Photographs, each with at least one face.
        found: Those in which it found a face.
        right: Those whose largest face it gave the photograph's label.
        seconds: Processor seconds of a photograph, the median, decoding included.
        products: The same in products of two float32 matrices of side 1024 on one core.
        problem: Why there are no figures; empty where there are.
    """

    system: str
    n: int
    found: int = 0
    right: int = 0
    seconds: float = 0.0
    products: float = 0.0
    problem: str = ""


def sample_photographs(folder: Path) -> Photographs:
    """The app's samples with one face whose expression is plain, as files.

    Args:
        folder: Where to write them.
    """
    found = []
    for sample in SAMPLES:
        if len(sample.shows) == 1 and sample.shows[0] in LABELS:
            path = folder / f"{sample.id}.png"
            Image.fromarray(sample.load()).save(path)
            found.append((path, sample.shows[0]))
    return found


def measure_ours(model: str, photographs: Photographs, progress: bool = False) -> PhotographResult:
    """Reads the photographs with one of this project's checkpoints on one thread.

    Args:
        model: As `fer_demo.Predictor` takes it.
        photographs: File and label.
        progress: Whether to show a progress bar.
    """
    cv2.setNumThreads(1)
    predictor, product = Predictor(model, threads=1), matrix_product(1)
    predictor.predict(photographs[0][0])  # what is only opened once
    product()
    found, right, seconds, units = 0, 0, [], []
    for number, (path, label) in enumerate(tqdm(photographs, desc=model, disable=not progress, leave=False)):
        if number % EVERY == 0:
            begun = time.process_time()
            product()
            units.append(time.process_time() - begun)
        begun = time.process_time()
        faces = predictor.predict(path)
        seconds.append(time.process_time() - begun)
        found += bool(faces)
        right += bool(faces) and faces[0].label == label
    median = float(np.median(seconds))
    name = f"`{predictor.name}`, this project"
    return PhotographResult(name, len(photographs), found, right, median, median / float(np.median(units)))


def measure_fer(photographs: Photographs, python: str | None) -> PhotographResult:
    """Reads them with PyPI's `fer` and its default settings.

    Args:
        photographs: File and label.
        python: An interpreter whose environment has `fer`; None is this one.
    """
    name = "PyPI `fer`, its defaults"
    runner = Path(__file__).parent / "peers" / "runners" / "fer_photographs.py"
    product, units = matrix_product(1), []
    for _ in range(20):
        begun = time.process_time()
        product()
        units.append(time.process_time() - begun)
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "photographs.json"
        listed.write_text(json.dumps([str(path.absolute()) for path, _ in photographs]))
        done = subprocess.run([python or sys.executable, str(runner), str(listed)], capture_output=True, text=True)
    if done.returncode == 3:
        return PhotographResult(name, len(photographs), problem="not installed; name an interpreter with --fer-python")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:120]
        return PhotographResult(name, len(photographs), problem=f"failed: {reason}")
    said = json.loads(done.stdout.splitlines()[-1])
    found = sum(answer is not None for answer in said["answers"])
    right = sum(answer == label for answer, (_, label) in zip(said["answers"], photographs, strict=True))
    median = float(np.median(said["seconds"]))
    return PhotographResult(name, len(photographs), found, right, median, median / float(np.median(units)))


def table(results: Sequence[PhotographResult]) -> str:
    """What was measured, as a table in Markdown."""
    lines = [
        "| system | photographs | face found | right (95 %) | ms a photograph | products of matrices |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for r in results:
        if r.problem:
            lines.append(f"| {r.system} | {r.n} | {r.problem} | | | |")
            continue
        low, high = wilson(r.right / r.n, r.n)
        right = f"{r.right / r.n:.1%} ({low:.1%}–{high:.1%})"
        lines.append(
            f"| {r.system} | {r.n} | {r.found / r.n:.1%} | {right} | {1000 * r.seconds:.1f} | {r.products:.2f} |"
        )
    return "\n".join(lines)
