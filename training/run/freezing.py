"""Parts of a network that keep the weights they started from, for training on few pictures."""

import torch.nn as nn

from fer_demo.models.base import StagedNet
from training.run.config import TrainConfig


class Freezing:
    """Says before each epoch which parts learn; what does not is held in evaluation mode, statistics included.

    Args:
        config: ``frozen_stages`` and ``head_epochs`` say what rests, and for how long.
        model: The network.

    Raises:
        ValueError: If it has no such stages, or all of it but the classifier would rest for ever.
    """

    def __init__(self, config: TrainConfig, model: nn.Module) -> None:
        self.config, self.model = config, model
        self.used = bool(config.frozen_stages or config.head_epochs)
        if not self.used:
            return
        if not isinstance(model, StagedNet):
            raise ValueError(f"{config.model} has no stages: leave out frozen_stages and head_epochs.")
        stages = len(model.stages)
        if config.frozen_stages > stages:
            raise ValueError(f"frozen_stages is {config.frozen_stages}, but {config.model} has {stages} stages.")

    def begin(self, epoch: int) -> None:
        """Puts the network into training mode, but for what rests in this epoch.

        Args:
            epoch: From 0.
        """
        self.model.train()
        if not self.used:
            return
        head = self.model.get_classifier()
        if epoch < self.config.head_epochs:
            resting = [part for part in self.model.children() if part is not head]
        else:
            count = self.config.frozen_stages
            resting = [self.model.stem, *self.model.stages[:count]] if count else []
        self.model.requires_grad_(True)
        for part in resting:
            part.requires_grad_(False).eval()
