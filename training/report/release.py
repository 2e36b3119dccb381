"""From a finished run to a checkpoint folder that timm loads as a ``local-dir``."""

import dataclasses
import datetime
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.checkpoints import (
    CARD_FILE,
    METRICS_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    is_bundled,
    write_manifest,
)
from fer_demo.files import read_json
from fer_demo.runtime.model_info import (
    ModelError,
    model_info,
    with_flag,
    with_set_threshold,
    with_temperature,
)
from fer_demo.runtime.torch_engine import create_trained
from fer_demo.vision.preprocess import data_config
from training.data import Faces
from training.data.classes import map_choice
from training.eval.evaluate import evaluate, view_and_truth
from training.eval.tta import TTA
from training.report.card import data_key, model_card
from training.report.release_checks import check_new, check_replaceable, checkpoint_name, exportable
from training.report.validation import write_answers
from training.run.batch_norm import calibrate_batch_norm
from training.run.config import TrainConfig, from_dict
from training.run.devices import pick_device
from training.run.facts import data_facts, read_facts
from training.run.heads import HEADS_FILE, one_head
from training.run.provenance import Release, lineage, read_sources, record_release
from training.run.run_folder import BEST, LAST, build_model, run_config
from training.run.runlog import CONFIG, RECORD, RUNS, read_run
from training.run.state import is_choice, read_state
from training.run.storage import atomic_write_text, read_back


def export(
    run_dir: str | Path,
    out: str | Path,
    faces: Faces,
    tta: Sequence[str] = TTA,
    seeds: dict[str, Any] | None = None,
    bn_pictures: int = 0,
    votes_share: float | None = None,
    photos: str | Path | None = None,
    mirror: bool = False,
    prior_correction: dict[str, float] | None = None,
    trained_on: str = "",
    name: str | None = None,
) -> dict[str, Any]:
    """Writes weights, ONNX file, config.json, metrics.json, channels.json, the model card and the manifest.

    A checkpoint in that folder is replaced when all is written, with whatever was measured on its weights before.

    Args:
        run_dir: A run of `training.run.train.Trainer`.
        out: The checkpoint's folder.
        faces: Data of the run's classes, for the figures.
        tta: Some of `training.eval.tta.TTA`.
        seeds: The run and its twins of other seeds, as `training.run.full.full` compares them; None for a single run.
        bn_pictures: For a run that was trained without: the recipe's setting of that name, applied now.
        votes_share: For a run with two heads: the operating point, see `training.run.heads`.
        photos: Labelled photographs to evaluate on, see `training.eval.photos`; None for none.
        mirror: The checkpoint's answer is the mean with that for the mirror image.
        prior_correction: For a run with two heads, likewise.
        trained_on: What the run was trained on, if that was not `faces`, such as the same pictures compressed.
        name: The checkpoint's, as `checkpoint_name` takes it; by default that of the folder.

    Returns:
        The metrics.

    Raises:
        ValueError: If the run has no best weights yet, has two heads and no share or the other way round, was trained
            on other data, ended at another size than its model is used at, or has other classes than `faces`; if `name`
            was released with other weights; or if `out` holds something else than a checkpoint.
    """
    run_dir, out = Path(run_dir), Path(out)
    config = run_config(run_dir)
    if not (run_dir / BEST).is_file():
        raise ValueError(f"{run_dir} has no {BEST} yet; train at least one epoch at the final size.")
    name = checkpoint_name(out.resolve().name if name is None else name, config.model)  # before the long evaluation
    check_replaceable(out)
    check_new(name, run_dir.resolve().name)
    config = exportable(config, name, votes_share, run_dir)
    best, epochs, data = _outcome(run_dir)
    trained = config.epochs if epochs is None else epochs
    if data not in (None, faces.fingerprint()) and not trained_on:
        raise ValueError(
            f"{run_dir} was trained on other data: give the same --data as for training, or say with --trained-on what "
            "it was trained on."
        )
    model = build_model(config, checkpoint_path=str(run_dir / BEST))
    side, used = config.sizes[-1][1], data_config(model)["size"]
    if (side, side) != used:
        raise ValueError(
            f"{run_dir} ended at {side} pixels, but {config.model} is used at {used[0]}: train to that size."
        )
    if bn_pictures and not config.bn_pictures:
        config = dataclasses.replace(config, bn_pictures=bn_pictures)
        calibrate_batch_norm(model, faces.split("Training").images, pictures=bn_pictures)
    facts = read_facts(run_dir)
    if not facts and data == faces.fingerprint():
        facts = {"data": data_facts(faces)}  # of a run that is older than such facts
    training = {"recipe": config.to_dict(), "chosen_epoch": best["epoch"], "weights": best["weights"]}
    if facts:
        training["facts"] = facts | ({"evaluated": data_facts(faces)} if trained_on else {})
    sources = read_sources(run_dir)
    if before := lineage(config, sources):
        training["lineage"] = before
    if taught := {name: digest for name, digest in sources.items() if name in config.teachers}:
        training["teachers"] = taught
    if trained < config.epochs:
        training["stopped_after"] = trained
    if trained_on:
        training["data"] = trained_on
    if seeds:
        training["seeds"] = seeds
    if note := _record(run_dir).get("note"):
        training["note"] = note
    heads = None
    if votes_share is not None:
        corrected = prior_correction or {}
        training["operating_point"] = {"votes_share": votes_share, "prior_correction": corrected, "mirror": mirror}
        heads = model.get_classifier().state_dict()
        model = one_head(model, config, votes_share, corrected)
    metrics = _write(model, out, name, faces, tta, training, heads, photos)
    if is_bundled(out):
        figures = {
            "public": metrics["PublicTest"]["accuracy"],
            "private": metrics.get("PrivateTest", {}).get("accuracy"),
        }
        digest = hashlib.sha256((out / WEIGHTS_FILE).read_bytes()).hexdigest()
        today = datetime.date.today().isoformat()
        record_release(Release(name, digest, run_dir.resolve().name, trained, today, **figures))
    return metrics


def _outcome(run_dir: Path) -> tuple[dict[str, Any], int | None, str | None]:
    """The trainer's note on its best weights, the epochs that it trained (None for all) and its data's fingerprint.

    A finished run may have lost its state, as one that came back from another machine has: its record says the same.
    """
    if (run_dir / LAST).is_file():
        state = read_state(run_dir / LAST, "cpu")
        return json.loads(state["best"]), state["epoch"], state.get("data")
    record = _record(run_dir)
    if record.get("status") != "finished":
        raise ValueError(f"{run_dir} has neither {LAST} nor a record of a finished run; finish it first.")
    if not is_choice(record.get("best")):
        place = RUNS / run_dir.resolve().name
        raise ValueError(f"{place} does not say which weights were chosen; restore its {RECORD}.")
    return record["best"], None, record.get("data")


def _record(run_dir: Path) -> dict[str, Any]:
    """What this repository's record of a run says; empty if it has none."""
    place = RUNS / run_dir.resolve().name
    return read_run(place).record if (place / CONFIG).is_file() else {}


def calibrate(folder: str | Path, out: str | Path, faces: Faces, bn_pictures: int) -> dict[str, Any]:
    """Gives a checkpoint statistics of batch normalisation from pictures that are not augmented, and new figures.

    See `training.run.batch_norm`. The weights stay; temperature, threshold, figures, ONNX file and card are made anew.

    Args:
        folder: A checkpoint folder that `export` wrote, of a run that was trained without ``bn_pictures``.
        out: Where to; may be the same folder, unless that is bundled.
        faces: The data that it was trained on.
        bn_pictures: From how many Training pictures.

    Returns:
        The metrics.

    Raises:
        ValueError: If the folder holds no such checkpoint, its statistics are such already, or `out` was released.
    """
    folder, out = Path(folder), Path(out)
    check_replaceable(out)
    with read_back(folder, "give a folder that `python -m training export` wrote"):
        metrics = read_json(folder / METRICS_FILE)
        training = metrics["training"]
        recipe = from_dict(TrainConfig().to_dict() | training["recipe"])
        kinds = tuple(kind for kind in TTA if kind in metrics.get("tta", ()))
        training["chosen_epoch"], training["weights"]  # the card states them
    model = create_trained(f"local-dir:{folder}")
    if recipe.bn_pictures:
        raise ValueError(f"{folder} has its statistics from {recipe.bn_pictures} pictures already.")
    name = checkpoint_name(folder.resolve().name if out == folder else out.resolve().name, recipe.model)
    check_new(name, "")
    training["recipe"] = recipe.to_dict() | {"bn_pictures": bn_pictures}
    calibrate_batch_norm(model, faces.split("Training").images, pictures=bn_pictures)
    return _write(model, out, name, faces, kinds, training)


def _write(
    model: torch.nn.Module,
    out: Path,
    name: str,
    faces: Faces,
    tta: Sequence[str],
    training: dict[str, Any],
    heads: dict[str, torch.Tensor] | None = None,
    photos: str | Path | None = None,
) -> dict[str, Any]:
    """Evaluates a network, writes its folder, and returns the metrics."""
    device = pick_device(training["recipe"]["device"])
    metrics = evaluate(model.eval().to(device), faces, tta=tta, progress=True, **view_and_truth(training))
    model.to("cpu")
    metrics["training"] = training
    stated = with_temperature(model.pretrained_cfg, metrics["temperature"])
    stated = with_set_threshold(stated, metrics["set_threshold"])
    stated = with_flag(stated, "mirror", training.get("operating_point", {}).get("mirror", False))
    robust = training["recipe"].get("corruption", {}).get("share", 0) > 0
    model.pretrained_cfg = with_flag(stated, "robust", robust)
    model.pretrained_cfg["tag"] = name.partition(".")[2]
    if not data_key(name, training):  # the network states what holds for FER2013
        model.pretrained_cfg["license"] = "not-stated"
    recipe, best = training["recipe"], {"epoch": training["chosen_epoch"], "weights": training["weights"]}
    names = {"label_names": list(model.pretrained_cfg["label_names"])}
    # A network that takes twins is evaluated on single pictures here, as the app and `reproduce` use it.
    options = {"model_args": recipe["model_args"]} if recipe["model_args"] else {}
    model.to(memory_format=torch.contiguous_format)  # evaluation made it channels-last, which safetensors refuses
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as temporary:
        made = Path(temporary) / out.name
        timm.models.save_for_hf(model, made, model_config=names | options, safe_serialization=True)
        (made / WEIGHTS_FILE).chmod(0o644)  # safetensors writes files that only their owner can read
        if heads:
            save_file(heads, made / HEADS_FILE)
            (made / HEADS_FILE).chmod(0o644)
        _extras(model, made, name, faces)
        write_answers(model, made, faces, training)
        if photos:
            from fer_demo.predictor import Predictor  # needs OpenCV, which training does without
            from training.eval.photos import photo_metrics, read_photos

            classes = recipe.get("classes", {})
            choice = map_choice(classes, "classes") if classes else None
            metrics["photos"] = photo_metrics(Predictor(made), read_photos(photos, choice), progress="photographs")
        atomic_write_text(made / METRICS_FILE, json.dumps(metrics, indent=1) + "\n")
        atomic_write_text(made / CARD_FILE, model_card(name, metrics, recipe, best))
        write_manifest(made)
        if out.is_dir():
            shutil.rmtree(out)
        shutil.move(made, out)
    return metrics


def _extras(model: torch.nn.Module, folder: Path, name: str, faces: Faces) -> None:
    """What the app uses beside the weights; a network or a machine that cannot make it does without."""
    try:
        from fer_demo.export import export_model
        from fer_demo.vision.detector import FaceDetectorError
        from training.report.channels import channel_means
    except ImportError as error:
        print(f"no {ONNX_FILE} and no channels.json: {error}", file=sys.stderr)
        return
    try:
        export_model(model, model_info(model, name), folder / ONNX_FILE)
    except (ModelError, FaceDetectorError, ImportError) as error:  # covariance pooling has no ONNX form
        print(f"no {ONNX_FILE}: {error}", file=sys.stderr)
    means = channel_means(model.eval(), faces.split("PublicTest"))
    atomic_write_text(folder / "channels.json", json.dumps(means) + "\n")
