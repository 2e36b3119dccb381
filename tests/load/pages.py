"""How long somebody waits: the first page and the Explain page, in a browser."""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.load.serving import serve, start

SECONDS = 60

GOALS = {
    "first page on a server that just started": 3.0,
    "usable uploader on a warm server": 4.0,
    "Explain: something to see": 1.0,
    "Explain: first map": 2.0,
    "Explain: the sentence": 2.5,
    "Explain: another class": 1.0,
    "Explain: back to a class seen before": 1.0,
    "Explain: the researchers' part, with its chart": 3.0,
    "Explain: another layer": 1.0,
    "Explain: a later visit, first map": 1.0,
}
"""What is measured, to the seconds that it may take on an idle machine."""


class Traffic:
    """Counts what a page fetches.

    Attributes:
        requests: How many answers came.
        bytes: Of their bodies, as they were sent, with what a WebSocket brought.
    """

    def __init__(self, page) -> None:
        self.requests, self.bytes = 0, 0
        page.on("requestfinished", self._note)
        page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _note(self, request) -> None:
        self.requests += 1
        self.bytes += request.sizes()["responseBodySize"]

    def _frame(self, data) -> None:
        self.bytes += len(data)


def _seconds(start_at: float) -> float:
    return time.perf_counter() - start_at


def _uploader(page) -> None:
    page.frame_locator("iframe[src*='/upload/']").locator("input[type=file]").first.wait_for(state="attached")


def _map_of(page, label: str) -> None:
    page.get_by_role("img", name=f"Why {label}? Grad-CAM on the photo").wait_for()


def measure(folder: Path) -> tuple[dict[str, float], int, int, float]:
    """Starts the application twice and visits it.

    Args:
        folder: For their files.

    Returns:
        What was measured to seconds, keys as in `GOALS`; requests and bytes of the first page; the machine's load.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    found: dict[str, float] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])

        def visit():
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(SECONDS * 1000)
            return page

        page, server = visit(), start(folder / "first")
        try:
            server.wait()
            began = time.perf_counter()
            page.goto(server.url)
            page.get_by_text("No photo at hand?").first.wait_for()
            found["first page on a server that just started"] = _seconds(began)
        finally:
            server.stop()
        page.context.close()
        with serve(folder / "second") as server:
            _warm(visit(), server)
            load = os.getloadavg()[0]
            page = visit()
            traffic, began = Traffic(page), time.perf_counter()
            page.goto(server.url)
            _uploader(page)
            found["usable uploader on a warm server"] = _seconds(began)
            page.get_by_text("No photo at hand?").first.wait_for()
            page.wait_for_timeout(1000)  # the last pictures
            fetched = traffic.requests, traffic.bytes
            _explain(page, found)
            page.get_by_role("link", name="Predict").click()
            _uploader(page)
            began = time.perf_counter()
            page.get_by_role("link", name="Explain").click()
            _map_of(page, "happy")
            found["Explain: a later visit, first map"] = _seconds(began)
        browser.close()
    return found, fetched[0], fetched[1], load


def _warm(page, server) -> None:
    """Waits until the server has loaded what it loads by itself; a visit to both pages makes sure."""
    page.goto(server.url)
    _uploader(page)
    page.goto(f"{server.url}/explain")
    _map_of(page, "happy")
    page.context.close()


def _explain(page, found: dict[str, float]) -> None:
    """Opens the Explain page from the first one, as a visitor does, and changes what is explained."""

    def timed(name: str, do: Callable[[], object], until: Callable[[], object]) -> None:
        began = time.perf_counter()
        do()
        until()
        found[name] = _seconds(began)

    def choose(box: str, option: str) -> None:
        # By the keyboard: of a long list only a part is on the page.
        page.get_by_role("combobox", name=box).click()
        page.keyboard.type(option)
        page.get_by_role("option", name=option, exact=True).wait_for()
        page.keyboard.press("Enter")

    began = time.perf_counter()
    page.get_by_role("link", name="Explain").click()
    page.get_by_text("The network's answer").first.wait_for()
    page.locator(".fer-look img").first.wait_for()
    found["Explain: something to see"] = _seconds(began)
    _map_of(page, "happy")
    found["Explain: first map"] = _seconds(began)
    page.get_by_text("It looked mostly at").first.wait_for()
    found["Explain: the sentence"] = _seconds(began)
    another = "Explain another expression"
    timed("Explain: another class", lambda: choose(another, "fear"), lambda: _map_of(page, "fear"))
    timed("Explain: back to a class seen before", lambda: choose(another, "happy"), lambda: _map_of(page, "happy"))
    began = time.perf_counter()
    page.get_by_text("Maps, faithfulness, channels").click()
    page.locator(".js-plotly-plot .heatmaplayer image").first.wait_for()  # Plotly loads with the first chart
    found["Explain: the researchers' part, with its chart"] = _seconds(began)
    picture = page.get_by_role("img", name="as set beside it, on the photo")
    before = picture.get_attribute("src")

    def changed() -> None:
        deadline = time.monotonic() + SECONDS
        while picture.get_attribute("src") == before:
            if time.monotonic() > deadline:
                raise RuntimeError("the map did not change with the layer")
            page.wait_for_timeout(20)

    timed("Explain: another layer", lambda: choose("Layer", "after stage 2, block 2"), changed)


def run(args: argparse.Namespace) -> int:
    """Prints the rows of a Markdown table; 1 if a goal was missed."""
    with tempfile.TemporaryDirectory() as folder:
        found, requests, size, load = measure(Path(folder))
    print(f"{os.cpu_count()} cores, load {load:.1f} while measured; goals hold for an idle machine\n")
    print("| what | goal | measured |\n|---|---|---|")
    for name, goal in GOALS.items():
        print(f"| {name} | {goal:g} s | {found[name]:.1f} s |")
    print(f"| first page, of a new visitor | | {requests} requests, {size / 1e6:.1f} MB |")
    return int(any(found[name] > goal for name, goal in GOALS.items()))


def add_parser(subparsers) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("pages", help="how long a visitor waits for the first page and for explanations")
    parser.set_defaults(run=run)
