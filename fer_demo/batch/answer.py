"""How many pictures are read, and the answer for one of them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fer_demo.batch.items import Item
from fer_demo.checkpoints import DEFAULT
from fer_demo.emotions import LABELS
from fer_demo.merging import merge_classes
from fer_demo.results import FaceResults
from fer_demo.runtime.engines import stated_labels

__all__ = ["Answer", "Settings"]


@dataclass(frozen=True)
class Settings:
    """How pictures are read; the same for all of a run.

    Attributes:
        model: As for `fer_demo.Predictor`, but no object; None is the default.
        engine: Likewise.
        device: Likewise.
        whole_image: Take each picture as one face, cut out already.
        seconds: For one picture; the process that reads it is replaced then.
        megabytes: Memory that reading may take beyond what code and networks take.
        merge: As for `fer_demo.Predictor`.
    """

    model: str | None = None
    engine: str | None = None
    device: str = "cpu"
    whole_image: bool = False
    seconds: float = 60
    megabytes: float = 3000
    merge: Mapping[str, Sequence[str]] | None = None

    def labels(self) -> tuple[str, ...]:
        """The classes that answers have, without loading the network where its folder says so.

        Raises:
            ModelError: If there is no such model, or classes cannot be merged so.
        """
        own = stated_labels(self.model)
        return merge_classes(own, self.merge).names if self.merge else own

    def key(self) -> dict[str, Any]:
        """What the answers depend on, ready for ``json.dumps``: what has to be the same when a run goes on."""
        values = asdict(self) | {"model": self.model or DEFAULT}
        del values["seconds"], values["megabytes"]
        if (labels := self.labels()) != LABELS:
            values["classes"] = list(labels)
        if self.merge:
            values["merge"] = {name: list(members) for name, members in self.merge.items()}
        if self.model and os.path.exists(self.model):
            parts = [self.model]
            if os.path.isdir(self.model):
                parts = [entry.path for entry in sorted(os.scandir(self.model), key=lambda entry: entry.name)]
            sizes = [[os.path.basename(part), os.stat(part).st_size, os.stat(part).st_mtime_ns] for part in parts]
            values["model"] = [os.path.abspath(self.model), sizes]
        return values


@dataclass(frozen=True)
class Answer:
    """What came of one picture.

    Attributes:
        item: The picture.
        data: `FaceResults.to_dict` without the name, or ``{"error": SENTENCE}``.
    """

    item: Item
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """What the picture is called."""
        return self.item.name

    @property
    def error(self) -> str | None:
        """Why it could not be read, one sentence; None if it was read."""
        return self.data.get("error")

    @property
    def faces(self) -> FaceResults:
        """The faces without their crops, the largest first, numbers rounded as `FaceResults.to_dict` does it.

        Raises:
            ValueError: If the picture could not be read.
        """
        if self.error is not None:
            raise ValueError(self.error)
        return FaceResults.from_dict(self.data | {"file": self.name})

    def to_dict(self) -> dict[str, Any]:
        """``{"file": NAME}`` and `data`, as ``fer-demo predict --json`` prints a picture."""
        return {"file": self.name} | self.data
