"""How long a frame of a video takes, in products of matrices, and beside what the package `fer` takes for it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_demo.predictor import Predictor
from fer_demo.tradeoffs.turns import matrix_product
from fer_demo.video import Run, Settings, Targets, clips

STAGES = ("detection", "following", "cropping", "classification")
"""What is worked out; reading and writing the video are beside it."""

BESIDE = ("decoding", "writing the video")

GOALS = {"1 at 640x480": 0.6, "4 at 1920x1080": 1.6}
"""Most products of matrices a frame, without decoding and encoding."""

EVERY = 10  # frames from one product to the next


@dataclass(frozen=True)
class VideoTiming:
    """What was measured on one clip.

    Attributes:
        clip: Its name.
        frames: How many.
        products: Stage to products of matrices a frame.
        milliseconds: A product, the median.
        peak: Most memory of a process that reads it and writes everything, in megabytes.
        goal: Of the sum over `STAGES`; None for a clip without one.
    """

    clip: str
    frames: int
    products: dict[str, float]
    milliseconds: float
    peak: float
    goal: float | None

    @property
    def total(self) -> float:
        """Products a frame, without decoding and encoding."""
        return sum(self.products.get(stage, 0.0) for stage in STAGES)

    @property
    def frames_per_second(self) -> float:
        """Likewise, on one core of this machine."""
        return 1000 / (self.total * self.milliseconds)


def measure_clip(clip: clips.Clip, model: str) -> VideoTiming:
    """Reads a clip on one thread, with a product of matrices in between, and writes the annotated video."""
    import cv2

    cv2.setNumThreads(1)
    product = matrix_product(1)
    predictor = Predictor(model, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with path.open("wb") as file:
            clips.encode(clip, file)
        list(predictor.video(path, Settings(end=0.3)))  # what is only opened once
        product()
        yardstick, count = [], 0
        with Run(path, predictor, Targets(video=Path(folder) / "out.mp4")) as run:
            for count, _ in enumerate(run, 1):
                if count % EVERY == 0:
                    begun = time.thread_time()
                    product()
                    yardstick.append(time.thread_time() - begun)
        peak = peak_memory(path, Path(folder), model)
    unit = float(np.median(yardstick))
    products = {stage: run.times.get(stage, 0.0) / count / unit for stage in (*STAGES, *BESIDE)}
    return VideoTiming(clip.name, count, products, 1000 * unit, peak, GOALS.get(clip.name))


_PEAK = """
import sys
from fer_demo.__main__ import main
assert main(["video", *sys.argv[1:]]) == 0
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""


def peak_memory(clip: Path, folder: Path, model: str) -> float:
    """Most memory of a process that reads a clip and writes everything, in megabytes; 0 where nothing says it."""
    if not Path("/proc/self/status").is_file():
        return 0.0
    outputs = {"--out": "a.mp4", "--csv": "a.csv", "--jsonl": "a.jsonl", "--subtitles": "a.vtt", "--report": "a.html"}
    words = [word for option, name in outputs.items() for word in (option, str(folder / name))]
    command = [sys.executable, "-c", _PEAK, str(clip), *words, "--model", model, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(done.stdout.split()[-1]) / 1024


def measure_fer(clip: clips.Clip, python: str | None) -> float | str:
    """Frames a second of the package `fer` on a clip, by its own video class with default settings.

    Args:
        clip: The clip.
        python: An interpreter whose environment has `fer`; None is this one.

    Returns:
        Frames a second of processor time, decoding included as the class does it, or a sentence that says why not.
    """
    runner = Path(__file__).parent / "peers" / "runners" / "fer_video.py"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with path.open("wb") as file:
            clips.encode(clip, file)
        command = [python or sys.executable, str(runner), str(path), folder]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode == 3:
        return "not installed; name an interpreter that has it with --fer-python"
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1][:120]}"
    return float(json.loads(done.stdout.splitlines()[-1])["frames_per_second"])


def table(timings: list[VideoTiming], peers: dict[str, float | str]) -> str:
    """What was measured, as a table in Markdown."""
    names = [*STAGES, "sum", "goal", *BESIDE, "frames/s", "peak MB"]
    lines = ["| Faces, frame | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for t in timings:
        stages = [f"{t.products[stage]:.3f}" for stage in STAGES]
        beside = [f"{t.products[stage]:.3f}" for stage in BESIDE]
        goal = "" if t.goal is None else f"{t.goal:.1f}"
        cells = [*stages, f"**{t.total:.3f}**", goal, *beside, f"{t.frames_per_second:.0f}", f"{t.peak:.0f}"]
        lines.append(f"| {t.clip} | " + " | ".join(cells) + " |")
    for t in timings:
        found = peers.get(t.clip)
        if isinstance(found, float):
            words = f"{found:.1f} frames/s; ours are {t.frames_per_second / found:.1f} times as many"
        else:
            words = str(found)
        lines.append(f"\nPyPI `fer`, its video class, {t.clip}: {words}.")
    return "\n".join(lines)
