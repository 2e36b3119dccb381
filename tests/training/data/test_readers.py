"""Readers: the same pictures from every layout, and one sentence for everything that is wrong."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from fer_demo.emotions import LABELS
from training.data import SPLITS, BadRows, DataError, load_faces
from training.data.ferplus import FERPLUS_COLUMNS


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


def write_folders(root, rows):
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
        (cell(5, 0, "contempt"), r"line 7: unknown label 'contempt'"),
        (cell(23, 2, "Tset"), r"line 25: unknown Usage 'Tset'"),
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
    with pytest.raises(DataError, match="holds no pictures"):
        load_faces(tmp_path / "c.csv")


def test_wrong_paths(tmp_path):
    with pytest.raises(DataError, match=r"There is no .*nowhere"):
        load_faces(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no fer2013\.csv"):
        load_faces(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"is no \.csv"):
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
    bad.unlink()
    stray = root / "test" / "happy" / "picture.png"
    Image.fromarray(np.zeros((48, 48), np.uint8)).save(stray)
    with pytest.raises(DataError, match="neither PublicTest_ nor PrivateTest_"):
        load_faces(root)
    bad_rows = BadRows(skip=True)
    assert len(load_faces(root, bad=bad_rows)) == 24 and len(bad_rows.messages) == 1
    stray.unlink()
    (root / "train" / "contempt").mkdir()
    for bad_rows in (None, BadRows(skip=True)):  # a class is no bad row
        with pytest.raises(DataError, match="unknown class 'contempt'"):
            load_faces(root, bad=bad_rows)


def test_splits_of_ones_own_are_kept(tmp_path, rows):
    """Somebody has moved FER2013's pictures into val/: their names tell where they were, not where they are."""
    root = write_folders(tmp_path / "f", rows)
    for folder in (root / "train").iterdir():
        (root / "val" / folder.name).mkdir(parents=True)
        file = min(folder.iterdir())
        file.rename(root / "val" / folder.name / file.name)
    moved = len(list((root / "val").glob("*/*")))
    faces = load_faces(root)
    assert len(faces.split("Training")) == 10 - moved and len(faces.split("PublicTest")) == 7 + moved


def test_a_folder_around_the_data(tmp_path, rows):
    write_folders(tmp_path / "archive" / "fer2013", rows)
    assert len(load_faces(tmp_path / "archive")) == 24


def test_equal_data_have_one_fingerprint(tmp_path, rows):
    images, labels, usage = rows
    np.savez(tmp_path / "plain.npz", images=images, label=labels, usage=usage)
    first = load_faces(write_csv(tmp_path / "fer2013.csv", rows)).fingerprint()
    assert load_faces(tmp_path / "plain.npz").fingerprint() == first
    changed = images.copy()
    changed[3, 4, 5] ^= 1
    np.savez(tmp_path / "other.npz", images=changed, label=labels, usage=usage)
    assert load_faces(tmp_path / "other.npz").fingerprint() != first


def test_an_archive_that_is_cut_off(tmp_path, rows):
    np.savez(tmp_path / "cut.npz", images=rows[0], label=rows[1], usage=rows[2])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:2000])
    with pytest.raises(DataError, match=r"cut\.npz cannot be read"):
        load_faces(tmp_path / "cut.npz")


def test_missing_split_is_named(faces):
    with pytest.raises(DataError, match="no PrivateTest pictures"):
        faces.take(faces.splits != "PrivateTest").split("PrivateTest")


def test_fer2013_itself(fer2013):
    assert [len(fer2013.split(s)) for s in SPLITS] == [28709, 3589, 3589]
    counts = np.bincount(fer2013.split("PrivateTest").labels.numpy())
    assert counts.tolist() == [491, 55, 528, 879, 594, 416, 626]


def test_skipping_bad_rows_counts_them(tmp_path, rows):
    def edit(i, cells):
        return [cells[0], "1 2 3", cells[2]] if i in (2, 9) else cells

    path = write_csv(tmp_path / "fer2013.csv", rows, edit=edit)
    bad = BadRows(skip=True)
    assert len(load_faces(path, bad=bad)) == 22
    assert [m.split(": ")[0].split(", ")[1] for m in bad.messages] == ["line 4", "line 11"]


class TestFerPlus:
    def votes(self, tmp_path, rows, drop=None):
        (tmp_path / "icml").mkdir(exist_ok=True)
        path = write_csv(
            tmp_path / "icml" / "icml_face_data.csv",
            rows,
            header=("emotion", " Usage", " pixels"),
            edit=lambda i, c: [c[0], c[2], "1" if i == drop else c[1]],
        )
        with open(path.parent / "fer2013new.csv", "w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(["Usage", "Image name", *FERPLUS_COLUMNS])
            for i in range(len(rows[0])):
                # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
                counts = [i, 0, 0, 0, 10, 0, 0, 2, 0, 0] if i else [0] * 7 + [3, 3, 4]
                writer.writerow([rows[2][i], f"fer{i:07d}.png", *counts])
        return path

    def test_distribution_over_the_seven(self, tmp_path, rows):
        faces = load_faces(self.votes(tmp_path, rows).parent)
        assert faces.votes.shape == (24, 10)
        targets = faces.targets("votes")
        assert targets[5].tolist() == pytest.approx([10 / 15, 0, 0, 0, 0, 0, 5 / 15])
        assert faces.targets("majority")[5].tolist() == [1, 0, 0, 0, 0, 0, 0]
        assert faces.targets("majority")[12].tolist() == [0, 0, 0, 0, 0, 0, 1]
        assert targets.sum(1).tolist() == pytest.approx([1] * 24)
        assert targets[0].argmax() == faces.labels[0]  # nobody voted for one of the seven: the label stands
        assert faces.targets().argmax(1).tolist() == faces.labels.tolist()

    def test_rows_stay_aligned_when_one_is_skipped(self, tmp_path, rows):
        faces = load_faces(self.votes(tmp_path, rows, drop=3), bad=BadRows(skip=True))
        assert faces.targets("votes")[3].tolist() == pytest.approx([10 / 14, 0, 0, 0, 0, 0, 4 / 14])

    def test_votes_of_other_rows_are_refused(self, tmp_path, rows):
        path = self.votes(tmp_path, rows)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:5] + lines[6:]))  # somebody has removed a picture
        with pytest.raises(DataError, match=r"24 rows and icml_face_data\.csv 23"):
            load_faces(path)
        path.write_text("".join([lines[0], *reversed(lines[1:])]))
        with pytest.raises(DataError, match="splits in other orders"):
            load_faces(path)

    def test_no_votes(self, tmp_path, rows):
        with pytest.raises(DataError, match="no annotators' votes"):
            load_faces(write_csv(tmp_path / "fer2013.csv", rows)).targets("votes")

    def test_wrong_file(self, tmp_path, rows):
        path = self.votes(tmp_path, rows)
        (path.parent / "fer2013new.csv").write_text("a,b\n1,2\n")
        with pytest.raises(DataError, match="no column 'neutral'"):
            load_faces(path)


def picture(shade, side=100):
    return Image.fromarray(np.full((side, side, 3), shade, np.uint8))


class TestRaf:
    def official(self, root, per_class=11):
        (root / "EmoLabel").mkdir(parents=True)
        (root / "Image" / "aligned").mkdir(parents=True)
        lines = []
        for i in range(7 * per_class):
            for part, step in (("train", 1), ("test", 4)):
                if i % step == 0:
                    lines.append(f"{part}_{i:05d}.jpg {i % 7 + 1}")
                    picture(30 * (i % 7)).save(root / "Image" / "aligned" / f"{part}_{i:05d}_aligned.jpg")
        (root / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
        return root

    ORDER = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")

    def test_official_layout(self, tmp_path):
        faces = load_faces(self.official(tmp_path / "RAF"))
        assert faces.images.shape[-2:] == (100, 100)
        shades = faces.images.float().mean((1, 2, 3)).div(30).round().long()
        assert [LABELS[y] for y in faces.labels] == [self.ORDER[s] for s in shades]
        assert [len(faces.split(s)) for s in SPLITS] == [70, 7, 20]

    def test_circulating_layout_is_the_same(self, tmp_path):
        official = self.official(tmp_path / "RAF")
        lines = (official / "EmoLabel" / "list_patition_label.txt").read_text().split("\n")
        for name, label in (line.split() for line in lines if line):
            folder = tmp_path / "DATASET" / name.split("_")[0] / label
            folder.mkdir(parents=True, exist_ok=True)
            stem = name.removesuffix(".jpg") + "_aligned.jpg"
            (folder / stem).write_bytes((official / "Image" / "aligned" / stem).read_bytes())
        assert as_set(load_faces(tmp_path / "DATASET")) == as_set(load_faces(official))
        (tmp_path / "RAF-DB" / "compound").mkdir(parents=True)
        official.rename(tmp_path / "RAF-DB" / "basic")
        assert as_set(load_faces(tmp_path / "RAF-DB")) == as_set(load_faces(tmp_path / "DATASET"))

    def test_a_folder_numbered_from_0_is_never_skipped(self, tmp_path):
        for number in range(7):
            (tmp_path / "train" / str(number)).mkdir(parents=True)
            picture(30).save(tmp_path / "train" / str(number) / "a.png")
        with pytest.raises(DataError, match="must be 1 to 7"):
            load_faces(tmp_path, bad=BadRows(skip=True))

    def test_what_is_wrong_is_named(self, tmp_path):
        root = self.official(tmp_path / "RAF")
        listing = root / "EmoLabel" / "list_patition_label.txt"
        good = listing.read_text()
        listing.write_text(good + "train_90000.jpg 1\n")
        with pytest.raises(DataError, match=r"line 98: there is no .*train_90000_aligned\.jpg"):
            load_faces(root)
        listing.write_text(good.replace("train_00000.jpg 1", "train_00000.jpg 0"))
        with pytest.raises(DataError, match="line 1: unknown label '0'; RAF-DB's are 1 to 7"):
            load_faces(root)


def test_any_class_folders(tmp_path):
    for i, name in enumerate(("Anger", "disgusted", "Fear", "Happiness", "sadness", "Surprise", "Neutral")):
        folder = tmp_path / "mine" / name
        folder.mkdir(parents=True)
        for k in range(10):
            picture(i * 30, side=64 if k else 60).save(folder / f"{k}.png")
    faces = load_faces(tmp_path / "mine")
    assert faces.images.shape == (70, 1, 60, 60)
    assert faces.labels.bincount().tolist() == [10] * 7
    assert [int((faces.splits == s).sum()) for s in SPLITS] == [63, 7, 0]
    (tmp_path / "mine" / "0").mkdir()
    with pytest.raises(DataError, match="must be 1 to 7"):
        load_faces(tmp_path / "mine")


class TestParquet:
    def write(self, root, names, split="train", cells=None):
        import pyarrow as pa
        import pyarrow.parquet as pq

        buffer = io.BytesIO()
        picture(90, 48).save(buffer, "PNG")
        cells = cells or [{"bytes": buffer.getvalue(), "path": "x.png"}] * len(names)
        table = pa.table({"image": cells, "label": list(range(len(names)))})
        meta = json.dumps({"info": {"features": {"image": {}, "label": {"names": names}}}})
        (root / "data").mkdir(parents=True, exist_ok=True)
        pq.write_table(
            table.replace_schema_metadata({"huggingface": meta}), root / "data" / f"{split}-00000-of-00001.parquet"
        )
        return root

    def test_names_come_from_the_file(self, tmp_path):
        root = self.write(tmp_path / "hub", ["happy", "anger", "neutral"])
        self.write(tmp_path / "hub", ["happy"], "validation")
        self.write(tmp_path / "hub", ["sad"], "test")
        faces = load_faces(root)
        assert sorted(zip(faces.splits.tolist(), [LABELS[y] for y in faces.labels], strict=True)) == [
            ("PrivateTest", "sad"),
            ("PublicTest", "happy"),
            ("Training", "angry"),
            ("Training", "happy"),
            ("Training", "neutral"),
        ]

    def test_the_hubs_own_conversion(self, tmp_path):
        """It has a folder for each split; where there is no validation split, one is held out."""
        root = self.write(tmp_path / "hub", ["happy"] * 20)
        self.write(tmp_path / "hub", ["sad"], "test")
        for split in ("train", "test"):
            folder = root / "default" / split
            folder.mkdir(parents=True)
            (root / "data" / f"{split}-00000-of-00001.parquet").rename(folder / "0000.parquet")
        assert [len(load_faces(root).split(s)) for s in SPLITS] == [18, 2, 1]

    def test_bad_rows(self, tmp_path):
        with pytest.raises(DataError, match="row 1: unknown class 'contempt'"):
            load_faces(self.write(tmp_path / "a", ["happy", "contempt"]))
        cells = [{"bytes": b"text", "path": "x"}, {"bytes": None, "path": "y"}]
        with pytest.raises(DataError, match="row 0 cannot be read as a picture"):
            load_faces(self.write(tmp_path / "b", ["happy", "sad"], cells=cells))
