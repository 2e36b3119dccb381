"""Optimiser and learning rate of a run."""

import torch
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler

from training.run.config import TrainConfig


def build_optimizer(
    config: TrainConfig, model: torch.nn.Module, steps_per_epoch: int
) -> tuple[torch.optim.Optimizer, CosineLRScheduler]:
    """The optimiser, and the schedule that sets its learning rate before each step.

    Args:
        config: The settings.
        model: Whose parameters are trained.
        steps_per_epoch: How many steps an epoch has.
    """
    optimizer = create_optimizer_v2(
        model, opt=config.opt, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=config.epochs * steps_per_epoch,
        lr_min=config.min_lr,
        warmup_t=round(config.warmup_epochs * steps_per_epoch),
        warmup_lr_init=config.lr / 10,
        warmup_prefix=False,
        t_in_epochs=False,
    )
    return optimizer, scheduler
