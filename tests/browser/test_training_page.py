"""The Training page in Chromium, opened by its own address."""

import pytest


@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_looks_at_the_runs(visit, width):
    visitor = visit(width=width, path="/training")
    page = visitor.page
    visitor.sees("The story so far")
    visitor.sees("The same in words")
    page.locator(".js-plotly-plot .scatterlayer path.point").first.wait_for()
    page.get_by_role("radio", name="training loss").or_(page.get_by_role("button", name="training loss")).first.click()
    page.locator(".js-plotly-plot .ytitle", has_text="training loss").wait_for()
    visitor.counts(page.locator(".js-plotly-plot .heatmaplayer"), 1)
    second = page.get_by_role("combobox", name="beside those of")
    second.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)  # the list would close again while the page is still scrolling
    second.click()
    page.get_by_role("option").nth(1).click()
    page.locator(".js-plotly-plot .heatmaplayer").nth(1).wait_for()
    # Streamlit probes two paths below a page's own address, which answer 404; anything else would be ours.
    assert [p for p in visitor.problems if "404" not in p] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"


def test_the_menu_leads_there(visit):
    visitor = visit()
    visitor.sees("No photo at hand?")
    visitor.page.get_by_role("link", name="Training").click()
    visitor.sees("How it was trained")
    assert visitor.problems == []
