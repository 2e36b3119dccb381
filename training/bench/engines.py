"""``benchmark engines``: what an engine takes until it answers, in memory, for each face and for a whole frame.

Every engine runs in a process of its own on one core. Times are processor time, which waiting for other programs does
not lengthen; only the start is what a clock on the wall shows. ``python -m training.bench.engines MODEL ENGINE BEGUN``
is that process.
"""

import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.runtime.engines import ENGINES
from training.bench.peers.measure import run_runner

FRAME = (640, 480)
"""Width and height of the frame in pixels, as most cameras give it."""

PHOTO = (307, 312)
"""Width and height of the photograph in pixels: head and shoulders, as people send them."""

BATCH = 64
REPEATS = 15
MATRIX = 1024
"""Side of the float32 matrices whose product says what the core can do."""


@dataclass(frozen=True)
class EngineSpeed:
    """What was measured of one network in one engine, on one core.

    Attributes:
        model: A checkpoint's name, or that of a network with random weights.
        engine: One of `ENGINES`.
        start: Seconds from the start of Python to the first answer.
        memory: The most bytes that the process held while it classified.
        one: Seconds for one face crop.
        many: Seconds for each face crop of `BATCH` that come together.
        matrix_share: Arithmetic of the network, two operations a multiply-accumulate, for each second of `many`, as a
            share of the core's float32 matrix product of side `MATRIX`.
        detection: Seconds that the search for faces takes in a frame of `FRAME` with one face, upright heads only.
        frame: Seconds from such a frame to the answer.
        photo: Seconds from a JPEG file of `PHOTO` pixels with one face to the answer: decoded, found, cut out and read.
        photo_products: The same in float32 products of matrices of side `MATRIX`, measured in turns with it.
    """

    model: str
    engine: str
    start: float
    memory: int
    one: float
    many: float
    matrix_share: float
    detection: float
    frame: float
    photo: float
    photo_products: float


def measure_engines(
    models: Sequence[str] | None = None, progress: Callable[[str], None] = lambda message: None
) -> Iterator[EngineSpeed]:
    """Measures networks in both engines, one after the other.

    Args:
        models: Checkpoints' names, or names registered with timm, which then get random weights; None is all bundled
            checkpoints.
        progress: Called with a sentence for each measurement.

    Yields:
        One result for each network and engine.

    Raises:
        PeerError: If a measurement fails; the message is one sentence.
        ModelError: If a network cannot be exported.
    """
    from fer_demo.export import export_model
    from fer_demo.runtime.torch_engine import load_model
    from fer_demo.tradeoffs.costs import network_costs

    for name in models if models is not None else bundled_checkpoints():
        with tempfile.TemporaryDirectory(prefix="fer_demo_engines_") as folder:
            for engine in ENGINES:
                source = name
                if engine == "onnx" and name not in bundled_checkpoints():
                    source = os.path.join(folder, f"{name}.onnx")
                    network, info = load_model(_random(name))
                    export_model(network, info, Path(source))
                progress(f"Measuring {name} with {engine}.")
                command = [sys.executable, "-m", "training.bench.engines", source, engine, str(time.time())]
                found = run_runner(name, command, {"PYTHONPATH": str(Path(__file__).parents[2])})
                macs = network_costs(name.partition(".")[0], found["size"]).macs
                share = 2 * macs / found["many"] / found["operations"]
                kept = {k: v for k, v in found.items() if k not in ("size", "operations")}
                yield EngineSpeed(name, engine, matrix_share=share, **kept)


def engine_table(results: Sequence[EngineSpeed]) -> str:
    """The results as a Markdown table."""
    head = (
        "checkpoint",
        "engine",
        "until the first answer",
        "peak memory",
        "one face",
        f"a face of {BATCH} at once",
        "of the core's matrix rate",
        f"faces found in a {FRAME[0]}×{FRAME[1]} frame",
        "frame to answer",
        "frames/s",
        f"{PHOTO[0]}×{PHOTO[1]} photo to answer",
        "in matrix products",
    )
    rows = [
        (
            f"`{r.model}`",
            r.engine,
            f"{r.start:.1f} s",
            f"{r.memory / 1e6:.0f} MB",
            f"{1e3 * r.one:.1f} ms",
            f"{1e3 * r.many:.1f} ms",
            f"{100 * r.matrix_share:.0f} %",
            f"{1e3 * r.detection:.0f} ms",
            f"{1e3 * r.frame:.0f} ms",
            f"{1 / r.frame:.0f}",
            f"{1e3 * r.photo:.1f} ms",
            f"{r.photo_products:.2f}",
        )
        for r in results
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows))


def _random(name: str) -> Any:
    import timm
    import torch

    torch.manual_seed(0)
    return timm.create_model(name).eval()


def _measure(source: str, engine: str, begun: float) -> dict[str, Any]:
    """Measures one engine in this process."""
    import cv2

    from fer_demo.predictor import Predictor
    from fer_demo.vision.samples import SAMPLES

    cv2.setNumThreads(1)
    known = source in bundled_checkpoints() or source.endswith(".onnx")
    predictor = Predictor(source if known else _random(source), engine=engine, threads=1)
    crop = np.random.default_rng(0).integers(0, 256, predictor.input_size, dtype=np.uint8)
    predictor.classify([crop])
    start = time.time() - begun
    one = _seconds(lambda: predictor.classify([crop]), 4 * REPEATS)
    # In turns, so that both meet the same clock and the same neighbours.
    a, b = np.random.default_rng(0).random((2, MATRIX, MATRIX), np.float32)
    crops = np.stack([crop] * BATCH)
    turns = [(_seconds(lambda: predictor.classify(crops), 1), _seconds(lambda: a @ b, 3)) for _ in range(REPEATS)]
    memory = _peak_memory()
    frame = _frame(SAMPLES[0].load())
    frames = [
        (
            _seconds(lambda: predictor.detect(frame, turned=False), 2),
            _seconds(lambda: predictor.predict(frame, turned=False), 2),
        )
        for _ in range(REPEATS)
    ]
    photo = _photo(SAMPLES[0].load())
    photos = [(_seconds(lambda: predictor.predict(photo), 2), _seconds(lambda: a @ b, 2)) for _ in range(REPEATS)]
    whole, product = (statistics.median(column) for column in zip(*photos, strict=True))
    return {
        "start": start,
        "memory": memory,
        "one": one,
        "many": statistics.median(many for many, _ in turns) / BATCH,
        "operations": 2 * MATRIX**3 / statistics.median(product for _, product in turns),
        "detection": statistics.median(detection for detection, _ in frames),
        "frame": statistics.median(whole for _, whole in frames),
        "photo": whole,
        "photo_products": whole / product,
        "size": predictor.input_size[0],
    }


def _seconds(run: Callable[[], Any], repeats: int) -> float:
    """The median of the processor seconds of a call, after one that does not count."""
    run()
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        run()
        times.append(time.process_time() - begun)
    return statistics.median(times)


def _frame(photo: np.ndarray) -> np.ndarray:
    """The upper part of a photo, in the frame's shape."""
    import cv2

    width = photo.shape[1]
    return cv2.resize(photo[: width * FRAME[1] // FRAME[0]], FRAME, interpolation=cv2.INTER_LINEAR)


def _photo(photo: np.ndarray) -> bytes:
    """Head and shoulders of the astronaut, as a JPEG file."""
    import cv2

    part = photo[: PHOTO[1], 70 : 70 + PHOTO[0]]
    return cv2.imencode(".jpg", part[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def _peak_memory() -> int:
    status = Path("/proc/self/status")
    if status.is_file():  # Linux's getrusage counts in what the parent process held when it forked
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
