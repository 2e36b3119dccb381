"""Where an epoch's time goes: the parts of a training step, measured with PyTorch's profiler."""

import dataclasses
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.profiler_util import EventList
from torch.profiler import ProfilerActivity, profile, record_function

from training.data import Faces
from training.run.config import TrainConfig
from training.run.train import RANGES, Trainer

WARMUP_STEPS = 5


def profile_steps(config: TrainConfig, faces: Faces, steps: int = 50, epoch: int = 0) -> dict[str, Any]:
    """Profiles training steps and, alone, the input pipeline.

    Args:
        config: The settings.
        faces: FER2013 with Training and PublicTest.
        steps: How many steps; at most an epoch's.
        epoch: Which epoch's picture size to profile, from 0.

    Returns:
        ``size``; ``images_per_second`` of whole steps; ``input_images_per_second`` of the input pipeline alone;
        ``shares``: each of `training.run.train.RANGES` and ``"other"`` as a fraction of the time;
        ``outside_network``: the share that is neither forward nor backward nor the optimiser's step; ``operators``: a
        table of the dearest.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Inside a CUDA graph a profile could not tell the parts of a step from each other.
        trainer = Trainer(dataclasses.replace(config, cuda_graph=False), faces, folder, quiet=True)
    trainer.epoch = epoch
    trainer.network.train()
    order = torch.randperm(len(trainer.batches.images), device=trainer.device)
    batches = order[: len(order) // config.batch_size * config.batch_size].view(-1, config.batch_size)
    for batch in batches[:WARMUP_STEPS]:
        trainer._train_step(batch)
    batches = batches[WARMUP_STEPS : WARMUP_STEPS + steps]
    cuda = trainer.device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if cuda else [])

    def measure(work: Callable[[torch.Tensor], object]) -> EventList:
        with profile(activities=activities) as profiler, record_function("all"):
            for batch in batches:
                work(batch)
            if cuda:
                torch.cuda.synchronize()
        return profiler.key_averages()

    whole, alone = measure(trainer._train_step), measure(lambda batch: trainer.batches.make(batch, epoch, trainer.step))
    attribute = "device_time_total" if cuda else "cpu_time_total"
    times = {event.key: event for event in whole}
    pipeline = next(event for event in alone if event.key == "all").cpu_time_total
    total = times["all"].cpu_time_total
    shares = {name: getattr(times[name], attribute) / total for name in RANGES}
    images = batches.numel()
    return {
        "size": config.size_at(epoch),
        "images_per_second": round(images / total * 1e6, 1),
        "input_images_per_second": round(images / pipeline * 1e6, 1),
        "shares": {name: round(share, 4) for name, share in shares.items()}
        | {"other": round(1 - sum(shares.values()), 4)},
        "outside_network": round(1 - shares["forward"] - shares["backward"] - shares["optimizer"], 4),
        "operators": whole.table(sort_by=f"self_{attribute}", row_limit=12, max_name_column_width=40),
    }
