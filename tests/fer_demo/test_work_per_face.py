"""What one more face costs goes by the size of the face and not by that of the photo, counted in pixels."""

import tracemalloc
import types

import cv2
import numpy as np
import pytest

from fer_demo import Predictor
from fer_demo.explain.face import FaceMap, on_photo
from fer_demo.vision.align import TEMPLATE
from fer_demo.vision.detector import LOOK_ANGLES, LOOK_SIZE, DetectedFace

HEIGHT, WIDTH = 3000, 4000
SIDE = 200  # of the square that is cut out around a face


class Work:
    """The pixels of all pictures that OpenCV was given and of those that it made."""

    pixels = 0

    def __call__(self, *values) -> None:
        self.pixels += sum(v.shape[0] * v.shape[1] for v in values if isinstance(v, np.ndarray) and v.ndim > 1)


@pytest.fixture
def work(monkeypatch) -> Work:
    counted = Work()

    def spied(function):
        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            counted(*args, *kwargs.values(), result)
            return result

        return call

    for name, function in list(vars(cv2).items()):
        if isinstance(function, types.BuiltinFunctionType):
            monkeypatch.setattr(cv2, name, spied(function))
    return counted


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(threads=1)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def places(count: int) -> list[tuple[float, float]]:
    """Left top corners of squares from the photo's left top corner to its right bottom one, partly outside both."""
    return np.linspace((-SIDE / 3, -SIDE / 3), (WIDTH - 2 * SIDE / 3, HEIGHT - 2 * SIDE / 3), count).tolist()


def boxes(count: int) -> list[tuple[float, float, float, float]]:
    return [(x, y, SIDE, SIDE) for x, y in places(count)]


def faces(count: int) -> list[DetectedFace]:
    """Such squares as faces that are turned more and more."""
    found = []
    for i, (box, place) in enumerate(zip(boxes(count), places(count), strict=True)):
        turn = cv2.getRotationMatrix2D((0.5, 0.5), -30 * i, 1.0)
        landmarks = (TEMPLATE @ turn[:, :2].T + turn[:, 2]) * SIDE + place
        found.append(DetectedFace(box, landmarks.astype(np.float32), 1.0, 30.0 * i))
    return found


@pytest.mark.parametrize("kind", ["boxes", "faces"])
def test_cutting_out_faces_that_were_found_before(predictor, photo, work, kind):
    count = 12
    given = {"boxes": boxes, "faces": faces}[kind](count)
    work.pixels = 0
    tracemalloc.start()  # what NumPy makes, which OpenCV does not see
    assert len(predictor.predict(photo, **{kind: given})) == count
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A turned square reaches over twice its area; that is turned grey, drawn at a multiple of the crop and reduced.
    assert 0 < work.pixels < 16 * count * SIDE**2 < HEIGHT * WIDTH
    assert most < photo.nbytes / 8


def test_finding_faces(predictor, astronaut, work):
    found = {}
    for count in (1, 7):
        photo = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
        for i in range(count):
            x, y = (140 + 550 * i, 300 + 350 * i)
            photo[y : y + 512, x : x + 512] = astronaut
        work.pixels = 0
        assert len(predictor.predict(photo)) == count
        found[count] = work.pixels
    more = (found[7] - found[1]) / 6
    # Each look is drawn at twice its size at most here, from a part of the photo that is as large, and reduced.
    assert 0 < more < (len(LOOK_ANGLES) + 2) * 4 * (2 * LOOK_SIZE) ** 2 < HEIGHT * WIDTH / 3


def test_laying_a_map_onto_the_photo(predictor, photo, work):
    (face,) = predictor.predict(photo, boxes=boxes(3)[1:2])
    found = FaceMap(np.ones(face.crop.shape, np.float32), 6)
    work.pixels = 0
    part, _, _ = on_photo(found.values, photo, face)
    assert part.shape[0] < 2 * SIDE and 0 < work.pixels < 40 * SIDE**2 < HEIGHT * WIDTH / 7
