"""What every request has to pass and every response carries: the application's security boundary.

A page of somebody else that a visitor has open must neither read an answer nor send a picture. Browsers say where a
request comes from (``Origin``, ``Sec-Fetch-Site``) and for whom it is meant (``Host``); what does not fit is refused.
"""

import ipaddress
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to

_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

# Streamlit and Gradio put scripts (Streamlit's components as blobs) and styles into their pages, so these cannot be
# forbidden; whatever would talk to another host is.
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": "'self'",
    "frame-ancestors": "'self'",
    "form-action": "'self'",
    "base-uri": "'self'",
    "object-src": "'none'",
}


def content_security_policy(scripts: str = "") -> str:
    """The header for a page.

    Args:
        scripts: What its scripts need beyond the others'.
    """
    policy = _POLICY | {"script-src": f"{_POLICY['script-src']} {scripts}".rstrip()}
    return "; ".join(f"{name} {value}" for name, value in policy.items())


_ISOLATED = {"Cross-Origin-Embedder-Policy": "require-corp"}


@dataclass(frozen=True)
class Hosts:
    """The names under which a server answers.

    A page that has its own name resolved to this machine, to read what only this machine may see (DNS rebinding), has
    a foreign name in ``Host``. It cannot have a bare address there.

    Attributes:
        names: Host names and addresses in lower case, without ports; ``"*"`` is any, ``"*.example.org"`` any below.
        any_address: Whether every bare IP address is admitted, since the server listens on all of them.
        origins: Other origins that may send requests, as browsers write them: ``"https://example.org"``.
    """

    names: frozenset[str]
    any_address: bool = False
    origins: frozenset[str] = frozenset()

    @classmethod
    def of_server(cls, bound: str | None, told: Iterable[str] = (), origins: Iterable[str] = ()) -> "Hosts":
        """The names of a server.

        Args:
            bound: The address or name that it listens on; None or a wildcard is all addresses.
            told: Further names that it was given.
            origins: See `origins`; their hosts are admitted too.
        """
        everywhere = (bound or "") in _WILDCARDS
        names = {"localhost", "127.0.0.1", "::1", *map(str.lower, told)}
        if everywhere:
            names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        elif bound:
            names.add(bound.lower())
        return cls(frozenset(names), everywhere, frozenset(origin.rstrip("/").lower() for origin in origins))

    def admit(self, host: str | None) -> bool:
        """Whether a ``Host`` header names this server."""
        try:
            parts = urlsplit(f"//{host or ''}")
            name, _ = parts.hostname, parts.port  # the port must be a number
        except ValueError:
            return False
        if not name or parts.netloc != host or parts.username is not None:
            return False
        name = name.rstrip(".")
        if name in self.names or "*" in self.names:
            return True
        if any(name.endswith(wild[1:]) for wild in self.names if wild.startswith("*.")):
            return True
        return self.any_address and _is_address(name)

    def same_origin(self, origin: str, host: str) -> bool:
        """Whether an ``Origin`` header names the server that ``Host`` names, or one of `origins`."""
        origin = origin.lower()
        scheme, _, netloc = origin.partition("://")
        if scheme not in ("http", "https"):
            return False
        default = {"http": ":80", "https": ":443"}[scheme]
        return netloc.removesuffix(default) == host.lower().removesuffix(default) or origin in self.origins


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware: refuses what is not meant for this server, and adds the headers that protect its visitors.

    Args:
        app: What is protected.
        hosts: The names under which it answers.
        isolated: Paths whose pages are cut off from all others, so that the browser lends them several threads.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, isolated: tuple[str, ...] = ()) -> None:
        self.app, self.hosts, self.isolated = app, hosts, isolated
        self.policy = content_security_policy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(headers)
        if refused and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1][:120]})
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._protect(scope["path"], MutableHeaders(raw=message["headers"]))
            await send(message)

        if refused:
            await send_sentence(send_protected, *refused)
        else:
            await self.app(scope, receive, send_protected)

    def _refusal(self, headers: Headers) -> tuple[int, str] | None:
        """Status and sentence if a request is refused."""
        host = headers.get("host")
        if not self.hosts.admit(host):
            return 421, (
                "This server does not answer under the name that was asked for; its owner can add it to "
                "server.allowedHosts."
            )
        origin = headers.get("origin")
        if origin is not None:
            foreign = not self.hosts.same_origin(origin, host or "")
        else:  # scripts and images of other pages; a link to this server is a navigation and welcome
            site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
            foreign = site == "cross-site" and mode not in ("navigate", None)
        return (403, "Requests from the pages of other sites are refused.") if foreign else None

    def _protect(self, path: str, headers: MutableHeaders) -> None:
        for name in [name for name in headers if name.startswith("access-control-")]:
            del headers[name]  # Gradio lets every site read it
        for name, value in _COMMON.items():
            headers[name] = value
        headers.setdefault("Content-Security-Policy", self.policy)
        if any(f"/{part.strip('/')}/" in path for part in self.isolated):
            for name, value in _ISOLATED.items():
                headers[name] = value


async def send_sentence(send: Send, status: int, sentence: str, retry_after: int | None = None) -> None:
    """Answers a request with ``{"error": sentence}``."""
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
