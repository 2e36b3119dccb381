"""The batches of a run: order, augmentation, mixing and the teachers' answers.

Nothing random is carried from step to step: every draw is made afresh from (seed, epoch, step).
"""

import torch

from fer_demo.vision.preprocess import normalize
from training.data import DataError, Faces
from training.data.twins import prepare_twins
from training.run.augment import Draws, augment, draw
from training.run.config import TrainConfig
from training.run.corruptions import corrupt, draw_corruptions
from training.run.distributed import World
from training.run.objective import Objective


class Batches:
    """Makes any batch of a run, given its epoch and step.

    Args:
        config: The settings.
        faces: The Training split.
        objective: Targets, mixing and teachers.
        world: This process among all; each makes its own part of a batch.
        data: Mean and std of the network, as `fer_demo.vision.preprocess.data_config` gives them.

    Attributes:
        images: uint8 (N, T, H, W), on the device.
        steps_per_epoch: Full batches in an epoch.

    Raises:
        DataError: If there are fewer pictures than one batch.
    """

    def __init__(self, config: TrainConfig, faces: Faces, objective: Objective, world: World, data: dict) -> None:
        self.config, self.objective, self.world, self.data = config, objective, world, data
        self.steps_per_epoch = len(faces) // config.batch_size
        if self.steps_per_epoch == 0:
            raise DataError(f"{len(faces)} Training pictures do not fill a batch of {config.batch_size}.")
        self.images = faces.images.to(world.device)
        self._answers: dict[tuple[int, int], torch.Tensor] = {}

    def order(self, epoch: int) -> torch.Tensor:
        """The order in which an epoch takes the pictures: int64 (N,)."""
        generator = _generator("cpu", self.config.seed, self._drawn(epoch), 0)
        return torch.randperm(len(self.images), generator=generator).to(self.world.device)

    def make(self, batch: torch.Tensor, epoch: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """This process's part of a batch.

        Args:
            batch: int64 (batch_size,), the pictures of the whole batch.
            epoch: From 0; decides the size of the pictures, and with `step` the augmentation.
            step: From 0.

        Returns:
            Augmented and normalised pictures, float32 (n, T, side, side), and their targets, float32 (n, 7) or, with
            teachers, (n, 14).
        """
        config, device, part, side = self.config, self.world.device, self.world.part, self.config.size_at(epoch)
        # Mixing and dropout take no generator.
        torch.manual_seed(_generator(device, config.seed, epoch, step + 1).initial_seed())
        generator = _generator(device, config.seed, self._drawn(epoch), step + 1)
        draws = draw(len(batch), config.augment, generator)[part]
        images, targets = self.images[batch[part]], self.objective.targets[batch[part]]
        twins = prepare_twins(images, size=(side, side)).split(1, dim=1)
        seen = [augment(twin, draws) for twin in twins]
        if config.corruption.share:
            damages = draw_corruptions(len(batch), side, config.corruption, generator)[part]
            seen = [corrupt(twin, damages) for twin in seen]
        x = normalize(torch.cat(seen, 1), self.data["mean"], self.data["std"])
        taught = self._taught(images, draws, epoch, step)
        x, targets = self.objective.mix(x, targets if taught is None else torch.cat([targets, taught], 1))
        return (x.contiguous(memory_format=torch.channels_last) if config.channels_last else x), targets

    def _drawn(self, epoch: int) -> int:
        """The epoch whose order and augmentation are used."""
        return epoch % self.config.teacher_cycle if self.config.teacher_cycle else epoch

    def _taught(self, images: torch.Tensor, draws: Draws, epoch: int, step: int) -> torch.Tensor | None:
        """The teachers' answers, as `Objective.teach` gives them, kept for as long as they are asked for again."""
        if not self.config.teacher_cycle:
            return self.objective.teach(images, draws)
        key = self._drawn(epoch), step
        if key not in self._answers:
            self._answers[key] = self.objective.teach(images, draws)
        return self._answers[key]


def _generator(device: torch.device | str, seed: int, epoch: int, step: int) -> torch.Generator:
    # Distinct for every (seed, epoch, step) that can occur: an epoch has fewer than 2^24 steps.
    return torch.Generator(device=device).manual_seed((seed << 40) + (epoch << 24) + step)
