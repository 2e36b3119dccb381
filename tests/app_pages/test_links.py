"""Addresses that lead to a photo, a face and a model, on every page."""

import shutil

import pytest
from actions import button, png, upload

from fer_demo.checkpoints import checkpoint_dir
from fer_demo.web.models import VARIABLE, own_models


@pytest.mark.parametrize(
    ("query", "name", "said"),
    [
        ({"sample": "grace_hopper"}, "grace_hopper.jpg", None),
        ({"sample": "astronaut", "face": "1"}, "astronaut.png", None),
        ({"sample": "astronaut", "face": "9"}, "astronaut.png", "The link names face 9, but there are 1"),
        ({"sample": "nobody"}, None, "The link names a sample that is not here: nobody"),
        ({"model": "best"}, None, "The link names a model that is not here: best"),
        ({"face": "zero"}, None, "The link's face must be a number from 1"),
    ],
)
def test_links_lead_to_what_they_name(app, query, name, said):
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    assert ("photo" in app.session_state) is (name is not None)
    assert name is None or app.session_state["photo"].name == name
    assert (said in app.error[0].value.replace("\\", "")) if said else not app.error


def test_a_link_to_the_model_of_the_variable(app, monkeypatch, tmp_path):
    """The address of a page leads back to the application's own model as well."""
    shutil.copytree(checkpoint_dir("fer_sedense_nano.photos_fer2013"), tmp_path / "mine")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    (own,) = own_models()
    app.query_params["model"] = own.name
    app.run()
    assert not app.error and app.session_state["model"] == own.name


def test_the_address_leads_to_what_is_on_show(app, astronaut):
    app.run()
    button(app, "Grace Hopper").click().run()
    assert app.query_params.get("sample") == ["grace_hopper"] or app.query_params["sample"] == "grace_hopper"
    upload(app, "mine.png", png(astronaut))
    assert "sample" not in app.query_params
