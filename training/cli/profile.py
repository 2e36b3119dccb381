"""``python -m training profile``: where the time of training steps goes."""

import argparse
import json
from dataclasses import replace

from training.cli.options import add_classes, add_data, add_recipe, load, with_faces


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``profile``."""
    parser = subparsers.add_parser("profile", help="measure where the time of a recipe's training steps goes")
    add_recipe(parser)
    add_data(parser, photographs=True)
    add_classes(parser, "the recipe's")
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="steps measured (default: %(default)s)")
    parser.add_argument("--epoch", type=int, default=1, metavar="N", help="whose picture size to use, from 1")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the dearest operators and, as JSON, the shares of a step."""
    from training.run.profile import profile_steps
    from training.run.recipes import load_config
    from training.run.run_folder import check_networks

    config = with_faces(load_config(args.recipe, args.set), args)
    check_networks(config)
    faces = load(args, config)
    result = profile_steps(replace(config, classes=dict(faces.class_map)), faces, args.steps, args.epoch - 1)
    print(result.pop("operators"))
    print(json.dumps(result, indent=2))
