"""Maps of what counted for an answer, all from Captum."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn as nn
import torch.nn.functional as F
from captum.attr import IntegratedGradients, LayerGradCam, NoiseTunnel, Occlusion, Saliency

from fer_demo.runtime.batch import CPU_BATCH
from fer_demo.runtime.torch_lock import lock

Score = Callable[[torch.Tensor], torch.Tensor]
"""From pictures (M, 1, H, W) to scores (M,)."""

METHODS = {
    "gradcam": "Grad-CAM",
    "integrated_gradients": "Integrated Gradients",
    "occlusion": "Occlusion",
    "smoothgrad": "SmoothGrad",
}
"""Method to its name in the literature: Selvaraju et al. 2017 (arXiv:1610.02391), Sundararajan et al. 2017
(arXiv:1703.01365), Zeiler and Fergus 2014 (arXiv:1311.2901), Smilkov et al. 2017 (arXiv:1706.03825)."""

UNSIGNED = {"smoothgrad"}
"""Methods whose maps say how much a pixel counted, but not whether for or against."""

IG_STEPS = 48
SMOOTH_SAMPLES, SMOOTH_SIGMA = 24, 0.1


@dataclass(frozen=True)
class Attribution:
    """A map for each picture of a batch.

    Attributes:
        maps: float32 (N, H, W) at the input's size: above 0 for the class, below 0 against it.
        raw: float32 (N, h, w) as the layer has it; `maps` itself for methods that work on the input.
        delta: float32 (N,) for Integrated Gradients: by how much the map's sum misses the change of the score between
            baseline and picture; None otherwise.
    """

    maps: torch.Tensor
    raw: torch.Tensor
    delta: torch.Tensor | None = None

    def positive(self) -> "Attribution":
        """Only what counts for the class, as in the Grad-CAM paper."""
        return Attribution(self.maps.clamp(min=0), self.raw.clamp(min=0), self.delta)


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers at which Grad-CAM can look, from the input on: every stage and every block in it.

    Stages are what timm calls a feature (``feature_info``); blocks are the children of their ``blocks``, or of a stage
    that is itself a sequence, as far as they have weights.

    Raises:
        ValueError: If the model names no features.
    """
    names = [info["module"] for info in getattr(model, "feature_info", [])]
    if not names:
        raise ValueError(f"{type(model).__name__} names no feature layers (feature_info), so none can be looked at.")
    found: dict[str, nn.Module] = {}
    for name in names:
        stage = model.get_submodule(name)
        inner, blocks = (f"{name}.blocks", stage.blocks) if hasattr(stage, "blocks") else (name, stage)
        if isinstance(blocks, nn.Sequential | nn.ModuleList):
            weighty = {i: block for i, block in enumerate(blocks) if any(True for _ in block.parameters())}
            found |= {f"{inner}.{i}": block for i, block in weighty.items()}
        found[name] = stage
    return found


def default_layer(model: nn.Module) -> str:
    """The last stage, whose output is the last concatenation: where the paper's authors take their Grad-CAM."""
    return list(layers(model))[-1]


Target = torch.Tensor | int | tuple[int, ...]
"""A class id; one for each picture, int64 (N,); or those of the outputs that a merged class is the sum of."""


def score_function(model: nn.Module, target: Target, against: Target | None = None) -> Score:
    """What is explained: a class's logit, or by how much it exceeds another's.

    Of a merged class it is the logarithm of the sum of its exponentials, whose softmax is the sum of the probabilities.

    Args:
        model: A classifier.
        target: The class.
        against: The other class, likewise, or None.

    Returns:
        A function from pictures (M, 1, H, W) to scores (M,), where M is a multiple of N as methods expand a batch.
    """

    def score(x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model(x)

        def of(which: Target) -> torch.Tensor:
            if isinstance(which, tuple):
                return logits[:, list(which)].logsumexp(1)
            ids = torch.as_tensor(which, device=logits.device).reshape(-1)
            if len(ids) not in (1, len(logits)):  # Captum repeats each picture in place, or the batch as a whole
                raise ValueError(f"{len(ids)} classes do not fit {len(logits)} pictures.")
            return logits.gather(1, ids.expand(len(logits))[:, None])[:, 0]

        return of(target) if against is None else of(target) - of(against)

    return score


def attribute(
    model: nn.Module,
    x: torch.Tensor,
    target: int | tuple[int, ...],
    *,
    method: str = "gradcam",
    layer: str | None = None,
    against: int | tuple[int, ...] | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Attribution:
    """Explains a class, or one class against another, for each picture.

    Args:
        model: A timm model in evaluation mode.
        x: float (N, 1, H, W) as `fer_demo.vision.preprocess.prepare` gives it.
        target: Class id, or those of the outputs that a merged class is the sum of.
        method: A key of `METHODS`.
        layer: For Grad-CAM, a key of `layers`; by default the last stage.
        against: Explain what speaks for `target` rather than for this class.
        seed: Of SmoothGrad's noise.
        progress: Called with the fraction done; what it raises stops the work.

    Returns:
        The maps, signed.

    Raises:
        ValueError: For an unknown method, layer or class, or a model in training mode.
    """
    if model.training:
        raise ValueError(
            "The model is in training mode, where its answers change from call to call; call eval() first."
        )
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}; choose one of {', '.join(METHODS)}.")
    classes = cast(int, model.num_classes)
    for name, value in (("target", target), ("against", against)):
        ids = value if isinstance(value, tuple) else () if value is None else (value,)
        if not all(0 <= one < classes for one in ids):
            raise ValueError(f"{name} must be a class id from 0 to {classes - 1}, but is {value}.")
    score = score_function(model, target, against)
    with lock(model), torch.enable_grad():
        if method == "gradcam":
            return _grad_cam(model, score, x, layer)
        # Captum takes a batch as a whole; picture by picture the work can be shown and stopped.
        parts = []
        for i, picture in enumerate(x.detach().split(1)):
            parts.append(_on_input(score, picture, method, seed + i))
            if progress:
                progress((i + 1) / len(x))
    maps = torch.cat([m for m, _ in parts])
    deltas = [d for _, d in parts if d is not None]
    return Attribution(maps, maps, torch.cat(deltas) if deltas else None)


def _grad_cam(model: nn.Module, score: Score, x: torch.Tensor, layer: str | None) -> Attribution:
    known = layers(model)
    name = layer or default_layer(model)
    if name not in known:
        raise ValueError(f"Unknown layer {name!r}; choose one of {', '.join(known)}.")
    raw = LayerGradCam(score, known[name]).attribute(x.detach())
    # Bicubic: with bilinear, the 6x6 cells of the last stage show as facets.
    maps = F.interpolate(raw, size=x.shape[-2:], mode="bicubic", align_corners=False)
    return Attribution(maps[:, 0].detach(), raw[:, 0].detach())


def _on_input(score: Score, x: torch.Tensor, method: str, seed: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    # A picture of its own mean grey says nothing about a face; black would make dark pixels count for nothing.
    grey = x.mean(dim=(2, 3), keepdim=True).expand_as(x)
    delta = None
    if method == "integrated_gradients":
        result, delta = IntegratedGradients(score).attribute(
            x, baselines=grey, n_steps=IG_STEPS, internal_batch_size=CPU_BATCH, return_convergence_delta=True
        )
    elif method == "occlusion":
        window, step = (max(2, side // 6) for side in x.shape[-2:]), (max(1, side // 16) for side in x.shape[-2:])
        result = Occlusion(score).attribute(
            x,
            sliding_window_shapes=(1, *window),
            strides=(1, *step),
            baselines=grey,
            perturbations_per_eval=CPU_BATCH,
        )
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            result = NoiseTunnel(Saliency(score)).attribute(
                x, nt_type="smoothgrad", nt_samples=SMOOTH_SAMPLES, stdevs=SMOOTH_SIGMA
            )
    return result[:, 0].detach().float(), None if delta is None else delta.detach().float()
