"""One pair of functions for each file format: write a model, and load a file for comparison."""

import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn as nn
from numpy.typing import NDArray

from fer_demo.files import parse_json
from fer_demo.runtime.engines import MAP_BYTES, OnnxEngine
from fer_demo.runtime.model_info import ModelError, ModelInfo
from fer_demo.vision.sources import one_line

if TYPE_CHECKING:
    import onnx

EXTRA_FILE = "fer_demo.json"
"""Name of the metadata inside TorchScript and .pt2 files: a JSON object as `ModelInfo.to_metadata` gives it."""

INPUT, OUTPUT = "input", "logits"

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _example(info: ModelInfo) -> torch.Tensor:
    # Two pictures: torch.export takes a dimension of 1 for a constant.
    return torch.rand(2, 1, *info.size, generator=torch.Generator().manual_seed(0))


def write_onnx(model: nn.Module, info: ModelInfo, file: Path, plain: bool = False) -> None:
    """Writes ONNX for one or more pictures at a time, with batch normalisation folded into the convolutions.

    For float32 the graph is rewritten as well, for ONNX Runtime, unless it is to stay `plain`; see
    `fer_demo.export.optimize`.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch.onnx needs it)
    except ImportError as error:
        raise ModelError(f"Writing ONNX needs {error.name}; run `pip install 'fer-demo[torch]'`.") from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's notes to PyTorch's own developers
        try:
            program = torch.onnx.export(
                model,
                (_example(info),),
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ModelError(
                f"{info.name} has operations that ONNX does not have; choose pt2 or torchscript."
            ) from error
    proto = cast("torch.onnx.ONNXProgram", program).model_proto  # None comes from the exporter before dynamo alone
    # Notes of the exporter: a quarter of the file, with paths of the machine that wrote it.
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for initializer in proto.graph.initializer:
        initializer.ClearField("doc_string")
        initializer.ClearField("metadata_props")
    proto.graph.ClearField("value_info")
    # The other precisions have no blocked layout, and are converted from the plain graph.
    if info.precision == "fp32" and not plain:
        from fer_demo.export.optimize import optimize

        proto = optimize(proto)
    proto.graph.name = info.name
    onnx.helper.set_model_props(proto, info.to_metadata() | {MAP_BYTES: str(_largest_map(proto))})
    onnx.checker.check_model(proto)
    onnx.save(proto, file)


def _largest_map(model: "onnx.ModelProto") -> int:
    """Bytes of the largest tensor that is computed for one picture, as float32."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes: list[list[int]] = [
        [d.dim_value for d in v.type.tensor_type.shape.dim[1:]] for v in (*graph.value_info, *graph.output)
    ]
    return 4 * max(math.prod(shape) for shape in shapes)


def load_onnx(file: Path) -> tuple[Run, ModelInfo]:
    """Loads what `write_onnx` wrote."""
    engine = OnnxEngine(file)
    return engine.logits, engine.info


def write_torchscript(model: nn.Module, info: ModelInfo, file: Path) -> None:
    """Writes frozen TorchScript; ``torch.jit.load`` gives the metadata with ``_extra_files={EXTRA_FILE: ""}``."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # PyTorch calls it deprecated in favour of .pt2
        traced = torch.jit.freeze(torch.jit.trace(model, _example(info), check_trace=False))
        torch.jit.save(traced, str(file), _extra_files={EXTRA_FILE: json.dumps(info.to_metadata())})


def load_torchscript(file: Path) -> tuple[Run, ModelInfo]:
    """Loads what `write_torchscript` wrote."""
    extra = {EXTRA_FILE: ""}
    with warnings.catch_warnings(), _readable(file):
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(file), _extra_files=extra)
        metadata = parse_json(extra[EXTRA_FILE])
    return _runner(module), ModelInfo.from_metadata(metadata, str(file))


def write_pt2(model: nn.Module, info: ModelInfo, file: Path) -> None:
    """Writes an ``ExportedProgram``; ``torch.export.load`` gives the metadata with ``extra_files={EXTRA_FILE: ""}``."""
    program = torch.export.export(model, (_example(info),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, file, extra_files={EXTRA_FILE: json.dumps(info.to_metadata())})


def load_pt2(file: Path) -> tuple[Run, ModelInfo]:
    """Loads what `write_pt2` wrote."""
    extra = {EXTRA_FILE: ""}
    with _readable(file):
        module = torch.export.load(file, extra_files=extra).module()
        metadata = parse_json(extra[EXTRA_FILE])
    return _runner(module), ModelInfo.from_metadata(metadata, str(file))


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # PyTorch raises many kinds for bytes that are none of its own
        reason = one_line(" ".join(str(error).split()) or type(error).__name__, 200)
        raise ModelError(f"{file} cannot be loaded ({reason}); export it again.") from error


def _runner(module: nn.Module) -> Run:
    @torch.no_grad()
    def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: torch.Tensor = module(torch.from_numpy(x))
        return logits.numpy()

    return run


FORMATS: dict[str, tuple[Callable[[nn.Module, ModelInfo, Path], None], Callable[[Path], tuple[Run, ModelInfo]]]] = {
    "onnx": (write_onnx, load_onnx),
    "torchscript": (write_torchscript, load_torchscript),
    "pt2": (write_pt2, load_pt2),
}
"""Name to how to write and how to load."""
