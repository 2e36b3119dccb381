"""``python -m training class-averages``: what a network looks at on average, for each expression."""

import argparse

from training.cli.options import add_data, add_threads, load, prepare_cpu

FEWEST = 100
"""Faces of each expression in what is written: fewer might show somebody."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``class-averages``."""
    parser = subparsers.add_parser(
        "class-averages",
        help="average faces and maps of each expression, which the Explain page shows",
        description="Averages the faces of each expression in FER2013's Training part and their Grad-CAM maps, and "
        "prints where the maps lie. Averages show nobody, so they come with the checkpoints.",
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="bundled checkpoints (default: all)")
    add_data(parser)
    parser.add_argument(
        "--faces", type=int, default=200, metavar="N", help="of each expression, at least 100 (default: %(default)s)"
    )
    add_threads(parser)
    parser.add_argument("--write", action="store_true", help="write them into the checkpoints' folders")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints a row for each expression, and optionally writes the averages."""
    from fer_demo.checkpoints import bundled_checkpoints, resolve
    from fer_demo.explain.averages import write_averages
    from fer_demo.explain.regions import region_masks, region_shares
    from fer_demo.runtime.torch_engine import create_trained
    from fer_demo.vision.align import TEMPLATE
    from training.report.class_averages import class_averages

    if args.faces < FEWEST:
        raise ValueError(f"--faces must be {FEWEST} or more, so that an average shows nobody, but is {args.faces}.")
    prepare_cpu(args.threads)
    checkpoints = [resolve(name) for name in args.models or bundled_checkpoints()]
    part = load(args).split("Training")
    for checkpoint in checkpoints:
        found = class_averages(create_trained(checkpoint.name).eval(), part, per_class=args.faces, mistakes=0)
        few = {label: count for label, count in found.counts.items() if count < FEWEST}
        if few:
            label, count = next(iter(few.items()))
            raise ValueError(f"There are {count} faces of {label}, but an average takes {FEWEST}; give the whole set.")
        print(checkpoint.name)
        for label, values in found.mean_maps.items():
            size = len(values)
            shares = region_shares(values, region_masks(TEMPLATE * size, size))
            order = sorted(shares.items(), key=lambda item: -item[1])[:3]
            print(f"  {label} ({found.counts[label]} faces): " + ", ".join(f"{n} {s:.0%}" for n, s in order))
        if args.write:
            file = write_averages(
                checkpoint.folder, "FER2013 Training", found.counts, found.mean_faces, found.mean_maps
            )
            print(f"  {file}: {file.stat().st_size:,} bytes")
