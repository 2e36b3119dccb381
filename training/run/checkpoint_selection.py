"""Checkpoint selection: the weights that are best on PublicTest at the size the network is used at.

With two heads, best is the mean of two accuracies: against the labels, and against FER+'s majority.
"""

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as safetensors_bytes

from training.data import Faces
from training.eval.ferplus import majority_accuracy
from training.eval.metrics import classification_metrics
from training.eval.tta import predict_logits
from training.run.batch_norm import calibrate_batch_norm
from training.run.config import TrainConfig
from training.run.run_folder import BEST, build_model
from training.run.storage import atomic_write


class CheckpointSelector:
    """Evaluates weights on PublicTest and saves the best.

    Args:
        config: The settings.
        model: The network, on its device.
        train: The Training split, for statistics of batch normalisation.
        public: The PublicTest split.
        run_dir: Where ``best.safetensors`` goes.

    Attributes:
        best: ``accuracy``, ``epoch`` (from 1) and ``weights`` ("model" or "ema") of the weights saved.
        network: What is evaluated in the model's place, if statistics are computed anew; apart from it, so that
            training does not depend on being evaluated.
    """

    def __init__(self, config: TrainConfig, model: torch.nn.Module, train: Faces, public: Faces, run_dir: Path) -> None:
        self.config, self.train, self.public, self.run_dir = config, train, public, run_dir
        self.device = next(model.parameters()).device
        self.network = copy.deepcopy(model) if config.bn_pictures else None
        self.best: dict[str, Any] = {"accuracy": -1.0, "epoch": -1, "weights": "model"}

    def update(self, candidates: dict[str, torch.nn.Module], epoch: int) -> dict[str, float]:
        """Evaluates an epoch's weights, and saves them if none before were better.

        Args:
            candidates: "model" and perhaps "ema"; put into evaluation mode unless a copy is evaluated.
            epoch: From 0.

        Returns:
            ``public_loss`` and ``public_accuracy`` of "model"; ``public_ema_loss``, ``public_ema_accuracy`` of "ema";
            with two heads also ``public_votes_accuracy`` and ``public_ema_votes_accuracy``; where PublicTest has
            landmarks also ``public_landmarks_accuracy`` and ``public_ema_landmarks_accuracy``, with which nothing is
            chosen: an ordinary user has none.
        """
        side, row = self.config.size_at(epoch), {}
        for name, model in candidates.items():
            if self.network is not None:
                self.network.load_state_dict(model.state_dict())
                model, pictures = self.network, self.config.bn_pictures
                calibrate_batch_norm(model, self.train.images, pictures=pictures, size=(side, side))
            metrics = self._metrics(model.eval(), side)
            prefix = "public" if name == "model" else "public_ema"
            row |= {f"{prefix}_loss": metrics["loss"], f"{prefix}_accuracy": round(metrics["accuracy"], 6)}
            if self.public.landmarks is not None:
                given = self._metrics(model.eval(), side, self.public.landmarks)
                row[f"{prefix}_landmarks_accuracy"] = round(given["accuracy"], 6)
            score = metrics["accuracy"]
            if "votes" in metrics:
                row[f"{prefix}_votes_accuracy"] = round(metrics["votes"]["accuracy"], 6)
                score = (score + metrics["votes"]["accuracy"]) / 2
            # Weights trained at an earlier, smaller size are no candidates: they are not used at that size.
            if side == self.config.sizes[-1][1] and score > self.best["accuracy"]:
                self.best = {"accuracy": score, "epoch": epoch + 1, "weights": name}
                weights = {k: v.cpu().contiguous() for k, v in model.state_dict().items()}
                atomic_write(self.run_dir / BEST, lambda f, w=weights: f.write(safetensors_bytes(w)))
        return row

    def selected(self) -> dict[str, Any]:
        """What a record says of the weights saved: ``size`` in pixels and ``public``, their figures there.

        Where PublicTest has landmarks also ``public_landmarks``, the figures when the network is given them.
        """
        model = build_model(self.config, checkpoint_path=str(self.run_dir / BEST)).to(self.device).eval()
        side = self.config.sizes[-1][1]
        given = self.public.landmarks
        figures = {} if given is None else {"public_landmarks": self._metrics(model, side, given)}
        return {"size": side, "public": self._metrics(model, side), **figures}

    def _metrics(self, model: torch.nn.Module, side: int, landmarks: torch.Tensor | None = None) -> dict[str, Any]:
        logits = predict_logits(model, self.public.images, size=(side, side), landmarks=landmarks)
        labels, *votes = logits.split(self.config.heads, dim=1)
        metrics = classification_metrics(labels, self.public.labels, classes=self.config.labels)
        if votes and self.public.votes is not None:
            metrics["votes"] = majority_accuracy(votes[0], self.public.votes)
        return metrics
