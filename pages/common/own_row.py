"""The line of the Trade-offs page's table that is about the server owner's own model."""

from numbers import Real
from pathlib import Path
from typing import Any

from fer_demo.checkpoints import CONFIG_FILE, METRICS_FILE, ONNX_FILE, WEIGHTS_FILE, checkpoint_file
from fer_demo.provenance import answering_figures
from fer_demo.runtime.model_info import ModelError
from fer_demo.tradeoffs import MEASURES, Row, network_costs
from fer_demo.web.models import AppModel

KIND = "this server's own"


def own_row(model: AppModel) -> dict[str, Any]:
    """What is known of a model that is none of the bundled ones, in the columns of `Row.to_dict`.

    Costs are counted on its own network. Accuracies are those of its own ``metrics.json``, and never anybody else's.

    Args:
        model: The model.
    """
    try:
        config = checkpoint_file(model.source, CONFIG_FILE)
        metrics = checkpoint_file(model.source, METRICS_FILE)
    except ModelError:
        config, metrics = {}, {}
    values, intervals, size = _costs(config, len(model.labels)), {}, _size(config)
    if file := _file(model):
        values["file_bytes"] = file.stat().st_size
    accuracy, interval = _accuracy(metrics)
    if accuracy is not None:
        values["accuracy"] = accuracy
        if interval:
            intervals["accuracy"] = interval
    row = Row(model.name, model.name, KIND, "", size, values, intervals, model=config.get("architecture"))
    return row.to_dict() | {"data": "its own", "input": size or None, "checkpoint": model.name}


def _file(model: AppModel) -> Path | None:
    source = Path(model.source)
    files = [source, *(source / name for name in (WEIGHTS_FILE, "pytorch_model.bin", ONNX_FILE))]
    return next((file for file in files if file.is_file()), None)


def _size(config: dict[str, Any]) -> int:
    """Side of its input in pixels; 0 where it does not say."""
    try:
        return int((config.get("pretrained_cfg") or config)["input_size"][-1])
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return 0


def _costs(config: dict[str, Any], classes: int) -> dict[str, float]:
    """What its network costs on any machine; nothing where it does not say which network that is."""
    try:
        options = {"num_classes": classes} | (config.get("model_args") or {})
        pairs = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in options.items())
        costs = network_costs(str(config["architecture"]), _size(config), pairs)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        return {}
    return {name: getattr(costs, name) for name in ("parameters", "macs", "activation_bytes") if name in MEASURES}


def _accuracy(metrics: dict[str, Any]) -> tuple[float | None, tuple[float, float] | None]:
    """The share of right answers on test pictures and its interval, as far as a ``metrics.json`` states them."""
    try:
        test = answering_figures(metrics)
        value = test.get("accuracy")
        interval = test.get("interval")
    except AttributeError:
        return None, None
    if not _is_share(value):
        return None, None
    stated = isinstance(interval, list) and len(interval) == 2 and all(map(_is_share, interval))
    return float(value), (float(interval[0]), float(interval[1])) if stated else None


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= 1
