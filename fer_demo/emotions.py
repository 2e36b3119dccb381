"""The seven expression classes: their order, their words and their colours.

The order is FER2013's own (Goodfellow et al. 2013, arXiv:1307.0414) and is the order of every model output in this
project. Other data sets number the same classes differently; their readers translate to this order.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Emotion:
    """One expression class.

    Attributes:
        name: The label as models and files spell it.
        looks: How a sentence about a face puts it, e.g. "looks happy".
        color: Hex colour from the Okabe-Ito palette, which colour-blind eyes can tell apart.
        symbol: A sign shown beside the word, so that nothing depends on colour alone.
    """

    name: str
    looks: str
    color: str
    symbol: str


EMOTIONS: tuple[Emotion, ...] = (
    Emotion("angry", "looks angry", "#D55E00", "😠"),
    Emotion("disgust", "looks disgusted", "#009E73", "🤢"),
    Emotion("fear", "looks afraid", "#CC79A7", "😨"),
    Emotion("happy", "looks happy", "#E69F00", "🙂"),
    Emotion("sad", "looks sad", "#0072B2", "🙁"),
    Emotion("surprise", "looks surprised", "#56B4E9", "😮"),
    Emotion("neutral", "looks neutral", "#7F7F7F", "😐"),
)
"""All classes, indexed by FER2013's label ids 0 to 6."""

LABELS: tuple[str, ...] = tuple(e.name for e in EMOTIONS)
"""The class names in the order of the model's outputs."""

COLORS: dict[str, str] = {e.name: e.color for e in EMOTIONS}
"""Class name to hex colour."""

NUM_CLASSES = len(EMOTIONS)

DISCLAIMER = (
    "The answer is a guess about the expression on a face, not about what the person feels. "
    "People smile when they are sad and frown when they think."
)
"""The sentence that every page and every model card carries."""


def text_color(background: str) -> str:
    """Black or white, whichever has the higher WCAG contrast on a hex colour such as ``"#E69F00"``."""
    channels = [int(background[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#FFFFFF"
