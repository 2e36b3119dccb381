"""``python -m fer_demo benchmark``: what each network costs on this machine, and what it brings."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_demo.tradeoffs import Benchmark, Row


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``benchmark``."""
    parser = subparsers.add_parser(
        "benchmark",
        help="measure what each network costs on this machine",
        description="Measures latency and throughput of every network on this machine's CPU and prints them beside "
        "parameters, multiply-accumulates, memory, file size and accuracy: published, reproduced here or not trained. "
        "The Trade-offs page shows the same rows. Ctrl-C stops and keeps what was measured.",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON: bytes, seconds and fractions")
    output.add_argument("--csv", type=Path, metavar="OUT", help="write the same as a CSV file")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="measure only these networks (default: all)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, metavar="S", help="how long to measure each number (default: %(default)s)"
    )
    parser.add_argument("--cached", action="store_true", help="measure nothing: print what was measured before")
    _add_comparisons(parser)
    parser.set_defaults(run=run, error=parser.error)


def _add_comparisons(parser: argparse.ArgumentParser) -> None:
    """Adds ``--engines`` and ``--peers`` where the trainer is, which measures them and is no part of an install."""
    try:
        from training.bench.peers.command import add_arguments
    except ModuleNotFoundError:
        parser.set_defaults(engines=False, peers=False)
        return
    parser.add_argument(
        "--engines",
        action="store_true",
        help="measure instead how fast the bundled checkpoints (or --models) run in ONNX Runtime and in PyTorch, from "
        "start to frames a second, on one core",
    )
    peers = parser.add_argument_group(
        "comparison with other packages",
        "Accuracy and speed of the bundled checkpoints beside packages that bring their weights, on FER2013's "
        "PrivateTest and one core. They are fetched from PyPI and npm into a folder of their own.",
    )
    peers.add_argument("--peers", action="store_true", help="compare with other packages; needs --data")
    add_arguments(peers)


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 130 if it was stopped, 1 if the CSV file could not be written. Usage errors leave through ``args.error``.
    """
    from fer_demo.runtime.engines import installed

    if args.csv and (args.peers or args.engines):
        args.error(f"{'--peers' if args.peers else '--engines'} prints a table, or JSON with --json")
    if args.peers:
        from training.bench.peers.command import run as compare

        return compare(args)
    if not installed("torch", "timm"):
        args.error("networks are measured with PyTorch; run `pip install 'fer-demo[torch]'`")
    if args.engines:
        return _engines(args)
    from fer_demo.tradeoffs import load_benchmark, networks_of, rows_csv, tradeoff_rows

    if args.threads < 1:
        args.error(f"--threads must be 1 or more, but is {args.threads}")
    if not 0 < args.seconds <= 600:
        args.error(f"--seconds must be between 0 and 600, but is {args.seconds:g}")
    networks = networks_of(tradeoff_rows())
    if args.models:
        known = {model for model, _ in networks}
        if unknown := [name for name in args.models if name not in known]:
            args.error(f"there is no network {', '.join(unknown)}; choose from {', '.join(sorted(known))}")
        networks = [network for network in networks if network[0] in args.models]
    benchmark, stopped = load_benchmark(args.threads), False
    if not args.cached:
        benchmark, stopped = _measure(networks, benchmark, args)
    rows = tradeoff_rows(benchmark)
    if args.json:
        facts = {"machine": benchmark.machine, "measured": benchmark.measured}
        print(json.dumps(facts | {"rows": [row.to_dict() for row in rows]}, indent=1))
    elif args.csv:
        try:
            args.csv.write_text(rows_csv(rows), encoding="utf-8")
        except OSError as error:
            print(f"error: {args.csv} cannot be written ({error.strerror})", file=sys.stderr)
            return 1
    else:
        _print_table(rows, benchmark)
    return 130 if stopped else 0


def _engines(args: argparse.Namespace) -> int:
    """Compares the engines; 1 if one could not be measured."""
    import timm

    from fer_demo.checkpoints import bundled_checkpoints
    from fer_demo.runtime.model_info import ModelError
    from training.bench.engines import engine_table, measure_engines
    from training.bench.peers.results import PeerError, busy_note, this_machine

    known = [*bundled_checkpoints(), *timm.list_models("fer_*")]
    if unknown := [name for name in args.models or [] if name not in known]:
        args.error(f"there is no network {', '.join(unknown)}; choose from {', '.join(known)}")
    machine, results, failed = this_machine(), [], 0
    try:
        for found in measure_engines(args.models, lambda sentence: print(sentence, file=sys.stderr, flush=True)):
            results.append(found)
    except (PeerError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        failed = 1
    if args.json:
        print(json.dumps({"machine": machine, "results": [dataclasses.asdict(r) for r in results]}, indent=1))
    elif results:
        print(engine_table(results))
        print(f"\n{machine['processor']}, Python {machine['python']}, one core.{busy_note(machine)}")
    return failed


def _measure(networks: list, known: "Benchmark", args: argparse.Namespace) -> tuple["Benchmark", bool]:
    """Measures with a progress bar; the second value says whether somebody stopped it."""
    from tqdm import tqdm

    from fer_demo.tradeoffs import measure, save_benchmark

    benchmark, stopped = known, False
    with tqdm(total=len(networks), unit="network", file=sys.stderr) as bar:
        try:
            for (model, size), found in measure(networks, known=known, threads=args.threads, seconds=args.seconds):
                benchmark = found
                bar.set_description(f"{model} at {size} px")
                bar.update()
        except KeyboardInterrupt:
            stopped = True
    try:
        save_benchmark(benchmark)
    except OSError as error:
        print(f"The results could not be kept for the app ({error}).", file=sys.stderr)
    return benchmark, stopped


def _print_table(rows: list["Row"], benchmark: "Benchmark") -> None:
    from fer_demo.tradeoffs import MEASURES
    from fer_demo.tradeoffs.published import data_sets

    lines = [["system", "data set", "kind", *(measure.title for measure in MEASURES.values())]]
    for row in rows:
        numbers = [measure.text(row.values[name]) for name, measure in MEASURES.items()]
        lines.append([row.title, data_sets()[row.data]["title"], row.kind, *numbers])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        words = [c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        print("  ".join(words).rstrip())
    when = f"measured {benchmark.measured}" if benchmark.measured else "times not measured yet"
    print(f"\n{benchmark.place}; PyTorch {benchmark.machine['torch']}; {when}.")
