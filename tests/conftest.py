"""Shared fixtures. `FER2013_DIR` names the folder (or file) of the data; tests that need it skip without it."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import fer_demo  # noqa: F401  (before any test module imports ONNX Runtime by itself, which would report home)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)  # the networks are small: several threads mostly wait for each other


@contextmanager
def _serve(app, **options) -> Iterator[str]:
    import uvicorn

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def run_async() -> Callable[[Coroutine], object]:
    """`asyncio.run` in a thread of its own: in the tests' own, Playwright's event loop may be running."""

    def run(coroutine):
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, coroutine).result()

    return run


@pytest.fixture(scope="session")
def serve():
    """``with serve(app) as url``: an ASGI application on a free port."""
    pytest.importorskip("uvicorn", reason="the app extra is not installed")
    return _serve


@pytest.fixture(scope="session")
def fer2013_path() -> str:
    path = os.environ.get("FER2013_DIR")
    if not path or not os.path.exists(path):
        pytest.skip("FER2013 is not here: set FER2013_DIR to the path of fer2013.csv or its folder")
    return path


@pytest.fixture(scope="session")
def fer2013(fer2013_path):
    from training.data import load_faces

    return load_faces(fer2013_path)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A photo with one smiling face: uint8 RGB (512, 512, 3)."""
    from skimage import data

    return data.astronaut()


@pytest.fixture(scope="session")
def wild_dir() -> Path:
    """Labelled photographs as `training.eval.photos.read_photos` takes them."""
    return _folder("FER_WILD_DIR", "labelled photographs are not here")


@pytest.fixture(scope="session")
def photos_dir() -> Path:
    """Photographs with faces, of any kind."""
    return _folder("FER_PHOTOS_DIR", "photographs are not here")


def _folder(variable: str, missing: str) -> Path:
    path = os.environ.get(variable)
    if not path or not os.path.isdir(path):
        pytest.skip(f"{missing}: set {variable} to their folder")
    return Path(path)
