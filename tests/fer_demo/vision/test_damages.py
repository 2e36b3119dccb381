"""Each damage does what its name says, more of it at a larger strength, and nothing else."""

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from fer_demo.vision.damages import EYES, KINDS, MOUTH, TWELVE, Damage, damage, damage_all, damage_each
from training.run.corruptions import KINDS as TRAINED
from training.run.corruptions import CorruptionDraws, corrupt

SIZES = [(48, 48), (96, 96), (31, 31), (60, 44), (8, 8), (1, 1)]


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    grey = cv2.cvtColor(astronaut()[30:190, 145:305], cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_stays_a_grey_picture(kind, size):
    picture = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    before = picture.copy()
    for strength in (KINDS[kind].low, KINDS[kind].high, *KINDS[kind].ladder):
        found = damage(picture, kind, strength)
        assert found.shape == size and found.dtype == np.uint8 and not np.shares_memory(found, picture)
    assert (picture == before).all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_strength_is_no_damage(kind, crop):
    assert (damage(crop, kind, KINDS[kind].none) == crop).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_of_the_ladder_is_worse(kind, crop):
    about = KINDS[kind]
    assert about.ladder[0] == about.none and about.low <= min(about.ladder) <= max(about.ladder) <= about.high
    lost = [distance(damage(crop, kind, strength), crop) for strength in about.ladder]
    assert lost == sorted(set(lost))


def test_the_twelve_are_on_their_ladders():
    assert len(set(TWELVE)) == 12
    assert all(what.strength in KINDS[what.kind].ladder and what.strength != KINDS[what.kind].none for what in TWELVE)
    assert {what.kind for what in TWELVE} == set(KINDS)
    assert [what.words for what in TWELVE[:4]] == [
        "blur, sigma 1",
        "blur, sigma 2",
        "24 x 24 pixels",
        "16 x 16 pixels",
    ]


def test_blur_keeps_the_light_and_grows_with_the_crop(crop):
    found = damage(crop, "blur", 2)
    assert found.mean() == pytest.approx(crop.mean(), abs=2) and found.std() < crop.std()
    large = cv2.resize(crop, (192, 192), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(damage(large, "blur", 2), (48, 48), interpolation=cv2.INTER_AREA)
    assert distance(small, found) < 2 < distance(small, crop)


def test_blur_makes_up_nothing_beyond_the_border():
    assert (damage(np.full((48, 48), 200, np.uint8), "blur", 4) == 200).all()


def test_a_face_is_left_with_so_many_pixels(crop):
    detail = np.linalg.svd(damage(crop, "pixels", 16).astype(float), compute_uv=False)
    before = np.linalg.svd(crop.astype(float), compute_uv=False)
    assert detail[15] > 3 and detail[16:].max() < 4 < before[16:].max()  # what is left is rounding
    large = cv2.resize(crop, (96, 96), interpolation=cv2.INTER_CUBIC)
    far = cv2.resize(damage(large, "pixels", 16), (48, 48), interpolation=cv2.INTER_AREA)
    assert distance(far, damage(crop, "pixels", 16)) < 3 < distance(far, crop)  # 16 are 16, whatever there was
    small = np.ascontiguousarray(crop[:20, :20])
    assert (damage(small, "pixels", 24) == small).all()  # it never had more


def test_light_and_contrast(crop):
    assert (damage(crop, "light", 0.3) == np.rint(crop * 0.3)).all()
    assert damage(crop, "light", 2).max() == 255
    flat = damage(crop, "contrast", 0.3)
    assert flat.mean() == pytest.approx(crop.mean(), abs=0.5)
    assert flat.std() == pytest.approx(0.3 * crop.std(), rel=0.02)


def test_noise_has_its_strength_and_its_seed():
    grey = np.full((200, 200), 128, np.uint8)
    found = damage(grey, "noise", 25, seed=3).astype(float)
    assert found.std() == pytest.approx(25, rel=0.02) and found.mean() == pytest.approx(128, abs=0.5)
    assert (damage(grey, "noise", 25, seed=3) == found).all() and (damage(grey, "noise", 25, seed=4) != found).any()
    one, other = damage_each([grey, grey], Damage("noise", 10), seed=3)
    assert (one != other).any() and (other == damage(grey, "noise", 10, seed=4)).all()


def test_jpeg_shows_its_blocks(crop):
    found = damage(crop, "jpeg", 2).astype(float)
    steps = np.abs(np.diff(found, axis=1)).mean(0)
    assert steps[7::8].mean() > 3 * np.delete(steps, np.s_[7::8]).mean()
    assert distance(damage(crop, "jpeg", 95), crop) < 2


def test_a_turn_goes_against_the_clock_and_has_no_black_corners(crop):
    picture = np.full((48, 48), 200, np.uint8)
    picture[22:26, 24:] = 50  # a hand that points to the right
    turned = damage(picture, "turn", 30)
    assert turned.min() > 0 and turned[:22, 24:].min() < 60 and turned[28:, 20:].min() > 190
    assert distance(damage(turned, "turn", -30)[10:38, 10:38], picture[10:38, 10:38]) < 6


def test_bars_cover_eyes_or_mouth_and_nothing_else(crop):
    for kind, middle in (("eyes", EYES), ("mouth", MOUTH)):
        found = damage(crop, kind, 0.25)
        rows = np.flatnonzero((found != crop).any(1))
        assert len(rows) == 12 and abs((rows.mean() + 0.5) / 48 - middle) < 0.02
        assert (found[rows] == 0).all()


def test_several_go_in_the_order_of_a_picture_s_life(crop):
    expected = damage(damage(damage(crop, "turn", 10), "blur", 1), "noise", 10, seed=5)
    assert (damage_all(crop, {"noise": 10, "blur": 1, "turn": 10, "light": 1}, seed=5) == expected).all()
    assert (damage_all(crop, {}) == crop).all() and damage_all(crop, {}) is not crop


@pytest.mark.parametrize(
    ("kind", "strength", "setting"),
    [
        ("light", 0.3, {"light": 0.3}),
        ("contrast", 0.3, {"contrast": 0.3}),
        ("blur", 2, {"blur": 2}),
        ("pixels", 16, {"pixels": 16}),
        ("jpeg", 10, {"jpeg": 10}),
        ("eyes", 0.25, {"cover": None, "top": EYES - 0.125, "height": 0.25, "fill": 0}),
        ("mouth", 0.25, {"cover": None, "top": MOUTH - 0.125, "height": 0.25, "fill": 0}),
    ],
)
def test_training_means_the_same(kind, strength, setting, crop):
    """All but noise and turn, which are drawn; JPEG differs by how its transform is rounded."""
    applied = torch.tensor([[name in setting for name in TRAINED]])
    values = {name: torch.tensor([float(value)]) for name, value in setting.items() if value is not None}
    names = [name for name in CorruptionDraws.__dataclass_fields__ if name not in ("applied", "grain")]
    draws = CorruptionDraws(
        applied=applied, grain=torch.zeros(1, 1, 48, 48), **{name: values.get(name, torch.ones(1)) for name in names}
    )
    trained = corrupt(torch.from_numpy(crop)[None, None] / 255, draws)[0, 0].numpy() * 255
    found = damage(crop, kind, strength)
    assert distance(found, trained) < 1 < distance(found, crop)


def test_bad_input_gets_a_sentence(crop):
    with pytest.raises(TypeError, match="uint8"):
        damage(crop.astype(float), "blur", 1)
    for picture in (np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ValueError, match="must be grey"):
            damage(picture, "blur", 1)
    with pytest.raises(ValueError, match="choose from turn, light"):
        damage(crop, "rain", 1)
    with pytest.raises(ValueError, match="choose from turn, light"):
        damage_all(crop, {"rain": 1})
    for strength in (-1, 5, float("nan")):
        with pytest.raises(ValueError, match="blur must be from 0 to 4"):
            damage(crop, "blur", strength)
