"""The private parts of Streamlit and Gradio that the app replaces still do what they are replaced for.

These fail after an update of either; each says what it looked for, where that stood, and which code here relies on it.
"""

import asyncio
import inspect
import sys
import types
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the app extra is not installed")
pytest.importorskip("streamlit", reason="the app extra is not installed")
import gradio as gr
import streamlit

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
        "copies files before a handler runs; look in gradio/processing_utils.py what does, and let gradio_app.py's "
        "leave_it stand before that, or the server reads its own files for visitors."
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


def test_gradio_asks_a_component_before_it_reads_what_a_request_names(monkeypatch):
    """With the component's own road blocked, no file and no address is opened, wherever a payload names it."""
    from gradio import processing_utils

    def opened(*_, **__):
        raise AssertionError("a file was opened")

    why = (
        f"{GRADIO}: gradio/processing_utils.py no longer asks Block.async_move_resource_to_block_cache alone; look "
        "what reads files for a payload now, and let build_widget in fer_demo/web/upload.py stand before that."
    )
    for name in ("save_file_to_cache", "async_ssrf_protected_download", "save_base64_to_cache"):
        assert hasattr(processing_utils, name), why
        monkeypatch.setattr(processing_utils, name, opened)
    from fer_demo.web.gradio_app import leave_it

    with gr.Blocks():
        photo = gr.Image(type="filepath")
    photo.async_move_resource_to_block_cache = leave_it
    payload = {"path": "/etc/passwd", "url": "http://127.0.0.1/", "meta": {"_type": "gradio.FileData"}}
    moved = run(processing_utils.async_move_files_to_cache(payload, photo, check_in_upload_folder=True))
    assert moved["path"] == "/etc/passwd", why


def test_starlette_keeps_forms_in_memory_where_the_limit_is_zero():
    from starlette.formparsers import MultiPartParser

    why = (
        "Starlette: starlette/formparsers.py no longer gives MultiPartParser.spool_max_size to a SpooledTemporaryFile, "
        "for which 0 is no limit; look how uploads stay in memory now, for fer_demo/web/uploads.py and server.py."
    )
    assert isinstance(MultiPartParser.spool_max_size, int), why
    assert "SpooledTemporaryFile(max_size=self.spool_max_size)" in inspect.getsource(MultiPartParser), why


def test_gradios_page_says_where_its_server_is_as_the_gate_expects():
    import re
    from pathlib import Path

    from fer_demo.web import gradio_gate

    page = (Path(gr.__file__).parent / "templates" / "frontend" / "index.html").read_text()
    page = page.replace("{{ config | toorjson }}", "{}").replace("{{ config.get('root', '') | toorjson }}", '"x"')
    why = (
        f"{GRADIO}: the page no longer holds window.gradio_config and `const root` as gradio_gate.py rewrites them; "
        "look in gradio/templates/frontend/index.html, or the widget fails below a path."
    )
    assert len(re.findall(gradio_gate._CONFIG, page)) == 1 and len(re.findall(gradio_gate._ROOT, page)) == 1, why


def test_streamlits_cookie_can_be_read():
    from streamlit.auth_util import get_cookie_with_chunks
    from streamlit.web.server.starlette import starlette_auth_routes

    source = inspect.getsource(starlette_auth_routes)
    assert "set_cookie_with_chunks(" in source and "create_signed_value(cookie_secret, cookie_name" in source, (
        f"{STREAMLIT}: starlette_auth_routes.py no longer signs the user's cookie as fer_demo/web/sign_in.py reads it."
    )
    assert get_cookie_with_chunks(lambda name: b"{}", "x") == b"{}"


def test_gradio_starts_its_queue_with_the_lifespan_of_the_router(monkeypatch, tmp_path):
    from gradio.queueing import Queue

    from fer_demo.web.upload import build_widget

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    started = []
    start = Queue.start
    monkeypatch.setattr(Queue, "start", lambda queue: (started.append(queue), start(queue))[1])

    async def enter():
        widget = build_widget()
        before = len(started)
        async with widget.lifespan(widget.gradio):
            return len(started) - before

    assert run(enter()) > 0, (
        f"{GRADIO}: the queue no longer starts with router.lifespan_context, which app.py enters for the mounted "
        "widget; look in mount_gradio_app of gradio/routes.py what has to be entered now."
    )


def test_a_call_leaves_matplotlib_alone(monkeypatch):
    """While the background loads it, Matplotlib may be there by half."""
    import gradio.utils
    from gradio import route_utils

    import fer_demo.web.gradio_app  # noqa: F401

    assert "MatplotlibBackendMananger()" in inspect.getsource(route_utils)  # Gradio's own spelling
    monkeypatch.setitem(sys.modules, "matplotlib", types.ModuleType("matplotlib"))  # without `use`
    with gradio.utils.MatplotlibBackendMananger():
        pass
