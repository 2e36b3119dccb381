"""Pictures in folders: Kaggle's FER2013, RAF-DB in its official and circulating layouts, any ``<class>/`` folders."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from fer_demo.emotions import LABELS
from fer_demo.vision.folders import IMAGE_EXTENSIONS, pictures_in
from fer_demo.vision.sources import one_line
from training.data.classes import Choice, Labelling, is_known, label_rows
from training.data.faces import (
    HELD_OUT_WORDS,
    SPLIT_NAMES,
    SPLITS,
    BadRows,
    DataError,
    Faces,
    stack,
    with_validation,
)
from training.data.pictures import Crop, as_is, read_picture

RAF_ORDER = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
"""RAF-DB's labels 1 to 7 (Li, Deng and Du, CVPR 2017)."""

RAF_NUMBERS = {str(number): name for number, name in enumerate(RAF_ORDER, 1)}
RAF_LAYOUT = "the folders of RAF-DB"
RAF_SIDE = 100
_FER_NAME = re.compile("(PublicTest|PrivateTest)_")


def read_class_folders(
    root: str | Path,
    bad: BadRows | None = None,
    side: int | None = None,
    crop: Crop = as_is,
    choice: Choice | None = None,
) -> Faces:
    """Reads ``<split>/<class>/*``, or ``<class>/*`` without splits, and what is in sub-folders of the classes.

    Classes are named as usual ("happy", "Happiness"), numbered 1 to 7 in RAF-DB's order, or what `choice`
    says. Where file names start with ``PublicTest_`` or ``PrivateTest_``, as in Kaggle's FER2013
    folders, they decide the split of ``test/``. Where there is no validation split, every tenth Training picture of a
    class, in the order of the names, becomes one.

    Args:
        root: The folder.
        bad: What to do with pictures that cannot be used; by default the first one stops.
        side: Pictures are resized to this; by default the first picture's longer side.
        crop: Cuts the square out of each picture.
        choice: Which classes the folders' names mean; by default the seven.

    Raises:
        DataError: Naming the file or folder.
    """
    root, bad = Path(root), bad or BadRows()
    parts = {p: SPLIT_NAMES[p.name.lower()] for p in _folders(root) if p.name.lower() in SPLIT_NAMES}
    rows: list[tuple[Path, str, str]] = []
    names: dict[str, Path] = {}
    if parts:  # what lies beside the splits belongs to none
        bad.left_out += [str(p) for p in _folders(root) if p not in parts]
    for part, split in (parts or {root: "Training"}).items():
        bad.left_out += sorted(str(p) for p in part.iterdir() if p.is_file() and _named_as_picture(p))
        for folder in _folders(part):
            names.setdefault(folder.name, folder)
            rows += [(file, folder.name, split) for file in _pictures(folder, bad)]
    choice = choice or Choice()
    if choice.kind == "seven" and (wrong := [n for n in names if n.isdecimal() and n not in RAF_NUMBERS]):
        raise DataError(
            f"{names[wrong[0]]}: numbered classes must be 1 to 7, in RAF-DB's order; rename the folders, or add "
            "--classes auto to take the numbers as names."
        )
    if not rows:
        raise DataError(f"{root} holds no pictures in folders named after the classes, such as {', '.join(LABELS)}.")
    labelling = choice.settle(names, root, RAF_NUMBERS)
    for name, folder in names.items():
        labelling.id(name, str(folder))  # an unknown one is no bad row: a whole class would be missing
    return _read_rows(_told_by_name(rows, bad), labelling, bad, side, root, crop, "a folder of pictures")


def read_rafdb(
    root: str | Path,
    bad: BadRows | None = None,
    side: int = RAF_SIDE,
    crop: Crop = as_is,
    choice: Choice | None = None,
) -> Faces:
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
            rows.append((file, RAF_NUMBERS[label.strip()], split))
    if not rows:
        raise DataError(f"{root} holds no pictures that can be used.")
    labelling = (choice or Choice()).settle((name for _, name, _ in rows), root)
    return _read_rows(rows, labelling, bad, side, root, crop, RAF_LAYOUT)


def is_known_folder(folder: Path) -> bool:
    """Whether a folder is named after a split or a class."""
    return folder.name.strip().lower() in SPLIT_NAMES or is_known(folder.name)


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


def _told_by_name(rows: list[tuple[Path, str, str]], bad: BadRows) -> list[tuple[Path, str, str]]:
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


def _read_rows(
    rows: Sequence[tuple[Path, str, str]],
    labelling: Labelling,
    bad: BadRows,
    side: int | None,
    root: Path,
    crop: Crop,
    layout: str,
) -> Faces:
    ids = label_rows([name for _, name, _ in rows], [str(file) for file, *_ in rows], labelling, bad)
    wanted = [(file, i, split) for (file, _, split), i in zip(rows, ids, strict=True) if i is not None]
    wanted.sort(key=lambda row: (SPLITS.index(row[2]), str(row[0])))
    stated = [split for *_, split in wanted]
    chosen = with_validation([i for _, i, _ in wanted], stated)
    images, labels, splits = [], [], []
    for (file, label, _), split in zip(wanted, chosen, strict=True):
        with bad.row():
            images.append(read_picture(file, str(file), side, crop))
            side = side or images[0].shape[0]
            labels.append(label)
            splits.append(split)
    facts = {"classes": labelling.names, "class_map": labelling.classes, "layout": layout}
    return stack(images, labels, splits, root, **facts, split_words=HELD_OUT_WORDS if chosen != stated else "")
