"""How fast networks are on this machine, kept in the user's cache folder under the machine's name."""

import dataclasses
import json
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch.utils.benchmark import Timer

from fer_demo.cache import cache_dir
from fer_demo.files import atomic_write_text, read_json
from fer_demo.runtime.machine import processor
from fer_demo.tradeoffs.costs import network_costs

BATCH = 32
"""Pictures at a time for the throughput."""

LEAST_RUNS = 5
"""A spread of fewer would mean nothing."""

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
    """

    latency: Spread
    throughput: Spread
    macs: int


class Machine(TypedDict):
    """What a figure's reader needs to know of a machine; no name of its owner or of the computer."""

    processor: str
    threads: int
    system: str
    python: str
    torch: str


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
        "torch": str(torch.__version__),
    }


def time_network(
    model: str, size: int, *, threads: int = 1, seconds: float = 1.0, tick: Callable[[], None] = lambda: None
) -> Timing:
    """Measures one network with random weights, in float32 on the CPU.

    Args:
        model: A name registered with timm.
        size: Side of its input in pixels.
        threads: CPU threads; the process's own setting is restored afterwards.
        seconds: How long to measure latency and throughput each, at least `LEAST_RUNS` runs.
        tick: Called between runs; it may raise to stop.
    """
    network = timm.create_model(model).eval()
    latency = _times(network, torch.rand(1, 1, size, size), threads, seconds, tick)
    batch = _times(network, torch.rand(BATCH, 1, size, size), threads, seconds, tick)
    return Timing(_spread(latency), _spread(BATCH / batch), network_costs(model, size).macs)


def _times(
    network: torch.nn.Module, x: torch.Tensor, threads: int, seconds: float, tick: Callable[[], None]
) -> NDArray[np.float64]:
    """Seconds of each run, after a warm-up."""
    timer = Timer("with torch.inference_mode(): network(x)", globals={"network": network, "x": x}, num_threads=threads)
    tick()
    callback: Any = lambda *_: tick()  # noqa: E731  (PyTorch declares that it never returns)
    times = list(timer.blocked_autorange(callback, min_run_time=seconds).times)
    while len(times) < LEAST_RUNS:
        tick()
        times += timer.timeit(1).times
    return np.array(times)


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
                    (t["model"], t["size"]): Timing(Spread(**t["latency"]), Spread(**t["throughput"]), t["macs"])
                    for t in entry["timings"]
                },
            )
            for entry in read_json(path, list)
        ]
    except (OSError, ValueError, KeyError, TypeError):  # a cache that cannot be read is measured again
        return []
