"""Writes a trained network as one file that other programs use: ONNX, TorchScript or PyTorch's own ``.pt2``.

Class names, normalisation, input size and temperature travel in the file (`fer_demo.runtime.model_info.ModelInfo`).
Before a file takes its place it is loaded again and compared with PyTorch on real faces.
"""

import os
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch.nn as nn
from numpy.typing import NDArray

from fer_demo.checkpoints import renew_manifest
from fer_demo.export.check import MAX_DIFFERENCE, MAX_SOFTENED, sample_crops, torch_logits
from fer_demo.export.formats import FORMATS, write_onnx
from fer_demo.runtime.engines import softmax
from fer_demo.runtime.model_info import ModelError, ModelInfo
from fer_demo.vision.preprocess import prepare_array

__all__ = ["FORMATS", "PRECISIONS", "Exported", "export_model"]

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        file: The file.
        size: Its bytes.
        faces: How many crops of real faces it was compared on.
        difference: The largest absolute difference of a logit from PyTorch's.
        probability_difference: The same for the probabilities.
    """

    file: Path
    size: int
    faces: int
    difference: float
    probability_difference: float


def export_model(
    model: nn.Module,
    info: ModelInfo,
    file: str | os.PathLike[str],
    *,
    format: str = "onnx",
    precision: str = "fp32",
    calibration: NDArray[np.uint8] | None = None,
    plain: bool = False,
) -> Exported:
    """Writes a network to a file and checks the file against PyTorch.

    Args:
        model: A timm model on the CPU; put into evaluation mode.
        info: What `fer_demo.runtime.model_info.model_info` says of it.
        file: Where to; a file that is there is replaced once the new one has passed.
        format: One of `FORMATS`.
        precision: One of `PRECISIONS`; all but "fp32" go with the format "onnx".
        calibration: uint8 (N, H, W) grey face crops, needed for "int8": from them come the ranges of the activations.
        plain: Keep the ONNX graph as PyTorch writes it, for other runtimes than ONNX Runtime, for which "fp32" is
            rewritten (`fer_demo.export.optimize`).

    Returns:
        Size and differences.

    Raises:
        ModelError: If the combination is not possible, or the file answers differently: by more than
            `fer_demo.export.check.MAX_DIFFERENCE` for "fp32", and than `MAX_SOFTENED` there for the others.
    """
    if format not in FORMATS or precision not in PRECISIONS:
        raise ModelError(f"The format must be one of {', '.join(FORMATS)}, the precision of {', '.join(PRECISIONS)}.")
    if precision != "fp32" and format != "onnx":
        raise ModelError(f"The precision {precision} goes with the format onnx, not with {format}.")
    if plain and (format != "onnx" or precision != "fp32"):
        raise ModelError(f"Only onnx in fp32 is rewritten and can be left plain, not {format} in {precision}.")
    if precision == "int8" and (calibration is None or len(calibration) == 0):
        raise ModelError("The precision int8 is calibrated on real faces; give some.")
    file, info = Path(file), replace(info, precision=precision)
    model = model.eval()
    write, load = FORMATS[format]
    if plain:
        write = partial(write_onnx, plain=True)
    x = prepare_array(sample_crops(info.size[0]), **info.preprocessing)
    expected = torch_logits(model, x)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.stem}-") as folder:
        written = Path(folder) / file.name
        write(model, info, written)
        if precision != "fp32":
            from fer_demo.export.quantize import to_fp16, to_int8

            if precision == "fp16":
                to_fp16(written)
            elif calibration is not None:
                to_int8(written, prepare_array(calibration, **info.preprocessing))
        run, read = load(written)
        if read != info:
            raise ModelError(f"{file} was not written: its metadata reads as {read} instead of {info}.")
        found = run(x)
        difference = float(np.abs(found - expected).max())
        softer = float(np.abs(softmax(found / info.temperature) - softmax(expected / info.temperature)).max())
        if precision == "fp32" and not difference <= MAX_DIFFERENCE:
            raise ModelError(
                f"{file} was not written: its logits differ from PyTorch's by {difference:.2g}, more than "
                f"{MAX_DIFFERENCE:g}; choose another format, or for onnx a plain graph."
            )
        if precision != "fp32" and not softer <= MAX_SOFTENED[precision]:
            raise ModelError(
                f"{file} was not written: in {precision} its probabilities differ from PyTorch's by {softer:.2g}, more "
                f"than {MAX_SOFTENED[precision]:g}; choose another precision."
            )
        size = written.stat().st_size
        written.replace(file)
    renew_manifest(file)
    return Exported(file, size, len(x), difference, softer)
