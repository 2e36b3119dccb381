"""The exported page in a real browser: the same answers as here, and nothing leaves the machine."""

import base64
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

pytest.importorskip("starlette", reason="the app extra is not installed")
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from fer_demo import ModelError, Predictor
from fer_demo.__main__ import main
from fer_demo.export.web import export_web
from fer_demo.vision.align import FINENESS, TEMPLATE
from fer_demo.vision.quality import crop_quality
from fer_demo.vision.samples import SAMPLES
from fer_demo.web.browser_page import ADDRESS, BrowserPage
from fer_demo.web.guard import Guard, Hosts
from fer_demo.wording import candidates, describe

NAME = "fer_sedense_s2.tune_fer2013"
"""What the fixture `exported` exports."""

CLOSE = 0.02
"""By how much probabilities may differ: the network's sums are added in another order, and so are the detector's."""

EXACT = int(cv2.__version__.split(".")[0]) >= 5
"""Whether OpenCV interpolates at the very place, as the page does; before 5.0 it rounded places to 1/32 pixel."""


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return Predictor(NAME)


@pytest.fixture(scope="session")
def beside_the_app(exported) -> Iterator[str]:
    """The page behind the headers that the app sends, under the app's path for it."""
    uvicorn = pytest.importorskip("uvicorn", reason="the app extra is not installed")
    guard = Middleware(Guard, hosts=Hosts.of_server("127.0.0.1"), isolated=(ADDRESS,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_DEMO_CACHE", str(exported.parent))
        app = Starlette(routes=[Mount(ADDRESS.rstrip("/"), app=BrowserPage())], middleware=[guard])
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}{ADDRESS}"
    server.should_exit = True
    thread.join(20)


@contextmanager
def opened(browser, address, **options):
    """The page in a session of its own, whose requests and problems are looked at in the end."""
    context = browser.new_context(permissions=["camera"], **options)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.requests, page.problems = [], []
    page.on("request", lambda request: page.requests.append((request.method, request.url)))
    page.on("console", lambda m: page.problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    assert all(method == "GET" and url.startswith((address, "blob:", "data:")) for method, url in page.requests)
    assert not page.problems
    context.close()


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        page.goto(address)
        page.get_by_text("Add a photo.", exact=True).wait_for()
        yield page


def answers(page) -> list[dict]:
    return [
        {
            key: json.loads(item.get_attribute(f"data-{key}"))
            for key in ("probabilities", "box", "candidates", "quality")
        }
        | {"label": item.get_attribute("data-label"), "sentence": item.locator("strong").inner_text()}
        for item in page.locator("#answers li").all()
    ]


def test_the_same_answers_as_in_python(page, tmp_path):
    # Two faces, of which one is turned as no detector of upright faces finds it.
    hopper = np.asarray(Image.fromarray(SAMPLES[1].load()[:512]).rotate(35, fillcolor=(128, 128, 128)))
    both = np.concatenate([SAMPLES[0].load(), hopper], axis=1)
    Image.fromarray(both).save(tmp_path / "both.png")
    before = len(page.requests)
    page.locator("#file").set_input_files(tmp_path / "both.png")
    page.get_by_text("2 faces found.").wait_for()
    assert [url for _, url in page.requests[before:] if not url.startswith(("blob:", "data:"))] == []
    found, expected = answers(page), Predictor(NAME).predict(both)
    assert len(found) == len(expected) == 2
    for one in found:
        other = min(expected, key=lambda f: abs(f.box[0] - one["box"]["x"]))
        assert np.allclose(list(one["box"].values()), other.box, atol=0.05 * other.box[2])
        assert one["label"] == other.label
        assert np.allclose(one["probabilities"], list(other.probabilities.values()), atol=CLOSE)
        # The rule and the words are the same, whatever the last digits of the probabilities are.
        own = dict(zip(other.probabilities, one["probabilities"], strict=True))
        names = candidates(own, Predictor(NAME).set_threshold)
        assert tuple(one["candidates"]) == names and one["sentence"] == describe(own, names)
        assert one["quality"]["flags"] == list(other.flags) and one["quality"]["readable"]
        for measure in ("inside", "face_size", "light", "contrast"):
            assert one["quality"][measure] == pytest.approx(getattr(other.quality, measure), rel=0.05), measure


def rows(page) -> list[dict]:
    """The answers of the photo that was added last, once they are there."""
    page.locator("#status:has-text('found.')").wait_for()
    return answers(page)


def check_the_same(page, predictor, photo) -> None:
    """The page finds the faces that Python finds, numbers them alike, and answers alike."""
    expected = predictor.predict(photo)
    page.locator("#file").set_input_files(photo)
    found = rows(page)
    assert len(found) == len(expected), photo.name
    for one, other in zip(found, expected, strict=True):
        # The same face under the same number: neighbours are further away.
        assert np.allclose(list(one["box"].values()), other.box, atol=0.1 * other.box[2]), photo.name
        assert np.allclose(one["probabilities"], list(other.probabilities.values()), atol=CLOSE), photo.name


def photographs() -> list[Path]:
    folder = os.environ.get("FER_PHOTOS_DIR")
    known = {".jpg", ".jpeg", ".png", ".webp"}
    return sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in known) if folder else []


@pytest.fixture(params=[pytest.param(False, id="some"), pytest.param(True, id="all", marks=pytest.mark.slow)])
def photos(request) -> list[Path]:
    """FER_PHOTOS_DIR's photographs; without the mark slow two that have a colour profile, and one that has none."""
    if not (found := photographs()):
        pytest.skip("FER_PHOTOS_DIR names no folder of photographs")
    if request.param:
        return found
    profiled = [photo for photo in found if Image.open(photo).info.get("icc_profile")]
    return [*profiled[:2], *[photo for photo in found if photo not in profiled][:1]]


def test_photographs_are_answered_as_in_python(browser, address, predictor, photos):
    for photo in photos:
        with opened(browser, address) as page:
            page.goto(address)
            check_the_same(page, predictor, photo)


def test_samples_lie_beside_the_page_and_are_answered_as_in_python(page, exported, predictor):
    assert page.locator("#samples button").count() == len(SAMPLES)
    for sample in SAMPLES:
        there = predictor.predict(sample.load())
        assert len(there) == len(sample.shows)

        def agree(there=there) -> bool:
            here = answers(page)
            return len(here) == len(there) and all(
                np.allclose(one["probabilities"], list(other.probabilities.values()), atol=CLOSE)
                and _same_candidates(one, other, predictor.set_threshold)
                for one, other in zip(here, there, strict=True)
            )

        page.get_by_role("button", name=sample.title).first.click()
        if not sample.shows:
            page.get_by_text("No face was found").first.wait_for()
        deadline = time.monotonic() + 60
        while not agree():  # the answers of the one before stand there until these come
            assert time.monotonic() < deadline, sample.title
            page.wait_for_timeout(100)


def _same_candidates(one, other, threshold) -> bool:
    """Whether the page names the classes that Python names, but for those that are as likely as the threshold.

    On "Angry, drawn" the class "sad" has 0.0846 in Python, 0.0818 on the page, and 0.084 is the threshold.
    """
    near = {label for label, p in other.probabilities.items() if abs(p - threshold) < CLOSE}
    return set(one["candidates"]) - near == set(other.candidates) - near


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_photos_on_their_heads_or_sides_are_read_as_in_python(page, predictor, tmp_path, quarters):
    # Smaller, since all turns of all turns are looked at.
    turned = np.rot90(np.asarray(Image.fromarray(SAMPLES[0].load()).resize((320, 320))), quarters)
    Image.fromarray(turned).save(tmp_path / "turned.png")
    assert len(predictor.predict(tmp_path / "turned.png")) == 1
    check_the_same(page, predictor, tmp_path / "turned.png")


def test_a_colour_profile_is_ignored_as_in_python(page, tmp_path):
    """Files state their own pixels; a profile that swaps red and blue must not change what is read."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "profile.png", icc_profile=bytes(profile))
    page.locator("#file").set_input_files(tmp_path / "profile.png")
    page.get_by_text("No face was found.").wait_for()
    shown = page.evaluate(
        """() => {
            const canvas = document.getElementById("picture");
            return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
        }"""
    )
    assert np.array_equal(np.reshape(shown, (40, 50, 4))[..., :3], picture)


def test_pictures_are_warped_as_opencv_does(page):
    """Enlarged copies, turned ones with grey around them, and second looks."""
    from fer_demo.vision.align import warp

    picture = np.random.default_rng(2).integers(0, 256, (50, 60, 3), np.uint8)
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    turn = cv2.getRotationMatrix2D((30, 25), 35, 1.0) + np.array([[0, 0, 10], [0, 0, 15]])
    look = np.array([[0.5, 0.2, -3.0], [-0.2, 0.5, 9.0]])
    centred = turn + np.column_stack([np.zeros((2, 2)), 0.5 - 0.5 * turn[:, :2].sum(axis=1)])
    found = page.evaluate(
        """async ([values, turn, look]) => {
            const { draw, warp } = await import("./geometry.js");
            const picture = { data: Uint8ClampedArray.from(values), width: 60, height: 50 };
            const larger = draw(picture, [192 / 60, 0, 0, 0, 160 / 50, 0], 192, 160, { cubic: true });
            const turned = draw(picture, turn, 80, 80, { outside: 110 });
            const { detection } = await (await fetch("model.json")).json();
            return [larger, turned, warp(picture, look, 40, detection)].map(({ data }) => [...data]);
        }""",
        [rgba.ravel().tolist(), centred.ravel().tolist(), look.ravel().tolist()],
    )
    expected = [
        cv2.resize(picture, (192, 160), interpolation=cv2.INTER_CUBIC),
        cv2.warpAffine(picture, turn, (80, 80), flags=cv2.INTER_LINEAR, borderValue=(110, 110, 110)),
        warp(picture, look, 40),
    ]
    for one, other in zip(found, expected, strict=True):
        difference = np.abs(np.reshape(one, (*other.shape[:2], 4))[..., :3] - other.astype(int))
        assert difference.mean() < (0.01 if EXACT else 1.5) and difference.max() <= (1 if EXACT else 12)


@pytest.mark.parametrize(("width", "height"), [(60, 50), (333, 217), (700, 500), (1403, 1001), (3001, 260)])
def test_reduced_copies_have_the_pixels_that_they_have_here(page, width, height):
    """Halved and then interpolated in whole numbers, as OpenCV does it; the very same but where they are enlarged."""
    from fer_demo.vision.copies import copies

    picture = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    found = page.evaluate(
        """async ([content, width, height]) => {
            const { copies } = await import("./copies.js");
            const { detection } = await (await fetch("model.json")).json();
            const data = Uint8ClampedArray.from(atob(content), (c) => c.charCodeAt(0));
            const made = copies({ data, width, height }, detection);
            return made.map(([{ data, width, height }, scale]) => [[...data], width, height, scale]);
        }""",
        [base64.b64encode(rgba.tobytes()).decode(), width, height],
    )
    for (values, across, down, scale), (copy, expected) in zip(found, copies(picture), strict=True):
        assert scale == expected
        difference = np.abs(np.reshape(values, (down, across, 4))[..., :3] - copy.astype(int))
        assert difference.max() <= (scale > 1)


def test_very_large_photos_are_read_at_a_fraction(page):
    """As `open_reduced` does it: whole-number fractions, whatever is left at the border averaged by itself."""
    from fer_demo.vision.decoding import decode

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (71, 103, 3), np.uint8))
    found = page.evaluate(
        """async ([values, most]) => {
            const { pixels } = await import("./files.js");
            const canvas = new OffscreenCanvas(103, 71);
            const at = (i) => (i % 4 < 3 ? values[3 * (i >> 2) + (i % 4)] : 255);
            const rgba = Uint8ClampedArray.from({ length: 4 * 103 * 71 }, (_, i) => at(i));
            canvas.getContext("2d").putImageData(new ImageData(rgba, 103, 71), 0, 0);
            const { data, width, height, scale } = pixels(canvas, 103, 71, most);
            return [[...data], width, height, scale];
        }""",
        [np.asarray(picture).ravel().tolist(), 1000],
    )
    expected = decode(picture, "picture", max_pixels=1000)
    assert found[1:] == [expected.pixels.shape[1], expected.pixels.shape[0], list(expected.scale)]
    difference = np.reshape(found[0], (found[2], found[1], 4))[..., :3] - expected.pixels.astype(int)
    assert np.abs(difference).max() <= 1


def test_a_photo_that_comes_while_the_network_loads_is_next(browser, address, tmp_path):
    Image.fromarray(SAMPLES[0].load()).save(tmp_path / "face.png")
    with opened(browser, address) as page:
        waiting = []

        def hold(route):
            waiting.append(route)

        page.route("**/model.onnx", hold)
        page.goto(address)
        page.locator("#samples button").first.wait_for()
        page.locator("#file").set_input_files(tmp_path / "face.png")
        page.get_by_text("Loading the network …, your photo is next.").wait_for()
        while not waiting:
            page.wait_for_timeout(20)
        waiting[0].continue_()
        assert len(rows(page)) == 1


def test_a_network_that_does_not_load(browser, address, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/model.onnx", lambda route: route.fulfill(status=404))
    page.goto(address)
    page.get_by_text("The network could not be loaded (model.onnx: 404)").wait_for()
    context.close()


def test_several_photos_are_answered_one_after_the_other(page, tmp_path):
    face, nobody, note = tmp_path / "face.png", tmp_path / "nobody.png", tmp_path / "note.pdf"
    Image.fromarray(SAMPLES[0].load()).save(face)
    Image.fromarray(np.full((90, 120), 200, np.uint8)).save(nobody)
    note.write_bytes(b"%PDF-1.7")
    page.locator("#file").set_input_files([face, nobody, note])
    page.get_by_text("3 photos: 2 read, 1 could not be opened.").wait_for()
    page.locator("#status").get_by_text("face.png: 1 face found.").wait_for()
    assert len(answers(page)) == 1
    page.get_by_role("button", name="nobody.png").click()
    page.locator("#status").get_by_text("nobody.png: No face was found.").wait_for()
    assert not answers(page)
    page.get_by_role("button", name="note.pdf").press("Enter")
    page.locator("#status").get_by_text("note.pdf is a PDF document; take a screenshot").wait_for()
    assert page.locator("#picture").is_hidden()
    page.get_by_role("button", name="face.png").press("Enter")
    page.locator("#status").get_by_text("face.png: 1 face found.").wait_for()
    assert len(answers(page)) == 1


UNOPENED = {
    "a.heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC photo"),
    "b.jpg": (b"\0\0\0\x18ftypmif1\0\0\0\0", "is a HEIC photo"),  # as phones name them when they are sent
    "c.tif": (b"II*\0\x08\0\0\0", "is a TIFF picture"),
    "d.nef": (b"MM\0*\0\0\0\x08", "is a camera's raw file"),
    "e.pdf": (b"%PDF-1.7", "is a PDF document"),
    "f.mp4": (b"\0\0\0\x18ftypisom\0\0\0\0", "is a video"),
    "g.webm": (b"\x1aE\xdf\xa3", "is a video"),
    "h.mp3": (b"ID3\x03", "is a sound recording"),
    "i.psd": (b"8BPS", "is a Photoshop file"),
    "j.jp2": (b"\0\0\0\x0cjP  \r\n", "is a JPEG 2000 picture"),
    "k.jxl": (b"\xff\x0a\0", "is a JPEG XL picture"),
    "l.docx": (b"PK\x03\x04", "is an archive or an office document"),
    "m.png": (b"", "is empty (0 bytes)"),
    "n.jpg": (b"\xff\xd8\xff\xe0 and no more", "is damaged or cut off"),
    "o.txt": (b"a text", "is no picture that this browser can open"),
}


def test_kinds_that_no_browser_decodes_get_a_sentence_each(page, tmp_path):
    for name, (content, _) in UNOPENED.items():
        (tmp_path / name).write_bytes(content)
    page.locator("#file").set_input_files([tmp_path / name for name in UNOPENED])
    page.get_by_text(f"{len(UNOPENED)} photos: 0 read, {len(UNOPENED)} could not be opened.").wait_for()
    for (name, (_, words)), line in zip(UNOPENED.items(), page.locator("#photos li").all_inner_texts(), strict=True):
        assert line.startswith(f"{name} {words}") and line.endswith("."), line


def test_drop_and_paste_anywhere(page, tmp_path):
    """What is no file is answered too."""
    send = """([type, files, text]) => {
        const data = new DataTransfer();
        for (const [name, base64] of files) {
            data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
        }
        if (text) data.setData("text/plain", text);
        const options = { bubbles: true, cancelable: true };
        const event = type === "drop" ? new DragEvent(type, { ...options, dataTransfer: data })
            : new ClipboardEvent(type, { ...options, clipboardData: data });
        document.querySelector("h1").dispatchEvent(event);
    }"""
    Image.fromarray(SAMPLES[0].load()).save(tmp_path / "face.png")
    face = base64.b64encode((tmp_path / "face.png").read_bytes()).decode()
    for kind, words in (("drop", "What was dropped is no file"), ("paste", "The clipboard holds no photo")):
        page.evaluate(send, [kind, [], "a text"])
        page.get_by_text(words).wait_for()
        page.evaluate(send, [kind, [[f"{kind}.png", face]], ""])
        page.locator(f"#status:text-matches('^({kind}.png: )?1 face found')").wait_for()
        assert len(answers(page)) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_a_keyboard_and_a_screen_reader(browser, address, tmp_path, scheme):
    with opened(browser, address, viewport={"width": 390, "height": 800}, color_scheme=scheme) as page:
        page.goto(address)
        page.get_by_text("Add a photo.", exact=True).wait_for()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "file"
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline == "3px"
        page.keyboard.press("Enter")  # the first sample
        rows(page)
        status = page.get_by_role("status").first
        assert "1 face found. It looks happy" in status.text_content()
        page.locator("#file").set_input_files(_unopened(tmp_path, "long_name" * 20 + ".tif"))
        page.get_by_text("is a TIFF picture").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name=SAMPLES[0].title).last.press("Enter")
        rows(page)
        assert not _faint(page)


def _unopened(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(b"II*\0\x08\0\0\0")
    return folder / name


def _faint(page) -> list:
    """Texts whose contrast with the page is below 4.5 to 1."""
    return page.evaluate(
        """() => {
            const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            const dark = matchMedia("(prefers-color-scheme: dark)").matches;
            const light = (color) => {
                canvas.fillStyle = dark ? "#121212" : "#ffffff";
                canvas.fillRect(0, 0, 1, 1);
                canvas.fillStyle = color;
                canvas.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
                    return value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
            };
            return [...document.querySelectorAll("main *")].filter((element) => {
                const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
                const [a, b] = [light(getComputedStyle(element).color), light("transparent")];
                return own && element.checkVisibility() && Math.max(a, b) / Math.min(a, b) < 4.5;
            }).map((element) => element.outerHTML.slice(0, 100));
        }"""
    )


def test_behind_the_headers_of_the_app(browser, beside_the_app, predictor, tmp_path):
    """Its policy, and cut off from other pages, for which the browser lends threads; the way back leads to the app."""
    Image.fromarray(SAMPLES[0].load()).save(tmp_path / "face.png")
    with opened(browser, beside_the_app) as page:
        answer = page.goto(beside_the_app)
        assert "worker-src 'self' blob:" in answer.headers["content-security-policy"]
        page.get_by_text("Add a photo.", exact=True).wait_for()
        assert page.evaluate("crossOriginIsolated")
        threads = "async () => (await import('./ort/ort.wasm.min.mjs')).env.wasm.numThreads"
        assert page.evaluate(threads) == min(4, page.evaluate("navigator.hardwareConcurrency"))
        check_the_same(page, predictor, tmp_path / "face.png")
        link = page.get_by_text("Back to the app")
        assert link.is_visible() and link.evaluate("a => a.href") == beside_the_app.removesuffix("browser/")


def test_elsewhere_there_is_no_way_back(page):
    assert page.get_by_text("Back to the app").is_hidden()


def test_what_cannot_be_read_and_what_may_be_several(page, tmp_path):
    blurred = Image.fromarray(SAMPLES[0].load()[:300, 50:400]).filter(ImageFilter.GaussianBlur(8))
    blurred.save(tmp_path / "blurred.png")
    page.locator("#file").set_input_files(tmp_path / "blurred.png")
    page.get_by_text("1 face found.").wait_for()
    (one,) = answers(page)
    assert one["sentence"] == "can't tell: blurred" and not one["quality"]["readable"]
    assert page.locator("#answers dt.pale").count() == 7
    said = page.evaluate(
        """async () => {
            const model = await (await fetch("model.json")).json();
            const { candidates, describe } = await import("./words.js");
            const several = [[0.3, 0.02, 0.08, 0.01, 0.35, 0.04, 0.2], [0, 0, 0, 0.6, 0, 0.4, 0]];
            return [...several, [0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05]]
                .map((p) => describe(p, candidates(p, model), { flags: [], readable: true }, model));
        }"""
    )
    expected = [
        "can't tell: could be sad, angry or neutral",
        "looks happy (60\N{NO-BREAK SPACE}%), maybe surprised",
        "looks happy (70\N{NO-BREAK SPACE}%)",
    ]
    assert said == expected


def test_crops_are_measured_alike(page):
    """The same pixels and landmarks give the same measures, flags and refusals as in Python."""
    generator = np.random.default_rng(0)
    crop = Predictor(NAME).predict(SAMPLES[0].load())[0].crop
    for size, damage in ((48, lambda a: a), (48, lambda a: a // 12), (100, lambda a: a), (48, lambda a: a * 0)):
        pixels = damage(np.asarray(Image.fromarray(crop).resize((size, size))))
        landmarks = TEMPLATE * 90 + (-20, 15) + generator.normal(0, 4, (5, 2))
        found = page.evaluate(
            """async ([pixels, size, landmarks]) => {
                const model = await (await fetch("model.json")).json();
                const { cropQuality } = await import("./quality.js");
                const { similarity } = await import("./geometry.js");
                const target = model.detection.template.map(([x, y]) => [x * size, y * size]);
                const frame = { width: 120, height: 90 };
                return cropQuality(pixels, size, similarity(landmarks, target), landmarks, frame, model);
            }""",
            [pixels.ravel().tolist(), size, landmarks.tolist()],
        )
        expected = crop_quality(pixels, box=(0, 0, 1, 1), landmarks=landmarks.astype(np.float32), picture=(90, 120))
        assert (found["flags"], found["readable"]) == (list(expected.flags), expected.readable)
        assert found["yaw"] == pytest.approx(abs(expected.yaw), abs=0.1)
        for measure in ("inside", "face_size", "sharpness", "noise", "light", "contrast", "landmark_error"):
            assert found[measure] == pytest.approx(getattr(expected, measure), rel=0.02, abs=0.004), measure


def test_large_photos(page, tmp_path):
    """A small face in a photo of many megapixels is cut out of all its pixels, and so is one that fills it."""
    astronaut = SAMPLES[0].load()
    group = np.full((3000, 4000, 3), (90, 110, 130), np.uint8)
    group[1500:2012, 2400:2912] = astronaut  # the face is 15 of the 640 pixels in which it is looked for
    close = np.asarray(Image.fromarray(astronaut[:280, 80:360]).resize((2800, 2800), Image.Resampling.BICUBIC))
    for name, picture in (("group", group), ("close", close)):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        (expected,) = Predictor(NAME).predict(picture)
        page.locator("#file").set_input_files(tmp_path / f"{name}.png")
        page.wait_for_function("w => document.getElementById('picture').width === w", arg=picture.shape[1])
        page.get_by_text("1 face found.").wait_for()
        (one,) = answers(page)
        assert np.allclose(list(one["box"].values()), expected.box, atol=0.03 * expected.box[2]), name
        assert np.allclose(one["probabilities"], list(expected.probabilities.values()), atol=CLOSE), name


@pytest.mark.parametrize("factor", [1, 2, 3, 10])
def test_areas_are_averaged_as_opencv_does(page, factor):
    """Fractions of pixels, and whole-number reductions, which OpenCV rounds in other ways."""
    width, height = (20, 11) if factor == 1 else (20 * factor, 11 * factor)
    shape = (37, 53, 3) if factor == 1 else (height, width, 3)
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    found = page.evaluate(
        """async ([values, width, height]) => {
            const { reduce } = await import("./geometry.js");
            return [...reduce({ data: Uint8ClampedArray.from(values), width, height }, 20, 11).data];
        }""",
        [rgba.ravel().tolist(), shape[1], shape[0]],
    )
    expected = cv2.resize(picture, (20, 11), interpolation=cv2.INTER_AREA)
    difference = np.abs(np.reshape(found, (11, 20, 4))[..., :3] - expected.astype(int))
    assert difference.max() <= 1 and difference.mean() < 0.01


def test_a_face_is_cut_out_without_touching_the_rest_of_the_photo(page):
    """Values that are read from a photo of 12 megapixels for a crop, up to and over the strongest plain reduction."""
    read = page.evaluate(
        """async (sides) => {
            const { crop, squareMatrix } = await import("./geometry.js");
            const { detection } = await (await fetch("model.json")).json();
            const [width, height] = [4000, 3000];
            const pixels = new Uint8ClampedArray(4 * width * height);
            let count = 0;
            const part = (...at) => { const values = pixels.subarray(...at); count += values.length; return values; };
            const data = new Proxy(pixels, {
                get: (target, key) => {
                    if (key === "subarray") return part;
                    count += typeof key === "string" && /^\\d+$/.test(key); // one value
                    return target[key];
                },
            });
            return sides.map((side) => {
                count = 0;
                const matrix = squareMatrix({x: 1000.3, y: 900.6, width: side, height: side}, 48);
                crop({data, width, height}, matrix, 48, detection);
                return count;
            });
        }""",
        [48, 200, 384, 500],
    )
    # Each pixel's four values once, with a border of two pixels, and two more of a picture that is averaged before.
    for side, count in zip([48, 200, 384, 500], read, strict=True):
        border = 3 + 2 * int(side / 48 / FINENESS)
        assert 4 * side**2 <= count <= 4 * (side + 2 * border) ** 2 < 4 * 4000 * 3000 / 10


@pytest.mark.parametrize("box", [(20.3, 10.6, 40, 40), (-9.5, 30.2, 61.7, 61.7), (3.1, -20.0, 250.0, 250.0)])
def test_crops_have_the_pixels_that_they_have_here(page, box):
    """Bicubic interpolation, averaging and the repeated border as in `square_crop`, on the worst picture: noise."""
    from fer_demo.vision.align import square_crop

    picture = np.random.default_rng(1).integers(0, 256, (90, 110, 3), np.uint8)
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    found = page.evaluate(
        """async ([values, [x, y, width, height]]) => {
            const { crop, squareMatrix } = await import("./geometry.js");
            const { detection } = await (await fetch("model.json")).json();
            const data = Uint8ClampedArray.from(values);
            return [...crop({data, width: 110, height: 90}, squareMatrix({x, y, width, height}, 48), 48, detection)];
        }""",
        [rgba.ravel().tolist(), list(box)],
    )
    difference = np.abs(np.reshape(found, (48, 48)) - square_crop(picture, box).astype(int))
    assert difference.mean() < (0.01 if EXACT else 1.5) and difference.max() <= (1 if EXACT else 12)


def test_the_last_wish_counts(page, tmp_path):
    """Two photos in a row, and a second click while the browser asks for the camera."""
    Image.fromarray(SAMPLES[0].load()).save(tmp_path / "face.png")
    Image.fromarray(np.full((90, 120), 200, np.uint8)).save(tmp_path / "nobody.png")
    page.locator("#file").set_input_files(tmp_path / "face.png")
    page.locator("#file").set_input_files(tmp_path / "nobody.png")
    page.get_by_text("No face was found.").wait_for()
    page.evaluate(
        """() => {
            window.given = [];
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wish) => {
                await new Promise((resolve) => setTimeout(resolve, 500));
                const stream = await ask(wish);
                window.given.push(stream);
                return stream;
            };
            document.getElementById("camera").click();
            document.getElementById("camera").click();
        }"""
    )
    page.get_by_text("pictures a second").wait_for()
    page.get_by_text("Stop the camera").click()
    states = page.evaluate("window.given.flatMap((s) => s.getTracks().map((t) => t.readyState))")
    assert states == ["ended", "ended"] and page.locator("#answers li").count() == 0


def test_the_whole_picture(page, tmp_path):
    crop = Predictor(NAME).predict(SAMPLES[0].load())[0].crop
    Image.fromarray(crop).save(tmp_path / "crop.png")
    Image.fromarray(np.full((90, 120), 200, np.uint8)).save(tmp_path / "nobody.png")
    page.locator("#file").set_input_files(tmp_path / "nobody.png")
    page.get_by_text("No face was found.").wait_for()
    page.get_by_text("Take the whole picture as one face").click()
    page.get_by_text("The whole picture was taken as one face.").wait_for()
    assert len(answers(page)) == 1


def test_the_very_same_pixels_have_the_very_same_answer(page, tmp_path):
    crop = Predictor(NAME).predict(SAMPLES[0].load())[0].crop
    found = page.evaluate(
        """async (grey) => {
            const { crop, squareMatrix } = await import("./geometry.js");
            const data = Uint8ClampedArray.from({length: 4 * grey.length}, (_, i) => i % 4 == 3 ? 255 : grey[i >> 2]);
            const box = {x: 0, y: 0, width: 48, height: 48};
            const ort = await import("./ort/ort.wasm.min.mjs");
            const { detection } = await (await fetch("model.json")).json();
            const pixels = crop({data, width: 48, height: 48}, squareMatrix(box, 48), 48, detection);
            const session = await ort.InferenceSession.create("model.onnx");
            const input = new ort.Tensor("float32", Float32Array.from(pixels, (v) => v / 255), [1, 1, 48, 48]);
            return [[...pixels], [...(await session.run({input})).logits.data]];
        }""",
        crop.ravel().tolist(),
    )
    assert found[0] == crop.ravel().tolist()
    logits = np.array(found[1])
    predictor = Predictor(NAME)
    scaled = np.exp(logits / predictor.temperature)
    np.testing.assert_allclose(scaled / scaled.sum(), predictor.classify([crop])[0], atol=1e-4)


def test_a_file_that_is_no_picture(page, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    page.locator("#file").set_input_files(tmp_path / "notes.png")
    page.get_by_text("notes.png is no picture that this browser can open").wait_for()


def test_the_camera(page):
    page.get_by_text("Use the camera").click()  # Chromium's own fake one, which shows no face
    page.get_by_text("pictures a second").wait_for()
    page.get_by_text("Stop the camera").click()
    page.get_by_text("Use the camera").wait_for()


class TestExport:
    def test_again_into_the_same_folder(self, exported, runtime, tmp_path):
        copy = Path(shutil.copytree(exported, tmp_path / "again"))
        (copy / "app.js").write_text("old")
        export_web(NAME, copy, runtime)
        assert (copy / "app.js").read_bytes() == (exported / "app.js").read_bytes()
        assert [p.name for p in tmp_path.iterdir()] == ["again"]

    def test_not_into_a_folder_of_other_things(self, runtime, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")
        with pytest.raises(ModelError, match="holds other files"):
            export_web(NAME, tmp_path, runtime)
        assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]

    @pytest.mark.parametrize("marker", ['{"format": "layers-model"}', "no JSON", None])
    def test_not_into_a_folder_of_other_models_or_notes(self, marker, exported, runtime, tmp_path):
        """``model.json`` is what TensorFlow.js calls its models; and what lies beside our page is not ours."""
        folder = tmp_path / "site"
        if marker is None:
            shutil.copytree(exported, folder)
            (folder / "notes.txt").write_text("mine")
        else:
            folder.mkdir()
            (folder / "model.json").write_text(marker)
        before = sorted(p.name for p in folder.iterdir())
        with pytest.raises(ModelError, match="holds other files"):
            export_web(NAME, folder, runtime)
        assert sorted(p.name for p in folder.iterdir()) == before


class TestErrors:
    def test_offline(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
        if not shutil.which("npm"):
            pytest.skip("npm is not installed")
        assert main(["export", "--web", str(tmp_path / "page")]) == 1
        said = capsys.readouterr().err
        assert "npm could not fetch" in said and "--runtime" in said and said.count("\n") == 1
        assert list(tmp_path.iterdir()) == []

    def test_no_npm(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr("fer_demo.export.web.shutil.which", lambda name: None)
        assert main(["export", "--web", str(tmp_path / "page")]) == 1
        assert "npm, which is not installed" in capsys.readouterr().err

    @pytest.mark.parametrize("content", [None, "text"])
    def test_a_runtime_that_is_none(self, content, tmp_path, capsys):
        given = tmp_path / "package.tgz"
        if content:
            given.write_text(content)
        assert main(["export", "--web", str(tmp_path / "page"), "--runtime", str(given)]) == 1
        said = capsys.readouterr().err
        assert "npm" in said and "Traceback" not in said
        assert not (tmp_path / "page").exists()

    def test_options_of_files(self, tmp_path, capsys):
        with pytest.raises(SystemExit):
            main(["export", "--web", str(tmp_path), "--int8"])
        assert "goes with none of" in capsys.readouterr().err
