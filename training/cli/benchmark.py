"""``python -m training benchmark``: engines, other packages, photographs and videos, side by side on one core."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from training.bench.peers.registry import PEERS
from training.cli.options import add_data, load
from training.cli.photos import add_photos

SPLIT = "PrivateTest"

VIDEO_MODEL = "fer_sedense_nano.photos_fer2013"
"""What `fer-demo video` uses where none is named."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``benchmark`` with its own subcommands."""
    parser = subparsers.add_parser("benchmark", help="compare engines, or other packages, on one core")
    parser.add_argument(
        "--video", action="store_true", help="measure a frame of a video, in products of matrices, and beside PyPI fer"
    )
    parser.add_argument("--model", default=VIDEO_MODEL, metavar="NAME", help="for --video (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S", help="of each clip for --video (default: 4)")
    parser.add_argument("--fer-python", metavar="PATH", help="interpreter of an environment that has the package fer")
    parser.set_defaults(run=run_video, error=parser.error)
    kinds = parser.add_subparsers(metavar="WHAT")
    engines = kinds.add_parser(
        "engines",
        help="ONNX Runtime and PyTorch, from start to frames a second",
        description="Measures how fast networks run in ONNX Runtime and in PyTorch, each in a process of its own on "
        "one core. Exit code 1: one could not be measured.",
    )
    engines.add_argument(
        "--models", nargs="+", metavar="NAME", help="checkpoints or architectures (default: all bundled checkpoints)"
    )
    engines.set_defaults(run=run_engines)
    peers = kinds.add_parser(
        "peers",
        help="packages that bring their own weights",
        description="Accuracy and speed of the bundled checkpoints beside packages that bring their weights, on "
        f"FER2013's {SPLIT} and one core. They are fetched from PyPI and npm into a folder of their own. Exit code 1: "
        "one was left out.",
    )
    add_data(peers)
    peers.add_argument(
        "--without",
        nargs="+",
        action="extend",
        default=[],
        choices=[peer.key for peer in PEERS],
        metavar="PEER",
        help=f"leave out packages: {', '.join(peer.key for peer in PEERS)} (fer-keras brings TensorFlow, 1.7 GB)",
    )
    peers.add_argument("--cache", type=Path, metavar="DIR", help="where packages go (default: the user's cache folder)")
    peers.set_defaults(run=run_peers)
    photographs = kinds.add_parser(
        "photographs",
        help="from photo to answer, beside PyPI fer",
        description="How often a face is found and read rightly on photographs, and what one costs on one core, beside "
        "the package fer with its defaults. Without a folder of labelled photographs: the app's samples, most of which "
        "are drawings.",
    )
    add_photos(photographs)
    photographs.add_argument("--models", nargs="+", metavar="NAME", help="checkpoints (default: those for photographs)")
    photographs.add_argument("--fer-python", metavar="PATH", help="interpreter of an environment that has fer")
    photographs.set_defaults(run=run_photographs)
    for kind in (engines, peers, photographs, parser):
        kind.add_argument("--json", action="store_true", help="print JSON: bytes, seconds and fractions")


def run_video(args: argparse.Namespace) -> int:
    """Measures videos.

    Returns:
        0, or 1 if a goal was missed.
    """
    if not args.video:
        args.error("say what: engines, peers, photographs or --video")
    from fer_demo.video import clips
    from training.bench.peers.results import busy_note, this_machine
    from training.bench.video import measure_clip, measure_fer, table

    machine, timings, peers = this_machine(), [], {}
    for clip in (clips.still(seconds=args.seconds), clips.still(1920, 1080, 4, seconds=args.seconds)):
        _say(f"{clip.name} ...")
        timings.append(measure_clip(clip, args.model))
        peers[clip.name] = measure_fer(clip, args.fer_python)
    if args.json:
        results = [dataclasses.asdict(t) | {"total": t.total} for t in timings]
        print(json.dumps({"machine": machine, "model": args.model, "results": results, "fer": peers}, indent=1))
    else:
        print(table(timings, peers))
        print(f"\n{args.model}. {machine['processor']}, one core.{busy_note(machine)}")
    return int(any(t.goal is not None and t.total > t.goal for t in timings))


def run_engines(args: argparse.Namespace) -> int:
    """Compares the engines.

    Returns:
        0, or 1 if one could not be measured.
    """
    import timm

    import fer_demo  # noqa: F401  (registers the models)
    from fer_demo.checkpoints import bundled_checkpoints
    from fer_demo.runtime.model_info import ModelError
    from training.bench.engines import engine_table, measure_engines
    from training.bench.peers.results import PeerError, busy_note, this_machine

    known = [*bundled_checkpoints(), *timm.list_models("fer_*")]
    if unknown := [name for name in args.models or [] if name not in known]:
        raise ValueError(f"There is no network {', '.join(unknown)}; choose from {', '.join(known)}.")
    machine, results, failed = this_machine(), [], 0
    try:
        results.extend(measure_engines(args.models, _say))  # those before an error stay
    except (PeerError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        failed = 1
    if args.json:
        print(json.dumps({"machine": machine, "results": [dataclasses.asdict(r) for r in results]}, indent=1))
    elif results:
        print(engine_table(results))
        print(f"\n{machine['processor']}, Python {machine['python']}, one core.{busy_note(machine)}")
    return failed


def run_peers(args: argparse.Namespace) -> int:
    """Compares with other packages.

    Returns:
        0, or 1 if one was left out.
    """
    from training.bench.peers.measure import each_system
    from training.bench.peers.results import PeerError, is_busy, table, this_machine

    faces = load(args).split(SPLIT)
    machine, results, left_out = this_machine(), [], []
    if is_busy(machine):
        _say(f"This machine is busy (load {machine['load']} on {machine['cpus']} CPUs): speeds will be too low.")
    images, labels = faces.images[:, 0].numpy(), faces.labels.numpy()
    for found in each_system(images, labels, args.cache, _say, without=args.without):
        if isinstance(found, PeerError):
            left_out.append(str(found))
            _say(f"Left out: {found}")
        else:
            results.append(found)
            _say(f"{found.name}: {100 * found.accuracy:.2f} %, {found.faces_per_second:,.0f} faces a second")
    if args.json:
        rows = [dataclasses.asdict(result) for result in results]
        facts = {"machine": machine, "threads": 1, "split": SPLIT, "faces": len(labels)}
        print(json.dumps(facts | {"results": rows, "left_out": left_out}, indent=1, ensure_ascii=False))
    else:
        print(table(results, len(labels), machine))
        if left_out:
            print("\nLeft out:\n" + "\n".join(f"- {sentence}" for sentence in left_out))
    return 1 if left_out else 0


def run_photographs(args: argparse.Namespace) -> int:
    """Reads photographs end to end.

    Returns:
        0, or 1 if the other package was left out.
    """
    import tempfile

    from fer_demo.checkpoints import bundled_checkpoints
    from training.bench.peers.results import busy_note, this_machine
    from training.bench.photographs import measure_fer, measure_ours, sample_photographs, table
    from training.eval.photos import read_photos

    machine = this_machine()
    models = args.models or [name for name in bundled_checkpoints() if ".photos_" in name]
    with tempfile.TemporaryDirectory() as folder:
        photographs = read_photos(args.photos) if args.photos else sample_photographs(Path(folder))
        results = [measure_ours(model, photographs, progress=True) for model in models]
        results.append(measure_fer(photographs, args.fer_python))
    if args.json:
        rows = [dataclasses.asdict(result) for result in results]
        print(json.dumps({"machine": machine, "results": rows}, indent=1, ensure_ascii=False))
    else:
        print(table(results))
        print(f"\n{machine['processor']}, one core.{busy_note(machine)}")
    return int(bool(results[-1].problem))


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
