"""``benchmark --peers``: the comparison as a command."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from training.bench.peers.registry import PEERS

SPLIT = "PrivateTest"


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """Adds the comparison's own options to those of ``benchmark``."""
    parser.add_argument("--data", metavar="DATA", help="fer2013.csv, or another layout that docs/training.md names")
    parser.add_argument(
        "--without",
        nargs="+",
        action="extend",
        default=[],
        choices=[peer.key for peer in PEERS],
        metavar="PEER",
        help=f"leave out packages: {', '.join(peer.key for peer in PEERS)} (fer-keras brings TensorFlow, 1.7 GB)",
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="where packages go (default: the user's cache folder)"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the comparison; see `add_arguments` for the arguments, besides which ``json`` is read.

    Returns:
        0 if every system asked for was measured, 1 if one was left out or the data cannot be read. Usage errors leave
        through ``args.error``.
    """
    from training.bench.peers.measure import each_system
    from training.bench.peers.results import PeerError, is_busy, table, this_machine

    if not args.data:
        args.error("--peers needs --data, the path of FER2013")
    try:
        # Not part of the installed package, which needs no data.
        from training.data import DataError, load_faces
    except ImportError as error:
        print(f"error: the readers of data are missing ({error}); run this in the checkout.", file=sys.stderr)
        return 1
    try:
        faces = load_faces(args.data).split(SPLIT)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    machine, results, left_out = this_machine(), [], []
    if is_busy(machine):
        _say(f"This machine is busy (load {machine['load']} on {machine['cpus']} CPUs): speeds will be too low.")
    try:
        images, labels = faces.images[:, 0].numpy(), faces.labels.numpy()
        for found in each_system(images, labels, args.cache, _say, without=args.without):
            if isinstance(found, PeerError):
                left_out.append(str(found))
                _say(f"Left out: {found}")
            else:
                results.append(found)
                _say(f"{found.name}: {100 * found.accuracy:.2f} %, {found.faces_per_second:,.0f} faces a second")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if args.json:
        rows = [dataclasses.asdict(result) for result in results]
        facts = {"machine": machine, "threads": 1, "split": SPLIT, "faces": len(labels)}
        print(json.dumps(facts | {"results": rows, "left_out": left_out}, indent=1, ensure_ascii=False))
    else:
        print(table(results, len(labels), machine))
        if left_out:
            print("\nLeft out:\n" + "\n".join(f"- {sentence}" for sentence in left_out))
    return 1 if left_out else 0


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
