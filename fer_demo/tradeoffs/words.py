"""What the numbers say, in sentences: for the page's head, for a system's card, and for the paper's tables."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import timm

from fer_demo.checkpoints import checkpoint_metrics, recipe_chain
from fer_demo.tradeoffs.costs import network_costs
from fer_demo.tradeoffs.measures import KINDS, MEASURES, NOT_TRAINED, PUBLISHED, REPRODUCED
from fer_demo.tradeoffs.published import Source, System, data_sets, systems, tables
from fer_demo.tradeoffs.table import Row


def what_it_buys(rows: Sequence[Row], data: str) -> str:
    """What the paper's network gives for its size on one data set, as Markdown.

    Args:
        rows: From `tradeoff_rows`.
        data: A key of `data_sets`.
    """
    here = [row for row in rows if row.data == data and row.published and row.published.result.table]
    ours = next(row for row in here if row.published.this_paper)
    best = max((row for row in here if row is not ours), key=lambda row: row.values["accuracy"])
    gap = 100 * (best.values["accuracy"] - ours.values["accuracy"])
    size = MEASURES["parameters"].text(ours.values["parameters"]).replace("0.480", "0.48")
    times = best.values["parameters"] / ours.values["parameters"]
    words = (
        f"**{size} parameters give {_percent(ours.values['accuracy'])} on {data_sets()[data]['title']}** in the paper: "
        f"{gap:.1f} points less than the most accurate rival ({best.title}, {_percent(best.values['accuracy'])}), "
        f"which has {times:.1f} times as many."
    )
    trained = [row for row in rows if row.data == data and row.kind == REPRODUCED and "sedense" in row.model]
    if trained:
        found = max(trained, key=lambda row: row.values["accuracy"])
        words += f" Trained here, `{found.title}` reaches {accuracy_text(found)}."
    else:
        words += " Nothing has been trained on it here yet."
    return words


def _percent(share: float) -> str:
    return MEASURES["accuracy"].text(share)


def accuracy_text(row: Row) -> str:
    """A row's accuracy with its interval, e.g. ``"69.5 % (68.0 to 71.0)"``; a dash for none."""
    value = row.values["accuracy"]
    if value is None:
        return "–"
    low, high = row.intervals["accuracy"]
    return f"{_percent(value)} ({100 * low:.1f} to {100 * high:.1f})"


def paper_table(
    rows: Sequence[Row], number: int, others: Mapping[tuple[str, str], str] | None = None
) -> list[dict[str, Any]]:
    """One of the paper's tables with what was reproduced beside it.

    Args:
        rows: From `tradeoff_rows`.
        number: A key of `tables`.
        others: Model and data set to what was reached without bundling the weights, for systems without any.

    Returns:
        A line a system: ``system``; ``published accuracy`` from 0 to 1 and ``published parameters`` in millions as
        printed; ``reproduced here``, the accuracy of bundled weights of that network on that data set with its
        interval, or of the variant with the paper's other stem, or what `others` says, or ``"not trained"``;
        ``parameters here`` in millions, None for a network that is not built.

    Raises:
        KeyError: If there is no such table.
    """
    tables()[number]
    lines = []
    for row in rows:
        if row.published is None or row.published.result.table != number:
            continue
        family = row.published.this_paper  # the paper's network has two stems, and either may be trained
        trained = [
            other
            for other in rows
            if other.kind == REPRODUCED
            and other.data == row.data
            and (other.model in ("fer_sedense", "fer_sedense_s2") if family else other.model == row.model)
        ]
        own = [r for r in trained if r.model == (row.model or row.published.system.model)]
        best = max(own or trained, key=lambda r: r.values["accuracy"], default=None)
        reached = f"{accuracy_text(best)}, {best.model}" if best else None
        if best and not own:
            reached = f"{NOT_TRAINED}; its variant {best.model}: {accuracy_text(best)}"
        short = (others or {}).get((row.published.system.model, row.data))
        built = best or next((r for r in rows if r.kind == PUBLISHED and r.model == row.model and r.model), None)
        lines.append(
            {
                "system": row.title,
                "published accuracy": row.published.result.accuracy,
                "published parameters": row.published.parameters / 1e6,
                "reproduced here": reached or short or NOT_TRAINED,
                "parameters here": _built_parameters(built),
            }
        )
    return lines


def _built_parameters(row: Row | None) -> float | None:
    return network_costs(*row.network).parameters / 1e6 if row and row.network else None


@dataclass(frozen=True)
class Card:
    """A system in words, each a Markdown sentence or two.

    Attributes:
        title: Its name.
        kind: What its numbers are worth.
        what: What it is.
        paper: Who described it, with a link.
        code: Where it is in the code.
        trained: How it was trained.
    """

    title: str
    kind: str
    what: str
    paper: str
    code: str
    trained: str


def card(row: Row) -> Card:
    """A row's card.

    Args:
        row: The row.
    """
    system = row.published.system if row.published else next((s for s in systems() if s.model == row.model), None)
    return Card(
        title=row.title,
        kind=f"**{row.kind}**: {KINDS[row.kind]}.",
        what=_sentence(system.what) if system else _doc(row.model),
        paper=_paper(row, system),
        code=_code(row),
        trained=_trained(row),
    )


def _paper(row: Row, system: System | None) -> str:
    if system is None or system.source is None:
        return "None: a network of this project."
    words = cite(system.source)
    paper = systems()[0].source
    if row.published and row.published.result.table and paper != system.source:
        words += f" The numbers are those that {paper.authors.partition(',')[0]} et al. ({paper.year}) print."
    return words


def cite(source: Source) -> str:
    """A paper as a Markdown sentence with its link."""
    title = f"[{source.title}]({source.url})" if source.url else f"*{source.title}*"
    return f"{source.authors}: {title}, {source.venue}, {source.year}."


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _code(row: Row) -> str:
    if not row.model:
        return "Not built here."
    path = timm.model_entrypoint(row.model).__module__.replace(".", "/") + ".py"
    arguments = f'"{row.checkpoint}", pretrained=True' if row.checkpoint else f'"{row.model}"'
    return f"`{path}`; `timm.create_model({arguments})`."


def _doc(model: str | None) -> str:
    doc = inspect.getdoc(timm.model_entrypoint(model)) if model else None
    return (doc or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")


def _trained(row: Row) -> str:
    if row.checkpoint:
        training = checkpoint_metrics(row.checkpoint).get("training", {})
        recipe = training.get("recipe", {})
        if not recipe:
            return "Its `metrics.json` does not say."
        epochs = " + ".join(str(earlier["epochs"]) for earlier in recipe_chain(training))
        return (
            f"Here, for {epochs} epochs of {recipe['opt'].upper()} in batches of {recipe['batch_size']}, "
            f"peak learning rate {recipe['lr']:g}; weights of epoch {training.get('chosen_epoch', '?')}. The "
            "model card and the Training page have the rest."
        )
    if row.published:
        return f"By its authors. {row.published.system.trained or 'Their paper says how.'}"
    return "Not yet."


def what_it_does_not_buy(rows: Sequence[Row]) -> str:
    """What few parameters do not give, as Markdown: little arithmetic. From the FER2013 rows of the paper's table."""
    here = [row for row in rows if row.published and row.published.result.table and row.values["macs"]]
    ours = next(row for row in here if row.published.this_paper)
    rivals = [row for row in here if row.data == ours.data and row is not ours]
    fewer = [row for row in rivals if row.values["macs"] < ours.values["macs"]]
    count = f"all {len(rivals)}" if len(fewer) == len(rivals) else f"{len(fewer)} of {len(rivals)}"
    variants = [
        row
        for row in rows
        if row.data == ours.data
        and row.kind == REPRODUCED
        and "sedense" in row.model
        and abs(row.values["parameters"] / ours.values["parameters"] - 1) < 0.02  # not a smaller network
    ]
    words = (
        f"It buys a **small file**, {MEASURES['file_bytes'].text(ours.values['file_bytes'])}, not little arithmetic: "
        f"one face takes {MEASURES['macs'].text(ours.values['macs'])} multiply-accumulates, and {count} rivals "
        f"on {data_sets()[ours.data]['title']} take fewer."
    )
    light = min(variants, key=lambda row: row.values["macs"], default=None)
    if light and light.values["macs"] < ours.values["macs"]:
        words += (
            f" `{light.title}`, which halves the picture first, takes {MEASURES['macs'].text(light.values['macs'])}."
        )
    return words
