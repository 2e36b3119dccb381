"""Two photographs to try, which come inside packages that are installed anyway; nothing is fetched."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_demo.vision.images import open_image


@dataclass(frozen=True)
class Sample:
    """One photograph.

    Attributes:
        name: File name.
        title: Who is on it.
        credit: Where it comes from.
        load: Returns the picture, uint8 RGB [H, W, 3].
    """

    name: str
    title: str
    credit: str
    load: Callable[[], NDArray[np.uint8]]


def _astronaut() -> NDArray[np.uint8]:
    from skimage.data import astronaut

    return open_image(astronaut())


def _grace_hopper() -> NDArray[np.uint8]:
    from matplotlib.cbook import get_sample_data

    return open_image(get_sample_data("grace_hopper.jpg", asfileobj=False))


SAMPLES: tuple[Sample, ...] = (
    Sample("astronaut.png", "Eileen Collins", "NASA, public domain", _astronaut),
    Sample("grace_hopper.jpg", "Grace Hopper", "U.S. Navy, public domain", _grace_hopper),
)
"""The first one is shown when the page opens."""
