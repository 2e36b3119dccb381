"""A map in words: parts of the face, their shares, and the answer without them."""

import numpy as np
import pytest

from fer_demo.emotions import LABELS
from fer_demo.explain.face import FaceMap
from fer_demo.explain.regions import (
    REGIONS,
    RegionReport,
    crop_landmarks,
    look_at_regions,
    region_masks,
    region_shares,
    strongest,
    without,
)
from fer_demo.prediction import FacePrediction
from fer_demo.vision.align import TEMPLATE, align_face

MARKS = np.asarray(TEMPLATE * 48)


class Reader:
    """Says "happy" as far as the mouth of a crop is bright."""

    labels = LABELS

    def __init__(self, mask):
        self.mask = mask

    def classify(self, crops):
        rows = np.full((len(crops), 7), 0.0, np.float32)
        rows[:, 3] = [crop[self.mask].mean() / 255 for crop in crops]
        return rows


def face(crop, landmarks=None):
    return FacePrediction((0.0, 0.0, 48.0, 48.0), landmarks, None, dict.fromkeys(LABELS, 1 / 7), crop)


def report(**changed):
    own = {
        "label": "happy",
        "shares": dict.fromkeys(REGIONS, 1 / 8),
        "areas": dict.fromkeys(REGIONS, 1 / 8),
        "alone": dict.fromkeys(REGIONS, 0.9),
        "strongest": ("mouth", "cheeks"),
        "before": 0.95,
        "after": 0.31,
        "against": 0.1,
    }
    return RegionReport(**(own | changed))


def test_every_pixel_is_in_one_part_and_the_landmarks_in_theirs():
    masks = region_masks(MARKS, 48)
    assert tuple(masks) == REGIONS
    assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()
    for point, name in zip(MARKS, ("eyes", "eyes", "nose", "mouth", "mouth"), strict=True):
        assert masks[name][int(point[1]), int(point[0])], name
    assert masks["forehead"][4, 24] and masks["chin"][45, 24] and masks["surroundings"][0, 0]
    assert masks["cheeks"][30, 12] and masks["cheeks"][30, 36] and masks["brows"][12, 15] and masks["brows"][12, 32]
    assert all(0.02 < mask.mean() < 0.5 for mask in masks.values())


def test_parts_turn_with_the_face():
    """On a face on its side, whose crop was not levelled, the parts are the same turned."""
    turned = np.stack([48 - MARKS[:, 1], MARKS[:, 0]], 1)
    for name, mask in region_masks(turned, 48).items():
        assert (mask == np.rot90(region_masks(MARKS, 48)[name], -1)).mean() > 0.99, name


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (np.zeros((4, 2)), "five finite points"),
        (np.full((5, 2), np.nan), "five finite points"),
        (np.ones((5, 2)), "must not lie in one point"),
    ],
)
def test_landmarks_that_are_none(landmarks, message):
    with pytest.raises(ValueError, match=message):
        region_masks(landmarks, 48)


def test_landmarks_come_into_the_crop_as_its_pixels_do():
    image = np.zeros((300, 400), np.uint8)
    marks = np.array([[160, 110], [215, 130], [180, 150], [150, 170], [200, 190]], np.float32)
    image[145:156, 175:186] = 255  # around the nose
    crop = align_face(image, marks, 48).astype(float)
    rows, columns = np.indices(crop.shape) + 0.5
    centre = [(columns * crop).sum() / crop.sum(), (rows * crop).sum() / crop.sum()]
    np.testing.assert_allclose(crop_landmarks(face(None, marks), 48)[2], centre, atol=0.3)
    np.testing.assert_allclose(crop_landmarks(face(None), 48), MARKS)


def test_shares_add_up_and_count_only_what_speaks_for_the_class():
    masks = region_masks(MARKS, 48)
    values = np.where(masks["mouth"], 3.0, np.where(masks["nose"], 1.0, -5.0))
    shares = region_shares(values, masks)
    assert sum(shares.values()) == pytest.approx(1) and shares["eyes"] == 0
    mouth, nose = 3 * masks["mouth"].sum(), masks["nose"].sum()
    assert shares["mouth"] == pytest.approx(mouth / (mouth + nose))
    assert strongest(shares) == ("mouth",)
    assert strongest({"eyes": 0.3, "nose": 0.4, "mouth": 0.3}) == ("nose", "eyes")
    nothing = region_shares(-np.ones((48, 48)), masks)
    assert set(nothing.values()) == {0} and strongest(nothing) == ()


def test_what_is_taken_away_is_blurred_and_the_rest_stays():
    crop = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    mask = np.zeros((48, 48), bool)
    mask[10:30, 10:30] = True
    gone = without(crop, mask)
    assert gone.dtype == np.uint8 and (gone[40:, 40:] == crop[40:, 40:]).all()
    assert gone[15:25, 15:25].std() < 0.2 * crop[15:25, 15:25].std()
    assert (without(crop, np.zeros_like(mask)) == crop).all()


def test_the_answer_is_measured_without_the_strongest_parts():
    masks = region_masks(MARKS, 48)
    crop = np.where(masks["mouth"], 255, 0).astype(np.uint8)
    found = FaceMap(np.where(masks["mouth"], 1.0, -0.001).astype(np.float32), 6)
    measured = look_at_regions(Reader(masks["mouth"]), face(crop), "happy", found)
    assert measured.strongest == ("mouth",) and measured.before == pytest.approx(1)
    assert measured.after < 0.5 and measured.after == pytest.approx(measured.alone["mouth"])
    assert measured.alone["eyes"] == pytest.approx(1, abs=0.01)
    assert sum(measured.areas.values()) == pytest.approx(1) and not measured.mostly_against
    assert "without it 'happy' falls from 100" in measured.sentence
    other = look_at_regions(Reader(masks["mouth"]), face(crop), "happy", FaceMap(-found.values, 6))
    assert other.mostly_against and "speaks against 'happy'" in other.sentence
    with pytest.raises(ValueError, match="Unknown expression 'bored'"):
        look_at_regions(Reader(masks["mouth"]), face(crop), "bored", found)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "It looked mostly at the mouth and cheeks: without them 'happy' falls from 95 % to 31 %."),
        ({"strongest": ("nose",)}, "at the nose: without it"),
        ({"strongest": ("eyes",)}, "at the eyes: without them"),
        ({"after": 0.99, "before": 0.5}, "even rises from 50 % to 99 %"),
        ({"after": 0.94}, "but without them 'happy' hardly changes (95 % to 94 %)."),
        ({"before": 0.01, "after": 0.0}, "with or without them 'happy' is unlikely (1 %)."),
        ({"against": 0.7}, "Most of this map speaks against 'happy'; the rest lies mostly on the mouth and cheeks"),
        ({"strongest": (), "before": 0.02}, "Nothing in this map speaks for 'happy' (2 %)."),
        ({"strongest": ("surroundings",)}, "at the surroundings of the face: without them"),
    ],
)
def test_the_sentence(changed, words):
    assert words in report(**changed).sentence.replace("\N{NO-BREAK SPACE}", " ")
