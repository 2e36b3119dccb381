"""The few of Gradio's routes that a camera's pictures need; see `fer_demo.web.gradio_gate`."""

import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Send

from fer_demo.web.gradio_gate import API, PAGE_ROUTES, GradioGate, path_of

STREAM = re.compile(rf"{API}/stream/[\w-]{{1,64}}(/close)?")
"""Where a camera's later pictures go, and where it says that there will be none; the first one joins the queue."""

_HEARTBEAT = re.compile(rf"{API}/heartbeat/[\w.-]{{1,100}}")

_FRAME = re.compile(r"data:image/(jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}")


class CameraGate(GradioGate):
    """The same for a camera's pictures, which come inside of the questions; there are no uploads and no API."""

    routes = [*PAGE_ROUTES, ("POST", STREAM)]
    largest = 2 * 2**20

    async def _own_answer(self, request: Request) -> Response | None:
        path = path_of(request)
        if path in (f"{API}/upload", f"{API}/upload_progress"):
            raise HTTPException(404, "There is nothing under this address.")
        if request.method == "GET" and _HEARTBEAT.fullmatch(path):
            # A page with a stream asks for it, to keep its session, of which there is none here; one beat is enough.
            return PlainTextResponse("data: ALIVE\n\n", media_type="text/event-stream")
        return await super()._own_answer(request)

    async def _pass_on(self, request: Request, send: Send) -> None:
        if path_of(request).endswith("/close"):  # it has no content
            await self.app(request.scope, request.receive, send)
        else:
            await super()._pass_on(request, send)

    def _check(self, path: str, question: Any) -> None:
        if not isinstance(question, dict):
            raise HTTPException(422, "The request must be a JSON object.")
        if path == f"{API}/queue/join":
            self._check_joining(question)
        data = question.get("data")
        if not isinstance(data, list) or len(data) != 1:
            raise HTTPException(422, "The request must have data, a list of 1 value.")
        if not (data[0] is None or _is_frame(data[0])):
            raise HTTPException(422, "The picture must be an object with its url, a JPEG, PNG or WebP as data:.")


def _is_frame(value: Any) -> bool:
    # Gradio would fetch another address, and open a path.
    if not isinstance(value, dict) or value.get("path") is not None:
        return False
    url = value.get("url")
    return isinstance(url, str) and _FRAME.fullmatch(url) is not None
