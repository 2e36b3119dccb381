"""Systems trained here to the end of a recipe whose weights are not bundled, from `reproduced.json`.

``python -m training systems --write`` writes that file from the records of runs.
"""

import json
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("reproduced.json")


@dataclass(frozen=True)
class Reproduced:
    """One network, trained by one recipe.

    Attributes:
        name: Network and tag, such as ``"fer_tang_svm.paper_fer2013"``; the recipe's name too.
        data: A key of `fer_demo.tradeoffs.published.data_sets`.
        run: Its record in ``training/runs``, the best of its seeds on PublicTest.
        seeds: How many were trained.
        schedule: Epochs and sizes, in words.
        changes: What is not as its recipe says, as ``--set`` takes it: ``("epochs=80",)``.
        size: Side of its input in pixels.
        accuracy: On PrivateTest, single view, 0 to 1.
        interval: Its 95 % Wilson interval.
        public: On PublicTest, on which its epoch was chosen.
        note: Why that is above or below what its paper prints, in a sentence; empty where nothing is noted.
    """

    name: str
    data: str
    run: str
    seeds: int
    schedule: str
    changes: tuple[str, ...]
    size: int
    accuracy: float
    interval: tuple[float, float]
    public: float
    note: str = ""

    @property
    def model(self) -> str:
        """The name registered with timm."""
        return self.name.partition(".")[0]

    @property
    def command(self) -> str:
        """What trains it again."""
        changes = f" --set {shlex.join(self.changes)}" if self.changes else ""
        return f"python -m training train {self.name} --data DATA --run-dir runs/{self.run}{changes}"


@cache
def reproductions() -> tuple[Reproduced, ...]:
    """All of them, by name."""
    entries = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(
        Reproduced(**entry | {name: tuple(entry[name]) for name in ("interval", "changes")}) for entry in entries
    )
