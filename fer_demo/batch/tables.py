"""Tables of very many pictures: parquet, CSV and JSON Lines, one row a face, written as they come."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from fer_demo.classes import separator
from fer_demo.emotions import LABELS
from fer_demo.files import writing
from fer_demo.results import csv_columns, plain_cell

__all__ = ["COLUMNS", "ENDINGS", "TableError", "check_table", "rows", "write_table"]


def columns(labels: Sequence[str] = LABELS) -> tuple[str, ...]:
    """`fer_demo.results.csv_columns`, and three more.

    They are how many faces the picture has, notes about it, joined by semicolons, and for a picture that could not be
    read, whose status is "error", the sentence that says why.

    Args:
        labels: The classes of the model.
    """
    return *csv_columns(labels), "faces", "notes", "error"


COLUMNS = columns()
"""`columns` of the seven classes."""

ROW_GROUP = 20_000
"""Rows that are held until they are written to a parquet file together."""

_INTEGERS, _TRUTHS = ("face", "faces"), ("unsure", "readable")
_PLACES = ("x", "y", "width", "height")
_TEXTS = ("file", "label", "candidates", "flags", "status", "notes", "error")


class TableError(ValueError):
    """A table cannot be written; the message is one sentence."""


def rows(entry: Mapping[str, Any], labels: Sequence[str] = LABELS) -> list[dict[str, Any]]:
    """The rows of one picture.

    Args:
        entry: As `fer_demo.batch.Answer.to_dict` gives it.
        labels: The classes of the model.

    Returns:
        One row a face, the largest first; one with the face number 0 for a picture without a face or with an error.
        Keys are `columns`; None where there is nothing.
    """
    between = separator(labels)
    common = dict.fromkeys(columns(labels)) | {"file": entry["file"], "face": 0}
    if "error" in entry:
        return [common | {"status": "error", "error": entry["error"]}]
    common |= {"faces": len(entry["faces"]), "notes": "; ".join(entry["notes"]) or None}
    found = []
    for number, face in enumerate(entry["faces"], 1):
        row = common | face["box"] | face["probabilities"] | {"face": number, "status": "face"}
        row |= {name: face[name] for name in ("score", "label", "confidence", "unsure", "readable")}
        found.append(row | {"candidates": between.join(face["candidates"]), "flags": " ".join(face["flags"])})
    return found or [common | {"status": "no face"}]


def check_table(out: str | os.PathLike[str]) -> None:
    """Looks whether a table can be written, before anything is read.

    Raises:
        TableError: If its ending says no format, its folder is missing, it is no file, or pyarrow is missing.
    """
    path = Path(out)
    if path.suffix.lower() not in ENDINGS:
        raise TableError(f"The output must end in one of {', '.join(ENDINGS)}, but is {path}.")
    if not path.resolve().parent.is_dir():
        raise TableError(f"There is no folder {path.parent} for the output; make it first.")
    if path.exists() and not path.is_file():
        raise TableError(f"{path} is no regular file; name another output.")
    if not os.access(path.resolve().parent, os.W_OK):
        raise TableError(f"Nothing may be written into the folder {path.resolve().parent}; name another output.")
    if path.suffix.lower() == ".parquet":
        _pyarrow()


def write_table(
    out: str | os.PathLike[str],
    entries: Iterable[Mapping[str, Any]],
    where: Callable[[Mapping[str, Any]], bool] | None = None,
    labels: Sequence[str] = LABELS,
) -> int:
    """Writes a table, which is there once it is whole.

    Args:
        out: A file for which `check_table` has no error; an older one is replaced.
        entries: Pictures as for `rows`; one of them is held at a time, and `ROW_GROUP` rows for parquet.
        where: Which rows are written, as `fer_demo.batch.select.condition` gives it; rows with an error always are.
        labels: The classes of the model, which are columns.

    Returns:
        How many rows were written.

    Raises:
        OSError: If the disk is full; an older file is then untouched.
    """
    count = 0

    def chosen() -> Iterator[dict[str, Any]]:
        nonlocal count
        for entry in entries:
            for row in rows(entry, labels):
                if where is None or row["status"] == "error" or where(row):
                    count += 1
                    yield row

    with writing(out) as file:
        ENDINGS[Path(out).suffix.lower()](file, chosen(), columns(labels))
    return count


def _text(value: str) -> str:
    """Without the halves of characters that file names may hold and no text may."""
    return value.encode("utf-8", "backslashreplace").decode()


def _csv(file: BinaryIO, found: Iterable[dict[str, Any]], names: Sequence[str] = COLUMNS) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in found:
        writer.writerow({name: _cell(name, value) for name, value in row.items()})
    text.flush()
    text.detach()


def _cell(name: str, value: Any) -> Any:
    """As `fer_demo.results.result_rows` has it."""
    if value is None:
        return ""
    if name in _TRUTHS:
        return "yes" if value else "no"
    if name in (*_INTEGERS, *_PLACES):
        return value
    return plain_cell(_text(value)) if name in _TEXTS else f"{value:.4f}"


def _json_lines(file: BinaryIO, found: Iterable[dict[str, Any]], names: Sequence[str] = COLUMNS) -> None:
    for row in found:
        clean = {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}
        file.write(json.dumps(clean, ensure_ascii=False).encode() + b"\n")


def _parquet(file: BinaryIO, found: Iterable[dict[str, Any]], names: Sequence[str] = COLUMNS) -> None:
    pyarrow, parquet = _pyarrow()
    kinds = dict.fromkeys(_INTEGERS, pyarrow.int32()) | dict.fromkeys(_TRUTHS, pyarrow.bool_())
    kinds |= dict.fromkeys(_TEXTS, pyarrow.string())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in names])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        held: dict[str, list[Any]] = {name: [] for name in names}

        def flush() -> None:
            writer.write_table(pyarrow.table(held, schema=schema))
            for column in held.values():
                column.clear()

        for row in found:
            for name, column in held.items():
                value = row[name]
                column.append(_text(value) if isinstance(value, str) else value)
            if len(held["file"]) >= ROW_GROUP:
                flush()
        if held["file"]:
            flush()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TableError(
            "Parquet needs pyarrow; run `pip install 'fer-demo[batch]'`, or let the output end in .csv or .jsonl."
        ) from None
    return pyarrow, pyarrow.parquet


ENDINGS: dict[str, Callable[..., None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _json_lines,
}
"""Ending of the output, in lower case, to what writes rows to a file; the third argument are the `columns`."""
