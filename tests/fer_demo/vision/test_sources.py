"""Names of pictures, and what is no path."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo.vision.sources import is_one_picture, one_line, source_name, why_no_path


def test_names(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (2, 2)).save(path)
    named = io.BytesIO()
    named.name = "upload.png"
    with path.open("rb") as file, Image.open(path) as image, open(file.fileno(), "rb", closefd=False) as numbered:
        assert {source_name(s) for s in (path, str(path), file, image)} == {str(path)}
        assert source_name(numbered) is None
    assert source_name(named) == "upload.png"
    with tempfile.SpooledTemporaryFile() as spooled:
        for nameless in (b"abc", io.BytesIO(), spooled, np.zeros((2, 2)), Image.new("L", (2, 2)), 3):
            assert source_name(nameless) is None


def test_one_line():
    assert one_line("ä b.png") == "ä b.png"
    assert one_line("a\n\x1b[31mb\u2028.png") == r"a\n\x1b[31mb\u2028.png"
    short = one_line("/start/" + "x" * 500 + "/end.png")
    assert len(short) == 120 and short.startswith("/start/") and "…" in short and short.endswith("/end.png")
    assert one_line("x" * 500, None) == "x" * 500


def test_one_picture_or_many():
    one = ["a.png", Path("a.png"), b"", io.BytesIO(), Image.new("L", (2, 2)), np.zeros((4, 4)), np.zeros((4, 4, 3))]
    many = [["a.png"], (p for p in ()), np.zeros((2, 4, 4, 3)), np.array(["a.png"]), {"a.png"}]
    assert [is_one_picture(sources) for sources in one + many] == [True] * len(one) + [False] * len(many)


@pytest.mark.parametrize("text", ["photo.jpg", "/9j.jpg", "a" * 300, "C:/a.png", "data.png", "", "dir/" * 50 + "a.png"])
def test_paths(text):
    assert why_no_path(text) is None
