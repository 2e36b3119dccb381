"""What runs the network: ONNX Runtime, which needs no PyTorch, or PyTorch itself."""

import importlib.util
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from fer_demo.checkpoints import CONFIG_FILE, ONNX_FILE, Checkpoint, resolve
from fer_demo.emotions import LABELS
from fer_demo.runtime.checks import check_labels
from fer_demo.runtime.model_info import ModelError, ModelInfo, finite
from fer_demo.vision.sources import one_line

if TYPE_CHECKING:
    import onnxruntime
    import torch

    from fer_demo.runtime.torch_engine import TorchEngine

ENGINES = ("onnx", "torch")

PIECE = 8
"""Most faces that ONNX Runtime gets at a time."""

PIECE_BYTES = 3 << 20
"""What the largest maps of the faces that it gets at a time may take: larger ones leave the processor's caches."""

MAP_BYTES = "fer_demo.map_bytes"
"""Key in the file's metadata: bytes of the largest map of one picture."""


class Engine(Protocol):
    """A network that is ready to run.

    Attributes:
        kind: One of `ENGINES`.
        info: What it takes and answers.
    """

    kind: str
    info: ModelInfo

    @property
    def device(self) -> "str | torch.device":
        """Where it runs, as ``torch.device`` takes it."""
        ...

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Runs the network on float32 (N, 1, H, W) as `prepare_array` gives it; float32 (N, C). Thread-safe."""
        ...


class OnnxEngine:
    """A network in an ONNX file that ``python -m fer_demo export`` wrote, run by ONNX Runtime on the CPU.

    Args:
        file: The ONNX file.
        threads: Threads that one call may use; None is ``OMP_NUM_THREADS``, or else one for each core.

    Raises:
        ModelError: If onnxruntime is not installed, or the file cannot be loaded or lacks its metadata.
    """

    kind = "onnx"
    device = "cpu"

    def __init__(self, file: str | os.PathLike[str], threads: int | None = None) -> None:
        if not os.path.isfile(file):  # reading from a pipe may never end
            what = "is no regular file" if Path(file).exists() else "does not exist"
            raise ModelError(f"The model {file} {what}; check its path.")
        try:
            self._session = open_session(file, threads)
        except RuntimeError as error:
            raise ModelError(f"The model {file} cannot be loaded ({error}); export it again.") from error
        self.info = ModelInfo.from_metadata(self._session.get_modelmeta().custom_metadata_map, str(file))
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"The model {file} takes {len(inputs)} inputs instead of one picture; export it again.")
        self._input = inputs[0].name
        map_bytes = self._session.get_modelmeta().custom_metadata_map.get(MAP_BYTES, "")
        stated = int(map_bytes) if re.fullmatch("[0-9]{1,15}", map_bytes) else 0
        fitting = PIECE_BYTES // stated if stated else PIECE
        self._piece = min(PIECE, max(1, fitting))

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Engine.logits`."""
        if len(x) == 0:
            return np.empty((0, len(self.info.labels)), np.float32)
        if len(x) <= self._piece:
            try:
                found = np.asarray(self._session.run(None, {self._input: x})[0])
            except Exception as error:  # onnxruntime's own exceptions have no common base
                raise ModelError(
                    f"The model {self.info.name} fails at its work ({_reason(error)}); export it again."
                ) from error
            if found.shape != (len(x), len(self.info.labels)):
                raise ModelError(
                    f"The model {self.info.name} answered in the shape {found.shape} for {len(x)} pictures and "
                    f"{len(self.info.labels)} classes; export it again."
                )
            return finite(found, self.info.name)
        pieces = range(0, len(x), self._piece)
        return np.concatenate([self.logits(x[start : start + self._piece]) for start in pieces])


def open_session(model: str | os.PathLike[str] | bytes, threads: int | None = None) -> "onnxruntime.InferenceSession":
    """Loads an ONNX model into ONNX Runtime, for the CPU.

    Args:
        model: A file, or its content.
        threads: Threads that one call may use; None is ``OMP_NUM_THREADS``, or else one for each core.

    Raises:
        ModelError: If onnxruntime is not installed.
        RuntimeError: If ONNX Runtime cannot load the model; the message is its reason in one line.
    """
    if not installed("onnxruntime"):
        raise ModelError("The engine 'onnx' needs onnxruntime; run `pip install onnxruntime`.")
    import onnxruntime as ort

    ort.disable_telemetry_events()  # for Windows; elsewhere `fer_demo._no_telemetry` has to come before the import
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or _default_threads()
    # Threads that wait by spinning would take the cores from other requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what is raised needs no second report
    try:
        source = model if isinstance(model, bytes) else os.fspath(model)
        # Its fallback would try the same again and print about it to standard output.
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's own exceptions have no common base
        raise RuntimeError(_reason(error)) from error


def _reason(error: Exception) -> str:
    return one_line(" ".join(str(error).split()), 200)


@overload
def make_engine(
    model: Any, engine: Literal["torch"], *, device: "str | torch.device" = ..., threads: int | None = ...
) -> "TorchEngine": ...


@overload
def make_engine(
    model: Any = ..., engine: str | None = ..., *, device: "str | torch.device" = ..., threads: int | None = ...
) -> Engine: ...


def make_engine(
    model: Any = None, engine: str | None = None, *, device: "str | torch.device" = "cpu", threads: int | None = None
) -> Engine:
    """Loads a model.

    Args:
        model: A checkpoint as `fer_demo.checkpoints.resolve` takes it, an exported ONNX file, or a timm model.
        engine: One of `ENGINES`; None is "onnx" on the CPU where there is a file for it and onnxruntime is installed,
            and "torch" otherwise.
        device: Where the network runs, as ``torch.device`` takes it; "onnx" runs on the CPU only.
        threads: As for `OnnxEngine`; "torch" has one setting for the whole process, which this changes.

    Raises:
        ModelError: If there is no such model or it cannot be used so.
    """
    if engine not in (None, *ENGINES):
        raise ModelError(f"There is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    on_cpu = str(device) == "cpu"
    if engine == "onnx" and not on_cpu:
        raise ModelError(f"The engine 'onnx' runs on the CPU; use the engine 'torch' for the device {str(device)!r}.")
    if isinstance(model, (str, os.PathLike)) and Path(model).suffix == ".onnx" and Path(model).is_file():
        if engine == "torch" or not on_cpu:
            raise ModelError(f"{model} is an ONNX file, which runs with the engine 'onnx' on the CPU alone.")
        return OnnxEngine(model, threads)
    if model is None or isinstance(model, (str, os.PathLike)):
        checkpoint = resolve(model)
        model = checkpoint.name if checkpoint.bundled else checkpoint.folder
        file = checkpoint.path(ONNX_FILE)
        if engine != "torch" and on_cpu and file and (engine or installed("onnxruntime")):
            made = OnnxEngine(file, threads)
            if made.info.labels != (stated := _config_labels(checkpoint)) and stated:
                raise ModelError(
                    f"{file} has other classes ({one_line(', '.join(made.info.labels))}) than the {CONFIG_FILE} beside "
                    "it; export it again."
                )
            return made
        if engine == "onnx":
            raise ModelError(
                f"The model {model} has no {ONNX_FILE}; run `python -m fer_demo export {model} --format onnx --out "
                f"{checkpoint.folder / ONNX_FILE}`, or use the engine 'torch'."
            )
    elif engine == "onnx":
        raise ModelError("The engine 'onnx' takes a file; export the model with `fer_demo.export.export_model` first.")
    if not installed("torch", "timm"):
        raise ModelError(f"{model} runs with PyTorch, which is not installed; run `pip install 'fer-demo[torch]'`.")
    from fer_demo.runtime.torch_engine import TorchEngine

    return TorchEngine(model, device=device, threads=threads)


def stated_labels(model: Any = None) -> tuple[str, ...]:
    """The classes that a model answers for, without loading its network where its folder says so.

    Args:
        model: As for `make_engine`, but no object.

    Raises:
        ModelError: If there is no such model, or it does not say.
    """
    if isinstance(model, (str, os.PathLike)) and Path(model).suffix == ".onnx" and Path(model).is_file():
        return OnnxEngine(model, 1).info.labels
    return _config_labels(resolve(model)) or LABELS


def _config_labels(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The names in a checkpoint's `CONFIG_FILE`; empty where it states none."""
    config = checkpoint.json(CONFIG_FILE)
    named = config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names")
    return check_labels(named, len(named), checkpoint.name) if isinstance(named, list) else ()


Real = TypeVar("Real", bound=np.floating[Any])


def softmax(logits: NDArray[Real]) -> NDArray[Real]:
    """Probabilities of logits (N, C), row by row, in the precision of the logits."""
    e: NDArray[Real] = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[Real] = e / e.sum(axis=1, keepdims=True)
    return shares


def installed(*packages: str) -> bool:
    """Whether packages are there, without importing them."""
    try:
        return all(importlib.util.find_spec(package) for package in packages)
    except (ImportError, ValueError):
        return False


def _default_threads() -> int:
    # 0 lets ONNX Runtime choose, which does not look at OMP_NUM_THREADS.
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() else 0
