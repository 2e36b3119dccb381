"""The model card: what a checkpoint is, how it was made, how good it is and what it must not be used for."""

from typing import Any

from fer_demo.emotions import DISCLAIMER, LABELS
from training.reproduce import VIEW_TITLES, by_view, percent

PAPER_ACCURACY = 0.7069
HUMAN = "65 ± 5 %"


def model_card(name: str, metrics: dict[str, Any], recipe: dict[str, Any], best: dict[str, Any]) -> str:
    """Writes the card of a checkpoint trained on FER2013.

    Args:
        name: ``<architecture>.<tag>``.
        metrics: From `training.evaluate.evaluate`.
        recipe: From `TrainConfig.to_dict`.
        best: The trainer's record of the chosen epoch.

    Returns:
        Markdown with the front matter that model hubs read.
    """
    private = metrics["PrivateTest"]
    height, width = metrics["size"]
    rows = [(VIEW_TITLES[v], f["PublicTest"], f["PrivateTest"]) for v, f in by_view(metrics).items()]
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
    return f"""---
library_name: timm
pipeline_tag: image-classification
license: other
license_name: research-and-education
tags: [facial-expression-recognition, timm]
---
# {name}

Seven expressions from a grey {height}×{width} face crop, with {metrics["parameters"]:,} parameters. {DISCLAIMER}

The network follows Lee, Yoon, Ko and Jo (KIISE 2019), reconstructed from what the paper prints and from the authors'
public demo; the module `fer_demo.models.sedense` states the evidence. These weights were trained here, from scratch,
on FER2013's Training split alone.

## Figures

Epoch and settings were chosen on PublicTest. PrivateTest was evaluated once, for the chosen weights. Brackets give
the 95 % Wilson interval. {removed} PrivateTest pictures also occur, pixel for pixel, in Training; the last column
leaves them out.

| view | PublicTest | PrivateTest | PrivateTest without duplicates |
|---|---|---|---|
{table}

Macro-F1 on PrivateTest: {private["macro_f1"]:.4f}. The paper prints {PAPER_ACCURACY:.2%} for its network; people reach
{HUMAN} on these pictures (Goodfellow et al. 2013).

| expression | PrivateTest pictures | recall |
|---|---|---|
{recall}

**Confidence.** Expected calibration error on PrivateTest: {private["ece"]:.3f} as trained,
{private["ece_calibrated"]:.3f} after dividing the logits by the temperature {metrics["temperature"]}, fitted on
PublicTest. The temperature stands in `metrics.json`, and the predictor applies it.

`python -m training evaluate {name} --data PATH` prints these figures again.

## How it was trained

Recipe `training/recipes/{name}.yaml`: {recipe["epochs"]} epochs, batch {recipe["batch_size"]}, {recipe["opt"]} with
peak learning rate {recipe["lr"]:g} and a cosine to {recipe["min_lr"]:g}, weight decay {recipe["weight_decay"]:g}, label
smoothing {recipe["label_smoothing"]:g}; {sizes}; seed {recipe["seed"]}. Augmentation: rotation, shift, scale,
horizontal flip, light, erasing. Weights of epoch {best["epoch"]}. One run, one seed; the
spread between seeds has not been measured yet.

## Use

Intended: research, teaching, and demonstrations to people who know that they are looked at.

Not for: decisions about people, of any kind; inferring emotions at work or in education, which the EU's AI Act
(2024/1689, Art. 5(1)(f)) forbids; watching people without their knowledge.

Limits: FER2013 comes from a web image search of 2013, its labels are noisy, and it says nothing about age, gender
or skin colour, so no statement about fairness can be made. {weakest[0]} and {weakest[1]} are recognised least often.
Pictures other than roughly frontal faces are outside what it was trained on.

Licence: FER2013 was published for research and education without a clear licence for the pictures; treat the weights
likewise.
"""
