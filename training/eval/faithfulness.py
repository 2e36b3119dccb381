"""Which explanations tell the truth, measured on labelled faces: areas under deletion and insertion curves."""

from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from fer_demo.explain import METHODS, attribute, centre_map, curves, random_map
from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.vision.preprocess import data_config, prepare
from training.data import Faces

PIXELS, PATCHES, CENTRE = "random pixels", "random patches", "centre Gaussian"
CONTROL = {"gradcam": PATCHES, "occlusion": PATCHES, "integrated_gradients": PIXELS, "smoothgrad": PIXELS}
"""Which chance a method is compared with: that of its own coarseness."""

CHUNK = 20
"""Pictures that are explained together. Each gets SmoothGrad's noise by its place among them, so that another number
would change published digits."""


def faithfulness(
    model: torch.nn.Module,
    faces: Faces,
    *,
    count: int = 200,
    methods: tuple[str, ...] = tuple(METHODS),
    temperature: float = 1.0,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """Measures methods and maps that know nothing on the same pictures, for the class the network answers.

    Args:
        model: A timm model in evaluation mode.
        faces: The split to draw from.
        count: Pictures, drawn at random.
        methods: Keys of `METHODS`.
        temperature: Divides the logits.
        seed: Decides which pictures.
        progress: Show a progress bar.

    Returns:
        ``n``, ``temperature``, and ``methods``: name to ``deletion`` and ``insertion``, each ``[mean, low, high]`` of
        the areas with a 95 % interval; for `METHODS` also ``control``, the random map of the same coarseness, and
        ``gain_deletion`` and ``gain_insertion``: by how much it beats that map, picture by picture, likewise.
    """
    order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(seed))[:count]
    x = prepare(faces.images[order], **data_config(model))
    n, _, h, w = x.shape
    with torch.no_grad():
        target = torch.cat([model(part).argmax(1) for part in x.split(CPU_BATCH)])
    cells = attribute(model, x[:1], 0).raw.shape[-1]
    maps = {PIXELS: random_map(n, h, w), PATCHES: random_map(n, h, w, cells), CENTRE: centre_map(n, h, w)}
    for method in methods:
        result = torch.empty(n, h, w)
        for i in tqdm(target.unique().tolist(), desc=METHODS[method], disable=not progress, leave=False):
            chosen = (target == i).nonzero()[:, 0]
            for part in chosen.split(CHUNK):
                result[part] = attribute(model, x[part], i, method=method).maps
        maps[METHODS[method]] = result
    areas = {name: curves(model, x, m, target, temperature=temperature).areas() for name, m in maps.items()}
    figures: dict[str, Any] = {
        name: {"deletion": rounded(deletion), "insertion": rounded(insertion)}
        for name, (deletion, insertion) in areas.items()
    }
    for method in methods:
        own, control = areas[METHODS[method]], areas[CONTROL[method]]
        figures[METHODS[method]] |= {
            "control": CONTROL[method],
            "gain_deletion": rounded(control[0] - own[0]),
            "gain_insertion": rounded(own[1] - control[1]),
        }
    return {"n": n, "temperature": temperature, "methods": figures}


def rounded(values: torch.Tensor) -> list[float]:
    """Mean of independent values with its 95 % normal interval: mean, low, high."""
    v = np.asarray(values, dtype=np.float64)
    half = 1.96 * v.std(ddof=1) / np.sqrt(len(v))
    return [round(float(x), 4) for x in (v.mean(), v.mean() - half, v.mean() + half)]


def table(result: dict[str, Any]) -> str:
    """The result in Markdown, maps that know nothing last."""
    lines = [
        "| map | deletion, low is good | insertion, high is good | compared with | gain, deletion | gain, insertion |",
        "|---|---|---|---|---|---|",
    ]

    def order(name: str) -> float:
        figures = result["methods"][name]
        return -sum(figures[key][0] for key in ("gain_deletion", "gain_insertion")) if "control" in figures else 1.0

    for name in sorted(result["methods"], key=order):
        figures = result["methods"][name]
        cells = [name, _text(figures["deletion"]), _text(figures["insertion"]), figures.get("control", "")]
        cells += [_text(figures[key]) if key in figures else "" for key in ("gain_deletion", "gain_insertion")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _text(values: list[float]) -> str:
    mean, low, high = values
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"
