"""Hugging Face image data sets kept as parquet files."""

import json
import re
from pathlib import Path

from training.data.faces import BadRows, DataError, Faces, label_id, stack, with_validation
from training.data.folders import read_picture

_SPLITS = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}


def read_parquet(root: str | Path, bad: BadRows | None = None, side: int | None = None) -> Faces:
    """Reads ``train-*.parquet``, ``validation-*.parquet`` and ``test-*.parquet``, or such files in folders so named.

    Each row holds an image (a struct with its encoded ``bytes``) and a label; the class names come from the
    ``huggingface`` entry of the file's schema, or the labels are text. Where there is no validation split, every tenth
    training picture of a class becomes one.

    Args:
        root: A folder, searched with its subfolders, or one file.
        bad: What to do with rows that cannot be used; by default the first one stops.
        side: Pictures are resized to this; by default the first picture's own height.

    Raises:
        DataError: Naming the file and the row.
    """
    import pyarrow.parquet as pq  # only this reader needs it

    root, bad = Path(root), bad or BadRows()
    images, labels, splits = [], [], []
    for file in [root] if root.is_file() else sorted(root.rglob("*.parquet")):
        # The Hub's own conversion has default/train/0000.parquet.
        match = re.match("(train|val|test)", file.name.lower()) or re.match(
            "(train|val|test)", file.parent.name.lower()
        )
        if match is None:
            raise DataError(f"{file}: neither its name nor its folder's starts with train, validation or test.")
        table = pq.read_table(file)
        names = _class_names(table.schema.metadata or {})
        image_column = next((c for c in ("image", "img") if c in table.column_names), None)
        label_column = next((c for c in ("label", "labels", "emotion") if c in table.column_names), None)
        if image_column is None or label_column is None:
            raise DataError(f"{file} has columns {', '.join(table.column_names)}; image and label are needed.")
        for number, (cell, label) in enumerate(
            zip(table[image_column].to_pylist(), table[label_column].to_pylist(), strict=True)
        ):
            with bad.row():
                where = f"{file}, row {number}"
                if not isinstance(cell, dict) or not cell.get("bytes"):
                    raise DataError(f"{where}: the picture's bytes are not in the file.")
                label = label_id(_name(label, names, where), where)
                image = read_picture(cell["bytes"], where, side)
                side = side or image.shape[0]
                images.append(image)
                labels.append(label)
                splits.append(_SPLITS[match[1]])
    return stack(images, labels, with_validation(labels, splits), root)


def _class_names(metadata: dict[bytes, bytes]) -> list[str] | None:
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    for name in ("label", "labels", "emotion"):
        if isinstance(features.get(name), dict) and "names" in features[name]:
            return list(features[name]["names"])
    return None


def _name(label: object, names: list[str] | None, where: str) -> str:
    if isinstance(label, str):
        return label
    if names is None:
        raise DataError(f"{where}: labels are numbers, but the file does not say what they mean.")
    if not isinstance(label, int) or not 0 <= label < len(names):
        raise DataError(f"{where}: unknown label {label!r}; the file names {len(names)} classes.")
    return names[label]
