"""The model card: what a checkpoint is, how it was made, how good it is and what it must not be used for."""

from dataclasses import dataclass
from typing import Any

from fer_demo.emotions import DISCLAIMER, LABELS
from fer_demo.tradeoffs.published import HUMAN_CAVEAT, human, systems
from training.eval.reproduce import by_tta, percent
from training.eval.tta import TTA_TITLES
from training.report.card_data import chosen, evaluated, licence, photographs, start, trained_on
from training.report.card_text import augmentation, levers, note, seeds, sources
from training.run.config import TrainConfig
from training.run.provenance import releases


@dataclass(frozen=True)
class DataSet:
    """What a card says about the data behind the weights.

    Attributes:
        compare: What others reach on it, beside what is published of the network.
        limits: What its pictures and labels cannot support.
        licence: Under what terms it is given out.
    """

    compare: str
    limits: str
    licence: str


DATA_SETS = {
    "fer2013": DataSet(
        compare=f"People reach {human()} on these pictures (Goodfellow et al. 2013). {HUMAN_CAVEAT}",
        limits="FER2013 comes from a web image search of 2013, its labels are noisy, and it says nothing about age, "
        "gender or skin colour, so no statement about fairness can be made.",
        licence="FER2013 was published for research and education without a clear licence for the pictures",
    ),
    "raf_single": DataSet(
        compare="RAF-DB has no validation split: PublicTest is every tenth training picture of a class, and "
        "PrivateTest is the official test set.",
        limits="RAF-DB comes from web photo albums; its labels are the majority of some forty annotators each.",
        licence="RAF-DB is given out on request, for research that is not commercial",
    ),
}
"""By the end of the tag in a checkpoint's name, ``<architecture>.<recipe>_<data set>``."""


UNKNOWN = DataSet(
    compare="",
    limits="Nothing is known here of who is on the pictures and how they were labelled, so no statement about fairness "
    "can be made.",
    licence="",
)
"""A data set of somebody's own."""


def data_key(name: str, training: dict[str, Any], role: str = "data") -> str:
    """Which of `DATA_SETS` a checkpoint's data are; empty for others, and where nobody knows.

    Args:
        name: The checkpoint's. Of one that was released its tag says so.
        training: As ``metrics.json`` has it.
        role: ``"data"`` for what it was trained on, ``"evaluated"`` for what its figures are of.
    """
    facts = training.get("facts", {})
    if described := facts.get(role) or facts.get("data"):
        return described["set"] if described["set"] in DATA_SETS else ""
    tag = name.partition(".")[2]
    released = name in {release.name for release in releases()}
    return next((key for key in DATA_SETS if released and f"_{tag}".endswith(f"_{key}")), "")


def model_card(name: str, metrics: dict[str, Any], recipe: dict[str, Any], best: dict[str, Any]) -> str:
    """Writes the card of a checkpoint.

    Args:
        name: ``<architecture>.<tag>``.
        metrics: From `training.eval.evaluate.evaluate`.
        recipe: From `TrainConfig.to_dict`.
        best: The trainer's record of the chosen epoch.

    Returns:
        Markdown with the front matter that model hubs read.
    """
    training = metrics.get("training", {})
    trained_key, key = data_key(name, training), data_key(name, training, "evaluated")
    released = name in {release.name for release in releases()}
    data = DATA_SETS.get(key, UNKNOWN)
    recipe = TrainConfig().to_dict() | recipe  # an older recipe lacks newer switches
    test = "PrivateTest" if "PrivateTest" in metrics else "PublicTest"
    private = metrics[test]
    labels = list(private["recall"])
    height, width = metrics["size"]
    both = "PrivateTest" in metrics
    shown = ("PublicTest", "PrivateTest") if both else ("PublicTest",)
    rows = [
        " | ".join([TTA_TITLES[kind], *(percent(f[s]) for s in shown), percent(f[test]["without_duplicates"])])
        for kind, f in by_tta(metrics).items()
    ]
    table = "\n".join(f"| {row} |" for row in rows)
    counts = [sum(row) for row in private["confusion"]]
    recall = "\n".join(
        f"| {label} | {n} | {private['recall'][label]:.1%} |" if n else f"| {label} | 0 | – |"
        for label, n in zip(labels, counts, strict=True)
    )
    removed = private["n"] - private["without_duplicates"]["n"]
    sizes = ", ".join(f"{side} pixels from epoch {start + 1}" for start, side in recipe["sizes"])
    stopped = f" It was stopped after epoch {training['stopped_after']}." if "stopped_after" in training else ""
    what = "Seven expressions" if tuple(labels) == LABELS else f"{len(labels)} classes ({', '.join(labels)})"
    again = f"reproduce {name} --data PATH` computes these figures again and fails if a digit differs"
    if not released:
        again = "evaluate local-dir:FOLDER --data PATH` computes these figures again"
    fitted = "fitted on\nPublicTest" if both else "fitted on\nthe same pictures"
    photos = photographs(metrics, key, released)
    here, known = "here, " if released else "", training | {"recipe": recipe}
    stands = "The temperature stands in `config.json` (`pretrained_cfg`, `notes`), and the predictor applies it."
    errors = f"{private['ece']:.3f} as trained,\n{private['ece_calibrated']:.3f} after dividing the logits by the "
    errors += f"temperature {metrics['temperature']},"
    compared = f" {_published(recipe['model'], key)}. {data.compare}" if key else ""
    return f"""---
library_name: timm
pipeline_tag: image-classification
license: other
license_name: {"research-and-education" if key and key == trained_key else "not-stated"}
tags: [facial-expression-recognition, timm]
---
# {name}

{what} from a grey {height}×{width} face crop, with {metrics["parameters"]:,} parameters. {DISCLAIMER}

{_origin(recipe["model"])} These weights were trained {here}{start(known)},
on {trained_on(known, trained_key, released)}.

## Use

Intended: research, teaching, and demonstrations to people who know that they are looked at.

Not for: decisions about people, of any kind; inferring emotions at work or in education, which the EU's AI Act
(2024/1689, Art. 5(1)(f)) forbids; watching people without their knowledge.

{_size(height, width, recipe)}

## Figures

{chosen(released)} {evaluated(name, training, both)} Brackets give
the 95 % Wilson interval. {removed} {test} pictures also occur, pixel for pixel, in Training; the last column
leaves them out.

| view | {" | ".join(shown)} | {test} without duplicates |
|---{"|---" * len(shown)}|---|
{table}

Macro-F1 on {test}: {private["macro_f1"]:.4f}.{compared}

| expression | {test} pictures | recall |
|---|---|---|
{recall}

{photos}**Confidence.** Expected calibration error on {test}: {errors} {fitted}. {stands}

`python -m training {again}.

## How it was trained

The whole recipe stands in `metrics.json`: {recipe["epochs"]} epochs, batch {recipe["batch_size"]}, {recipe["opt"]} with
peak learning rate {recipe["lr"]:g} and a cosine to {recipe["min_lr"]:g}, weight decay {recipe["weight_decay"]:g}, label
smoothing {recipe["label_smoothing"]:g}; {sizes}; seed {recipe["seed"]}. Augmentation: {augmentation(recipe)}.
{levers(recipe, released, training)}Weights of epoch {best["epoch"]}.{stopped} {seeds(training)}
{note(training)}{sources(training)}
## Limits

{data.limits} {_weakest(private["recall"], dict(zip(labels, counts, strict=True)))}
{OUTSIDE if key else "Pictures unlike those are"} outside what it was trained on.

Licence: {licence(data.licence if key == trained_key else "", known)}
"""


OUTSIDE = "Pictures other than roughly frontal faces are"


def _size(height: int, width: int, recipe: dict[str, Any]) -> str:
    """Which sizes hold, as far as the run has seen them."""
    jitter = recipe["size_jitter"]
    seen = f"with sides of {jitter[0]} to {jitter[1]} pixels" if jitter else "at this size alone"
    return (
        f"It takes {height}×{width} pixels. Its training ended {seen}: at others it is right less often, and the "
        "network warns."
    )


def _weakest(recall: dict[str, float], counts: dict[str, int]) -> str:
    """The classes that are recognised least often, as a sentence; of a few classes just one."""
    order = sorted((name for name in recall if counts[name]), key=recall.__getitem__)
    if len(order) < 4:
        return f"{order[0].capitalize()} is recognised least often."
    return f"{order[0].capitalize()} and {order[1]} are recognised least often."


def _published(model: str, data: str) -> str:
    """What is published of a network on one of `DATA_SETS`."""
    model = model.partition(".")[0]
    this_paper = model in ("fer_sedense", "fer_sedense_s2")  # its network, with either of its stems
    for system in systems():
        if system.model == model or (this_paper and system.source == systems()[0].source):
            for result in system.results:
                if result.data == data:
                    who = "The paper prints {} for its network" if this_paper else "{} are published for this network"
                    return who.format(f"{result.accuracy:.2%}")
    return "Nothing is published of this network"


def _origin(model: str) -> str:
    """Where a network comes from."""
    architecture = model.partition(".")[0]
    system = next((s for s in systems() if s.model == architecture), None)
    if architecture.startswith("fer_sedense"):
        return (
            "The network follows Lee, Yoon, Ko and Jo (KIISE 2019), reconstructed from what the paper prints and from "
            "the authors'\npublic demo; the module `fer_demo.models.sedense` states the evidence."
        )
    if system is None:
        return f"The network is `{architecture}`, as timm builds it."
    return f"The network is {system.name}, rebuilt after {system.source}; its module in\n`fer_demo.models` states how."
