"""What stands in two places says the same in both, and published figures stand in one place."""

import tomllib
from pathlib import Path

import pytest
import timm

import fer_demo
from fer_demo.runtime.model_info import model_info
from fer_demo.tradeoffs.published import human, systems
from fer_demo.vision.preprocess import data_config

ROOT = Path(__file__).parents[2]


def toml(file: str) -> dict:
    return tomllib.loads((ROOT / file).read_text(encoding="utf-8"))


def test_the_version_is_that_of_the_installed_project():
    assert fer_demo.__version__ == toml("pyproject.toml")["project"]["version"]


def test_published_figures_are_read_from_the_file_that_cites_them():
    printed = [f"{100 * systems()[0].results[0].accuracy:.2f}", str(human())[:-2]]
    assert printed == ["70.69", "65 ± 5"]
    for folder in ("fer_demo", "pages"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            assert not [figure for figure in printed if figure in text], file


@pytest.mark.parametrize("name", ["fer_sedense", "fer_vielzeuf_occam"])
def test_a_model_and_what_is_known_about_it_agree_on_its_input(name):
    model = timm.create_model(name)
    side = model.pretrained_cfg["input_size"][-1]
    assert data_config(model) == {"size": (side, side), "mean": 0.0, "std": 1.0}
    assert data_config(model) == model_info(model, name).preprocessing
