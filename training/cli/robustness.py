"""``python -m training robustness``: how well damaged faces are read."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_demo.cli.result_file import result_file
from training.cli.options import add_data, load, write_json

if TYPE_CHECKING:
    from training.data import Faces

SPLITS = ("PublicTest", "PrivateTest")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``robustness``."""
    parser = subparsers.add_parser(
        "robustness",
        help="measure how well blurred, small, noisy, dark, turned and covered faces are read",
        description="Measures accuracy, calibration and unsure answers on faces with twelve damages. Exit code 1: "
        "another package could not be measured.",
    )
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="checkpoints, folders or ONNX files (default: all bundled ones)"
    )
    add_data(parser)
    parser.add_argument("--split", choices=SPLITS, default="PrivateTest", help="whose faces (default: %(default)s)")
    parser.add_argument(
        "--faces", type=int, default=400, metavar="N", help="how many, drawn at random; 0 is all (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw and of the noise (default: %(default)s)")
    parser.add_argument("--ladder", action="store_true", help="measure all strengths of each kind too")
    parser.add_argument(
        "--peers", action="store_true", help="other packages too, as far as `benchmark peers` has installed them"
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where packages are (default: the user's cache)")
    parser.add_argument("--out", type=result_file, metavar="FILE", help="write all figures to this JSON file")
    parser.add_argument(
        "--write", action="store_true", help="keep the figures, ladders too, in the checkpoints' folders for the app"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the table, and writes what is asked for.

    Returns:
        0, or 1 if another package could not be measured.
    """
    from fer_demo.checkpoints import bundled_checkpoints, renew_manifest, resolve
    from fer_demo.classifier import FaceClassifier
    from fer_demo.tradeoffs.robustness import ROBUSTNESS_FILE
    from training.eval.evaluate import view_and_truth
    from training.eval.robustness import robustness, sample
    from training.report.robustness import ladder_tables, legend, table

    ladders = args.ladder or args.write
    if args.write and (file := next((name for name in args.models if Path(name).is_file()), None)):
        raise ValueError(f"{file} has no folder to keep figures in; name a checkpoint, or leave out --write.")
    classifiers = {name: FaceClassifier(name) for name in args.models or bundled_checkpoints()}
    faces = sample(load(args).split(args.split), args.faces, args.seed)
    results, failed = {}, 0
    for name, classifier in classifiers.items():
        result = robustness(
            classifier,
            faces,
            seed=args.seed,
            ladders=ladders,
            votes_share=view_and_truth(_training(name)).get("votes_share", 0.0),
            progress=lambda words, name=classifier.name: _say(f"{name}: {words}"),
        )
        results[f"`{classifier.name}`"] = {"split": args.split, **result}
        if args.write:
            file = resolve(name).folder / ROBUSTNESS_FILE
            write_json(file, {"split": args.split, **result}, indent=None)
            renew_manifest(file)
    if args.peers:
        others, failed = _peers(args, faces)
        results |= others
    print(table(results))
    print(f"\n{legend(next(iter(results.values())), args.split)}")
    if ladders:
        print(f"\n{ladder_tables(results)}")
    write_json(args.out, results)
    return failed


def _training(name: str) -> dict[str, Any]:
    """How a checkpoint was trained, as far as it says so."""
    from fer_demo.checkpoints import checkpoint_metrics

    return checkpoint_metrics(name).get("training", {})


def _peers(args: argparse.Namespace, faces: "Faces") -> tuple[dict[str, dict[str, Any]], int]:
    """Results of the packages that are installed, and 1 if one of them could not be measured, else 0."""
    from training.bench.peers.environment import default_cache
    from training.bench.peers.registry import PEERS
    from training.bench.peers.results import PeerError
    from training.eval.robustness import peer_robustness

    cache, results, failed = args.cache or default_cache(), {}, 0
    for peer in PEERS:
        if not peer.environment.ready(cache):
            _say(f"Left out: {peer.key} is not installed; `python -m training benchmark peers` installs it.")
            continue
        try:
            found = peer_robustness(peer, faces, cache, seed=args.seed, progress=_say)
            results[peer.name] = {"split": args.split, **found}
        except PeerError as error:
            _say(f"Left out: {error}")
            failed = 1
    return results, failed


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
