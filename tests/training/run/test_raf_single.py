"""RAF-DB's single-label set: from the archive to the row of Table 3. The pictures here are generated."""

import json

import pytest

from training.__main__ import main
from training.run.raf_single import COUNTS, RESULT, find_root, table_text

QUICK = ["--set", "epochs=1", "sizes=[[0, 32]]", "warmup_epochs=0.5", "lr=0.02", "bn_pictures=256", "device=cpu"]
QUICK += ["threads=1", "bf16=off"]


@pytest.fixture
def small(tmp_path, raf_archive):
    return raf_archive(tmp_path / "RAF", {"train": 210, "test": 42})


def command(data, out, *more):
    return ["raf-single", "--data", str(data), "--out", str(out), "--quiet", "--no-record", *more]


def test_from_pictures_to_the_row(small, tmp_path, capsys):
    out = tmp_path / "out"
    quick = [*QUICK, "batch_size=32", "epochs=2"]
    assert main(command(small, out, "--any-counts", "--minutes", "1e-9", *quick)) == 3
    assert "time is up in epoch 1 of 2; the same command goes on" in capsys.readouterr().out
    assert main(command(small, out, "--any-counts", *quick)) == 0
    said = capsys.readouterr().out
    row = json.loads((out / RESULT).read_text())
    assert "| the paper | 0.48 M | 85.4% | not printed |" in said and table_text(row) in said
    assert (row["published"], row["n"], row["epochs"], row["parameters"]) == (0.854, 42, 2, 481_019)
    assert row["interval"][0] < row["accuracy"] < row["interval"][1] or row["correct"] in (0, 42)
    assert main(command(small, out, "--any-counts", *quick)) == 0, "once more: nothing is left to do"
    assert table_text(row) in capsys.readouterr().out
    assert main(command(small, out, "--any-counts", *quick, "lr=0.01")) == 2
    assert f"{out} was begun with other settings (lr): give the same --set" in capsys.readouterr().err


def test_other_counts_are_refused(small, tmp_path, capsys):
    assert main(command(small, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert "has 210 training and 42 test pictures, the official archive 12,271 and 3,068" in error
    assert error.count("\n") == 1 and "--any-counts" in error and not (tmp_path / "out").exists()


def test_a_folder_that_is_no_archive(tmp_path, capsys):
    assert main(command(tmp_path, tmp_path / "out")) == 2
    assert "is not RAF-DB's official archive: it has no EmoLabel" in capsys.readouterr().err
    assert main(command(tmp_path / "nowhere", tmp_path / "out")) == 2


def test_settings_are_looked_at_before_the_data(tmp_path, capsys):
    for setting, said in (("lr=-1", "lr must be"), ("faces=detect", "are faces already: leave faces=detect out")):
        assert main(command(tmp_path, tmp_path / "out", "--set", setting)) == 2
        assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_archive(tmp_path, raf_archive, capsys):
    """The official counts; the pictures are small, and each is learned from once."""
    data, out = raf_archive(tmp_path / "RAF", COUNTS, side=32), tmp_path / "out"
    assert find_root(data) == data / "basic"
    assert main(command(data, out, *QUICK, "batch_size=256")) == 0
    said, row = capsys.readouterr().out, json.loads((out / RESULT).read_text())
    assert row["n"] == 3_068 and table_text(row) in said
    (data / "basic/Image/aligned/test_00007_aligned.jpg").unlink()
    assert main(command(data, tmp_path / "other")) == 2
    assert "aligned has 12,271 training and 3,067 test pictures" in capsys.readouterr().err
