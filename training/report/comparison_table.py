"""The figures of a comparison as a table."""

from collections.abc import Mapping
from typing import Any

from training.eval.evaluate import TEST_SPLITS
from training.run.plans import WITH_LANDMARKS


def comparison_table(results: Mapping[str, Any]) -> str:
    """A Markdown table: each variant's accuracies, and what it gains over the first, seed by seed.

    Args:
        results: As `training.run.plans.compared` makes them. Variants without figures are left out.

    Returns:
        Lines with a line break each. Accuracies in percent are means with the standard deviation over seeds, gains in
        percentage points are means of the differences to the first with their 95 % interval.
    """
    splits = [split for split in TEST_SPLITS if any(split in figures for figures in results.values())]
    head = ["", "seeds", *(column for split in splits for column in (split, "gain"))]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    first = next(iter(results.values()), {})
    for variant, figures in results.items():
        for suffix in ("", WITH_LANDMARKS):
            parts = [figures.get(f"{split}{suffix}") for split in splits]
            if not any(parts):
                continue
            seeds = max(len(part["accuracies"]) for part in parts if part)
            cells = [f"{variant}{suffix}", str(seeds)]
            for split, part in zip(splits, parts, strict=True):
                cells += [_accuracy(part), "" if part is first.get(split) else _gain(part)]
            lines.append(f"| {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def _accuracy(part: Mapping[str, Any] | None) -> str:
    if not part:
        return ""
    spread = "" if part["standard_deviation"] is None else f" ± {100 * part['standard_deviation']:.2f}"
    return f"{100 * part['mean']:.2f}{spread}"


def _gain(part: Mapping[str, Any] | None) -> str:
    if not part or part["gain"] is None:
        return ""
    interval = part["gain_interval"]
    return f"{100 * part['gain']:+.2f}" + (
        f" ({100 * interval[0]:+.2f} to {100 * interval[1]:+.2f})" if interval else ""
    )
