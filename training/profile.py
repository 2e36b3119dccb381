"""Where an epoch's time goes: the parts of a training step, measured with PyTorch's profiler."""

import tempfile
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from training.config import TrainConfig
from training.data import Faces
from training.train import RANGES, Trainer

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
        ``shares``: each of `training.train.RANGES` and ``"other"`` as a fraction of the time; ``outside_network``: the
        share that is neither forward nor backward nor the optimiser's step; ``operators``: a table of the dearest.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, faces, folder, quiet=True)
    trainer.epoch = epoch
    trainer.network.train()
    order = torch.randperm(len(trainer.images), device=trainer.device)
    batches = order[: len(order) // config.batch_size * config.batch_size].view(-1, config.batch_size)
    for batch in batches[:WARMUP_STEPS]:
        trainer._train_step(batch)
    batches = batches[WARMUP_STEPS : WARMUP_STEPS + steps]
    cuda = trainer.device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if cuda else [])
    with profile(activities=activities) as whole:
        with torch.profiler.record_function("steps"):
            for batch in batches:
                trainer._train_step(batch)
            if cuda:
                torch.cuda.synchronize()
    with profile(activities=activities) as alone:
        with torch.profiler.record_function("pipeline"):
            for batch in batches:
                trainer._input(batch)
            if cuda:
                torch.cuda.synchronize()
    attribute = "device_time_total" if cuda else "cpu_time_total"
    times = {event.key: event for event in whole.key_averages()}
    pipeline = {event.key: event for event in alone.key_averages()}["pipeline"].cpu_time_total
    total = times["steps"].cpu_time_total
    shares = {name: getattr(times[name], attribute) / total for name in RANGES}
    images = batches.numel()
    return {
        "size": config.size_at(epoch),
        "images_per_second": round(images / total * 1e6, 1),
        "input_images_per_second": round(images / pipeline * 1e6, 1),
        "shares": {name: round(share, 4) for name, share in shares.items()}
        | {"other": round(1 - sum(shares.values()), 4)},
        "outside_network": round(1 - shares["forward"] - shares["backward"] - shares["optimizer"], 4),
        "operators": whole.key_averages().table(sort_by=f"self_{attribute}", row_limit=12, max_name_column_width=40),
    }
