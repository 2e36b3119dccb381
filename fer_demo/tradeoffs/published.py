"""Figures that others printed, from one data file that cites its sources."""

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Source:
    """A paper.

    Attributes:
        authors: Their family names.
        title: Of the paper.
        where: Where and when it appeared.
        url: Its address (DOI or arXiv), or None.
    """

    authors: str
    title: str
    where: str
    url: str | None = None


@dataclass(frozen=True)
class PublishedFigure:
    """One system's accuracy on one data set, as printed.

    Attributes:
        system: Its name.
        label: The same in a word, for charts.
        what: What it is, in one sentence.
        data: A key of `data_sets`.
        accuracy: From 0 to 1.
        parameters: How many, as printed and therefore rounded.
        source: The paper that describes the system.
        printed_in: The paper that these two numbers are taken from.
        trained: How, in one sentence; None where nothing is noted.
        table: The number of the paper's table that holds it, or None.
        model: The name under which the network is registered with timm; None if it is not built here.
        this_paper: Whether it is the network of the paper that this project rebuilds.
    """

    system: str
    label: str
    what: str
    data: str
    accuracy: float
    parameters: float
    source: Source
    printed_in: Source
    trained: str | None = None
    table: int | None = None
    model: str | None = None
    this_paper: bool = False


@functools.cache
def _content() -> dict[str, Any]:
    return json.loads((files("fer_demo.tradeoffs") / "published.json").read_text(encoding="utf-8"))


def data_sets() -> dict[str, dict[str, Any]]:
    """Name to ``title``, ``size`` (side of its pictures in pixels), ``test_pictures`` and ``split``."""
    return _content()["data_sets"]


def tables() -> dict[int, dict[str, Any]]:
    """Number of the paper's table to its ``title`` and ``notes`` (sentences about it)."""
    return {int(number): table for number, table in _content()["tables"].items()}


def people() -> dict[str, Any]:
    """How well people do: ``data``, ``accuracy`` and ``plus_minus``, from 0 to 1, and ``source``, a `Source`."""
    found = _content()["people"]
    return found | {"source": Source(**_content()["sources"][found["source"]])}


def published_figures() -> list[PublishedFigure]:
    """All published figures, in the file's order: the paper's tables first."""
    sources = {name: Source(**source) for name, source in _content()["sources"].items()}
    return [
        PublishedFigure(**{**f, "source": sources[f["source"]], "printed_in": sources[f["printed_in"]]})
        for f in _content()["figures"]
    ]
