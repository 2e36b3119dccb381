"""The Predict page as a visitor meets it: the real app in Chromium."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """one.png: one face; two.png: two faces; wall.png: none; notes.jpg: no picture."""
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("photos")
    image = astronaut()
    Image.fromarray(image[:300, 50:400]).save(folder / "one.png")
    Image.fromarray(np.hstack([image[:300, 50:400]] * 2)).save(folder / "two.png")
    Image.new("RGB", (300, 200), "gray").save(folder / "wall.png")
    (folder / "notes.jpg").write_text("not a photo")
    return folder


def test_from_the_widget_to_the_page(visit, photos, app_url):
    visitor = visit()
    visitor.sees("Eileen Collins (NASA")  # opens with a prediction, not with an empty form
    visitor.page.locator(".js-plotly-plot").wait_for()

    visitor.add(photos / "one.png")
    visitor.widget.locator("#answer").get_by_text("1 face found").wait_for()
    visitor.sees("one.png")
    visitor.sees("350 × 300 pixels")
    visitor.counts(visitor.page.get_by_text("What the network saw"), 1)

    visitor.add(photos / "two.png")
    visitor.sees("two.png")
    visitor.page.get_by_role("button", name="Show in the photo").wait_for()
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Download CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 3

    visitor.add(photos / "notes.jpg")
    visitor.widget.locator("#answer").get_by_text("notes.jpg is not a picture").wait_for()

    visitor.add(photos / "wall.png")
    visitor.sees("No face found on this photo")
    visitor.page.get_by_role("button", name="Use the whole picture as one face").click()
    visitor.sees("the whole picture as one face")

    visitor.page.get_by_role("link", name="Model and limits").click()
    visitor.page.get_by_role("heading", name="Model and limits").wait_for()
    visitor.page.get_by_role("link", name="Predict").click()
    visitor.sees("wall.png")  # the photo travels with the visitor

    assert visitor.problems == []
    assert visitor.hosts == {app_url.removeprefix("http://")}


def test_two_visitors_never_see_each_others_photo(visit, photos):
    first, second = visit(), visit()
    for visitor in (first, second):
        visitor.sees("Eileen Collins (NASA")
        visitor.widget.locator("#answer").wait_for()
    first.add(photos / "one.png")
    first.sees("one.png")
    second.page.wait_for_timeout(1500)
    assert second.page.get_by_text("one.png").count() == 0
    second.add(photos / "two.png")
    second.sees("two.png")
    assert first.page.get_by_text("two.png").count() == 0
    assert first.problems == second.problems == []


def test_on_a_phone_in_the_dark(visit, photos):
    visitor = visit(width=390, color_scheme="dark", has_touch=True, is_mobile=True)
    visitor.sees("Eileen Collins (NASA")
    visitor.add(photos / "two.png")
    visitor.sees("two.png")
    visitor.page.locator(".js-plotly-plot").nth(1).wait_for()
    for frame in visitor.page.frames:
        wide = "[document.documentElement, ...document.querySelectorAll('[data-testid=stMain]')]"
        assert frame.evaluate(f"{wide}.every(e => e.scrollWidth <= e.clientWidth)"), frame.url
    inside = next(f for f in visitor.page.frames if "/upload/" in f.url)
    assert inside.evaluate("document.body.classList.contains('dark')")
    assert visitor.problems == []


def test_file_and_camera_work_without_the_widget(visit, photos):
    visitor = visit()
    visitor.sees("Eileen Collins (NASA")
    visitor.page.get_by_role("tab", name="File").click()
    uploader = visitor.page.locator("[data-testid=stFileUploader] input[type=file]")
    uploader.set_input_files(photos / "notes.jpg")
    visitor.sees("notes.jpg is not a picture")
    uploader.set_input_files(photos / "one.png")
    visitor.sees("350 × 300 pixels")
    visitor.page.get_by_role("tab", name="Camera").click()
    visitor.until("document.querySelector('video')?.readyState === 4")
    visitor.page.get_by_role("button", name="Take Photo").click()
    visitor.sees("No face found on this photo")  # Chromium's test picture is a green wall with a clock
    assert visitor.problems == []
