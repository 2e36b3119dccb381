"""What the server keeps of very many photos of one visitor: small pictures, the answers, and some of the files."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from fer_demo.annotate import draw_faces
from fer_demo.classes import column_order
from fer_demo.emotions import LABELS
from fer_demo.prediction import FacePrediction
from fer_demo.vision.scaling import scaled_face
from fer_demo.web.answering import Answer

THUMBNAIL = 320
"""Pixels of a small picture's longer side."""

UNTOLD, NO_FACE, UNREAD = "can't tell", "no face", "could not be read"
"""What a photo counts as that has no expression to count: in the order in which they are listed."""

_FACE_BYTES = 4000
"""What the answer for one face takes in memory, at most."""


@dataclass(frozen=True)
class Small:
    """One photo of many.

    Attributes:
        name: Its file's name, perhaps with folders before it.
        data: `FaceResults.to_dict` without the name, or ``{"error": SENTENCE}``.
        label: What it counts as: see `main_face`; or `UNTOLD`, `NO_FACE`, `UNREAD`.
        confidence: Of that label, from 0 to 1; None where there is none.
        thumbnail: JPEG of at most `THUMBNAIL` pixels a side with the faces drawn onto it; empty if it was not read.
        model: The checkpoint that was asked; None is the default.
        original: What is in the file; None where it is no longer here.
        labels: The classes of the model that answered.
    """

    name: str
    data: dict[str, Any]
    label: str
    confidence: float | None = None
    thumbnail: bytes = b""
    model: str | None = None
    original: bytes | None = None
    labels: tuple[str, ...] = LABELS

    @property
    def entry(self) -> dict[str, Any]:
        """The photo as `fer_demo.batch.tables.rows` takes it."""
        return {"file": self.name} | self.data

    @property
    def nbytes(self) -> int:
        """Bytes of memory, without the file."""
        return len(self.thumbnail) + _FACE_BYTES * (1 + len(self.data.get("faces", ())))


def main_face(faces: Sequence[FacePrediction]) -> FacePrediction | None:
    """The face that a photo counts by: the largest one that can be read and is not unsure; None if there is none.

    Args:
        faces: The largest first.
    """
    return next((face for face in faces if not face.unsure), None)


def counts_as(faces: Sequence[FacePrediction] | None) -> str:
    """What a photo counts as.

    Args:
        faces: The largest first; None for a photo that could not be read.
    """
    if faces is None:
        return UNREAD
    if not faces:
        return NO_FACE
    face = main_face(faces)
    return face.label if face else UNTOLD


def all_labels(read: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The classes that photos may count as, in the order in which they are shown.

    Args:
        read: The classes of the models that have answered, one for each photo that was read; none are the seven.

    Returns:
        Those of the first model, then what others have besides; without classes of which none can come.
    """
    found = dict.fromkeys(label for labels in dict.fromkeys(map(tuple, read)) for label in labels)
    return column_order(found) or LABELS


def order(labels: Sequence[str]) -> tuple[str, ...]:
    """What photos count as, in the order in which they are shown.

    Args:
        labels: As `all_labels` gives them.
    """
    return *labels, UNTOLD, NO_FACE, UNREAD


def small(name: str, answer: Answer | None, problem: str | None = None, original: bytes | None = None) -> Small:
    """Makes what is kept of a photo; some hundredths of a second of work for a large one.

    Args:
        name: Its file's name.
        answer: The picture and the faces on it; None if it could not be read.
        problem: One sentence that says why it could not.
        original: What is in the file.
    """
    if answer is None:
        return Small(name, {"error": problem or "It could not be read."}, UNREAD)
    x, y = answer.picture.scale
    picture = answer.picture.within(THUMBNAIL)
    height, width = answer.picture.pixels.shape[:2]
    share_x, share_y = picture.pixels.shape[1] / width, picture.pixels.shape[0] / height
    faces = [scaled_face(face, (share_x / x, share_y / y)) for face in answer.faces]
    file = io.BytesIO()
    Image.fromarray(draw_faces(picture.pixels, faces)).save(file, "JPEG", quality=85)
    data = answer.faces.to_dict()
    del data["file"]
    main = main_face(answer.faces)
    confidence = main.confidence if main else None
    return Small(
        name, data, counts_as(answer.faces), confidence, file.getvalue(), answer.model, original, answer.faces.labels
    )


@dataclass
class Folder:
    """The photos that one visitor has added, group after group.

    Attributes:
        pictures: The photos in the order in which they came.
        left_out: Files of archives that are no pictures.
        over: Photos that came when there was no room for more.
        lost: Whether there were photos that had to make room for those of other visitors.
        groups: Marks of the groups that have come, so that one that is sent again is not added again.
    """

    pictures: list[Small] = field(default_factory=list)
    left_out: int = 0
    over: int = 0
    lost: bool = False
    groups: set[str] = field(default_factory=set)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(one.nbytes + len(one.original or b"") for one in self.pictures)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that they may count as, of all models that have answered."""
        return all_labels(one.labels for one in self.pictures if one.thumbnail)

    def add(self, pictures: Iterable[Small], left_out: int, most: int, originals: int) -> int:
        """Adds a group.

        Args:
            pictures: The photos.
            left_out: Files that are no pictures.
            most: Photos that may be here.
            originals: Bytes of files that may be here; of the oldest photos they go first.

        Returns:
            How many were added.
        """
        given = list(pictures)
        added = given[: max(0, most - len(self.pictures))]
        self.pictures += added
        self.over += len(given) - len(added)
        self.left_out += left_out
        for number in range(len(self.pictures) - 1, -1, -1):
            if (original := self.pictures[number].original) is not None:
                originals -= len(original)
                if originals < 0:
                    self.pictures[number] = replace(self.pictures[number], original=None)
        return len(added)

    def copy(self) -> "Folder":
        """The same for a reader, to which nothing is added."""
        return replace(self, pictures=list(self.pictures), groups=set())
