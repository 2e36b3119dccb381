"""What pyproject.toml, requirements.txt, CITATION.cff and CHANGELOG.md say fits together."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import fer_demo

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {r.name: r for r in map(Requirement, lines)}


def test_one_version():
    assert PROJECT["version"] == fer_demo.__version__ == CITATION["version"]


def test_the_changelog_has_the_version_or_says_that_it_is_not_released():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] in ("Unreleased", PROJECT["version"])


def test_the_citation_is_the_paper_that_the_tables_name():
    from fer_demo.tradeoffs.published import systems

    (source,) = {s.source for s in systems() if s.model == "fer_sedense"}
    paper = CITATION["preferred-citation"]
    assert (paper["title"], paper["year"]) == (source.title, source.year)
    assert ", ".join(author["family-names"] for author in paper["authors"]) == source.authors
    assert f"{paper['start']}-{paper['end']}" in source.venue


def test_both_builds_of_opencv_are_of_one_release():
    """They share the folder cv2; files of two releases in it make `import cv2` fail."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = requirements([line for line in text.splitlines() if line.startswith("opencv")])
    assert set(pinned) == {"opencv-python", "opencv-python-headless"}
    (pin,) = {str(r.specifier) for r in pinned.values()}
    assert pin.startswith("==")
    accepted = requirements(PROJECT["dependencies"])["opencv-python-headless"]
    assert accepted.specifier.contains(pin.removeprefix("=="))


@pytest.mark.parametrize("name", ["streamlit", "gradio"])
def test_what_has_replaced_parts_gets_patch_releases_only(name):
    (specifier,) = requirements(PROJECT["optional-dependencies"]["app"])[name].specifier
    assert specifier.operator == "~=" and specifier.version.count(".") == 2
