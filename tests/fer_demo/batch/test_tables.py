"""Tables, and the state that they are made of."""

import csv
import json

import pytest

from fer_demo.batch import Answer, Item, StateError, TableError, condition, write_table
from fer_demo.batch.state import Journal, journal_path
from fer_demo.batch.tables import COLUMNS, check_table
from fer_demo.emotions import LABELS
from fer_demo.prediction import FacePrediction
from fer_demo.results import FaceResults


def face(label: str) -> FacePrediction:
    probabilities = dict.fromkeys(LABELS, 0.02) | {label: 0.88}
    return FacePrediction((1.0, 2.0, 30.0, 40.0), None, 0.9, probabilities)


def entries() -> list[dict]:
    two = FaceResults([face("happy"), face("sad")], file="=a.jpg", width=100, height=80, notes=["brightened"])
    none = FaceResults([], file="b\udcff.jpg", width=100, height=80)
    return [two.to_dict(), none.to_dict(), {"file": "c.jpg", "error": "c.jpg is empty."}]


def read(path) -> list[dict]:
    if path.suffix == ".parquet":
        return (
            pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")
            .read_table(path)
            .to_pylist()
        )
    text = path.read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines())) if path.suffix == ".csv" else [*map(json.loads, text.splitlines())]


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_one_row_a_face(tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow", reason="the batch extra is not installed")
    out = tmp_path / f"out{ending}"
    assert write_table(out, entries()) == 4
    rows = read(out)
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [row["status"] for row in rows] == ["face", "face", "no face", "error"]
    assert [row["label"] or None for row in rows] == ["happy", "sad", None, None]
    assert [float(row["width"] or 0) for row in rows] == [30, 30, 0, 0]
    assert rows[0]["file"] == ("'=a.jpg" if ending == ".csv" else "=a.jpg") and rows[2]["file"] == "b\\udcff.jpg"
    assert rows[0]["notes"] == "brightened" and rows[3]["error"] == "c.jpg is empty."
    if ending != ".csv":
        assert (rows[0]["unsure"], rows[0]["faces"], rows[2]["happy"], rows[3]["faces"]) == (False, 2, None, None)


def test_row_groups(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")
    monkeypatch.setattr("fer_demo.batch.tables.ROW_GROUP", 3)
    write_table(tmp_path / "out.parquet", entries() * 2)
    file = parquet.ParquetFile(tmp_path / "out.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [3, 3, 2]


def test_where_keeps_errors(tmp_path):
    assert write_table(tmp_path / "out.csv", entries(), condition("label==sad")) == 2
    assert [row["status"] for row in read(tmp_path / "out.csv")] == ["face", "error"]
    write_table(tmp_path / "out.csv", entries(), condition("faces==0"))
    assert [row["status"] for row in read(tmp_path / "out.csv")] == ["no face", "error"]


@pytest.mark.parametrize(
    ("name", "words"), [("a.xlsx", "must end in"), ("no/a.csv", "no folder"), ("d.csv", "regular")]
)
def test_what_cannot_be_written_is_said_before(tmp_path, name, words):
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(TableError, match=words):
        check_table(tmp_path / name)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"fer-demo\[batch\]"):
        check_table(tmp_path / "a.parquet")
    check_table(tmp_path / "a.csv")


SETTINGS = {"sources": ["/photos"], "model": "x", "whole_image": False}


def answer(name: str) -> Answer:
    return Answer(Item(name, name), {"error": f"{name} is empty."})


def test_a_journal_goes_on(tmp_path):
    out = tmp_path / "out.csv"
    with Journal(out, SETTINGS) as journal:
        assert not journal.done
        journal.add(answer("a.jpg"))
        journal.add(answer("b\udcff.jpg"))
    with Journal(out, SETTINGS) as journal:
        assert len(journal.done) == 2
        assert [entry["file"] for entry in journal.entries()] == ["a.jpg", "b\udcff.jpg"]
        journal.close(keep=False)
    assert not journal_path(out).exists()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_was_cut_off_is_dropped(tmp_path, cut):
    """As a kill leaves it, wherever it comes."""
    out = tmp_path / "out.csv"
    with Journal(out, SETTINGS) as journal:
        journal.add(answer("a.jpg"))
        journal.add(answer("b.jpg"))
    path = journal_path(out)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    (tmp_path / ".out.csv.abcdefgh").write_text("half of a table")
    with Journal(out, SETTINGS) as journal:
        kept = [entry["file"] for entry in journal.entries()]
        assert kept == (["a.jpg"] if cut < 46 else [])[: len(journal.done)]
        for name in ("a.jpg", "b.jpg")[len(kept) :]:
            journal.add(answer(name))
        assert [entry["file"] for entry in journal.entries()] == ["a.jpg", "b.jpg"]
    assert path.read_bytes() == whole and not (tmp_path / ".out.csv.abcdefgh").exists()


def test_a_kill_at_the_first_line(tmp_path):
    journal_path(tmp_path / "out.csv").write_bytes(b'{"fer_demo ba')
    with Journal(tmp_path / "out.csv", SETTINGS) as journal:
        journal.add(answer("a.jpg"))
        assert len(list(journal.entries())) == 1


def test_other_settings_are_refused(tmp_path):
    with Journal(tmp_path / "out.csv", SETTINGS) as journal:
        journal.add(answer("a.jpg"))
    with pytest.raises(StateError, match=r"another setting, model \(x, now y\)"):
        Journal(tmp_path / "out.csv", SETTINGS | {"model": "y"})
    journal_path(tmp_path / "out.csv").write_text("something else\n")
    with pytest.raises(StateError, match="delete"):
        Journal(tmp_path / "out.csv", SETTINGS)
    assert journal_path(tmp_path / "out.csv").read_text() == "something else\n"


def test_two_runs_cannot_write_one_output(tmp_path):
    with Journal(tmp_path / "out.csv", SETTINGS) as journal:
        journal.add(answer("a.jpg"))
        with pytest.raises(StateError, match="Another run"):
            Journal(tmp_path / "out.csv", SETTINGS)
        assert len(list(journal.entries())) == 1


def test_a_run_that_read_nothing_leaves_nothing(tmp_path):
    with Journal(tmp_path / "out.csv", SETTINGS):
        pass
    assert list(tmp_path.iterdir()) == []
