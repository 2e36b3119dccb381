"""What a row has numbers for, and what each kind of number is worth."""

import math
from dataclasses import dataclass

PUBLISHED, REPRODUCED, NOT_TRAINED = "published", "reproduced here", "not trained"
KINDS = {
    PUBLISHED: "accuracy and parameters as printed by its authors; other costs of its build here",
    REPRODUCED: "accuracy of weights that were trained here, on the test set that nobody trained or chose on",
    NOT_TRAINED: "a network that is built here, without weights and so without accuracy",
}
"""What a row's accuracy is worth, and the sentence that says so."""

RAF_COMMAND = "python -m training raf-single --data RAF/ --out FOLDER"
_NOT_TRAINED = {("fer_sedense_s2", "raf_single"): f"{NOT_TRAINED} here: data on request ({RAF_COMMAND})"}


def not_trained(model: str, data: str) -> str:
    """What stands in the place of an accuracy: `NOT_TRAINED`, and for some networks why, and the command that does it.

    Args:
        model: A registered name.
        data: A key of `fer_demo.tradeoffs.published.data_sets`.
    """
    return _NOT_TRAINED.get((model, data), NOT_TRAINED)


@dataclass(frozen=True)
class Measure:
    """Something a row has a number for.

    Attributes:
        title: What it is called.
        unit: In which it is shown.
        factor: From the stored number (counts, bytes, seconds, fractions) to that unit.
        high_is_good: Whether more is better.
        log: Whether it spans powers of ten, so that a logarithmic axis shows it better.
    """

    title: str
    unit: str
    factor: float
    high_is_good: bool = False
    log: bool = True

    def text(self, value: float | None) -> str:
        """A number with its unit, in three digits; a dash for none."""
        if value is None:
            return "–"
        shown = value * self.factor
        digits = 1 if self.unit == "%" else max(0, 2 - math.floor(math.log10(abs(shown)))) if shown else 0
        return f"{shown:,.{digits}f}\N{NO-BREAK SPACE}{self.unit}"


MEASURES = {
    "parameters": Measure("parameters", "M", 1e-6),
    "macs": Measure("multiply-accumulates", "M", 1e-6),
    "activation_bytes": Measure("peak activation memory", "MB", 1e-6),
    "file_bytes": Measure("file size", "MB", 1e-6),
    "latency": Measure("latency, one face", "ms", 1e3),
    "products": Measure("latency, in matrix products", "products", 1.0),
    "throughput": Measure("throughput, batches of 32", "faces/s", 1.0, high_is_good=True),
    "accuracy": Measure("test accuracy", "%", 100.0, high_is_good=True, log=False),
    "ferplus": Measure("agreement with FER+'s majority", "%", 100.0, high_is_good=True, log=False),
}
