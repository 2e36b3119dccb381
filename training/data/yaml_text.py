"""YAML as people write it for the trainer: recipes, single settings, maps of classes."""

from pathlib import Path
from typing import Any

import yaml

from fer_demo.vision.sources import one_line

DEEPEST = 20
"""Levels of brackets or of indentation that a file may have."""


def read_text(path: Path) -> str:
    """The content of a file in UTF-8.

    Raises:
        ValueError: If it is in another encoding.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no UTF-8 text; save it anew in that encoding.") from None


class _Loader(yaml.SafeLoader):
    """YAML without aliases, deep nesting and keys that stand twice.

    A few lines of aliases can become gigabytes, and the time for nested brackets grows with the square of their depth.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases such as *name are not taken")
        return super().compose_node(parent, index)

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")
        super().fetch_flow_collection_start(token)

    def add_indent(self, column: int) -> bool:
        if len(self.indents) >= DEEPEST:
            raise yaml.YAMLError("it is nested too deeply")
        return super().add_indent(column)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key.value, str)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise yaml.YAMLError(f"{one_line(twice)!r} stands there twice")
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, source: str) -> Any:
    """The value that a text in YAML states.

    Args:
        text: The text.
        source: Named in the error.

    Raises:
        ValueError: If it is not valid, or more than a few settings would need.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, ValueError) as error:  # the second for dates and numbers that are none
        reason = one_line(" ".join(str(getattr(error, "problem", None) or error).split()))
        raise ValueError(f"{source} is not valid YAML ({reason}); check brackets and quotes.") from None
