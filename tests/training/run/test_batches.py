"""What a run draws: its own for every seed, epoch and step."""

import itertools

import pytest
import torch

from training.run.batches import Batches, _folded
from training.run.distributed import join
from training.run.objective import Objective


@pytest.fixture
def batches(faces, config):
    def make(**settings):
        train, settings, world = faces.split("Training"), config(**settings), join(torch.device("cpu"))
        return Batches(settings, train, Objective(settings, train, world.device), world, {"mean": 0.0, "std": 1.0})

    return make


def test_seeds_and_epochs_have_their_own_order(batches):
    orders = [batches(seed=seed).order(epoch).tolist() for seed in (0, 1, 2) for epoch in (0, 1, 256, 257)]
    assert all(a != b for a, b in itertools.combinations(orders, 2))
    assert all(sorted(order) == sorted(orders[0]) for order in orders)


def test_seeds_epochs_and_steps_have_their_own_augmentation(batches):
    order = torch.arange(16)
    seen = [batches(seed=seed).make(order, epoch, step)[0] for seed in (0, 1) for epoch in (0, 256) for step in (0, 1)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(seen, 2))


def test_seeds_mix_other_pictures(batches):
    order = torch.arange(16)
    targets = [batches(seed=seed, mixup=0.4, mix_prob=1.0).make(order, 0, 0)[1] for seed in (0, 1)]
    assert not torch.equal(*targets)


def test_what_seed_0_draws_stays():
    """Runs of seed 0 would otherwise not be repeatable by later releases."""
    assert all(_folded((epoch << 24) + step) == (epoch << 24) + step for epoch in (0, 255) for step in (0, 9, 1 << 23))


def test_no_two_seeds_draw_the_same():
    steps = [*range(500), *((1 << 23) + step for step in range(500)), *((1 << 24) - 1 - step for step in range(500))]
    drawn = {_folded((seed << 40) + (epoch << 24) + s) for seed in range(4) for epoch in (0, 7, 300) for s in steps}
    assert len(drawn) == 4 * 3 * len(steps)
    assert max(drawn) < 1 << 32
