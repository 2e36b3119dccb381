"""Cache of what is computed from a visitor's face: for the visit alone, as the photo is, and for nobody else."""

import numpy as np
import streamlit as st

from fer_demo.explain.face import channel_effect, face_channel_map, face_channels, face_curves, face_map
from pages.common import state

session_cache = st.cache_data(scope="session", max_entries=32, show_spinner=False)


Seen = tuple[str, bytes, int]
"""What an explanation is computed from, in a form that can be compared: model, the crop's pixels, and its side."""


def seen(predictor, face) -> Seen:
    """A face as the functions below take it."""
    return predictor.name, face.crop.tobytes(), face.crop.shape[0]


def _crop(face: Seen) -> np.ndarray:
    return np.frombuffer(bytearray(face[1]), np.uint8).reshape(face[2], face[2])  # writable, as PyTorch wants it


@session_cache
def cached_map(face: Seen, label: str, method: str, layer: str | None, against: str | None = None):
    """`face_map`."""
    return face_map(state.predictor(), _crop(face), label, method=method, layer=layer, against=against)


@session_cache
def cached_curves(face: Seen, label: str, method: str, layer: str | None):
    """`face_curves` of that map."""
    return face_curves(state.predictor(), _crop(face), label, cached_map(face, label, method, layer))


@session_cache
def cached_channels(face: Seen):
    """`face_channels`."""
    return face_channels(state.predictor(), _crop(face))


@session_cache
def cached_effect(face: Seen, gate: str, channel: int, held: dict[str, float]):
    """`channel_effect` and `face_channel_map`."""
    predictor, crop = state.predictor(), _crop(face)
    return channel_effect(predictor, crop, gate, channel, held), face_channel_map(predictor, crop, gate, channel)
