"""The exported page with a model of somebody's own, which tells apart other classes than the bundled ones beside it."""

import csv
import functools
import http.server
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo import Predictor
from fer_demo.checkpoints import ONNX_FILE, weights_digest
from fer_demo.classes import class_set
from fer_demo.export.web import export_web
from fer_demo.vision.samples import SAMPLES
from tests import clips
from tests.fer_demo.own_classes import NAMES, checkpoint

from .conftest import ARGS, CHROMIUM, PATIENCE

CLOSE = 0.05
"""By how much probabilities may differ; the weights here are drawn so that answers hang on every pixel."""

MANY = tuple(f"expression {i}" for i in range(20))
BESIDE = "fer_sedense_nano.photos_fer2013"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("own") / "mine", onnx=True)


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("own") / "many", MANY, onnx=True)


@pytest.fixture(scope="module")
def served(runtime, tmp_path_factory) -> Iterator:
    """A function that exports a model and gives the folder and the address where it is served."""
    servers = []

    def start(model: Path) -> tuple[Path, str]:
        page = export_web(model, tmp_path_factory.mktemp("web") / "page", runtime).parent
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=page)))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return page, f"http://127.0.0.1:{servers[-1].server_port}/"

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="module")
def exported_own(served, own):
    return served(own)


@pytest.fixture(scope="module")
def camera(browser, tmp_path_factory):
    """A Chromium whose camera shows a face."""
    file = clips.write(tmp_path_factory.mktemp("clip") / "face.y4m", clips.moving(SAMPLES[0].load()[:280, 40:410]))
    arguments = [*ARGS, f"--use-file-for-fake-video-capture={file}"]
    started = browser.browser_type.launch(executable_path=CHROMIUM, args=arguments)
    yield started
    started.close()


def ask(browser, address: str, picture: np.ndarray, file: Path) -> list[dict]:
    """The page's answers to a photo."""
    Image.fromarray(picture).save(file)
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    page.get_by_text("Add a photo.", exact=True).wait_for()
    page.locator("#file").set_input_files(file)
    page.locator("#answers li").first.wait_for()
    found = [
        {
            "label": item.get_attribute("data-label"),
            "probabilities": json.loads(item.get_attribute("data-probabilities")),
            "candidates": json.loads(item.get_attribute("data-candidates")),
            "sentence": item.locator("strong").inner_text(),
            "names": [" ".join(one.split()[1:]) for one in item.locator("dt").all_inner_texts()],
            "text": item.inner_text(),
        }
        for item in page.locator("#answers li").all()
    ]
    assert not problems and "seven" not in page.locator("main").inner_text()
    page.close()
    return found


def test_what_the_page_knows_of_its_models(exported_own, own):
    page, _ = exported_own
    about = json.loads((page / "model.json").read_text("utf-8"))
    first, *others = about["models"]
    assert about["name"] == first["name"] == "mine" and about["digest"] == weights_digest(own)
    assert tuple(first["labels"]) == NAMES and first["looks"] == [one.looks for one in class_set(NAMES)]
    assert first["colors"] == list(class_set(NAMES).colors.values())
    assert len({one["file"] for one in about["models"]}) == len(about["models"]) > 1
    assert all(len(one["labels"]) == 7 for one in others)
    smallest = min(about["models"], key=lambda one: (page / one["file"]).stat().st_size)
    assert about["fastest"] == smallest["name"]


def test_the_same_answers_as_in_python(browser, exported_own, own, tmp_path, astronaut):
    (found,) = ask(browser, exported_own[1], astronaut, tmp_path / "face.png")
    (face,) = Predictor(own).predict(astronaut)
    np.testing.assert_allclose(found["probabilities"], list(face.probabilities.values()), atol=CLOSE)
    assert found["label"] == face.label and found["candidates"] == list(face.candidates)
    assert set(found["names"]) == set(NAMES) and found["sentence"].startswith(face.sentence.split(" (")[0])


def test_an_onnx_file_makes_the_same_page(exported_own, own, runtime, tmp_path):
    page = export_web(own / ONNX_FILE, tmp_path / "page", runtime).parent
    known, expected = (json.loads((one / "model.json").read_text("utf-8")) for one in (page, exported_own[0]))
    changed = {key for key in known if known[key] != expected[key]} - {"models"}
    assert changed == {"digest"}
    assert (page / "model.onnx").stat().st_size == pytest.approx(
        (exported_own[0] / "model.onnx").stat().st_size, rel=0.1
    )


def test_of_many_classes_the_most_probable_are_shown(browser, served, many, tmp_path, astronaut):
    (found,) = ask(browser, served(many)[1], astronaut, tmp_path / "face.png")
    (face,) = Predictor(many).predict(astronaut)
    np.testing.assert_allclose(found["probabilities"], list(face.probabilities.values()), atol=CLOSE)
    assert len(found["names"]) == 12 and "The 12 most probable of 20 classes." in found["text"]


def test_models_of_other_classes_follow_each_other_on_the_live_page(camera, exported_own):
    context = camera.new_context(permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{exported_own[1]}live.html")
    page.locator("#start:not([disabled])").click()
    names = page.locator("#people li dt")

    def read() -> list[str]:
        names.first.wait_for()
        return [" ".join(one.split()[1:]) for one in names.all_inner_texts()]

    assert page.locator("#model option").first.inner_text().startswith("mine") and tuple(read()) == NAMES
    card = page.locator("#people li")
    page.wait_for_function("() => document.querySelector('#people li')?.dataset.smooth")
    assert len(json.loads(card.get_attribute("data-smooth"))) == len(NAMES)
    page.locator("#record").click()
    page.wait_for_function("() => Number(document.body.dataset.answered) > 8")
    with page.expect_download() as download:
        page.locator("#record").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert rows and set(NAMES) <= set(rows[0]) and "happy" not in rows[0] and rows[0]["shown"] in NAMES
    page.locator("#model").select_option(label=next(
        one for one in page.locator("#model option").all_inner_texts() if one.startswith(BESIDE)
    ))  # fmt: skip
    page.wait_for_function("() => document.querySelectorAll('#people li dt').length === 7")
    assert "happy" in read()
    page.goto(f"{exported_own[1]}live.html?model={BESIDE}")
    page.locator("#start:not([disabled])").wait_for()
    assert page.locator("#about").inner_text().startswith(f"Model: {BESIDE}")
    assert not problems
    context.close()
