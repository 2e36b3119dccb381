"""500 photos through the page Folder, in a browser: how long it takes, what the server keeps, how the page reacts."""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

from tests.load.serving import serve

SECONDS = 900
CLICK_SECONDS = 30
SIDE = 640

GROWTH_MB = 100
"""What the small pictures and the last files of 500 photos may take, as the server's own memory grows."""

# How long the page's script did not run: what a visitor feels as a page that hangs.
_WATCH = """() => {
  window.longest = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.longest = Math.max(window.longest, now - last - 50);
    last = now;
  }, 50);
}"""


def make_photos(folder: Path, count: int) -> list[Path]:
    """JPEG photos of `SIDE` pixels with one face, no two alike."""
    import numpy as np
    from PIL import Image
    from skimage.data import astronaut

    folder.mkdir(parents=True)
    face = np.asarray(Image.fromarray(astronaut()).resize((SIDE, SIDE))).astype(np.int16)
    rng = np.random.default_rng(0)
    paths = [folder / f"photo {number:04}.jpg" for number in range(count)]
    for path in paths:
        noisy = face + rng.integers(-6, 7, (SIDE, SIDE, 1), dtype=np.int16)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=88)
    return paths


def measure(folder: Path, count: int) -> dict[str, float]:
    """Starts the application, warms it up with a dozen photos, and sends the others."""
    from playwright.sync_api import sync_playwright

    paths = make_photos(folder / "photos", count + 12)
    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    with serve(folder / "server") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])

        def visit():
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(SECONDS * 1000)
            page.goto(f"{server.url}/folder")
            frame = page.frame_locator("iframe[src*='/upload/']")
            frame.get_by_role("button", name="Choose a folder").wait_for()
            return page, frame

        page, frame = visit()
        frame.locator("input[type=file]").first.set_input_files(paths[:12])
        frame.get_by_text("12 of 12 photos read").wait_for()
        page.get_by_role("heading", name="12 photos").wait_for()
        page.context.close()

        page, frame = visit()
        before = server.megabytes()
        page.evaluate(_WATCH)
        page.wait_for_timeout(5000)
        idle = page.evaluate("window.longest") / 1000
        page.evaluate("window.longest = 0")
        began = time.perf_counter()
        frame.locator("input[type=file]").first.set_input_files(paths[12:])
        done = frame.get_by_text(f"{count} of {count} photos read")
        caption = page.locator("[data-testid=stCaptionContainer]", has_text=" to ")
        first_seen, waits = 0.0, []
        while not done.count():
            if not first_seen and page.get_by_role("button", name="Look at it").count():
                first_seen = time.perf_counter() - began
            button = page.get_by_role("button", name="Next" if len(waits) % 2 == 0 else "Before", exact=True)
            if button.count() and button.is_enabled():
                starts = "25 to" if len(waits) % 2 == 0 else "1 to"
                asked = time.perf_counter()
                button.click()
                while not caption.filter(has_text=starts).count():
                    if time.perf_counter() - asked > CLICK_SECONDS:
                        raise RuntimeError(f"a click was not answered within {CLICK_SECONDS} s")
                    page.wait_for_timeout(20)
                waits.append(time.perf_counter() - asked)
            page.wait_for_timeout(1000)
        seconds = time.perf_counter() - began
        page.get_by_role("heading", name=f"{count} photos").wait_for()
        found = {
            "seconds": seconds,
            "first": first_seen,
            "megabytes": server.megabytes() - before,
            "idle": idle,
            "blocked": page.evaluate("window.longest") / 1000,
            "slowest": max(waits, default=0.0),
            "clicks": len(waits),
        }
        browser.close()
    return found


def run(args: argparse.Namespace) -> int:
    """Prints the row of a Markdown table; 1 if the server grew too much."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), args.photos)
    machine = f"{os.cpu_count()} cores, load {load:.1f} before, {os.getloadavg()[0]:.1f} after"
    parts = (
        f"{found['seconds']:.0f} s, the first on show after {found['first']:.1f} s",
        f"the server grew by {found['megabytes']:.0f} MB",
        f"the page's script stood still for at most {found['blocked']:.1f} s ({found['idle']:.1f} s before)",
        f"of {found['clicks']} clicks meanwhile the slowest was answered after {found['slowest']:.1f} s",
    )
    print(f"| {args.photos} photos of {SIDE} pixels on the page Folder; {machine} | {'; '.join(parts)} |")
    return int(found["megabytes"] > GROWTH_MB)


def add_parser(subparsers) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("folder", help="500 photos through the page Folder, in a browser")
    parser.add_argument("--photos", type=int, default=500, metavar="N", help="how many (default: %(default)s)")
    parser.set_defaults(run=run)
