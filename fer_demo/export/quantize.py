"""Smaller numbers in an ONNX file: half precision, or 8-bit integers calibrated on real faces."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from fer_demo.export.formats import INPUT

CALIBRATION_BATCH = 64


def to_fp16(file: Path) -> None:
    """Halves an ONNX file in place: weights and arithmetic in float16, input and output in float32 as before."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.shape_inference.infer_shapes(onnx.load(file))
    model = convert_float_to_float16(model, keep_io_types=True)
    onnx.save(model, file)


def to_int8(file: Path, faces: NDArray[np.float32]) -> None:
    """Quantises an ONNX file in place: 8-bit weights for each channel, 8-bit activations.

    Args:
        file: The file.
        faces: float32 (N, 1, H, W), prepared faces that show the activations' usual ranges.
    """
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(file),
            _Faces(faces),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # 7 bits for weights: processors without VNNI add products in 16 bits, which would overflow. That costs
            # fer_sedense_s2.tune_fer2013 1.6 points of its accuracy on PublicTest, a missing bit less than 0.2.
            reduce_range=True,
        )


class _Faces(CalibrationDataReader):  # type: ignore[misc]  # which has no types
    def __init__(self, faces: NDArray[np.float32]) -> None:
        starts = range(0, len(faces), CALIBRATION_BATCH)
        self._batches = iter([{INPUT: faces[start : start + CALIBRATION_BATCH]} for start in starts])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)
