"""What the machine is called in tables of measurements."""

import platform
from pathlib import Path

import pytest

from fer_demo.runtime.machine import processor


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("processor\t: 0\nmodel name\t: A CPU @ 3.00GHz\nmodel name\t: A CPU @ 3.00GHz\n", "A CPU @ 3.00GHz"),
        ("processor\t: 0\nmodel name\t:\n", "arm64"),
        (None, "arm64"),
    ],
)
def test_processor(content, name, monkeypatch):
    def read(path, **_):
        if content is None:
            raise FileNotFoundError(path)
        return content

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert processor() == name
