"""Very many pictures: several processes, tables, and runs that go on where they were stopped; see docs/batch.md.

    from fer_demo.batch import answers, run
    run(["photos/"], "results.csv")
    for answer in answers(["photo.jpg"]):
        print(answer.name, answer.error or [face.label for face in answer.faces])

Names are loaded when they are first used, so that importing this costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_demo.batch.answer import Answer, Settings
    from fer_demo.batch.copying import Copier, CopyError
    from fer_demo.batch.items import Item
    from fer_demo.batch.running import Summary, answers, batch_errors, run
    from fer_demo.batch.select import SelectError, condition
    from fer_demo.batch.sources import SourceError, Sources
    from fer_demo.batch.state import StateError
    from fer_demo.batch.tables import TableError, write_table
    from fer_demo.batch.workers import Pool

_LAZY = {
    "Answer": "answer",
    "CopyError": "copying",
    "Copier": "copying",
    "Item": "items",
    "Pool": "workers",
    "SelectError": "select",
    "Settings": "answer",
    "SourceError": "sources",
    "Sources": "sources",
    "StateError": "state",
    "Summary": "running",
    "TableError": "tables",
    "answers": "running",
    "batch_errors": "running",
    "condition": "select",
    "run": "running",
    "write_table": "tables",
}

__all__ = [
    "Answer",
    "Copier",
    "CopyError",
    "Item",
    "Pool",
    "SelectError",
    "Settings",
    "SourceError",
    "Sources",
    "StateError",
    "Summary",
    "TableError",
    "answers",
    "batch_errors",
    "condition",
    "run",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"fer_demo.batch.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
