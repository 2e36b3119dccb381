"""deploy/nginx.conf in a real nginx, before servers that say what reaches them."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.load.serving import free_port
from tests.packaging.nginx import CONFIG, NGINX, on_a_host_of_its_own, prepared

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not NGINX, reason="nginx is not installed"),
    pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed"),
]


class Backend(BaseHTTPRequestHandler):
    """Answers with what it was asked, and counts the bytes that it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.readline())
            self.close_connection = True
            return
        left = int(self.headers.get("Content-Length", 0))
        taken = 0
        while taken < left:
            taken += len(self.rfile.read(min(1 << 20, left - taken)))
        said = {"path": self.path, "bytes": taken, "port": self.server.server_address[1], **dict(self.headers)}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_) -> None:
        pass


@pytest.mark.parametrize("text", [CONFIG, on_a_host_of_its_own()], ids=["below a path", "a host of its own"])
def test_nginx_accepts_it(tmp_path, text):
    assert len(re.findall(r"^\s*proxy_pass http://fer_demo;", text, re.MULTILINE)) == 1
    command = prepared(tmp_path, text, {"80": free_port(), "443": free_port()})
    done = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr


class Proxy:
    """A running nginx: the folder of its logs and temporary files, and its port."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.trust = ssl.create_default_context(cafile=folder / "certificate.pem")

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
        """The response, which also has `text`."""
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.trust, timeout=60)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        response.text = response.read().decode()
        connection.close()
        return response

    def log(self) -> str:
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Backend) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    inner = {str(8501 + i): server.server_address[1] for i, server in enumerate(servers)}
    # What is logged at lower levels says whether a body went to a file.
    text = CONFIG.replace("error.log crit;", "error.log warn;")
    process = subprocess.Popen(prepared(folder, text, {"80": free_port(), "443": port, **inner}))
    proxy = Proxy(folder, port)
    deadline = time.monotonic() + 20
    while True:
        try:
            proxy.ask("/")
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, proxy.log()
            time.sleep(0.1)
    yield proxy
    process.terminate()
    process.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_app_learns_how_it_was_asked(proxy):
    said = json.loads(proxy.ask("/fer/upload/?sid=x", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="http").text)
    assert said["path"] == "/fer/upload/?sid=x" and said["Host"] == f"localhost:{proxy.port}"
    forwarded = [said[f"X-Forwarded-{name}"] for name in ("For", "Host", "Proto")]
    assert forwarded == ["127.0.0.1", f"localhost:{proxy.port}", "https"]


def test_only_the_path_of_the_app_leads_to_it(proxy):
    assert proxy.ask("/elsewhere").status == 404 and proxy.ask("/fer/_stcore/metrics").status == 404
    assert (proxy.ask("/fer").status, proxy.ask("/fer").getheader("Location")) == (308, "/fer/")


def test_a_visitor_stays_with_one_process_and_visitors_are_shared_out(proxy):
    chosen = set()
    for _ in range(20):
        cookie = proxy.ask("/fer/").getheader("Set-Cookie")
        assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
        visitor = cookie.partition(";")[0]
        answers = [proxy.ask("/fer/", Cookie=visitor) for _ in range(3)]
        assert all(answer.getheader("Set-Cookie") is None for answer in answers)
        (port,) = {json.loads(answer.text)["port"] for answer in answers}
        chosen.add(port)
    assert len(chosen) == 2
    assert len({json.loads(proxy.ask("/fer/").text)["port"] for _ in range(5)}) == 1  # a program without cookies


def test_websocket_connections_pass(proxy):
    plain = socket.create_connection(("localhost", proxy.port))
    with proxy.trust.wrap_socket(plain, server_hostname="localhost") as s:
        headers = b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        s.sendall(b"GET /fer/_stcore/stream HTTP/1.1\r\n" + headers)
        assert s.recv(1000).startswith(b"HTTP/1.1 101 ")
        s.sendall(b"hello\n")
        assert s.recv(1000) == b"hello\n"


def test_photos_touch_no_disk_and_have_a_limit(proxy):
    size = 60 << 20
    answer = proxy.ask("/fer/upload/gradio_api/upload", "POST", bytes(size))
    assert json.loads(answer.text)["bytes"] == size
    assert "temporary file" not in proxy.log()
    assert not [p for name in ("body", "proxy") for p in (proxy.folder / name).rglob("*") if p.is_file()]
    assert proxy.ask("/fer/upload/gradio_api/upload", "POST", Content_Length=str(210 << 20)).status == 413


def test_whoever_sends_without_end_is_told_to_wait(proxy):
    statuses = [proxy.ask("/fer/upload/", "POST", b"x").status for _ in range(60)]
    assert 429 in statuses and statuses[0] == 200


def test_the_log_does_not_say_who_asked_for_what(proxy):
    proxy.ask("/fer/photos/anna.jpg?sid=secret")
    (log,) = (p.read_text() for p in proxy.folder.glob("fer-demo.log"))
    assert re.fullmatch(r"\S+T\S+ GET 200 \d+ [\d.]+ 127\.0\.0\.1:\d+", log.splitlines()[-1])
    assert "anna" not in log and "secret" not in log
