"""What finding faces costs, counted in runs of the network and in pixels; and that doubt brings more looks."""

import cv2
import numpy as np
import pytest

from fer_demo.vision import align
from fer_demo.vision.detector import LOOK_SIZE, FaceDetector


class Counted:
    """The runs of the network, as (pictures, height, width), and the pixels that were drawn by warps."""

    def __init__(self, detector: FaceDetector, monkeypatch) -> None:
        self.runs: list[tuple[int, int, int]] = []
        self.warped = 0
        detect, warp = detector._yunet.detect, cv2.warpAffine

        def run(pictures, threshold):
            self.runs.append((len(pictures), *pictures[0].shape[:2]))
            return detect(pictures, threshold)

        def draw(image, matrix, size, **options):
            self.warped += size[0] * size[1]
            return warp(image, matrix, size, **options)

        monkeypatch.setattr(detector._yunet, "detect", run)
        monkeypatch.setattr(cv2, "warpAffine", draw)

    @property
    def looks(self) -> list[int]:
        """Of the runs on crops: how many there were in each."""
        return [count for count, *side in self.runs if side == [LOOK_SIZE, LOOK_SIZE]]


@pytest.fixture
def detector() -> FaceDetector:
    return FaceDetector(threads=1)


def test_one_clear_upright_face(detector, astronaut, monkeypatch):
    photo = np.ascontiguousarray(astronaut[:312, 70:377])
    counted = Counted(detector, monkeypatch)
    (face,) = detector.detect(photo)
    # A glance at each copy, and one crop.
    assert len(counted.runs) == 3 and counted.looks == [1]
    assert counted.warped == LOOK_SIZE**2
    counted.warped = 0
    assert align.align_face(photo, face.landmarks).shape == (48, 48)
    assert counted.warped <= (4 * 48) ** 2


def test_a_large_face_costs_no_more_than_a_small_one(detector, astronaut, monkeypatch):
    large = cv2.resize(astronaut[40:200, 140:300], (1600, 1600), interpolation=cv2.INTER_CUBIC)
    counted = Counted(detector, monkeypatch)
    (face,) = detector.detect(large)
    assert counted.warped <= 2 * LOOK_SIZE**2
    counted.warped = 0
    align.align_face(large, face.landmarks)
    assert counted.warped <= (4 * 48) ** 2


def test_all_faces_share_a_run(detector, astronaut, monkeypatch):
    row = np.concatenate([astronaut[:312, 70:377]] * 4, axis=1)
    photo = np.concatenate([row, row, row])
    counted = Counted(detector, monkeypatch)
    assert len(detector.detect(photo)) == 12
    assert counted.looks[0] == 12 and len(counted.runs) <= 5


def test_a_tilted_head_beside_a_level_one_is_found(detector, astronaut, monkeypatch):
    """The glance at the upright picture sees it too weakly; the level face alone would be no reason to go on."""
    level = astronaut[:312, 70:377]
    middle = (154, 125)
    tilted = cv2.warpAffine(
        level, cv2.getRotationMatrix2D(middle, -50, 1.0), level.shape[1::-1], borderMode=cv2.BORDER_REPLICATE
    )
    faces = detector.detect(np.concatenate([level, tilted], axis=1))
    assert len(faces) == 2
    assert sorted(round(face.angle / 25) for face in faces) == [0, 2]


def test_a_photo_without_a_clear_face_is_looked_at_more(detector, monkeypatch):
    counted = Counted(detector, monkeypatch)
    assert detector.detect(np.full((300, 400, 3), 128, np.uint8)) == []
    assert len(counted.runs) == 2 * 3 + 3 * 2  # two copies at three angles, and upright in three quarter turns
    counted.runs.clear()
    assert detector.detect(np.full((300, 400, 3), 128, np.uint8), turned=False) == []
    assert len(counted.runs) == 2
