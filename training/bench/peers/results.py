"""What was measured of one system, and the tables made of it."""

import dataclasses
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_demo.emotions import LABELS
from fer_demo.runtime.machine import processor
from fer_demo.stats import wilson

ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
"""How packages spell our classes otherwise."""


class PeerError(Exception):
    """A peer could not be measured; the message is one sentence."""


@dataclasses.dataclass(frozen=True)
class PeerResult:
    """What was measured of one system.

    Attributes:
        name: The package and its file, or the checkpoint.
        version: The package's.
        licence: As its package states it.
        runtime: What ran it, with versions.
        parameters: Numbers in the weights; None where the file format hides them.
        weight_bytes: Size of the weights' files.
        batch_size: Faces a call, the fastest of those tried.
        accuracy: Over all faces, 0 to 1.
        interval: Its 95 % Wilson interval.
        recall: Class name to recall, 0 to 1; without classes that do not occur.
        faces_per_second: Per second of CPU time, from uint8 48x48 to the answer; the median of the repeats.
        spread: The slowest and the fastest repeat.
        note: How the faces were prepared.
        ours: Whether it is a checkpoint of this project.
    """

    name: str
    version: str
    licence: str
    runtime: str
    parameters: int | None
    weight_bytes: int
    batch_size: int
    accuracy: float
    interval: tuple[float, float]
    recall: dict[str, float]
    faces_per_second: float
    spread: tuple[float, float]
    note: str = ""
    ours: bool = False


def to_classes(predicted: Sequence[int], names: Sequence[str]) -> np.ndarray:
    """Translates a peer's class numbers to ours.

    Args:
        predicted: Indices into `names`.
        names: The peer's classes in its own order and spelling.

    Returns:
        int64 (N,), indices into `fer_demo.emotions.LABELS`.

    Raises:
        ValueError: If the names are not the seven classes, or an index is none of theirs.
    """
    plain = [ALIASES.get(str(name).lower(), str(name).lower()) for name in names]
    if sorted(plain) != sorted(LABELS):
        raise ValueError(f"its classes are {', '.join(map(str, names))}")
    index = np.asarray(predicted, dtype=np.int64)
    if index.size and not 0 <= index.min() <= index.max() < len(plain):
        raise ValueError("it answers with classes that it does not have")
    return np.array([LABELS.index(name) for name in plain], dtype=np.int64)[index]


def score(name: str, found: Mapping[str, Any], labels: np.ndarray, *, note: str = "", ours: bool = False) -> PeerResult:
    """Makes a result of what a runner printed.

    Args:
        name: As `PeerResult.name`.
        found: The runner's JSON object.
        labels: int (N,), the true classes.
        note: As `PeerResult.note`.
        ours: As `PeerResult.ours`.

    Raises:
        PeerError: If something is missing or does not fit the faces.
    """
    try:
        if len(found["predicted"]) != len(labels):
            raise ValueError(f"it answered for {len(found['predicted']):,} of {len(labels):,} faces")
        predicted = to_classes(found["predicted"], found["labels"])
        speeds = [len(labels) / float(seconds) for seconds in found["cpu_seconds"]]
        facts = {key: str(found[key]) for key in ("version", "licence", "runtime")}
        facts |= {key: int(found[key]) for key in ("weight_bytes", "batch_size")}
        parameters = None if found["parameters"] is None else int(found["parameters"])
        speed = statistics.median(speeds)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        reason = f"it gave no {error}" if isinstance(error, KeyError) else str(error)
        raise PeerError(f"{name} gave an answer that cannot be used: {reason}.") from error
    right = predicted == labels
    accuracy = float(right.mean())
    return PeerResult(
        name=name,
        **facts,
        parameters=parameters,
        accuracy=accuracy,
        interval=wilson(accuracy, len(labels)),
        recall={LABELS[i]: float(right[labels == i].mean()) for i in range(len(LABELS)) if (labels == i).any()},
        faces_per_second=speed,
        spread=(min(speeds), max(speeds)),
        note=note,
        ours=ours,
    )


def this_machine() -> dict[str, Any]:
    """What a speed's reader needs to know of this machine: ``processor``, ``cpus``, ``pinned``, ``system``, ``python``.

    ``load`` is the number of processes that wanted a CPU over the last minute; None where the system does not say.
    """
    return {
        "processor": processor(),
        "cpus": os.cpu_count() or 1,
        "pinned": hasattr(os, "sched_setaffinity"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def is_busy(machine: Mapping[str, Any]) -> bool:
    """Whether other processes leave no whole core, so that speeds are too low."""
    return machine["load"] is not None and machine["load"] > machine["cpus"] - 1


def busy_note(machine: Mapping[str, Any]) -> str:
    """A sentence to add to a measurement on a busy machine; empty otherwise."""
    # CPU time leaves out waiting, but not what neighbours do to caches and clock.
    return f" Speeds are too low: the machine was busy (load {machine['load']})." if is_busy(machine) else ""


def table(results: Sequence[PeerResult], faces: int, machine: Mapping[str, Any] | None = None) -> str:
    """The results as Markdown, the most accurate first: what was done and where, the table, and notes.

    Args:
        results: In any order.
        faces: How many faces were measured.
        machine: As `this_machine` gives it; None is this machine.
    """
    machine = machine or this_machine()
    core = "one thread on one core" if machine["pinned"] else "one thread, not bound to a core"
    lines = [
        (
            f"{faces:,} faces of FER2013's PrivateTest, 48x48 grey; {machine['processor']}, {machine['system']}, "
            f"Python {machine['python']}; {core}.{busy_note(machine)}"
        ),
        "",
        (
            "| system | version | run by | licence | parameters | weights | accuracy (95 %) | faces per CPU second "
            "(slowest to fastest of 3) | batch |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ordered = sorted(results, key=lambda r: (-r.accuracy, -r.faces_per_second))
    for r in ordered:
        low, high = (f"{100 * v:.1f}" for v in r.interval)
        slow, fast = (f"{v:,.0f}" for v in r.spread)
        cells = [
            f"**{r.name}**" if r.ours else r.name,
            r.version,
            r.runtime,
            r.licence,
            "–" if r.parameters is None else f"{r.parameters:,}",
            f"{r.weight_bytes / 1e6:.2f} MB",
            f"{100 * r.accuracy:.2f} % ({low}–{high})",
            f"{r.faces_per_second:,.0f} ({slow}–{fast})",
            str(r.batch_size),
        ]
        lines.append("| " + " | ".join(cells).replace("\n", " ") + " |")
    if notes := {r.name: r.note for r in ordered if r.note}:
        lines += ["", *(f"- {name}: {note}" for name, note in notes.items())]
    return "\n".join(lines)
