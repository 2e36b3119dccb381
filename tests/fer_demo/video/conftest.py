"""Clips that are made once, and a predictor."""

import pytest

pytest.importorskip("av", reason="the video extra is not installed")

from fer_demo import Predictor
from fer_demo.video import clips


@pytest.fixture(scope="session")
def reader() -> Predictor:
    return Predictor("fer_sedense_nano.photos_fer2013", threads=1)


@pytest.fixture(scope="session")
def crossing() -> bytes:
    return clips.encode(clips.crossing(), sound=True)


@pytest.fixture(scope="session")
def short() -> bytes:
    """One second with one face, with sound."""
    return clips.encode(clips.still(320, 240, seconds=1.0), sound=True)
