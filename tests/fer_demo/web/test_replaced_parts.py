"""The private parts of Streamlit and Gradio that the app replaces still do what they are replaced for.

These fail after an update of either; each says what it looked for, where that stood, and which code here relies on it.
"""

import asyncio
import inspect
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the app extra is not installed")
pytest.importorskip("streamlit", reason="the app extra is not installed")
import gradio as gr
import streamlit
from fastapi import FastAPI

STREAMLIT = f"Streamlit {streamlit.__version__}"
GRADIO = f"Gradio {gr.__version__}"


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine in a thread: a browser that earlier tests drove keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def test_streamlit_finds_a_pages_folder_unless_the_flag_is_set(tmp_path, monkeypatch):
    why = (
        f"{STREAMLIT}: streamlit/runtime/pages_manager.py no longer reads PagesManager.uses_pages_directory as app.py "
        "expects, which sets it to False; look how st.navigation and PagesManager take pages/ for pages now."
    )
    from streamlit.runtime.pages_manager import PagesManager

    assert "uses_pages_directory" in vars(PagesManager), why
    (tmp_path / "pages").mkdir()
    for before, after in ((None, True), (False, False)):
        monkeypatch.setattr(PagesManager, "uses_pages_directory", before)
        PagesManager(str(tmp_path / "app.py"))
        assert PagesManager.uses_pages_directory is after, why


def test_streamlit_runs_the_script_itself_where_the_flag_is_false():
    from streamlit.runtime.scriptrunner import script_runner

    assert "if PagesManager.uses_pages_directory:" in inspect.getsource(script_runner), (
        f"{STREAMLIT}: streamlit/runtime/scriptrunner/script_runner.py no longer asks "
        "PagesManager.uses_pages_directory before it runs a script; look whether a link to a page still opens inside "
        "app.py when it is the first request after a start."
    )


def test_gradio_moves_payloads_through_the_component():
    from gradio.blocks import Block
    from gradio.processing_utils import async_move_files_to_cache

    moved = []

    async def move(path):
        moved.append(path)
        return path

    name = "async_move_resource_to_block_cache"
    original = getattr(Block, name, None)
    why = (
        f"{GRADIO}: gradio.blocks.Block.{name}(url_or_file_path), a coroutine, is no longer what fetches addresses and "
        "copies files before a handler runs; look in gradio/processing_utils.py what does, and let upload.py's "
        "_only_uploads guard that, or the server reads its own files for visitors."
    )
    assert original is not None and inspect.iscoroutinefunction(original), why
    assert list(inspect.signature(original).parameters) == ["self", "url_or_file_path"], why
    with gr.Blocks():
        photo = gr.Image(type="filepath")
    setattr(photo, name, move)
    link = "http://127.0.0.1/x.png"
    payload = {"path": link, "meta": {"_type": "gradio.FileData"}}
    run(async_move_files_to_cache(payload, photo, check_in_upload_folder=True))
    assert moved == [link], why


def gets(app: FastAPI, start: str) -> set[str]:
    """Paths below `start` that answer GET, their parameters without names."""
    paths = app.openapi()["paths"].items()
    return {re.sub(r"{.*?}", "{}", path) for path, methods in paths if "get" in methods and path.startswith(start)}


@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")  # one function answers three times
def test_gradio_serves_files_where_these_routes_are_covered(monkeypatch, tmp_path):
    from gradio.routes import API_PREFIX, App

    from fer_demo.web.upload import build_gradio

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with gr.Blocks() as blocks:
        pass
    theirs = {path for start in ("file", "proxy") for path in gets(App.create_app(blocks), f"{API_PREFIX}/{start}")}
    assert theirs == gets(build_gradio(), ""), (
        f"{GRADIO}: gradio/routes.py serves files and fetches addresses under other routes than those that "
        "build_gradio in fer_demo/web/upload.py covers with _show_nothing; cover the same."
    )


def test_gradio_starts_its_queue_with_the_lifespan_of_the_router(monkeypatch, tmp_path):
    from gradio.queueing import Queue

    from fer_demo.web.upload import build_gradio

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    started = []
    start = Queue.start
    monkeypatch.setattr(Queue, "start", lambda queue: (started.append(queue), start(queue))[1])

    async def enter():
        upload = build_gradio()
        before = len(started)
        async with upload.router.lifespan_context(upload):
            return len(started) - before

    assert run(enter()) > 0, (
        f"{GRADIO}: the queue no longer starts with router.lifespan_context, which app.py enters for the mounted "
        "widget; look in mount_gradio_app of gradio/routes.py what has to be entered now."
    )
