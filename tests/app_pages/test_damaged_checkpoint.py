"""Every page says that a checkpoint is damaged, instead of showing another one's answers or a traceback."""

import shutil

import pytest
from actions import button, open_page

import fer_demo.checkpoints as checkpoints
import fer_demo.web.shared as shared
from fer_demo.checkpoints import DEFAULT, METRICS_FILE


@pytest.mark.parametrize("page", ["predict", "explain", "tradeoffs", "training", "about"])
def test_the_sentence_stands_on_the_page(new_visit, page, tmp_path, monkeypatch):
    shutil.copytree(checkpoints.checkpoints_dir(), tmp_path / "checkpoints")
    metrics = tmp_path / "checkpoints" / DEFAULT / METRICS_FILE
    metrics.write_bytes(metrics.read_bytes()[:500])
    monkeypatch.setattr(checkpoints, "checkpoints_dir", lambda: tmp_path / "checkpoints")
    monkeypatch.setattr(shared, "_predictors", {})
    app = open_page(new_visit(), page)
    if page == "predict":  # which reads nothing before it is given something
        button(app, "Eileen Collins").click().run()
    assert not app.exception
    (error,) = app.error
    sentence = error.value.replace("\\", "")  # signs of Markdown are escaped
    assert sentence.startswith(f"{metrics} is damaged") and "git checkout" in sentence
