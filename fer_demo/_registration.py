"""Registers this package's models as soon as timm is there, without importing it: that takes seconds, with PyTorch."""

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class _AfterTimm(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for timm's loader and imports `fer_demo.models` when timm is complete."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Whoever only asks whether timm is there comes by here too, so it stays in place until timm is imported.
        if name != "timm" or self not in sys.meta_path:
            return None
        place = sys.meta_path.index(self)
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(place, self)
        if spec is not None and spec.loader is not None:
            self._loader = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # As if it had been found without a detour: others ask a module's loader for its files.
        sys.meta_path.remove(self)
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        importlib.import_module("fer_demo.models")


def register_with_timm() -> None:
    """Registers the models now if timm is imported already, and otherwise when somebody imports it."""
    if "timm" in sys.modules:
        importlib.import_module("fer_demo.models")
    elif not any(isinstance(finder, _AfterTimm) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterTimm())
