"""Which models the application offers: the bundled ones, and the one that ``FER_DEMO_MODEL`` names, its default.

The variable is the application's alone: `fer_demo.Predictor` and the command line do not look at it.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from fer_demo.checkpoints import bundled_checkpoints, own_name, resolve
from fer_demo.emotions import LABELS
from fer_demo.runtime.engines import OnnxEngine, stated_labels
from fer_demo.runtime.model_info import ModelError

VARIABLE = "FER_DEMO_MODEL"
"""A checkpoint's folder, an ONNX file of ``python -m fer_demo export``, or a bundled name."""


@dataclass(frozen=True)
class AppModel:
    """A model that the application offers.

    Attributes:
        name: What it is called on the pages; no two have the same.
        source: What `fer_demo.Predictor` and `fer_demo.checkpoints.checkpoint_file` take: a bundled name, or a path.
        own: Whether it is none of the bundled ones.
    """

    name: str
    source: str
    own: bool

    @property
    def explainable(self) -> bool:
        """Whether it can be looked into; an ONNX file cannot."""
        return Path(self.source).suffix != ".onnx"

    @property
    def labels(self) -> tuple[str, ...]:
        """Its classes, without loading the network of a folder.

        Raises:
            ModelError: If it is damaged.
        """
        return stated_labels(self.source)

    @property
    def of_fer2013(self) -> bool:
        """Whether its figures are about FER2013: a bundled one, or one of the seven classes that is called so.

        Raises:
            ModelError: If it is damaged.
        """
        return not self.own or (self.name.endswith("fer2013") and set(self.labels) == set(LABELS))


def named() -> str:
    """What `VARIABLE` says; empty if it says nothing."""
    return os.environ.get(VARIABLE, "").strip()


def default_model() -> AppModel:
    """The model that answers where a visitor has chosen none.

    Raises:
        ModelError: If `VARIABLE` names none, or the bundled default is missing.
    """
    value = named()
    if not value:
        name = resolve().name
        return AppModel(name, name, own=False)
    try:
        if Path(value).suffix == ".onnx" and os.path.isfile(value):
            path = Path(value).absolute()
            state = path.stat()
            name = own_name(path, _name_inside(path, state.st_size, state.st_mtime_ns))
            return AppModel(name, str(path), own=True)
        found = resolve(value)
    except ModelError as error:
        raise ModelError(f"{VARIABLE}: {error}") from None
    if found.bundled:
        return AppModel(found.name, found.name, own=False)
    return AppModel(own_name(found.folder, found.name), str(found.folder.absolute()), own=True)


@functools.lru_cache(maxsize=8)
def _name_inside(path: Path, size: int, changed: int) -> str:
    """The name in an ONNX file; size and time of its last change tell another content."""
    return OnnxEngine(path, 1).info.name


def own_models() -> list[AppModel]:
    """The model of `VARIABLE` if it is none of the bundled ones, or nothing.

    Raises:
        ModelError: As `default_model`.
    """
    default = default_model() if named() else None
    return [default] if default and default.own else []


def model_names() -> list[str]:
    """The names of all models that a visitor may choose: the one of `VARIABLE`, then the bundled ones.

    Raises:
        ModelError: As `default_model`.
    """
    return [*(one.name for one in own_models()), *bundled_checkpoints()]


def find(model: str | None) -> AppModel:
    """One of the models.

    Args:
        model: Its name, or an architecture; None is the default.

    Raises:
        ModelError: If there is none of this name.
    """
    if model is None:
        return default_model()
    if own := [one for one in own_models() if one.name == model]:
        return own[0]
    name = resolve(model).name
    return AppModel(name, name, own=False)
