"""The app behind nginx with TLS, below a path: pages, websocket, widget, API and the browser's own page."""

import base64
import hashlib
import io
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.load.serving import free_port
from tests.packaging.nginx import CONFIG, NGINX, prepared

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")

STRIPPED = CONFIG.replace("proxy_pass http://fer_demo;", "proxy_pass http://fer_demo/;")
"""The proxy takes the path away before it hands a request on."""


@pytest.fixture(scope="module", params=["path kept, two processes", "path taken away, one process"])
def https(request, tmp_path_factory, serve_app):
    """Address of the app below a path, what programs need to trust it, and the file of its certificate."""
    folder: Path = tmp_path_factory.mktemp("nginx")
    root = Path(__file__).parents[2]
    kept = "kept" in request.param
    options = ["--server.baseUrlPath", "fer"] if kept else []
    path = "/fer" if kept else ""
    started = [serve_app(root, folder / name, *options, path=path) for name in ("one", "two")]
    with started[0] as one, started[1] as two:
        for name in ("one", "two"):  # what `fer-demo export --web` would write
            page = folder / name / "cache" / "page"
            page.mkdir(parents=True)
            (page / "index.html").write_text("<title>in the browser</title>")
        ports = [url.partition("localhost:")[2].partition("/")[0] for url in (one, two)]
        text = CONFIG if kept else STRIPPED
        if not kept:
            text = text.replace("    server 127.0.0.1:8502;\n", "")
        port = free_port()
        process = subprocess.Popen(
            prepared(folder, text, {"80": free_port(), "443": port, "8501": ports[0], "8502": ports[1]})
        )
        url, certificate = f"https://localhost:{port}/fer/", folder / "certificate.pem"
        trust = ssl.create_default_context(cafile=certificate)
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(url, verify=trust)
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        yield url, trust, certificate
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def browser(launch, https) -> Iterator[Browser]:
    """A Chromium that takes the certificate for a good one.

    If it is told to overlook the certificate's errors instead, it starts each request anew because of them, and gives
    up now and then on a busy machine: ERR_TOO_MANY_RETRIES.
    """
    with launch(f"--ignore-certificate-errors-spki-list={public_key_hash(https[2])}") as chromium:
        yield chromium


def public_key_hash(certificate: Path) -> str:
    """Base64 of the SHA-256 of a certificate's public key, by which Chromium knows it."""
    key = subprocess.check_output(["openssl", "x509", "-pubkey", "-noout", "-in", certificate])
    key = subprocess.check_output(["openssl", "pkey", "-pubin", "-outform", "der"], input=key)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@pytest.fixture
def photo(tmp_path, astronaut) -> Path:
    Image.fromarray(astronaut).save(tmp_path / "Eileen Collins.jpg")
    return tmp_path / "Eileen Collins.jpg"


def test_a_visitor_gets_an_answer_and_walks_on(https, new_visitor, photo):
    url = https[0]
    visitor = new_visitor(url)
    visitor.add(photo)
    visitor.sees("Eileen Collins.jpg")
    visitor.page.get_by_role("link", name="Model and limits").click()
    visitor.sees("Model and limits")
    assert visitor.page.url.startswith(url)
    visitor.page.get_by_role("link", name="Predict").click()
    visitor.sees("Eileen Collins.jpg")
    assert visitor.problems == [] and visitor.hosts == {url.split("/")[2]}


def test_a_link_to_a_page_opens_it(https, new_visitor):
    url = https[0]
    visitor = new_visitor(f"{url}tradeoffs")
    visitor.sees("Trade-offs")
    # Streamlit finds out below which path it is by asking for its health, first below the page's own address.
    assert [problem for problem in visitor.problems if "404" not in problem] == []


def test_programs_get_answers(https, photo):
    url, trust, _ = https
    with httpx.Client(verify=trust, timeout=60) as client:
        answers = [client.post(f"{url}api/predict", files={"file": photo.read_bytes()}).json() for _ in range(3)]
        assert all(len(answer["faces"]) == 1 for answer in answers)
        assert client.get(f"{url}api/health").json() == {"status": "ok"}
        uploaded = client.post(f"{url}upload/gradio_api/upload", files={"files": photo.read_bytes()}).json()[0]
        body = {"data": [{"path": uploaded, "meta": {"_type": "gradio.FileData"}}, False]}
        event = client.post(f"{url}upload/gradio_api/call/predict", json=body).json()["event_id"]
        assert '"faces"' in client.get(f"{url}upload/gradio_api/call/predict/{event}").text


def test_the_browsers_own_page_is_there_and_alone_isolated(https):
    url, trust, _ = https
    page = httpx.get(f"{url}browser/", verify=trust)
    assert "in the browser" in page.text and page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "Cross-Origin-Embedder-Policy" not in httpx.get(url, verify=trust).headers


def test_other_sites_are_refused_there_too(https, photo):
    url, trust, _ = https
    for path in ("api/predict", "upload/gradio_api/upload"):
        foreign = {"Origin": "https://evil.example"}
        answer = httpx.post(f"{url}{path}", files={"file": b"x"}, headers=foreign, verify=trust)
        assert answer.status_code == 403


def test_a_picture_of_the_largest_size_arrives(https, photo):
    url, trust, _ = https
    file = io.BytesIO()
    Image.open(photo).resize((2600, 2600)).save(file, "PNG", compress_level=0)
    assert 19 * 2**20 < len(file.getvalue()) < 20 * 2**20
    answer = httpx.post(f"{url}api/predict", files={"file": file.getvalue()}, verify=trust, timeout=60)
    assert answer.json()["width"] == 2600
