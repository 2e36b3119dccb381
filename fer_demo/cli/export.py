"""``python -m fer_demo export``: a trained model as one file for other programs, or as a page for the browser."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fer_demo.cache import web_page_dir
from fer_demo.cli.result_file import result_file

if TYPE_CHECKING:
    import numpy as np
    import torch.nn as nn
    from numpy.typing import NDArray

    from fer_demo.runtime.model_info import ModelInfo


# Face pictures that show the ranges of the activations; more change them no longer.
CALIBRATION_PICTURES = 512


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand ``export``."""
    parser = subparsers.add_parser(
        "export",
        help="write a model as ONNX, TorchScript or .pt2, or as a page that runs in the browser",
        description="Writes a trained model to a file, which carries class names, normalisation, input size and "
        "temperature, after comparing it with PyTorch on real faces.",
    )
    parser.add_argument(
        "model",
        nargs="?",
        metavar="NAME",
        help="bundled checkpoint (architecture.tag), an architecture that has one, or folder of one; by default the "
        "one that predict uses; with --web an ONNX file too",
    )
    parser.add_argument("--format", choices=["onnx", "torchscript", "pt2"], help="what to write (default: onnx)")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=result_file, metavar="FILE", help="the file to write")
    where.add_argument(
        "--web",
        type=Path,
        nargs="?",
        const=web_page_dir(),
        metavar="DIR",
        help="write a page instead that does everything in the visitor's browser (default: %(const)s, from where the "
        "app serves it too)",
    )
    parser.add_argument(
        "--runtime", metavar="PATH", help="for --web: the npm package onnxruntime-web (default: npm fetches it)"
    )
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--fp16", action="store_true", help="half precision (ONNX only)")
    precision.add_argument("--int8", action="store_true", help="8-bit integers (ONNX only); needs --calibration")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="PICTURES",
        help="for --int8: a folder of pictures, or one picture, each taken as one face that is cut out already; "
        f"{CALIBRATION_PICTURES} drawn at random where there are more. They show the ranges of the network's maps, so "
        "give faces like those that it will get",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="leave the ONNX graph as PyTorch writes it; otherwise it is rewritten for ONNX Runtime",
    )
    parser.add_argument(
        "--untrained", action="store_true", help="export an architecture with random weights, to measure its speed"
    )
    parser.set_defaults(run=run, error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 1 if the export failed. Usage errors leave through ``args.error`` with 2.
    """
    from fer_demo.runtime.engines import installed
    from fer_demo.runtime.model_info import ModelError
    from fer_demo.vision.detector import FaceDetectorError
    from fer_demo.vision.images import ImageError

    if not installed("torch", "timm", "onnx"):
        args.error("exporting needs PyTorch; run `pip install 'fer-demo[torch]'`")
    if args.web and (args.format or args.fp16 or args.int8 or args.untrained or args.plain):
        args.error("--web goes with none of --format, --fp16, --int8, --untrained and --plain")
    if args.int8 != bool(args.calibration):
        args.error("--int8 and --calibration go together: the first is calibrated on the pictures of the second")
    try:
        return _page(args) if args.web else _file(args)
    except BrokenPipeError:
        raise
    except OSError as error:  # pictures and models have errors of their own
        place = error.filename or args.web or args.out
        print(f"error: {place} cannot be written ({error.strerror or error})", file=sys.stderr)
        return 1
    except (ModelError, FaceDetectorError, ImageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _page(args: argparse.Namespace) -> int:
    from fer_demo.export.web import export_web

    page = export_web(args.model, args.web, args.runtime)
    size = sum(p.stat().st_size for p in args.web.rglob("*") if p.is_file()) / 1e6
    served = " and in the app under About" if args.web == web_page_dir() else ""
    print(f"{page}: {size:.1f} MB in all; see it with `python -m http.server --directory {args.web}`{served}")
    return 0


def _file(args: argparse.Namespace) -> int:
    from fer_demo.export import export_model

    precision = "int8" if args.int8 else "fp16" if args.fp16 else "fp32"
    model, info = _model(args.model, args.untrained)
    calibration = _faces(args.calibration, info.size[0]) if args.int8 else None
    done = export_model(
        model,
        info,
        args.out,
        format=args.format or "onnx",
        precision=precision,
        calibration=calibration,
        plain=args.plain,
    )
    print(
        f"{done.file}: {done.size / 1e6:.2f} MB, {precision}; on {done.faces} crops of real faces logits differ from "
        f"PyTorch's by at most {done.difference:.1e}, probabilities by {done.probability_difference:.1e}"
    )
    return 0


def _model(name: str | None, untrained: bool) -> "tuple[nn.Module, ModelInfo]":
    """The network and what is to be known about it."""
    import timm

    from fer_demo.runtime.model_info import ModelError, model_info
    from fer_demo.runtime.torch_engine import load_model

    if untrained:
        if not name or not timm.is_model(name):
            raise ModelError(f"--untrained needs the name of a registered architecture, which {name!r} is not.")
        return (model := timm.create_model(name)), model_info(model, name)
    return load_model(name)


def _faces(source: Path, size: int) -> "NDArray[np.uint8]":
    """Pictures of faces, uint8 (N, size, size) grey."""
    import numpy as np

    from fer_demo.runtime.model_info import ModelError
    from fer_demo.vision.align import whole_picture
    from fer_demo.vision.images import find_images, open_image

    pictures = find_images([source])
    if not pictures:
        raise ModelError(f"There are no pictures in {source} to calibrate on; give a folder of face pictures.")
    chosen = np.random.default_rng(0).permutation(len(pictures))[:CALIBRATION_PICTURES]
    return np.stack([whole_picture(open_image(pictures[i]), size) for i in chosen])
