"""The Predict page as a visitor meets it: the real app in Chromium."""

import base64
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MENU_IS_CLOSED = "document.querySelector('[data-testid=stSidebar]').dataset.collapsed === 'true'"


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """one.png: one face; two.png: two faces; wall.png: none; notes.jpg: no picture."""
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("photos")
    image = astronaut()
    Image.fromarray(image[:300, 50:400]).save(folder / "one.png")
    Image.fromarray(np.hstack([image[:300, 50:400]] * 2)).save(folder / "two.png")
    Image.new("RGB", (300, 200), "gray").save(folder / "wall.png")
    (folder / "notes.jpg").write_text("not a photo")
    return folder


def test_from_the_widget_to_the_page(visit, photos, app_url):
    visitor = visit()
    visitor.sees("No photo at hand?")

    visitor.add(photos / "one.png")
    visitor.widget.locator("#answer").get_by_text("1 face found").wait_for()
    visitor.sees("one.png")
    visitor.sees("350 × 300 pixels")
    visitor.page.locator(".js-plotly-plot").wait_for()
    visitor.counts(visitor.page.get_by_text("What the network saw"), 1)

    visitor.add(photos / "two.png")
    visitor.sees("two.png")
    visitor.page.get_by_role("button", name="Show in the photo").wait_for()
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Download CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 3

    visitor.add(photos / "notes.jpg")
    visitor.widget.locator("#answer").get_by_text("notes.jpg is not a picture").wait_for()

    visitor.add(photos / "wall.png")
    visitor.sees("No face found on this photo")
    visitor.page.get_by_role("button", name="Use the whole picture as one face").click()
    visitor.sees("the whole picture as one face")

    visitor.page.get_by_role("link", name="Model and limits").click()
    visitor.page.get_by_role("heading", name="Model and limits").wait_for()
    visitor.page.get_by_role("link", name="Predict").click()
    visitor.sees("wall.png")  # the photo travels with the visitor

    assert visitor.problems == []
    assert visitor.hosts == {app_url.removeprefix("http://")}


def test_the_answer_comes_at_once_and_is_said(visit, photos):
    """The widget tells the page, which does not look every moment; and a screen reader hears the answer."""
    visitor = visit()
    visitor.sees("No photo at hand?")
    visitor.add(photos / "one.png")
    visitor.widget.locator("#answer [data-delivered]").wait_for()
    visitor.page.get_by_text("350 × 300 pixels").wait_for(timeout=4000)  # before the next look, after five seconds
    assert "one.png: 1 face. face 1: looks" in visitor.page.locator(".news").inner_text()


def test_two_visitors_never_see_each_others_photo(visit, photos):
    first, second = visit(), visit()
    for visitor in (first, second):
        visitor.sees("No photo at hand?")
        visitor.widget.locator("#answer").wait_for()
    first.add(photos / "one.png")
    first.sees("one.png")
    second.page.wait_for_timeout(1500)
    assert second.page.get_by_text("one.png").count() == 0
    second.add(photos / "two.png")
    second.sees("two.png")
    assert first.page.get_by_text("two.png").count() == 0
    assert first.problems == second.problems == []


def test_on_a_phone_in_the_dark(visit, photos):
    visitor = visit(width=390, color_scheme="dark", has_touch=True, is_mobile=True)
    visitor.sees("No photo at hand?")
    frame = visitor.page.locator("iframe[src*='/upload/']").bounding_box()
    assert frame["y"] < 500  # the way in is on the first screen
    visitor.add(photos / "two.png")
    visitor.sees("two.png")
    visitor.page.locator(".js-plotly-plot").nth(1).wait_for()
    visitor.until("document.querySelector('.st-key-answer img').getBoundingClientRect().top < innerHeight / 2")
    assert visitor.page.locator(".modebar").first.is_hidden()
    for frame in visitor.page.frames:
        wide = "[document.documentElement, ...document.querySelectorAll('[data-testid=stMain]')]"
        assert frame.evaluate(f"{wide}.every(e => e.scrollWidth <= e.clientWidth)"), frame.url
    inside = next(f for f in visitor.page.frames if "/upload/" in f.url)
    assert inside.evaluate("document.body.classList.contains('dark')")
    visitor.page.get_by_role("button", name="Menu").click()
    visitor.page.get_by_role("link", name="Model and limits").click()
    visitor.page.get_by_role("heading", name="Model and limits").wait_for()
    visitor.until(MENU_IS_CLOSED)
    assert visitor.problems == []


@pytest.mark.parametrize("early", [False, True])
def test_the_menu_closes_in_a_narrow_window(visit, early):
    """Which Streamlit does not see to; and if somebody chose a page before the app's script listened."""
    deaf = "const add = document.addEventListener.bind(document);"
    deaf += "document.addEventListener = (kind, ...rest) => kind === 'click' || add(kind, ...rest);"
    visitor = visit(width=390, prepare=(lambda page: page.add_init_script(deaf)) if early else None)
    visitor.page.get_by_role("button", name="Menu").click()
    visitor.until(f"!({MENU_IS_CLOSED})")
    visitor.page.get_by_role("link", name="Model and limits").click()
    visitor.page.get_by_role("heading", name="Model and limits").wait_for()
    visitor.until(MENU_IS_CLOSED)
    assert visitor.problems == []


def test_several_photos_and_an_archive(visit, photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("one.png", "two.png", "wall.png"):
            archive.write(photos / name, f"folder/{name}")
        archive.writestr("folder/list.txt", "no picture")
        archive.writestr("__MACOSX/._one.png", "no picture")
    visitor = visit()
    door = visitor.widget.locator("input[type=file]").first
    door.set_input_files([photos / "one.png", photos / "wall.png", photos / "notes.jpg"])
    visitor.sees("3 photos")
    visitor.sees("notes.jpg is not a picture")
    visitor.widget.locator("#answer").get_by_text("2 photos, 1 face, 1 could not be read").wait_for()
    door.set_input_files(tmp_path / "all.zip")
    visitor.widget.locator("#answer").get_by_text("3 photos, 3 faces").wait_for()
    visitor.sees("1 other file left out")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("button", name="Download CSV of all").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 5
    assert visitor.problems == []


def test_what_is_no_picture_gets_a_sentence(visit, photos, tmp_path):
    visitor = visit()
    for name, content in (
        ("film.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50)),
        ("paper.pdf", b"%PDF-1.7 ..."),
        ("broken.zip", b"PK\x03\x04 ..."),
    ):
        (tmp_path / name).write_bytes(content)
        visitor.add(tmp_path / name)
        visitor.widget.locator("#answer [role=alert]").get_by_text(name).wait_for()
    (tmp_path / "large.jpg").write_bytes(bytes(21 * 2**20))
    visitor.add(tmp_path / "large.jpg")
    visitor.widget.get_by_text("20 MB").first.wait_for()


PASTE = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const box = new DataTransfer();
  box.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
  document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: box, bubbles: true }));
}"""


def test_a_picture_can_be_pasted_anywhere_on_the_page(visit, photos):
    visitor = visit()
    visitor.widget.locator("#answer").wait_for()
    visitor.until("window.ferDemo?.ready === true")
    visitor.page.evaluate(PASTE, base64.b64encode((photos / "one.png").read_bytes()).decode())
    visitor.sees("pasted.png")
    assert visitor.problems == []


def test_the_camera_gives_its_full_size(visit):
    visitor = visit()
    visitor.widget.get_by_role("button", name="Use the camera").click()
    visitor.widget.get_by_role("button", name="Take the picture").click()
    visitor.sees("camera.jpg")  # Chromium's test picture is a green wall with a clock
    wide = int(visitor.page.get_by_text("pixels ·").first.inner_text().split("·")[1].split("×")[0])
    assert wide >= 1280
    visitor.widget.get_by_role("button", name="Use the camera").wait_for()
    assert visitor.problems == []


def test_loading_again_keeps_the_photo(visit, photos):
    visitor, other = visit(), visit()
    visitor.add(photos / "two.png")
    visitor.sees("two.png")
    visitor.page.reload()
    visitor.sees("two.png")
    other.page.reload()
    other.sees("No photo at hand?")
    assert visitor.problems == other.problems == []


def test_by_keyboard_alone(visit, photos):
    visitor = visit()
    button = visitor.widget.locator("button#choose, #choose button").first
    button.wait_for()
    visitor.until("window.ferDemo?.ready === true")
    visitor.page.keyboard.press("Tab")
    inside = next(f for f in visitor.page.frames if "/upload/" in f.url)
    assert inside.evaluate("document.activeElement?.textContent.trim()") == "Take or choose a photo"
    visitor.file_chooser("Enter").set_files(photos / "one.png")
    visitor.sees("one.png")


def test_without_the_frame_there_is_an_uploader(visit, photos):
    def block(page):
        page.route("**/upload/**", lambda route: route.abort())
        page.clock.install()

    visitor = visit(prepare=block)
    visitor.page.get_by_text("No photo at hand?").wait_for()
    visitor.page.clock.fast_forward(25_000)
    uploader = visitor.page.locator("[data-testid=stFileUploader] input[type=file]")
    uploader.set_input_files(photos / "notes.jpg")
    visitor.page.get_by_text("notes.jpg is not a picture").first.wait_for()
    uploader.set_input_files(photos / "one.png")
    visitor.page.get_by_text("350 × 300 pixels").wait_for()


def test_a_frame_that_loads_late_takes_over_again(visit, photos):
    """A busy server: whoever waits has the other uploader, and loses nothing when the frame comes after all."""
    held = []

    def hold(page):
        page.route("**/upload/?**", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the function
        page.clock.install()

    visitor = visit(prepare=hold)
    visitor.page.get_by_text("No photo at hand?").wait_for()
    visitor.page.clock.fast_forward(25_000)
    visitor.page.get_by_text("is slow to load").wait_for()
    visitor.page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(photos / "one.png")
    visitor.page.get_by_text("350 × 300 pixels").wait_for()
    assert visitor.page.locator("iframe[src*='/upload/']").count() == 1
    for route in held:
        route.continue_()
    visitor.counts(visitor.page.locator("[data-testid=stFileUploader]"), 0)
    visitor.page.get_by_text("350 × 300 pixels").wait_for()
    visitor.add(photos / "two.png")
    visitor.sees("two.png")
