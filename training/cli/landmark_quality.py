"""``python -m training landmark-quality``: landmarks found by the detector against those marked by hand."""

import argparse

from fer_demo.cli.result_file import result_file
from training.cli.options import add_data, add_threads, load, prepare_cpu, write_json


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``landmark-quality``."""
    parser = subparsers.add_parser(
        "landmark-quality",
        help="how well landmarks are found in FER2013's pictures",
        description="Finds the landmarks of 100 faces of PublicTest as a run with landmarks=detected does, and "
        "compares them with those that were marked by hand.",
    )
    add_data(parser)
    add_threads(parser)
    parser.add_argument("--out", type=result_file, help="write the figures here as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints a table, and optionally writes the figures."""
    from training.data.landmarks import with_landmarks
    from training.eval.landmarks import landmark_errors, marked_faces, table

    prepare_cpu(args.threads)
    faces, marked = marked_faces(load(args))
    figures = landmark_errors(with_landmarks(faces, quiet=False), marked)
    print(table(figures))
    write_json(args.out, figures)
