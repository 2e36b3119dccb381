"""Faces cut out of photographs while a data set is read, exactly as predicting cuts them, and found only once.

What the detector finds is kept in the user's cache folder: places and scores under a hash of the file's bytes, never a
picture. Each process appends to a file of its own, a line a picture, and reads all files of the same detector; so a
kill costs one line at most, and processes that run at the same time do not meet.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from tqdm import tqdm

from fer_demo.cache import cache_dir
from fer_demo.files import parse_json
from fer_demo.vision.images import OpenedImage
from training import FACES, NO_FACE
from training.data import Choice, Faces, load_faces
from training.data.faces import BadRows, NoFaceError

if TYPE_CHECKING:
    from fer_demo.vision.detector import FaceDetector

SIDE = 48
"""Of the crops where no network says otherwise: FER2013's, and what the bundled networks look at."""

_CODE = ("align", "copies", "detector", "found", "turns", "yunet")
_PACKAGES = ("numpy", "onnxruntime", "opencv-python", "opencv-python-headless", "opencv-contrib-python")


@dataclass(frozen=True)
class Seen:
    """What the detector found in one picture.

    Attributes:
        size: Width and height in pixels of what was looked at, in which the places are given.
        faces: The largest first, each with ``box`` (x, y, width, height), ``landmarks`` (5 pairs of x and y) and
            ``score``, as `fer_demo.vision.detector.DetectedFace` has them.
    """

    size: tuple[int, int]
    faces: list[dict[str, Any]]

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Seen":
        """Reads what `FaceCache` wrote.

        Raises:
            ValueError, KeyError, TypeError: If it is none of its entries.
        """
        width, height = values["size"]
        for face in values["faces"]:
            shapes = np.shape(face["box"]), np.shape(face["landmarks"]), np.shape(face["score"])
            if shapes != ((4,), (5, 2), ()):
                raise ValueError("it is no face")
            np.asarray([*face["box"], *np.ravel(face["landmarks"]), face["score"]], np.float64)
        return cls((int(width), int(height)), values["faces"])


def detector_version(model: str | os.PathLike[str]) -> str:
    """A hash of all that decides what is found: the network, the code around it, and the packages that run both.

    Args:
        model: The network's file.
    """
    import fer_demo.vision

    folder = Path(next(iter(fer_demo.vision.__path__)))
    digest = hashlib.blake2b(Path(model).read_bytes(), digest_size=12)
    for name in _CODE:
        digest.update((folder / f"{name}.py").read_bytes())
    for package in _PACKAGES:
        try:
            digest.update(f"{package} {version(package)}\n".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


class FaceCache:
    """What one version of the detector found before, by hash of the file's bytes.

    Args:
        folder: Of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Seen] = {}
        self._file: TextIO | None = None
        for file in sorted(folder.glob("*.jsonl")):
            for line in file.read_bytes().splitlines():
                try:
                    values = parse_json(line)
                    self._known[values["file"]] = Seen.of(values)
                except (ValueError, KeyError, TypeError):  # cut off by a kill, or by a full disk: it is found again
                    continue

    def get(self, key: str, size: tuple[int, int]) -> Seen | None:
        """What was found in a file, if it was looked at in this size."""
        seen = self._known.get(key)
        return seen if seen and seen.size == size else None

    def add(self, key: str, seen: Seen) -> None:
        """Keeps what was found; a line is written at once.

        Raises:
            OSError: If it cannot be written; this process remembers it nevertheless.
        """
        self._known[key] = seen
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, _ = tempfile.mkstemp(dir=self.folder, prefix=f"{os.getpid()}-", suffix=".jsonl")
            self._file = os.fdopen(handle, "w", encoding="utf-8", buffering=1)
        self._file.write(json.dumps({"file": key, "size": seen.size, "faces": seen.faces}) + "\n")

    def close(self) -> None:
        """Closes the file, if there was anything new."""
        if self._file is not None:
            self._file.close()
            self._file = None


class DetectedCrop:
    """Cuts the largest face out of each photograph; a `training.data.pictures.Crop`, and to be closed after use.

    Args:
        bad: Counts photographs with several faces.
        no_face: One of `NO_FACE`.
        side: Of the crops in pixels, where the data's layout does not say.
        quiet: No progress bar.

    Raises:
        ValueError: If OpenCV or ONNX Runtime is missing.
        FaceDetectorError: If the detector's network is.
    """

    def __init__(self, bad: BadRows, *, no_face: str = NO_FACE[0], side: int = SIDE, quiet: bool = True) -> None:
        try:
            from fer_demo.vision.detector import find_model
        except ImportError as error:  # machines that train on cut-out faces may lack them
            raise ValueError(f"--faces detect needs what fer-demo installs ({error}): pip install fer-demo.") from error
        self.bad, self.no_face, self.side = bad, no_face, side
        self.cache = FaceCache(cache_dir() / "faces" / detector_version(find_model(None)))
        self._detector: FaceDetector | None = None
        self._keeps = True
        self._bar = tqdm(desc="finding faces", unit="img", disable=quiet, leave=False, mininterval=1.0)

    def __enter__(self) -> "DetectedCrop":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self.cache.close()

    def __call__(self, source: Path | bytes, opened: OpenedImage, where: str, side: int | None) -> np.ndarray:
        """See `training.data.pictures.as_is`.

        Returns:
            uint8 grey (side, side).

        Raises:
            NoFaceError: If there is no face, and such pictures are left out.
        """
        from fer_demo.vision.align import align_face, whole_picture

        side = side or self.side
        faces = self.find(source, opened).faces
        self._bar.update()
        if len(faces) > 1:
            self.bad.several += 1
        if faces:
            return align_face(opened.pixels, np.asarray(faces[0]["landmarks"], np.float32), side)
        if self.no_face == "skip":
            raise NoFaceError(where)
        self.bad.whole += 1
        return whole_picture(opened.pixels, side)

    def find(self, source: Path | bytes, opened: OpenedImage) -> Seen:
        """The faces in a picture, from the cache or found now."""
        content = source if isinstance(source, bytes) else source.read_bytes()
        key = hashlib.blake2b(content, digest_size=16).hexdigest()
        height, width = opened.pixels.shape[:2]
        if (seen := self.cache.get(key, (width, height))) is None:
            found = self.detector.detect(opened.pixels)
            faces = [
                {"box": list(map(float, f.box)), "landmarks": f.landmarks.tolist(), "score": float(f.score)}
                for f in found
            ]
            seen = Seen((width, height), faces)
            self._keep(key, seen)
        return seen

    def _keep(self, key: str, seen: Seen) -> None:
        if self._keeps:
            try:
                self.cache.add(key, seen)
            except OSError as error:  # a full disk, or a folder that may not be written: it is found again next time
                self._keeps = False
                self.bad.notes.append(f"{self.cache.folder} cannot be written ({error.strerror}): faces are not kept")

    @property
    def detector(self) -> "FaceDetector":
        """Made when a picture comes that was not looked at before."""
        if self._detector is None:
            from fer_demo.vision.detector import FaceDetector

            self._detector = FaceDetector()
        return self._detector


def read_faces(
    path: str | Path,
    *,
    bad: BadRows | None = None,
    choice: Choice | None = None,
    faces: str = FACES[0],
    no_face: str = NO_FACE[0],
    side: int = SIDE,
    quiet: bool = True,
) -> Faces:
    """`training.data.load_faces`, with the faces of photographs found if need be.

    Args:
        path: As it takes it.
        bad: As there.
        choice: As there.
        faces: One of `training.FACES`.
        no_face: One of `training.NO_FACE`.
        side: Of crops that are found, in pixels.
        quiet: No progress bar.

    Raises:
        DataError: As there.
        ValueError, FaceDetectorError: As `DetectedCrop`.
    """
    if faces == "as-is":
        return load_faces(path, bad=bad, choice=choice)
    bad = bad or BadRows()
    with DetectedCrop(bad, no_face=no_face, side=side, quiet=quiet) as crop:
        return load_faces(path, bad=bad, choice=choice, crop=crop)
