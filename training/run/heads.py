"""From one body with two heads to networks with one: a linear layer's outputs can be averaged before the network runs.

The two heads (`targets: both`) answer for FER2013's labels and for FER+'s votes. The mean of their logits is what one
linear layer with the mean of their weights gives, so that any mixture of both is a plain network of seven outputs: its
softmax is the weighted geometric mean of the two heads' probabilities. How much the votes count is the operating point:
FER2013's labels call many neutral faces angry or sad, FER+'s ten annotators seldom do. They seldom call a face
afraid or disgusted either, so that such classes may need a prior correction (logit adjustment, Menon et al. 2021,
arXiv:2007.07314).
"""

import math
from collections.abc import Mapping
from typing import Any

import timm
import torch

from fer_demo.emotions import LABELS, NUM_CLASSES
from training.data.ferplus import CLASSES, OUR_ORDER
from training.run.config import TrainConfig

HEADS_FILE = "heads.safetensors"
"""Beside a checkpoint's weights: ``weight`` (15, features) and ``bias`` (15,) of the layer that both heads were."""

VOTES = "votes"
"""The head with FER+'s eight classes, alone."""


def one_head(
    model: torch.nn.Module,
    config: TrainConfig,
    votes_share: float | str,
    prior_correction: Mapping[str, float] | None = None,
) -> torch.nn.Module:
    """A network with one head, made of both.

    Args:
        model: A network that was trained with ``targets: both``.
        config: The run's settings.
        votes_share: How much the votes count beside the labels, 0 to 1; contempt, which only the votes know, is left
            out. `VOTES` for the eight classes of the votes alone.
        prior_correction: Class name to what is added to its logit, in nats, for classes that the votes hardly know.

    Returns:
        A network of the same body, in evaluation mode.

    Raises:
        ValueError: If the run has one head, the share is out of range, or a class is unknown.
    """
    if len(config.heads) == 1:
        raise ValueError("The run has one head already (targets is not both): leave the share of votes out.")
    outputs = len(CLASSES) if votes_share == VOTES else NUM_CLASSES
    single = timm.create_model(config.model, **config.model_args, num_classes=outputs)
    state: dict[str, Any] = dict(model.state_dict())
    name = single.pretrained_cfg["classifier"]
    for part in ("weight", "bias"):
        labels, votes = state[f"{name}.{part}"].split(config.heads)
        state[f"{name}.{part}"] = votes.clone() if votes_share == VOTES else _mean(labels, votes, float(votes_share))
    for label, nats in (prior_correction or {}).items():
        if label not in LABELS or votes_share == VOTES or not math.isfinite(nats):
            raise ValueError(
                f"A prior correction is a finite number for one of {', '.join(LABELS)}; got {label}={nats}."
            )
        state[f"{name}.bias"][LABELS.index(label)] += nats
    single.load_state_dict(state)
    if votes_share == VOTES:
        single.pretrained_cfg = single.default_cfg = {
            **single.pretrained_cfg,
            "num_classes": outputs,
            "label_names": CLASSES,
        }
    return single.eval()


def _mean(labels: torch.Tensor, votes: torch.Tensor, share: float) -> torch.Tensor:
    if not 0 <= share <= 1:
        raise ValueError(f"The share of votes must be from 0 to 1, but is {share:g}.")
    return (1 - share) * labels + share * votes[list(OUR_ORDER)]
