"""The sentences of a model card that depend on how a checkpoint was trained and looked at."""

from typing import Any

from fer_demo.provenance import recipe_chain
from training.run.config import TrainConfig
from training.run.corruptions import KINDS
from training.run.provenance import releases


def photographs(metrics: dict[str, Any]) -> str:
    """What two kinds of labels make of a checkpoint, and its figures on photographs; empty where neither is known."""
    point, photos = metrics.get("training", {}).get("operating_point"), metrics.get("photos")
    words = ""
    if point:
        share, votes = point["votes_share"], metrics["PrivateTest"]["votes"]
        low, high = votes["interval"]
        words += (
            "**Two kinds of labels.** FER2013's labels and the votes of FER+'s ten annotators taught this network,\n"
            f"and its answer weighs the votes with {share:.0%}. So it agrees less with FER2013's labels, which call\n"
            "many neutral faces angry or sad, and more with the annotators: "
            f"{votes['accuracy']:.2%} ({low:.1%}–{high:.1%})\n"
            f"of the {votes['n']:,} PrivateTest pictures of which more than half of them say one of the seven. The\n"
            f"share{_corrected(point)} was chosen on PublicTest and on photographs.\n\n"
        )
    if photos:
        low, high = photos["interval"]
        words += (
            f"**On photographs** (`python -m training photos`), from photo to answer: {photos['accuracy']:.1%} "
            f"({low:.1%}–{high:.1%}) of {photos['n']}\nthat were not trained on but chose the operating point; mean "
            f"recall of the classes {photos['macro_recall']:.1%},\n{photos['natural_mix']:.1%} with classes weighted "
            f"as people's photographs show them; calibration error {photos['ece']:.3f}.\n\n"
        )
    return words


def _corrected(point: dict[str, Any]) -> str:
    """The prior correction among the words of an operating point."""
    nats = point.get("prior_correction") or {}
    return f", with {' and '.join(f'{v:g} nats more for {k}' for k, v in nats.items())}," if nats else ""


def levers(recipe: dict[str, Any]) -> str:
    """The further switches that were on, as a sentence; empty if none was."""
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
        f"{recipe['distill_temperature']:g} from {', '.join(t.partition('@')[0] for t in recipe['teachers'])}, trained "
        "on the same split"
        if recipe["teachers"]
        else None,
        "statistics": f"statistics of batch normalisation from {recipe['bn_pictures']:,} Training pictures as they are"
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


def start(training: dict[str, Any]) -> str:
    """What the weights started from, as the middle of a sentence."""
    name, before = training["recipe"]["init_from"], recipe_chain(training)[:-1]
    if not name:
        return "from scratch"
    epochs = f", trained for {' + '.join(str(r['epochs']) for r in before)} epochs" if before else ""
    return f"starting from the weights {name.partition('@')[0]}{epochs}"


def sources(training: dict[str, Any]) -> str:
    """Which weights the names in the recipe meant, as a paragraph; empty if it names none."""
    digests = {step["name"]: step["sha256"] for step in training.get("lineage", [])[-1:]} | training.get("teachers", {})
    if not digests:
        return ""
    lines = [f"- `{name.partition('@')[0]}`: SHA-256 `{digest}`" for name, digest in digests.items()]
    return "\nThe weights that it started from or learned from:\n\n" + "\n".join(lines) + "\n"


def evaluated(name: str, training: dict[str, Any]) -> str:
    """How often PrivateTest was looked at."""
    once = "PrivateTest was evaluated once, for the chosen weights."
    if "seeds" in training:
        once = "PrivateTest was evaluated once for each run, and decided nothing."
    architecture = name.partition(".")[0]
    looked = [r.name for r in releases() if r.private is not None and r.name.partition(".")[0] == architecture]
    if name not in looked:
        return once
    place = looked.index(name)
    before = f"after {', '.join(f'`{earlier}`' for earlier in looked[:place])}" if place else "the first one"
    return f"{once} Of {architecture} this is set of weights number {place + 1} for which it was seen, {before}."


def seeds(training: dict[str, Any]) -> str:
    """How far the figure depends on chance, if that was measured."""
    if "seeds" not in training:
        return "One run, one seed; the spread\nbetween seeds has not been measured yet."
    runs, private = training["seeds"]["runs"], training["seeds"]["PrivateTest"]
    spread = private["standard_deviation"]
    deviation = f", standard deviation {100 * spread:.2f} points" if spread is not None else ""
    return (
        f"The best of {len(runs)} seeds\non PublicTest; their mean on PrivateTest is {private['mean']:.2%}{deviation}."
    )
