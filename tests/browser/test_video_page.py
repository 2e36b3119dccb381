"""The Video page in Chromium: upload a clip, choose a moment, take a table away; and cancel."""

import csv
import re

import pytest

pytest.importorskip("av", reason="the video extra is not installed")
from fer_demo.video import clips


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "two.mp4"
    path.write_bytes(clips.encode(clips.pan(3.0)))
    return path


def choose(visitor, path) -> None:
    visitor.sees("Expressions over time")
    visitor.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(path)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_clip_a_moment_and_a_table(visit, clip, width):
    visitor = visit(width=width, path="/video")
    page = visitor.page
    choose(visitor, clip)
    visitor.sees("2 persons")
    page.get_by_role("img", name="The frame at 0:00.0").wait_for()
    visitor.counts(page.locator(".js-plotly-plot"), 4)
    chart = page.locator(".js-plotly-plot").first
    page.wait_for_timeout(1500)  # what is above the chart still moves it
    chart.scroll_into_view_if_needed()
    box = chart.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_timeout(400)  # Plotly looks for what is under the mouse
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    page.get_by_role("img", name=re.compile(r"The frame at 0:0(1\.[5-9]|2\.[0-2])")).wait_for()
    page.get_by_role("slider", name="Moment").focus()
    page.keyboard.press("Home")
    page.get_by_role("img", name="The frame at 0:00.0").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "two.csv"
    with open(download.value.path(), encoding="utf-8") as file:
        assert {row["person"] for row in csv.DictReader(file)} == {"1", "2"}
    wide = "[document.documentElement, ...document.querySelectorAll('[data-testid=stMain]')]"
    assert page.evaluate(f"{wide}.every(e => e.scrollWidth <= e.clientWidth)"), "the page scrolls sideways"
    assert [p for p in visitor.problems if "404" not in p] == []


def test_cancel(visit, tmp_path):
    path = tmp_path / "long.mp4"
    path.write_bytes(clips.encode(clips.still(640, 480, 4, 60.0)))
    visitor = visit(path="/video")
    choose(visitor, path)
    visitor.sees("s left")
    visitor.page.get_by_role("button", name="Cancel").click()
    visitor.sees("Stopped at 0:")
    visitor.sees("Download CSV")


def test_more_than_a_picture_may_have(visit, tmp_path):
    """A file larger than the limit of photos, with a tail that no decoder looks at."""
    path = tmp_path / "large.mp4"
    path.write_bytes(clips.encode(clips.pan(1.0)) + (30 * 2**20).to_bytes(4, "big") + b"free" + bytes(30 * 2**20 - 8))
    visitor = visit(path="/video")
    choose(visitor, path)
    visitor.sees("Download CSV")
