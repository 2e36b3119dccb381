"""One predictor for each model in the process, shared by the pages and the HTTP API."""

import threading

from fer_demo.checkpoints import resolve
from fer_demo.predictor import ModelError, Predictor
from fer_demo.vision.detector import FaceDetectorError
from fer_demo.vision.images import ImageError

USER_ERRORS = (ImageError, ModelError, FaceDetectorError)
"""Errors whose message is one sentence to show as it is."""

_lock = threading.Lock()
_predictors: dict[str | None, Predictor] = {}


def shared_predictor(model: str | None = None) -> Predictor:
    """The process's predictor for a model; loaded at the first call, kept from then on.

    Args:
        model: Name of a bundled checkpoint, ``<architecture>.<tag>``; None is `fer_demo.checkpoints.DEFAULT`.

    Raises:
        ModelError: If there is no such checkpoint; the next call tries again.
    """
    with _lock:
        if model not in _predictors:
            name = resolve(model).name
            if name not in _predictors:
                # A face takes one core milliseconds; several cores mostly wait for each other, on a busy server long.
                _predictors[name] = Predictor(name, threads=1)
            _predictors[model] = _predictors[name]
        return _predictors[model]
