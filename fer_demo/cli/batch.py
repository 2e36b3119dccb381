"""``fer-demo batch``: the expressions in very many photos, as a table."""

import argparse
import os
import sys
import threading
from typing import TYPE_CHECKING

from fer_demo.cli.merge import add_merge

if TYPE_CHECKING:
    from fer_demo.batch import Answer, Sources, Summary


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand ``batch``."""
    parser = subparsers.add_parser(
        "batch",
        help="read very many photos into a table",
        description="Reads photos with several processes and writes a table with one row a face. What was stopped, in "
        "whatever way, goes on with the same command. Photos that cannot be read are rows with an error and do not "
        "stop the others; the exit code is then 1.",
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="picture, folder, ZIP or TAR archive, pattern in quotation marks such as 'photos/**/*.jpg', or - for "
        "paths on standard input, one a line",
    )
    parser.add_argument(
        "--list", action="append", default=[], metavar="FILE", help="text file with one path a line; may be repeated"
    )
    parser.add_argument("--out", required=True, metavar="RESULTS", help="table: .parquet, .csv or .jsonl")
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        help="only faces like this: 'happy>0.8', 'label==sad and faces>=2', 'not unsure'; docs/batch.md has all names",
    )
    parser.add_argument(
        "--copy-to",
        metavar="FOLDER/{label}",
        help="copy each photo to a folder named after what its largest face looks like",
    )
    parser.add_argument("--processes", type=int, metavar="N", help="processes that read (default: one a core)")
    parser.add_argument(
        "--seconds", type=float, default=60, metavar="S", help="most for one photo (default: %(default)s)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where a run was stopped, or say that there is none; without it a run goes on if there is one",
    )
    parser.add_argument(
        "--keep-state", action="store_true", help="keep RESULTS.state, so that the next run reads new photos alone"
    )
    parser.add_argument("--model", metavar="NAME", help="as for predict")
    parser.add_argument("--engine", choices=["onnx", "torch"], help="as for predict")
    parser.add_argument("--whole-image", action="store_true", help="take each photo as one face, cut out already")
    add_merge(parser)
    parser.add_argument("--device", default="cpu", help="where the network runs, e.g. cuda (default: %(default)s)")
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="read on a Ray cluster, e.g. auto for the one that this machine belongs to (default: one of its own here)",
    )
    parser.set_defaults(run=run, error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 1 if a photo failed or the results cannot be written; 130 after Ctrl-C. Usage errors leave through
        ``args.error`` with 2.
    """
    from fer_demo.batch import Settings, batch_errors
    from fer_demo.batch import run as read
    from fer_demo.batch.state import journal_path
    from fer_demo.merging import parse_merges
    from fer_demo.vision.sources import one_line

    if args.processes is not None and args.processes < 1:
        args.error(f"--processes must be 1 or more, but is {args.processes}")
    if not args.seconds > 0:
        args.error(f"--seconds must be more than 0, but is {args.seconds:g}")
    if args.ray and os.path.exists(args.ray):
        args.error(f"--ray takes an address, but {one_line(args.ray)} is a source; put --ray at the end of the command")
    state = journal_path(args.out)
    if args.resume and not state.exists():
        args.error(f"there is no run to go on with: {one_line(str(state))} does not exist; leave out --resume")
    reading = (args.model, args.engine, args.device, args.whole_image, args.seconds)
    try:
        settings = Settings(*reading, merge=parse_merges(args.merge))
    except batch_errors() as error:
        args.error(str(error).removesuffix("."))
    progress = _Progress()
    try:
        summary = read(
            args.sources,
            args.out,
            lists=args.list,
            stdin=sys.stdin.buffer if "-" in (*args.sources, *args.list) else None,
            settings=settings,
            processes=args.processes,
            where=args.where,
            copy_to=args.copy_to,
            keep_state=args.keep_state,
            ray=args.ray,
            on_start=progress.start,
            on_answer=progress.step,
        )
    except batch_errors() as error:
        progress.close()
        args.error(str(error).removesuffix("."))
    except KeyboardInterrupt:
        progress.close()
        print(f"Stopped. {_go_on(progress, state.exists(), str(state))}", file=sys.stderr)
        return 130
    except OSError as error:  # e.g. a full disk
        progress.close()
        place = error.filename or args.out
        print(f"error: {place} cannot be written ({error.strerror or error})", file=sys.stderr)
        print(_go_on(progress, state.exists(), str(state)), file=sys.stderr)
        return 1
    progress.close()
    _report(summary, args.out, args.copy_to)
    return 1 if summary.failed else 0


def _go_on(progress: "_Progress", kept: bool, state: str) -> str:
    if not kept:
        return "Nothing was read so far."
    return f"What was read so far ({progress.done} pictures) is in {state}; the same command goes on from there."


def _report(summary: "Summary", out: str, copy_to: str | None) -> None:
    from fer_demo.vision.folders import left_out_sentence
    from fer_demo.vision.sources import one_line

    for sentence in summary.problems:
        print(sentence, file=sys.stderr)
    if (more := summary.failed - len(summary.problems)) > 0:
        print(f"… and {more} more that could not be read; {one_line(out)} has all of them.", file=sys.stderr)
    if summary.left_out:
        print(left_out_sentence(summary.left_out), file=sys.stderr)
    if summary.replaced:
        print(f"Processes that hung or died and were replaced: {summary.replaced}.", file=sys.stderr)
    read = summary.pictures - summary.before
    rate = f", {read / summary.seconds:.1f} pictures/s" if read > 0 and summary.seconds > 0 else ""
    before = f", {summary.before} of them read before" if summary.before else ""
    print(
        f"{one_line(out)}: {summary.pictures} pictures{before}, {summary.faces} faces, {summary.failed} not readable, "
        f"{summary.rows} rows{rate}"
    )
    if copy_to:
        print(f"Copied {summary.copied} pictures to {one_line(copy_to)}, each by its largest face.")


class _Progress:
    """A bar with rate and time left; the number of all pictures comes when it has been counted."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar, self._tqdm, self.done = None, tqdm, 0

    def start(self, sources: "Sources", before: int) -> None:
        """Begins, with so many pictures answered before."""
        self.done = before
        self._bar = bar = self._tqdm(unit="picture", initial=before, smoothing=0.05, mininterval=0.5)

        def count() -> None:
            try:
                bar.total = sources.count()
            except OSError:  # a list or a folder that went; reading says so
                return
            if not bar.disable:  # closed already
                bar.refresh()

        threading.Thread(target=count, daemon=True).start()

    def step(self, answer: "Answer") -> None:
        """One more."""
        self.done += 1
        if self._bar is not None:
            self._bar.update()

    def close(self) -> None:
        """Ends the bar's line."""
        if self._bar is not None:
            self._bar.close()
