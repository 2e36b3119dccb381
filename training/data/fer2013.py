"""FER2013 as it circulates: Kaggle's CSV in two spellings, an ``.npz``, and FER+'s votes beside the CSV."""

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fer_demo.emotions import LABELS
from fer_demo.vision.sources import one_line
from training.data.classes import Choice, label_rows
from training.data.faces import HELD_OUT_WORDS, SPLITS, BadRows, DataError, Faces, stack, with_validation
from training.data.ferplus import FERPLUS_COLUMNS
from training.data.pictures import open_grey
from training.data.splitting import SEED, split_by_group
from training.data.tables import NUMBERS, csv_rows, name_of, split_of, whole_numbers

SIDE = 48
MOST_VOTES = 1000
"""FER+ asked ten annotators; a count beyond this is a damaged number."""
FERPLUS_FILE = "fer2013new.csv"


_COLUMNS = {
    "emotion": ("emotion", "label", "labels", "class", "expression"),
    "pixels": ("pixels", "pixel"),
    "usage": ("usage", "split", "set", "subset"),
    "person": ("person", "person_id", "subject", "subject_id", "identity"),
    "file": ("file", "filename", "file_name", "image name", "image_name"),
}


def read_csv(path: str | Path, bad: BadRows | None = None, choice: Choice | None = None) -> Faces:
    """Reads ``fer2013.csv``, ``icml_face_data.csv`` and tables like them: columns emotion, pixels and Usage.

    An emotion is a number from 0 to 6, in FER2013's order, or a class name; the pixels are 2,304 numbers. Without
    Usage, a seeded split keeps together what has the same person, or else the same file, or else the same pixels, and
    is stated in `BadRows.notes`. FER+'s ``fer2013new.csv`` in the same folder adds `Faces.votes`: by the names of the
    files where the table has them, or else row for row, which column Usage must then confirm.

    Args:
        path: The table; headings may be padded with spaces.
        bad: What to do with rows that cannot be used; by default the first one stops.
        choice: Which classes the labels mean; by default the seven.

    Raises:
        DataError: Naming file and line.
    """
    path, bad = Path(path), bad or BadRows()
    read, number = [], -1
    with csv_rows(path) as reader:
        columns = _named_columns(path, reader.fieldnames or ())
        grouped = next((c for c in ("person", "file") if c in columns), None)
        for number, row in enumerate(reader):
            with bad.row():
                cells = {name: row[column] or "" for name, column in columns.items()}
                where = f"{path}, line {reader.line_num}"
                image = _picture(cells["pixels"], where)
                split = split_of(cells["usage"], where) if "usage" in cells else ""
                group = cells[grouped].strip() if grouped else image.tobytes()
                row_name = cells["file"].strip() if "file" in cells else ""
                read.append((image, name_of(cells["emotion"]), where, split, group, number, row_name))
    if not read:
        raise DataError(f"{path} holds no pictures that can be used.")
    names, wheres = [row[1] for row in read], [row[2] for row in read]
    labelling = (choice or Choice()).settle(names, path, NUMBERS, "label")
    ids = label_rows(names, wheres, labelling, bad)
    kept = [(i, *row) for i, row in zip(ids, read, strict=True) if i is not None]
    if not kept:
        raise DataError(f"{path} holds no pictures that can be used.")
    labels, images, _, _, splits, groups, rows, files = map(list, zip(*kept, strict=True))
    stated, words = "usage" in columns, ""
    if not stated:
        splits = split_by_group(labels, groups)
        by = f"by {grouped} (column {columns[grouped].strip()!r})" if grouped else "with equal pictures in one split"
        counts = ", ".join(f"{splits.count(s):,} {s}" for s in SPLITS)
        chosen = f"split at random (seed {SEED}), stratified by class, {by}: {counts}"
        bad.notes.append(f"{path} has no column Usage: {chosen}")
        words = f"the data state no splits, so they were {chosen.partition(': ')[0]}"
    usages = with_validation(labels, splits)
    facts = {"classes": labelling.names, "class_map": labelling.classes, "layout": "a table of pixels"}
    words = words or (HELD_OUT_WORDS if usages != splits else "")
    faces = stack(images, labels, usages, path, **facts, split_words=words)
    file = path.parent / FERPLUS_FILE
    if not file.is_file():
        return faces
    if labelling.names != LABELS:
        bad.notes.append(f"{file} is left out: FER+'s votes are for the seven classes alone")
        return faces
    if not stated:
        if "file" not in columns:
            raise DataError(
                f"{path} has neither a column Usage nor one of file names by which its rows could be told to be "
                f"those of {file}; take the CSV as it was published, or move the votes away."
            )
        return replace(faces, votes=_votes_by_name(path, file, files))
    votes, usage = read_ferplus(file)
    if number + 1 != len(votes):
        raise DataError(
            f"{file} has {len(votes):,} rows and {path.name} {number + 1:,}; both must have the same rows: take the "
            "CSV as it was published, or move the votes away."
        )
    if stated and usage is not None and [usage[row] for row in rows] != splits:
        raise DataError(f"{file} and {path.name} have their splits in other orders; take both as they were published.")
    return replace(faces, votes=votes[rows])


def _votes_by_name(path: Path, file: Path, names: Sequence[str]) -> torch.Tensor:
    """The votes on pictures that both tables name alike."""
    with csv_rows(file) as reader:
        column = next((c for c in reader.fieldnames or () if c.strip().lower() in _COLUMNS["file"]), None)
        stated = [(row[column] or "").strip() for row in reader] if column else []
    index = {name: i for i, name in enumerate(stated) if name}
    if missing := [name for name in names if name not in index]:
        raise DataError(
            f"{file} has no votes on {one_line(missing[0])!r} of {path.name} ({len(missing):,} such pictures): both "
            "must name their pictures alike; move the votes away to read the table without them."
        )
    return read_ferplus(file)[0][[index[name] for name in names]]


def _named_columns(path: Path, headings: Sequence[str]) -> dict[str, str]:
    """What the columns are for, and their headings as they stand in the file."""
    found = {name.strip().lower(): name for name in reversed(headings) if name}
    columns = {}
    for use, names in _COLUMNS.items():
        if heading := next((found[name] for name in names if name in found), None):
            columns[use] = heading
    for needed in ("emotion", "pixels"):
        if needed not in columns:
            shown = one_line(", ".join(headings)) or "none"
            raise DataError(f"{path} has no column {needed!r} (found: {shown}); is it Kaggle's fer2013.csv?")
    return columns


def _picture(pixels: str, where: str) -> np.ndarray:
    values = whole_numbers(pixels, where)
    if values.size != SIDE * SIDE:
        raise DataError(f"{where}: {values.size:,} pixels where {SIDE}x{SIDE} = {SIDE * SIDE:,} are needed.")
    if values.min() < 0 or values.max() > 255:
        raise DataError(f"{where}: a pixel is outside 0 to 255.")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def read_ferplus(path: str | Path) -> tuple[torch.Tensor, list[str] | None]:
    """Reads FER+'s counts of votes.

    Returns:
        float32 (rows, 10), columns as `FERPLUS_COLUMNS`; and each row's split, or None where the file does not say.

    Raises:
        DataError: If a column is missing or a count is no number from 0 on.
    """
    path = Path(path)
    counts, usage = [], []
    with csv_rows(path) as reader:
        missing = [c for c in FERPLUS_COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path} has no column {missing[0]!r}; is it FER+'s fer2013new.csv?")
        for row in reader:
            try:
                counts.append([float(row[c]) for c in FERPLUS_COLUMNS])
            except (TypeError, ValueError) as error:
                raise DataError(f"{path}, line {reader.line_num}: a vote count is not a number.") from error
            if not all(0 <= count <= MOST_VOTES for count in counts[-1]):
                raise DataError(f"{path}, line {reader.line_num}: a vote count is not from 0 to {MOST_VOTES}.")
            usage.append((row.get("Usage") or "").strip())
    return torch.tensor(counts).reshape(-1, len(FERPLUS_COLUMNS)), usage if all(usage) else None


def read_npz(path: str | Path, bad: BadRows | None = None, choice: Choice | None = None) -> Faces:
    """Reads an ``.npz`` with label and usage, optionally FER+ votes (N, 10), and the pictures in one of two forms.

    Plain: ``images``, uint8 (N, 48, 48). Packed: the distinct pictures side by side on encoded sheets (``strip_*``,
    ``mosaic_*``: the bytes of an image file each, cells of 48x48 in reading order, sheets in the order of their names)
    and ``tile``, each row's cell. Labels are FER2013's numbers, or those of the array ``label_names``.

    Args:
        path: The file.
        bad: Counts pictures of classes that `choice` leaves out.
        choice: Which classes the labels mean; by default the seven.

    Raises:
        DataError: If the file is no such archive.
    """
    path = Path(path)
    try:
        # A file of another kind that NumPy knows has no keys.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except Exception as error:  # a damaged archive raises nearly anything: zlib.error, EOFError, MemoryError
        reason = one_line(str(error) or type(error).__name__)
        raise DataError(f"{path} cannot be read as an .npz archive ({reason}); get the file again.") from error
    missing = {"label", "usage"} - arrays.keys()
    if missing:
        raise DataError(f"{path} has no array {min(missing)!r}; it needs label and usage.")
    images = arrays["images"] if "images" in arrays else _unpack_sheets(path, arrays)
    labels, usage, count = arrays["label"], arrays["usage"].astype(str), len(images) if images.ndim else 0
    if images.ndim != 3 or images.dtype != np.uint8 or not labels.shape == usage.shape == (count,) or not images.size:
        raise DataError(f"{path}: images must be uint8 (N, 48, 48) with a label each, but are {images.shape}.")
    names = arrays["label_names"].astype(str).ravel().tolist() if "label_names" in arrays else list(LABELS)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(names):
        raise DataError(
            f"{path}: labels must be whole numbers from 0 to {len(names) - 1}; an array label_names names others."
        )
    if unknown := set(usage.tolist()) - set(SPLITS):
        raise DataError(f"{path}: unknown usage {one_line(min(unknown))!r}; expected one of {', '.join(SPLITS)}.")
    votes = _votes(path, arrays["votes"], count) if "votes" in arrays else None
    labelling, bad = (choice or Choice()).settle(names, path), bad or BadRows()
    ids = np.array(
        [-1 if i is None else i for i in label_rows([names[i] for i in labels], [str(path)] * count, labelling, bad)]
    )
    keep = ids >= 0
    if not keep.any():
        raise DataError(f"{path} holds no pictures that can be used.")
    if votes is not None and labelling.names != LABELS:
        bad.notes.append(f"the votes in {path} are left out: FER+'s are for the seven classes alone")
        votes = None
    pixels = torch.from_numpy(np.ascontiguousarray(images[keep]))[:, None]
    return Faces(
        pixels,
        torch.from_numpy(ids[keep].astype(np.int64)),
        usage[keep],
        votes if votes is None else votes[torch.from_numpy(keep)],
        classes=labelling.names,
        class_map=labelling.classes,
        layout="an .npz file",
    )


def _votes(path: Path, votes: np.ndarray, count: int) -> torch.Tensor:
    if votes.shape != (count, len(FERPLUS_COLUMNS)) or votes.dtype.kind not in "iuf":
        raise DataError(f"{path}: votes must be numbers ({count}, {len(FERPLUS_COLUMNS)}), but are {votes.shape}.")
    if not ((votes >= 0) & (votes <= MOST_VOTES)).all():
        raise DataError(f"{path}: votes must be from 0 to {MOST_VOTES}.")
    return torch.from_numpy(votes.astype(np.float32))


def _unpack_sheets(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    sheets = sorted(key for key in arrays if key.startswith(("strip_", "mosaic_")))
    if not sheets or "tile" not in arrays:
        raise DataError(f"{path} has neither an array 'images' nor sheets with a 'tile' index.")
    cells = []
    for key in sheets:
        sheet = open_grey(arrays[key].tobytes(), f"{path}, {key}")
        rows, columns = (n // SIDE for n in sheet.shape)
        if sheet.shape != (rows * SIDE, columns * SIDE):
            raise DataError(f"{path}: the sheet {key} has {sheet.shape} pixels, no whole cells of {SIDE}x{SIDE}.")
        cells.append(sheet.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE))
    found, tile = np.concatenate(cells), arrays["tile"]
    if tile.dtype.kind not in "iu" or tile.ndim != 1 or (tile.size and not 0 <= tile.min() <= tile.max() < len(found)):
        raise DataError(f"{path}: tile must be whole numbers from 0 to {len(found) - 1}, one a row.")
    return found[tile]
