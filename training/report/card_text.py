"""The sentences of a model card that depend on how a checkpoint was trained."""

from typing import Any

from training.run.config import TrainConfig
from training.run.corruptions import KINDS


def levers(recipe: dict[str, Any], released: bool, training: dict[str, Any]) -> str:
    """The further switches that were on, as a sentence; empty if none was.

    Args:
        recipe: With every switch.
        training: As ``metrics.json`` has it.
        released: The teachers are known to have been trained on the same split.
    """
    facts = training.get("facts", {}).get("data", {})
    most = sum(facts.get("splits", {}).get("Training", {}).values()) or recipe["bn_pictures"]
    used = min(recipe["bn_pictures"], most)
    words = {
        "loss": "the squared hinge loss of an L2-SVM" if recipe["loss"] == "l2_svm" else None,
        "triplet": f"triplet loss of weight {recipe['triplet_weight']:g}" if recipe["triplet_weight"] else None,
        "locality": f"locality-preserving loss of weight {recipe['locality_weight']:g}"
        if recipe["locality_weight"]
        else None,
        "aligned": "each picture beside its aligned twin (the figures are for single pictures)"
        if recipe["aligned"]
        else None,
        "landmarks": f"{recipe['landmarks']} landmarks (the figures are without)"
        if recipe.get("landmarks", "none") != "none"
        else None,
        "dropout": f"dropout {recipe['drop_rate']:g}" if recipe["drop_rate"] else None,
        "clip": f"gradients clipped to {recipe['clip_grad']:g}" if recipe["clip_grad"] else None,
        "options": f"the options {recipe['model_args']}" if recipe["model_args"] else None,
        "targets": {
            "votes": "FER+ votes as targets",
            "majority": "FER+ majority as target",
            "mixture": f"targets of {recipe['vote_share']:.0%} FER+ votes, the rest labels",
            "both": f"two heads, one for the labels and one of weight {recipe['vote_share']:.0%} for FER+'s votes",
        }.get(recipe["targets"]),
        "duplicates": "copies left out of Training" if recipe["drop_duplicates"] else None,
        "weights": f"class weights of power {recipe['class_weight_power']:g}" if recipe["class_weight_power"] else None,
        "mixup": f"mixup {recipe['mixup']:g}" if recipe["mixup"] else None,
        "cutmix": f"CutMix {recipe['cutmix']:g}" if recipe["cutmix"] else None,
        "teachers": f"distilled with weight {recipe['distill_weight']:g} and temperature "
        f"{recipe['distill_temperature']:g} from {', '.join(t.partition('@')[0] for t in recipe['teachers'])}"
        + (", trained on the same split" if released else "")
        if recipe["teachers"]
        else None,
        "statistics": f"statistics of batch normalisation from {used:,} Training pictures as they are"
        if recipe["bn_pictures"]
        else None,
        "ema": f"averaged weights with decay {recipe['ema_decay']:g}" if recipe["ema_decay"] else None,
    }
    found = [word for word in words.values() if word]
    return f"Further: {'; '.join(found)}. " if found else ""


def augmentation(recipe: dict[str, Any]) -> str:
    """What is done to the pictures, in words."""
    a, c = (TrainConfig().to_dict()[group] | recipe[group] for group in ("augment", "corruption"))
    words = {
        f"rotation up to {a['rotation']:g} degrees": a["rotation"],
        f"shift up to {a['shift']:.0%}": a["shift"],
        f"scale up to {a['scale']:.0%}": a["scale"],
        "horizontal flip": a["flip"],
        "light": a["contrast"] or a["brightness"],
        f"erasing in {a['erase']:.0%} of the pictures": a["erase"],
        f"damages in {c['share']:.0%} of them ({', '.join(KINDS)})": c["share"],
    }
    return ", ".join(word for word, strength in words.items() if strength) or "none"


def sources(training: dict[str, Any]) -> str:
    """Which weights the names in the recipe meant, as a paragraph; empty if it names none."""
    digests = {step["name"]: step["sha256"] for step in training.get("lineage", [])[-1:]} | training.get("teachers", {})
    if not digests:
        return ""
    lines = [f"- `{name.partition('@')[0]}`: SHA-256 `{digest}`" for name, digest in digests.items()]
    return "\nThe weights that it started from or learned from:\n\n" + "\n".join(lines) + "\n"


def note(training: dict[str, Any]) -> str:
    """What the run's record remarks on its figure, as a paragraph; empty if nothing."""
    return f"\n{training['note']}\n" if training.get("note") else ""


def seeds(training: dict[str, Any]) -> str:
    """How far the figure depends on chance, if that was measured."""
    if "seeds" not in training:
        return "One run, one seed; the spread\nbetween seeds has not been measured yet."
    runs = training["seeds"]["runs"]
    split = "PrivateTest" if "PrivateTest" in training["seeds"] else "PublicTest"
    figures = training["seeds"][split]
    spread = figures["standard_deviation"]
    deviation = f", standard deviation {100 * spread:.2f} points" if spread is not None else ""
    return f"The best of {len(runs)} seeds\non PublicTest; their mean on {split} is {figures['mean']:.2%}{deviation}."
