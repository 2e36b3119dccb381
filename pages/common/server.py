"""Everything that the application serves besides its pages, and what protects them; app.py hands it to Streamlit."""

import math
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import FrameType
from typing import Any

from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp
from streamlit import config

from fer_demo.web.answering import desk
from fer_demo.web.api import build_api
from fer_demo.web.browser_page import ADDRESS, BrowserPage
from fer_demo.web.camera import ADDRESS as CAMERA
from fer_demo.web.camera import build_camera
from fer_demo.web.guard import Guard, Hosts
from fer_demo.web.limits import LimitError, limits
from fer_demo.web.logs import LogError, RequestLog, configure
from fer_demo.web.page_uploads import PageUploads
from fer_demo.web.shared import ModelError, check_default
from fer_demo.web.upload import build_widget
from fer_demo.web.video_desk import video_desk
from fer_demo.web.warming import warm_up
from pages.common.sign_in import SignIn

GRACE_SECONDS = 8.0
"""For requests to be answered after the server was told to end; Docker kills after ten."""

BROWSER = ADDRESS.strip("/")


def lifespan_and_routes() -> tuple[Any, list[BaseRoute]]:
    """What `streamlit.App` takes as ``lifespan`` and ``routes``."""
    try:
        configure()
        sizes = limits()
        check_default()
    except (LogError, LimitError, ModelError) as error:
        raise SystemExit(str(error)) from None
    # For every file that Streamlit's own uploader takes; each uploader states its own limit, and PageUploads adds up.
    config.set_option("server.maxUploadSize", math.ceil(max(sizes.upload_mb, sizes.video_mb)))
    # Streamlit's own uploader parses its forms with this class, which would write what is larger to a file.
    MultiPartParser.spool_max_size = 0
    widget, camera = build_widget(), build_camera()
    applications: dict[str, ASGIApp] = {
        "upload": widget.app,
        "api": build_api(),
        BROWSER: BrowserPage(),
        CAMERA.strip("/"): camera.app,
    }
    # Below the path that Streamlit serves its pages under, and without it for a proxy that takes the path away.
    base = (config.get_option("server.baseUrlPath") or "").strip("/")
    prefixes = [f"/{base}", ""] if base else [""]
    routes = [Mount(f"{prefix}/{name}", app=app) for prefix in prefixes for name, app in applications.items()]

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        # Mounted applications do not get their lifespan run, and Gradio's queue needs it.
        contexts: list[AbstractAsyncContextManager[Any]] = [w.lifespan(w.gradio) for w in (widget, camera)]
        _end_in_time()
        warm_up()
        async with contexts[0], contexts[1]:
            try:
                yield
            finally:
                desk().close()
                video_desk().close()

    return lifespan, list(routes)


def _end_in_time() -> None:
    """Has the process end soon after it was told to, whatever visitors are still sending or waiting for.

    Uvicorn waits for every request, and Streamlit gives it no limit. Nothing is lost: nothing is on disk.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # served by a test, or by a program that sees to its own end
    before = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        timer = threading.Timer(GRACE_SECONDS, os._exit, (128 + number,))
        timer.daemon = True
        timer.start()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, end)


def middleware() -> list[Middleware]:
    """What `streamlit.App` takes as ``middleware``: the outermost first."""
    option = config.get_option
    bound = option("server.address")
    told = [*option("server.allowedHosts"), option("browser.serverAddress") or ""]
    hosts = Hosts.of_server(bound, filter(None, told), option("server.corsAllowedOrigins") or ())
    return [
        Middleware(RequestLog),
        Middleware(Guard, hosts=hosts, isolated=(ADDRESS,)),
        Middleware(SignIn, paths=frozenset({"upload", "api", BROWSER, CAMERA.strip("/")})),
        Middleware(PageUploads),
    ]
