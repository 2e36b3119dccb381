"""Times a network in turns with a product of matrices, which says what the machine could do at that moment."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_demo.runtime.engines import open_session

MATRIX = 1024
"""Side of the float32 matrices whose product is the yardstick."""

LEAST_RUNS = 5
"""A spread of fewer would mean nothing."""

BUSY = 1.2
"""From this ratio of time by the clock to processor time on, a machine counts as busy."""


@dataclass(frozen=True)
class Turns:
    """What was measured.

    Attributes:
        seconds: float64 (N,), of each run: processor time of one thread, which waiting for other programs does not
            lengthen, or time by the clock for several threads.
        products: The median of `seconds` by that of the product of matrices.
        busy: Time by the clock by processor time: 1 on an idle machine, 2 where the thread got half a core; 1 for
            several threads, which wait for one another too.
    """

    seconds: NDArray[np.float64]
    products: float
    busy: float


def matrix_product(threads: int = 1) -> Callable[[], object]:
    """The yardstick: ONNX Runtime's product of two float32 matrices of side `MATRIX`.

    Args:
        threads: How many it may use.

    Returns:
        A function that computes it once.
    """
    from onnx import TensorProto, helper

    a, b, c = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [MATRIX, MATRIX]) for name in "abc")
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", [a, b], [c])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = open_session(model.SerializeToString(), threads)
    left, right = np.random.default_rng(0).random((2, MATRIX, MATRIX), np.float32)
    return lambda: session.run(None, {"a": left, "b": right})


def in_turns(
    run: Callable[[], object],
    seconds: float,
    *,
    threads: int = 1,
    least: int = LEAST_RUNS,
    tick: Callable[[], None] = lambda: None,
) -> Turns:
    """Measures something in turns with the yardstick, after one run of each that does not count.

    A turn is one product, and about as long of the other, at least once.

    Args:
        run: What to measure; with one thread it must work in the thread that calls it, as ONNX Runtime does.
        seconds: How long to go on, by the clock.
        threads: How many threads `run` uses; the yardstick gets as many.
        least: How many runs there must be.
        tick: Called between turns; it may raise to stop.
    """
    product = matrix_product(threads)
    tick()
    run()
    product()
    own: list[tuple[float, float]] = []
    yardstick: list[tuple[float, float]] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(own) < least:
        tick()
        yardstick.append(_timed(product))
        spent = 0.0
        while spent == 0 or spent < yardstick[-1][0]:
            own.append(_timed(run))
            spent += own[-1][0]
    wall, processor = np.sum(own + yardstick, axis=0)
    # Windows counts processor time in steps that are longer than a small network takes.
    one = threads == 1 and sys.platform != "win32"
    column = 1 if one else 0
    times = np.array(own)[:, column]
    products = float(np.median(times) / np.median(np.array(yardstick)[:, column]))
    return Turns(times, products, max(1.0, float(wall / processor)) if one else 1.0)


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one run by the clock, and of this thread on the processor; more than 0."""
    begun, processor = time.perf_counter(), time.thread_time()
    run()
    processor = time.thread_time() - processor
    return max(time.perf_counter() - begun, 1e-9), max(processor, 1e-9)
