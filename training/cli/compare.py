"""``python -m training compare``: variants of one recipe, several seeds of each, in as many sittings as it takes."""

import argparse
import time
from pathlib import Path

from training import UNFINISHED
from training.cli.options import add_data_path, add_minutes, data_path, plus_minus


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``compare``."""
    parser = subparsers.add_parser(
        "compare",
        help="variants of one recipe, several seeds of each, against the first",
        description="Trains the variants of a plan one after another, and prints what each gains over the first. The "
        f"same command goes on after any interruption. Exit code {UNFINISHED}: --minutes were over first.",
    )
    parser.add_argument("plan", help="a YAML file or the name of one in training/plans/")
    add_data_path(parser)
    parser.add_argument("--out", type=Path, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each (default: %(default)s)")
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="runs at once, which beats one run with N threads: give --threads 1 with it (default: %(default)s)",
    )
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads of a run")
    parser.add_argument("--record", action="store_true", help="keep records of the runs in training/runs/")
    parser.add_argument(
        "--table",
        action="store_true",
        help="train nothing, print a Markdown table of the runs in --out that were evaluated (default for it: "
        "training/runs/)",
    )
    add_minutes(parser, "stop training after so long")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Trains and compares, or goes on with it.

    Returns:
        0, or `UNFINISHED` if its time was up.
    """
    deadline = time.monotonic() + 60 * args.minutes
    from dataclasses import replace

    from training.run.plans import compared, load_plan, run_plan
    from training.run.runlog import RUNS

    if args.seeds < 1:
        raise ValueError(f"--seeds must be 1 or more, but is {args.seeds}.")
    if args.processes < 1:
        raise ValueError(f"--processes must be 1 or more, but is {args.processes}.")
    plan = load_plan(args.plan)
    if args.table:
        from training.report.comparison_table import comparison_table

        results = compared(plan, args.out or RUNS, args.seeds)
        if not any(results.values()):
            raise ValueError(f"{args.out or RUNS} holds no run of {plan.name} that was evaluated: name another --out.")
        print(comparison_table(results), end="")
        return 0
    if args.out is None:
        raise ValueError("--out is missing: name the folder for the runs.")
    if args.threads:
        plan = replace(plan, variants={n: replace(c, threads=args.threads) for n, c in plan.variants.items()})
    results = run_plan(
        plan,
        data_path(args),
        args.out,
        seeds=args.seeds,
        deadline=deadline,
        processes=args.processes,
        record=args.record,
    )
    if results is None:
        print(f"time is up; the same command goes on with {args.out}")
        return UNFINISHED
    for variant, figures in results.items():
        for figure, part in figures.items():
            spread = plus_minus(part["standard_deviation"])
            gain = f", {part['gain']:+.2%} to the first" if part["gain"] is not None else ""
            print(f"{variant}, {figure}: {part['mean']:.2%}{spread}{gain}{plus_minus(part['gain_deviation'])}")
    return 0
