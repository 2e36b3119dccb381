"""The exported page beside the app: served once it is there, linked, and never in the way."""

from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the app extra is not installed")
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from fer_demo.cache import web_page_dir
from fer_demo.web.browser_page import ADDRESS, BrowserPage, has_browser_page


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DEMO_CACHE", str(tmp_path / "cache"))
    return web_page_dir()


def write(folder):
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("<title>the page</title>")
    (folder / "app.js").write_text("let a;")


def test_it_may_come_while_the_app_runs(folder):
    client = TestClient(Starlette(routes=[Mount(ADDRESS.rstrip("/"), app=BrowserPage())]))
    assert not has_browser_page()
    assert client.get(ADDRESS).status_code == client.get(f"{ADDRESS}app.js").status_code == 404
    write(folder)
    assert has_browser_page()
    assert "the page" in client.get(ADDRESS).text and "let a" in client.get(f"{ADDRESS}app.js").text
    assert client.get(f"{ADDRESS}../secret").status_code == 404


@pytest.mark.parametrize("there", [False, True])
def test_the_pages_link_it_when_it_is_there(folder, there):
    if there:
        write(folder)
    app = AppTest.from_file(str(Path(__file__).parents[3] / "app.py"), default_timeout=120)
    app.run()
    assert any(ADDRESS in caption.value for caption in app.caption) == there
    app.switch_page("pages/about.py").run()
    assert not app.exception
    links = [element.proto.url for element in app.get("link_button")]
    said = " ".join(markdown.value for markdown in app.markdown)
    assert links == ([ADDRESS] if there else [])
    assert ("python -m fer_demo export --web" in said) == (not there) and "On your own machine alone" in said
