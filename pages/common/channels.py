"""The channels on the Explain page: those that the answer hangs on, what one of them does, and all weights."""

import zlib

import numpy as np
import streamlit as st

from fer_demo.annotate import enlarge
from fer_demo.explain import figures as draw
from fer_demo.explain.channel_figures import effect_bars, gate_heatmap, importance_bars
from pages.common import look, state
from pages.common.cache import Seen, cached_channels, cached_effect, cached_importance, seen
from pages.common.notes import note

WEIGHTS = "the weights"


def channels(predictor, face) -> None:
    """The channels that count most for the answer, what one of them does, and all weights."""
    weights = cached_channels(seen(face))
    st.subheader("What its channels say", anchor=False)
    if not weights:
        st.markdown("This network has no squeeze-and-excitation, whose channel weights are shown here.")
        return
    counts = sorted({len(own) for own in weights.values()})
    count = f"{counts[0]} channels" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} channels"
    st.markdown(
        f"A channel is a picture that the network draws of the face, one for each thing that it has learned to look "
        f"for. Each block ends in squeeze-and-excitation: {count}, each let through with a weight from 0 to 1 that "
        "the network chooses for this face. Here each channel of a block was shut, one at a time, to see which of "
        "them the answer hangs on."
    )
    average = _average(face.label, weights)
    block = f"block {predictor.name} {zlib.crc32(face.crop)}"
    gates = list(weights)
    st.session_state.setdefault(block, gates[-1])
    gate = st.selectbox("Block", gates, key=block, format_func=draw.block_title, width=240)
    with st.spinner("Shutting one channel after the other …"):
        changes = cached_importance(seen(face), face.label, gate)
    order = [int(channel) for channel in np.argsort(-np.abs(changes), kind="stable")]
    look.chart(
        importance_bars(changes),
        f"The channels of {draw.block_title(gate)} whose shutting changes the answer most",
        key="importance",
    )
    others = np.abs(changes[order[10:]])
    rest = f" None of the other {len(others)} changes it by more than {others.max():.3f}." if len(others) else ""
    note(f"Red: '{face.label}' loses without it. Blue, hatched: it gains.{rest}")
    channel = st.selectbox(
        "Channel",
        order,
        key=_channel_key(block, gate),
        format_func=lambda one: f"{one} ({changes[one]:+.3f} when shut)",
        width=240,
    )
    _one_channel(seen(face), gate, channel, float(weights[gate][channel]), face.label, average)
    if st.toggle("Show the weights of all blocks", key="all_weights"):
        _all_weights(weights, average, face.label, block)


def _average(label: str, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean weights of a class, gate by gate; empty where they did not come with this model."""
    means = state.figures("channels.json").get("means")
    try:
        found = {gate: np.array(by_class[label], float) for gate, by_class in dict(means or {}).items()}
    except (KeyError, TypeError, ValueError):  # of another model's classes
        return {}
    return found if {gate: len(own) for gate, own in weights.items()} == {g: m.size for g, m in found.items()} else {}


def _channel_key(block: str, gate: str) -> str:
    """The select box of a block's channels: its own for each block, since their order differs."""
    return f"{block} channel of {gate}"


def _all_weights(weights: dict[str, np.ndarray], average: dict[str, np.ndarray], label: str, block: str) -> None:
    """Every weight as a square; a click on one chooses its channel."""
    st.markdown("A row for each block, a square for each weight: bright ones are let through. Click one to look at it.")
    choices = [WEIGHTS, f"their difference from the average {label} face"] if average else [WEIGHTS]
    compare = st.segmented_control("Show", choices, default=WEIGHTS, key=f"compare {label}")
    difference = compare not in (None, WEIGHTS)
    look.chart(
        gate_heatmap(weights, average if difference else None),
        "Channel weights, a row for each of the blocks",
        key=f"{block} squares",
        on_select=lambda: _take_click(block),
        selection_mode="points",
    )


def _take_click(block: str) -> None:
    """Brings a click on the squares into the select boxes, which those without a mouse use."""
    points = st.session_state[f"{block} squares"]["selection"]["points"]
    if points:
        gate, number = points[0]["customdata"][:2]
        st.session_state[block], st.session_state[_channel_key(block, str(gate))] = str(gate), int(number)


def _one_channel(face: Seen, gate: str, channel: int, own: float, label: str, average: dict[str, np.ndarray]) -> None:
    """What the answer would be with other weights of a channel, and where it responds."""
    held = {"as it is": own, "shut (0)": 0.0, "open (1)": 1.0}
    if average:
        held[f"average {label} ({average[gate][channel]:.2f})"] = float(average[gate][channel])
    st.subheader(f"Channel {channel} of {draw.block_title(gate)}", anchor=False)
    answer, response = cached_effect(face, gate, channel, held)
    bars, map_ = st.columns([3, 2], gap="large")
    with bars:
        look.chart(effect_bars(answer), "The answer while the channel is held at other values")
        base, *changed = answer.values()
        most = max(abs(other[name] - base[name]) for other in changed for name in base)
        note(
            "By how many points each probability changes when this one channel is held at another weight; its own is "
            f"{own:.2f}. The largest change is {100 * most:.1f} points: a weight alone makes no channel important."
        )
    with map_:
        side = 4 * face[2]
        strong = response / max(float(response.max()), 1e-12)
        tiles = enlarge(np.round(strong * 255).astype(np.uint8), max(1, side // response.shape[0]))
        st.image(tiles, width=240, alt="Where the channel responds on this face")
        note("Where it responds on this face: white most. All black means that it is silent here.")
