"""How fast networks are on this machine, kept in the user's cache folder under the machine's name."""

import dataclasses
import json
import platform
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TypedDict

import numpy as np
import timm
import torch
from numpy.typing import NDArray

from fer_demo.cache import cache_dir
from fer_demo.checkpoints import ONNX_FILE, bundled_checkpoints, resolve
from fer_demo.export.formats import write_onnx
from fer_demo.files import atomic_write_text, read_json
from fer_demo.runtime.engines import Engine, OnnxEngine, make_engine
from fer_demo.runtime.machine import processor
from fer_demo.runtime.model_info import ModelError, model_info
from fer_demo.runtime.torch_engine import TorchEngine
from fer_demo.tradeoffs.costs import network_costs
from fer_demo.tradeoffs.turns import in_turns

BATCH = 32
"""Pictures at a time for the throughput."""

Network = tuple[str, int]
"""A name registered with timm, and the side of its input in pixels."""


@dataclass(frozen=True)
class Spread:
    """A median with the quartiles around it, so that half of all runs lie between `low` and `high`."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Timing:
    """A network's speed.

    Attributes:
        latency: Seconds for one picture.
        throughput: Pictures a second in batches of `BATCH`.
        macs: The network's multiply-accumulates when it was measured: a build that has changed is measured again.
        products: The latency in products of matrices that were measured in turns with it, see `turns`: about the same
            on a slow machine as on a fast one.
        busy: Time by the clock by processor time meanwhile, see `turns.BUSY`.
        engine: One of `fer_demo.runtime.engines.ENGINES`.
    """

    latency: Spread
    throughput: Spread
    macs: int
    products: float
    busy: float = 1.0
    engine: str = "onnx"


class Machine(TypedDict):
    """What a figure's reader needs to know of a machine; no name of its owner or of the computer."""

    processor: str
    threads: int
    system: str
    python: str
    onnxruntime: str


@dataclass(frozen=True)
class Benchmark:
    """The speeds of several networks.

    Attributes:
        machine: Where they were measured.
        measured: The day, ISO 8601; empty for nothing measured yet.
        timings: Network to speed.
    """

    machine: Machine
    measured: str = ""
    timings: dict[Network, Timing] = field(default_factory=dict)

    @property
    def busy(self) -> float:
        """That of the network that was disturbed most; 1 for none measured."""
        return max((timing.busy for timing in self.timings.values()), default=1.0)

    @property
    def place(self) -> str:
        """Where it was measured, for captions: ``"AMD EPYC, 1 thread"``."""
        threads = self.machine["threads"]
        return f"{self.machine['processor']}, {threads} thread{'s' if threads > 1 else ''}"


def this_machine(threads: int = 1) -> Machine:
    """This machine, working with a number of threads."""
    return {
        "processor": processor(),
        "threads": threads,
        "system": platform.system(),
        "python": platform.python_version(),
        "onnxruntime": metadata.version("onnxruntime"),
    }


def time_network(
    model: str, size: int, *, threads: int = 1, seconds: float = 1.0, tick: Callable[[], None] = lambda: None
) -> Timing:
    """Measures one network in float32 on the CPU, with the engine that answers: ONNX Runtime.

    The file is a bundled checkpoint's where one has this network, and otherwise written for the measurement, with
    random weights. A network that has no ONNX form is run by PyTorch, and its timing says so.

    Args:
        model: A name registered with timm.
        size: Side of its input in pixels.
        threads: CPU threads; the process's own setting is restored afterwards.
        seconds: How long to measure latency and throughput each, at least `turns.LEAST_RUNS` runs.
        tick: Called between runs; it may raise to stop.
    """
    before = torch.get_num_threads()
    try:
        engine = _engine(model, size, threads)
        one, many = (np.random.default_rng(0).random((n, 1, size, size), np.float32) for n in (1, BATCH))
        latency = in_turns(lambda: engine.logits(one), seconds, threads=threads, tick=tick)
        batch = in_turns(lambda: engine.logits(many), seconds, threads=threads, tick=tick)
    finally:
        torch.set_num_threads(before)
    return Timing(
        _spread(latency.seconds),
        _spread(BATCH / batch.seconds),
        network_costs(model, size).macs,
        products=latency.products,
        busy=max(latency.busy, batch.busy),
        engine=engine.kind,
    )


def _engine(model: str, size: int, threads: int) -> Engine:
    """The network, ready to run: by ONNX Runtime where that is possible."""
    for name in bundled_checkpoints():
        if name.partition(".")[0] == model and resolve(name).path(ONNX_FILE):
            found = make_engine(name, "onnx", threads=threads)
            if found.info.size == (size, size):
                return found
    network = timm.create_model(model).eval()
    info = dataclasses.replace(model_info(network, model), size=(size, size))
    with tempfile.TemporaryDirectory(prefix="fer_demo_benchmark_") as folder:
        file = Path(folder) / f"{model}.onnx"
        try:
            write_onnx(network, info, file)
            return OnnxEngine(file, threads)
        except ModelError:  # covariance pooling has no ONNX form
            return TorchEngine(network, threads=threads)


def _spread(values: NDArray[np.float64]) -> Spread:
    low, median, high = (float(v) for v in np.percentile(values, (25, 50, 75)))
    return Spread(median, low, high)


def measure(
    networks: Iterable[Network],
    *,
    known: Benchmark | None = None,
    threads: int = 1,
    seconds: float = 1.0,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Network, Benchmark]]:
    """Measures networks one after the other.

    Args:
        networks: What to measure.
        known: What was measured before on this machine, to keep for all other networks.
        threads: CPU threads.
        seconds: See `time_network`.
        tick: Likewise.

    Yields:
        A network that has been measured, and all that is known by then; whoever stops asking keeps that.
    """
    found = Benchmark(this_machine(threads), date.today().isoformat(), dict(known.timings) if known else {})
    for model, size in networks:
        timing = time_network(model, size, threads=threads, seconds=seconds, tick=tick)
        found = dataclasses.replace(found, timings={**found.timings, (model, size): timing})
        yield (model, size), found


def cache_file() -> Path:
    """Where results are kept."""
    return cache_dir() / "benchmark.json"


def save_benchmark(benchmark: Benchmark) -> None:
    """Keeps results for the next time, beside those of other machines and thread counts.

    Raises:
        OSError: If the folder cannot be written.
    """
    path = cache_file()
    others = [known for known in _read(path) if known.machine != benchmark.machine]
    entries = [
        {
            "machine": b.machine,
            "measured": b.measured,
            "timings": [{"model": m, "size": s, **dataclasses.asdict(t)} for (m, s), t in b.timings.items()],
        }
        for b in [*others, benchmark]
    ]
    # Another process may read meanwhile: it sees the old file or the new one, never half of one.
    atomic_write_text(path, json.dumps(entries, indent=1) + "\n")


def load_benchmark(threads: int = 1) -> Benchmark:
    """What was measured on this machine before, without networks whose build has changed since.

    Args:
        threads: With how many threads.

    Returns:
        The results; without timings if there are none or the file is damaged.
    """
    machine = this_machine(threads)
    for found in _read(cache_file()):
        if found.machine == machine:
            known = {network: timing for network, timing in found.timings.items() if timm.is_model(network[0])}
            fresh = {network: t for network, t in known.items() if network_costs(*network).macs == t.macs}
            return dataclasses.replace(found, timings=fresh)
    return Benchmark(machine)


def _read(path: Path) -> list[Benchmark]:
    try:
        return [
            Benchmark(
                entry["machine"],
                entry["measured"],
                {
                    (t["model"], t["size"]): Timing(
                        Spread(**t["latency"]),
                        Spread(**t["throughput"]),
                        t["macs"],
                        t["products"],
                        t["busy"],
                        t["engine"],
                    )
                    for t in entry["timings"]
                },
            )
            for entry in read_json(path, list)
        ]
    except (OSError, ValueError, KeyError, TypeError):  # a cache that cannot be read is measured again
        return []
