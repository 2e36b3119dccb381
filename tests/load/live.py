"""How many of a camera's pictures the Live page answers in a second, in headless Chromium with a clip for a camera."""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

from fer_demo.cache import web_page_dir
from fer_demo.vision.samples import SAMPLES
from tests import clips
from tests.load.serving import serve

GOAL = 15.0
"""Pictures a second at 640 x 480 with the fastest network."""

FLAGS = ("--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

COUNT = "Number(document.body.dataset.answered ?? 0)"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command ``live``."""
    parser = subparsers.add_parser("live", help="pictures a second of the Live page, with a clip for a camera")
    parser.add_argument("--page", type=Path, default=web_page_dir(), help="the exported page (default: the app's own)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each model is measured")
    parser.add_argument("--photo", type=Path, help="what the clip shows (default: the first sample)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; 1 if the fastest network answers fewer than `GOAL` pictures a second."""
    from playwright.sync_api import sync_playwright

    from fer_demo.vision.images import open_image

    if not (args.page / "live.html").is_file():
        print(f"{args.page} holds no Live page; write one with `python -m fer_demo export --web {args.page}`.")
        return 1
    photo = open_image(args.photo) if args.photo else SAMPLES[0].load()[:280, 40:410]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clip = clips.write(Path(folder) / "clip.y4m", clips.moving(photo))
        shutil.copytree(args.page, Path(folder) / "cache" / "page")
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, f"--use-file-for-fake-video-capture={clip}"]
        )
        with serve(Path(folder), FER_DEMO_CACHE=str(Path(folder) / "cache")) as server:
            page = chromium.new_context(permissions=["camera"]).new_page()
            page.set_default_timeout(120_000)
            page.goto(f"{server.url}/live")
            page.locator("iframe[src*='live.html']").wait_for()
            frame = next(f for f in page.frames if "live.html" in f.url)
            frame.locator("#start:not([disabled])").click()
            names = frame.locator("#model option").all_inner_texts()
            speeds = [_measure(page, frame, number, name, args.seconds) for number, name in enumerate(names)]
        chromium.close()
    return int(speeds[0] < GOAL)


def _measure(page, frame, number: int, name: str, seconds: float) -> float:
    """Prints a model's figures, and returns its pictures a second."""
    frame.locator("#model").select_option(index=number)
    frame.locator("#about").get_by_text(name.split()[0]).wait_for()
    frame.locator("#people li").first.wait_for()
    page.wait_for_timeout(1500)
    before, samples, waited = frame.evaluate(f"[{COUNT}, performance.now()]"), [], 0.0
    while waited < 1000 * seconds:
        page.wait_for_timeout(1000)
        samples.append(json.loads(frame.evaluate("document.body.dataset.stats"))["times"])
        now = frame.evaluate(f"[{COUNT}, performance.now()]")
        waited = now[1] - before[1]
    speed = 1000 * (now[0] - before[0]) / waited
    stages = {stage: sorted(one[stage] for one in samples)[len(samples) // 2] for stage in samples[0]}
    told = ", ".join(f"{stage} {milliseconds:.1f}" for stage, milliseconds in stages.items())
    load = os.getloadavg()[0]
    print(f"{name}: {speed:.1f} pictures a second; ms (median): {told}; load {load:.1f} on {os.cpu_count()} cores")
    return speed
