"""The sentences of a model card that depend on the data: what is known of them, and nothing else."""

from typing import Any

from fer_demo.provenance import recipe_chain
from fer_demo.tradeoffs.published import data_sets
from training.run.provenance import releases

_SPLITS = ("Training", "PublicTest", "PrivateTest")


def trained_on(training: dict[str, Any], key: str, released: bool) -> str:
    """What the weights were trained on, as the end of a sentence.

    Args:
        training: As ``metrics.json`` has it.
        key: Of `training.report.card.DATA_SETS`; empty for data of somebody's own.
        released: Whether nothing else had a part in these weights, as is known of released ones.
    """
    said = f" ({training['data']})" if "data" in training else ""
    facts = training.get("facts", {}).get("data")
    votes = " and FER+'s votes" if training["recipe"].get("targets", "labels") != "labels" else ""
    if key:
        alone = " alone" if released else ""
        return f"the Training split of {data_sets()[key]['title']}{votes}{alone}{said}"
    if not facts:
        return f"data of which this card knows nothing else{said}"
    counts = {split: sum(classes.values()) for split, classes in facts["splits"].items()}
    classes = next(iter(facts["splits"].values()))
    others = ", ".join(f"{counts[s]:,} of {s}" for s in _SPLITS[1:] if s in counts)
    words = f"{facts['layout'] or 'pictures'}{said}: {counts.get('Training', 0):,} Training pictures in {len(classes)} "
    words += (
        f"classes ({', '.join(f'{n} {c:,}' for n, c in facts['splits'].get('Training', {}).items())}){votes}, beside "
    )
    words += f"{others}, each brought to {facts['side']}×{facts['side']} pixels"
    split = facts["split_words"]
    return words + (f". {split[0].upper()}{split[1:]}" if split else ". The data state these splits")


def licence(terms: str, training: dict[str, Any]) -> str:
    """Under what terms data and weights may be used.

    Args:
        terms: Those of the data; empty if nobody knows them.
        training: As ``metrics.json`` has it.
    """
    if terms:
        return f"{terms}; treat the weights likewise."
    said = "this card does not know the terms of the pictures; whoever gives the weights away must."
    digests = {step["sha256"] for step in training.get("lineage", [])} | set(training.get("teachers", {}).values())
    if any(release.sha256 in digests for release in releases()):
        said += (
            " Weights that were trained on FER2013 had a part in these: it was published for research and education "
            "without a clear licence for the pictures."
        )
    return said


def photographs(metrics: dict[str, Any], key: str, released: bool) -> str:
    """What two kinds of labels make of a checkpoint, and its figures on photographs; empty where neither is known.

    Args:
        metrics: The content of ``metrics.json``.
        key: Of the data set behind the figures; empty for one of somebody's own.
        released: Whether it is known how the photographs were used.
    """
    split = "PrivateTest" if "PrivateTest" in metrics else "PublicTest"
    point, photos = metrics.get("training", {}).get("operating_point"), metrics.get("photos")
    words = ""
    owner, those = ("FER2013's", "FER2013's") if key == "fer2013" else ("The data's", "the data's")
    how = "chosen on PublicTest and on photographs" if released else "given by hand"
    complaint = ", which call\nmany neutral faces angry or sad" if key == "fer2013" else ""
    use = "that were not trained on but chose the operating point" if released else "given for the export"
    if point:
        share, votes = point["votes_share"], metrics[split]["votes"]
        low, high = votes["interval"]
        words += (
            f"**Two kinds of labels.** {owner} labels and the votes of FER+'s ten annotators taught this network,\n"
            f"and its answer weighs the votes with {share:.0%}. So it agrees less with {those} labels{complaint}, "
            "and more with the annotators: "
            f"{votes['accuracy']:.2%} ({low:.1%}–{high:.1%})\n"
            f"of the {votes['n']:,} {split} pictures of which more than half of them say one of the seven. The\n"
            f"share{_corrected(point)} was {how}.\n\n"
        )
    if photos:
        low, high = photos["interval"]
        words += (
            f"**On photographs** (`python -m training photos`), from photo to answer: {photos['accuracy']:.1%} "
            f"({low:.1%}–{high:.1%}) of {photos['n']}\n{use}; mean "
            f"recall of the classes {photos['macro_recall']:.1%},\n{photos['natural_mix']:.1%} with classes weighted "
            f"as people's photographs show them; calibration error {photos['ece']:.3f}.\n\n"
        )
    return words


def _corrected(point: dict[str, Any]) -> str:
    """The prior correction among the words of an operating point."""
    nats = point.get("prior_correction") or {}
    return f", with {' and '.join(f'{v:g} nats more for {k}' for k, v in nats.items())}," if nats else ""


def start(training: dict[str, Any]) -> str:
    """What the weights started from, as the middle of a sentence."""
    name, before = training["recipe"]["init_from"], recipe_chain(training)[:-1]
    if not name:
        return "from scratch"
    epochs = f", trained for {' + '.join(str(r['epochs']) for r in before)} epochs" if before else ""
    new = training.get("facts", {}).get("initial_classifier") == "new"
    but = ", all but its classifier, which began anew since it had other classes" if new else ""
    return f"starting from the weights {name.partition('@')[0]}{epochs}{but}"


def chosen(released: bool) -> str:
    """What PublicTest decided."""
    return "Epoch and settings were chosen on PublicTest." if released else "The epoch was chosen on PublicTest."


def evaluated(name: str, training: dict[str, Any], both: bool) -> str:
    """How often PrivateTest was looked at, as far as that is known.

    Args:
        name: The checkpoint's.
        training: As ``metrics.json`` has it.
        both: Whether there is a PrivateTest.
    """
    if not both:
        return "The data\nhave no PrivateTest: these figures are of the pictures that chose, so expect less on others."
    once = "PrivateTest was evaluated once, for the chosen weights."
    if "seeds" in training:
        once = "PrivateTest was evaluated once for each run, and decided nothing."
    architecture = name.partition(".")[0]
    looked = [r.name for r in releases() if r.private is not None and r.name.partition(".")[0] == architecture]
    if name not in looked:
        return once if "seeds" in training else "PrivateTest chose nothing within this run."
    place = looked.index(name)
    before = f"after {', '.join(f'`{earlier}`' for earlier in looked[:place])}" if place else "the first one"
    return f"{once} Of {architecture} this is set of weights number {place + 1} for which it was seen, {before}."
