"""The Explain page in Chromium."""

import pytest


@pytest.mark.parametrize("width", [1280, 390])
def test_a_teacher_looks_into_a_face(visit, width):
    visitor = visit(width=width)
    page = visitor.page
    visitor.sees("Eileen Collins (NASA")
    if width < 600:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Explain").click()
    visitor.sees("Why happy?")
    if width < 600:
        page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    page.get_by_role("img", name="Why happy? Grad-CAM on the photo").wait_for()
    visitor.sees("On this face the map is")
    gates = page.locator(".js-plotly-plot", has=page.locator(".heatmaplayer")).last
    gates.wait_for()
    # A click on a square opens its channel.
    gates.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box = gates.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 3.5 / 32, box["y"] + box["height"] * 0.5 / 12)
    page.wait_for_timeout(300)
    page.mouse.click(box["x"] + box["width"] * 3.5 / 32, box["y"] + box["height"] * 0.5 / 12)
    visitor.sees("of stage 1, block 1")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    assert visitor.problems == []
