"""``python -m training evaluate``: the figures of a checkpoint or of an exported file."""

import argparse
from pathlib import Path
from typing import Any

from training.cli.options import add_data, add_threads, add_tta, load, prepare_cpu, tta_kinds, write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``evaluate``."""
    parser = subparsers.add_parser("evaluate", help="evaluate a model on PublicTest and PrivateTest")
    parser.add_argument(
        "model",
        help="a timm name such as fer_sedense_s2.tune_fer2013, local-dir:FOLDER, or an ONNX file that "
        "`python -m fer_demo export` wrote",
    )
    parser.add_argument("--weights", type=Path, help="a .safetensors file instead of the bundled weights")
    add_data(parser)
    add_tta(parser, "none")
    parser.add_argument("--aligned", action="store_true", help="add each picture's aligned twin, for fer_kim_fusion")
    parser.add_argument(
        "--landmarks", action="store_true", help="evaluate with each face's landmarks besides, for fer_sedense_lm"
    )
    parser.add_argument("--out", type=Path, help="write metrics.json here")
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints a model's figures and optionally writes them."""
    from training.eval.evaluate import evaluate
    from training.eval.reproduce import by_tta
    from training.eval.tta import TTA_TITLES

    prepare_cpu(args.threads)
    model = _model(args)
    faces = load(args)
    if args.aligned:
        from training.data.aligned import with_aligned

        faces = with_aligned(faces, quiet=False)
    if args.landmarks:
        from training.data.landmarks import with_landmarks

        if not getattr(model, "takes_landmarks", False):
            raise ValueError(f"{args.model} takes no landmarks: leave --landmarks out.")
        faces = with_landmarks(faces, quiet=False)
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


def _model(args: argparse.Namespace) -> Any:
    """A timm model, or what runs an exported file."""
    from fer_demo.runtime.engines import OnnxEngine
    from fer_demo.runtime.torch_engine import create_trained
    from training.run.run_folder import run_options

    if Path(args.model).suffix == ".onnx":
        if args.weights or args.aligned:
            raise ValueError(
                "An ONNX file has its own weights and takes one picture: leave --weights and --aligned out."
            )
        return OnnxEngine(args.model, args.threads or None)
    if args.weights:
        return create_trained(args.model, args.weights, **run_options(args.weights))
    return create_trained(args.model)
