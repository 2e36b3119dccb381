"""``python -m training learning-curve``: accuracy by the number of training pictures."""

import argparse
from dataclasses import replace

from fer_demo.cli.result_file import result_file
from training.cli.options import add_classes, add_data, add_recipe, load, prepare_cpu, with_faces, write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``learning-curve``."""
    parser = subparsers.add_parser(
        "learning-curve",
        help="train a recipe on parts of the data, to see what more pictures would bring",
        description="Trains on so many pictures of each class, and prints what the weights chosen on PublicTest reach "
        "on PrivateTest, or on PublicTest where there is no test split.",
    )
    add_recipe(parser)
    add_data(parser, photographs=True)
    add_classes(parser, "the recipe's")
    parser.add_argument(
        "--counts",
        type=int,
        nargs="+",
        default=[25, 50, 100, 200],
        metavar="N",
        help="training pictures of each class (default: 25 50 100 200)",
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs for each (default: %(default)s)")
    parser.add_argument("--out", type=result_file, help="write the points as JSON here")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the curve as a table."""
    from training.run.learning_curve import as_json, learning_curve, table
    from training.run.recipes import load_config
    from training.run.run_folder import check_networks

    if args.seeds < 1 or min(args.counts) < 1:
        raise ValueError("--seeds and --counts must be 1 or more.")
    config = with_faces(load_config(args.recipe, args.set), args)
    check_networks(config)
    prepare_cpu(config.threads)
    faces = load(args, config, quiet=args.quiet)
    config = replace(config, classes=dict(faces.class_map))
    points = []
    for point in learning_curve(config, faces, args.counts, args.seeds, quiet=args.quiet):
        points.append(point)
        write_json(args.out, as_json(points))
    print(table(points))
