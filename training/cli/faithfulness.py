"""``python -m training faithfulness``: how far explanations can be believed."""

import argparse

from fer_demo.cli.result_file import result_file
from training.cli.options import add_data, add_threads, load, prepare_cpu, write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``faithfulness``."""
    parser = subparsers.add_parser("faithfulness", help="measure explanations by deletion and insertion on PublicTest")
    parser.add_argument("model", help="a bundled checkpoint, or local-dir:FOLDER")
    add_data(parser)
    parser.add_argument("--faces", type=int, default=200, metavar="N", help="how many (default: %(default)s)")
    add_threads(parser)
    parser.add_argument("--out", type=result_file, help="write faithfulness.json here")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the table, and optionally writes the figures."""
    from fer_demo.checkpoints import renew_manifest
    from fer_demo.runtime.model_info import temperature
    from fer_demo.runtime.torch_engine import create_trained
    from training.eval.faithfulness import faithfulness, table

    prepare_cpu(args.threads)
    model = create_trained(args.model).eval()
    faces = load(args).split("PublicTest")
    result = faithfulness(model, faces, count=args.faces, temperature=temperature(model.pretrained_cfg), progress=True)
    print(table(result))
    write_json(args.out, result)
    if args.out:
        renew_manifest(args.out)
