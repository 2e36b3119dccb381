"""Augmentation: deterministic, independent for each picture, and each switch does what it says."""

import dataclasses

import pytest
import torch

from training.run.augment import AugmentConfig, augment, draw

NOTHING = AugmentConfig(rotation=0, shift=0, scale=0, flip=0, contrast=0, brightness=0, erase=0)


def run(x, seed=0, **changes):
    return augment(x, draw(len(x), dataclasses.replace(NOTHING, **changes), torch.Generator().manual_seed(seed)))


@pytest.fixture
def x():
    """Smooth pictures: a resampled one can then be compared with the original."""
    noise = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.interpolate(noise, size=(48, 48), mode="bicubic").clamp(0, 1)


def test_nothing_changes_nothing(x):
    torch.testing.assert_close(run(x), x, atol=1e-5, rtol=0)


def test_same_state_same_result(x):
    config = AugmentConfig()
    a, b, c = (augment(x, draw(len(x), config, torch.Generator().manual_seed(s))) for s in (3, 3, 4))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.shape == x.shape and a.min() >= 0 and a.max() <= 1


def test_flip_mirrors(x):
    torch.testing.assert_close(run(x, flip=1.0), x.flip(-1), atol=1e-5, rtol=0)
    some = run(x, flip=0.5)
    mirrored = (some - x.flip(-1)).abs().amax((1, 2, 3)) < 1e-4
    assert 16 < mirrored.sum() < 48


def test_shift_moves_by_up_to_the_fraction():
    x = torch.zeros(256, 1, 48, 48)
    x[..., 24, 24] = 1
    moved = run(x, shift=0.25)
    columns = (moved * torch.arange(48.0)).sum((1, 2, 3)) / moved.sum((1, 2, 3))
    assert 10 < (columns - 24).abs().max() <= 12.5


def test_rotation_keeps_the_centre_and_turns_the_rim():
    x = torch.zeros(200, 1, 49, 49)
    x[..., 24, 44] = 1  # twenty pixels right of the centre
    turned = run(x, rotation=30)
    mass = turned.sum((1, 2, 3))
    dy = (turned * torch.arange(49.0)[:, None]).sum((1, 2, 3)) / mass - 24
    dx = (turned * torch.arange(49.0)).sum((1, 2, 3)) / mass - 24
    angle = torch.rad2deg(torch.atan2(dy, dx))
    assert angle.min() < -25 and angle.max() > 25 and angle.abs().max() < 32
    assert ((dx**2 + dy**2).sqrt() - 20).abs().max() < 1.5  # a rotation, not a shear


def test_scale_changes_size():
    x = torch.zeros(200, 1, 48, 48)
    x[..., 18:30, 18:30] = 1
    area = run(x, scale=0.5).sum((1, 2, 3)) / 144
    assert area.min() < 0.5 and area.max() > 1.7


def test_erase_hits_its_share_and_its_area(x):
    grey = torch.full((2000, 1, 48, 48), 0.5)  # a random fill is hardly ever exactly this
    erased = ((run(grey, erase=0.3, erase_area=(0.05, 0.1)) - 0.5).abs() > 1e-6).float().mean((1, 2, 3))
    share = (erased > 0).float().mean()
    assert 0.25 < share < 0.35
    hit = erased[erased > 0]
    assert hit.min() > 0.03 and hit.max() < 0.13


def test_bad_settings():
    with pytest.raises(ValueError, match=r"augment\.erase must be from 0 to 1; got 1\.5"):
        AugmentConfig(erase=1.5)
