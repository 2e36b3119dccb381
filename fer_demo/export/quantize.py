"""Smaller numbers in an ONNX file: half precision, or 8-bit integers calibrated on real faces."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
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


def to_int8(file: Path, faces: np.ndarray) -> None:
    """Quantises an ONNX file in place: 8-bit weights for each channel, 8-bit activations.

    Depthwise convolutions and whatever follows global pooling (squeeze-and-excitation, the classifier) stay in float32:
    they are a few per cent of the arithmetic and nearly all of the lost accuracy.

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
            nodes_to_exclude=_sensitive(onnx.load(prepared).graph),
            # 7 bits for weights: processors without VNNI add products in 16 bits, which would overflow.
            reduce_range=True,
        )


def _sensitive(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that stay in float32; see `to_int8`."""
    constants = {tensor.name for tensor in graph.initializer}
    pooled: set[str] = set()
    names = []
    for node in graph.node:
        data = [name for name in node.input if name not in constants]
        if node.op_type in ("ReduceMean", "GlobalAveragePool") or all(name in pooled for name in data):
            pooled.update(node.output)
        depthwise = any(a.name == "group" and a.i > 1 for a in node.attribute)
        if depthwise or any(name in pooled for name in (*data, *node.output)):
            names.append(node.name)
    return names


class _Faces(CalibrationDataReader):
    def __init__(self, faces: np.ndarray) -> None:
        starts = range(0, len(faces), CALIBRATION_BATCH)
        self._batches = iter([{INPUT: faces[start : start + CALIBRATION_BATCH]} for start in starts])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
