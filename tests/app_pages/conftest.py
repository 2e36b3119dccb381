"""The app in Streamlit's own test runner, with a network of random weights."""

from pathlib import Path

import pytest
import timm
import torch

pytest.importorskip("streamlit", reason="the app extra is not installed")
from streamlit.testing.v1 import AppTest

import fer_demo.web.shared as predictors
from fer_demo.predictor import Predictor

APP = str(Path(__file__).parents[2] / "app.py")


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(timm.create_model("fer_sedense_s2"))


@pytest.fixture
def new_visit():
    """A function that starts a session of its own, before its first run."""
    return lambda: AppTest.from_file(APP, default_timeout=60)


@pytest.fixture
def app(predictor, new_visit, monkeypatch) -> AppTest:
    monkeypatch.setattr(predictors, "_predictors", {None: predictor})
    return new_visit()
