"""What the extra ``video`` brings, and the error of everything about videos."""

import importlib
from typing import Any

INSTALL = "Videos need PyAV and SciPy; run `pip install 'fer-demo[video]'`."


class VideoError(ValueError):
    """A video cannot be used, or an output cannot be written; the message is one sentence that a user can act on."""


def need(module: str) -> Any:
    """A module of the extra.

    Raises:
        VideoError: If the extra is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise VideoError(INSTALL) from None
