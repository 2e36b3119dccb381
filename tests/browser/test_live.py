"""The live page with a camera that plays clips."""

import base64
import csv
import io
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_demo import Predictor
from fer_demo.vision.samples import SAMPLES
from tests import clips

from .conftest import ARGS, CHROMIUM, PATIENCE, ROOT

FASTEST = "fer_sedense_nano.photos_fer2013"


def face() -> np.ndarray:
    return SAMPLES[0].load()[:280, 40:410]


def distant(photo: np.ndarray) -> np.ndarray:
    """A face of 23 pixels when the clip is made: its photo with the border repeated around it."""
    height, width = photo.shape[:2]
    return np.pad(photo, ((3 * height, 3 * height), (3 * width, 3 * width), (0, 0)), "edge")


def turned(photo: np.ndarray) -> np.ndarray:
    """A narrower face whose nose lies near one eye, as in a head that is turned away."""
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    x = 181 + (x - 181) / 0.55  # its nose lies at 181, 127
    x += 48 * np.exp(-((x - 181) ** 2 + (y - 127) ** 2) / (2 * 28**2))
    return cv2.remap(photo, x.astype(np.float32), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


CLIPS = {
    "face": lambda: clips.moving(face()),
    "dark": lambda: clips.moving(face() // 8),
    "wall": lambda: [np.full((480, 640, 3), 150, np.uint8)] * 3,
    "night": lambda: [np.full((480, 640, 3), 5, np.uint8)] * 3,
    "far": lambda: clips.moving(distant(face())),
    "turned": lambda: clips.moving(turned(face())),
}


@pytest.fixture(scope="module")
def watching(browser, tmp_path_factory):
    """A function that starts a Chromium whose camera plays one of `CLIPS`; each is started once."""
    started = {}
    folder = tmp_path_factory.mktemp("clips")

    def start(name: str):
        if name not in started:
            file = clips.write(folder / f"{name}.y4m", CLIPS[name]())
            arguments = [*ARGS, f"--use-file-for-fake-video-capture={file}"]
            started[name] = browser.browser_type.launch(executable_path=CHROMIUM, args=arguments)
        return started[name]

    yield start
    for one in started.values():
        one.close()


@contextmanager
def live(watching, address: str, clip: str, **options) -> Iterator:
    """The page with its camera on; it talks to its own folder alone, and complains of nothing."""
    context = watching(clip).new_context(permissions=["camera"], **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    requests, problems = [], []
    page.on("request", lambda request: requests.append((request.method, request.url)))
    page.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{address}live.html")
    page.locator("#start:not([disabled])").wait_for()
    page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            window.given = [];
            navigator.mediaDevices.getUserMedia = async (wish) => {
                const stream = await ask(wish);
                window.given.push(...stream.getTracks());
                return stream;
            };
        }"""
    )
    page.locator("#start").click()
    yield page
    assert all(method == "GET" and url.startswith((address, "blob:", "data:")) for method, url in requests)
    assert not problems
    context.close()


def answered(page) -> int:
    return int(page.evaluate("document.body.dataset.answered ?? 0"))


def more(page, count: int = 5) -> None:
    """Waits for so many more answers."""
    goal = answered(page) + count
    page.wait_for_function("goal => Number(document.body.dataset.answered) >= goal", arg=goal)


def test_a_face_has_a_card_whose_bars_move_and_a_chart(watching, address):
    with live(watching, address, "face") as page:
        page.get_by_text("1 face, read well.").wait_for()
        card = page.locator("#people li")
        assert card.count() == 1 and "looks happy" in card.inner_text()
        before = card.get_attribute("data-smooth")
        bar = page.locator("#people .bar i").nth(3)
        width = bar.evaluate("e => e.style.transform")
        deadline = time.monotonic() + 30
        while card.get_attribute("data-smooth") == before or bar.evaluate("e => e.style.transform") == width:
            assert time.monotonic() < deadline
            more(page, 1)
        assert sum(json.loads(card.get_attribute("data-smooth"))) == pytest.approx(1, abs=0.01)
        assert page.locator("#people canvas").get_attribute("aria-label").startswith("Person 1: happy, ")
        drawn = (
            "c => new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer).some((v) => v)"
        )
        assert page.locator("#overlay").evaluate(drawn) and page.locator("#people canvas").evaluate(drawn)
        assert page.locator("#video").evaluate("v => v.classList.contains('mirrored')")


def test_what_keeps_a_face_from_being_read_is_said(watching, address):
    for clip, words in {
        "dark": "Too dark: turn",
        "far": "Too far away: come closer.",
        "turned": "Turned away: look at the camera.",
        "wall": "No face in view: look at the camera.",
        "night": "Too dark: turn on a light.",
    }.items():
        with live(watching, address, clip) as page:
            page.locator("#status").get_by_text(words).wait_for()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["too_small"], "Too far away: come closer."),
        (["turned_away"], "Turned away: look at the camera."),
        ([], "1 face, read well."),
    ],
)
def test_every_state_has_its_sentence(page_of_modules, flags, words):
    said = page_of_modules.evaluate(
        """async (flags) => {
            const { state } = await import("./live-people.js");
            return state([{ quality: { flags } }], 100);
        }""",
        flags,
    )
    assert said == words


@pytest.fixture
def page_of_modules(browser, address):
    """A page beside the modules, on which none of them runs yet."""
    page = browser.new_page()
    page.goto(f"{address}model.json")
    yield page
    page.close()


def test_a_recording_is_a_csv_and_a_snapshot_a_picture(watching, address):
    with live(watching, address, "face") as page:
        page.get_by_text("1 face, read well.").wait_for()
        page.locator("#record").click()
        more(page, 6)
        with page.expect_download() as download:
            page.locator("#record").click()
        assert download.value.suggested_filename.endswith(".csv")
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
        assert len(rows) >= 5 and {row["person"] for row in rows} == {"1"}
        assert [row["shown"] for row in rows] == ["happy"] * len(rows)
        assert all(sum(float(row[label]) for label in list(row)[4:11]) == pytest.approx(1, abs=0.002) for row in rows)
        seconds = [float(row["seconds"]) for row in rows]
        assert seconds[0] == 0 and seconds == sorted(seconds)
        with page.expect_download() as download:
            page.locator("#snapshot").click()
        assert Image.open(download.value.path()).size == (640, 480)


def test_a_hidden_tab_pauses_and_stopping_closes_the_camera(watching, address):
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with live(watching, address, "face") as page:
        more(page)
        page.evaluate(hide, True)
        page.get_by_text("Paused: this tab is hidden.").wait_for()
        page.wait_for_timeout(300)
        before = answered(page)
        assert page.evaluate("given.map((track) => track.enabled)") == [False]
        page.wait_for_timeout(700)
        assert answered(page) == before
        page.evaluate(hide, False)
        more(page)
        page.locator("#stop").click()
        assert page.evaluate("given.map((track) => track.readyState)") == ["ended"]
        page.get_by_text("The camera is off.").wait_for()
        assert page.locator("#people li").count() == 0


def test_another_model_and_where_it_looks(watching, address):
    with live(watching, address, "face") as page:
        more(page)
        assert page.locator("#model option").first.inner_text() == f"{FASTEST} (fastest)"
        page.locator("#map").check()
        more(page)
        page.locator("#model").select_option(index=1)
        page.locator("#about").get_by_text(page.locator("#model option").nth(1).inner_text()).wait_for()
        more(page)
        page.get_by_text("1 face, read well.").wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_nothing_sticks_out(watching, address, width, scheme):
    viewport = {"width": width, "height": 844}
    with live(watching, address, "face", viewport=viewport, color_scheme=scheme) as page:
        page.get_by_text("1 face, read well.").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


STEP = """async ([name, pixels, seconds]) => {
    if (!window.follower) {
        const [{ Reader }, { Follower }] = [await import("./reader.js"), await import("./live-follow.js")];
        const { models, ...shared } = await (await fetch("model.json")).json();
        const model = models.find((one) => one.name === name);
        window.follower = new Follower(await Reader.load({ ...shared, ...model }, 1));
    }
    const rgb = Uint8Array.from(atob(pixels), (c) => c.charCodeAt(0));
    const picture = new ImageData(640, 480);
    picture.data.forEach((_, i, data) => (data[i] = i % 4 < 3 ? rgb[3 * (i >> 2) + (i % 4)] : 255));
    const { reduce } = await import("./geometry.js");
    const people = await window.follower.step(picture, reduce(picture, 320, 240), 0.5, seconds);
    return people.map(({ id, box, probabilities }) => ({ id, box, probabilities }));
}"""


def test_people_who_are_followed_get_the_answers_of_python(page_of_modules):
    """From picture to picture, with nobody in between for a second: the same number, box and answer."""
    predictor, nobody = Predictor(FASTEST), np.full((480, 640, 3), 150, np.uint8)
    frames = clips.moving(face())[:20]
    for n, frame in enumerate([*frames[:10], *[nobody] * 10, *frames[10:]]):
        content = base64.b64encode(frame.tobytes()).decode()
        found = page_of_modules.evaluate(STEP, [FASTEST, content, n / 10])
        if frame is nobody:
            assert found == []
            continue
        (one,), (other,) = found, predictor.predict(frame)
        assert one["id"] == 1
        # The height is the least steady: Python's own moves by up to a tenth if the picture is halved before.
        assert np.allclose(list(one["box"].values()), other.box, atol=0.1 * max(other.box[2:]))
        assert np.allclose(one["probabilities"], list(other.probabilities.values()), atol=0.02)


@pytest.fixture(scope="module")
def app_with_page(exported, serve_app, tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("app")
    shutil.copytree(exported, folder / "cache" / "page")
    with serve_app(ROOT, folder) as url:
        yield url


def test_leaving_the_page_of_the_app_closes_the_camera(watching, app_with_page):
    context = watching("face").new_context(permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(
        """const stop = MediaStreamTrack.prototype.stop;
        MediaStreamTrack.prototype.stop = function () { window.top.closed_cameras = true; return stop.call(this); };"""
    )
    page.goto(f"{app_with_page}/live")
    page.get_by_text("no picture leaves this device").first.wait_for()
    frame = page.frame_locator("iframe[src*='live.html']")
    frame.locator("#start:not([disabled])").click()
    frame.get_by_text("1 face, read well.").wait_for()
    assert not page.evaluate("window.closed_cameras")
    page.get_by_role("link", name="API").click()
    page.get_by_text("Ask it from a program").wait_for()
    deadline = time.monotonic() + 30
    while not page.evaluate("window.closed_cameras === true"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)
    context.close()


def test_without_an_exported_page_pictures_go_to_the_server(watching, app_url):
    context = watching("face").new_context(permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    hosts, beats, refused = set(), [], []
    page.on("request", lambda r: hosts.add(r.url.split("/")[2]) if r.url.startswith("http") else None)
    page.on("request", lambda r: beats.append(r.url) if "/heartbeat/" in r.url else None)
    # Streamlit itself asks below the page's own path first, which answers 404.
    page.on("response", lambda r: refused.append(r.url) if r.status >= 400 and "/camera/" in r.url else None)
    page.goto(f"{app_url}/live")
    page.get_by_text("sent to this server").wait_for()
    frame = page.frame_locator("iframe[src*='/camera/']")
    frame.get_by_text("Click to Access Webcam").click()
    frame.get_by_role("button", name="capture photo").click()
    frame.get_by_text("1: looks happy").wait_for()
    assert frame.locator("#answer .bar").count() == 7
    assert hosts == {app_url.split("/")[2]}
    page.wait_for_timeout(4000)  # a browser asks again for a stream that it misses after three seconds
    assert len(beats) == 1 and not refused
    context.close()
