"""``python -m training COMMAND``: the trainer's command line; ``--help`` lists the commands."""

import argparse
import os
import sys
from pathlib import Path

from training import commands as run


def _data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        default=os.environ.get("FER2013_DIR"),
        help="fer2013.csv, or the folder that holds it or train/ and test/ (default: $FER2013_DIR)",
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be used, and count them")


def main(argv: list[str] | None = None) -> int:
    """Runs one subcommand; bad input ends with one sentence and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Train and evaluate on FER2013.")
    subparsers = parser.add_subparsers(dest="command", required=True)

    p = subparsers.add_parser("train", help="train a recipe")
    p.add_argument("recipe", nargs="?", help="a YAML file or the name of one in training/recipes/")
    _data_argument(p)
    p.add_argument("--run-dir", type=Path, required=True, help="where checkpoints and logs go")
    p.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    p.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="override settings of the recipe"
    )
    p.add_argument("--no-record", action="store_true", help="keep no record of the run in training/runs/")
    p.add_argument("--quiet", action="store_true", help="no progress bar")
    p.set_defaults(run=run.train)

    p = subparsers.add_parser("full", help="several seeds, a second generation taught by them, the best one exported")
    p.add_argument("--recipe", default="fer_sedense.gpu_fer2013", help="as for train")
    p.add_argument("--data", default=os.environ.get("FER2013_DIR"), help="as for train")
    p.add_argument("--out", type=Path, required=True, help="folder for the runs and the checkpoint")
    p.add_argument("--seeds", type=int, default=3, help="runs in each of the two generations")
    p.add_argument("--minutes", type=float, default=1e6, help="stop after this; called again, it goes on")
    p.add_argument("--fit", action="store_true", help="measure first, and train as many epochs as --minutes allow")
    p.add_argument("--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="override settings")
    p.add_argument("--views", default="all", choices=["single", "flip", "ten_crop", "all"])
    p.add_argument("--no-record", action="store_true", help="keep no records of the runs in training/runs/")
    p.set_defaults(run=run.full)

    p = subparsers.add_parser("rehearse", help="measure what an epoch of a recipe costs at each of its sizes")
    p.add_argument("recipe", nargs="?", help="as for train")
    _data_argument(p)
    p.add_argument("--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="override settings")
    p.add_argument("--steps", type=int, default=30, help="steps timed at each size")
    p.set_defaults(run=run.rehearse)

    p = subparsers.add_parser("profile", help="measure where the time of a recipe's training steps goes")
    p.add_argument("recipe", nargs="?", help="as for train")
    _data_argument(p)
    p.add_argument("--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="override settings")
    p.add_argument("--steps", type=int, default=50)
    p.add_argument("--epoch", type=int, default=1, help="whose picture size to use, from 1")
    p.set_defaults(run=run.profile)

    p = subparsers.add_parser("evaluate", help="evaluate a checkpoint on PublicTest and PrivateTest")
    p.add_argument("model", help="a timm name such as fer_sedense_s2.tune_fer2013, or local-dir:FOLDER")
    p.add_argument("--weights", type=Path, help="a .safetensors file instead of the bundled weights")
    _data_argument(p)
    p.add_argument("--views", default="single", choices=["single", "flip", "ten_crop", "all"])
    p.add_argument("--aligned", action="store_true", help="add each picture's aligned twin, for fer_kim_fusion")
    p.add_argument("--out", type=Path, help="write metrics.json here")
    p.add_argument("--threads", type=int, default=0)
    p.set_defaults(run=run.evaluate)

    p = subparsers.add_parser("reproduce", help="compute every published figure again and compare")
    p.add_argument("names", nargs="*", help="bundled checkpoints (default: all)")
    _data_argument(p)
    p.add_argument("--threads", type=int, default=0)
    p.set_defaults(run=run.reproduce)

    p = subparsers.add_parser("systems", help="print the table of the compared systems")
    p.set_defaults(run=run.systems)

    p = subparsers.add_parser("faithfulness", help="measure explanations by deletion and insertion on PublicTest")
    p.add_argument("model", help="a bundled checkpoint, or local-dir:FOLDER")
    _data_argument(p)
    p.add_argument("--faces", type=int, default=200)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--out", type=Path, help="write faithfulness.json here")
    p.set_defaults(run=run.faithfulness)

    p = subparsers.add_parser("audit", help="count duplicates, conflicting labels and blank pictures of a data set")
    p.add_argument("data", metavar="DATA", help="as --data elsewhere")
    p.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be used, and count them")
    p.add_argument("--json", action="store_true")
    p.set_defaults(run=run.audit)

    p = subparsers.add_parser("export", help="turn a run into a checkpoint folder with metrics and model card")
    p.add_argument("run_dir", type=Path, help="the --run-dir of a run")
    p.add_argument("--out", type=Path, required=True, help="folder, named <architecture>.<tag>")
    _data_argument(p)
    p.add_argument("--views", default="all", choices=["single", "flip", "ten_crop", "all"])
    p.add_argument("--threads", type=int, default=0)
    p.add_argument(
        "--bn-pictures",
        type=int,
        default=0,
        metavar="N",
        help="statistics of batch normalisation from N Training pictures as they are, if the run has not done so",
    )
    p.set_defaults(run=run.export)

    p = subparsers.add_parser(
        "calibrate", help="give a checkpoint statistics of batch normalisation from pictures as they are"
    )
    p.add_argument("checkpoint", type=Path, help="a folder that export wrote")
    p.add_argument("--out", type=Path, help="the new folder (default: the same)")
    _data_argument(p)
    p.add_argument("--bn-pictures", type=int, default=8192, metavar="N", help="from so many (default: %(default)s)")
    p.add_argument("--threads", type=int, default=0)
    p.set_defaults(run=run.calibrate)

    args = parser.parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError, RuntimeError, ArithmeticError) as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
