"""What comes from or is meant for somebody else is refused, and every response protects its reader."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from fer_demo.web.guard import Guard, Hosts


async def answer(request):
    return PlainTextResponse("secret", headers={"Access-Control-Allow-Origin": "*"})


async def talk(websocket):
    await websocket.accept()
    await websocket.send_text("secret")


def client(hosts: Hosts) -> TestClient:
    routes = [Route("/{path:path}", answer, methods=["GET", "POST", "OPTIONS"]), WebSocketRoute("/stream", talk)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts, isolated=("/browser/",))]))


LOCAL = Hosts.of_server("localhost")
EVERYWHERE = Hosts.of_server("0.0.0.0", ["fer.example.org", "*.example.net"])


@pytest.mark.parametrize(
    ("hosts", "host", "admitted"),
    [
        (LOCAL, "localhost:8501", True),
        (LOCAL, "LOCALHOST", True),
        (LOCAL, "127.0.0.1:8501", True),
        (LOCAL, "[::1]:8501", True),
        (LOCAL, "evil.example:8501", False),
        (LOCAL, "localhost.evil.example", False),
        (LOCAL, "localhost@evil.example", False),
        (LOCAL, "localhost:eighty", False),
        (LOCAL, "", False),
        (LOCAL, "192.168.1.5", False),
        (EVERYWHERE, "192.168.1.5:8501", True),
        (EVERYWHERE, "[fe80::1]:8501", True),
        (EVERYWHERE, "fer.example.org.", True),
        (EVERYWHERE, "a.example.net", True),
        (EVERYWHERE, "example.net", False),
        (EVERYWHERE, "evil.example", False),
        (Hosts.of_server("192.168.1.5"), "192.168.1.5", True),
    ],
)
def test_hosts(hosts, host, admitted):
    answered = client(hosts).get("/", headers={"Host": host})
    assert answered.status_code == (200 if admitted else 421)
    assert ("secret" in answered.text) is admitted


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "foreign",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9000"},  # another program on the same machine
        {"Origin": "file://localhost"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_other_sites_neither_read_nor_send(method, foreign):
    answered = client(LOCAL).request(method, "/api/predict", headers={"Host": "localhost:8501", **foreign})
    assert answered.status_code == 403 and "other sites" in answered.json()["error"]
    assert not any(name.startswith("access-control") for name in answered.headers)


@pytest.mark.parametrize(
    ("hosts", "host", "own"),
    [
        (LOCAL, "localhost:8501", {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "same-origin"}),
        (LOCAL, "localhost:8501", {"Origin": "https://localhost:8501"}),  # behind a proxy that speaks HTTPS
        (LOCAL, "localhost", {"Origin": "http://localhost:80"}),
        (LOCAL, "localhost:8501", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),  # a link
        (LOCAL, "localhost:8501", {}),  # a program
        (Hosts.of_server(None, origins=["https://ok.example/"]), "127.0.0.1", {"Origin": "https://ok.example"}),
    ],
)
def test_own_pages_links_and_programs_are_welcome(hosts, host, own):
    assert client(hosts).post("/api/predict", headers={"Host": host, **own}).text == "secret"


@pytest.mark.parametrize(
    ("headers", "welcome"),
    [
        ({"Origin": "http://localhost:8501"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, False),  # a name that was pointed to this machine
    ],
)
def test_websockets_too(headers, welcome):
    def listen():
        with client(LOCAL).websocket_connect("/stream", headers={"Host": "localhost:8501"} | headers) as stream:
            return stream.receive_text()

    if welcome:
        assert listen() == "secret"
    else:
        with pytest.raises(WebSocketDisconnect):
            listen()


@pytest.mark.parametrize("status_of", ["/", "/upload/", "/fer/browser/", "/browser/x.js"])
def test_every_response_has_the_headers(status_of):
    headers = client(LOCAL).get(status_of, headers={"Host": "localhost"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "no-referrer" and "camera=(self)" in headers["Permissions-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'self'" in policy and "*" not in policy
    assert ("Cross-Origin-Embedder-Policy" in headers) is ("browser" in status_of)
    assert "access-control-allow-origin" not in headers
