"""The SE channel weights on the Explain page, and what one of them does."""

import zlib

import numpy as np
import streamlit as st

from fer_demo.annotate import enlarge
from fer_demo.checkpoints import checkpoint_file
from fer_demo.explain import figures as draw
from pages.common import look
from pages.common.cache import Seen, cached_channels, cached_effect, seen

WEIGHTS = "the weights"


@st.fragment
def channels(predictor, face) -> None:
    """The SE channel weights, and what one of them does."""
    weights = cached_channels(seen(predictor, face))
    if not weights:
        return
    counts = sorted({len(own) for own in weights.values()})
    count = f"{counts[0]} channels" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} channels"
    st.header("What its channels say", anchor=False)
    st.markdown(
        f"Each block ends in squeeze-and-excitation: {count}, each let through with a weight from 0 to 1 that "
        "the network chooses for this face. Click a square, or choose a channel below, to see what it does."
    )
    means = checkpoint_file(predictor.name, "channels.json").get("means", {})
    choices = [WEIGHTS, f"their difference from the average {face.label} face"] if means else [WEIGHTS]
    compare = st.segmented_control("Show", choices, default=WEIGHTS, key=f"compare {face.label}")
    average = {gate: np.array(by_class[face.label]) for gate, by_class in means.items()}
    difference = compare not in (None, WEIGHTS)
    keys = tuple(f"{what} {predictor.name} {zlib.crc32(face.crop)}" for what in ("block", "channel", "squares"))
    look.chart(
        draw.gate_heatmap(weights, average if difference else None),
        "Channel weights, a row for each of the blocks",
        key=keys[2],
        on_select=lambda: _take_click(*keys),
        selection_mode="points",
    )
    gate, channel, *_ = draw.most_different(weights, average, 1)[0] if means else (next(iter(weights)), 0)
    for key, value in zip(keys, (gate, int(channel)), strict=False):
        st.session_state.setdefault(key, value)
    with st.container(horizontal=True):
        gate = st.selectbox("Block", list(weights), key=keys[0], format_func=draw.block_title, width=240)
        of_block = range(len(weights[gate]))
        if st.session_state[keys[1]] not in of_block:  # chosen in a block that has more
            st.session_state[keys[1]] = 0
        channel = st.selectbox("Channel", of_block, key=keys[1], width=160)
    _one_channel(seen(predictor, face), gate, channel, float(weights[gate][channel]), face.label, average)


def _take_click(block: str, channel: str, squares: str) -> None:
    """Brings a click on the squares into the select boxes, which those without a mouse use."""
    points = st.session_state[squares]["selection"]["points"]
    if points:
        gate, number = points[0]["customdata"][:2]
        st.session_state[block], st.session_state[channel] = str(gate), int(number)


def _one_channel(face: Seen, gate: str, channel: int, own: float, label: str, average: dict[str, np.ndarray]) -> None:
    """What the answer would be with other weights of a channel, and where it responds."""
    held = {"as it is": own, "shut (0)": 0.0, "open (1)": 1.0}
    if average:
        held[f"average {label} ({average[gate][channel]:.2f})"] = float(average[gate][channel])
    st.subheader(f"Channel {channel} of {draw.block_title(gate)}", anchor=False)
    answer, response = cached_effect(face, gate, channel, held)
    bars, map_ = st.columns([3, 2], gap="large")
    with bars:
        look.chart(draw.effect_bars(answer), "The answer while the channel is held at other values")
        base, *changed = answer.values()
        most = max(abs(other[name] - base[name]) for other in changed for name in base)
        st.caption(
            "By how many points each probability changes when this one channel is held at another weight; its own is "
            f"{own:.2f}. The largest change is {100 * most:.1f} points: a weight alone makes no channel important."
        )
    with map_:
        side = 4 * face[2]
        strong = response / max(float(response.max()), 1e-12)
        tiles = enlarge(np.round(strong * 255).astype(np.uint8), max(1, side // response.shape[0]))
        st.image(tiles, width=240, alt="Where the channel responds on this face")
        st.caption("Where it responds on this face: white most. All black means that it is silent here.")
