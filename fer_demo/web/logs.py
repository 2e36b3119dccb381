"""The server's log as JSON lines, for programs that collect logs: without names of files, addresses and queries.

`configure` switches it on where ``FER_DEMO_LOG=json`` is set. Each line has ``time`` (UTC, ISO 8601), ``level``,
``logger`` and ``message``; a line about an error also has ``exception``, and one about a request what `RequestLog`
says.
"""

import ipaddress
import logging
import os
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

from PIL import Image
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VARIABLE = "FER_DEMO_LOG"
"""The environment variable: ``json`` or ``text``, which is what it is without."""

REQUEST_FIELDS = ("method", "route", "status", "milliseconds")
"""What a line about a request has besides."""

REQUESTS = logging.getLogger("fer_demo.requests")

NAME, ADDRESS, QUERY = "[file]", "[address]", "?[query]"
"""What stands where something was taken out."""

_OTHER_SUFFIXES = (".heic", ".heif", ".mov", ".mp4", ".pdf")


class LogError(ValueError):
    """The log cannot be set up as asked for; the message is one sentence that a user can act on."""


def configure(stream: TextIO | None = None) -> bool:
    """Writes JSON lines from now on, if the environment asks for them.

    It takes over the loggers that others have set up, Streamlit's and Uvicorn's among them, and those that they set up
    later. Calling it again changes nothing.

    Args:
        stream: Where the lines go; None is standard error.

    Returns:
        Whether the log is JSON now.

    Raises:
        LogError: If ``FER_DEMO_LOG`` is something else than ``json`` or ``text``, or python-json-logger is missing.
    """
    wanted = os.environ.get(VARIABLE, "").strip().lower() or "text"
    if wanted not in ("json", "text"):
        raise LogError(f"{VARIABLE} is {wanted!r}; set it to json or text, or leave it out.")
    if wanted == "text":
        return False
    try:
        from pythonjsonlogger.json import JsonFormatter
    except ImportError:
        raise LogError(f"{VARIABLE}=json needs python-json-logger; run `pip install python-json-logger`.") from None
    handler = _CleanHandler(stream or sys.stderr)
    names = {"levelname": "level", "name": "logger"}
    form = "%(levelname)s %(name)s %(message)s"
    handler.setFormatter(JsonFormatter(form, rename_fields=names, timestamp="time", json_ensure_ascii=False))
    logging.setLoggerClass(_HandsOn)
    for logger in list(logging.root.manager.loggerDict.values()):
        if type(logger) is logging.Logger:
            logger.handlers.clear()
            logger.propagate = True
            logger.__class__ = _HandsOn
    logging.root.handlers[:] = [handler]
    logging.captureWarnings(True)
    REQUESTS.setLevel(logging.INFO)
    return True


class _HandsOn(logging.Logger):
    """A logger that leaves writing to the root's handler, whatever handlers it is given."""

    def addHandler(self, hdlr: logging.Handler) -> None:
        """Does not take the handler: it would write text, with all that is taken out here."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, True if name == "propagate" else value)


class _CleanHandler(logging.StreamHandler[TextIO]):
    """Writes of a record only what a log may hold."""

    def format(self, record: logging.LogRecord) -> str:
        kept = {name: getattr(record, name) for name in REQUEST_FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            kept["exception"] = list(_exceptions(record.exc_info[1]))
        facts = {name: getattr(record, name) for name in ("name", "levelname", "levelno", "created", "msecs")}
        return super().format(logging.makeLogRecord({**facts, **kept, "msg": redact(record.getMessage())}))


def redact(text: str) -> str:
    """Takes out of a message what may say whose photo it is about.

    Args:
        text: Any text.

    Returns:
        It, without the names of pictures, films and documents, paths in the folder for temporary files, network
        addresses, and what stands behind the question mark of an address. What stands before such a name in its line
        goes with it, since nothing tells where a name with spaces begins.
    """
    suffixes = {suffix[1:] for suffix in (*Image.registered_extensions(), *_OTHER_SUFFIXES)}
    folders = [folder for folder in (os.environ.get("GRADIO_TEMP_DIR"), _temporary_folder()) if folder]
    text = re.sub(rf"[^\n]*\.({'|'.join(map(re.escape, sorted(suffixes)))})(?!\w)", NAME, text, flags=re.IGNORECASE)
    for folder in folders:
        text = re.sub(re.escape(folder) + r"/[^\n]*", NAME, text)
    text = re.sub(r"(?<=[\w/])\?[^\s\"'<>]*=[^\s\"'<>]*", QUERY, text)
    return re.sub(r"[0-9A-Fa-f:.]*[0-9A-Fa-f][0-9A-Fa-f:.]*", _no_address, text)


def _no_address(found: re.Match[str]) -> str:
    address, colon, port = found[0].rpartition(":")
    for host, rest in ((found[0], ""), (found[0].rstrip(".:"), ""), (address, colon + port)):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            continue
        return ADDRESS + rest
    return found[0]


def _temporary_folder() -> str | None:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:  # there is none
        return None


def _exceptions(error: BaseException | None) -> Iterator[dict[str, Any]]:
    """An exception and those behind it: the type, and where it came by. Messages hold what visitors sent."""
    while error is not None:
        kind = type(error)
        places = [f"{f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        yield {"type": f"{kind.__module__}.{kind.__qualname__}", "traceback": places}
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class RequestLog:
    """ASGI middleware that logs each request: ``method``, ``route``, ``status`` and ``milliseconds``.

    The route is its template (``/upload/file={path}``), so that no name, ticket or query is in it; ``none`` where no
    route fits. Who asked is not logged. With a text log nothing is written.

    Args:
        app: The application around which it stands.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request and logs it, also if the application fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        before, start, status = scope.get("root_path", ""), time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            values = (scope["method"], _template(scope, before), status, round(1000 * (time.perf_counter() - start), 1))
            fields = dict(zip(REQUEST_FIELDS, values, strict=True))
            REQUESTS.info("%s %s %d", *values[:3], extra=fields)


def _template(scope: Scope, before: str) -> str:
    """The route that served a request; routers leave it in the scope."""
    mounted = scope.get("root_path", "").removeprefix(before)
    route = scope.get("route")
    if route is None:
        return "none"
    return f"{mounted}/{{path}}" if isinstance(route, Mount) else mounted + route.path
