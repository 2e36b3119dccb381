"""Readers: from the layouts in which people have FER2013 to one in-memory data set.

`load_faces` finds out which layout a path holds. All of them give the same thing: grey uint8 pictures, labels in the
order of `fer_demo.emotions.LABELS`, and the split of each picture under FER2013's own names.
"""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from fer_demo.emotions import LABELS, NUM_CLASSES

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""FER2013's splits: for training, for every choice, and for the one final figure."""

SIDE = 48
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
_FOLDER_SPLIT = re.compile(r"(Training|PublicTest|PrivateTest)", re.IGNORECASE)


class DataError(ValueError):
    """The data are not what a reader expects; the message names the file, the row and what to do."""


@dataclass(frozen=True)
class Faces:
    """Labelled face crops in memory.

    Attributes:
        images: uint8 tensor (N, 1, H, W), 0 black to 255 white.
        labels: int64 tensor (N,), ids 0 to 6 in the order of `fer_demo.emotions.LABELS`.
        splits: array (N,) of names from `SPLITS`.
    """

    images: torch.Tensor
    labels: torch.Tensor
    splits: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray | torch.Tensor) -> "Faces":
        """The rows of a boolean mask or an index array."""
        index = torch.as_tensor(np.asarray(index))
        return Faces(self.images[index], self.labels[index], self.splits[index.numpy()])

    def split(self, name: str) -> "Faces":
        """The rows of one split.

        Raises:
            DataError: If the data have no such rows.
        """
        mask = self.splits == name
        if not mask.any():
            raise DataError(f"The data hold no {name} pictures; splits present: {sorted(set(self.splits.tolist()))}.")
        return self.take(mask)


def load_faces(path: str | Path) -> Faces:
    """Reads FER2013 from any layout it circulates in.

    Args:
        path: Kaggle's ``fer2013.csv``; the root of Kaggle's image folders (``train/<class>``, ``test/<class>``); an
            ``.npz`` with images, label and usage, plain or with the pictures packed as encoded sheets; or a folder
            that holds one of these.

    Raises:
        DataError: One sentence naming the file, and the row where there is one.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(f"There is no {path}; give the path of fer2013.csv or of the folder with train/ and test/.")
    if path.is_dir():
        if (path / "train").is_dir() and (path / "test").is_dir():
            return read_folders(path)
        for name in ("fer2013.csv", "fer2013.npz"):
            if (path / name).is_file():
                return load_faces(path / name)
        raise DataError(f"The folder {path} holds neither fer2013.csv nor fer2013.npz nor train/ and test/ folders.")
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    raise DataError(f"{path} is neither a .csv nor an .npz file nor a folder; give the path of fer2013.csv.")


def _pack(images: np.ndarray, labels: np.ndarray, splits: np.ndarray) -> Faces:
    return Faces(torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64)), splits)


def _label(text: str, where: str) -> int:
    text = text.strip()
    if text.isdigit() and int(text) < NUM_CLASSES:
        return int(text)
    names = ", ".join(f"{i} {name}" for i, name in enumerate(LABELS))
    raise DataError(f"{where}: unknown label {text!r}; expected one of {names}.")


def read_csv(path: str | Path) -> Faces:
    """Reads Kaggle's ``fer2013.csv``: columns emotion (0 to 6), pixels (2,304 numbers) and Usage."""
    path = Path(path)
    images, labels, splits = [], [], []
    csv.field_size_limit(1 << 20)
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as f:
        reader = csv.DictReader(f)
        # Other copies of the file pad the headings with spaces.
        columns = {name.strip().lower(): name for name in reader.fieldnames or () if name}
        for needed in ("emotion", "pixels", "usage"):
            if needed not in columns:
                found = ", ".join(reader.fieldnames or ()) or "none"
                raise DataError(f"{path} has no column {needed!r} (found: {found}); is it Kaggle's fer2013.csv?")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            try:
                pixels = np.array((row[columns["pixels"]] or "").split(), dtype=np.int64)
            except (ValueError, OverflowError) as error:
                raise DataError(f"{where}: the pixels are not all whole numbers.") from error
            if pixels.size != SIDE * SIDE:
                raise DataError(f"{where}: {pixels.size:,} pixels where {SIDE}x{SIDE} = {SIDE * SIDE:,} are needed.")
            if pixels.min() < 0 or pixels.max() > 255:
                raise DataError(f"{where}: a pixel is outside 0 to 255.")
            usage = (row[columns["usage"]] or "").strip()
            if usage not in SPLITS:
                raise DataError(f"{where}: unknown Usage {usage!r}; expected one of {', '.join(SPLITS)}.")
            images.append(pixels.astype(np.uint8).reshape(SIDE, SIDE))
            labels.append(_label(row[columns["emotion"]] or "", where))
            splits.append(usage)
    if not images:
        raise DataError(f"{path} has headings but no rows.")
    return _pack(np.stack(images), np.array(labels), np.array(splits))


def read_folders(root: str | Path) -> Faces:
    """Reads Kaggle's image folders ``train/<class>/*`` and ``test/<class>/*``.

    ``PublicTest_`` or ``PrivateTest_`` in a file's name decides the split of a test picture. Rows come in the order of
    the sorted paths.
    """
    root = Path(root)
    images, labels, splits = [], [], []
    for half in ("train", "test"):
        for folder in sorted(p for p in (root / half).iterdir() if p.is_dir()):
            name = folder.name.lower()
            if name not in LABELS:
                raise DataError(f"{folder}: unknown class folder {folder.name!r}; expected one of {', '.join(LABELS)}.")
            for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES):
                match = _FOLDER_SPLIT.match(file.name)
                if half == "test" and (match is None or match[1].lower() == "training"):
                    raise DataError(f"{file}: the name starts with neither PublicTest_ nor PrivateTest_.")
                images.append(_read_image(file))
                labels.append(LABELS.index(name))
                splits.append("Training" if half == "train" else _canonical_split(match[1]))
    if not images:
        raise DataError(f"{root} holds no pictures under train/<class> and test/<class>.")
    return _pack(np.stack(images), np.array(labels), np.array(splits))


def _canonical_split(text: str) -> str:
    return next(s for s in SPLITS if s.lower() == text.lower())


def _read_image(file: Path) -> np.ndarray:
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{file} cannot be read as a picture ({error}); replace or delete it.") from error
    if pixels.shape != (SIDE, SIDE):
        raise DataError(f"{file} is {pixels.shape[1]}x{pixels.shape[0]} pixels, not {SIDE}x{SIDE}.")
    return pixels


def read_npz(path: str | Path) -> Faces:
    """Reads an ``.npz`` with label and usage, and the pictures in one of two forms.

    Plain: ``images``, uint8 (N, 48, 48). Packed: the distinct pictures side by side on encoded sheets (``strip_*``,
    ``mosaic_*``: the bytes of an image file each, cells of 48x48 in reading order, sheets in the order of their names)
    and ``tile``, each row's cell.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as an .npz archive ({error}).") from error
    missing = {"label", "usage"} - arrays.keys()
    if missing:
        raise DataError(f"{path} has no array {sorted(missing)[0]!r}; it needs label and usage.")
    images = arrays["images"] if "images" in arrays else _unpack_sheets(path, arrays)
    if images.ndim != 3 or images.dtype != np.uint8 or len(images) != len(arrays["label"]):
        raise DataError(f"{path}: images must be uint8 (N, 48, 48) with a label each, but are {images.shape}.")
    return _pack(np.ascontiguousarray(images), arrays["label"], arrays["usage"].astype(str))


def _unpack_sheets(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    sheets = sorted(key for key in arrays if key.startswith(("strip_", "mosaic_")))
    if not sheets or "tile" not in arrays:
        raise DataError(f"{path} has neither an array 'images' nor sheets with a 'tile' index.")
    cells = []
    for key in sheets:
        sheet = np.asarray(Image.open(io.BytesIO(arrays[key].tobytes())).convert("L"))
        rows, columns = (n // SIDE for n in sheet.shape)
        cells.append(sheet.reshape(rows, SIDE, columns, SIDE).transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE))
    return np.concatenate(cells)[arrays["tile"]]
