"""Readers: from the layouts in which people have their data to one in-memory data set."""

from pathlib import Path

from training.data.classes import Choice
from training.data.faces import SPLITS, BadRows, DataError, Faces
from training.data.fer2013 import read_csv, read_npz
from training.data.folders import is_known_folder, read_class_folders, read_rafdb
from training.data.parquet import read_parquet
from training.data.pictures import Crop, as_is

__all__ = ["SPLITS", "BadRows", "Choice", "DataError", "Faces", "load_faces"]


def load_faces(
    path: str | Path, *, bad: BadRows | None = None, choice: Choice | None = None, crop: Crop = as_is
) -> Faces:
    """Finds out which layout a path holds, and reads it.

    Args:
        path: ``fer2013.csv`` or ``icml_face_data.csv``; an ``.npz``; a ``.parquet`` file or a folder of them; RAF-DB's
            root; a folder of ``<split>/<class>/`` or ``<class>/`` folders; a folder that holds one of FER2013's files;
            or a folder around one of these.
        bad: What to do with rows that cannot be used; by default the first one stops.
        choice: Which classes the names there mean; by default the seven, and other names are errors.
        crop: Cuts the face out of each picture; for layouts of pictures, see `training.data.detection`.

    Raises:
        DataError: One sentence naming the file, and the row where there is one.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError(f"There is no {path}; give the path of fer2013.csv or of the folder with train/ and test/.")
    if path.is_file():
        if crop is not as_is and path.suffix.lower() in {".csv", ".tsv", ".npz"}:
            raise DataError(f"{path} holds faces that are cut out already, no photographs: leave out --faces detect.")
        match path.suffix.lower():
            case ".csv" | ".tsv":
                return read_csv(path, bad, choice)
            case ".npz":
                return read_npz(path, bad, choice)
            case ".parquet":
                return read_parquet(path, bad, choice=choice, crop=crop)
        raise DataError(f"{path} is no .csv, .tsv, .npz or .parquet file and no folder; give the path of fer2013.csv.")
    if not path.is_dir():  # reading from a pipe may never end
        raise DataError(f"{path} is neither a regular file nor a folder; save the data to one and give its path.")
    if (path / "EmoLabel" / "list_patition_label.txt").is_file():
        return read_rafdb(path, bad, choice=choice, crop=crop)
    for name in ("fer2013.csv", "icml_face_data.csv", "fer2013.npz"):
        if (path / name).is_file():
            return load_faces(path / name, bad=bad, choice=choice, crop=crop)
    if any(path.rglob("*.parquet")):
        return read_parquet(path, bad, choice=choice, crop=crop)
    inner = [p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")]
    # RAF-DB comes with basic/ and compound/, of which the first has the seven classes; archives have a folder around.
    around = [p for p in inner if p.name == "basic"] or (inner if len(inner) == 1 else [])
    if around and not is_known_folder(around[0]):
        return load_faces(around[0], bad=bad, choice=choice, crop=crop)
    if inner:
        return read_class_folders(path, bad, choice=choice, crop=crop)
    raise DataError(f"The folder {path} holds no fer2013.csv, no .npz or .parquet file and no folders of pictures.")
