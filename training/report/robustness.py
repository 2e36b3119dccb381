"""Tables of how well damaged faces are read."""

from collections.abc import Mapping, Sequence
from typing import Any

from fer_demo.vision.damages import KINDS, TWELVE, Damage

UNKNOWN = "–"


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The twelve in Markdown, a column a system.

    Args:
        results: Title to what `training.eval.robustness.robustness` returns, all on the same faces.
    """
    systems = list(results.values())
    lines = [f"| | {' | '.join(results)} |", "|---" * (len(systems) + 1) + "|"]
    lines.append(_line("undamaged", [_cell(s["clean"]) for s in systems]))
    for i, what in enumerate(TWELVE):
        lines.append(_line(what.words, [_cell(s["twelve"][i]) for s in systems]))
    lines.append(_line("**mean of the twelve**", [f"**{_cell(s['mean'])}**" for s in systems]))
    lines.append(_line("its 95 % interval", [_interval(s["mean"]["interval"]) for s in systems]))
    lines.append(_line("lowest accuracy", [_worst(s["worst"], "accuracy") for s in systems]))
    lines.append(_line("macro-F1 there", [f"{s['worst']['macro_f1']:.3f}" for s in systems]))
    lines.append(_line("largest ECE", [_largest_ece(s["twelve"]) for s in systems]))
    return "\n".join(lines)


def legend(result: Mapping[str, Any], split: str) -> str:
    """What the cells of `table` are, and on which faces.

    Args:
        result: One of the results.
        split: Whose faces they are.
    """
    return (
        f"{result['n']:,} faces of {split}, seed {result['seed']}. Cells: accuracy · expected calibration error (ECE, "
        "15 bins, after the checkpoint's temperature, of the crops that can be read) · share of the answers that are "
        "worded as unsure · in brackets the share of crops that are said to be unreadable."
    )


def ladder_tables(results: Mapping[str, Mapping[str, Any]]) -> str:
    """All strengths of each kind in Markdown, a table a kind.

    Args:
        results: As for `table`; those without ladders are left out.
    """
    known = {title: result for title, result in results.items() if "ladders" in result}
    parts = []
    for kind, about in KINDS.items():
        lines = [f"| {about.title} | {' | '.join(known)} |", "|---" * (len(known) + 1) + "|"]
        for i, strength in enumerate(about.ladder):
            words = "undamaged" if strength == about.none else Damage(kind, strength).words
            lines.append(_line(words, [_cell(result["ladders"][kind][i]) for result in known.values()]))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _line(title: str, cells: Sequence[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"


def _cell(measured: Mapping[str, Any]) -> str:
    """For example ``"68.2 % · 0.031 · 24 %"``; the accuracy alone where no more is known."""
    parts = [f"{100 * measured['accuracy']:.1f} %"]
    if "ece" in measured:
        unread = f" ({100 * measured['unreadable']:.0f} %)" if measured.get("unreadable") else ""
        parts += [f"{measured['ece']:.3f}", f"{100 * measured['unsure']:.0f} %{unread}"]
    return " · ".join(parts)


def _interval(interval: Sequence[float]) -> str:
    low, high = (100 * end for end in interval)
    return f"{low:.1f}–{high:.1f} %"


def _worst(measured: Mapping[str, Any], key: str) -> str:
    return f"{100 * measured[key]:.1f} %, {Damage(measured['kind'], measured['strength']).words}"


def _largest_ece(twelve: Sequence[Mapping[str, Any]]) -> str:
    if "ece" not in twelve[0]:
        return UNKNOWN
    worst = max(twelve, key=lambda m: m["ece"])
    return f"{worst['ece']:.3f}, {Damage(worst['kind'], worst['strength']).words}"
