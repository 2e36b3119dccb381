"""One predictor for each model in the process, shared by the pages and the HTTP API."""

import threading

from fer_demo.predictor import ModelError, Predictor
from fer_demo.vision.detector import FaceDetectorError
from fer_demo.vision.images import ImageError
from fer_demo.web.models import VARIABLE, find, named

USER_ERRORS = (ImageError, ModelError, FaceDetectorError)
"""Errors whose message is one sentence to show as it is."""

_lock = threading.Lock()
_predictors: dict[str | None, Predictor] = {}


def shared_predictor(model: str | None = None) -> Predictor:
    """The process's predictor for a model; loaded at the first call, kept from then on.

    Args:
        model: One of `fer_demo.web.models.model_names`; None is `fer_demo.web.models.default_model`.

    Raises:
        ModelError: If there is no such checkpoint; the next call tries again.
    """
    with _lock:
        if model not in _predictors:
            found = find(model)
            if found.name not in _predictors:
                # A face takes one core milliseconds; several cores mostly wait for each other, on a busy server long.
                _predictors[found.name] = Predictor(found.source, threads=1)
            _predictors[model] = _predictors[found.name]
        return _predictors[model]


def check_default() -> None:
    """Loads the model that `fer_demo.web.models.VARIABLE` names, so that a wrong value is noticed before anybody waits.

    Raises:
        ModelError: If it names none, or that cannot be loaded; it begins with the variable's name.
    """
    if not named():
        return
    try:
        shared_predictor()
    except ModelError as error:
        said = str(error)
        raise ModelError(said if said.startswith(VARIABLE) else f"{VARIABLE}: {said}") from None
