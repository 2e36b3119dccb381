"""The Trade-offs page's first sentences: what the figures answer to a reader's questions, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from fer_demo.checkpoints import DEFAULT, checkpoint_metrics
from fer_demo.tradeoffs.measures import MEASURES, REPRODUCED
from fer_demo.tradeoffs.published import data_sets
from fer_demo.tradeoffs.table import Row
from fer_demo.tradeoffs.timing import Benchmark
from fer_demo.tradeoffs.turns import BUSY, MATRIX
from fer_demo.tradeoffs.words import accuracy_text, compared


def _best(rows: Sequence[Row]) -> Row | None:
    return max(rows, key=lambda row: row.values["accuracy"], default=None)


def time_text(row: Row) -> str:
    """A row's latency with its ratio to the yardstick, ``"4.70 ms (0.21 products)"``; a dash for none."""
    text = MEASURES["latency"].text(row.values.get("latency"))
    if row.timing is None:
        return text
    engine = "" if row.timing.engine == "onnx" else ", with PyTorch"
    return f"{text} ({MEASURES['products'].text(row.values['products'])}{engine})"


def busy_note(benchmark: Benchmark) -> str:
    """A warning for times that other programs have lengthened; empty for a machine that had nothing else to do."""
    if benchmark.busy < BUSY:
        return ""
    return (
        f"The machine was busy: by the clock, a measurement took up to {benchmark.busy:.1f} times its processor time. "
        "Milliseconds are processor time, without the waiting, but crowded caches lengthen that too: trust the ratios "
        f"to the {MATRIX} × {MATRIX} matrix product, measured in turns with them, or measure again later."
    )


def for_my_device(rows: Sequence[Row], data: str = "fer2013", answering: str = DEFAULT) -> str:
    """Which network to take: the most accurate with weights here, the lightest, and the one for photographs.

    Args:
        rows: From `tradeoff_rows`.
        data: A key of `data_sets`.
        answering: The model that answers on the Predict page.
    """
    title = data_sets()[data]["title"]
    ready = [row for row in rows if row.usable and row.data == data]
    best = _best(ready)
    if best is None:
        return f"**None yet**: no weights for {title} are bundled. The chart shows what others have published."
    light = min(ready, key=lambda row: (row.values["macs"], -row.values["accuracy"]))
    words = (
        f"**`{best.title}`** is the most accurate with weights here: {accuracy_text(best)} on {title}, {_costs(best)}."
    )
    if light is best:
        words += " It is also the lightest." if len(ready) > 1 else " It is the only one."
    else:
        points = 100 * (best.values["accuracy"] - light.values["accuracy"])
        times = best.values["macs"] / light.values["macs"]
        less = f"for {points:.1f} points less" if round(points, 1) else "with the same accuracy"
        words += (
            f" On a small device take **`{light.title}`**: {times:.0f} times less arithmetic {less} "
            f"({accuracy_text(light)}, {_costs(light)})."
        )
    photos = next((row for row in ready if row.checkpoint == DEFAULT), None)
    measured = checkpoint_metrics(DEFAULT).get("photos") if photos else None
    if measured:
        here = ", which answers on the Predict page" if answering == DEFAULT else ""
        words += (
            f" For people's own photographs take **`{DEFAULT}`**{here}: it is right on "
            f"{MEASURES['accuracy'].text(measured['accuracy'])} of {measured['n']:,} photographs."
        )
    return words


def _costs(row: Row) -> str:
    parts = [f"a file of {MEASURES['file_bytes'].text(row.values['file_bytes'])}"]
    if "latency" in row.values:
        parts.append(f"{time_text(row)} a face on this server")
    else:
        parts.append(f"{MEASURES['macs'].text(row.values['macs'])} multiply-accumulates a face")
    return ", ".join(parts)


def does_the_claim_hold(rows: Sequence[Row]) -> str:
    """What the paper claims on each of its data sets, and whether weights trained here reach it."""
    parts = []
    for data, facts in data_sets().items():
        ours, _ = compared(rows, data)
        claim, size = ours.values["accuracy"], ours.values["parameters"] / 1e6
        words = f"{MEASURES['accuracy'].text(claim)} on {facts['title']} with {size:g} million parameters"
        # The claim is about the paper's network, so that other members of the family do not answer it.
        found = _best([row for row in rows if row.kind == REPRODUCED and row.data == data and row.model == ours.model])
        if found is None:
            verdict = "**that was not checked here**: there are no weights for it"
        else:
            low, high = found.intervals["accuracy"]
            name = f"`{found.title}` reaches {accuracy_text(found)}"
            if low > claim:
                verdict = f"**it holds, and more**: {name}"
            elif high >= claim:
                verdict = f"**it holds**: {name}, and the claim lies within that interval"
            else:
                verdict = f"**it was not reached**: {name}"
        parts.append(f"{words}, and {verdict}.")
    return "The paper claims " + " It claims ".join(parts)


def what_ingredients_bring(groups: Mapping[str, Mapping[str, Any]], headline: str = "") -> str:
    """Which variants of the ablations differ by more than chance, and what their accuracies may be compared with.

    Args:
        groups: A word for each group of ablations ("block", "training") to what `training.report.ablations` found:
            ``accuracy``, ``epochs``, and ``parts`` with ``title``, ``difference`` and ``interval``.
        headline: The accuracy of the best weights in words, such as ``"71.6 %"``, which these must not be taken for.
    """
    if not groups:
        return "**Not known yet**: no runs of this kind are recorded."
    sentences = []
    for word, found in groups.items():
        parts = found["parts"]
        clear = [p for p in parts if not p["interval"][0] <= 0 <= p["interval"][1]]
        if not clear:
            sentences.append(f"No change to the {word} makes a difference beyond chance, of {len(parts)} tried.")
            continue
        most = max(clear, key=lambda p: abs(p["difference"]))
        points = 100 * most["difference"]
        more = "gains" if points > 0 else "loses"
        rest = len(parts) - len(clear)
        others = f"; {rest} of {len(parts)} changes may be chance" if rest else ""
        sentences.append(
            f"**Of the {word}, the change that matters most** is “{most['title']}”, which {more} {abs(points):.1f} "
            f"points{others}."
        )
    lowest = MEASURES["accuracy"].text(min(found["accuracy"] for found in groups.values()))
    epochs = max(found["epochs"] for found in groups.values())
    beside = f" They say how variants compare, not how good the network gets: trained in full it reaches {headline}."
    sentences.append(
        f"All this is from {count_in_words(epochs)} short epochs on small pictures, after which the whole "
        f"reaches {lowest}." + (beside if headline else "")
    )
    return " ".join(sentences)


def count_in_words(count: int) -> str:
    """``"ten"`` for 10; digits from 13 on."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    return words[count] if count < len(words) else str(count)
