"""Every published figure, computed again from the bundled weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.runtime.torch_engine import create_trained
from fer_demo.tradeoffs.costs import network_costs
from training.data import Faces
from training.eval.evaluate import TEST_SPLITS, evaluate, view_and_truth
from training.eval.tta import NO_TTA, TTA_TITLES, VERSIONS

TABLE_FILE = Path(__file__).parents[2] / "docs" / "accuracy.md"
"""Where the table of all checkpoints stands."""


def percent(part: dict[str, Any]) -> str:
    """A split's accuracy with its 95 % interval."""
    low, high = part["interval"]
    return f"{part['accuracy']:.2%} ({low:.1%}–{high:.1%})"


def by_tta(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Kind of test-time augmentation to split to figures, those without it first."""
    return {NO_TTA: {split: metrics[split] for split in TEST_SPLITS if split in metrics}} | metrics.get("tta", {})


def results_table(figures: dict[str, dict[str, Any]]) -> str:
    """The table of `TABLE_FILE`.

    Args:
        figures: Checkpoint name to the content of its ``metrics.json``.

    Returns:
        Markdown, best PublicTest accuracy first: PublicTest chose the weights, so it may also order them.
    """
    lines = [
        "| checkpoint | parameters | view | PublicTest | PrivateTest | PrivateTest without duplicates |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted(figures, key=lambda n: -figures[n]["PublicTest"]["accuracy"]):
        for kind, splits in by_tta(figures[name]).items():
            public, private = splits["PublicTest"], splits["PrivateTest"]
            cells = [f"`{name}`", f"{figures[name]['parameters']:,}", TTA_TITLES[kind], percent(public)]
            cells += [percent(private), percent(private["without_duplicates"])]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def table_hint(figures: dict[str, dict[str, Any]], file: Path = TABLE_FILE) -> str | None:
    """One sentence if a file shows another table than `results_table`; None if it shows this one or is not there."""
    if not file.is_file() or results_table(figures) in file.read_text(encoding="utf-8"):
        return None
    return f"{file} has another table, since other checkpoints are here: put the one above there."


def differences(stated: Any, found: Any, path: str = "") -> Iterator[str]:
    """One sentence for each figure of `stated` that `found` does not repeat.

    Counts and everything derived from them must be equal. Losses, calibration errors, mean confidences and what
    follows from the threshold of the sets are floating-point numbers that depend on the processor: there the last
    printed digit may differ by one.
    """
    if isinstance(stated, dict):
        for key, value in stated.items():
            yield from differences(value, found.get(key) if isinstance(found, dict) else None, f"{path} {key}".strip())
    elif isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        for i, (a, b) in enumerate(zip(stated, found, strict=True)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(stated, float) and isinstance(found, float):
        rounded = any(word in path for word in ("loss", "ece", "reliability", "temperature", "set"))
        if abs(stated - found) > (1.5e-4 if rounded else 0):
            yield f"{path}: stated {stated}, found {found}"
    elif stated != found:
        yield f"{path}: stated {stated}, found {found}"


def looks(stated: dict[str, Any], faces: Faces) -> int:
    """How many pictures a network looks at until `evaluate` has all that a checkpoint states.

    Args:
        stated: The content of its ``metrics.json``.
        faces: The data.
    """
    mirror = view_and_truth(stated.get("training", {})).get("mirror")
    kinds = {NO_TTA, *stated.get("tta", {}), *(["flip"] if mirror else [])}
    pictures = sum(int((faces.splits == split).sum()) for split in TEST_SPLITS)
    return pictures * sum(VERSIONS[kind] for kind in kinds)


def reproduce(
    faces: Faces, names: list[str] | None = None, *, quiet: bool = True
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Evaluates bundled checkpoints again, with the test-time augmentation that their ``metrics.json`` states.

    Args:
        faces: FER2013 with all three splits.
        names: Checkpoints; all by default.
        quiet: No progress bar.

    Returns:
        Name to figures, and a sentence for each figure that differs from ``metrics.json``.
    """
    found, problems = {}, []
    figures = {name: checkpoint_metrics(name) for name in names or bundled_checkpoints()}
    # In multiply-accumulates, so that the time left is right although some networks take thirty times as many.
    cost = {
        name: network_costs(name.partition(".")[0], stated["size"][0]).macs if "size" in stated else 1
        for name, stated in figures.items()
    }
    total = sum(looks(stated, faces) * cost[name] for name, stated in figures.items())
    models = {name: create_trained(name) for name in figures}  # before minutes of work: a name may be wrong
    form = "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=total, bar_format=form, disable=quiet, leave=False, mininterval=1.0) as bar:
        for name, stated in figures.items():
            bar.set_description(name)
            found[name] = evaluate(
                models[name],
                faces,
                tta=tuple(stated.get("tta", {})),
                looked=lambda count, each=cost[name]: bar.update(count * each),
                **view_and_truth(stated.get("training", {})),
            )
            compared = {key: value for key, value in stated.items() if key not in ("training", "photos")}
            problems += [f"{name}: {line}" for line in differences(compared, found[name])]
    return found, problems
