"""The Training page."""

from actions import open_page, texts


def test_training_page(app):
    open_page(app, "training")
    assert not app.exception and not app.error
    assert app.title[0].value == "How it was trained"
    assert any(str(row) for row in app.dataframe[0].value["run"])
    assert len(app.get("plotly_chart")) >= 4  # curves, confusion, calibration, recall
    assert "95 % interval" in texts(app)


def test_training_page_lays_two_sets_of_answers_side_by_side(app):
    open_page(app, "training")
    alone = len(app.get("plotly_chart"))
    second = app.selectbox(key="second")
    second.select(second.options[1] if second.options[0] == "no others" else second.options[0]).run()
    assert not app.exception and len(app.get("plotly_chart")) == alone + 1


def test_training_page_without_records(app, tmp_path, monkeypatch):
    import training.run.runlog

    monkeypatch.setattr(training.run.runlog, "RUNS", tmp_path)
    monkeypatch.setattr(training.run.runlog, "read_runs", list)
    open_page(app, "training")
    assert not app.exception and "No runs are recorded yet" in app.info[0].value
