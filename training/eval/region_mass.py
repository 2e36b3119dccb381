"""How much of an explanation lies on eyes, brows and mouth."""

from typing import Any

import torch
from tqdm import tqdm

from fer_demo.explain import attribute
from fer_demo.models.regions import known_faces, region_maps
from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.vision.preprocess import data_config, prepare
from training.data.faces import DataError, Faces
from training.eval.faithfulness import CHUNK, rounded
from training.run.batches import as_fractions

INSIDE = 0.5
"""A pixel belongs to a region where the region's map (`region_maps`) is at least this."""


def region_mass(
    model: torch.nn.Module,
    faces: Faces,
    *,
    method: str = "gradcam",
    progress: bool = False,
) -> dict[str, Any]:
    """The share of a map's positive mass that lies on the eyes with their brows and on the mouth.

    The map is for the class that the network answers. Where it has no positive pixel, a face does not count.

    Args:
        model: A timm model in evaluation mode; it is not given the landmarks.
        faces: With landmarks; those without are left out.
        method: A key of `fer_demo.explain.METHODS`.
        progress: Show a progress bar.

    Returns:
        ``n``, and ``mass`` and ``area``: the share of the map, and of the picture, that the regions take, each
        ``[mean, low, high]`` with a 95 % interval; a map that knows nothing has a mass of that area.

    Raises:
        DataError: If fewer than two faces have landmarks and a map with a positive pixel.
    """
    if faces.landmarks is None or not (known := known_faces(faces.landmarks)).any():
        raise DataError("No face has landmarks: find them first, see with_landmarks.")
    images, landmarks = faces.images[known], faces.landmarks[known]
    x = prepare(images, **data_config(model))
    inside = (region_maps(landmarks / as_fractions(images.shape), *x.shape[-2:]) >= INSIDE).any(1)
    with torch.no_grad():
        target = torch.cat([model(part).argmax(1) for part in x.split(CPU_BATCH)])
    maps = torch.empty(len(x), *x.shape[-2:])
    for i in tqdm(target.unique().tolist(), desc=method, disable=not progress, leave=False):
        for part in (target == i).nonzero()[:, 0].split(CHUNK):
            maps[part] = attribute(model, x[part], i, method=method).positive().maps
    total = maps.sum((1, 2))
    some = total > 0
    if some.sum() < 2:
        raise DataError(
            f"Of {int(some.sum())} faces with landmarks and a map that speaks for their class there is no interval: "
            "give more --faces."
        )
    mass = (maps * inside).sum((1, 2))[some] / total[some]
    area = inside.float().mean((1, 2))[some]
    return {"n": int(some.sum()), "mass": rounded(mass), "area": rounded(area)}


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Model to what `region_mass` returns, as a Markdown table."""
    lines = ["| model | n | on eyes, brows and mouth | these are of the picture | ratio |", "|---|---|---|---|---|"]
    for name, result in figures.items():
        (mass, low, high), (area, _, _) = result["mass"], result["area"]
        lines.append(
            f"| `{name}` | {result['n']} | {mass:.1%} ({low:.1%} to {high:.1%}) | {area:.1%} | {mass / area:.2f} |"
        )
    return "\n".join(lines)
