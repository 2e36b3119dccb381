"""Where sign-in is on, it holds for the widget and the API too."""

import json

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

pytest.importorskip("streamlit", reason="the app extra is not installed")
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from pages.common.sign_in import SignIn, may_enter

SECRET = "a secret of thirty-two characters"
USER = {"is_logged_in": True, "email": "ann@example.org", "origin": "http://testserver"}


@pytest.fixture
def client() -> TestClient:
    async def answer(request):
        return PlainTextResponse("inside")

    middleware = [Middleware(SignIn, paths=frozenset({"upload", "api"}))]
    return TestClient(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])], middleware=middleware))


@pytest.fixture
def required(monkeypatch):
    monkeypatch.setattr(secrets_singleton, "load_if_toml_exists", lambda: True)
    monkeypatch.setattr(secrets_singleton, "_secrets", {"auth": {"cookie_secret": SECRET}})
    monkeypatch.delenv("FER_DEMO_USERS", raising=False)
    monkeypatch.delenv("FER_DEMO_API_TOKEN", raising=False)


def cookie(user: object, secret: str = SECRET, name: str = USER_COOKIE_NAME) -> dict[str, str]:
    return {"Cookie": f"{USER_COOKIE_NAME}={create_signed_value(secret, name, json.dumps(user)).decode()}"}


PROTECTED = ["/upload/", "/upload/gradio_api/upload", "/api/predict", "/fer/api/predict", "/a/b/upload/"]


@pytest.mark.parametrize("path", PROTECTED)
def test_nobody_gets_past_it(client, required, path):
    for headers in (
        {},
        {"Cookie": f"{USER_COOKIE_NAME}=nonsense"},
        cookie(USER, secret="another secret of some length ...."),
        cookie(USER, name="_streamlit_user_tokens"),
        cookie(USER | {"is_logged_in": False}),
        cookie({}),
        cookie([]),
        cookie("text"),
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer guess"},
    ):
        answer = client.post(path, headers=headers)
        assert answer.status_code == 401 and "sign in" in answer.json()["error"]


@pytest.mark.parametrize("path", PROTECTED)
def test_who_has_signed_in_gets_in(client, required, path):
    assert client.get(path, headers=cookie(USER)).text == "inside"


def test_programs_show_a_token(client, required, monkeypatch):
    monkeypatch.setenv("FER_DEMO_API_TOKEN", "long token")
    assert client.post("/api/predict", headers={"Authorization": "Bearer long token"}).text == "inside"
    assert client.post("/api/predict", headers={"Authorization": "Bearer long toke"}).status_code == 401
    assert client.post("/api/predict", headers={"Authorization": "Basic long token"}).status_code == 401


def test_the_pages_ask_themselves(client, required):
    assert client.get("/").text == "inside"


def test_it_is_off_unless_it_is_wanted(client, monkeypatch):
    monkeypatch.setattr(secrets_singleton, "load_if_toml_exists", lambda: False)
    assert client.post("/api/predict").text == "inside"


@pytest.mark.parametrize(
    ("users", "user", "may"),
    [
        ("", USER, True),
        ("ann@example.org", USER, True),
        ("bob@example.org, *@EXAMPLE.org", USER, True),
        ("bob@example.org", USER, False),
        ("*@example.org", USER | {"email": "ann@evil-example.org"}, False),
        ("*@example.org", USER | {"email": None}, False),
        ("ann@example.org", USER | {"email_verified": False}, False),
        ("ann@example.org", USER | {"email_verified": True}, True),
        ("", {}, False),
        ("", {"is_logged_in": False}, False),
    ],
)
def test_who_may_come_in(monkeypatch, users, user, may):
    monkeypatch.setenv("FER_DEMO_USERS", users)
    assert may_enter(user) is may
