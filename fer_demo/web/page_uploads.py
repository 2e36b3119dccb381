"""Limits what one page may send through Streamlit's own uploader, which has a limit for each file only."""

import re
import threading
import time
from collections import deque
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_demo.web.guard import send_sentence
from fer_demo.web.limits import limits

_UPLOAD = re.compile(r".*/_stcore/upload_file/([^/]+)/[^/]+")

WINDOW = 600.0
"""Seconds over which a page's uploads are added up."""


class PageUploads:
    """ASGI middleware: a page may send ``request_mb`` in ten minutes, and all pages ``held_mb``.

    Args:
        app: Streamlit's application.
        clock: Seconds that only grow.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.clock = app, clock
        self._lock = threading.Lock()
        self._sent: deque[tuple[float, str, int]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        upload = _UPLOAD.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if upload is None or scope["method"] not in ("PUT", "POST"):
            await self.app(scope, receive, send)
            return
        session = upload[1]
        if not self._note(session, 0):
            await send_sentence(send, 429, "Too many pictures were sent; try again in some minutes.", int(WINDOW / 10))
            return

        async def counted() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._note(session, len(message.get("body", b"")))
            return message

        await self.app(scope, counted, send)

    def _note(self, session: str, number: int) -> bool:
        """Adds to what a page has sent; whether it may send more."""
        now, sizes = self.clock(), limits()
        with self._lock:
            while self._sent and now - self._sent[0][0] > WINDOW:
                self._sent.popleft()
            if number:
                self._sent.append((now, session, number))
            own = sum(size for _, owner, size in self._sent if owner == session)
            total = sum(size for *_, size in self._sent)
            return own < sizes.request_mb * 2**20 and total < sizes.held_mb * 2**20
