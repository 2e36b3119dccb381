"""Text tables as they circulate: commas, semicolons or tabs; UTF-8 or UTF-16; several spellings of labels."""

import codecs
import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fer_demo.emotions import LABELS
from fer_demo.vision.sources import one_line
from training.data.faces import SPLIT_NAMES, SPLITS, DataError

_SEPARATORS = ",;\t"
_NUMBER = re.compile(r"([0-9]+)(\.0*)?")

NUMBERS = {str(number): name for number, name in enumerate(LABELS)}
"""What FER2013's numbers mean."""

_NOT_WHOLE = "the pixels are not all whole numbers"


@contextmanager
def csv_rows(path: Path) -> Iterator[csv.DictReader]:
    """Opens a table, whatever its encoding; a row that is none ends in one sentence.

    UTF-16 is known by its byte order mark, all else is read as UTF-8. What separates the headings separates the cells.

    Raises:
        DataError: Naming file and line.
    """
    csv.field_size_limit(1 << 20)
    with open(path, "rb") as binary:
        start = binary.read(2)
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    with open(path, newline="", encoding=encoding, errors="replace") as f:
        headings = f.readline(1 << 16)
        f.seek(0)
        reader = csv.DictReader(f, delimiter=max(_SEPARATORS, key=headings.count))
        try:
            yield reader
        except csv.Error as error:
            raise DataError(f"{path}, after line {reader.line_num}: no row of a CSV file ({error}).") from error


def whole_numbers(pixels: str, where: str) -> np.ndarray:
    """The numbers in a cell: ``1 2``, ``[1, 2]`` or ``1.0 2.0``.

    Returns:
        int64 (N,).

    Raises:
        DataError: If one is no whole number.
    """
    numbers = pixels.translate(_LOOSE).split()
    try:
        return np.array(numbers, dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        values = np.array(numbers, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{where}: {_NOT_WHOLE}.") from error
    if not (np.abs(values) < 1 << 31).all():  # written so that NaN fails too
        raise DataError(f"{where}: {_NOT_WHOLE}.")
    if (values != np.rint(values)).any():
        hint = "; multiply them by 255" if values.min() >= 0 and values.max() <= 1 else ""
        raise DataError(f"{where}: {_NOT_WHOLE}{hint}.")
    return values.astype(np.int64)


_LOOSE = str.maketrans(dict.fromkeys("[](),;", " "))


def name_of(cell: str) -> str:
    """The label in a cell: a name, or a number without what spreadsheets add to it, as in ``3.0``."""
    number = _NUMBER.fullmatch(cell.strip())
    return (number[1].lstrip("0") or "0") if number else cell.strip()


def split_of(cell: str, where: str) -> str:
    """The split that a cell names: FER2013's own name, or "train", "Val", "testing" and the like.

    Raises:
        DataError: If it is none.
    """
    name = cell.strip()
    if name in SPLITS:
        return name
    if (key := name.lower().replace(" ", "").replace("_", "")) not in SPLIT_NAMES:
        expected = ", ".join([*SPLITS, *SPLIT_NAMES])
        raise DataError(f"{where}: unknown Usage {one_line(name)!r}; expected one of {expected}.")
    return SPLIT_NAMES[key]
