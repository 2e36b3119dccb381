"""The exported page in a real browser: the same answers as here, and nothing leaves the machine."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fer_demo import ModelError, Predictor
from fer_demo.__main__ import main
from fer_demo.export.web import RUNTIME_PACKAGE, export_web
from fer_demo.vision.align import TEMPLATE
from fer_demo.vision.quality import crop_quality
from fer_demo.vision.samples import SAMPLES
from fer_demo.wording import candidates, describe

NAME = "fer_sedense_s2.tune_fer2013"


@pytest.fixture(scope="session")
def runtime(tmp_path_factory) -> Path:
    """The npm package onnxruntime-web: $FER_DEMO_ORT_WEB, or fetched."""
    if given := os.environ.get("FER_DEMO_ORT_WEB"):
        return Path(given)
    if not shutil.which("npm"):
        pytest.skip("npm is not installed, and FER_DEMO_ORT_WEB names no copy of onnxruntime-web")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "pack", "--silent", "--fetch-retries=0", "--fetch-timeout=30000", RUNTIME_PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("onnxruntime-web cannot be fetched: no network, and FER_DEMO_ORT_WEB names no copy of it")
    return next(folder.glob("*.tgz"))


@pytest.fixture(scope="session")
def exported(runtime, tmp_path_factory) -> Path:
    return export_web(NAME, tmp_path_factory.mktemp("web") / "page", runtime).parent


@pytest.fixture(scope="session")
def address(exported) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=exported))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def page(browser, address):
    context = browser.new_context(permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.requests, page.problems = [], []
    page.on("request", lambda request: page.requests.append((request.method, request.url)))
    page.on("console", lambda m: page.problems.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(address)
    page.get_by_text("Add a photo.", exact=True).wait_for()
    yield page
    assert all(method == "GET" and url.startswith((address, "blob:", "data:")) for method, url in page.requests)
    assert not page.problems
    context.close()


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
        # OpenCV interpolates to 1/32 of a pixel, which moves landmarks by half a pixel, more on a turned head.
        turned = other.box[0] > 512
        tolerance = 0.1 if turned else 0.03
        assert np.allclose(one["probabilities"], list(other.probabilities.values()), atol=tolerance)
        # The rule and the words are the same, whatever the last digits of the probabilities are.
        own = dict(zip(other.probabilities, one["probabilities"], strict=True))
        names = candidates(own, Predictor(NAME).set_threshold)
        assert tuple(one["candidates"]) == names and one["sentence"] == describe(own, names)
        assert one["quality"]["flags"] == list(other.flags) and one["quality"]["readable"]
        for measure in ("inside", "face_size", "light", "contrast"):
            assert one["quality"][measure] == pytest.approx(getattr(other.quality, measure), rel=0.05), measure


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
        assert np.allclose(one["probabilities"], list(expected.probabilities.values()), atol=0.03), name


def test_areas_are_averaged_as_opencv_does(page):
    import cv2

    picture = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    found = page.evaluate(
        """async (values) => {
            const { reduce } = await import("./geometry.js");
            const { data } = reduce({data: Uint8ClampedArray.from(values), width: 53, height: 37}, 20, 11);
            return [...data];
        }""",
        rgba.ravel().tolist(),
    )
    expected = cv2.resize(picture, (20, 11), interpolation=cv2.INTER_AREA)
    difference = np.reshape(found, (11, 20, 4))[..., :3].astype(int) - expected
    assert np.abs(difference).max() <= 1


def test_a_face_is_cut_out_without_touching_the_rest_of_the_photo(page):
    """Values that are read from a photo of 12 megapixels for a crop, up to and over the strongest plain reduction."""
    read = page.evaluate(
        """async (sides) => {
            const { crop, squareMatrix } = await import("./geometry.js");
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
                crop({data, width, height}, squareMatrix({x: 1000.3, y: 900.6, width: side, height: side}, 48), 48);
                return count;
            });
        }""",
        [48, 200, 384, 500],
    )
    # Each pixel's four values once, with a border of two pixels.
    for side, count in zip([48, 200, 384, 500], read, strict=True):
        assert 4 * side**2 <= count <= 4 * (side + 6) ** 2 < 4 * 4000 * 3000 / 10


@pytest.mark.parametrize("box", [(20.3, 10.6, 40, 40), (-9.5, 30.2, 61.7, 61.7), (3.1, -20.0, 150.0, 150.0)])
def test_crops_have_the_pixels_that_they_have_here(page, box):
    """Bicubic interpolation, averaging and the repeated border as in `square_crop`, on the worst picture: noise."""
    from fer_demo.vision.align import square_crop

    picture = np.random.default_rng(1).integers(0, 256, (90, 110, 1), np.uint8).repeat(3, 2)
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    found = page.evaluate(
        """async ([values, [x, y, width, height]]) => {
            const { crop, squareMatrix } = await import("./geometry.js");
            const data = Uint8ClampedArray.from(values);
            return [...crop({data, width: 110, height: 90}, squareMatrix({x, y, width, height}, 48), 48)];
        }""",
        [rgba.ravel().tolist(), list(box)],
    )
    difference = np.abs(np.reshape(found, (48, 48)) - square_crop(picture, box).astype(int))
    assert difference.mean() < 1.5 and difference.max() <= 12  # OpenCV rounds places to 1/32 pixel


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
            const pixels = crop({data, width: 48, height: 48}, squareMatrix(box, 48), 48);
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
