"""Records of runs: written for good and bad ends, read back, compared and drawn."""

import json

import pytest

from training.__main__ import main
from training.report import figures
from training.report.compare import differing_settings, overview, sizes_text
from training.run.runlog import RUNS, read_run, read_runs
from training.run.train import Trainer


@pytest.fixture
def record(faces, config, tmp_path):
    """The record of a finished run."""
    trainer = Trainer(config(), faces, tmp_path / "work", record_dir=tmp_path / "records" / "good", quiet=True)
    trainer.fit()
    return tmp_path / "records" / "good"


def test_a_finished_run(record):
    run = read_run(record)
    assert {p.name for p in record.iterdir()} == {"config.json", "data.json", "log.csv", "record.json"}
    assert run.record["status"] == "finished" and len(run.history) == 2
    assert run.record["public"]["accuracy"] == run.record["best"]["accuracy"]
    assert sum(map(sum, run.record["public"]["confusion"])) == 42
    assert run.record["machine"]["torch"]
    assert len([*record.parents[1].glob("work/events.out.tfevents.*")]) == 1  # of both epochs
    (row,) = overview([run])
    assert (
        row["status"] == "finished"
        and row["epochs"] == "2 of 2"
        and row["PublicTest"] == run.record["best"]["accuracy"]
    )


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (KeyboardInterrupt(), "stopped", "stopped by hand"),
        (OSError("No space left"), "failed", "OSError: No space left"),
    ],
)
def test_a_run_that_ends_badly_keeps_its_record(faces, config, tmp_path, monkeypatch, error, status, reason):
    trainer = Trainer(config(), faces, tmp_path / "work", record_dir=tmp_path / "bad", quiet=True)
    finish = trainer._finish_epoch

    def fail():
        finish()
        raise error

    monkeypatch.setattr(trainer, "_finish_epoch", fail)
    with pytest.raises(type(error)):
        trainer.fit()
    run = read_run(tmp_path / "bad")
    assert run.record["status"] == status and len(run.history) == 1
    assert run.record["reason"] == reason


def test_a_loss_that_is_no_number_is_recorded(faces, config, tmp_path):
    trainer = Trainer(config(lr=1000, clip_grad=0.0), faces, tmp_path / "work", record_dir=tmp_path / "nan", quiet=True)
    with pytest.raises(FloatingPointError, match="not a finite number in epoch 1: start again with a lower lr"):
        trainer.fit()
    assert "not a finite number" in read_run(tmp_path / "nan").record["reason"]


def test_another_runs_record_is_not_overwritten(data, tmp_path, monkeypatch, capsys):
    import training.run.runlog

    monkeypatch.setattr(training.run.runlog, "RUNS", tmp_path / "records")
    settings = ["--set", "epochs=1", "batch_size=16", "sizes=[[0,24]]", "device=cpu", "bf16=off", "threads=1"]
    common = ["train", "--data", str(data), "--quiet"]
    assert main([*common, "--run-dir", str(tmp_path / "a" / "mine"), *settings, "lr=0.02"]) == 0
    before = (tmp_path / "records" / "mine" / "config.json").read_text()
    assert main([*common, "--run-dir", str(tmp_path / "b" / "mine"), *settings, "lr=0.03"]) == 2
    assert "is the record of a run with other settings (lr)" in capsys.readouterr().err
    assert main([*common, "--run-dir", str(tmp_path / "b" / "mine"), *settings, "lr=0.02"]) == 2
    assert "is the record of a run that is finished" in capsys.readouterr().err
    assert (tmp_path / "records" / "mine" / "config.json").read_text() == before


def test_a_damaged_record_is_named(record):
    (record / "record.json").write_text("{")
    with pytest.raises(ValueError, match=r"good is damaged or of another kind .*; restore its files"):
        read_run(record)
    assert [r.name for r in read_runs(record.parent.parent / "nothing")] == []


def test_differences(record):
    run = read_run(record)
    other = json.loads(json.dumps(run.config)) | {"lr": 0.5, "threads": 7, "compile": True}
    other["augment"]["rotation"] = 30.0
    changed = type(run)("other", other, run.history, run.record)
    assert differing_settings([run, changed]) == {"lr": ["0.02", "0.5"], "augment.rotation": ["2", "30"]}
    assert differing_settings([run, run]) == {} and differing_settings([]) == {}


def test_sizes_in_words():
    assert sizes_text({"sizes": [[0, 24], [6, 32]]}) == "24, from epoch 7: 32"


def test_an_old_record_lacks_new_settings(record):
    run = read_run(record)
    old = {k: v for k, v in run.config.items() if k not in {"mixup", "teachers"}}
    assert differing_settings([run, type(run)("old", old)]) == {}


def test_bundled_records_can_be_read():
    runs = read_runs(RUNS)
    assert runs and all(run.history for run in runs)
    assert all(set(row) >= {"run", "status", "PublicTest"} for row in overview(runs))


class TestFigures:
    @pytest.mark.parametrize("measure", list(figures.MEASURES))
    def test_curves(self, record, measure):
        run = read_run(record)
        fig = figures.curves([run], measure)
        assert list(fig.data[0].x) == [1, 2]
        assert list(fig.data[0].y) == [row[figures.MEASURES[measure][0]] for row in run.history]
        assert len(fig.data) == (2 if measure.startswith("PublicTest") else 1)  # the chosen epoch's circle

    def test_lines_can_be_told_apart(self, record):
        run = read_run(record)
        lines = figures.curves([run] * 9).data[::2]
        assert len({(line.line.color, line.line.dash) for line in lines}) == 9

    def test_confusion_shows_shares_of_rows(self):
        matrix = [[0] * 7 for _ in range(7)]
        matrix[2] = [1, 0, 3, 0, 0, 0, 0]
        fig = figures.confusion(matrix)
        assert fig.data[0].z[2][2] == 0.75 and fig.data[0].customdata[2][2] == 3 and fig.data[0].z[0][0] == 0
        assert fig.layout.yaxis.autorange == "reversed"

    def test_calibration_has_the_diagonal_and_a_line_a_set(self):
        fig = figures.calibration({"a": [[10, 0.5, 0.4], [30, 0.9, 0.8]], "b": [[5, 0.7, 0.7]]})
        assert [trace.name for trace in fig.data] == ["perfectly calibrated", "a", "b"]
        assert list(fig.data[1].y) == [0.4, 0.8] and fig.data[1].marker.size[1] > fig.data[1].marker.size[0]

    def test_recall(self, record):
        recall = read_run(record).record["public"]["recall"]
        fig = figures.recall_bars({"a": recall, "b": recall})
        assert list(fig.data[1].y) == list(recall.values()) and fig.layout.showlegend
