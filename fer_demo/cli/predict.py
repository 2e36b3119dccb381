"""``fer-demo predict``: the expressions in photos, as text, JSON or CSV, and drawn onto the photos."""

import argparse
import contextlib
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fer_demo.cli.merge import add_merge

if TYPE_CHECKING:
    from fer_demo.predictor import Predictor
    from fer_demo.results import FaceResults

# Below this many photos a progress bar is noise.
PROGRESS_FROM = 10


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand ``predict``."""
    parser = subparsers.add_parser(
        "predict",
        help="read the expressions in photos",
        description="Finds the faces in photos and tells what expression each one shows. Photos that cannot be read "
        "are reported and do not stop the others; the exit code is then 1.",
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="picture file, or folder of pictures")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print a JSON array with one entry a photo")
    output.add_argument(
        "--csv",
        metavar="OUT",
        help="write a CSV file (- prints it) with one row a face, and one for a photo without a face or with an error",
    )
    parser.add_argument(
        "--draw",
        type=Path,
        metavar="OUT",
        help="write the photo with boxes too: a file for one photo, a folder for several",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="bundled checkpoint (architecture.tag), folder of one, or exported ONNX file; by default the most "
        "accurate bundled one",
    )
    parser.add_argument(
        "--engine", choices=["onnx", "torch"], help="what runs the network (default: onnx where there is a file for it)"
    )
    parser.add_argument("--whole-image", action="store_true", help="take each photo as one face, cut out already")
    add_merge(parser)
    parser.add_argument("--device", default="cpu", help="where the network runs, e.g. cuda (default: %(default)s)")
    parser.set_defaults(run=run, error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 1 if a photo failed or the results cannot be written. Usage errors leave through ``args.error`` with 2.
    """
    from fer_demo.cli.drawing import drawings
    from fer_demo.merging import parse_merges
    from fer_demo.predictor import ModelError, Predictor
    from fer_demo.vision.detector import FaceDetectorError
    from fer_demo.vision.folders import find_images, left_out_sentence
    from fer_demo.vision.sources import one_line

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal's encoding lacks, or a broken one, must not stop the other photos. Each line is
        # written at once, for whoever reads along.
        sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    left_out: list[str] = []
    photos = find_images(args.photos, left_out.append)
    drawn: dict[Path, Path] = {}
    if args.draw:
        try:
            drawn = drawings(args.photos, photos, args.draw)
        except (ValueError, OSError) as error:
            args.error(str(error))
        photos = list(drawn)
    if not photos:
        args.error(f"there are no pictures in {', '.join(map(one_line, args.photos))}")
    try:
        predictor = Predictor(args.model, engine=args.engine, device=args.device, merge=parse_merges(args.merge))
        if not args.whole_image:
            _ = predictor.detector  # a missing detector is one error, not one for each photo
    except (ModelError, FaceDetectorError) as error:
        args.error(str(error))
    if left_out:
        print(left_out_sentence(len(left_out)), file=sys.stderr)
    try:
        with _writer(args, predictor.labels) as writer:
            return _predict(predictor, photos, drawn, writer, args.whole_image)
    except BrokenPipeError:
        raise
    except OSError as error:  # e.g. a full disk; what the photos raise has been dealt with
        place = args.csv if args.csv not in (None, "-") else "the output"
        print(f"error: {place} cannot be written ({error.strerror})", file=sys.stderr)
        return 1
    except ModelError as error:  # weights that answer with numbers that are none show only at work
        print(f"error: {error}", file=sys.stderr)
        return 1


def _predict(
    predictor: "Predictor", photos: list[Path], drawn: dict[Path, Path], writer: "_TextWriter", whole_image: bool
) -> int:
    """Reads the photos one after the other; 1 if one failed."""
    from tqdm import tqdm

    failed = 0
    with tqdm(total=len(photos), unit="photo", disable=len(photos) < PROGRESS_FROM) as bar:

        def report(sentence: str) -> None:
            nonlocal failed
            failed += 1
            tqdm.write(sentence, file=sys.stderr)

        def give_up(photo: object, error: Exception) -> None:
            report(str(error))
            with tqdm.external_write_mode(file=sys.stdout):
                writer.add_error(str(photo), str(error))
            bar.update()

        for faces in predictor.stream(photos, on_error=give_up, whole_image=whole_image):
            with tqdm.external_write_mode(file=sys.stdout):
                writer.add(faces)
            if drawn and (problem := _draw(faces, drawn[Path(str(faces.file))])):
                report(problem)
            bar.update()
    writer.finish()
    return 1 if failed else 0


def _draw(faces: "FaceResults", file: Path) -> str | None:
    """Writes a photo with boxes; what went wrong, if anything."""
    from fer_demo.annotate import save_picture
    from fer_demo.vision.sources import one_line

    try:
        # The photo is opened once more: only the crops have been kept of it.
        picture = faces.draw(str(faces.file))
        file.parent.mkdir(parents=True, exist_ok=True)
        save_picture(picture, file)
    except OSError as error:
        return f"{one_line(str(file))} cannot be written ({error.strerror or error})."
    except ValueError as error:
        return str(error)
    return None


@contextlib.contextmanager
def _writer(args: argparse.Namespace, labels: tuple[str, ...]) -> "Iterator[_TextWriter]":
    """What takes the answers; a CSV file is there once all of them are in it."""
    from fer_demo.files import writing

    if args.json:
        yield _JsonWriter(sys.stdout)
    elif args.csv == "-":
        yield _CsvWriter(sys.stdout, labels)
    elif args.csv:
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(writing(args.csv))
            except OSError as error:
                args.error(f"{args.csv} cannot be written ({error.strerror})")
            text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
            yield _CsvWriter(text, labels)
            text.detach()
    else:
        yield _TextWriter(sys.stdout)


class _TextWriter:
    """One line a face, for people."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def add(self, faces: "FaceResults") -> None:
        from fer_demo.vision.sources import one_line

        name = one_line(str(faces.file), None)
        for face in faces:
            x, y, w, h = (round(v) for v in face.box)
            print(f"{name}: face at ({x}, {y}), {w} x {h} pixels: {face.full_sentence}", file=self.out)
        if not faces:
            print(f"{name}: no face found", file=self.out)
        for note in faces.notes:
            print(f"{name}: note: {note}", file=self.out)

    def add_error(self, photo: str, sentence: str) -> None:
        """For people, the sentence that is reported to them is enough."""

    def finish(self) -> None:
        self.out.flush()


class _JsonWriter(_TextWriter):
    """A JSON array with one line a photo, written as it grows."""

    started = False

    def add(self, faces: "FaceResults") -> None:
        self._entry(faces.to_dict())

    def add_error(self, photo: str, sentence: str) -> None:
        self._entry({"file": photo, "error": sentence})

    def finish(self) -> None:
        print("\n]", file=self.out, flush=True)

    def _entry(self, entry: dict[str, Any]) -> None:
        print(",\n" if self.started else "[\n", json.dumps(entry), sep="", end="", file=self.out)
        self.started = True


class _CsvWriter(_TextWriter):
    """``fer_demo.results.result_rows``, with a last column for errors, whose status is "error"."""

    def __init__(self, out: TextIO, labels: tuple[str, ...]) -> None:
        from fer_demo.results import csv_columns

        super().__init__(out)
        self.rows = csv.DictWriter(out, [*csv_columns(labels), "error"], restval="", lineterminator="\n")
        self.rows.writeheader()

    def add(self, faces: "FaceResults") -> None:
        from fer_demo.results import result_rows

        self.rows.writerows(result_rows(faces.file, faces))

    def add_error(self, photo: str, sentence: str) -> None:
        from fer_demo.results import plain_cell

        self.rows.writerow({"file": plain_cell(photo), "status": "error", "error": plain_cell(sentence)})

    def finish(self) -> None:
        self.out.flush()
