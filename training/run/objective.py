"""What a run minimises: targets, class weights, mixing and distillation, each a switch of `TrainConfig`."""

import torch
import torch.nn.functional as F
from torchvision.transforms import v2

from training.data import Faces
from training.run.augment import Draws
from training.run.config import TrainConfig
from training.run.losses import exponential_triplet, l2_svm, locality_preserving
from training.run.teachers import Teacher


class Objective:
    """Targets for every training picture, and the loss of a batch.

    Args:
        config: The settings.
        faces: The Training split.
        device: Where the loss is computed.
        bf16: Whether the teachers answer in bfloat16.

    Attributes:
        targets: float32 (N, classes), class probabilities for each picture; rows add up to 1. With two heads (N, 15),
            the second head's behind the first's.

    Raises:
        DataError: If votes are asked for and there are none.
        ValueError: If a teacher cannot be loaded, or lacks a head.
    """

    def __init__(self, config: TrainConfig, faces: Faces, device: torch.device, bf16: bool = False) -> None:
        self.config = config
        self.targets = faces.targets(config.targets, config.vote_share).to(device)
        counts = self.targets[:, : config.heads[0]].sum(0).clamp(min=1)
        weight = counts**-config.class_weight_power
        # The mean over the training pictures is 1, so that lr means the same with and without weights.
        self.class_weight = weight * len(faces) / (weight * counts).sum()
        mixers = [mix(alpha=a) for mix, a in ((v2.MixUp, config.mixup), (v2.CutMix, config.cutmix)) if a]
        self.mixer = v2.RandomApply([v2.RandomChoice(mixers)], p=config.mix_prob) if mixers else None
        self.outputs = sum(config.heads)
        self.teachers = [Teacher(spec, device, bf16) for spec in config.teachers]
        for spec, teacher in zip(config.teachers, self.teachers, strict=True):
            if teacher.labels != config.labels:
                raise ValueError(
                    f"The teacher {spec!r} answers for {', '.join(teacher.labels)} and cannot teach "
                    f"{', '.join(config.labels)}: name one that was trained on the same classes."
                )
            if teacher.outputs < self.outputs:
                raise ValueError(
                    f"The teacher {spec!r} answers for {teacher.outputs} classes and cannot teach {self.outputs}: "
                    "name one that was trained with targets=both."
                )

    def mix(self, x: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mixes pictures and their targets alike, drawing from PyTorch's global generator.

        Args:
            x: float (N, 1, H, W).
            targets: float (N, any).
        """
        return self.mixer(x, targets) if self.mixer is not None else (x, targets)

    @torch.no_grad()
    def teach(self, images: torch.Tensor, draws: Draws) -> torch.Tensor | None:
        """The teachers' mean softened probabilities for augmented pictures, of each head.

        Args:
            images: uint8 (N, T, H, W); a teacher sees the first of each face's twins.
            draws: The student's augmentation.

        Returns:
            float32 like `targets`, or None without teachers.
        """
        if not self.teachers:
            return None
        answers = [t.logits(images[:, :1], draws)[:, : self.outputs] for t in self.teachers]
        # A two-headed teacher of a student with one head: the labels' head comes first.
        heads = (torch.stack(answers) / self.config.distill_temperature).split(self.config.heads, dim=2)
        return torch.cat([head.softmax(2).mean(0) for head in heads], 1)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor, features: torch.Tensor | None = None) -> torch.Tensor:
        """Mean loss of a batch.

        Args:
            logits: float (N, C), C being the classes, or 15 with two heads.
            targets: float (N, C), or (N, 2 C) where the last C columns are the teachers' probabilities.
            features: float (N, d), the classifier's input, for the losses that look at it.
        """
        heads = self.config.heads
        own_targets, *taught = targets.split(self.outputs, dim=1)
        answers, truths = logits.split(heads, dim=1), own_targets.split(heads, dim=1)
        own = self._own_loss(answers[0], truths[0])
        if features is not None:
            own = own + self._feature_loss(features, truths[0].argmax(1))
        # A picture without votes has zeros for a target and adds nothing.
        own = self._weighted([own, *map(F.cross_entropy, answers[1:], truths[1:])])
        if not taught:
            return own
        t, share = self.config.distill_temperature, self.config.distill_weight
        pairs = zip(answers, taught[0].split(heads, dim=1), strict=True)
        divergences = [F.kl_div((z / t).log_softmax(1), p, reduction="batchmean") for z, p in pairs]
        # The factor t^2 keeps the gradient's size when t changes (Hinton et al. 2015, section 2).
        return (1 - share) * own + share * t * t * self._weighted(divergences)

    def _weighted(self, losses: list[torch.Tensor]) -> torch.Tensor:
        """The heads' losses, weighted."""
        if len(losses) == 1:
            return losses[0]
        labels, votes = losses
        return (1 - self.config.vote_share) * labels + self.config.vote_share * votes

    def _own_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        weight = self.class_weight if self.config.class_weight_power else None
        smoothing = self.config.label_smoothing
        if self.config.loss == "l2_svm":
            return l2_svm(logits, targets * (1 - smoothing) + smoothing / self.config.heads[0], weight)
        return F.cross_entropy(logits, targets, weight, label_smoothing=smoothing)

    def _feature_loss(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        config, loss = self.config, features.new_zeros(())
        if config.triplet_weight:
            loss = loss + config.triplet_weight * exponential_triplet(features, labels)
        if config.locality_weight:
            loss = loss + config.locality_weight * locality_preserving(features, labels, config.locality_neighbors)
        return loss
