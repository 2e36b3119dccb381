"""What the numbers say, in sentences: for the page's head, for a system's card, and for the paper's tables."""

from collections.abc import Mapping, Sequence

import timm

from fer_demo.checkpoints import checkpoint_metrics
from fer_demo.provenance import recipe_chain
from fer_demo.tradeoffs.costs import network_costs
from fer_demo.tradeoffs.measures import MEASURES, REPRODUCED, not_trained
from fer_demo.tradeoffs.published import data_sets, systems
from fer_demo.tradeoffs.reproduced import Reproduced
from fer_demo.tradeoffs.table import Row

TABLE_COLUMNS = ("system", "published accuracy", "published parameters", "reproduced here", "parameters here")


def _accuracy(row: Row) -> float:
    return row.values["accuracy"]


def _percent(share: float) -> str:
    return MEASURES["accuracy"].text(share)


def compared(rows: Sequence[Row], data: str) -> tuple[Row, list[Row]]:
    """The paper's own row and its rivals' in its table for a data set."""
    table = [row for row in rows if row.data == data and row.published and row.published.result.table]
    ours = next(row for row in table if row.published and row.published.this_paper)
    return ours, [row for row in table if row is not ours]


def accuracy_text(row: Row) -> str:
    """A row's accuracy with its interval, e.g. ``"69.5 % (68.0 to 71.0)"``; a dash for none."""
    if "accuracy" not in row.values:
        return "–"
    low, high = row.intervals["accuracy"]
    return f"{_percent(_accuracy(row))} ({100 * low:.1f} to {100 * high:.1f})"


def what_it_buys(rows: Sequence[Row], data: str) -> str:
    """What the paper's network gives for its size on one data set, as Markdown.

    Args:
        rows: From `tradeoff_rows`.
        data: A key of `data_sets`.
    """
    ours, rivals = compared(rows, data)
    size = ours.values["parameters"]
    trained = [row for row in rows if row.data == data and row.kind == REPRODUCED and "sedense" in row.title]
    found = max(trained, key=_accuracy, default=None)
    here = "Not trained here yet."
    if found:
        best = max(rivals, key=_accuracy, default=None)
        rival = _best_here(rows, best.model, data) if best else None
        beside = f", and that rival {accuracy_text(rival)}" if rival else ""
        here = f"Trained here, `{found.title}` reaches {accuracy_text(found)}{beside}."
    return (
        f"**{size / 1e6:g}\N{NO-BREAK SPACE}M parameters give {_percent(_accuracy(ours))} on "
        f"{data_sets()[data]['title']}** in the paper{_against_the_best(ours, rivals)}. {here}"
    )


def _best_here(rows: Sequence[Row], model: str | None, data: str) -> Row | None:
    """The most accurate row of a network that was trained here."""
    here = [row for row in rows if (row.model, row.data, row.kind) == (model, data, REPRODUCED)]
    return max(here, key=_accuracy, default=None)


def _against_the_best(ours: Row, rivals: Sequence[Row]) -> str:
    """How the paper's row stands to the most accurate of its rivals, as the end of a sentence."""
    best = max(rivals, key=_accuracy, default=None)
    if best is None:
        return ", which compares it with no other"
    gap = round(100 * (_accuracy(best) - _accuracy(ours)), 1)
    more = {True: f"{abs(gap):.1f} points less than", False: f"{abs(gap):.1f} points more than"}[gap > 0]
    times = best.values["parameters"] / ours.values["parameters"]
    size = f"{times:.1f} times as many" if round(times, 1) != 1 else "about as many"
    rival = f"the most accurate rival ({best.title}, {_percent(_accuracy(best))}), which has {size}"
    return f": {more if gap else 'just as much as'} {rival}"


def what_it_does_not_buy(rows: Sequence[Row]) -> str:
    """What few parameters do not give, as Markdown: little arithmetic. From the FER2013 rows of the paper's table."""
    ours, rivals = compared(rows, "fer2013")
    built = [row for row in rivals if row.network]
    fewer = sum(row.values["macs"] < ours.values["macs"] for row in built)
    in_table = {row.model for row in (ours, *rivals)}
    others = {row.model: row.values["macs"] for row in rows if row.data == ours.data and row.network}
    more = sum(macs > ours.values["macs"] for model, macs in others.items() if model not in in_table)
    light = network_costs("fer_sedense_s2", ours.size)
    return (
        f"It buys a **small file**, {MEASURES['file_bytes'].text(ours.values['file_bytes'])}, not little arithmetic: "
        f"one face takes {MEASURES['macs'].text(ours.values['macs'])} multiply-accumulates. In the paper's table for "
        f"{data_sets()[ours.data]['title']}, {_fewer(fewer, len(built))}"
        f"{f'; of the networks beyond that table, {more} {_verb(more)} more' if more else ''}. `fer_sedense_s2`, which "
        f"halves the picture first, takes {MEASURES['macs'].text(light.macs)}."
    )


def _verb(count: int) -> str:
    return "takes" if count == 1 else "take"


def _fewer(fewer: int, of: int) -> str:
    """How many rivals need fewer multiply-accumulates, as part of a sentence."""
    if not of:
        return "no rival is built here"
    if of == 1:
        return f"the one rival takes {'fewer' if fewer else 'no fewer'}"
    if fewer in (0, of):
        return f"{'each' if fewer else 'none'} of the {of} rivals takes fewer"
    return f"{fewer} of the {of} rivals {_verb(fewer)} fewer"


def paper_table(
    rows: Sequence[Row], number: int, others: Mapping[tuple[str, str], str] | None = None
) -> list[dict[str, str | float | None]]:
    """One of the paper's tables with what was reproduced beside it.

    Args:
        rows: From `tradeoff_rows`.
        number: A key of `tables`.
        others: Model and data set to what was reached without bundling the weights, for systems without any.

    Returns:
        A line a system with the keys `TABLE_COLUMNS`: accuracy from 0 to 1 and parameters in millions as printed; the
        accuracy of the best weights trained here with its interval, or what `others` says, or ``"not trained"``; and
        how many million parameters the network has that is built here, if there is one.
    """
    lines: list[dict[str, str | float | None]] = []
    for row in rows:
        if row.published is None or row.published.result.table != number:
            continue
        network = row.published.system.model, row.data
        best = _best_here(rows, *network)
        reached = accuracy_text(best) if best else (others or {}).get(network, not_trained(*network))
        built = network_costs(*row.network).parameters / 1e6 if row.network else None
        values = row.title, _accuracy(row), row.values["parameters"] / 1e6, reached, built
        lines.append(dict(zip(TABLE_COLUMNS, values, strict=True)))
    return lines


def card(row: Row) -> dict[str, str]:
    """What there is to say of a row's system: a heading and a sentence or two of Markdown, four times."""
    system = row.published.system if row.published else next((s for s in systems() if s.model == row.model), None)
    what = system.what if system else row.title
    paper, code, trained = "None: a network of this project.", "Not built here.", "Not yet."
    if system and system.source:
        paper = system.source.markdown
        if row.published and row.published.result.table and not row.published.this_paper:
            paper += f" The numbers are those in table {row.published.result.table} of the SE-Dense paper."
    if row.model:
        path = timm.model_entrypoint(row.model).__module__.replace(".", "/") + ".py"
        arguments = f'"{row.checkpoint}", pretrained=True' if row.checkpoint else f'"{row.model}"'
        code = f"`{path}`; `timm.create_model({arguments})`."
    if row.checkpoint:
        trained = _trained(row.checkpoint)
    elif row.reproduced:
        trained = _trained_again(row.reproduced)
    elif row.published:
        trained = f"By its authors. {row.published.system.trained or 'Their paper says how.'}"
    return {
        "What it is": f"{what[0].upper()}{what[1:]}.",
        "Paper": paper,
        "In the code": code,
        "How it was trained": trained,
    }


def _trained_again(found: Reproduced) -> str:
    seeds = f"; the best of {found.seeds} seeds on PublicTest" if found.seeds > 1 else ""
    note = f" {found.note}" if found.note else ""
    return f"Here, {found.schedule}{seeds}. Its weights are not bundled: `{found.command}` trains them again.{note}"


def _trained(checkpoint: str) -> str:
    training = checkpoint_metrics(checkpoint).get("training", {})
    if not training.get("recipe"):
        return "Its `metrics.json` does not say."
    epochs = " + ".join(str(recipe["epochs"]) for recipe in recipe_chain(training))
    words = f"Here, for {epochs} epochs of {training['recipe']['opt'].upper()}"
    note = f" {training['note']}" if training.get("note") else ""
    return f"{words}; weights of epoch {training.get('chosen_epoch', '?')}.{note} The model card has the rest."
