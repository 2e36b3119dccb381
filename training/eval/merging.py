"""What merging classes is worth: plain sums of probabilities beside a confidence that was fitted anew."""

from typing import Any

import numpy as np
import torch

from fer_demo.calibration import fit_set_threshold, fit_temperature, sum_groups
from fer_demo.checkpoints import resolve
from fer_demo.merging import Merge, fit_both, merge_classes, sums
from fer_demo.runtime.engines import stated_labels
from fer_demo.validation import FILE, read_validation
from training.eval.conformal import set_figures
from training.eval.metrics import expected_calibration_error_of_draws


def merging_figures(name: str, merge: Merge, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Fits on one half of a checkpoint's validation logits and measures on the other.

    Args:
        name: The checkpoint, as `fer_demo.checkpoints.resolve` takes it.
        merge: As for `fer_demo.Predictor`.
        seed: Of the draw of the halves.

    Returns:
        ``"sums"``, with temperature and threshold fitted for the network's own classes, and ``"fitted"``, with both
        fitted for the merged ones: ``temperature``, ``set_threshold``, ``nll`` (mean cross-entropy), ``ece``, and the
        entries of `training.eval.conformal.set_figures`.

    Raises:
        ValueError: If the checkpoint has no validation logits, or classes cannot be merged so.
    """
    labels = stated_labels(name)
    groups = merge_classes(labels, merge).groups
    held = read_validation(resolve(name), len(labels))
    if held is None:
        raise ValueError(f"{name} has no {FILE}; write it with `python -m training calibrate {name} --validation`.")
    order = np.random.default_rng(seed).permutation(len(held.logits))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    z, truth = held.logits[first], held.truth[first]
    own = fit_temperature(z, truth)
    single = tuple((i,) for i in range(len(labels)))
    settings = {
        "sums": (own, fit_set_threshold(sums(z, own, single), truth)),
        "fitted": fit_both(z, truth, groups),
    }
    shares, figures = sum_groups(held.truth[second], groups), {}
    for way, (temperature, threshold) in settings.items():
        p = sums(held.logits[second], temperature, groups)
        logs = torch.from_numpy(np.log(np.maximum(p, 1e-300)))
        ece = expected_calibration_error_of_draws(logs.float(), torch.from_numpy(shares).float())
        nll = -float((shares * logs.numpy()).sum(axis=1).mean())
        figures[way] = {"temperature": temperature, "set_threshold": threshold, "nll": round(nll, 4), "ece": ece}
        figures[way] |= set_figures(p, shares, threshold)
    return figures


def table(figures: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The figures of several checkpoints as Markdown, sums and fitted ones side by side.

    Args:
        figures: Checkpoint name to the result of `merging_figures`.
    """
    lines = ["| checkpoint | temperature | NLL | ECE | coverage | classes in a set |", "|---|---|---|---|---|---|"]
    for name, ways in figures.items():
        both = [
            f"{ways['sums'][key]:{form}} → {ways['fitted'][key]:{form}}"
            for key, form in (
                ("temperature", ".3f"),
                ("nll", ".4f"),
                ("ece", ".4f"),
                ("coverage", ".1%"),
                ("size", ".2f"),
            )
        ]
        lines.append(f"| `{name}` | {' | '.join(both)} |")
    return "\n".join(lines)
