"""The few of Gradio's routes that the widget and the API use; nothing else of it can be reached.

Gradio is made for demos: it writes uploads to disk, serves files and recordings, fetches addresses, and answers a
request that it does not understand with an error of its own. Here uploads stay in memory (`fer_demo.web.uploads`), and
whatever does not fit gets a status and a sentence before Gradio sees it.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_demo.web.guard import content_security_policy
from fer_demo.web.uploads import UploadStore

LARGEST_QUESTION = 64 * 1024
"""Bytes of a request that asks something; pictures are uploaded before."""

SECONDS = 20
"""For such a request to arrive."""

API = "/gradio_api"
"""Where Gradio's own routes begin."""

Routes = list[tuple[str, re.Pattern[str]]]
"""Method and path of what Gradio itself answers. A page's own address may end in a slash or not."""


def _routes(*routes: tuple[str, str]) -> Routes:
    return [(method, re.compile(path)) for method, path in routes]


PAGE_ROUTES = _routes(
    ("GET", r"/?"),
    ("GET", r"/config/?"),
    ("GET", r"/theme\.css"),
    ("GET", r"/favicon\.ico"),
    ("GET", r"/(assets|static)/.+"),
    ("GET", rf"{API}/info/?"),
    ("GET", rf"{API}/startup-events"),
    ("GET", rf"{API}/queue/data"),
    ("POST", rf"{API}/queue/join"),
)

UPLOAD_ROUTES = _routes(("GET", rf"{API}/call/predict/[\w-]+"), ("POST", rf"{API}/call/predict/?"))

_NOTHING = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'

# Where the page's script finds its server, as the server sees itself; a proxy may have another address.
_CONFIG = re.compile(r"(<script>window\.gradio_config = .*?;)(</script>)", re.DOTALL)
_ROOT = re.compile(r'const root = "[^"]*";')
_OWN_ROOT = 'window.gradio_config.root = new URL(".", location.href).href.slice(0, -1);'


# gr.HTML makes functions of its templates, also of those that are plain text.
_SCRIPTS = "'unsafe-eval'"


class GradioGate:
    """ASGI application: Gradio behind an allowlist.

    Attributes:
        routes: What Gradio may be asked.
        largest: Bytes of such a request.

    Args:
        app: Gradio's application.
        uploads: Where uploaded files go.
        inputs: Number of inputs of each of Gradio's events by its index, as in its ``config``.
        api_inputs: Number of inputs of the API.
    """

    routes = [*PAGE_ROUTES, *UPLOAD_ROUTES]
    largest = LARGEST_QUESTION

    def __init__(self, app: ASGIApp, uploads: UploadStore, inputs: Mapping[int, int], api_inputs: int) -> None:
        self.app, self.uploads = app, uploads
        self.inputs, self.api_inputs = dict(inputs), api_inputs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._own_answer(request)
            if response is None:
                await self._pass_on(request, send)
                return
        except HTTPException as error:
            # Gradio's programs read either key.
            content = {"error": error.detail, "detail": error.detail}
            response = JSONResponse(content, error.status_code, error.headers)
        await response(scope, receive, send)

    async def _own_answer(self, request: Request) -> Response | None:
        """The answer to what Gradio is not asked; None for what it may answer.

        Raises:
            HTTPException: If the request is refused.
        """
        path, method = path_of(request), request.method
        if method == "POST" and path == f"{API}/upload":
            received = await self.uploads.receive(request, "files")
            return JSONResponse([self.uploads.put(upload) for upload in received])
        if method == "GET" and path == f"{API}/upload_progress":
            # The widget shows progress if it is told any. Files that are small enough for this server arrive at once.
            return PlainTextResponse('data: {"msg": "done"}\n\n', media_type="text/event-stream")
        if method in ("GET", "HEAD") and path.startswith((f"{API}/file=", f"{API}/file/", f"{API}/proxy=")):
            # The widget asks for its own upload back, to show it; the page does that already.
            return Response(_NOTHING, media_type="image/svg+xml")
        known = "GET" if method == "HEAD" else method
        if not any(known == allowed and pattern.fullmatch(path) for allowed, pattern in self.routes):
            raise HTTPException(404, "There is nothing under this address.")
        return None

    async def _pass_on(self, request: Request, send: Send) -> None:
        """Lets Gradio answer."""
        if request.method == "POST":
            question = await _read(request, self.largest)
            self._check(path_of(request), question)
            content = json.dumps(question).encode()
            headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-length"]
            scope = {**request.scope, "headers": [*headers, (b"content-length", str(len(content)).encode())]}
            await self.app(scope, _replay(content, request.receive), send)
        elif path_of(request) in ("", "/"):
            await self.app(request.scope, request.receive, _Page(send))
        else:
            await self.app(request.scope, request.receive, send)

    def _check(self, path: str, question: Any) -> None:
        """Checks a request as far as Gradio would fail at it.

        Raises:
            HTTPException: 422 with one sentence.
        """
        if not isinstance(question, dict):
            raise HTTPException(422, "The request must be a JSON object.")
        number = self.api_inputs
        if path == f"{API}/queue/join":
            number = self._check_joining(question)
        data = question.get("data")
        if not isinstance(data, list) or len(data) != number:
            raise HTTPException(422, f"The request must have data, a list of {number} values.")
        # Only the widget's own event takes several.
        pictures = data[0] if isinstance(data[0], list) and number == 1 else [data[0]]
        if not all(_is_picture(one) for one in pictures) or len(pictures) > self.uploads.limits.request_files:
            raise HTTPException(422, "The picture must be what an upload answered: an object with its path.")
        if len(data) > 1 and not isinstance(data[1], (bool, type(None))):
            raise HTTPException(422, "whole_image must be true or false.")

    def _check_joining(self, question: dict[str, Any]) -> int:
        """Checks what the queue is told; the number of values that its event takes."""
        event = question.get("fn_index")
        if type(event) is not int or event not in self.inputs:
            raise HTTPException(422, f"There is no function {event!r} here; fn_index must be one of /config.")
        session = question.get("session_hash")
        if not isinstance(session, str) or not re.fullmatch(r"[\w.-]{1,100}", session):
            raise HTTPException(422, "The session_hash must be 1 to 100 letters and digits.")
        return self.inputs[event]


def path_of(request: Request) -> str:
    """The path that is asked for, from where Gradio is mounted."""
    path, root = request.scope["path"], request.scope.get("root_path", "")
    return str(path.removeprefix(root))


def _is_picture(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and isinstance(value.get("path"), str))


async def _read(request: Request, largest: int) -> Any:
    """A request's JSON.

    Raises:
        HTTPException: If it is none, too large or too slow.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > largest:
                    raise HTTPException(413, "The request is too large; upload the picture first, and send its path.")
        return json.loads(content)
    except TimeoutError:
        raise HTTPException(408, "The request took too long to arrive.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The request was broken off.") from None
    except (ValueError, RecursionError):
        raise HTTPException(422, "The request is no JSON.") from None


def _replay(content: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": content, "more_body": False}

    return replayed


class _Page:
    """Lets the widget's page look for its server where the page came from, whatever path a proxy put before it."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body") or self.start is None:
            return
        page = self.body.decode()
        page = _CONFIG.sub(lambda found: f"{found[1]}{_OWN_ROOT}{found[2]}", page, count=1)
        page = _ROOT.sub('const root = ".";', page, count=1)
        content = page.encode()
        headers = MutableHeaders(raw=self.start["headers"])
        headers["Content-Length"] = str(len(content))
        headers["Content-Security-Policy"] = content_security_policy(_SCRIPTS)
        await self.send(self.start)
        await self.send({"type": "http.response.body", "body": content})
