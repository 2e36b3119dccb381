"""``python -m training evaluate``: the figures of a checkpoint or of an exported file."""

import argparse
from pathlib import Path
from typing import Any

from fer_demo.cli.result_file import result_file
from training.cli.options import add_classes, add_data, add_threads, add_tta, load, prepare_cpu, tta_kinds, write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``evaluate``."""
    parser = subparsers.add_parser("evaluate", help="evaluate a model on PublicTest and PrivateTest")
    parser.add_argument(
        "model",
        help="a timm name such as fer_sedense_s2.tune_fer2013, local-dir:FOLDER, or an ONNX file that "
        "`python -m fer_demo export` wrote",
    )
    parser.add_argument("--weights", type=Path, help="a .safetensors file instead of the bundled weights")
    add_data(parser, photographs=True)
    add_classes(parser, "the model's")
    add_tta(parser, "none")
    parser.add_argument("--aligned", action="store_true", help="add each picture's aligned twin, for fer_kim_fusion")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        metavar="SIDE",
        help="instead: accuracy on PublicTest where the network is given squares of these sides in pixels",
    )
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="with --sizes: so many faces, drawn at random (default: all)"
    )
    parser.add_argument(
        "--landmarks", action="store_true", help="evaluate with each face's landmarks besides, for fer_sedense_lm"
    )
    parser.add_argument("--out", type=result_file, help="write metrics.json here")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints a model's figures and optionally writes them."""
    from training.eval.evaluate import evaluate
    from training.eval.reproduce import by_tta
    from training.eval.tta import TTA_TITLES

    if args.sample and not args.sizes:
        raise ValueError("--sample goes with --sizes: published figures are of all faces.")
    if args.landmarks and args.sizes:
        raise ValueError("--sizes asks the network without landmarks: leave --landmarks or --sizes out.")
    prepare_cpu(args.threads)
    model = _model(args)
    faces = load(args, classes=model_classes(args.weights or args.model), side=_side(model))
    if args.aligned:
        from training.data.aligned import with_aligned
        from training.data.landmarks import kept_for
        from training.run.run_folder import ALIGNED

        kept = kept_for(args.weights.parent / ALIGNED, faces) if args.weights else None  # which the run has found
        faces = with_aligned(faces, kept, quiet=False)
    if args.landmarks:
        from training.data.landmarks import landmarks_file, with_landmarks

        if not getattr(model, "takes_landmarks", False):
            raise ValueError(f"{args.model} takes no landmarks: leave --landmarks out.")
        kept = landmarks_file(args.weights.resolve().parents[1], faces) if args.weights else None
        faces = with_landmarks(faces, kept if kept and kept.is_file() else None, quiet=False)
    if args.sizes:
        _print_sizes(args, model, faces)
        return
    metrics = evaluate(model, faces, tta=tta_kinds(args.tta), progress=True)
    write_json(args.out, metrics, indent=2)
    for kind, splits in by_tta(metrics).items():
        for split, part in splits.items():
            print(
                f"{split}, {TTA_TITLES[kind]}: {part['accuracy']:.4%} ({part['correct']}/{part['n']}), macro-F1 "
                f"{part['macro_f1']:.4f}, without duplicates {part['without_duplicates']['accuracy']:.4%}"
            )
    for split, part in metrics.get("landmarks", {}).items():
        print(
            f"{split}, with landmarks in {part['found']:.1%} of the pictures: {part['accuracy']:.4%} "
            f"({part['correct']}/{part['n']}), macro-F1 {part['macro_f1']:.4f}"
        )


def _print_sizes(args: argparse.Namespace, model: Any, faces: Any) -> None:
    """Prints, and optionally writes, accuracy by size."""
    from fer_demo.runtime.engines import OnnxEngine
    from training.eval.robustness import sample
    from training.eval.sizes import by_size, size_table

    if isinstance(model, OnnxEngine):
        raise ValueError("An ONNX file takes one size alone: give --sizes with a checkpoint.")
    result = by_size(model, sample(faces.split("PublicTest"), args.sample), args.sizes, progress=True)
    write_json(args.out, result, indent=2)
    print(f"{size_table({args.model: result})}\n\nRight answers for {result['n']:,} faces of PublicTest.")


def model_classes(model: str | Path) -> dict[str, Any]:
    """The setting `classes` of the run that a model comes from; empty for the seven, or where nobody says.

    Args:
        model: A checkpoint's folder, with or without ``local-dir:``, a file in a folder of a run or checkpoint, or a
            name.
    """
    from fer_demo.checkpoints import METRICS_FILE
    from fer_demo.emotions import LABELS
    from fer_demo.files import read_json
    from training.run.run_folder import read_config, weights_classes
    from training.run.storage import read_back

    path = Path(str(model).removeprefix("local-dir:"))
    folder = path if path.is_dir() else path.parent
    if not path.exists() or not (folder / "config.json").is_file():
        return {}
    metrics = folder / METRICS_FILE
    if metrics.is_file():
        with read_back(metrics, "restore it"):
            return read_json(metrics).get("training", {}).get("recipe", {}).get("classes", {})
    names = weights_classes(folder / "config.json")
    if names == LABELS:
        return {}
    if (folder / "last.pt").is_file() or (folder / "data.json").is_file():
        return read_config(folder / "config.json").classes
    return {name: [name] for name in names}


def _model(args: argparse.Namespace) -> Any:
    """A timm model, or what runs an exported file."""
    from fer_demo.runtime.engines import OnnxEngine
    from fer_demo.runtime.torch_engine import create_trained
    from training.run.run_folder import run_options, state_classes, weights_classes

    if Path(args.model).suffix == ".onnx":
        if args.weights or args.aligned:
            raise ValueError(
                "An ONNX file has its own weights and takes one picture: leave --weights and --aligned out."
            )
        return OnnxEngine(args.model, args.threads or None)
    if args.weights:
        made = create_trained(args.model, args.weights, **run_options(args.weights))
        return state_classes(made, weights_classes(args.weights))
    return create_trained(args.model)


def _side(model: Any) -> int:
    """Of the pictures that it looks at."""
    from fer_demo.runtime.engines import OnnxEngine
    from fer_demo.vision.preprocess import data_config

    return int((model.info.size if isinstance(model, OnnxEngine) else data_config(model)["size"])[0])
