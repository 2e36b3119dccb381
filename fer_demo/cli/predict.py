"""``python -m fer_demo predict``: the expressions in photos, as text, JSON or CSV."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import numpy as np

    from fer_demo.predictor import FacePrediction, Predictor

    Answer = tuple[np.ndarray, list[FacePrediction]] | Exception

# Photos that are held in memory at a time; their faces share the network's batches.
CHUNK = 8
# Below this many photos a progress bar is noise.
PROGRESS_FROM = 10


def add_parser(subparsers: argparse._SubParsersAction) -> None:
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
    output.add_argument("--csv", type=Path, metavar="OUT", help="write a CSV file with one row a face")
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
    parser.add_argument("--device", default="cpu", help="where the network runs, e.g. cuda (default: %(default)s)")
    parser.set_defaults(run=run, error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 1 if a photo failed. Usage errors leave through ``args.error`` with 2.
    """
    from tqdm import tqdm

    from fer_demo.predictor import ModelError, Predictor
    from fer_demo.vision.detector import FaceDetectorError
    from fer_demo.vision.images import find_images

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal's encoding lacks, or a broken one, must not stop the other photos.
        sys.stdout.reconfigure(errors="backslashreplace")
    photos = find_images(args.photos)
    if not photos:
        args.error(f"there are no pictures in {', '.join(args.photos)}")
    try:
        predictor = Predictor(args.model, engine=args.engine, device=args.device)
        if not args.whole_image:
            _ = predictor.detector  # a missing detector is one error, not one for each photo
    except (ModelError, FaceDetectorError) as error:
        args.error(str(error))

    with tqdm(total=len(photos), unit="photo", disable=len(photos) < PROGRESS_FROM) as bar:
        writer = _writer(args)
        failed = 0
        for path, answer in _answers(predictor, photos, args.whole_image):
            if isinstance(answer, Exception):
                failed += 1
                tqdm.write(str(answer), file=sys.stderr)
            with tqdm.external_write_mode(file=sys.stdout):
                writer.add(path, answer)
            bar.update()
    writer.finish()
    return 1 if failed else 0


def _answers(predictor: "Predictor", photos: list[Path], whole_image: bool) -> Iterator[tuple[Path, "Answer"]]:
    """Each photo's picture and faces, or what was wrong with it, in order."""
    from fer_demo.vision.images import ImageError, open_image

    for start in range(0, len(photos), CHUNK):
        opened: dict[Path, np.ndarray | ImageError] = {}
        for path in photos[start : start + CHUNK]:
            try:
                opened[path] = open_image(path)
            except ImageError as error:
                opened[path] = error
        good = {path: image for path, image in opened.items() if not isinstance(image, Exception)}
        faces = dict(zip(good, predictor.predict(list(good.values()), whole_image=whole_image), strict=True))
        for path, image in opened.items():
            yield path, image if isinstance(image, Exception) else (image, faces[path])


def _writer(args: argparse.Namespace) -> "_TextWriter":
    if args.json:
        return _JsonWriter(sys.stdout)
    if args.csv:
        try:
            return _CsvWriter(args.csv.open("w", newline="", encoding="utf-8", errors="backslashreplace"))
        except OSError as error:
            args.error(f"{args.csv} cannot be written ({error.strerror})")
    return _TextWriter(sys.stdout)


class _TextWriter:
    """One line a face, for people."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def add(self, path: Path, answer: "Answer") -> None:
        if isinstance(answer, Exception):
            return
        _, faces = answer
        for face in faces:
            x, y, w, h = (round(v) for v in face.box)
            print(f"{path}: face at ({x}, {y}), {w} x {h} pixels: {face.sentence}", file=self.out)
        if not faces:
            print(f"{path}: no face found", file=self.out)

    def finish(self) -> None:
        pass


class _JsonWriter(_TextWriter):
    """A JSON array with one line a photo, written as it grows."""

    started = False

    def add(self, path: Path, answer: "Answer") -> None:
        from fer_demo.results import result_dict

        failed = isinstance(answer, Exception)
        entry = {"file": str(path), "error": str(answer)} if failed else result_dict(str(path), *answer)
        print(",\n" if self.started else "[\n", json.dumps(entry), sep="", end="", file=self.out)
        self.started = True

    def finish(self) -> None:
        print("\n]", file=self.out)


class _CsvWriter(_TextWriter):
    """``fer_demo.results.result_rows``, with a last column for errors."""

    def __init__(self, out: TextIO) -> None:
        from fer_demo.results import CSV_COLUMNS

        super().__init__(out)
        self.rows = csv.DictWriter(out, [*CSV_COLUMNS, "error"], restval="", lineterminator="\n")
        self.rows.writeheader()

    def add(self, path: Path, answer: "Answer") -> None:
        from fer_demo.results import result_rows

        if isinstance(answer, Exception):
            self.rows.writerow({"file": str(path), "error": str(answer)})
        else:
            self.rows.writerows(result_rows(str(path), answer[1]))

    def finish(self) -> None:
        self.out.close()
