"""``python -m training region-mass``: how much of an explanation lies on eyes, brows and mouth."""

import argparse

from fer_demo.cli.result_file import result_file
from training.cli.options import add_data, add_threads, load, prepare_cpu, write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``region-mass``."""
    parser = subparsers.add_parser(
        "region-mass",
        help="how much of an explanation lies on eyes, brows and mouth",
        description="The share of Grad-CAM's positive mass on eyes, brows and mouth of faces of PublicTest, where the "
        "detector finds these, beside the share of the picture that they take.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="bundled checkpoints, or local-dir:FOLDER")
    add_data(parser)
    parser.add_argument("--faces", type=int, default=200, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--method", default="gradcam", help="an attribution method (default: %(default)s)")
    add_threads(parser)
    parser.add_argument("--out", type=result_file, help="write the figures here as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints a table, and optionally writes the figures."""
    from fer_demo.explain import METHODS
    from fer_demo.runtime.torch_engine import create_trained
    from training.data.landmarks import with_landmarks
    from training.eval.region_mass import region_mass, table
    from training.eval.robustness import sample

    if args.method not in METHODS:
        raise ValueError(f"Unknown method {args.method!r}; choose one of {', '.join(METHODS)}.")
    prepare_cpu(args.threads)
    models = {name: create_trained(name).eval() for name in args.models}
    faces = with_landmarks(sample(load(args).split("PublicTest"), args.faces), quiet=False)
    figures = {name: region_mass(model, faces, method=args.method, progress=True) for name, model in models.items()}
    print(table(figures))
    write_json(args.out, figures)
