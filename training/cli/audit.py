"""``python -m training audit``: what a data set holds."""

import argparse
import json

from training.cli.options import add_classes, add_faces, add_skip_bad, load


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand ``audit``."""
    parser = subparsers.add_parser(
        "audit", help="count duplicates, conflicting labels and blank pictures of a data set"
    )
    parser.add_argument("data", metavar="DATA", help="as --data elsewhere")
    add_classes(parser)
    add_skip_bad(parser)
    add_faces(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prints the counts."""
    from training.data import BadRows
    from training.data.audit import audit, report

    bad = BadRows()
    result = audit(load(args, bad=bad))
    if args.face_crops == "detect":
        result["faces"] = {"no_face": bad.faceless, "taken_whole": bad.whole, "several": bad.several}
    print(json.dumps(result, indent=2) if args.json else report(result))
