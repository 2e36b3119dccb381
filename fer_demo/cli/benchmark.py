"""``python -m fer_demo benchmark``: what each network costs on this machine, and what it brings."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from fer_demo.cli.result_file import result_file

if TYPE_CHECKING:
    from fer_demo.tradeoffs import Benchmark, Row
    from fer_demo.tradeoffs.timing import Network


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    output.add_argument("--csv", type=result_file, metavar="OUT", help="write the same as a CSV file")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="measure only these networks (default: all)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, metavar="S", help="how long to measure each number (default: %(default)s)"
    )
    parser.add_argument("--cached", action="store_true", help="measure nothing: print what was measured before")
    parser.set_defaults(run=run, error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 130 if it was stopped, 1 if the CSV file could not be written. Usage errors leave through ``args.error``.
    """
    from fer_demo.runtime.engines import installed

    if not installed("torch", "timm"):
        args.error("networks are built with PyTorch; run `pip install 'fer-demo[torch]'`")
    from fer_demo.files import atomic_write_text
    from fer_demo.runtime.model_info import ModelError
    from fer_demo.tradeoffs import load_benchmark, networks_of, rows_csv, tradeoff_rows

    if args.threads < 1:
        args.error(f"--threads must be 1 or more, but is {args.threads}")
    if not 0 < args.seconds <= 600:
        args.error(f"--seconds must be between 0 and 600, but is {args.seconds:g}")
    try:
        networks = networks_of(tradeoff_rows())
    except ModelError as error:
        args.error(str(error))
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
            atomic_write_text(args.csv, rows_csv(rows))
        except OSError as error:
            print(f"error: {args.csv} cannot be written ({error.strerror})", file=sys.stderr)
            return 1
    else:
        _print_table(rows, benchmark)
    return 130 if stopped else 0


def _measure(networks: "list[Network]", known: "Benchmark", args: argparse.Namespace) -> tuple["Benchmark", bool]:
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
    from fer_demo.tradeoffs.answers import busy_note
    from fer_demo.tradeoffs.published import data_sets

    lines = [["system", "data set", "kind", *(measure.title for measure in MEASURES.values())]]
    for row in rows:
        numbers = [measure.text(row.values.get(name)) for name, measure in MEASURES.items()]
        lines.append([row.title, data_sets()[row.data]["title"], row.kind, *numbers])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        words = [c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        print("  ".join(words).rstrip())
    when = f"measured {benchmark.measured}" if benchmark.measured else "times not measured yet"
    print(f"\n{benchmark.place}; ONNX Runtime {benchmark.machine['onnxruntime']}; {when}.")
    if note := busy_note(benchmark):
        print(note)
