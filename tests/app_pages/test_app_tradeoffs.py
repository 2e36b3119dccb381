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


def at(app: AppTest, question: str) -> AppTest:
    """The page with another of its tabs open."""
    app.session_state["question"] = question
    return app.run()


def test_the_first_tab_answers_which_network_to_take(tradeoffs):
    assert not tradeoffs.exception and not tradeoffs.error
    assert tradeoffs.title[0].value == "What do 0.48 million parameters buy?"
    assert tradeoffs.header[0].value == "Which network for my device?"
    assert "is the most accurate with weights here" in tradeoffs.markdown[0].value
    assert "not measured yet" in texts(tradeoffs)
    assert len(tradeoffs.get("plotly_chart")) == 1  # one data set
    assert any(i.value.startswith("The limit on latency is left out") for i in tradeoffs.info)
    assert "Download CSV" in [b.label for b in tradeoffs.get("download_button")]
    assert "Ingredients of the block" not in texts(tradeoffs)  # the other tabs cost nothing until they are opened


def test_the_papers_tab_says_what_the_paper_claimed_and_whether_it_holds(tradeoffs):
    at(tradeoffs, "The paper")
    assert not tradeoffs.exception and tradeoffs.header[0].value == "What did the paper claim, and does it hold?"
    assert tradeoffs.markdown[0].value.startswith("The paper claims 70.7\N{NO-BREAK SPACE}% on FER2013")
    for words in ("70.7\N{NO-BREAK SPACE}% on FER2013", "12,771 training pictures", "156 times fewer"):
        assert words in texts(tradeoffs)
    assert "In the paper's table for FER2013, each of the 4 rivals takes fewer; of the networks beyond" in texts(
        tradeoffs
    )
    tables = [d.value for d in tradeoffs.dataframe]
    assert any("Tang 2013" in list(t["system"]) and "published accuracy" in t for t in tables if "system" in t)


def test_the_last_tab_says_what_ingredients_bring_and_that_epochs_were_few(tradeoffs):
    at(tradeoffs, "Ingredients")
    assert not tradeoffs.exception and tradeoffs.header[0].value == "What does each ingredient bring?"
    answer = tradeoffs.markdown[0].value
    assert "ten short epochs" in answer and "54.9" in answer and "71.6" in answer
    assert len(tradeoffs.get("plotly_chart")) == 2
    assert texts(tradeoffs).count("ten short epochs") == 3  # beside each figure too


def test_tradeoffs_filters_and_axes(tradeoffs):
    tradeoffs.segmented_control(key="data").set_value("raf_single").run()
    assert not tradeoffs.exception and len(tradeoffs.get("plotly_chart")) == 1
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
    assert "fer_sedense_s2.tune_fer2013 learned" in texts(tradeoffs)
    tradeoffs.switch_page("pages/predict.py").run()
    assert "`fer_sedense_s2.tune_fer2013` answers, as you chose." in texts(tradeoffs)
    button(tradeoffs, "Back to photographs").click().run()
    assert tradeoffs.session_state["model"] is None and "as you chose" not in texts(tradeoffs)


def test_speeds_are_measured_once_and_kept(tradeoffs, monkeypatch):
    import fer_demo.tradeoffs.timing as timing
    from fer_demo.tradeoffs import Spread, Timing, network_costs

    def quick(model, size, *, tick, **_):
        tick()
        macs = network_costs(model, size).macs
        return Timing(Spread(0.004, 0.003, 0.005), Spread(300.0, 290.0, 310.0), macs, products=0.2, busy=2.5)

    monkeypatch.setattr(timing, "time_network", quick)
    button(tradeoffs, "Measure speed on this machine").click().run()
    assert not tradeoffs.exception and "networks measured" in texts(tradeoffs)
    assert timing.cache_file().is_file() and [b.label for b in tradeoffs.button if b.label == "Measure again"]
    assert not any("limit on latency" in i.value for i in tradeoffs.info)
    assert "4.00\N{NO-BREAK SPACE}ms (0.200\N{NO-BREAK SPACE}products) (3 to 5)" in texts(tradeoffs)
    assert "with ONNX Runtime on" in texts(tradeoffs)
    assert any("up to 2.5 times its processor time" in w.value for w in tradeoffs.warning)


def test_models_are_laid_side_by_side(app, predictor, monkeypatch):
    import pages.common.side_by_side as part

    torch.manual_seed(1)
    other = Predictor(timm.create_model("fer_sedense_nano"))
    monkeypatch.setattr(part, "bundled_checkpoints", lambda: ["fer_sedense_s2.a", "fer_sedense_nano.b"])
    for name, one in {"fer_sedense_s2.a": predictor, "fer_sedense_nano.b": other}.items():
        monkeypatch.setitem(predictors._predictors, name, one)
    at(open_page(app, "tradeoffs"), "Side by side")
    assert not app.exception and not app.error
    assert "They are furthest apart on" in texts(app) and texts(app).count(" matrix products.") == 2
    app.multiselect(key="compared").set_value(["fer_sedense_s2.a"]).run()
    assert not app.exception and any("at least two models" in i.value for i in app.info)
    monkeypatch.setattr(part, "bundled_checkpoints", lambda: ["fer_sedense_s2.a"])
    app.run()
    assert not app.exception and any("two trained models are needed" in i.value for i in app.info)
