"""Limits come from one place and can be set by the environment."""

import re
import tomllib
from pathlib import Path

import pytest

from fer_demo.web.limits import LimitError, Limits

ROOT = Path(__file__).parents[3]


def test_the_environment_sets_limits():
    found = Limits.from_environment({"FER_DEMO_UPLOAD_MB": "2.5", "FER_DEMO_WAITING": "7", "FER_DEMO_READERS": "0"})
    assert (found.upload_mb, found.waiting, found.request_files) == (2.5, 7, Limits().request_files)
    assert found.cores >= 1 and Limits(readers=3).cores == 3


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "many", "2.5"])
def test_what_is_no_limit_is_one_sentence(text):
    if not text:
        assert Limits.from_environment({"FER_DEMO_WAITING": text}) == Limits()
        return
    with pytest.raises(LimitError, match="FER_DEMO_WAITING must be a positive whole number, but is"):
        Limits.from_environment({"FER_DEMO_WAITING": text})


def test_streamlits_own_uploader_has_the_same_limit():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["maxUploadSize"] == Limits().upload_mb


def test_every_limit_is_in_the_docs():
    text = (ROOT / "docs" / "deployment.md").read_text()
    told = set(re.findall(r"`FER_DEMO_([A-Z_]+)`", text))
    assert {name.upper() for name in Limits.__dataclass_fields__} <= told
