"""Cache of what is computed from a visitor's face: for the visit alone, as the photo is, and for nobody else."""

import numpy as np
import streamlit as st

from fer_demo.explain.attention import look
from fer_demo.explain.face import (
    channel_effect,
    face_channel_importance,
    face_channel_map,
    face_channels,
    face_curves,
    face_map,
)
from fer_demo.explain.regions import look_at_regions
from pages.common import state

session_cache = st.cache_data(scope="session", max_entries=32, show_spinner=False)


Seen = tuple[str, bytes, int]
"""What an explanation is computed from, in a form that can be compared: model, the crop's pixels, and its side."""


def seen(face) -> Seen:
    """A face as the functions below take it."""
    return state.files(), face.crop.tobytes(), face.crop.shape[0]


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


@session_cache
def cached_regions(face: Seen, _prediction, label: str):
    """`look_at_regions` of the map by Grad-CAM at the last stage; `_prediction` is the face, for its landmarks."""
    return look_at_regions(state.predictor(), _prediction, label, cached_map(face, label, "gradcam", None))


@session_cache
def cached_importance(face: Seen, label: str, gate: str):
    """`face_channel_importance`."""
    return face_channel_importance(state.predictor(), _crop(face), label, gate)


@session_cache
def cached_look(face: Seen, landmarks: tuple[tuple[float, float], ...] | None):
    """`fer_demo.explain.attention.look`."""
    return look(state.predictor(), _crop(face), None if landmarks is None else np.array(landmarks))
