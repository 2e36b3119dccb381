"""The option ``--merge``, which several commands have."""

import argparse


def add_merge(parser: argparse.ArgumentParser) -> None:
    """Adds which classes are taken for one."""
    parser.add_argument(
        "--merge",
        action="append",
        default=[],
        metavar="NAME=CLASS,...",
        help="take classes for one, as in negative=angry,sad,fear,disgust: their probabilities are added and the "
        "confidence is fitted anew; may be repeated",
    )
