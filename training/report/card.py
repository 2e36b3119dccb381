"""The model card: what a checkpoint is, how it was made, how good it is and what it must not be used for."""

from dataclasses import dataclass
from typing import Any

from fer_demo.emotions import DISCLAIMER, LABELS
from fer_demo.tradeoffs.published import HUMAN_CAVEAT, data_sets, human, systems
from training.eval.reproduce import by_tta, percent
from training.eval.tta import TTA_TITLES
from training.report.card_text import augmentation, evaluated, levers, photographs, seeds, sources, start
from training.run.config import TrainConfig


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


def data_set(name: str) -> DataSet:
    """The data set that a checkpoint's name states.

    Raises:
        ValueError: If its tag is of none that a card can describe.
    """
    return DATA_SETS[_data_key(name)]


def _data_key(name: str) -> str:
    tag = name.partition(".")[2]
    key = next((key for key in DATA_SETS if f"_{tag}".endswith(f"_{key}")), None)
    if key is None:
        endings = " or ".join(f"_{key}" for key in DATA_SETS)
        raise ValueError(
            f"{name!r} must be named <architecture>.<tag>, where the tag names the recipe and ends with {endings}."
        )
    return key


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
    data = data_set(name)
    recipe = TrainConfig().to_dict() | recipe  # an older recipe lacks newer switches
    private = metrics["PrivateTest"]
    height, width = metrics["size"]
    rows = [(TTA_TITLES[kind], f["PublicTest"], f["PrivateTest"]) for kind, f in by_tta(metrics).items()]
    table = "\n".join(
        f"| {title} | {percent(a)} | {percent(b)} | {percent(b['without_duplicates'])} |" for title, a, b in rows
    )
    recall = "\n".join(
        f"| {label} | {sum(private['confusion'][i])} | {private['recall'][label]:.1%} |"
        for i, label in enumerate(LABELS)
    )
    weakest = sorted(private["recall"], key=private["recall"].__getitem__)[:2]
    weakest[0] = weakest[0].capitalize()
    removed = private["n"] - private["without_duplicates"]["n"]
    sizes = ", ".join(f"{side} pixels from epoch {start + 1}" for start, side in recipe["sizes"])
    training = metrics.get("training", {})
    stopped = f" It was stopped after epoch {training['stopped_after']}." if "stopped_after" in training else ""
    trained_on = data_sets()[_data_key(name)]["title"] + (" and FER+'s votes" if recipe["targets"] != "labels" else "")
    pictures = f" ({training['data']})" if "data" in training else ""
    return f"""---
library_name: timm
pipeline_tag: image-classification
license: other
license_name: research-and-education
tags: [facial-expression-recognition, timm]
---
# {name}

Seven expressions from a grey {height}×{width} face crop, with {metrics["parameters"]:,} parameters. {DISCLAIMER}

{_origin(name)} These weights were trained here, {start(training | {"recipe": recipe})},
on the Training split of {trained_on} alone{pictures}.

## Use

Intended: research, teaching, and demonstrations to people who know that they are looked at.

Not for: decisions about people, of any kind; inferring emotions at work or in education, which the EU's AI Act
(2024/1689, Art. 5(1)(f)) forbids; watching people without their knowledge.

## Figures

Epoch and settings were chosen on PublicTest. {evaluated(name, training)} Brackets give
the 95 % Wilson interval. {removed} PrivateTest pictures also occur, pixel for pixel, in Training; the last column
leaves them out.

| view | PublicTest | PrivateTest | PrivateTest without duplicates |
|---|---|---|---|
{table}

Macro-F1 on PrivateTest: {private["macro_f1"]:.4f}. {_published(name)}. {data.compare}

| expression | PrivateTest pictures | recall |
|---|---|---|
{recall}

{photographs(metrics)}**Confidence.** Expected calibration error on PrivateTest: {private["ece"]:.3f} as trained,
{private["ece_calibrated"]:.3f} after dividing the logits by the temperature {metrics["temperature"]}, fitted on
PublicTest. The temperature stands in `config.json` (`pretrained_cfg`, `notes`), and the predictor applies it.

`python -m training reproduce {name} --data PATH` computes these figures again and fails if a digit differs.

## How it was trained

The whole recipe stands in `metrics.json`: {recipe["epochs"]} epochs, batch {recipe["batch_size"]}, {recipe["opt"]} with
peak learning rate {recipe["lr"]:g} and a cosine to {recipe["min_lr"]:g}, weight decay {recipe["weight_decay"]:g}, label
smoothing {recipe["label_smoothing"]:g}; {sizes}; seed {recipe["seed"]}. Augmentation: {augmentation(recipe)}.
{levers(recipe)}Weights of epoch {best["epoch"]}.{stopped} {seeds(training)}
{sources(training)}
## Limits

{data.limits} {weakest[0]} and {weakest[1]} are recognised least often.
Pictures other than roughly frontal faces are outside what it was trained on.

Licence: {data.licence}; treat the weights likewise.
"""


def _published(name: str) -> str:
    """What is published of a checkpoint's network on its data."""
    model, data_key = name.partition(".")[0], _data_key(name)
    this_paper = model in ("fer_sedense", "fer_sedense_s2")  # its network, with either of its stems
    for system in systems():
        if system.model == model or (this_paper and system.source == systems()[0].source):
            for result in system.results:
                if result.data == data_key:
                    who = "The paper prints {} for its network" if this_paper else "{} are published for this network"
                    return who.format(f"{result.accuracy:.2%}")
    return "Nothing is published of this network"


def _origin(name: str) -> str:
    """Where a checkpoint's network comes from."""
    system = next((s for s in systems() if s.model == name.partition(".")[0]), None)
    if system is None or name.startswith("fer_sedense"):
        return (
            "The network follows Lee, Yoon, Ko and Jo (KIISE 2019), reconstructed from what the paper prints and from "
            "the authors'\npublic demo; the module `fer_demo.models.sedense` states the evidence."
        )
    return f"The network is {system.name}, rebuilt after {system.source}; its module in\n`fer_demo.models` states how."
