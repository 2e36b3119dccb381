"""Persons keep their numbers on clips whose persons are known by construction."""

import math

import numpy as np
import pytest

from fer_demo.video import clips
from fer_demo.video.smoothing import Smoother
from fer_demo.video.tracking import Tracker, overlap
from fer_demo.vision.detector import FaceDetector


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(threads=1)


def followed(clip: clips.Clip, detector: FaceDetector, every: int) -> tuple[dict[str, set[int]], int]:
    """The numbers that each person had, and how many faces were on the frames and not followed."""
    tracker, numbers, missed = Tracker(), {}, 0
    for i, frame in enumerate(clip.frames()):
        tracker.step(frame, i / clips.FPS)
        if i % every == 0 or tracker.unsettled:
            tracker.match(detector.detect(frame, turned=False))
        there = clip.truth(i)
        for person in there:
            apart = [math.hypot(p.x - person.x, p.y - person.y) for p in there if p is not person]
            if min(apart, default=math.inf) < 0.6 * person.size:
                continue  # one hides the other
            near = [t for t in tracker.here if math.hypot(*(t.middle - (person.x, person.y))) < 0.5 * person.size]
            missed += not near
            numbers.setdefault(person.name, set()).update(t.person for t in near)
    return numbers, missed


@pytest.mark.parametrize("every", [1, 5, 10])
@pytest.mark.parametrize("make", clips.CLIPS, ids=lambda make: make.__name__)
def test_no_identity_switch(make, detector, every):
    numbers, missed = followed(make(), detector, every)
    assert all(len(found) == 1 for found in numbers.values()), numbers
    assert len(set.union(*numbers.values())) == len(numbers), "two persons have one number"
    assert missed <= {clips.crossing: 10, clips.occlusion: 26}.get(make, 0), "more than half hidden for 0.65 s at most"


def test_a_face_is_followed_between_two_looks_for_faces(detector):
    """One look, and then two thirds of a second of walking."""
    clip, tracker = clips.pan(), Tracker()
    for i, frame in enumerate(clip.frames()):
        tracker.step(frame, i / clips.FPS)
        if i == 0:
            tracker.match(detector.detect(frame, turned=False))
        if i == 16:
            break
    for track, person in zip(tracker.here, clip.truth(16), strict=True):
        assert math.hypot(*(track.middle - (person.x, person.y))) < 0.1 * person.size
        found = min(detector.detect(frame, turned=False), key=lambda f: -overlap(f.box, track.box))
        assert overlap(found.box, track.box) > 0.8
        assert np.abs(found.landmarks - track.landmarks).max() < 0.1 * person.size


def test_an_empty_picture_and_nobody():
    tracker = Tracker()
    for i in range(3):
        tracker.step(np.full((40, 60, 3), 100 * i, np.uint8), i / 10)
        tracker.match([])
    assert tracker.tracks == []


def probabilities(first: float) -> np.ndarray:
    row = np.full(7, (1 - first) / 6, np.float32)
    row[0] = first
    return row


def test_half_of_a_step_is_left_after_the_half_life_whatever_the_frame_rate():
    for times in (np.arange(1, 301) / 1000, np.arange(1, 31) / 100, [0.01, 0.02, 0.2, 0.21, 0.3]):
        smoother = Smoother(0.3)
        smoother.add(1, 0.0, probabilities(1.0))
        for time in times:
            found = smoother.add(1, float(time), probabilities(0.0))
        assert found[0] == pytest.approx(0.5, abs=1e-4)
        assert found.sum() == pytest.approx(1, abs=1e-5)


def test_persons_pauses_and_no_smoothing():
    smoother = Smoother(0.2)
    smoother.add(1, 0.0, probabilities(1.0))
    assert smoother.add(2, 0.1, probabilities(0.2))[0] == pytest.approx(0.2), "another person starts anew"
    assert smoother.add(1, 5.0, probabilities(0.2))[0] == pytest.approx(0.2), "so does who was away for long"
    plain = Smoother(0)
    plain.add(1, 0, probabilities(1.0))
    assert plain.add(1, 0.01, probabilities(0.3))[0] == pytest.approx(0.3)
    smoother.forget({2})
    assert smoother.last(1) is None and smoother.last(2) is not None
    for wrong in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="half-life"):
            Smoother(wrong)
