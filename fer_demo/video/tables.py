"""The answers as CSV, JSON lines, JSON and Parquet, one row a face, written as they come."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, BinaryIO, Protocol

import numpy as np

from fer_demo.classes import RAW, column_order
from fer_demo.emotions import LABELS
from fer_demo.video.answers import FrameAnswer, VideoFace
from fer_demo.video.extra import VideoError
from fer_demo.vision.quality import CropQuality


def columns(labels: Sequence[str] = LABELS) -> tuple[str, ...]:
    """The columns of a video's tables.

    Seconds; the frame's number; the person's; the box in pixels; the detector's score; whether the face was found on
    this frame or followed to it ("detected" or "followed"); the smoothed answer; what is wrong with the crop, with a
    space between; the smoothed probabilities, and those of this frame alone. A frame without faces has the person 0 and
    nothing else.

    Args:
        labels: The classes of the model.
    """
    names = column_order(labels)
    return (
        *("time", "frame", "person", "x", "y", "width", "height", "score", "found"),
        *("label", "confidence", "unsure", "readable", "flags", *names, *(RAW + name for name in names)),
    )


COLUMNS = columns()
"""`columns` of the seven classes."""

_ROWS = 5_000  # of a Parquet group, which is held until it is written


class Table(Protocol):
    """What takes answers and writes them."""

    def add(self, answer: FrameAnswer) -> None:
        """Takes the answer for one frame."""
        ...

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes what is left."""
        ...


def rows(answer: FrameAnswer, labels: Sequence[str] = LABELS) -> list[dict[str, Any]]:
    """One row with the keys of `columns` for each face, or one with the person 0."""
    common = {"time": round(answer.time, 4), "frame": answer.index}
    if not answer.faces:
        return [dict.fromkeys(columns(labels)) | common | {"person": 0}]
    return [common | _row(face, column_order(labels)) for face in answer.faces]


def _row(face: VideoFace, labels: Sequence[str]) -> dict[str, Any]:
    box = dict(zip(("x", "y", "width", "height"), (round(v, 1) for v in face.box), strict=True))
    found = {"score": round(face.score, 4), "found": "detected" if face.detected else "followed"}
    said = {"label": face.label, "confidence": round(face.confidence, 4), "unsure": face.unsure}
    smoothed = {label: round(face.probabilities[label], 4) for label in labels}
    raw = {RAW + label: round(face.raw[label], 4) for label in labels}
    state = {"readable": face.readable, "flags": " ".join(face.flags)}
    return {"person": face.person} | box | found | said | state | smoothed | raw


class CsvTable:
    """CSV with a header row, UTF-8; truths are "yes" and "no". No cell holds text that anybody could choose.

    Args:
        file: The open binary file.
        labels: The classes of the model.
    """

    def __init__(self, file: BinaryIO, labels: Sequence[str] = LABELS) -> None:
        self._labels = labels
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.DictWriter(self._text, columns(labels), lineterminator="\n")
        self._rows.writeheader()

    def add(self, answer: FrameAnswer) -> None:
        """Writes the rows of one frame."""
        for row in rows(answer, self._labels):
            truths = {k: "yes" if row[k] else "no" for k in ("unsure", "readable") if row[k] is not None}
            self._rows.writerow(row | truths)

    def finish(self, summary: dict[str, Any]) -> None:
        """Lets go of the file."""
        self._text.detach()


class JsonLines:
    """One JSON object a frame and line: ``{"time", "frame", "faces": [...]}``, each face as `face_dict` has it.

    Args:
        file: The open binary file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, answer: FrameAnswer) -> None:
        """Writes one line."""
        self._file.write(json.dumps(frame_dict(answer)).encode() + b"\n")

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes nothing more: each line stands by itself."""


class JsonFile:
    """One JSON object: ``{"frames": [...], "summary": {...}}``, the frames one a line.

    Args:
        file: The open binary file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._first = file, True

    def add(self, answer: FrameAnswer) -> None:
        """Writes one line."""
        self._file.write(b'{"frames": [\n' if self._first else b",\n")
        self._file.write(json.dumps(frame_dict(answer)).encode())
        self._first = False

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes the summary."""
        self._file.write(b'{"frames": [\n' if self._first else b"")
        self._file.write(b'\n],\n"summary": ' + json.dumps(summary).encode() + b"}\n")


class ParquetTable:
    """The rows of `rows` as Parquet, with types; nothing is null but in a row of a frame without faces.

    Args:
        file: The open binary file.
        labels: The classes of the model.

    Raises:
        VideoError: If pyarrow is not installed.
    """

    def __init__(self, file: BinaryIO, labels: Sequence[str] = LABELS) -> None:
        self._labels = labels
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError:
            raise VideoError("Parquet needs pyarrow; run `pip install pyarrow`.") from None
        texts, truths, whole = ("found", "label", "flags"), ("unsure", "readable"), ("frame", "person")
        kinds = dict.fromkeys(texts, pa.string()) | dict.fromkeys(truths, pa.bool_()) | dict.fromkeys(whole, pa.int64())
        self._schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in columns(labels)])
        self._pa, self._waiting = pa, list[dict[str, Any]]()
        self._writer: Any = pq.ParquetWriter(file, self._schema)

    def add(self, answer: FrameAnswer) -> None:
        """Takes the rows of one frame."""
        self._waiting += rows(answer, self._labels)
        if len(self._waiting) >= _ROWS:
            self._flush()

    def finish(self, summary: dict[str, Any]) -> None:
        """Writes what waits, and the end of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._pa.Table.from_pylist(self._waiting, self._schema))
        self._waiting = []


def frame_dict(answer: FrameAnswer) -> dict[str, Any]:
    """One frame, ready for ``json.dumps``."""
    faces = [face_dict(face) for face in answer.faces]
    return {"time": round(answer.time, 6), "frame": answer.index, "faces": faces}


def face_dict(face: VideoFace) -> dict[str, Any]:
    """`FacePrediction.to_dict` with ``person``, ``detected`` and ``raw`` (the probabilities of this frame alone)."""
    raw = {label: round(value, 4) for label, value in face.raw.items()}
    return {"person": face.person, "detected": face.detected} | face.prediction.to_dict() | {"raw": raw}


def frame_from_dict(data: dict[str, Any]) -> FrameAnswer:
    """Reads what `frame_dict` gave, without pixels.

    Raises:
        ValueError: If something is missing or makes no sense.
    """
    from fer_demo.prediction import FacePrediction

    try:
        faces = []
        for entry in data["faces"]:
            found = FacePrediction.from_dict(entry)
            quality = CropQuality.from_dict(entry["quality"])
            raw = {label: float(entry["raw"][label]) for label in found.probabilities}
            marks = np.asarray(entry["landmarks"], np.float32)
            about = (int(entry["person"]), found.box, marks, float(entry["score"]), bool(entry["detected"]))
            faces.append(VideoFace(*about, raw, found.probabilities, quality, None, found.candidates))
        return FrameAnswer(int(data["frame"]), float(data["time"]), tuple(faces))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no answer for a frame ({error})") from None
