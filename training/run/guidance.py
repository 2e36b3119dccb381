"""What a network that takes landmarks is trained with beside the pictures."""

import dataclasses
from pathlib import Path

import torch
import torch.nn.functional as F

from fer_demo.models.regions import known_faces, region_maps
from training.data import Faces
from training.data.landmarks import landmarks_file, shuffled, with_landmarks
from training.run.config import TrainConfig


def add_landmarks(config: TrainConfig, model: torch.nn.Module, faces: Faces, folder: Path, quiet: bool) -> Faces:
    """The faces with the landmarks that a run's settings ask for.

    Args:
        config: The settings.
        model: The network.
        faces: The data; landmarks that they already have are used.
        folder: Keeps what is found, in a file named after the pictures, so that runs beside each other share it.
        quiet: No progress bar.

    Raises:
        DataError: If the pictures are not square.
        ValueError: If the network takes no landmarks.
    """
    if config.landmarks == "none":
        return dataclasses.replace(faces, landmarks=None)
    check_takes_landmarks(config, model)
    if faces.landmarks is None:
        faces = with_landmarks(faces, landmarks_file(folder, faces), quiet)
    return shuffled(faces, config.seed) if config.landmarks == "shuffled" else faces


def check_takes_landmarks(config: TrainConfig, model: torch.nn.Module) -> None:
    """Makes sure that a network takes the landmarks that its settings ask for.

    Raises:
        ValueError: If it does not.
    """
    if config.landmarks != "none" and not getattr(model, "takes_landmarks", False):
        raise ValueError(
            f"{config.model} with model_args {config.model_args} takes no landmarks: leave landmarks out, or train "
            "fer_sedense_lm, fer_sedense_lm_s2 or fer_sedense_lm_nano with guide=landmarks."
        )


class RegionLoss:
    """How far the maps that a network predicts are from those of the landmarks: the mean cross-entropy of their pixels.

    It listens with hooks instead of asking for a second output, so that the network stays the one that others call.

    Args:
        config: The settings.
        model: The network that is trained; copies made of it before are not listened to.
    """

    def __init__(self, config: TrainConfig, model: torch.nn.Module) -> None:
        self.weight = config.landmark_loss if config.landmarks != "none" else 0.0
        self._predicted: list[torch.Tensor] = []
        for head in model.region_heads() if self.weight else ():
            head.register_forward_hook(
                lambda module, _, logits: self._predicted.append(logits) if module.training else None
            )

    def __call__(self, landmarks: torch.Tensor) -> torch.Tensor:
        """The weighted loss of the forward pass just made, the mean over stages and faces with landmarks.

        Args:
            landmarks: float (N, 5, 2), fractions of the picture's sides; NaN where they are not known.

        Returns:
            A scalar; 0 where no face has landmarks.
        """
        loss = landmarks.new_zeros(())
        known = known_faces(landmarks).to(landmarks.dtype)
        for logits in self._predicted:
            drawn = region_maps(landmarks.nan_to_num(), *logits.shape[-2:])
            pixels = F.binary_cross_entropy_with_logits(logits.float(), drawn, reduction="none")
            loss = loss + (pixels.mean((1, 2, 3)) * known).sum() / known.sum().clamp(min=1)
        loss = self.weight * loss / max(len(self._predicted), 1)
        self._predicted.clear()
        return loss
