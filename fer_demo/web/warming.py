"""Loads what explanations need before anybody asks for one: PyTorch, Captum and the network, which take seconds.

``FER_DEMO_WARM_UP=0`` leaves that to the first visitor of the Explain page, and half a gigabyte of memory free until
then.
"""

import logging
import os
import threading
import time
from contextlib import suppress

VARIABLE = "FER_DEMO_WARM_UP"

LOG = logging.getLogger("fer_demo.warming")

QUIET_SHARE = 0.25
"""Of a core, over `QUIET_SECONDS`: a process that uses less is not drawing a page."""

QUIET_SECONDS = 1.0

PATIENCE_SECONDS = 20.0
"""A server that is never quiet is warmed all the same: its visitors need it most."""

NICENESS = 5
"""Below everything else, but not the lowest: the thread holds Python's lock at times, and others wait for it then."""


def warm_up() -> threading.Thread | None:
    """Starts a thread that waits until the first pages are drawn, then loads everything and explains a grey crop.

    What goes wrong there is written to the log only: the page that needs it says so in its own words.

    Returns:
        The thread; None if ``FER_DEMO_WARM_UP`` is 0.
    """
    if os.environ.get(VARIABLE, "").strip() == "0":
        return None
    thread = threading.Thread(target=_warm, name="warm-up", daemon=True)
    thread.start()
    return thread


def _warm() -> None:
    with suppress(AttributeError, OSError):  # only Linux has priorities of threads; elsewhere it goes without
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    _wait_until_quiet()
    start = time.perf_counter()
    try:
        _load()
    except Exception:  # whatever it is, the server goes on without
        LOG.warning("Explanations could not be loaded ahead; the first one will take longer.", exc_info=True)
    else:
        LOG.info("Explanations are ready after %.1f s.", time.perf_counter() - start)


def _wait_until_quiet() -> None:
    """Returns when this process has used little of the processor for a while, or has never been quiet for long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        used, began = time.process_time(), time.monotonic()
        time.sleep(QUIET_SECONDS)
        if time.process_time() - used < QUIET_SHARE * (time.monotonic() - began):
            return


def _load() -> None:
    import numpy as np

    from fer_demo.web.models import default_model
    from fer_demo.web.shared import shared_predictor

    predictor = shared_predictor()
    if not default_model().explainable:
        return
    size = predictor.input_size[0]
    crop = np.full((size, size), 128, np.uint8)
    predictor.classify([crop])
    # The modules of the page besides, so that it finds them loaded.
    from fer_demo.explain import figures, regions, report  # noqa: F401
    from fer_demo.explain.face import face_map

    face_map(predictor, crop, predictor.labels[0])
