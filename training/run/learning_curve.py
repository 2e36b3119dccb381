"""Learning curves: how many pictures of a class are worth collecting."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from training.data import DataError, Faces
from training.eval.tta import predict_logits
from training.run.config import TrainConfig
from training.run.run_folder import trained_model
from training.run.train import Trainer


@dataclass(frozen=True)
class Point:
    """One run of a curve.

    Attributes:
        count: Training pictures of each class.
        seed: Draws them, and is the run's.
        split: On which it was evaluated.
        accuracy: There, 0 to 1.
        seconds: That it took.
    """

    count: int
    seed: int
    split: str
    accuracy: float
    seconds: float


def subset(faces: Faces, count: int, seed: int) -> Faces:
    """Data whose Training split has the same number of pictures of each class.

    Args:
        faces: All data.
        count: Training pictures of each class that stay.
        seed: Draws them; a larger number with the same seed keeps those of a smaller one.

    Raises:
        DataError: If a class has fewer.
    """
    labels, training = faces.labels.numpy(), faces.splits == "Training"
    keep = ~training
    for number, name in enumerate(faces.classes):
        rows = np.flatnonzero(training & (labels == number))
        if len(rows) < count:
            raise DataError(f"Training has {len(rows)} pictures of {name}: give --counts up to {len(rows)}.")
        keep[np.random.default_rng([seed, number]).permutation(rows)[:count]] = True
    return faces.take(np.flatnonzero(keep))


def learning_curve(
    config: TrainConfig, faces: Faces, counts: Sequence[int], seeds: int, *, quiet: bool = True
) -> Iterator[Point]:
    """Trains on parts of the data, each time from the start.

    Args:
        config: Of all runs, but for their seeds.
        faces: Labelled faces.
        counts: Training pictures of each class.
        seeds: Runs for each, seeds 0, 1, ...
        quiet: No progress bars.

    Yields:
        What the weights chosen on PublicTest reach on PrivateTest, or, in data without, on PublicTest itself, which
        is somewhat too high then.

    Raises:
        DataError: If a class has too few pictures; before anything is trained.
    """
    parts = {(count, seed): subset(faces, count, seed) for count in counts for seed in range(seeds)}
    split = "PrivateTest" if (faces.splits == "PrivateTest").any() else "PublicTest"
    asked = faces.split(split)
    for (count, seed), part in parts.items():
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(replace(config, seed=seed), part, folder, quiet=quiet)
            trainer.fit()
            model = trained_model(config, Path(folder))
            right = predict_logits(model, asked.images, size=(config.sizes[-1][1],) * 2).argmax(1) == asked.labels
            seconds = sum(row["seconds"] for row in trainer.history)
        yield Point(count, seed, split, round(float(right.float().mean()), 4), round(seconds, 1))


def table(points: Sequence[Point]) -> str:
    """The curve as a Markdown table: mean and standard deviation over seeds."""
    lines = [f"| pictures a class | {points[0].split} | seconds a run |", "|---|---|---|"]
    for count in dict.fromkeys(point.count for point in points):
        found = [point for point in points if point.count == count]
        shares = [100 * point.accuracy for point in found]
        spread = f" ± {stdev(shares):.1f}" if len(shares) > 1 else ""
        lines.append(f"| {count} | {fmean(shares):.1f}{spread} % | {fmean(point.seconds for point in found):.0f} |")
    return "\n".join(lines)


def as_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The points as JSON holds them."""
    return [asdict(point) for point in points]
