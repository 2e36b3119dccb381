"""How far an accuracy can be believed, without SciPy: the light install and the app need it too."""

import math
from statistics import NormalDist


def wilson(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share.

    Args:
        share: From 0 to 1.
        n: Of how many it is the share, 1 or more.
        level: How often such an interval holds the true share.

    Returns:
        Low and high end, 0 to 1.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
