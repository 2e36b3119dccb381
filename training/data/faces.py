"""Labelled face crops in memory: what every reader gives and every other part of the trainer takes."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from fer_demo.emotions import LABELS
from fer_demo.vision.sources import one_line
from training.data.ferplus import OUR_ORDER, distribution

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""FER2013's splits: for training, for every choice, and for the one final figure."""


SPLIT_NAMES = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "dev": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "publictest": "PublicTest",
    "test": "PrivateTest",
    "testing": "PrivateTest",
    "privatetest": "PrivateTest",
}
"""How folders and columns call the splits, in lower case."""


class DataError(ValueError):
    """The data are not what a reader expects; the message names the file, the row and what to do."""


class NoFaceError(DataError):
    """No face was found in a photograph; the message is the name of the picture alone."""


NAMED = 3
"""Files that a sentence about left-out ones names."""


@dataclass
class BadRows:
    """What to do with a row that cannot be used: stop with its error, or count it and go on.

    Attributes:
        skip: Go on.
        messages: The errors of the rows left out so far.
        left_out: Paths of the files that were not read, since they are no pictures, or belong to no class.
        notes: Sentences about what the reader has chosen by itself, such as a split.
        faceless: Photographs that were left out, since no face was found in them.
        whole: How many such photographs were taken whole instead.
        several: How many photographs show several faces, of which the largest was taken.
    """

    skip: bool = False
    messages: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faceless: list[str] = field(default_factory=list)
    whole: int = 0
    several: int = 0

    @contextmanager
    def row(self) -> Iterator[None]:
        """Surrounds the reading of one row; a `DataError` within it is collected if `skip` is set."""
        try:
            yield
        except NoFaceError as error:  # not a bad row: the detector misses faces in good ones
            self.faceless.append(str(error))
        except DataError as error:
            if not self.skip:
                raise
            self.messages.append(str(error))

    def report(self) -> list[str]:
        """What was left out and what was chosen, a sentence each; empty if there is nothing to say."""
        said = list(self.notes)
        if self.messages:
            said.append(f"left out {len(self.messages)} bad rows, the first: {self.messages[0]}")
        if self.faceless:
            photos = "1 photograph" if len(self.faceless) == 1 else f"{len(self.faceless)} photographs"
            said.append(f"left out {photos} in which no face was found: {_first(self.faceless)}")
        if self.whole:
            said.append(f"taken whole, since no face was found: {self.whole}")
        if self.several:
            said.append(f"photographs with several faces, of which the largest was taken: {self.several}")
        if self.left_out:
            what = "1 file that is no picture" if len(self.left_out) == 1 else f"{len(self.left_out)} files"
            what += "" if len(self.left_out) == 1 else " that are no pictures"
            said.append(f"left out {what}, or hidden, or outside the folders of the classes: {_first(self.left_out)}")
        return said


def _first(names: Sequence[str]) -> str:
    """The first `NAMED` of some names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(one_line, names[:NAMED])) + more


@dataclass(frozen=True)
class Faces:
    """Labelled face crops.

    Attributes:
        images: uint8 tensor (N, 1, H, W), 0 black to 255 white; (N, T, H, W) with T twins of each face, see
            `training.data.aligned`.
        labels: int64 tensor (N,), ids in the order of `classes`.
        splits: array (N,) of names from `SPLITS`.
        votes: Optional float32 tensor (N, 10): FER+'s counts of votes, columns as
            `training.data.ferplus.FERPLUS_COLUMNS`. Only where the classes are the seven.
        classes: Their names, in the order of a network's outputs.
        class_map: Class name to the names that the data have for it, as the setting `classes` of a run holds them;
            empty for the seven as they are.
        layout: In what form the data came, such as ``"a folder of pictures"``; empty if nobody says.
        split_words: Where the splits come from, as a sentence without its full stop; empty if the data state them.
        landmarks: Optional float32 tensor (N, 5, 2), x and y in pixels of the pictures, see `training.data.landmarks`;
            NaN where they are not known.
    """

    images: torch.Tensor
    labels: torch.Tensor
    splits: np.ndarray
    votes: torch.Tensor | None = None
    classes: tuple[str, ...] = LABELS
    class_map: Mapping[str, Sequence[str]] = field(default_factory=dict)
    layout: str = ""
    split_words: str = ""
    landmarks: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray | torch.Tensor) -> "Faces":
        """The rows of a boolean mask or an index array."""
        index = torch.as_tensor(np.asarray(index))
        rows = {name: None if (kept := getattr(self, name)) is None else kept[index] for name in ("votes", "landmarks")}
        images, labels, splits = self.images[index], self.labels[index], self.splits[index.numpy()]
        return replace(self, images=images, labels=labels, splits=splits, **rows)

    def split(self, name: str) -> "Faces":
        """The rows of one split.

        Raises:
            DataError: If the data have no such rows.
        """
        mask = self.splits == name
        if not mask.any():
            raise DataError(f"The data hold no {name} pictures; splits present: {sorted(set(self.splits.tolist()))}.")
        return self.take(mask)

    def fingerprint(self) -> str:
        """A hash of all that a run sees, with the names of the classes: equal for equal data, in whatever files."""
        more = [t.contiguous().numpy().tobytes() for t in (self.votes, self.landmarks) if t is not None]
        parts = [str(tuple(self.images.shape)).encode(), self.images.contiguous().numpy().tobytes()]
        parts += [" ".join(self.classes).encode()] if self.classes != LABELS else []
        parts += [self.labels.numpy().tobytes(), " ".join(self.splits.tolist()).encode(), *more]
        return hashlib.blake2b(b"".join(hashlib.blake2b(part).digest() for part in parts), digest_size=16).hexdigest()

    def targets(self, kind: str = "labels", vote_share: float = 0.5) -> torch.Tensor:
        """Training targets as class probabilities.

        Args:
            kind: ``"labels"``: one-hot labels; ``"votes"``: the annotators' distribution over the seven classes;
                ``"majority"``: one-hot majority of their votes for these. Where no vote fell on one of the seven,
                the label stands. ``"mixture"``: labels and votes, weighted. ``"both"``: labels, and behind them
                FER+'s eight classes as `training.data.ferplus.distribution` gives them.
            vote_share: Of the votes in a mixture, 0 to 1.

        Returns:
            float32 (N, classes), rows add up to 1; (N, 15) for both.

        Raises:
            DataError: If votes are asked for and there are none.
        """
        hard = F.one_hot(self.labels, len(self.classes)).float()
        if kind == "labels":
            return hard
        if self.classes != LABELS:
            raise DataError(f"FER+'s votes are for {', '.join(LABELS)} alone: train with targets=labels.")
        if self.votes is None:
            raise DataError("The data hold no annotators' votes; put FER+'s fer2013new.csv beside fer2013.csv.")
        if kind == "both":
            return torch.cat([hard, distribution(self.votes)], 1)
        seven = self.votes[:, OUR_ORDER]
        total = seven.sum(1, keepdim=True)
        soft = F.one_hot(seven.argmax(1), len(LABELS)).float() if kind == "majority" else seven / total.clamp(min=1)
        soft = torch.where(total > 0, soft, hard)
        return (1 - vote_share) * hard + vote_share * soft if kind == "mixture" else soft


def stack(
    images: list[np.ndarray],
    labels: list[int],
    splits: list[str],
    source: object,
    **facts: Any,
) -> Faces:
    """Puts single rows together.

    Args:
        images: uint8 arrays (H, W), all of one size.
        labels: Class ids.
        splits: Names from `SPLITS`.
        source: Named if there are none.
        **facts: Further attributes of `Faces`, such as ``classes``.

    Raises:
        DataError: If there are no rows.
    """
    if not images:
        raise DataError(f"{source} holds no pictures that can be used.")
    return Faces(torch.from_numpy(np.stack(images))[:, None], torch.tensor(labels), np.array(splits), **facts)


HOLD_OUT = 10
"""Where a data set has no validation split, every tenth training picture of a class becomes PublicTest."""

HELD_OUT_WORDS = "PublicTest is every tenth Training picture of each class, since the data name no validation split"


def with_validation(labels: Sequence[int], splits: Sequence[str]) -> list[str]:
    """The splits, with a validation split taken from Training where there is none.

    Args:
        labels: Class ids, in an order that does not change from one reading to the next.
        splits: Names from `SPLITS`.
    """
    if "PublicTest" in splits:
        return list(splits)
    seen: Counter[int] = Counter()
    result = []
    for label, split in zip(labels, splits, strict=True):
        if split == "Training":
            seen[label] += 1
            split = "PublicTest" if seen[label] % HOLD_OUT == 0 else split
        result.append(split)
    return result
