"""The Training page."""

from actions import open_page, texts


def test_training_page(app):
    open_page(app, "training")
    assert not app.exception and not app.error
    assert app.title[0].value == "How it was trained"
    assert list(app.dataframe[0].value.columns[:2]) == ["PublicTest", "name"]  # what a phone shows without scrolling
    names = list(app.dataframe[0].value["name"])
    assert len(set(names)) == len(names) and max(map(len, names)) <= 32  # no name is cut off
    assert len(app.get("plotly_chart")) >= 4  # curves, confusion, calibration, recall
    assert "95 % interval" in texts(app)


def test_the_story_comes_first_and_can_be_read_aloud(app):
    open_page(app, "training")
    assert [h.value for h in app.header][:2] == ["The story so far", "Runs"]
    assert "**from 66.9\N{NO-BREAK SPACE}% to" in texts(app).replace(" %", "\N{NO-BREAK SPACE}%")
    alt = app.get("plotly_chart")[0].proto.alt
    assert "fer_sedense.base_fer2013, 66.9 % of PublicTest" in alt and "fer_sedense.restart_fer2013" in alt


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
