"""The Trade-offs page in Chromium, on a checkout that has a second checkpoint."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from playwright.sync_api import TimeoutError
from timm.models import save_for_hf

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.checkpoints import DEFAULT, bundled_checkpoints, checkpoint_dir, write_manifest
from fer_demo.tradeoffs.published import systems
from fer_demo.tradeoffs.reproduced import reproductions

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def app_url(serve_app, tmp_path_factory) -> Iterator[str]:
    """The app with the default checkpoint and one of random weights beside it."""
    if DEFAULT not in bundled_checkpoints():
        pytest.skip(f"{DEFAULT} is not bundled")
    root = tmp_path_factory.mktemp("checkout")
    for name in ("app.py", "pages", "fer_demo", "training", ".streamlit"):
        (root / name).symlink_to(ROOT / name)
    (root / "checkpoints").mkdir()
    (root / "checkpoints" / DEFAULT).symlink_to(checkpoint_dir(DEFAULT))
    torch.manual_seed(0)
    folder = root / "checkpoints" / "fer_sedense_nano.wide_fer2013"
    save_for_hf(timm.create_model("fer_sedense_nano"), folder, safe_serialization=True)
    write_manifest(folder)
    with serve_app(root, tmp_path_factory.mktemp("served")) as url:
        yield url


def no_sideways(page) -> None:
    wide = "[document.documentElement, ...document.querySelectorAll('[data-testid=stMain]')]"
    assert page.evaluate(f"{wide}.every(e => e.scrollWidth <= e.clientWidth)"), "the page scrolls sideways"


def still(page, locator):
    """The middle of an element once the page has stopped moving."""
    locator.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def choose(page, label: str, option: str) -> None:
    """Picks an option of a select box."""
    box = page.get_by_role("combobox", name=label)
    box.scroll_into_view_if_needed()
    wanted = page.get_by_role("option", name=option, exact=True)
    for _ in range(10):  # the list closes again while the page is still scrolling or drawing
        page.wait_for_timeout(1000)
        box.click()
        with contextlib.suppress(TimeoutError):
            wanted.click(timeout=3000)
            return
    wanted.click()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_visitor_clicks_a_point_and_changes_an_axis(visit, width):
    visitor = visit(width=width, path="/tradeoffs")
    page = visitor.page
    visitor.sees("What do 0.48 million parameters buy?")
    visitor.sees("is the most accurate with weights here")
    page.get_by_role("heading", name="SE-Dense (this paper)", exact=True).wait_for()  # its card is open from the start
    points = page.locator(".js-plotly-plot .scatterlayer .points path.point")
    # Those of FER2013, the checkpoint that has an accuracy, and what was trained here without being bundled.
    every = sum(r.data == "fer2013" for s in systems() for r in s.results) + 1
    every += sum(found.data == "fer2013" for found in reproductions())
    visitor.counts(points, every)  # the figure may be drawn again while the page settles
    page.mouse.click(*still(page, points.nth(1)))
    page.get_by_role("heading", name="Tang 2013").wait_for()
    # Beside the chart, or on a phone taken to: whoever clicks sees the card without scrolling.
    page.wait_for_timeout(1500)
    name = page.get_by_role("heading", name="Tang 2013").bounding_box()
    assert 0 <= name["y"] < 900 - name["height"]
    visitor.sees("fer_demo/models/baselines/tang_svm.py")
    page.get_by_role("button", name="Axes and kinds of numbers").click()
    choose(page, "Across", "multiply-accumulates")
    page.locator(".js-plotly-plot .xtitle", has_text="multiply-accumulates (M)").first.wait_for()
    page.get_by_role("heading", name="Tang 2013").wait_for()  # the card stays
    no_sideways(page)
    # Streamlit probes two paths below a page's own address, which answer 404; anything else would be ours.
    assert [p for p in visitor.problems if "404" not in p] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_each_question_has_an_address_and_a_page_that_is_not_long(visit, width):
    for question, answer in {
        "My device": "Most accurate: ",
        "Side by side": "Side by side on your photo",
        "The paper": "The paper claims 70.7",
        "Ingredients": "ten short epochs",
    }.items():
        visitor = visit(width=width, path=f"/tradeoffs?question={question.replace(' ', '+')}")
        visitor.sees(answer)
        assert visitor.page.get_by_role("tab", name=question).get_attribute("aria-selected") == "true"
        no_sideways(visitor.page)
        visitor.until("!document.querySelector('[data-testid=stApp]').dataset.testScriptState?.includes('running')")
        visitor.page.wait_for_timeout(1000)  # charts and tables are drawn after their text
        height = visitor.page.locator("[data-testid=stMainBlockContainer]").bounding_box()["height"]
        assert height < 3600, f"{question} is {height:.0f} pixels long"


def test_a_touch_screen_gets_no_bar_over_the_charts(visit):
    page = visit(width=390, path="/tradeoffs?question=Ingredients", has_touch=True, is_mobile=True).page
    page.locator(".js-plotly-plot").first.wait_for()
    assert page.locator(".modebar:visible").count() == 0


def test_a_visitor_asks_the_calculator(visit):
    visitor = visit(path="/tradeoffs")
    page = visitor.page
    visitor.sees("The limit on latency is left out")
    visitor.sees("Most accurate: ")
    size = page.get_by_role("spinbutton", name="File size, MB")
    size.fill("1")
    size.press("Enter")
    visitor.sees("Most accurate: 66.2 %")
    visitor.sees("None of those that fit has weights here.")
    size.fill("0.1")
    size.press("Enter")
    visitor.sees("without the one on file size")
    for name in ("File size, MB", "Multiply-accumulates, M"):  # empty for no limit
        field = page.get_by_role("spinbutton", name=name)
        field.fill("")
        field.press("Enter")
    visitor.sees("Most accurate: 72.7")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download figure").first.click()
    html = Path(download.value.path()).read_text()
    assert "Plotly.newPlot" in html and "multiply" not in html[:2000] and "http://" not in html[:300]


def test_two_models_look_at_a_photo(visit):
    visitor = visit(path="/tradeoffs?question=Side+by+side")
    page = visitor.page
    visitor.sees("Eileen Collins (NASA")
    page.get_by_role("img", name=f"{DEFAULT}: Grad-CAM for happy").wait_for()
    page.get_by_role("img", name="fer_sedense_nano.wide_fer2013: Grad-CAM for").wait_for()
    visitor.sees("They are furthest apart on happy")
    visitor.sees("They disagree")
    visitor.counts(page.get_by_text(" matrix products."), 2)
    assert [p for p in visitor.problems if "404" not in p] == []


def test_the_chosen_checkpoint_answers_on_the_other_pages(visit):
    visitor = visit(path="/tradeoffs")
    page = visitor.page
    visitor.sees("is the most accurate with weights here")
    choose(page, "Card of", "fer_sedense_nano.wide_fer2013 · FER2013 · not trained")
    page.get_by_role("heading", name="fer_sedense_nano.wide_fer2013").wait_for()
    page.get_by_role("button", name="Use it on Explain").click()
    visitor.sees("The network's answer:")
    page.get_by_role("link", name="Predict").click()
    visitor.sees("answers, as you chose")
    page.get_by_role("button", name="Back to photographs").click()
    visitor.counts(page.get_by_text("answers, as you chose"), 0)


def test_measuring_shows_progress_and_can_be_stopped(visit, tmp_path_factory):
    visitor = visit(path="/tradeoffs")
    page = visitor.page
    visitor.sees("not measured yet")
    page.get_by_role("button", name="Measure speed on this machine").click()
    page.get_by_text(re.compile(r"at \d+ pixels, [2-9] of \d+")).wait_for()  # the first network is done
    page.get_by_role("button", name="Stop").click()
    page.get_by_text(re.compile(r"of \d+ networks measured")).wait_for()
    visitor.counts(page.get_by_role("button", name="Stop"), 0)
    (kept,) = tmp_path_factory.getbasetemp().glob("served0/cache/benchmark.json")
    timings = json.loads(kept.read_text())[0]["timings"]
    assert 1 <= len(timings) < 14 and timings[0]["latency"]["median"] > 0
