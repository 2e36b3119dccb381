"""``python -m training export``: from a run to a checkpoint folder."""

import argparse
from pathlib import Path

from training.cli.options import add_data, add_threads, add_tta, load, prepare_cpu, tta_kinds
from training.cli.photos import add_photos


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``export``."""
    parser = subparsers.add_parser("export", help="turn a run into a checkpoint folder with metrics and model card")
    parser.add_argument("run_dir", type=Path, help="the --run-dir of a run")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint's folder")
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="what the checkpoint is called, <architecture>.<tag>, such as fer_sedense_nano.my_smiles (default: the "
        "folder's name, with the architecture before it if it has no dot)",
    )
    add_data(parser, photographs=True)
    add_tta(parser, "all")
    add_threads(parser)
    parser.add_argument(
        "--bn-pictures",
        type=int,
        default=0,
        metavar="N",
        help="statistics of batch normalisation from N Training pictures as they are, if the run has not done so",
    )
    parser.add_argument(
        "--votes-share",
        type=float,
        metavar="S",
        help="for a run with two heads: how much FER+'s votes count beside the labels, 0 to 1",
    )
    parser.add_argument(
        "--prior-correction",
        nargs="*",
        default=[],
        metavar="CLASS=NATS",
        help="for a run with two heads: added to the logits of classes that the votes hardly know",
    )
    parser.add_argument("--mirror", action="store_true", help="answer with the mean of a face and its mirror image")
    parser.add_argument(
        "--trained-on", default="", metavar="TEXT", help="what the run was trained on, if those were not --data"
    )
    add_photos(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Writes the folder and prints the figure of the single view."""
    from training.report.release import export
    from training.run.run_folder import run_config

    prepare_cpu(args.threads)
    metrics = export(
        args.run_dir,
        args.out,
        load(args, run_config(args.run_dir)),
        tta_kinds(args.tta),
        bn_pictures=args.bn_pictures,
        votes_share=args.votes_share,
        photos=args.photos,
        mirror=args.mirror,
        prior_correction=_numbers(args.prior_correction),
        trained_on=args.trained_on,
        name=args.name,
    )
    split = "PrivateTest" if "PrivateTest" in metrics else "PublicTest"
    print(f"{args.out}: {split} {metrics[split]['accuracy']:.4%}, single view")


def _numbers(pairs: list[str]) -> dict[str, float]:
    try:
        return {name: float(number) for name, _, number in (pair.partition("=") for pair in pairs)}
    except ValueError:
        raise ValueError(f"A prior correction reads CLASS=NATS, such as fear=0.5; got {' '.join(pairs)}.") from None
