"""The batches of a run: order, augmentation, mixing and the teachers' answers.

Nothing random is carried from step to step: every draw is made afresh from (seed, epoch, step).
"""

from pathlib import Path

import torch

from fer_demo.vision.preprocess import normalize
from training.data import DataError, Faces
from training.data.twins import prepare_twins
from training.run import augment, corruptions
from training.run.config import TrainConfig
from training.run.distributed import World
from training.run.objective import Objective
from training.run.ranges import JITTER_STEP
from training.run.teacher_answers import KeptAnswers, open_answers


class Batches:
    """Makes any batch of a run, given its epoch and step.

    Args:
        config: The settings.
        faces: The Training split.
        objective: Targets, mixing and teachers.
        world: This process among all; each makes its own part of a batch.
        data: Mean and std of the network, as `fer_demo.vision.preprocess.data_config` gives them.
        folder: Where the teachers' answers are kept that come again; None asks the teachers each time.

    Attributes:
        images: uint8 (N, T, H, W), on the device.
        steps_per_epoch: Full batches in an epoch.

    Raises:
        DataError: If there are fewer pictures than one batch.
    """

    def __init__(
        self,
        config: TrainConfig,
        faces: Faces,
        objective: Objective,
        world: World,
        data: dict,
        folder: Path | None = None,
    ) -> None:
        self.config, self.objective, self.world, self.data = config, objective, world, data
        self.steps_per_epoch = len(faces) // config.batch_size
        if self.steps_per_epoch == 0:
            raise DataError(f"{len(faces)} Training pictures do not fill a batch of {config.batch_size}.")
        self.images = faces.images.to(world.device)
        self._landmarks: torch.Tensor | None = None
        if config.landmarks != "none" and faces.landmarks is not None:
            self._landmarks = (faces.landmarks / as_fractions(faces.images.shape)).to(world.device)
        self._kept: KeptAnswers | None = None
        if config.teacher_cycle and folder:
            shape = (config.teacher_cycle, self.steps_per_epoch, config.batch_size, sum(config.heads))
            how = {"device": world.device.type, "bf16": any(teacher.bf16 for teacher in objective.teachers)}
            self._kept = open_answers(config, faces.fingerprint(), shape, how, folder)

    def order(self, epoch: int) -> torch.Tensor:
        """The order in which an epoch takes the pictures: int64 (N,)."""
        generator = _generator("cpu", self.config.seed, self._drawn(epoch), 0)
        return torch.randperm(len(self.images), generator=generator).to(self.world.device)

    def side(self, epoch: int, step: int) -> int:
        """The pictures' side in a step, pixels; the same in all processes."""
        config = self.config
        if not config.size_jitter or epoch < config.sizes[-1][0]:
            return config.size_at(epoch)
        low, high = config.size_jitter
        sides = range(low, high + 1, JITTER_STEP)
        # Neither order's nor augmentation's generator: no epoch has 2^23 steps.
        generator = _generator("cpu", config.seed, epoch, (1 << 23) + step)
        return sides[int(torch.randint(len(sides), (), generator=generator))]

    def make(self, batch: torch.Tensor, epoch: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """This process's part of a batch.

        Args:
            batch: int64 (batch_size,), the pictures of the whole batch.
            epoch: From 0; decides the size of the pictures, and with `step` the augmentation.
            step: From 0.

        Returns:
            Augmented and normalised pictures, float32 (n, T, side, side), and their targets, float32 (n, 7) or, with
            teachers, (n, 14); with two heads 15 and 30.
        """
        chosen, *random = self.draw(batch, epoch, step)
        place = self._drawn(epoch), step, self.world.part
        known = self._kept.get(*place, self.config.heads) if self._kept else None
        known = known.to(self.world.device) if known is not None else None
        x, targets, taught = self.compute(chosen, *random, side=self.side(epoch, step), taught=known)
        if self._kept and known is None:
            self._kept.put(*place, taught)
        return self.objective.mix(x, targets)

    def landmarks(self, batch: torch.Tensor, epoch: int, step: int) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The landmarks of this process's part of a batch, moved with the pictures that `make` gives.

        Args:
            batch: As for `make`.
            epoch: As for `make`.
            step: As for `make`.

        Returns:
            Those that the network is given, NaN where they are withheld, and all that are known; both float32 (n, 5, 2)
            in pixels. None for a run without landmarks.
        """
        if self._landmarks is None:
            return None
        config, device, part, n = self.config, self.world.device, self.world.part, len(batch)
        generator = _generator(device, config.seed, self._drawn(epoch), step + 1)
        moves = torch.rand(augment.RANDOM_NUMBERS, n, device=device, generator=generator)[:, part]
        # Steps counted from the other end, so that these numbers are nobody else's.
        generator = _generator(device, config.seed, epoch, (1 << 24) - 1 - step)
        withheld = (torch.rand(n, device=device, generator=generator) < config.landmark_dropout)[part]
        known = augment.move_landmarks(self._landmarks[batch[part]], augment.interpret(moves, config.augment))
        known = known * self.side(epoch, step)
        return known.masked_fill(withheld[:, None, None], torch.nan), known

    def draw(self, batch: torch.Tensor, epoch: int, step: int) -> tuple[torch.Tensor, ...]:
        """Chooses this process's part of a batch, and draws all that is random about it.

        Args:
            batch: As for `make`.
            epoch: As for `make`.
            step: As for `make`.

        Returns:
            What `compute` takes: int64 (n,), float (moves, n), and where pictures are damaged float (damages, n) and
            (n, 1, side, side).
        """
        config, device, part, n = self.config, self.world.device, self.world.part, len(batch)
        # Mixing and dropout take no generator.
        torch.manual_seed(_generator(device, config.seed, epoch, step + 1).initial_seed())
        generator = _generator(device, config.seed, self._drawn(epoch), step + 1)
        drawn = [batch[part], torch.rand(augment.RANDOM_NUMBERS, n, device=device, generator=generator)[:, part]]
        if config.corruption.share:
            side = self.side(epoch, step)
            drawn.append(torch.rand(corruptions.RANDOM_NUMBERS, n, device=device, generator=generator)[:, part])
            drawn.append(torch.randn(n, 1, side, side, device=device, generator=generator)[part])
        return tuple(drawn)

    def compute(
        self,
        chosen: torch.Tensor,
        moves: torch.Tensor,
        damages: torch.Tensor | None = None,
        grain: torch.Tensor | None = None,
        *,
        side: int,
        taught: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Makes a batch of what was drawn for it, without looking at any value.

        Args:
            chosen: int64 (n,), which pictures.
            moves: Random numbers for `training.run.augment.interpret`.
            damages: Random numbers for `training.run.corruptions.interpret`, or None for whole pictures.
            grain: Likewise.
            side: Of the pictures, pixels.
            taught: The teachers' answers where they are known.

        Returns:
            Pictures and targets as `make` gives them, neither mixed; and the teachers' answers, None without teachers.
        """
        config = self.config
        draws = augment.interpret(moves, config.augment)
        images, targets = self.images[chosen], self.objective.targets[chosen]
        twins = prepare_twins(images, size=(side, side)).split(1, dim=1)
        seen = [augment.augment(twin, draws) for twin in twins]
        if damages is not None and grain is not None:
            damage = corruptions.interpret(damages, grain, config.corruption)
            seen = [corruptions.corrupt(twin, damage) for twin in seen]
        x = normalize(torch.cat(seen, 1), self.data["mean"], self.data["std"])
        taught = self.objective.teach(images, draws) if taught is None else taught
        targets = targets if taught is None else torch.cat([targets, taught], 1)
        return (x.contiguous(memory_format=torch.channels_last) if config.channels_last else x), targets, taught

    def _drawn(self, epoch: int) -> int:
        """The epoch whose order and augmentation are used."""
        return epoch % self.config.teacher_cycle if self.config.teacher_cycle else epoch


def as_fractions(shape: torch.Size) -> torch.Tensor:
    """What landmarks in pixels are divided by to become fractions: width and height of pictures of a shape."""
    return torch.tensor([shape[-1], shape[-2]], dtype=torch.float32)


def _generator(device: torch.device | str, seed: int, epoch: int, step: int) -> torch.Generator:
    """Draws of their own for every seed, epoch and step, on every device."""
    return torch.Generator(device=device).manual_seed(_folded((seed << 40) + (epoch << 24) + step))


def _folded(number: int) -> int:
    """A number of up to 64 bits in 32: all that PyTorch's generator on the CPU looks at.

    Below 2^32 (seed 0, the first 256 epochs) a number stays itself, so that runs of that seed draw what they always
    drew. What lies above is scattered by MurmurHash3's finalizer (Appleby, public domain), which is one to one.
    """
    high = number >> 32
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        high = (high ^ (high >> shift)) * factor & 0xFFFFFFFF
    return number & 0xFFFFFFFF ^ high ^ (high >> 16)
