"""The Explain page in Chromium."""

import itertools

import pytest


def open_explain(visitor, width):
    visitor.sees("No photo at hand?")  # Explain opens with a sample then
    if width < 600:
        visitor.page.get_by_role("button", name="Menu").click()
    visitor.page.get_by_role("link", name="Explain").click()
    # In a narrow window the menu closes by itself.
    visitor.page.get_by_role("img", name="Why happy? Grad-CAM on the photo").wait_for()


def problems(visitor) -> list[str]:
    """What went wrong but for pictures that Streamlit forgot, since the page showed another one before they arrived."""
    return [problem for problem in visitor.problems if "404" not in problem]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_class_reads_why(visit, width, scheme):
    visitor = visit(width=width, color_scheme=scheme, reduced_motion="reduce")
    page = visitor.page
    open_explain(visitor, width)
    visitor.sees("It looked mostly at the")
    visitor.sees("Over many faces")
    visitor.counts(page.locator(".fer-table tbody tr"), 8)
    shares = page.locator(".fer-table tbody td:nth-child(2)").all_inner_texts()
    assert abs(sum(int(share.split()[0]) for share in shares) - 100) <= 4
    # The slider draws the map over the photo, by the keyboard too.
    slider = page.get_by_role("slider", name="How far the map is drawn over the photo")
    slider.press("Home")
    covered = "getComputedStyle(document.querySelector('.fer-look')).getPropertyValue('--cut')"
    assert page.evaluate(covered) == "0%"
    slider.press("ArrowRight")
    assert page.evaluate(covered) == "5%"
    another = page.get_by_role("combobox", name="Explain another expression")
    another.fill("sad")
    another.press("Enter")
    page.get_by_role("img", name="Why sad? Grad-CAM on the photo").wait_for()
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("[...document.images].filter(i => !i.alt).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    assert problems(visitor) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_researcher_looks_deeper(visit, width):
    visitor = visit(width=width)
    page = visitor.page
    open_explain(visitor, width)
    assert page.locator(".js-plotly-plot").count() == 0  # nothing of this before it is opened
    page.get_by_text("Maps, faithfulness, channels").click()
    page.get_by_role("img", name="as set beside it, on the photo").wait_for()
    page.get_by_role("tab", name="To be believed?").click()
    visitor.sees("On this face the map is")
    page.get_by_role("tab", name="Channels").click()
    visitor.sees("loses without it")
    page.get_by_text("Show the weights of all blocks").click()
    gates = page.locator(".js-plotly-plot", has=page.locator(".heatmaplayer")).last
    gates.locator(".heatmaplayer image").first.wait_for(state="attached")
    # A click on a square opens its channel.
    gates.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box = gates.locator(".nsewdrag").first.bounding_box()
    place = box["x"] + box["width"] * 3.5 / 32, box["y"] + box["height"] * 0.5 / 12
    page.mouse.move(*place)
    page.wait_for_timeout(300)
    page.mouse.click(*place)
    visitor.sees("Channel 3 of stage 1, block 1")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    assert problems(visitor) == []


def test_another_photo_another_model_and_none(visit, tmp_path):
    from PIL import Image

    visitor = visit()
    page = visitor.page
    open_explain(visitor, 1280)
    page.get_by_role("button", name="Another photo").click()
    page.get_by_role("button", name="Grace Hopper (a sample)").click()
    page.get_by_role("img", name="Grad-CAM on the photo").wait_for()
    model = page.get_by_role("combobox", name="Model")
    model.fill("nano.photos")
    model.press("Enter")
    visitor.sees("fer_sedense_nano.photos_fer2013 learned")
    page.get_by_role("img", name="Grad-CAM on the photo").wait_for()
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    if not page.locator("input[type=file]").count():  # the popover stays open unless something else was clicked
        page.get_by_role("button", name="Another photo").click()
    page.locator("input[type=file]").first.set_input_files(tmp_path / "wall.png")
    visitor.sees("There is no face to explain yet")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Go to the Predict page").click()
    visitor.sees("No face found on this photo")
    assert problems(visitor) == []
