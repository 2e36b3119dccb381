"""Pictures in folders: Kaggle's FER2013, RAF-DB in its official and circulating layouts, any ``<class>/`` folders."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from fer_demo.emotions import LABELS
from fer_demo.vision.folders import IMAGE_EXTENSIONS, pictures_in
from fer_demo.vision.sources import one_line
from training.data.faces import (
    ALIASES,
    SPLIT_NAMES,
    SPLITS,
    BadRows,
    DataError,
    Faces,
    label_id,
    stack,
    with_validation,
)
from training.data.pictures import Crop, as_is, read_picture

RAF_ORDER = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
"""RAF-DB's labels 1 to 7 (Li, Deng and Du, CVPR 2017)."""

RAF_SIDE = 100
_FER_NAME = re.compile("(PublicTest|PrivateTest)_")


def read_class_folders(
    root: str | Path, bad: BadRows | None = None, side: int | None = None, crop: Crop = as_is
) -> Faces:
    """Reads ``<split>/<class>/*``, or ``<class>/*`` without splits, and what is in sub-folders of the classes.

    Classes are named as usual ("happy", "Happiness"), or numbered 1 to 7 in RAF-DB's order. Where file names start
    with ``PublicTest_`` or ``PrivateTest_``, as in Kaggle's FER2013 folders, they decide the split of ``test/``. Where
    there is no validation split, every tenth Training picture of a class, in the order of the names, becomes one.

    Args:
        root: The folder.
        bad: What to do with pictures that cannot be used; by default the first one stops.
        side: Pictures are resized to this; by default the first picture's longer side.
        crop: Cuts the square out of each picture.

    Raises:
        DataError: Naming the file or folder.
    """
    root, bad = Path(root), bad or BadRows()
    parts = {p: SPLIT_NAMES[p.name.lower()] for p in _folders(root) if p.name.lower() in SPLIT_NAMES}
    rows: list[tuple[Path, int, str]] = []
    if parts:  # what lies beside the splits belongs to none
        bad.left_out += [str(p) for p in _folders(root) if p not in parts]
    for part, split in (parts or {root: "Training"}).items():
        bad.left_out += sorted(str(p) for p in part.iterdir() if p.is_file() and _named_as_picture(p))
        for folder in _folders(part):
            label = _folder_label(folder)  # not a bad row: a whole class would be missing
            rows += [(file, label, split) for file in _pictures(folder, bad)]
    rows = _told_by_name(rows, bad)
    if not rows:
        raise DataError(f"{root} holds no pictures in folders named after the classes ({', '.join(LABELS)}).")
    return _read_rows(_with_validation(rows), bad, side, root, crop)


def read_rafdb(root: str | Path, bad: BadRows | None = None, side: int = RAF_SIDE, crop: Crop = as_is) -> Faces:
    """Reads RAF-DB's official layout, ``EmoLabel/list_patition_label.txt`` and ``Image/aligned/*_aligned.jpg``.

    The list's ``test_`` pictures become PrivateTest; every tenth ``train_`` picture of a class becomes PublicTest.

    Raises:
        DataError: Naming file and line.
    """
    root, bad = Path(root), bad or BadRows()
    listing = root / "EmoLabel" / "list_patition_label.txt"  # the data set's own spelling
    rows = []
    for number, line in enumerate(listing.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        with bad.row():
            where = f"{listing}, line {number}"
            name, _, label = line.strip().partition(" ")
            if label.strip() not in {"1", "2", "3", "4", "5", "6", "7"}:
                raise DataError(f"{where}: unknown label {one_line(label)!r}; RAF-DB's are 1 to 7.")
            file = root / "Image" / "aligned" / f"{Path(name).stem}_aligned.jpg"
            if not os.path.isfile(file):  # unlike Path.is_file, it takes whatever stands in a damaged list
                raise DataError(f"{where}: there is no {one_line(file.name)} in {file.parent}.")
            split = "PrivateTest" if name.startswith("test_") else "Training"
            rows.append((file, LABELS.index(RAF_ORDER[int(label) - 1]), split))
    return _read_rows(_with_validation(rows), bad, side, root, crop)


def is_known_folder(folder: Path) -> bool:
    """Whether a folder is named after a split or a class."""
    name = folder.name.strip().lower()
    return name in SPLIT_NAMES or name.isdecimal() or any(name in aliases for aliases in ALIASES.values())


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _named_as_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_EXTENSIONS and not path.name.startswith(".")


def _pictures(folder: Path, bad: BadRows) -> list[Path]:
    """The pictures of a class, by the list that predicting goes by; all else is noted as left out."""
    found = []
    for path in map(Path, pictures_in(folder, bad.left_out.append)):
        if _named_as_picture(path):
            found.append(path)
        else:  # a video, a document, a folder that may not be read
            bad.left_out.append(str(path))
    return found


def _folder_label(folder: Path) -> int:
    name = folder.name
    if name.isdecimal():
        if not 1 <= int(name) <= 7:
            raise DataError(f"{folder}: numbered classes must be 1 to 7, in RAF-DB's order; rename the folders.")
        return LABELS.index(RAF_ORDER[int(name) - 1])
    return label_id(name, str(folder))


def _told_by_name(rows: list[tuple[Path, int, str]], bad: BadRows) -> list[tuple[Path, int, str]]:
    """Kaggle's test folder mixes two splits: there, a name that does not tell is an error."""
    if not any(split == "PrivateTest" and _FER_NAME.match(file.name) for file, _, split in rows):
        return rows
    kept = []
    for file, label, split in rows:
        with bad.row():
            if split == "PrivateTest":  # in other folders somebody has made splits of their own
                if not (match := _FER_NAME.match(file.name)):
                    raise DataError(f"{file}: the name starts with neither PublicTest_ nor PrivateTest_.")
                split = match[1]
            kept.append((file, label, split))
    return kept


def _with_validation(rows: list[tuple[Path, int, str]]) -> list[tuple[Path, int, str]]:
    rows = sorted(rows, key=lambda r: (SPLITS.index(r[2]), str(r[0])))
    splits = with_validation([label for _, label, _ in rows], [split for *_, split in rows])
    return [(file, label, split) for (file, label, _), split in zip(rows, splits, strict=True)]


def _read_rows(rows: Iterable[tuple[Path, int, str]], bad: BadRows, side: int | None, root: Path, crop: Crop) -> Faces:
    images, labels, splits = [], [], []
    for file, label, split in rows:
        with bad.row():
            images.append(read_picture(file, str(file), side, crop))
            side = side or images[0].shape[0]
            labels.append(label)
            splits.append(split)
    return stack(images, labels, splits, root)
