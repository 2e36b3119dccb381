"""Very many thumbnails through ``fer-demo batch``: pictures a second against a plain loop, and memory that stays."""

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageEnhance

from fer_demo.batch import Answer, Settings, Sources, run
from fer_demo.vision.folders import find_images

ROOT = Path(__file__).parents[2]

SIDE = 160
"""Pixels of a thumbnail's longer side."""

PLAIN = 100
"""Pictures that the plain loop reads."""

MOST_GROWTH = 1.25
"""Memory in the end over that at a tenth of the way."""


def thumbnails(folder: Path, count: int) -> None:
    """Writes JPEG files with one face each, no two alike, a thousand to a folder; those that are there stay."""
    from skimage.data import astronaut

    face = Image.fromarray(astronaut()[:300, 60:360])
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(number)
        x, y = random.integers(0, 40, 2)
        picture = face.crop((x, y, x + 260, y + 260)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        file = io.BytesIO()
        ImageEnhance.Brightness(picture).enhance(random.uniform(0.7, 1.2)).save(file, "JPEG", quality=85)
        path.write_bytes(file.getvalue())


def peak(pid: int) -> float:
    """The most memory that a process has had so far, in MB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]  # none of one that ended just now
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


@dataclass
class Watch:
    """Notes when answers come, and memory at a tenth of the way and in the end.

    Attributes:
        count: How many will come.
        parent: Peak memory of this process in MB, at both points.
        worker: Of the largest process below it, likewise.
    """

    count: int
    seen: int = 0
    first: float = 0.0
    last: float = 0.0
    faces: int = 0
    parent: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)

    def step(self, answer: Answer) -> None:
        """One more."""
        self.seen += 1
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.faces += len(answer.data.get("faces", ()))
        if self.seen in (max(1, self.count // 10), self.count):
            children = psutil.Process().children(recursive=True)
            self.parent.append(peak(os.getpid()))
            self.worker.append(max((peak(child.pid) for child in children), default=0.0))

    @property
    def rate(self) -> float:
        """Pictures a second from the first answer to the last."""
        return (self.seen - 1) / (self.last - self.first) if self.seen > 1 else float("nan")


def cpu_seconds() -> float:
    """Of this process and all that it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def plain_loop(paths: Iterable[Path]) -> tuple[float, float]:
    """Pictures a second, and a second of processor time, of the loop that somebody would write."""
    from fer_demo import Predictor

    predictor = Predictor(threads=1)
    paths = list(paths)
    predictor.predict(paths[0])
    start, cpu = time.perf_counter(), cpu_seconds()
    for path in paths:
        predictor.predict(path)
    return len(paths) / (time.perf_counter() - start), len(paths) / (cpu_seconds() - cpu)


def measured(folder: Path, out: Path, count: int, processes: int) -> tuple[Watch, float]:
    """A whole run in a fresh process, and its pictures a second of processor time, with starting and writing."""
    code = f"from tests.load.batch import run_here; run_here({str(folder)!r}, {str(out)!r}, {count}, {processes})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return Watch(**found["watch"]), found["rate"]


def run_here(folder: str, out: str, count: int, processes: int) -> None:
    """Prints what `measured` gives."""
    watch, cpu = Watch(count), cpu_seconds()
    summary = run([folder], out, processes=processes, on_answer=watch.step)
    if (summary.pictures, summary.failed) != (count, 0):
        raise AssertionError(f"{summary.pictures} of {count} pictures, {summary.failed} failed: {summary.problems[:1]}")
    print(json.dumps({"watch": asdict(watch), "rate": count / (cpu_seconds() - cpu)}))


def with_ray(folder: Path, count: int, workers: int) -> tuple[Watch, float]:
    """The same by Ray, on this machine, counted from the start: answers come in blocks, a whole block at once.

    Of the processor time those processes are missing that ended before the last answer.
    """
    from fer_demo.batch import ray

    watch, cpu = Watch(count), 0.0
    start = time.perf_counter()
    for answer in ray.answers(Sources([folder]), Settings(), ray.LOCAL, workers):
        watch.step(answer)
        if watch.seen == count:
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    cpu += sum(child.cpu_times()[:2])
    watch.first = start
    return watch, count / cpu


def report(args: argparse.Namespace, folder: Path, say: Callable[[str], None]) -> int:
    """Measures and prints rows of a Markdown table; 1 if memory grew."""
    thumbnails(folder, args.pictures)
    load = os.getloadavg()[0]
    say(f"{args.pictures} thumbnails of {SIDE} x {SIDE} pixels, {os.cpu_count()} cores, load {load:.1f} before\n")
    columns = ("pictures/s", "pictures per CPU second", "peak MB of the parent", "peak MB of a worker")
    say(f"| what reads (Ray with its start, the others without) | {' | '.join(columns)} |")
    say("|---|---|---|---|---|")
    wall, cpu = plain_loop(find_images([folder])[: min(PLAIN, args.pictures)])
    say(f"| a loop of `Predictor.predict`, one thread | {wall:.1f} | {cpu:.1f} | – | – |")
    grown = 0.0
    for processes in args.processes:
        out = folder.with_name(f"{folder.name}-{processes}{args.ending}")
        watch, cpu = measured(folder, out, args.pictures, processes)
        memory = [f"{early:.0f} at 10 %, {late:.0f} in the end" for early, late in (watch.parent, watch.worker)]
        grown = max(grown, *(late / early for early, late in (watch.parent, watch.worker)))
        say(f"| `batch --processes {processes}` | {watch.rate:.1f} | {cpu:.1f} | {memory[0]} | {memory[1]} |")
        out.unlink()
    for workers in args.ray:
        watch, cpu = with_ray(folder, args.pictures, workers)
        say(f"| `batch --ray --processes {workers}` | {watch.rate:.1f} | {cpu:.1f} | – | {watch.worker[-1]:.0f} |")
    say(f"\nlargest growth of memory from a tenth of the way to the end: {grown:.2f} x (may be {MOST_GROWTH} x)")
    return int(grown > MOST_GROWTH)


def main(args: argparse.Namespace) -> int:
    """Runs the command."""
    if args.folder:
        return report(args, args.folder, lambda line: print(line, flush=True))
    with tempfile.TemporaryDirectory() as folder:
        return report(args, Path(folder) / "thumbnails", lambda line: print(line, flush=True))


def add_parser(subparsers) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("batch", help="very many thumbnails through fer-demo batch")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--ray", type=int, nargs="*", default=[], metavar="N", help="with Ray too, so many workers")
    parser.add_argument("--ending", default=".csv", choices=[".csv", ".jsonl", ".parquet"], help="of the table")
    parser.add_argument("--folder", type=Path, help="keep the thumbnails here, and take those that are there")
    parser.set_defaults(run=main)
