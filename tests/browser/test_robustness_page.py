"""The Robustness page in Chromium."""

import pytest

from fer_demo.vision.damages import KINDS


@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_spoils_a_face(visit, width):
    visitor = visit(width=width, path="/robustness")
    page = visitor.page
    visitor.sees("Not spoilt yet")
    visitor.counts(page.locator(".js-plotly-plot"), 2 + len(KINDS))
    visitor.sees("All numbers as a table")
    slider = page.get_by_role("slider", name="Blur")
    slider.scroll_into_view_if_needed()
    slider.focus()
    for _ in range(6):  # faster than pictures could be fetched
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(120)
    page.keyboard.press("End")
    visitor.sees("4.00 px")
    page.get_by_role("img", name="Spoilt: the face as the network sees it").wait_for()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("img", name="Not spoilt yet: the face as the network sees it").wait_for()
    page.get_by_role("radio", name="calibration error").or_(
        page.get_by_role("button", name="calibration error")
    ).first.click()
    visitor.sees("0 is best")
    wide = "[document.documentElement, ...document.querySelectorAll('[data-testid=stMain]')]"
    assert page.evaluate(f"{wide}.every(e => e.scrollWidth <= e.clientWidth)"), "the page scrolls sideways"
    # Streamlit probes two paths below a page's own address, which answer 404; anything else would be ours.
    assert [p for p in visitor.problems if "404" not in p] == []
