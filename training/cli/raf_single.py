"""``python -m training raf-single``: the paper's second data set, from the archive to the row of its Table 3."""

import argparse
import time
from pathlib import Path

from training import UNFINISHED
from training.cli.options import add_minutes, add_set, report_data
from training.cli.train import train_or_go_on


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``raf-single``."""
    parser = subparsers.add_parser(
        "raf-single",
        help="train on RAF-DB by the paper's protocol and print its row of Table 3",
        description="Trains fer_sedense_s2 on RAF-DB's single-label set, on a GPU or a CPU, and prints the row of the "
        "paper's Table 3 with what was reached here. The same command goes on with a run that was stopped. RAF-DB is "
        f"given out on request (http://www.whdeng.cn/raf/model1.html). Exit code {UNFINISHED}: --minutes were over "
        "first.",
    )
    parser.add_argument(
        "--data", required=True, metavar="RAF", help="the archive's folder, with EmoLabel/ and Image/aligned/"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the run and its figures go")
    parser.add_argument("--any-counts", action="store_true", help="take an archive with other counts of pictures")
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be used, and count them")
    add_set(parser)
    add_minutes(parser, "stop training after so long, with the state saved; the same command goes on")
    parser.add_argument("--no-record", action="store_true", help="keep no record of the run in training/runs/")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Trains, or goes on with it, and prints the row.

    Returns:
        0, or `UNFINISHED` if its time was up.
    """
    deadline = time.monotonic() + 60 * args.minutes
    from training.data import BadRows
    from training.report.compare import changed_settings
    from training.run.raf_single import RECIPE, RESULT, check_config, read_raf_single, table_row, table_text
    from training.run.recipes import load_config
    from training.run.run_folder import LAST, check_networks, resume_config

    config = check_config(load_config(RECIPE, args.set))
    check_networks(config)
    resumed = (args.out / LAST).is_file()
    if resumed and (different := changed_settings(resume_config(args.out), config)):
        raise ValueError(
            f"{args.out} was begun with other settings ({different}): give the same --set, or another --out."
        )
    bad = BadRows(skip=args.skip_bad)
    faces = read_raf_single(args.data, any_counts=args.any_counts, bad=bad)
    report_data(faces, bad)
    if (code := train_or_go_on(config, faces, args, args.out, resumed, deadline)) == 0:
        print(table_text(table_row(config, args.out, faces)))
        print(f"figures: {args.out / RESULT}")
    return code
