"""Corruptions: deterministic, independent for each picture, and each kind does what its name says."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from training.run.batches import Batches
from training.run.corruptions import KINDS, CorruptionConfig, corrupt, draw_corruptions
from training.run.distributed import join
from training.run.objective import Objective
from training.run.recipes import load_config

N, SIDE = 64, 48


@pytest.fixture
def x(astronaut):
    """Grey parts of a photo, with edges and smooth places."""
    grey = np.asarray(Image.fromarray(astronaut).convert("L"))
    corners = np.random.default_rng(0).integers(0, 512 - SIDE, (N, 2))
    parts = np.stack([grey[a : a + SIDE, b : b + SIDE] for a, b in corners])
    return torch.from_numpy(parts)[:, None].float() / 255


def drawn(only=None, seed=0, n=N, side=SIDE, **changes):
    draws = draw_corruptions(n, side, CorruptionConfig(share=1, **changes), torch.Generator().manual_seed(seed))
    if only is None:
        return draws
    applied = torch.zeros_like(draws.applied)
    applied[:, KINDS.index(only)] = True
    return dataclasses.replace(draws, applied=applied)


def fixed(only, **values):
    """Draws of one kind with a strength that is the same for all pictures."""
    return dataclasses.replace(drawn(only), **{name: torch.full((N,), float(v)) for name, v in values.items()})


def test_no_share_changes_nothing(x):
    draws = draw_corruptions(N, SIDE, CorruptionConfig(share=0), torch.Generator().manual_seed(0))
    assert not draws.applied.any() and torch.equal(corrupt(x, draws), x)


def test_same_state_same_result(x):
    a, b, c = (corrupt(x, drawn(seed=s)) for s in (3, 3, 4))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.shape == x.shape and a.min() >= 0 and a.max() <= 1


def test_each_picture_for_itself(x):
    draws = drawn()
    whole = corrupt(x, draws)
    parts = torch.cat([corrupt(x[part], draws[part]) for part in (slice(0, 10), slice(10, N))])
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=0)


def test_as_often_as_asked():
    draws = draw_corruptions(7000, 4, CorruptionConfig(share=0.4, second=0.25), torch.Generator().manual_seed(0))
    kinds = draws.applied.sum(1)
    assert kinds.max() == 2 and (kinds > 0).float().mean() == pytest.approx(0.4, abs=0.02)
    assert (kinds == 2).sum() / (kinds > 0).sum() == pytest.approx(0.25, abs=0.03)
    assert (draws.applied.float().mean(0) - 0.4 * 1.25 / len(KINDS)).abs().max() < 0.015


def test_light_and_contrast(x):
    torch.testing.assert_close(corrupt(x, fixed("light", light=0.3)), x * 0.3)
    less = corrupt(x, fixed("contrast", contrast=0.3))
    torch.testing.assert_close(less.mean((1, 2, 3)), x.mean((1, 2, 3)))
    torch.testing.assert_close(less.std((1, 2, 3)), 0.3 * x.std((1, 2, 3)))


def test_blur_is_a_gaussian():
    point = torch.zeros(N, 1, SIDE, SIDE)
    point[:, :, 24, 24] = 1
    spread = corrupt(point, fixed("blur", blur=1.5))[0, 0]
    steps = torch.arange(SIDE) - 24.0
    assert (spread.sum(0) * steps**2).sum() == pytest.approx(1.5**2, rel=0.01) and spread.sum() == pytest.approx(1)


def test_fewer_pixels_than_shown(x):
    small = corrupt(x, fixed("pixels", pixels=16))
    assert torch.linalg.matrix_rank(small[0, 0].double(), atol=1e-4) <= 16 < torch.linalg.matrix_rank(x[0, 0].double())
    torch.testing.assert_close(corrupt(x, fixed("pixels", pixels=48)), x, atol=1e-5, rtol=0)


def test_noise_has_its_strength():
    grey = torch.full((N, 1, SIDE, SIDE), 0.5)
    assert (corrupt(grey, fixed("noise", noise=25 / 255)) - grey).std() == pytest.approx(25 / 255, rel=0.02)


@pytest.mark.parametrize("quality", [10, 40, 70])
def test_jpeg_loses_what_pillow_loses(x, quality):
    theirs = []
    for picture in x[:, 0]:
        file = io.BytesIO()
        Image.fromarray((picture * 255).byte().numpy()).save(file, "JPEG", quality=quality)
        theirs.append(np.asarray(Image.open(file)))
    pillow = torch.from_numpy(np.stack(theirs))[:, None] / 255
    ours = corrupt(x, fixed("jpeg", jpeg=quality))
    assert (ours - pillow).abs().mean() < 0.25 * (ours - x).abs().mean()


def test_a_bar_over_eyes_or_mouth(x):
    covered = corrupt(x, drawn("cover"))
    for picture, bar in zip(x[:, 0], covered[:, 0], strict=True):
        rows = (bar != picture).any(1).nonzero().flatten()
        assert 5 <= len(rows) <= 15 and torch.equal(rows, torch.arange(int(rows[0]), int(rows[-1]) + 1))
        assert bar[rows].unique().numel() == 1 and (rows[0] > 8)


def test_other_sizes(x):
    for side in (24, 33, 64):
        y = torch.nn.functional.interpolate(x, size=(side, side), mode="area")
        assert corrupt(y, drawn(side=side)).shape == y.shape


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"blur": -1}, {"pixels": 2}, {"jpeg": 0}, {"noise": float("nan")}])
def test_impossible_strengths(wrong):
    with pytest.raises(ValueError, match=rf"corruption\.{next(iter(wrong))} must be"):
        CorruptionConfig(**wrong)


def test_teachers_see_whole_pictures(faces, config):
    """The student's pictures are damaged, and what its teachers are asked about is not."""
    asked = []

    class Spy(Objective):
        def teach(self, images, draws):
            asked.append((images, draws))

    train = faces.split("Training")
    batches = {}
    for share in (0.0, 1.0):
        settings = config(corruption={"share": share})
        world = join(torch.device("cpu"))
        data = {"mean": 0.0, "std": 1.0}
        batches[share] = Batches(settings, train, Spy(settings, train, world.device), world, data)
    order = torch.arange(16)
    whole, damaged = (batches[share].make(order, 0, 0)[0] for share in (0.0, 1.0))
    assert whole.shape == damaged.shape and not torch.equal(whole, damaged)
    (images, draws), (others, same) = asked
    assert torch.equal(images, others) and torch.equal(draws.angle, same.angle)


def test_a_recipe_sets_them():
    settings = load_config(None, ["corruption.share=0.5", "corruption.jpeg=20", "targets=mixture", "vote_share=0.4"])
    assert settings.corruption == CorruptionConfig(share=0.5, jpeg=20) and settings.vote_share == 0.4
    with pytest.raises(ValueError, match="corruption holds settings of its own"):
        load_config(None, ["corruption=1"])
