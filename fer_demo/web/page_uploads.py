"""Limits what one page may send through Streamlit's own uploader, which has a limit for each file only."""

import re
import threading
import time
from collections import deque
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_demo.web.guard import send_sentence
from fer_demo.web.limits import limits

_MB = 2**20
_FORM = 2**20  # what a form may have around its file
_UPLOAD = re.compile(r".*/_stcore/upload_file/([^/]+)/[^/]+")

WINDOW = 600.0
"""Seconds over which a page's uploads are added up."""


class PageUploads:
    """ASGI middleware: a page may send ``request_mb`` in ten minutes, and all pages ``held_mb``.

    What is larger than a picture may be is a video, and counted apart: two of ``video_mb`` a page, and
    ``video_held_mb`` of all pages. So videos do not keep pictures from arriving.

    Args:
        app: Streamlit's application.
        clock: Seconds that only grow.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.clock = app, clock
        self._lock = threading.Lock()
        self._sent: deque[tuple[float, str, int, bool]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        upload = _UPLOAD.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if upload is None or scope["method"] not in ("PUT", "POST"):
            await self.app(scope, receive, send)
            return
        session, length = upload[1], Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():
            await send_sentence(send, 411, "Say how long the file is (Content-Length).")
            return
        video = int(length) > limits().upload_mb * _MB + _FORM
        if not self._may(session, int(length), video):
            what = "videos" if video else "pictures"
            await send_sentence(send, 429, f"Too many {what} were sent; try again in some minutes.", int(WINDOW / 10))
            return

        async def counted() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._note(session, len(message.get("body", b"")), video)
            return message

        await self.app(scope, counted, send)

    def _note(self, session: str, number: int, video: bool) -> None:
        """Adds to what a page has sent."""
        with self._lock:
            self._sent.append((self.clock(), session, number, video))

    def _may(self, session: str, number: int, video: bool) -> bool:
        """Whether a page may send so many bytes more; the last picture before a limit may go over it."""
        now, sizes = self.clock(), limits()
        with self._lock:
            while self._sent and now - self._sent[0][0] > WINDOW:
                self._sent.popleft()
            own = sum(size for _, owner, size, kind in self._sent if owner == session and kind == video)
            total = sum(size for *_, size, kind in self._sent if kind == video)
        if video:
            return own + number <= 2 * (sizes.video_mb * _MB + _FORM) and total + number <= sizes.video_held_mb * _MB
        return own < sizes.request_mb * _MB and total < sizes.held_mb * _MB
