"""``python -m training full``: teachers, students and the best of them exported, in as many sittings as it takes."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from training import UNFINISHED
from training.cli.options import (
    add_classes,
    add_data_path,
    add_faces,
    add_minutes,
    add_set,
    data_path,
    load,
    plus_minus,
    prepare_cpu,
    with_faces,
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``full``."""
    parser = subparsers.add_parser(
        "full",
        help="several seeds, as many students of all of them, the best one exported",
        description="Trains a recipe with several seeds side by side, then as many students that learn from all of "
        "these, exports the student that is best on PublicTest, and writes means and standard deviations to "
        f"results.json. Exit code {UNFINISHED}: --minutes were over first, and the same command goes on.",
    )
    parser.add_argument(
        "--recipe",
        default="fer_sedense.gpu_fer2013",
        help="as for train; the checkpoint gets its name (default: %(default)s)",
    )
    add_data_path(parser)
    add_faces(parser)
    add_classes(parser, "the recipe's")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and the checkpoint")
    parser.add_argument(
        "--name", metavar="NAME", help="the checkpoint's, <architecture>.<tag> (default: network, recipe's tag)"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each kind (default: %(default)s)")
    add_minutes(parser, "stop training after so long; evaluation and export come on top")
    add_set(parser)
    parser.add_argument("--no-record", action="store_true", help="keep no records of the runs in training/runs/")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Trains, evaluates and exports, or goes on with it.

    Returns:
        0, or `UNFINISHED` if its time was up.
    """
    deadline = time.monotonic() + 60 * args.minutes
    from training.report.release_checks import check_new, checkpoint_name
    from training.run.full import RESULTS, full
    from training.run.recipes import load_config
    from training.run.run_folder import check_networks

    if args.seeds < 1:
        raise ValueError(f"--seeds must be 1 or more, but is {args.seeds}.")
    prepare_cpu()
    options = ["--no-record"] if args.no_record else []
    config = with_faces(load_config(args.recipe, args.set), args)
    check_networks(config)
    name = checkpoint_name(args.name or _tag(args.recipe), config.model)
    check_new(name, "")  # before hours of training
    faces = load(args, config)
    config = replace(config, classes=dict(faces.class_map))
    results = full(
        config, name, data_path(args), args.out, faces=faces, seeds=args.seeds, deadline=deadline, options=options
    )
    if results is None:
        print(f"time is up; the same command goes on with {args.out}")
        return UNFINISHED
    for generation in ("teachers", "students"):
        split = "PrivateTest" if "PrivateTest" in results[generation] else "PublicTest"
        part = results[generation][split]
        spread = plus_minus(part["standard_deviation"])
        print(f"{generation}: {split} {part['mean']:.2%}{spread} over {args.seeds} seeds")
    print(f"exported {results['exported']}, best on PublicTest; all figures: {args.out / RESULTS}")
    return 0


def _tag(recipe: str) -> str:
    """What a recipe is called behind its architecture, which --set may have changed."""
    return Path(recipe).name.removesuffix(".yaml").partition(".")[2] or Path(recipe).stem
