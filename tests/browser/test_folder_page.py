"""The Folder page as a visitor meets it: the real app in Chromium."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_demo.vision.samples import SAMPLES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def many(tmp_path_factory) -> list[Path]:
    """70 small photos of one face, no two alike."""
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("many")
    face = Image.fromarray(astronaut()[:256, 90:346]).resize((160, 160))
    rng = np.random.default_rng(0)
    paths = [folder / f"photo {number:02}.jpg" for number in range(70)]
    for path in paths:
        noisy = np.asarray(face).astype(int) + rng.integers(-8, 9, (160, 160, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return paths


def arrive(visit, **options):
    """A visitor on the page, by the menu: whoever loads it by its address has Streamlit look for itself below it."""
    visitor = visit(**options)
    visitor.counts(visitor.page.locator(".st-key-samples img"), len(SAMPLES))
    visitor.sees("No photo at hand?")  # with all its pictures, which the server forgets once the page is left
    visitor.page.get_by_role("link", name="Folder", exact=True).click()
    visitor.widget.get_by_role("button", name="Choose a folder").wait_for()
    return visitor


def rows(visitor) -> list[dict[str, str]]:
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Download CSV").click()
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))


def test_seventy_photos_at_once(visit, many):
    visitor = arrive(visit)
    visitor.add(many)
    visitor.widget.get_by_role("button", name="Stop").wait_for()
    seen = set()

    def shown() -> int:
        heading = visitor.page.get_by_role("heading", name="photos")
        return int(heading.inner_text().split()[0]) if heading.count() else 0

    while not visitor.widget.get_by_text("70 of 70 photos read").count():
        seen.add(shown())
        visitor.page.wait_for_timeout(50)
    visitor.sees("70 photos")
    assert len(seen - {0}) > 2, "the gallery grows"
    visitor.counts(visitor.page.get_by_role("button", name="Look at it"), 24)
    found = rows(visitor)
    assert sorted({row["file"] for row in found}) == [path.name for path in many]

    visitor.page.get_by_label("Part of the file's name").fill("photo 1")
    visitor.page.keyboard.press("Enter")
    visitor.counts(visitor.page.get_by_role("button", name="Look at it"), 10)
    assert visitor.problems == []
    visitor.page.reload()
    visitor.sees("70 photos")
    visitor.page.get_by_role("button", name="Look at it").first.click()
    visitor.sees("160 × 160 pixels")  # on Predict
    visitor.page.get_by_role("link", name="Folder", exact=True).click()
    visitor.sees("70 photos")
    visitor.page.get_by_role("button", name="Forget them").click()
    visitor.counts(visitor.page.get_by_role("heading", name="70 photos"), 0)
    visitor.widget.get_by_text("Choose or drop many photos").wait_for()


def test_an_archive_is_taken_apart_in_the_browser(visit, many, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in many[:15]:
            archive.write(path, f"trip/{path.name}")
        archive.writestr("trip/broken.jpg", "no picture")
        archive.writestr("trip/list.txt", "no picture")
        archive.writestr("__MACOSX/._one.jpg", "no picture")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 ...")
    visitor = arrive(visit)
    visitor.add(tmp_path / "all.zip")
    visitor.widget.get_by_text("15 of 16 photos read, 15 faces. 1 other file left out.").wait_for()
    visitor.sees("16 photos")
    visitor.sees("could not be read 1")
    files = [row["file"] for row in rows(visitor)]
    assert len(files) == 16 and files[0] == "trip/photo 00.jpg"
    visitor.add(tmp_path / "broken.zip")
    visitor.widget.get_by_role("alert").get_by_text("broken.zip is damaged or no ZIP archive").wait_for()
    assert visitor.problems == []


def test_a_folder_is_chosen(visit, many, tmp_path):
    for number, path in enumerate(many[:3]):
        (tmp_path / "trip" / str(number)).mkdir(parents=True)
        (tmp_path / "trip" / str(number) / "same.jpg").write_bytes(path.read_bytes())
    (tmp_path / "trip" / "list.txt").write_text("no picture")
    visitor = arrive(visit)
    visitor.widget.locator("input[webkitdirectory]").set_input_files(tmp_path / "trip")
    visitor.widget.get_by_text("3 of 3 photos read, 3 faces. 1 other file left out.").wait_for()
    visitor.sees("3 photos")
    assert sorted(row["file"] for row in rows(visitor)) == [f"trip/{number}/same.jpg" for number in range(3)]


def test_stopping_keeps_what_is_there(visit, many):
    visitor = arrive(visit)
    visitor.add(many)
    visitor.page.get_by_role("heading", name="photos").wait_for()
    visitor.widget.get_by_role("button", name="Stop").click()
    visitor.widget.get_by_text("Stopped.").wait_for()
    assert 0 < len(rows(visitor)) < 70


def test_a_group_that_is_lost_is_sent_again(visit, many):
    visitor = arrive(visit)
    lost = []

    def lose_one(route):
        if len(lost) < 1:
            lost.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    visitor.page.route("**/upload/group**", lose_one)
    visitor.add(many[:6])
    visitor.widget.get_by_text("6 of 6 photos read, 6 faces.").wait_for()
    visitor.sees("6 photos")
    assert len(lost) == 1 and len(rows(visitor)) == 6


def test_what_is_over_the_limit_is_told(new_visitor, serve_app, many, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DEMO_FOLDER", "5")
    with serve_app(ROOT, tmp_path / "app") as url:
        visitor = new_visitor(f"{url}/folder")
        visitor.sees("Up to 5 photos")
        visitor.add(many[:7])
        visitor.widget.get_by_text("2 photos left out: this page takes 5. fer-demo batch reads any number.").wait_for()
        visitor.sees("5 photos")
        visitor.page.wait_for_timeout(200)
        visitor.add(many[7:8])
        visitor.sees("1 photos are over the limit of 5 and were left out")


def test_predict_points_to_the_folder(visit, many):
    visitor = visit()
    visitor.add(many[:31])
    link = visitor.widget.get_by_role("link", name="page Folder")
    visitor.widget.get_by_text("31 files are more than the 30 that are taken here").wait_for()
    link.click()
    visitor.page.get_by_role("heading", name="Folder", exact=True).wait_for()
    visitor.widget.get_by_role("button", name="Choose a folder").wait_for()
    assert visitor.problems == []
