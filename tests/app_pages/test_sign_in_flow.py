"""Sign-in from end to end: the application, a browser's requests, and a provider of OpenID Connect made for this."""

import secrets
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

pytest.importorskip("authlib", reason="Authlib is not installed, which Streamlit's sign-in needs")
from joserfc import jwt
from joserfc.jwk import RSAKey
from streamlit.auth_util import encode_provider_token
from streamlit.runtime.secrets import secrets_singleton

from tests.load.serving import free_port
from tests.load.serving import serve as serve_app

ROOT = Path(__file__).parents[2]
CLIENT = "the application"
SECRET = secrets.token_hex(32)

pytestmark = pytest.mark.processes


class Provider:
    """Signs everybody in as one user, without asking."""

    def __init__(self, email: str) -> None:
        self.email, self.url = email, ""
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.nonces: dict[str, str] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    async def configuration(self, _):
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse(
            {"issuer": self.url, **{name: f"{self.url}{end}" for name, end in ends.items()}}
            | {"response_types_supported": ["code"], "id_token_signing_alg_values_supported": ["RS256"]}
        )

    async def authorize(self, request):
        query = request.query_params
        code = secrets.token_urlsafe()
        self.nonces[code] = query.get("nonce", "")
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}", 302)

    async def token(self, request):
        code = parse_qs((await request.body()).decode())["code"][0]
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "1", "email": self.email, "iat": now, "exp": now + 600}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims | {"nonce": self.nonces.pop(code)}, self.key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token, "expires_in": 600})

    async def keys(self, _):
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


@pytest.fixture
def provider(serve):
    made = Provider("ann@example.org")
    with serve(made.app) as made.url:
        yield made


@pytest.fixture
def url(provider, tmp_path):
    port = free_port()
    url = f"http://localhost:{port}"
    (tmp_path / "secrets.toml").write_text(
        f'[auth]\nredirect_uri = "{url}/oauth2callback"\ncookie_secret = "{SECRET}"\n'
        f'client_id = "{CLIENT}"\nclient_secret = "s"\n'
        f'server_metadata_url = "{provider.url}.well-known/openid-configuration"\n'
    )
    options = ["--secrets.files", str(tmp_path / "secrets.toml")]
    settings = {"FER_DEMO_USERS": "*@example.org", "FER_DEMO_API_TOKEN": "program"}
    with serve_app(tmp_path / "app", port=port, options=options, **settings) as server:
        yield server.url


def sign_in(browser: httpx.Client, url: str, provider: Provider) -> None:
    """Follows the redirects that a browser follows."""
    # What the page's button gives: Streamlit signs the provider's name.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets_singleton, "load_if_toml_exists", lambda: True)
        patch.setattr(secrets_singleton, "_secrets", {"auth": {"cookie_secret": SECRET}})
        address = f"{url}/auth/login?{urlencode({'provider': encode_provider_token('default')})}"
    asked = browser.get(address)
    while asked.is_redirect:
        address = asked.headers["Location"]
        if not urlsplit(address).netloc:
            address = url + address
        asked = browser.get(address)


def test_nothing_is_open_before_signing_in_and_everything_after(url, provider, astronaut):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(astronaut).save(file, "JPEG")
    files = {"file": ("a.jpg", file.getvalue())}
    with httpx.Client(timeout=60) as browser:
        for path in ("upload/", "upload/config", "api/openapi.json", "browser/"):
            assert browser.get(f"{url}/{path}").status_code == 401, path
        assert browser.post(f"{url}/api/predict", files=files).status_code == 401
        sign_in(browser, url, provider)
        assert browser.get(f"{url}/upload/config").status_code == 200
        assert len(browser.post(f"{url}/api/predict", files=files).json()["faces"]) == 1
    token = {"Authorization": "Bearer program"}
    assert httpx.post(f"{url}/api/predict", files=files, headers=token, timeout=60).status_code == 200
    with httpx.Client(timeout=60) as stranger:
        provider.email = "eve@elsewhere.example"
        sign_in(stranger, url, provider)
        assert stranger.post(f"{url}/api/predict", files=files).status_code == 401
