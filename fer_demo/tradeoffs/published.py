"""What papers print of their systems, from `published.json`, the one file that states it and cites its sources."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

HUMAN_CAVEAT = (
    "A network with a higher figure is not better than people: they judged single 48×48 pictures by eye, networks have "
    "learned how this set's noisy labels were given, and the figure is agreement with those labels."
)
"""What a comparison with people on FER2013 is worth; goes wherever their figure stands beside a network's."""

FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Source:
    """A paper: title, authors, year, venue, and where it is found."""

    title: str
    authors: str
    year: int
    venue: str
    doi: str = ""
    arxiv: str = ""

    @property
    def url(self) -> str:
        """A link to the paper, or "" where neither DOI nor arXiv number is known."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else ""

    @property
    def markdown(self) -> str:
        """The paper as a sentence with its link."""
        title = f"[{self.title}]({self.url})" if self.url else f"*{self.title}*"
        return f"{self.authors}: {title}, {self.venue}, {self.year}."

    def __str__(self) -> str:
        return f"{self.authors}, “{self.title}”, {self.venue} {self.year}"


@dataclass(frozen=True)
class PublishedResult:
    """One printed accuracy.

    Attributes:
        data: ``"fer2013"`` or ``"raf_single"``, the tag of a checkpoint trained on it.
        accuracy: On the test set, 0 to 1.
        parameters: Printed for this result, or None where that is the system's own count.
        table: The SE-Dense paper's table that shows it, or None.
    """

    data: str
    accuracy: float
    parameters: int | None = None
    table: int | None = None


@dataclass(frozen=True)
class System:
    """A system and what is printed of it.

    Attributes:
        model: Its name here, as timm knows it.
        name: Its name among people.
        label: The same in a word, for charts.
        what: What makes it itself, in a few words.
        source: The paper, or None for a network of this project.
        parameters: As printed, or None.
        trained: How its authors trained it, in a sentence; empty where nothing is noted.
        results: Printed accuracies.
    """

    model: str
    name: str
    label: str
    what: str
    source: Source | None
    parameters: int | None
    trained: str = ""
    results: tuple[PublishedResult, ...] = field(default=())


class DataSet(TypedDict):
    """A data set: its title, the side of its pictures in pixels, and how many of them are for the test."""

    title: str
    size: int
    test_pictures: int


class Table(TypedDict):
    """A table of the SE-Dense paper: its title, and sentences about it."""

    title: str
    notes: list[str]


@dataclass(frozen=True)
class Human:
    """What people reach.

    Attributes:
        data: A key of `data_sets`.
        accuracy: From 0 to 1.
        spread: By how much people differ, likewise.
        source: Where it is printed.
    """

    data: str
    accuracy: float
    spread: float
    source: Source

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.0f} ± {100 * self.spread:.0f} %"


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content


@cache
def data_sets() -> dict[str, DataSet]:
    """The data sets by the tag of a checkpoint that was trained on one."""
    found: dict[str, DataSet] = _content()["data_sets"]
    return found


@cache
def tables() -> dict[int, Table]:
    """The SE-Dense paper's tables by their number."""
    found: dict[str, Table] = _content()["tables"]
    return {int(number): table for number, table in found.items()}


@cache
def systems() -> tuple[System, ...]:
    """All systems, the paper's own first."""
    content = _content()
    sources = {key: Source(**entry) for key, entry in content["sources"].items()}
    return tuple(
        System(
            **entry
            | {
                "source": sources.get(entry["source"]),
                "results": tuple(PublishedResult(**result) for result in entry["results"]),
            }
        )
        for entry in content["systems"]
    )


@cache
def human() -> Human:
    """What people reach on FER2013."""
    content = _content()
    return Human(**content["human"] | {"source": Source(**content["sources"][content["human"]["source"]])})
