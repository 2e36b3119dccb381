"""``fer-demo video``: the expressions in a video, person by person, as a video, tables, subtitles and a report."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fer_demo.cli.merge import add_merge

if TYPE_CHECKING:
    from fer_demo.video.outputs import Run

DEFAULT_MODEL = "fer_sedense_nano.photos_fer2013"
"""The small network: it reads every face of every frame, and the most accurate one takes fourteen times as long."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand ``video``."""
    parser = subparsers.add_parser(
        "video",
        help="read the expressions in a video",
        description="Finds the faces in a video, follows each person, and tells what expression each one shows over "
        "time. Ctrl-C ends the files with what is done; the exit code is then 130, and --resume goes on.",
    )
    parser.add_argument("input", metavar="IN", help="video file")
    for option, metavar, text in (
        ("--out", "OUT.mp4", "write the video with boxes, with its sound (.mp4, .mov or .mkv)"),
        ("--csv", "OUT.csv", "write a CSV file with one row a face and frame"),
        ("--parquet", "OUT.parquet", "the same as Parquet"),
        ("--json", "OUT.json", "write frames and summary as one JSON object"),
        ("--jsonl", "OUT.jsonl", "write one JSON object a frame and line"),
        ("--subtitles", "OUT.vtt", "write WebVTT subtitles"),
        ("--report", "OUT.html", "write a page with a timeline of each person that opens without a connection"),
    ):
        parser.add_argument(option, metavar=metavar, help=text)
    parser.add_argument("--fps", type=float, metavar="N", help="read N frames a second (default: all)")
    parser.add_argument(
        "--start", type=_seconds, default=0.0, metavar="TIME", help="where to begin: seconds, or 1:02.5"
    )
    parser.add_argument("--end", type=_seconds, metavar="TIME", help="where to stop, likewise")
    parser.add_argument(
        "--region", type=_region, metavar="X,Y,W,H", help="look for faces in this part of the upright frame, in pixels"
    )
    parser.add_argument(
        "--half-life", type=float, metavar="S", help="seconds after which an answer counts half (default: 0.3)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME", help="as for predict (default: %(default)s)")
    parser.add_argument("--engine", choices=["onnx", "torch"], help="what runs the network")
    add_merge(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run, error=parser.error)


def _seconds(text: str) -> float:
    """Seconds, or hours, minutes and seconds with colons."""
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if not 1 <= len(values) <= 3 or any(not 0 <= value < 1e7 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give seconds, as 62.5, or 1:02.5")
    total = 0.0
    for value in values:
        total = 60 * total + value
    return total


def _region(text: str) -> tuple[int, int, int, int]:
    try:
        x, y, w, h = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no region; give x,y,width,height in whole pixels") from None
    return x, y, w, h


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 1 if an output cannot be written; 130 if Ctrl-C stopped it. Usage errors and videos that cannot be read leave
        through ``args.error`` with 2.
    """
    from fer_demo.merging import parse_merges
    from fer_demo.predictor import ModelError, Predictor
    from fer_demo.video import Run, Settings, Targets, VideoError
    from fer_demo.video.extra import need
    from fer_demo.video.summary import in_words
    from fer_demo.vision.detector import FaceDetectorError

    names = ("csv", "parquet", "json", "jsonl", "subtitles", "report")
    try:
        need("av")
        need("scipy.optimize")
        half_life = {} if args.half_life is None else {"half_life": args.half_life}
        settings = Settings(fps=args.fps, start=args.start, end=args.end, region=args.region, **half_life)
        targets = Targets(video=args.out, **{name: getattr(args, name) for name in names})
        if args.resume and not targets.paths():
            raise VideoError("--resume needs the same outputs as the run that was stopped; name them.")
        predictor = Predictor(args.model, engine=args.engine, merge=parse_merges(args.merge))
        _ = predictor.detector
        job = Run(args.input, predictor, targets, settings, journal=True, resume=args.resume)
    except (ValueError, ModelError, FaceDetectorError) as error:
        args.error(str(error))
    stopped = False
    with job:
        try:
            stopped = _follow(job, args.quiet)
        except (VideoError, ModelError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    for line in in_words(job.summary) or ["no face found"]:
        print(line)
    for note in job.notes.sentences:
        print(f"note: {note}", file=sys.stderr)
    if stopped:
        more = "; add --resume to go on" if targets.paths() else ""
        print(f"Stopped at {job.summary['end']:.1f} s{more}.", file=sys.stderr)
        return 130
    return 0


def _follow(job: "Run", quiet: bool) -> bool:
    """Goes through the video with a progress bar; whether Ctrl-C stopped it."""
    from tqdm import tqdm

    with (
        _interrupts() as asked,
        tqdm(total=100, unit="%", disable=quiet, bar_format="{l_bar}{bar}| {elapsed} < {remaining}{postfix}") as bar,
    ):
        for answer in job:
            if answer.progress is not None:
                bar.update(100 * answer.progress - bar.n)
            bar.set_postfix_str(f"{answer.time:.1f} s, {len(answer.faces)} faces", refresh=False)
            if asked:
                return True
        bar.update(100 - bar.n)
    return False


@contextlib.contextmanager
def _interrupts() -> Iterator[list[bool]]:
    """A list that the first Ctrl-C puts something into, so that the frame is finished; a second one raises."""
    asked: list[bool] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)

    try:
        before = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not in the main thread, where Ctrl-C never arrives
        yield asked
        return
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
