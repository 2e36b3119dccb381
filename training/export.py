"""From a finished run to a checkpoint folder that timm loads as a ``local-dir``."""

import json
import sys
from pathlib import Path
from typing import Any

import timm
import torch

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.export import export_model
from fer_demo.model_info import ModelError, model_info
from fer_demo.preprocess import data_config
from fer_demo.weights import ONNX_FILE, WEIGHTS_FILE
from training.card import data_set, model_card
from training.channels import channel_means
from training.data import Faces
from training.evaluate import VIEWS, evaluate
from training.run_folder import BEST, LAST, build_model, resume_config
from training.storage import atomic_write_text


def export(run_dir: str | Path, out: str | Path, faces: Faces, views: tuple[str, ...] = VIEWS) -> dict[str, Any]:
    """Writes weights, ONNX file, config.json, metrics.json, channels.json and the model card.

    Args:
        run_dir: A run of `training.train.Trainer`.
        out: The folder, named ``<architecture>.<tag>``.
        faces: FER2013, for the figures.
        views: Some of `training.evaluate.VIEWS`.

    Returns:
        The metrics.

    Raises:
        ValueError: If the run has no best weights yet, ended at another size than its model is used at, or if `out`
            is named after no known data set.
    """
    run_dir, out = Path(run_dir), Path(out)
    config = resume_config(run_dir)
    if not (run_dir / BEST).is_file():
        raise ValueError(f"{run_dir} has no {BEST} yet; train at least one epoch at the final size.")
    data_set(out.name)  # before the long evaluation
    if config.model_args and timm.is_model(out.name.rpartition(".")[0]):
        raise ValueError(
            f"{out.name} names a network without the options {config.model_args}: name the folder otherwise, such as "
            f"{out.name.replace('.', '-variant.')}, and load it as local-dir:FOLDER."
        )
    best = json.loads(torch.load(run_dir / LAST, map_location="cpu", weights_only=True)["best"])
    model = build_model(config, checkpoint_path=str(run_dir / BEST))
    side, used = config.sizes[-1][1], data_config(model)["size"]
    if (side, side) != used:
        raise ValueError(
            f"{run_dir} ended at {side} pixels, but {config.model} is used at {used[0]}: train to that size."
        )
    metrics = evaluate(model, faces, views=views, progress=True)
    metrics["training"] = {"recipe": config.to_dict(), "chosen_epoch": best["epoch"], "weights": best["weights"]}
    names = {"label_names": list(model.pretrained_cfg["label_names"])}
    # A network that takes views is evaluated on single pictures here, as the app and `reproduce` use it.
    options = {"model_args": config.model_args} if config.model_args else {}
    model.to(memory_format=torch.contiguous_format)  # evaluation made it channels-last, which safetensors refuses
    timm.models.save_for_hf(model, out, model_config=names | options, safe_serialization=True)
    (out / WEIGHTS_FILE).chmod(0o644)  # safetensors writes files that only their owner can read
    atomic_write_text(out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    try:
        export_model(model, model_info(model, out.name, metrics), out / ONNX_FILE)
    except ModelError as error:  # PyTorch then runs it; covariance pooling has no ONNX form
        print(f"no {ONNX_FILE}: {error}", file=sys.stderr)
    means = channel_means(model.eval(), faces.split("PublicTest"))
    atomic_write_text(out / "channels.json", json.dumps(means) + "\n")
    atomic_write_text(out / "README.md", model_card(out.name, metrics, config.to_dict(), best))
    return metrics
