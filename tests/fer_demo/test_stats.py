"""Wilson's interval, against SciPy's."""

import pytest
from scipy.stats import binomtest

from fer_demo.stats import wilson


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (10, 10), (2537, 3589), (2495, 3589), (1, 3)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_wilson(correct, n, level):
    known = binomtest(correct, n).proportion_ci(level, method="wilson")
    assert wilson(correct / n, n, level) == pytest.approx((known.low, known.high), abs=1e-12)
