"""Optional sign-in by OpenID Connect, which holds for the pages and for everything that is mounted beside them.

Streamlit does the signing in (``st.login``) and remembers it in a signed cookie; it asks for it in its pages only. It
is on where ``.streamlit/secrets.toml`` has a section ``[auth]``. Programs, which cannot sign in, show a token instead.

Environment:
    FER_DEMO_USERS: Who may come in, separated by commas: e-mail addresses, or ``*@example.org`` for all below a domain.
        Left out, everybody may whom the provider knows.
    FER_DEMO_API_TOKEN: What programs show as ``Authorization: Bearer …``. Left out, none is let in.
"""

import fnmatch
import json
import os
import secrets
from collections.abc import Mapping
from http.cookies import CookieError
from typing import Any

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime.secrets import secrets_singleton

from fer_demo.web.guard import send_sentence

REFUSED = "Please sign in on the application's page first; programs send a token as `Authorization: Bearer …`."


def is_required() -> bool:
    """Whether visitors have to sign in."""
    return bool(secrets_singleton.load_if_toml_exists() and secrets_singleton.get("auth"))


def may_enter(user: Mapping[str, Any]) -> bool:
    """Whether a user is signed in and among those who may come in.

    Args:
        user: What the provider told of them, as in ``st.user``.
    """
    if not user.get("is_logged_in"):
        return False
    admitted = [name.strip().lower() for name in os.environ.get("FER_DEMO_USERS", "").split(",") if name.strip()]
    if not admitted:
        return True
    # An address that the provider has not verified can be anybody's.
    known = str(user.get("email", "")).lower() if user.get("email_verified", True) is True else ""
    return any(fnmatch.fnmatchcase(known, pattern) for pattern in admitted)


def ask() -> None:
    """Goes on if the visitor may come in; otherwise the page ends with the question."""
    if not is_required():
        return
    if may_enter(st.user):
        st.sidebar.button("Sign out", icon=":material/logout:", on_click=st.logout)
        return
    if st.user.is_logged_in:
        st.error("This account has no access here; sign out and use another one, or ask the server's owner.")
        st.button("Sign out", on_click=st.logout)
    else:
        st.title("Facial expressions", anchor=False)
        st.write("Please sign in first.")
        st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
    st.stop()


class SignIn:
    """ASGI middleware: lets nobody to some paths who has not signed in, if that is required.

    Args:
        app: What is protected.
        paths: Names of what is protected; a path with such a part is, whatever the application is served under.
    """

    def __init__(self, app: ASGIApp, paths: frozenset[str]) -> None:
        self.app, self.paths = app, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection."""
        protected = scope["type"] == "http" and not self.paths.isdisjoint(scope["path"].split("/"))
        if protected and is_required() and not (_has_token(Headers(scope=scope)) or may_enter(_signed_in(scope))):
            await send_sentence(send, 401, REFUSED)
            return
        await self.app(scope, receive, send)


def _has_token(headers: Headers) -> bool:
    expected = os.environ.get("FER_DEMO_API_TOKEN", "")
    kind, _, shown = headers.get("authorization", "").partition(" ")
    return bool(expected) and kind.lower() == "bearer" and secrets.compare_digest(shown.encode(), expected.encode())


def _signed_in(scope: Scope) -> dict[str, Any]:
    """What Streamlit's cookie says about who asks; empty if there is none or it is not signed by this server."""
    from streamlit.auth_util import get_cookie_with_chunks
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    try:
        cookies = HTTPConnection(scope).cookies
    except CookieError:
        return {}

    def decoded(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(get_cookie_secret(), name, value.encode("latin-1"))

    content = get_cookie_with_chunks(decoded, USER_COOKIE_NAME)
    try:
        user = json.loads(content) if content else {}
    except ValueError:
        return {}
    return user if isinstance(user, dict) else {}
