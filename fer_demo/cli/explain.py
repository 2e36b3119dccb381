"""``fer-demo explain``: pictures of what counted for the answer, and a report that opens offline."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from fer_demo.prediction import FacePrediction
    from fer_demo.predictor import Predictor


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand ``explain``."""
    parser = subparsers.add_parser(
        "explain",
        help="show what the network looked at",
        description="Writes, for each face on a photo, a PNG with the map laid over the photo and one HTML report with "
        "curves and channel weights, which opens without a connection.",
    )
    parser.add_argument("photo", metavar="PHOTO", help="picture file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--method", default="gradcam", help="gradcam, integrated_gradients, occlusion or smoothgrad")
    parser.add_argument("--layer", metavar="NAME", help="for gradcam, e.g. stages.2 (default: the last stage)")
    parser.add_argument("--label", metavar="NAME", help="the expression to explain (default: each face's answer)")
    parser.add_argument("--against", metavar="NAME", help="explain it rather than this expression")
    parser.add_argument("--model", metavar="NAME", help="as for predict")
    parser.add_argument("--whole-image", action="store_true", help="take the photo as one face, cut out already")
    parser.set_defaults(run=run, error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand; see ``add_parser`` for the arguments.

    Returns:
        0; 1 if there was no face or something failed.
    """
    from fer_demo.runtime.engines import installed

    if not installed("torch", "timm", "captum"):
        args.error("explanations need PyTorch; run `pip install 'fer-demo[torch]'`")
    from fer_demo.explain.report import report
    from fer_demo.files import atomic_write_text
    from fer_demo.predictor import ModelError, Predictor
    from fer_demo.vision.detector import FaceDetectorError
    from fer_demo.vision.images import ImageError, open_image

    try:
        predictor = Predictor(args.model)
        image = open_image(args.photo)
        faces = predictor.predict(image, whole_image=args.whole_image)
        if not faces:
            print(f"No face was found on {args.photo}; try --whole-image for one that is cut out.", file=sys.stderr)
            return 1
        args.out.mkdir(parents=True, exist_ok=True)
        sections = [_explain(predictor, image, face, number, args) for number, face in enumerate(faces, 1)]
        page = args.out / f"{Path(args.photo).stem}.html"
        atomic_write_text(page, report(Path(args.photo).name, predictor.name, sections), errors="backslashreplace")
    except BrokenPipeError:
        raise
    except OSError as error:  # the photo's own errors are an ImageError
        print(f"error: {error.filename or args.out} cannot be written ({error.strerror or error})", file=sys.stderr)
        return 1
    except (ImageError, ModelError, FaceDetectorError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(page)
    return 0


def _explain(
    predictor: "Predictor", image: "np.ndarray", face: "FacePrediction", number: int, args: argparse.Namespace
) -> str:
    """Writes one face's PNG and returns its section of the report."""
    from fer_demo.explain import UNSIGNED
    from fer_demo.explain.face import on_photo
    from fer_demo.explain.figures import blend
    from fer_demo.explain.report import png, section
    from fer_demo.files import atomic_write

    label = args.label or face.label
    found = predictor.explain(face, label, method=args.method, layer=args.layer, against=args.against)
    part, laid, _ = on_photo(found.values, image, face)
    signed = args.method not in UNSIGNED
    picture = blend(part, laid, signed=signed, opacity=0.7)
    file = args.out / f"{Path(args.photo).stem}-{number}.png"
    atomic_write(file, lambda f: f.write(png(picture)))
    print(f"{file}: {face.full_sentence}")
    return section(predictor, face, number, picture, found, label, args.method, args.against, signed)
