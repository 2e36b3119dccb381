"""Many people upload through the page at once, each in a browser of their own."""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.load.serving import Server, serve

SECONDS = 150
"""For all of them together."""


def photo_of(faces: int, path: Path) -> None:
    """Writes a photo with so many faces side by side."""
    from skimage.data import astronaut

    Image.fromarray(np.hstack([astronaut()[:400, 60:360]] * faces)).save(path, quality=90)


def downloaded(page) -> dict:
    """The answer on show, as the page gives it for keeping."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    return json.loads(Path(download.value.path()).read_text())


def run_visitors(server: Server, visitors: int, folder: Path) -> tuple[int, float, list[str]]:
    """Opens the page for all of them, then uploads everything, then looks who got what.

    Returns:
        How many got the answer to their own photo, the seconds from the first upload to the last answer, and what
        went wrong otherwise.
    """
    from playwright.sync_api import Error, sync_playwright

    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    own, problems = 0, []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        pages = []
        for number in range(visitors):
            page = browser.new_context(viewport={"width": 1000, "height": 900}, accept_downloads=True).new_page()
            page.set_default_timeout(SECONDS * 1000)
            page.goto(server.url)
            pages.append(page)
            photo_of(number % 4 + 1, folder / f"visitor {number}.jpg")
        doors = []
        for page in pages:
            door = page.frame_locator("iframe[src*='/upload/']").locator("input[type=file]").first
            door.wait_for(state="attached")
            doors.append(door)
        start = time.perf_counter()
        for number, door in enumerate(doors):
            door.set_input_files(folder / f"visitor {number}.jpg")
        for number, page in enumerate(pages):
            try:
                page.get_by_text(f"visitor {number}.jpg").first.wait_for()
                answer = downloaded(page)
                if answer["file"] != f"visitor {number}.jpg":  # the button was still the one of the photo before
                    page.wait_for_timeout(3000)
                    answer = downloaded(page)
                if (answer["file"], len(answer["faces"])) == (f"visitor {number}.jpg", number % 4 + 1):
                    own += 1
                else:
                    problems.append(f"visitor {number} got {answer['file']} with {len(answer['faces'])} faces")
            except Error as error:
                problems.append(f"visitor {number}: {error.message.splitlines()[0]}")
        seconds = time.perf_counter() - start
        browser.close()
    return own, seconds, problems


def run(args: argparse.Namespace) -> int:
    """Prints one row of a Markdown table; 1 if somebody did not get their own answer."""
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder) / "app") as server:
        own, seconds, problems = run_visitors(server, args.visitors, Path(folder))
        left = server.files()
    print(
        f"| {args.visitors} visitors uploading through the page at once | {own} of {args.visitors} got their own "
        f"answer, the last one after {seconds:.0f} s; files left {len(left)} |"
    )
    for line in problems[:5]:
        print(f"  {line}")
    return int(own != args.visitors or bool(left))


def add_parser(subparsers) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("visitors", help="many people upload through the page at once")
    parser.add_argument("--visitors", type=int, default=20)
    parser.set_defaults(run=run)
