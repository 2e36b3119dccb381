"""The answer for one picture as a list, as JSON, as CSV and as a data frame: the same from every door."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np

from fer_demo.annotate import draw_faces
from fer_demo.classes import column_order, separator
from fer_demo.emotions import LABELS
from fer_demo.prediction import FacePrediction
from fer_demo.vision.images import ImageSource, open_image
from fer_demo.vision.sources import one_line
from fer_demo.vision.turns import turn_of, turn_sentence

if TYPE_CHECKING:
    import pandas


def csv_columns(labels: Iterable[str] = LABELS) -> tuple[str, ...]:
    """The columns of `result_rows` for a model of these classes.

    Box in pixels, the detector's score, confidence and all probabilities from 0 to 1; whether the answer is unsure and
    whether the crop can be read ("yes" or "no"); the candidates, with `fer_demo.classes.separator` between them, and
    what is wrong with the crop, with a space between; and the status: "face" for a face, "no face" for a picture
    without one, whose row has the face number 0 and nothing else.

    Args:
        labels: Class names.
    """
    before = ("file", "face", "x", "y", "width", "height", "score", "label", "confidence")
    return *before, "unsure", "candidates", "readable", "flags", *column_order(labels), "status"


CSV_COLUMNS = csv_columns()
"""`csv_columns` of the seven classes."""

_TEXTS = ("file", "face", "label", "candidates", "flags", "status")
_TRUTHS = ("unsure", "readable")

# A spreadsheet takes a cell that begins so for a formula; the apostrophe is among them so that the one that is put
# before them can always be taken away again.
_ODD_STARTS = ("=", "+", "-", "@", "'")


class FaceResults(list[FacePrediction]):
    """The faces of one picture, the largest first unless their places were given: a list that knows its picture.

    A slice is a `FaceResults` of the same picture too.

    Args:
        faces: The faces.
        file: The picture's path or name; None when it has none.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        notes: What people should know about how the picture was read, a short clause each.
        labels: The classes of the model, which tables have columns for; None are those of the first face, or the seven.
    """

    def __init__(
        self,
        faces: Iterable[FacePrediction] = (),
        *,
        file: str | None,
        width: int,
        height: int,
        notes: Sequence[str] = (),
        labels: Sequence[str] | None = None,
    ) -> None:
        super().__init__(faces)
        self.file, self.width, self.height = file, width, height
        self._notes, self._labels = tuple(notes), None if labels is None else tuple(labels)

    def __repr__(self) -> str:
        return f"FaceResults({super().__repr__()}, file={self.file!r}, width={self.width}, height={self.height})"

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of the model."""
        return self._labels or (tuple(self[0].probabilities) if self else LABELS)

    @property
    def turn(self) -> int:
        """Degrees clockwise, 0, 90, 180 or 270, that would put the photo upright as its faces say; mostly 0."""
        return turn_of(face.landmarks for face in self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know about the picture, such as "the photo seems to be upside down"; mostly nothing."""
        sentence = turn_sentence(self.turn)
        return self._notes if sentence is None or sentence in self._notes else (*self._notes, sentence)

    @overload
    def __getitem__(self, index: SupportsIndex) -> FacePrediction: ...

    @overload
    def __getitem__(self, index: slice) -> "FaceResults": ...

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if not isinstance(index, slice):
            return found
        about = {"width": self.width, "height": self.height}
        return FaceResults(found, file=self.file, notes=self._notes, labels=self._labels, **about)

    def to_dict(self) -> dict[str, Any]:
        """``{"file", "width", "height", "notes": [...], "faces": [...]}``, ready for ``json.dumps``.

        For what is in a face see `FacePrediction.to_dict`.
        """
        picture = {"file": self.file, "width": self.width, "height": self.height}
        return picture | {"notes": list(self.notes), "faces": [face.to_dict() for face in self]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "FaceResults":
        """Reads what `to_dict` gave, for instance one entry of ``fer-demo predict --json``.

        Args:
            data: What `to_dict` gave, or the same from JSON.

        Returns:
            The faces, without their crops; see `FacePrediction.from_dict`.

        Raises:
            ValueError: If an entry is missing or makes no sense.
        """
        if missing := [key for key in ("file", "width", "height", "faces") if key not in data]:
            raise ValueError(f"There is no {missing[0]!r} in this dictionary; give what FaceResults.to_dict returned.")
        faces = map(FacePrediction.from_dict, data["faces"])
        notes = data.get("notes", ())  # older versions wrote none
        return cls(faces, file=data["file"], width=int(data["width"]), height=int(data["height"]), notes=notes)

    def to_json(self) -> str:
        """`to_dict` as indented JSON text with a final newline."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """CSV text with a header row and `csv_columns`: one row for each face, or one that says "no face".

        A file name that a spreadsheet would take for a formula begins with an apostrophe; see `plain_cell`.
        """
        return result_csv(self.file, self, self.labels)

    def to_dataframe(self) -> "pandas.DataFrame":
        """The rows of `to_csv` with unrounded numbers, NaN or NA where there is nothing.

        Returns:
            Columns as `csv_columns`: ``face`` is int64, ``unsure`` and ``readable`` are boolean, ``file``, ``label``,
            ``candidates``, ``flags`` and ``status`` text and all others float64, whatever the faces are, so that frames
            can be put one below the other.

        Raises:
            ImportError: If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("A data frame needs pandas; run `pip install pandas`.") from None
        rows, columns = _rows(self.file, self, self.labels), csv_columns(self.labels)
        types = {"face": "int64"} | dict.fromkeys(_TRUTHS, "boolean") | dict.fromkeys(_TEXTS[2:] + _TEXTS[:1], "string")
        frame = pandas.DataFrame(rows, columns=list(columns))
        return frame.astype({name: types.get(name, "float64") for name in columns})

    def draw(self, image: ImageSource, *, channels: str = "rgb", max_side: int | None = None) -> np.ndarray:
        """The picture with a numbered box and a word for each face; see `fer_demo.annotate.draw_faces`.

        Args:
            image: The picture that the faces are from, as `open_image` takes it; it is not kept here.
            channels: "bgr" for an array in OpenCV's order; the result is then in that order too.
            max_side: Shrink the result to at most this many pixels on its longer side before drawing.

        Returns:
            uint8 array [H, W, 3], or smaller by `max_side`; `image` itself is not changed.

        Raises:
            ImageError: If the picture cannot be opened.
            ValueError: If it has another size than the one that the faces are from.
        """
        picture = open_image(image, channels=channels)
        height, width = picture.shape[:2]
        if (width, height) != (self.width, self.height):
            raise ValueError(
                f"The faces are from a picture of {self.width} x {self.height} pixels, but this one has {width} x "
                f"{height}; give the same one."
            )
        drawn = draw_faces(picture, self, max_side=max_side)
        return np.ascontiguousarray(drawn[..., ::-1]) if channels == "bgr" else drawn


def result_dict(file: str | None, image: np.ndarray, faces: Sequence[FacePrediction]) -> dict[str, Any]:
    """`FaceResults.to_dict` for any sequence of faces.

    Args:
        file: The picture's path or name; None when it has none.
        image: uint8 RGB [H, W, 3].
        faces: The faces on it.
    """
    return FaceResults(faces, file=file, width=image.shape[1], height=image.shape[0]).to_dict()


def result_json(file: str | None, image: np.ndarray, faces: Sequence[FacePrediction]) -> str:
    """`FaceResults.to_json` for any sequence of faces; arguments as for `result_dict`."""
    return FaceResults(faces, file=file, width=image.shape[1], height=image.shape[0]).to_json()


def result_rows(
    file: str | None, faces: Sequence[FacePrediction], labels: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """One row for each face, numbered from 1, or one with the face number 0 that says "no face".

    Args:
        file: The picture's path or name, which is made a `plain_cell`; None leaves the column empty.
        faces: The faces on it.
        labels: The classes of the model; None are those of the first face, or the seven.

    Returns:
        Rows with the keys of `csv_columns`; coordinates have one digit after the point, all other numbers four.
    """
    rows = _rows(file, faces, labels or _labels(faces))
    return [{name: _cell(name, value) for name, value in row.items()} for row in rows]


def result_csv(file: str | None, faces: Sequence[FacePrediction], labels: Sequence[str] | None = None) -> str:
    """`result_rows` as CSV text with a header row."""
    labels = labels or _labels(faces)
    return csv_text(result_rows(file, faces, labels), labels)


def csv_text(rows: Iterable[Mapping[str, Any]], labels: Sequence[str] = LABELS) -> str:
    """CSV text with a header row.

    Args:
        rows: Of any number of pictures, as `result_rows` gives them.
        labels: The classes of the model, which all rows have.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, csv_columns(labels), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plain_cell(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula, on one line.

    Args:
        text: What the cell should say, for instance a file name, which anybody can choose.

    Returns:
        The text, with an apostrophe before it if it begins with ``=``, ``+``, ``-``, ``@`` or an apostrophe; a program
        that reads the file takes away one apostrophe at the start. Tabs, line breaks and other control characters are
        escaped as Python does it.
    """
    shown = one_line(text, None)
    return f"'{shown}" if shown.startswith(_ODD_STARTS) else shown


def _labels(faces: Sequence[FacePrediction]) -> tuple[str, ...]:
    if isinstance(faces, FaceResults):
        return faces.labels
    return tuple(faces[0].probabilities) if faces else LABELS


def _rows(file: str | None, faces: Sequence[FacePrediction], labels: Sequence[str]) -> list[dict[str, Any]]:
    columns, between = csv_columns(labels), separator(labels)
    found = []
    for number, face in enumerate(faces, 1):
        probabilities = (face.probabilities[label] for label in column_order(labels))
        doubts = (face.unsure, between.join(face.candidates), face.readable, " ".join(face.flags))
        answer = (face.label, face.confidence, *doubts, *probabilities, "face")
        found.append(dict(zip(columns, (file, number, *map(float, face.box), face.score, *answer), strict=True)))
    return found or [dict.fromkeys(columns) | {"file": file, "face": 0, "status": "no face"}]


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    if name in _TRUTHS:
        return "yes" if value else "no"
    if name in ("x", "y", "width", "height"):
        return round(value, 1)
    if name in _TEXTS:
        return plain_cell(value) if isinstance(value, str) else value
    return f"{value:.4f}"
