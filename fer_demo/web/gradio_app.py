"""What the two Gradio applications here share: its import, what is replaced in it, and how one is mounted."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
try:
    tempfile.gettempdir()
except FileNotFoundError:  # no folder can be written, and Gradio wants one when it is imported
    tempfile.tempdir = "/dev/shm"  # noqa: S108 - memory
# Gradio would take a folder that all users of this machine share. It makes this one and leaves it empty: uploads stay
# in memory.
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / f"fer_demo_empty_{os.getuid()}"))

import gradio as gr
import gradio.utils
from fastapi import FastAPI
from starlette.types import ASGIApp, Lifespan

from fer_demo.web.answering import visitor_of

# Around every call Gradio sets a backend of Matplotlib, for plots that there are none of here. While PyTorch and Captum
# are still loading in the background, Matplotlib is there by half, and the call, a visitor's first photo, would fail.
gradio.utils.MatplotlibBackendMananger = contextlib.nullcontext  # type: ignore[misc, assignment]


@dataclass(frozen=True)
class Widget:
    """Gradio behind its gate.

    Attributes:
        app: What is to be mounted.
        lifespan: What has to be entered while it is served: Gradio's queue starts and stops there.
        gradio: Gradio's own application.
    """

    app: ASGIApp
    lifespan: Lifespan[FastAPI]
    gradio: FastAPI


def mounted(blocks: gr.Blocks, **options: Any) -> FastAPI:
    """A Gradio application that tells nobody anything, keeps nothing and looks like the pages.

    Args:
        blocks: What it shows.
        **options: Further ones of ``gr.mount_gradio_app``.
    """
    application: FastAPI = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        ssr_mode=False,
        run_history=False,
        footer_links=[],
        allowed_paths=[],
        show_error=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=_theme(),
        **options,
    )
    return application


async def leave_it(path: str | Path | None) -> str | None:
    """Stands for a component's ``async_move_resource_to_block_cache``, which fetches whatever a payload names."""
    return None if path is None else str(path)


def visitor_of_request(request: gr.Request) -> str:
    """Who counts as one visitor."""
    return visitor_of(request.client.host if request.client else None)


def _theme() -> gr.themes.Base:
    """The look of the pages."""
    # The fonts are files inside Gradio: a browser that shows this widget talks to this server alone.
    font: list[gr.themes.Font | str] = [
        gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)),
        "system-ui",
        "sans-serif",
    ]
    mono: list[gr.themes.Font | str] = [
        gr.themes.LocalFont("Source Code Pro", weights=(400,)),
        "ui-monospace",
        "monospace",
    ]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        font=font,
        font_mono=mono,
        radius_size=gr.themes.sizes.radius_md,
    )
