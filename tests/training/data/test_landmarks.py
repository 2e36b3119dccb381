"""Landmarks of a data set's pictures: found, kept, shuffled, and in the detector's order."""

import cv2
import numpy as np
import pytest
import torch

from fer_demo.vision.align import TEMPLATE, similarity, warp
from fer_demo.vision.detector import FaceDetector
from fer_demo.vision.samples import SAMPLES
from training.data.faces import DataError, Faces
from training.data.landmarks import shuffled, with_landmarks


@pytest.fixture(scope="module")
def mixed():
    """A real face as FER2013 frames it, and noise."""
    photo = SAMPLES[0].load()
    landmarks = FaceDetector().detect(photo)[0].landmarks
    face = warp(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), similarity(landmarks, TEMPLATE * 48), 48)
    noise = np.random.default_rng(0).integers(0, 255, (48, 48), dtype=np.uint8)
    images = torch.from_numpy(np.stack([face, noise]))[:, None]
    return Faces(images, torch.tensor([3, 0]), np.array(["Training", "PublicTest"]))


def test_they_are_found_in_the_detectors_order(mixed):
    found = with_landmarks(mixed).landmarks
    assert found.shape == (2, 5, 2) and found.dtype == torch.float32 and found[1].isnan().all()
    assert (found[0] - torch.tensor(TEMPLATE * 48)).abs().max() < 3  # pixels


def test_they_are_kept(mixed, tmp_path, monkeypatch):
    cache = tmp_path / "kept" / "landmarks.npz"
    first = with_landmarks(mixed, cache)

    def missing(*_):
        raise AssertionError("what is kept needs no detector")

    monkeypatch.setattr("fer_demo.vision.detector.FaceDetector", missing)
    again = with_landmarks(mixed, cache)
    assert torch.equal(again.landmarks.nan_to_num(-1), first.landmarks.nan_to_num(-1))
    with monkeypatch.context() as other:
        other.setenv("FER_DEMO_YUNET", str(cache))  # any other file
        with pytest.raises(DataError, match="another face detector has found; delete it"):
            with_landmarks(mixed, cache)
        other.setenv("FER_DEMO_YUNET", str(tmp_path / "nowhere"))
        assert with_landmarks(mixed, cache).landmarks is not None, "no detector, none to differ"
    with pytest.raises(DataError, match="landmarks of other pictures; delete it"):
        with_landmarks(mixed.take(np.array([1, 0])), cache)
    np.savez(cache, landmarks=np.zeros((2, 68, 2)), of="x")
    with pytest.raises(ValueError, match=r"holds float64 \(2, 68, 2\).*delete it"):
        with_landmarks(mixed, cache)


def test_pictures_that_are_not_square():
    flat = Faces(torch.zeros(1, 1, 40, 48, dtype=torch.uint8), torch.tensor([0]), np.array(["Training"]))
    with pytest.raises(DataError, match="Landmarks need square pictures, but these are 48 x 40"):
        with_landmarks(flat)


def numbered(faces):
    points = torch.arange(len(faces), dtype=torch.float32)[:, None, None].expand(-1, 5, 2).clone()
    return Faces(faces.images, faces.labels, faces.splits, landmarks=points)


def test_they_stay_with_their_faces(faces):
    known = numbered(faces)
    rows = np.array([5, 150, 7])
    assert known.take(rows).landmarks[:, 0, 0].tolist() == [5, 150, 7]
    assert known.split("PublicTest").landmarks[0, 0, 0] == 112
    assert (
        known.fingerprint()
        != faces.fingerprint()
        == known.take(np.arange(len(faces))).__class__(faces.images, faces.labels, faces.splits).fingerprint()
    )


def test_shuffled_ones_belong_to_others_of_the_split(faces):
    known = numbered(faces)
    mixed_up = shuffled(known, seed=1)
    numbers = mixed_up.landmarks[:, 0, 0]
    assert (numbers != torch.arange(len(faces))).all() and torch.equal(mixed_up.images, known.images)
    for split in ("Training", "PublicTest", "PrivateTest"):
        rows = np.flatnonzero(known.splits == split)
        assert sorted(numbers[rows].int().tolist()) == rows.tolist()
    assert torch.equal(shuffled(known, seed=1).landmarks, mixed_up.landmarks)
    assert not torch.equal(shuffled(known, seed=2).landmarks, mixed_up.landmarks)
    with pytest.raises(DataError, match="no landmarks to be shuffled"):
        shuffled(faces)
