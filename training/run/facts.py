"""What a run learned from, as far as it is known: written when it starts, so that a card can say it later."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_demo.emotions import LABELS
from fer_demo.files import read_json
from training.data import Faces
from training.data.audit import class_counts
from training.data.faces import SPLITS
from training.data.folders import RAF_LAYOUT
from training.run.storage import atomic_write_text, read_back

FACTS = "data.json"

_FER2013 = {"Training": (3995, 436, 4097, 7215, 4830, 3171, 4965), "PrivateTest": (491, 55, 528, 879, 594, 416, 626)}
"""Pictures of each class; PublicTest's 3,589 follow. No other set of faces has these counts."""

_RAF_DB = {"all": (867, 877, 355, 5957, 2460, 1619, 3204)}
"""RAF-DB's single labels in both splits, in our order."""


def data_facts(faces: Faces) -> dict[str, Any]:
    """What can be said of a data set.

    Returns:
        ``set``: ``"fer2013"``, ``"raf_single"`` or ``""``, by the number of pictures in each class of each split,
            or RAF-DB's own list of labels;
        ``layout`` and ``split_words`` as `Faces` has them; ``splits``: split to class name to count; ``side``: of the
        pictures, in pixels; ``votes``: whether FER+'s are with them.
    """
    splits = {s: class_counts(faces.take(faces.splits == s)) for s in SPLITS if (faces.splits == s).any()}
    raf = faces.layout == RAF_LAYOUT and faces.classes == LABELS  # its list of labels is its alone
    return {
        "set": "raf_single" if raf else known_set(splits),
        "layout": faces.layout,
        "split_words": faces.split_words,
        "splits": splits,
        "side": faces.images.shape[-1],
        "votes": faces.votes is not None,
    }


def known_set(splits: dict[str, dict[str, int]]) -> str:
    """The published data set whose classes have just so many pictures; empty if none has."""
    counts = {split: tuple(classes.values()) for split, classes in splits.items()}
    public = sum(counts.get("PublicTest", ()))
    if public == 3589 and all(counts.get(split) == known for split, known in _FER2013.items()):
        return "fer2013"
    total = tuple(sum(column) for column in zip(*counts.values(), strict=True)) if counts else ()
    return "raf_single" if total == _RAF_DB["all"] and sum(counts.get("PrivateTest", ())) == 3068 else ""


def write_facts(folders: Sequence[Path], facts: dict[str, Any], classifier: str) -> None:
    """Writes them into a run's folder and record.

    Args:
        folders: Both.
        facts: From `data_facts`.
        classifier: Whether that of the initial weights was ``"kept"`` or is ``"new"``; empty without such weights.
    """
    for folder in folders:
        text = json.dumps({"data": facts, "initial_classifier": classifier}, indent=1) + "\n"
        atomic_write_text(folder / FACTS, text)


def read_facts(run_dir: str | Path) -> dict[str, Any]:
    """What `write_facts` wrote: ``data`` and ``initial_classifier``; empty for a run that is older than it."""
    file = Path(run_dir) / FACTS
    if not file.is_file():
        return {}
    with read_back(file, "restore it, or start the run anew in another --run-dir"):
        return read_json(file)
