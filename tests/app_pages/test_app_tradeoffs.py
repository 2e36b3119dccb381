"""The Trade-offs page, its calculator and its cards."""

import pytest
import timm
import torch
from actions import button, open_page, texts
from streamlit.testing.v1 import AppTest

import fer_demo.web.shared as predictors
from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.predictor import Predictor


@pytest.fixture
def tradeoffs(app, monkeypatch, tmp_path) -> AppTest:
    monkeypatch.setenv("FER_DEMO_CACHE", str(tmp_path / "cache"))
    return open_page(app, "tradeoffs")


def test_tradeoffs_page(tradeoffs):
    assert not tradeoffs.exception and not tradeoffs.error
    assert tradeoffs.title[0].value == "What do 0.48 million parameters buy?"
    shown = texts(tradeoffs)
    for words in (
        "70.7\N{NO-BREAK SPACE}% on FER2013",
        "12,771 training pictures",
        "156 times fewer",
        "not measured yet",
    ):
        assert words in shown
    assert len(tradeoffs.get("plotly_chart")) >= 3  # two data sets, the ingredients of the training
    tables = [d.value for d in tradeoffs.dataframe]
    assert any("Tang 2013" in list(t["system"]) and "published accuracy" in t for t in tables if "system" in t)
    assert any(i.value.startswith("The limit on latency is left out") for i in tradeoffs.info)
    assert "Download CSV" in [b.label for b in tradeoffs.get("download_button")]


def test_tradeoffs_filters_and_axes(tradeoffs):
    charts = len(tradeoffs.get("plotly_chart"))
    tradeoffs.pills(key="sets").set_value(["fer2013"]).run()
    assert not tradeoffs.exception and len(tradeoffs.get("plotly_chart")) == charts - 1
    tradeoffs.selectbox(key="x").select("latency").run()
    assert not tradeoffs.exception and any("Speeds need to be measured" in i.value for i in tradeoffs.info)
    tradeoffs.selectbox(key="x").select("macs").run()
    tradeoffs.pills(key="kinds").set_value([]).run()
    assert not tradeoffs.exception and any("Nothing is chosen" in i.value for i in tradeoffs.info)


def test_the_calculator_answers_and_says_what_would_help(tradeoffs):
    ours = f"{max(checkpoint_metrics(n)['PrivateTest']['accuracy'] for n in bundled_checkpoints()):.1%}"[:-1]
    assert f"Most accurate: **{ours}" in texts(tradeoffs)
    tradeoffs.number_input(key="limit file_bytes").set_value(0.1).run()
    assert not tradeoffs.exception and "without the one on file size: 72.7" in texts(tradeoffs)
    tradeoffs.number_input(key="limit file_bytes").set_value(1000.0).run()
    assert "Most accurate: **72.7" in texts(tradeoffs)
    assert f"With weights that you can use here: **{ours}" in texts(tradeoffs)


def test_a_card_loads_its_checkpoint_on_the_other_pages(tradeoffs, predictor, monkeypatch):
    monkeypatch.setitem(predictors._predictors, "fer_sedense_s2.tune_fer2013", predictor)
    tradeoffs.selectbox(key="system").select("fer_sedense_s2.tune_fer2013").run()
    assert "60 + 24 epochs of SGD" in texts(tradeoffs)
    button(tradeoffs, "Use it on Predict").click().run()
    assert not tradeoffs.exception and tradeoffs.session_state["model"] == "fer_sedense_s2.tune_fer2013"
    tradeoffs.switch_page("pages/explain.py").run()
    assert "`fer_sedense_s2.tune_fer2013` answers, as you chose." in texts(tradeoffs)
    button(tradeoffs, "Back to photographs").click().run()
    assert tradeoffs.session_state["model"] is None and "as you chose" not in texts(tradeoffs)


def test_speeds_are_measured_once_and_kept(tradeoffs, monkeypatch):
    import fer_demo.tradeoffs.timing as timing
    from fer_demo.tradeoffs import Spread, Timing, network_costs

    def quick(model, size, *, tick, **_):
        tick()
        return Timing(Spread(0.004, 0.003, 0.005), Spread(300.0, 290.0, 310.0), network_costs(model, size).macs)

    monkeypatch.setattr(timing, "time_network", quick)
    button(tradeoffs, "Measure speed on this machine").click().run()
    assert not tradeoffs.exception and "networks measured" in texts(tradeoffs)
    assert timing.cache_file().is_file() and [b.label for b in tradeoffs.button if b.label == "Measure again"]
    assert not any("limit on latency" in i.value for i in tradeoffs.info)
    assert "4.00\N{NO-BREAK SPACE}ms (3 to 5)" in texts(tradeoffs)


def test_models_are_laid_side_by_side(app, predictor, monkeypatch):
    import pages.common.side_by_side as part

    torch.manual_seed(1)
    other = Predictor(timm.create_model("fer_sedense_nano"))
    monkeypatch.setattr(part, "bundled_checkpoints", lambda: ["fer_sedense_s2.a", "fer_sedense_nano.b"])
    for name, one in {"fer_sedense_s2.a": predictor, "fer_sedense_nano.b": other}.items():
        monkeypatch.setitem(predictors._predictors, name, one)
    open_page(app, "tradeoffs")
    assert not app.exception and not app.error
    assert "They are furthest apart on" in texts(app) and texts(app).count(" ms.") == 2
    app.multiselect(key="compared").set_value(["fer_sedense_s2.a"]).run()
    assert not app.exception and any("at least two models" in i.value for i in app.info)
    monkeypatch.setattr(part, "bundled_checkpoints", lambda: ["fer_sedense_s2.a"])
    app.run()
    assert not app.exception and any("two trained models are needed" in i.value for i in app.info)
