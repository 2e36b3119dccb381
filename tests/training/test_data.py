"""Readers: the same pictures from every layout, and one sentence for everything that is wrong."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from fer_demo.emotions import LABELS
from training.data import SPLITS, DataError, load_faces


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    usage = np.array(["Training"] * 10 + ["PublicTest"] * 7 + ["PrivateTest"] * 7)
    return rng.integers(0, 256, (24, 48, 48), dtype=np.uint8), np.arange(24) % 7, usage


def write_csv(path, rows, header=("emotion", "pixels", "Usage"), edit=None):
    with open(path, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(header)
        for i, (image, label, usage) in enumerate(zip(*rows, strict=True)):
            row = [int(label), " ".join(map(str, image.ravel())), usage]
            writer.writerow(edit(i, row) if edit else row)
    return path


def write_folders(root, rows, image=None):
    for i, (pixels, label, usage) in enumerate(zip(*rows, strict=True)):
        folder = root / ("train" if usage == "Training" else "test") / LABELS[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{usage}_{i:05d}.png")
    return root


def as_set(faces):
    images = faces.images.numpy().reshape(len(faces), -1)
    return {(i.tobytes(), int(y), str(s)) for i, y, s in zip(images, faces.labels, faces.splits, strict=True)}


def test_every_layout_gives_the_same_pictures(tmp_path, rows):
    images, labels, usage = rows
    (tmp_path / "csv").mkdir()
    write_csv(tmp_path / "csv" / "fer2013.csv", rows)
    write_folders(tmp_path / "folders", rows)
    np.savez(tmp_path / "plain.npz", images=images, label=labels, usage=usage)
    sheet = io.BytesIO()
    Image.fromarray(images.reshape(6, 4, 48, 48).transpose(0, 2, 1, 3).reshape(288, 192)).save(sheet, "PNG")
    order = np.random.default_rng(1).permutation(24)
    np.savez(
        tmp_path / "packed.npz",
        mosaic_00=np.frombuffer(sheet.getvalue(), np.uint8),
        tile=order,
        label=labels[order],
        usage=usage[order],
    )
    expected = {(i.tobytes(), int(y), str(s)) for i, y, s in zip(*rows, strict=True)}
    for place in ("csv", "csv/fer2013.csv", "folders", "plain.npz", "packed.npz"):
        faces = load_faces(tmp_path / place)
        assert as_set(faces) == expected, place
        assert faces.images.shape == (24, 1, 48, 48)
        assert [len(faces.split(s)) for s in SPLITS] == [10, 7, 7]


def test_headings_padded_with_spaces(tmp_path, rows):
    path = write_csv(tmp_path / "fer2013.csv", rows, header=("emotion", " pixels", " Usage"))
    assert len(load_faces(path)) == 24


def cell(row, column, value):
    def edit(i, cells):
        if i == row:
            cells[column] = value
        return cells

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (cell(3, 1, " ".join(["7"] * 2303)), r"fer2013\.csv, line 5: 2,303 pixels"),
        (cell(0, 1, " ".join(["300"] * 2304)), r"line 2: a pixel is outside 0 to 255"),
        (cell(0, 1, " ".join(["x"] * 2304)), r"line 2: the pixels are not all whole numbers"),
        (cell(5, 0, 7), r"line 7: unknown label '7'; expected one of 0 angry"),
        (cell(5, 0, ""), r"line 7: unknown label ''"),
        (cell(5, 0, "happy"), r"line 7: unknown label 'happy'"),
        (cell(23, 2, "Test"), r"line 25: unknown Usage 'Test'"),
    ],
)
def test_bad_rows_are_named(tmp_path, rows, edit, message):
    with pytest.raises(DataError, match=message):
        load_faces(write_csv(tmp_path / "fer2013.csv", rows, edit=edit))


def test_missing_column_and_empty_file(tmp_path, rows):
    with pytest.raises(DataError, match="no column 'pixels'"):
        load_faces(write_csv(tmp_path / "a.csv", rows, header=("emotion", "px", "Usage")))
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(DataError, match="no column 'emotion'"):
        load_faces(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("emotion,pixels,Usage\n")
    with pytest.raises(DataError, match="no rows"):
        load_faces(tmp_path / "c.csv")


def test_wrong_paths(tmp_path):
    with pytest.raises(DataError, match=r"There is no .*nowhere"):
        load_faces(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds neither"):
        load_faces(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"neither a \.csv nor"):
        load_faces(tmp_path / "notes.txt")
    (tmp_path / "broken.npz").write_text("not an archive")
    with pytest.raises(DataError, match=r"broken\.npz cannot be read"):
        load_faces(tmp_path / "broken.npz")


def test_bad_folders(tmp_path, rows):
    root = write_folders(tmp_path / "f", rows)
    bad = root / "train" / "happy" / "Training_broken.png"
    bad.write_text("text")
    with pytest.raises(DataError, match=r"Training_broken\.png cannot be read"):
        load_faces(root)
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(bad)
    with pytest.raises(DataError, match="is 20x10 pixels, not 48x48"):
        load_faces(root)
    bad.unlink()
    stray = root / "test" / "happy" / "picture.png"
    Image.fromarray(np.zeros((48, 48), np.uint8)).save(stray)
    with pytest.raises(DataError, match="neither PublicTest_ nor PrivateTest_"):
        load_faces(root)
    stray.unlink()
    (root / "train" / "contempt").mkdir()
    with pytest.raises(DataError, match="unknown class folder 'contempt'"):
        load_faces(root)


def test_missing_split_is_named(faces):
    with pytest.raises(DataError, match="no PrivateTest pictures"):
        faces.take(faces.splits != "PrivateTest").split("PrivateTest")


def test_fer2013_itself(fer2013):
    assert [len(fer2013.split(s)) for s in SPLITS] == [28709, 3589, 3589]
    counts = np.bincount(fer2013.split("PrivateTest").labels.numpy())
    assert counts.tolist() == [491, 55, 528, 879, 594, 416, 626]
