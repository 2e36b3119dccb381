"""What is measured of a crop, and what is refused."""

import csv
import json
import os
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_demo import Predictor
from fer_demo.vision.align import TEMPLATE, align_face
from fer_demo.vision.quality import ABOVE, BELOW, FLAGS, CropQuality, crop_quality
from fer_demo.vision.samples import SAMPLES

GOOD = CropQuality(
    inside=1.0,
    eye_distance=120.0,
    face_size=330.0,
    sharpness=0.65,
    noise=0.05,
    light=115.0,
    contrast=45.0,
    yaw=0.0,
    landmark_error=0.05,
)


@pytest.fixture(scope="module")
def face():
    """The astronaut, found."""
    picture = SAMPLES[0].load()
    (found,) = Predictor("fer_sedense_nano").predict(picture)
    return found


@pytest.fixture(scope="module")
def crop(face):
    return face.crop


def changed(**measures) -> CropQuality:
    return CropQuality(**asdict(GOOD) | measures)


def test_a_good_face(face):
    quality = face.quality
    assert quality.flags == () and quality.readable and face.readable and face.remarks == ""
    assert quality.inside == 1 and quality.eye_distance == pytest.approx(
        np.linalg.norm(face.landmarks[0] - face.landmarks[1]), abs=0.06
    )
    assert 50 < quality.face_size < 200 and abs(quality.yaw) < 30 and quality.landmark_error < 0.2


@pytest.mark.parametrize(
    ("damage", "flag"),
    [
        (np.zeros_like, "blank"),
        (lambda a: np.full_like(a, 255), "blank"),
        (lambda a: cv2.GaussianBlur(a, (0, 0), 3), "blurred"),
        (lambda a: cv2.resize(cv2.resize(a, (10, 10), interpolation=cv2.INTER_AREA), (48, 48)), "blurred"),
        (lambda a: cv2.blur(a, (15, 1)), "blurred"),  # moved while the picture was taken: sharp in one direction
        (lambda a: (a * 0.1).astype(np.uint8), "too_dark"),
        (lambda a: (128 + 0.05 * (a - 128.0)).astype(np.uint8), "low_contrast"),
        (lambda a: np.clip(a + np.random.default_rng(0).normal(0, 50, a.shape), 0, 255).astype(np.uint8), "noisy"),
        (lambda a: np.clip(230 + 0.3 * a, 0, 255).astype(np.uint8), "too_bright"),
    ],
)
def test_a_damaged_crop_is_refused(crop, damage, flag):
    assert crop_quality(crop).readable
    quality = crop_quality(damage(crop))
    assert not quality.readable and quality.flags[0] == flag


def test_a_little_damage_is_said_and_not_refused(crop):
    quality = crop_quality(cv2.GaussianBlur(crop, (0, 0), 1.1))
    assert quality.readable and quality.flags == ("blurred",)


def test_sharpness_does_not_change_with_contrast(crop):
    weak = np.round(128 + 0.3 * (crop - 128.0)).astype(np.uint8)
    assert crop_quality(weak).sharpness == pytest.approx(crop_quality(crop).sharpness, abs=0.02)
    sharp = [crop_quality(cv2.GaussianBlur(crop, (0, 0), s)).sharpness for s in (0.5, 1, 1.5, 2, 3)]
    assert sharp == sorted(sharp, reverse=True)


def test_noise_is_what_was_added():
    flat = np.tile(np.linspace(60, 190, 48), (48, 1))
    noisy = np.clip(flat + np.random.default_rng(0).normal(0, 12, flat.shape), 0, 255).astype(np.uint8)
    assert crop_quality(noisy).noise * noisy.std() == pytest.approx(12, rel=0.1)


def test_few_pixels():
    """Eight pixels of a face, enlarged: the size says so, even where the pixels would not."""
    small = cv2.resize(SAMPLES[0].load()[60:200, 160:300], (8, 8), interpolation=cv2.INTER_AREA)
    (face,) = Predictor("fer_sedense_nano").predict(small, whole_image=True)
    assert face.quality.face_size == 8 and face.flags[0] == "too_small" and not face.readable and face.unsure
    assert face.sentence == "can't tell: too small" and face.full_sentence.startswith("can't tell: too small; ")


@pytest.mark.parametrize("x", [-50.0, 50.0])
def test_half_outside(x):
    picture = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    landmarks = (TEMPLATE * 100 + (x, 0)).astype(np.float32)
    quality = crop_quality(
        align_face(picture, landmarks), box=(x, 0, 100, 100), landmarks=landmarks, picture=picture.shape
    )
    assert quality.inside == pytest.approx(0.5, abs=0.002) and "cut_off" in quality.flags


def test_a_turned_crop_and_its_picture():
    """A square that is turned by 45 degrees around a picture's corner has a quarter inside."""
    turn = np.array([[1, 1], [-1, 1]]) / 2**0.5
    landmarks = ((TEMPLATE - 0.5) * 40 @ turn.T).astype(np.float32)
    quality = crop_quality(np.zeros((48, 48), np.uint8), box=(0, 0, 1, 1), landmarks=landmarks, picture=(100, 100))
    assert quality.inside == pytest.approx(0.25, abs=0.002) and quality.face_size == pytest.approx(40, abs=0.1)


def test_the_head_that_is_turned():
    def yaw(degrees: float, roll: float = 0.0) -> CropQuality:
        # The eyes and the mouth in a plane, the nose 28 mm before it, seen from far away.
        points = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 36, 28], [-26, 63, 0], [26, 63, 0]])
        a, r = np.radians([degrees, roll])
        flat = np.column_stack([points[:, 0] * np.cos(a) + points[:, 2] * np.sin(a), points[:, 1]])
        flat = flat @ np.array([[np.cos(r), np.sin(r)], [-np.sin(r), np.cos(r)]]) + 200
        return crop_quality(np.zeros((48, 48), np.uint8), box=(0, 0, 1, 1), landmarks=flat.astype(np.float32))

    for degrees in (-60, -30, 0, 30, 60):
        assert yaw(degrees).yaw == pytest.approx(degrees, abs=4)
        assert yaw(degrees, roll=25).yaw == pytest.approx(degrees, abs=4)
    assert yaw(60).landmark_error > yaw(0).landmark_error
    assert "turned_away" in changed(yaw=-60.0).flags and changed(yaw=-60.0).readable


def test_limits_and_their_order():
    assert GOOD.flags == () and GOOD.readable
    assert set(FLAGS) == {"blank", *BELOW, *ABOVE}
    for name, (measure, flag, fatal) in BELOW.items():
        assert fatal < flag
        assert changed(**{measure: (flag + fatal) / 2}).flags == (name,)
        assert changed(**{measure: (flag + fatal) / 2}).readable and not changed(**{measure: fatal - 0.01}).readable
    for name, (measure, flag, fatal) in ABOVE.items():
        assert fatal > flag and changed(**{measure: flag + 0.01}).flags == (name,)
        assert changed(**{measure: flag + 0.01}).readable
    # What makes it unreadable comes first, whatever else is graver.
    both = changed(face_size=30.0, sharpness=0.1, yaw=70.0)
    assert both.flags == ("blurred", "too_small", "turned_away") and not both.readable


def test_of_a_crop_alone_only_its_pixels_are_known(crop):
    quality = crop_quality(crop)
    unknown = (quality.eye_distance, quality.face_size, quality.yaw, quality.landmark_error)
    assert unknown == (None,) * 4 and quality.inside == 1
    large = cv2.resize(crop, (100, 100), interpolation=cv2.INTER_CUBIC)
    assert crop_quality(large).sharpness == pytest.approx(quality.sharpness, abs=0.05)


def test_a_whole_picture_is_not_cut_off():
    wide = np.repeat(SAMPLES[0].load()[60:200, 160:300], 2, axis=1)
    (face,) = Predictor("fer_sedense_nano").predict(wide, whole_image=True)
    assert face.quality.inside == 1 and face.quality.face_size == 280


def test_there_and_back():
    for quality in (GOOD, changed(eye_distance=None, face_size=None, yaw=None, landmark_error=None)):
        assert CropQuality.from_dict(json.loads(json.dumps(asdict(quality)))) == quality
    for wrong in ({"light": None}, {"light": "bright"}, {"light": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            CropQuality.from_dict(asdict(GOOD) | wrong)


@pytest.mark.parametrize("wrong", [np.zeros((48, 48)), np.zeros((48, 48, 3), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_crop(wrong):
    with pytest.raises(ValueError, match="A crop must be uint8"):
        crop_quality(wrong)


@pytest.mark.slow
def test_few_photographs_are_refused():
    folder = os.environ.get("FER_WILD_DIR")
    if not folder:
        pytest.skip("FER_WILD_DIR does not name a folder with labels.csv and images/")
    predictor = Predictor("fer_sedense_nano")
    with (Path(folder) / "labels.csv").open() as file:
        names = [row["image"] for row in csv.DictReader(file)][::4]
    answers = predictor.stream([Path(folder) / "images" / name for name in names])
    read = [faces[0].readable for faces in answers if faces]
    assert len(read) > 100 and np.mean(read) > 0.97


def test_a_network_that_learned_damages_refuses_fewer_crops(crop):
    soft = cv2.GaussianBlur(crop, (0, 0), 2)
    strict, mild = crop_quality(soft), crop_quality(soft, robust=True)
    assert strict.flags == mild.flags == ("blurred",)
    assert not strict.readable and mild.readable
    assert not crop_quality(cv2.GaussianBlur(crop, (0, 0), 6), robust=True).readable
    assert CropQuality.from_dict(asdict(mild)) == mild
    old = {k: v for k, v in asdict(strict).items() if k != "robust"}  # written before there was such a network
    assert CropQuality.from_dict(old) == strict
