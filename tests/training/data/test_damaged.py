"""Training data whose damage once ended in a traceback, in silence or in too much memory."""

import io

import numpy as np
import pytest
from PIL import Image

from training.data import DataError, load_faces
from training.data.fer2013 import read_ferplus
from training.data.ferplus import FERPLUS_COLUMNS
from training.eval.photos import read_photos

PIXELS = " ".join(["7"] * 2304)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{'9' * 5000},{PIXELS},Training", "unknown label"),
        (f"²,{PIXELS},Training", "unknown label"),
        ("0," + "7" * (1 << 21) + ",Training", r"after line 1: no row of a CSV file \(field larger than"),
    ],
)
def test_rows(tmp_path, row, message):
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{row}\n")
    with pytest.raises(DataError, match=message) as error:
        load_faces(tmp_path / "fer2013.csv")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("count", ["nan", "inf", "-1", "1e30"])
def test_votes(tmp_path, count):
    (tmp_path / "votes.csv").write_text(f"{','.join(FERPLUS_COLUMNS)}\n{','.join([count] * 10)}\n")
    with pytest.raises(DataError, match="line 2: a vote count is not from 0 to 1000"):
        read_ferplus(tmp_path / "votes.csv")


@pytest.mark.parametrize(
    "changes",
    [
        {"label": np.array([np.nan, 1])},
        {"label": np.array(3)},
        {"votes": np.full((2, 10), np.nan)},
        {"votes": np.ones((2, 3))},
        {"images": np.zeros((2, 0, 48), np.uint8)},
        {"images": None, "strip_0": np.frombuffer(b"no picture", np.uint8), "tile": np.zeros(2, int)},
        {"images": None, "strip_0": "sheet", "tile": np.array([0, 2**40])},
    ],
)
def test_arrays(tmp_path, changes):
    sheet = io.BytesIO()
    Image.new("L", (48, 96)).save(sheet, "PNG")
    if changes.get("strip_0") is not None and isinstance(changes["strip_0"], str):
        changes = changes | {"strip_0": np.frombuffer(sheet.getvalue(), np.uint8)}
    arrays = {"images": np.zeros((2, 48, 48), np.uint8), "label": np.zeros(2, int), "usage": np.array(["Training"] * 2)}
    np.savez(tmp_path / "a.npz", **{k: v for k, v in (arrays | changes).items() if v is not None})
    with pytest.raises(DataError, match=r"a\.npz.*\.$"):
        load_faces(tmp_path / "a.npz")


def test_an_array_that_is_no_archive(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"cannot be read as an \.npz archive"):
        load_faces(tmp_path / "a.npz")


def test_a_strip_does_not_become_a_square(tmp_path):
    (tmp_path / "train" / "happy").mkdir(parents=True)
    Image.new("L", (1, 60_000)).save(tmp_path / "train" / "happy" / "0.png")
    with pytest.raises(DataError, match="a side of 60000 pixels, more than 4096"):
        load_faces(tmp_path)


@pytest.mark.parametrize("entry", [b"x", b"[]", b'{"info": 3}', b'{"info": {"features": {"label": {"names": [1]}}}}'])
def test_names_of_classes(tmp_path, entry):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({"image": [{"bytes": b"x"}], "label": [0]}).replace_schema_metadata({"huggingface": entry})
    pq.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(DataError, match="entry 'huggingface' does not name the classes"):
        load_faces(tmp_path / "train.parquet")
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        load_faces(tmp_path / "train.parquet")


def test_lists_in_other_encodings(tmp_path):
    (tmp_path / "EmoLabel").mkdir()
    (tmp_path / "EmoLabel" / "list_patition_label.txt").write_bytes(b"\xff\x00 1\n")
    with pytest.raises(DataError, match="line 1: there is no"):
        load_faces(tmp_path)
    (tmp_path / "labels.csv").write_bytes(b"image,label\n\xff\x00.jpg,happy\n")
    with pytest.raises(DataError, match="line 2: there is no"):
        read_photos(tmp_path)
