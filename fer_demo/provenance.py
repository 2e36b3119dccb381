"""What a checkpoint's ``metrics.json`` says of how it was trained."""

from typing import Any

from fer_demo.checkpoints import checkpoint_metrics


def taught_by(name: str) -> str:
    """Which labels taught a checkpoint, in words: ``"FER2013's labels"``, or these and FER+'s votes.

    Args:
        name: As for `fer_demo.checkpoints.checkpoint_file`.

    Returns:
        Empty if the checkpoint does not say.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    training = checkpoint_metrics(name).get("training", {})
    share = training.get("operating_point", {}).get("votes_share")
    if share is not None:
        return f"FER2013's labels and, with {round(100 * share)}\N{NO-BREAK SPACE}%, the votes of FER+'s ten annotators"
    return "FER2013's labels alone" if training.get("recipe", {}).get("targets", "") == "labels" else ""


def recipe_chain(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The trainings that led to weights, the first of them first.

    Args:
        training: Of a checkpoint's ``metrics.json``: ``recipe``, perhaps ``lineage`` (see
            `training.run.provenance.lineage`) and ``stopped_after``.

    Returns:
        ``epochs`` and ``sizes`` of each, and whatever else is known of it; ``epochs`` of a run that was stopped is the
        number that it trained.
    """
    recipe = training["recipe"]
    if "stopped_after" in training:
        recipe = recipe | {"epochs": training["stopped_after"]}
    return [*(step for step in training.get("lineage", []) if "epochs" in step), recipe]


def answering_figures(metrics: dict[str, Any], split: str = "PrivateTest") -> dict[str, Any]:
    """A split's figures for the view with which a checkpoint answers.

    Args:
        metrics: The content of its ``metrics.json``.
        split: ``"PublicTest"`` or ``"PrivateTest"``.

    Returns:
        As `training.eval.metrics.classification_metrics` gives them, of the mean with the mirror image where the
        checkpoint looks at that too; empty if they are not there.
    """
    mirror = metrics.get("training", {}).get("operating_point", {}).get("mirror")
    views = metrics.get("tta", {}).get("flip", {}) if mirror else metrics
    figures: dict[str, Any] = views.get(split, {})
    return figures
