"""Starts the real app once, and a Chromium that drives it."""

import functools
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the app extra is not installed")
pytest.importorskip("playwright", reason="the test extra is not installed")
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FileChooser,
    Locator,
    Page,
    TimeoutError,
    expect,
    sync_playwright,
)

from fer_demo.checkpoints import bundled_checkpoints

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
EXPORTED = "fer_sedense_s2.tune_fer2013"
PATIENCE = 60_000
"""Milliseconds to wait for anything on a busy machine."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks all tests of this folder, so that they can be left out with ``-m "not browser"``."""
    if Path(__file__).parent in item.path.parents:
        item.add_marker("browser")


@pytest.fixture(scope="session")
def app_url(tmp_path_factory) -> Iterator[str]:
    """Address of the app, served as a user serves it."""
    if not bundled_checkpoints():
        pytest.skip("no trained checkpoint is bundled")
    with serve(ROOT, tmp_path_factory.mktemp("app")) as url:
        yield url


@pytest.fixture(scope="session")
def serve_app():
    """`serve`, for tests that need an app of their own."""
    return serve


@contextmanager
def serve(root: Path, folder: Path, *options: str, path: str = "") -> Iterator[str]:
    """Serves the app of a checkout on a free port.

    Args:
        root: The checkout.
        folder: Where the log, what would be uploads, and measured speeds go.
        *options: For Streamlit.
        path: Below which it is served; options say so too.

    Yields:
        The app's address.
    """
    folder.mkdir(exist_ok=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.headless=true"]
    command += options
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "FER_DEMO_CACHE": str(folder / "cache"),
        "PYTHONPATH": str(root),
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://localhost:{port}{path}"
    try:
        deadline = time.monotonic() + 120
        while not _healthy(url):
            said = (folder / "log").read_text()
            assert process.poll() is None and time.monotonic() < deadline, f"the app did not start:\n{said}"
            time.sleep(0.25)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
    assert not any(p.is_file() for p in (folder / "uploads").rglob("*")), "an uploaded photo is still on disk"


def _healthy(url: str) -> bool:
    try:
        return urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """A function that starts a headless Chromium with further arguments; the machine's own, nothing is downloaded."""
    if not os.path.exists(CHROMIUM):
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        yield lambda *args: playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, *args])


@pytest.fixture(scope="session")
def browser(launch) -> Iterator[Browser]:
    """The Chromium of all tests that need no other."""
    with launch() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def runtime(tmp_path_factory) -> Path:
    """The npm package onnxruntime-web: $FER_DEMO_ORT_WEB, or fetched."""
    from fer_demo.export.web import RUNTIME_PACKAGE

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
    """The folder of an exported page."""
    from fer_demo.export.web import export_web

    return export_web(EXPORTED, tmp_path_factory.mktemp("web") / "page", runtime).parent


@pytest.fixture(scope="session")
def address(exported) -> Iterator[str]:
    """Where the exported page is served by nothing but a file server."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=exported))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def _with_address(message: ConsoleMessage) -> tuple[str, str]:
    """What the console says, and whose fault it is: of what could not be loaded it does not say what that was."""
    url = message.location["url"]
    return f"{message.text} ({url})", url


class Visitor:
    """One browser session, with what went wrong in it.

    Attributes:
        page: The page, open at the app's first one.
        hosts: Hosts and ports that the browser talked to.
    """

    def __init__(self, context: BrowserContext, url: str, prepare=None) -> None:
        self._problems: list[tuple[str, str]] = []
        self.hosts: set[str] = set()
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        note = self._problems.append
        self.page.on("console", lambda m: note(_with_address(m)) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: note((str(error), "")))
        self.page.on("response", lambda r: note((f"{r.status} {r.url}", r.url)) if r.status >= 400 else None)
        context.on("request", self._note_host)  # of every page and frame; connections of WebSocket are no requests
        self.page.on("websocket", self._note_host)
        if prepare:
            prepare(self.page)
        self.page.goto(url)

    def _note_host(self, request) -> None:
        scheme, _, rest = request.url.partition("://")
        if scheme in ("http", "https", "ws", "wss"):
            self.hosts.add(rest.split("/")[0])

    @property
    def problems(self) -> list[str]:
        """Errors in the console, uncaught exceptions and answers of 400 and above.

        A picture that Streamlit replaced before a busy browser asked for it is no problem unless it is shown.
        """
        shown = set(self.page.evaluate("[...document.images].map((image) => image.currentSrc)"))
        return [said for said, url in self._problems if not ("404" in said and "/media/" in url and url not in shown)]

    @property
    def widget(self):
        """The upload widget inside its frame, once it is usable."""
        frame = self.page.frame_locator("iframe[src*='/upload/']")
        frame.locator("input[type=file]").first.wait_for(state="attached")
        return frame

    def add(self, path: Path) -> None:
        """Adds a photo through the upload widget, once it listens: nobody is as quick as a script."""
        frame = self.widget
        self.until("!document.querySelector(\"iframe[src*='/upload/']\") || window.ferDemo?.ready === true")
        frame.locator("input[type=file]").first.set_input_files(path)

    def sees(self, text: str) -> None:
        """Waits for a text on the page itself, outside the widget's frame, and for all pictures around it.

        Streamlit forgets a picture as soon as the page shows another; who goes on before it has arrived gets a 404.
        """
        self.page.get_by_text(text).first.wait_for()
        self.until("[...document.images].every(image => image.complete)")

    def until(self, expression: str) -> None:
        """Waits until a JavaScript expression is true.

        Playwright's own way has the page evaluate a text, which the application's security policy forbids.
        """
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"not within {PATIENCE / 1000:g} s: {expression}"
            time.sleep(0.05)

    def file_chooser(self, key: str) -> FileChooser:
        """Presses a key until files can be chosen: a browser forgets one that a busy page takes too long to answer."""
        with suppress(TimeoutError), self.page.expect_file_chooser(timeout=PATIENCE / 3) as chooser:
            self.page.keyboard.press(key)
            return chooser.value
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press(key)
        return chooser.value

    def counts(self, elements: Locator, number: int) -> None:
        """Waits until there are exactly so many of them.

        A page that has shown its first point may still be drawing the others, or draw all of them again.
        """
        expect(elements).to_have_count(number, timeout=PATIENCE)


@pytest.fixture
def new_visitor(browser) -> Iterator:
    """A function that opens an address in a session of its own: ``new_visitor(url, width=1280, **context options)``.

    ``prepare`` is a function that gets the page before the address is opened.
    """
    contexts: list[BrowserContext] = []
    visitors: list[tuple[str, Visitor]] = []

    def open_url(url: str, width: int = 1280, prepare=None, **options) -> Visitor:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        visitors.append((url.split("/")[2], Visitor(contexts[-1], url, prepare)))
        return visitors[-1][1]

    yield open_url
    for context in contexts:
        context.close()
    for host, visitor in visitors:
        assert visitor.hosts <= {host}, "the browser talked to somebody else than the app"


@pytest.fixture
def visit(app_url, new_visitor):
    """A function that opens the app in a session of its own: ``visit(width=1280, path="/", **context options)``."""
    return lambda width=1280, path="/", **options: new_visitor(app_url + path, width, **options)
