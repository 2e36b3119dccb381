"""Damaged inputs: each reader answers, or says in one sentence why it cannot, soon and without keeping memory."""

import argparse
import gc
import random
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from fer_demo.vision.sources import one_line
from tests.load.kinds import KINDS

ROOT = Path(__file__).parents[2]

MOST_SECONDS = 5.0
"""Within which each input is answered."""

MOST_GROWTH = 100.0
"""Megabytes by which the process's resident memory may grow over a series."""

LONGEST = 1000
"""Characters of a sentence that somebody still reads."""


@dataclass
class Summary:
    """What a series of damaged inputs led to.

    Attributes:
        kind: Of input.
        seed: With which it can be repeated.
        count: How many inputs.
        results: How many were answered.
        sentences: How many were refused in one sentence.
        slowest: Seconds that the slowest took.
        growth: By which resident memory grew, in MB; 0 where the system does not tell.
        faults: What else happened, a line each, with the number that `run` takes as `first`.
    """

    kind: str
    seed: int
    count: int
    results: int = 0
    sentences: int = 0
    slowest: float = 0.0
    growth: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every input was answered or refused, in time, and memory did not grow."""
        return not self.faults and self.slowest <= MOST_SECONDS and self.growth <= MOST_GROWTH


def run(kind: str, count: int, seed: int = 0, first: int = 0) -> Summary:
    """Reads a series of damaged inputs.

    Args:
        kind: A key of `KINDS`.
        count: How many.
        seed: Decides the damages, together with an input's number.
        first: Number of the first, so that one alone can be repeated.
    """
    summary = Summary(kind, seed, count)
    with tempfile.TemporaryDirectory() as folder:
        made = KINDS[kind](Path(folder))
        made.whole()
        gc.collect()
        before = resident()
        for number in range(first, first + count):
            what, read = made.cases(random.Random(f"{kind} {seed} {number}"))
            begun = time.monotonic()
            try:
                read()
                summary.results += 1
            except Exception as error:  # whatever else comes out is what is looked for
                if problem := unclear(error, made.errors):
                    summary.faults.append(f"{kind} {number} (seed {seed}), {what}: {problem}")
                else:
                    summary.sentences += 1
            took = time.monotonic() - begun
            if took > MOST_SECONDS:
                summary.faults.append(f"{kind} {number} (seed {seed}), {what}: took {took:.1f} s")
            summary.slowest = max(summary.slowest, took)
        gc.collect()
        summary.growth = max(0.0, resident() - before)
    return summary


def unclear(error: Exception, kinds: tuple[type[Exception], ...]) -> str:
    """What is wrong with an error as the answer to a damaged input; empty if it is one clear sentence of the project.

    Args:
        error: What was raised.
        kinds: Classes that the reader may raise.
    """
    text, trace = str(error), error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = Path(trace.tb_frame.f_code.co_filename) if trace is not None else ROOT
    shown = f"{type(error).__name__} at {place.name}:{trace.tb_lineno if trace else 0}: {text[:300]!r}"
    if not isinstance(error, kinds):
        return shown
    ours = any(place.is_relative_to(ROOT / package) for package in ("fer_demo", "training"))
    one = len(text.splitlines()) == 1 and re.search(r"[.?!]$", text) and len(text) <= LONGEST
    return "" if ours and one and one_line(text, None) == text else f"no clear sentence: {shown}"


def resident() -> float:
    """The process's resident memory in MB; 0 where /proc does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text(encoding="utf-8")) if status.is_file() else None
    return int(found[1]) / 1024 if found else 0.0


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``mutations``."""
    parser = subparsers.add_parser("mutations", help="read damaged pictures, rows, checkpoints and recipes")
    parser.add_argument("--count", type=int, default=10_000, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="decides the damages (default: %(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="which kinds (default: all)")
    parser.set_defaults(run=command)


def command(args: argparse.Namespace) -> int:
    """Prints a row a kind; 1 if one did not pass."""
    titles = f"{'inputs':>7} {'results':>8} {'sentences':>10} {'slowest s':>10} {'growth MB':>10} {'faults':>7}"
    print(f"{'kind':12} {titles}")
    failed = 0
    for kind in args.kinds:
        done = run(kind, args.count, args.seed)
        print(
            f"{kind:12} {done.count:7,} {done.results:8,} {done.sentences:10,} {done.slowest:10.2f} "
            f"{done.growth:10.1f} {len(done.faults):7,}",
            flush=True,
        )
        for fault in done.faults[:20]:
            print(f"    {fault}", flush=True)
        failed |= not done.passed
    return int(failed)
