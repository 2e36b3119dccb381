"""Hugging Face image data sets kept as parquet files."""

import re
from pathlib import Path
from typing import Any

from fer_demo.files import parse_json
from fer_demo.vision.sources import one_line
from training.data.classes import Choice, label_rows
from training.data.faces import HELD_OUT_WORDS, BadRows, DataError, Faces, stack, with_validation
from training.data.pictures import Crop, as_is, read_picture

_IMAGES, _LABELS = ("image", "img"), ("label", "labels", "emotion")
_COLUMNS = (*_IMAGES, *_LABELS)
_SPLITS = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}


def read_parquet(
    root: str | Path,
    bad: BadRows | None = None,
    side: int | None = None,
    crop: Crop = as_is,
    choice: Choice | None = None,
) -> Faces:
    """Reads ``train-*.parquet``, ``validation-*.parquet`` and ``test-*.parquet``, or such files in folders so named.

    Each row holds an image (a struct with its encoded ``bytes``) and a label; the class names come from the
    ``huggingface`` entry of the file's schema, or the labels are text. Where there is no validation split, every tenth
    training picture of a class becomes one.

    Args:
        root: A folder, searched with its subfolders, or one file.
        bad: What to do with rows that cannot be used; by default the first one stops.
        side: Pictures are resized to this; by default the first picture's longer side.
        crop: Cuts the square out of each picture.
        choice: Which classes the names mean; by default the seven.

    Raises:
        DataError: Naming the file and the row.
    """
    import pyarrow.parquet as pq  # only this reader needs it

    root, bad, choice = Path(root), bad or BadRows(), choice or Choice()
    cells: list[tuple[Any, str, str, str]] = []  # the picture's cell, class name, split, where it stands
    stated: list[str] = []
    for file in [root] if root.is_file() else sorted(root.rglob("*.parquet")):
        # The Hub's own conversion has default/train/0000.parquet.
        match = re.match("(train|val|test)", file.name.lower()) or re.match(
            "(train|val|test)", file.parent.name.lower()
        )
        if match is None:
            raise DataError(f"{file}: neither its name nor its folder's starts with train, validation or test.")
        try:
            table = pq.read_table(file)
            columns = {name: table[name].to_pylist() for name in table.column_names if name in _COLUMNS}
        except Exception as error:  # a damaged file raises nearly anything: ArrowException, OSError, UnicodeDecodeError
            reason = one_line(" ".join(str(error).split()) or type(error).__name__)
            raise DataError(f"{file} cannot be read as parquet ({reason}); get the file again.") from error
        names = _class_names(table.schema.metadata or {}, file)
        stated += names or []
        image_column = next((c for c in _IMAGES if c in columns), None)
        label_column = next((c for c in _LABELS if c in columns), None)
        if image_column is None or label_column is None:
            found = one_line(", ".join(table.column_names))
            raise DataError(f"{file} has columns {found}; image and label are needed.")
        for number, (cell, label) in enumerate(zip(columns[image_column], columns[label_column], strict=True)):
            with bad.row():
                where = f"{file}, row {number}"
                name = _name(label, names, where, choice)
                cells.append((cell, name, _SPLITS[match[1]], where))
    if not cells:
        raise DataError(f"{root} holds no pictures that can be used.")
    # Names that the file states but no picture has are classes too, and are warned about; of the seven they may lack.
    labelling = choice.settle([*stated, *(name for _, name, *_ in cells)], root)
    ids = label_rows([name for _, name, *_ in cells], [where for *_, where in cells], labelling, bad)
    images, labels, splits = [], [], []
    for (cell, _, split, where), label in zip(cells, ids, strict=True):
        if label is None:
            continue
        with bad.row():
            if not isinstance(cell, dict) or not isinstance(cell.get("bytes"), bytes) or not cell["bytes"]:
                raise DataError(f"{where}: the picture's bytes are not in the file.")
            image = read_picture(cell["bytes"], where, side, crop)
            side = side or image.shape[0]
            images.append(image)
            labels.append(label)
            splits.append(split)
    chosen = with_validation(labels, splits)
    facts = {"classes": labelling.names, "class_map": labelling.classes, "layout": "parquet files"}
    return stack(images, labels, chosen, root, **facts, split_words=HELD_OUT_WORDS if chosen != splits else "")


def _class_names(metadata: dict[bytes, bytes], file: Path) -> list[str] | None:
    try:
        info = parse_json(metadata.get(b"huggingface", b"{}")).get("info", {})
        features = info.get("features", {})
        stated = [features[name]["names"] for name in _LABELS if "names" in features.get(name, ())]
        if not stated:
            return None
        if not isinstance(stated[0], list) or not all(isinstance(name, str) for name in stated[0]):
            raise ValueError("the names of the classes are no texts")
        return stated[0]
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"{file}: its entry 'huggingface' does not name the classes ({one_line(str(error))}); get the file again."
        ) from error


def _name(label: object, names: list[str] | None, where: str, choice: Choice) -> str:
    if isinstance(label, str):
        return label
    if names is None and choice.kind != "seven" and type(label) is int:
        return str(label)
    if names is None:
        raise DataError(
            f"{where}: labels are numbers, but the file does not say what they mean: add --classes auto, or a MAP.yaml."
        )
    if type(label) is not int or not 0 <= label < len(names):
        raise DataError(f"{where}: unknown label {one_line(repr(label))}; the file names {len(names)} classes.")
    return names[label]
