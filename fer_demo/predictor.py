"""Photo in, one answer for each face out."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from fer_demo.classifier import FaceClassifier
from fer_demo.prediction import FacePrediction
from fer_demo.results import FaceResults
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.align import check_box
from fer_demo.vision.detector import DetectedFace, FaceDetector, align_face, square_crop, whole_picture
from fer_demo.vision.images import ImageError, ImageSource, open_reduced
from fer_demo.vision.quality import CropQuality, crop_quality
from fer_demo.vision.scaling import scaled_box, scaled_face
from fer_demo.vision.sources import is_one_picture, source_name

if TYPE_CHECKING:
    import torch
    import torch.nn as nn

    from fer_demo.merging import Merge
    from fer_demo.video.answers import FrameAnswer
    from fer_demo.video.settings import Settings
    from fer_demo.video.sources import VideoSource

__all__ = ["ModelError", "Predictor"]

Box = Sequence[float]
"""x, y, width, height in pixels of the picture."""

FoundFace = DetectedFace | FacePrediction
"""A face that was found before."""

OnError = Literal["raise", "skip"] | Callable[[Any, ImageError], object]
"""What `Predictor.stream` does with a picture that cannot be opened."""

Channels = Literal["rgb", "bgr"]


@dataclass
class _Cut:
    """What is kept of a picture until its faces are read: (box, landmarks, score, crop, quality) of each."""

    file: str | None
    width: int
    height: int
    notes: tuple[str, ...]
    faces: list[tuple[Any, ...]]


class Predictor(FaceClassifier):
    """Finds faces and reads their expressions.

    Several threads may use one predictor at the same time. It can be copied and pickled: what runs the networks is then
    opened anew from the same files, and a model that was given as an object goes along.

    Args:
        model: A bundled checkpoint's name, ``<architecture>.<tag>``, or an architecture, which stands for its default
            tag; or the folder of a timm ``local-dir`` checkpoint; or an ONNX file of ``python -m fer_demo export``; or
            a timm model, which is put into evaluation mode and moved to `device`. None is
            `fer_demo.checkpoints.DEFAULT`.
        engine: What runs the network: "onnx" for ONNX Runtime, which needs no PyTorch and is the faster one on a CPU,
            or "torch". None is "onnx" where it can be: on the CPU, for a checkpoint that has an ONNX file.
        detector: None is a `FaceDetector` with its defaults, made when it is first needed.
        device: Where the network runs, as ``torch.device`` takes it; the engine "onnx" runs on the CPU only.
        temperature: The logits are divided by it before the softmax; None is the checkpoint's own, or 1.
        threads: Threads that each network may use; None is ``OMP_NUM_THREADS``, or else one for each core. The engine
            "torch" has one such setting for the whole process, which this changes.
        merge: Classes to take for one, ``{"negative": ["angry", "sad", "fear", "disgust"]}``: their probabilities are
            added. Temperature and threshold of the sets are then fitted anew on the checkpoint's own validation logits
            (`fer_demo.validation.FILE`). A model that has none, such as an ONNX file or an object, keeps its own
            temperature and has no threshold, and so has every model with a `temperature` that was given.

    Raises:
        ModelError: If there is no such checkpoint or engine, it cannot be loaded, it is no classifier of grey square
            pictures into classes that have names, the device is not there, or classes cannot be merged so.
    """

    def __init__(
        self,
        model: "str | os.PathLike[str] | nn.Module | None" = None,
        *,
        engine: str | None = None,
        detector: FaceDetector | None = None,
        device: "str | torch.device" = "cpu",
        temperature: float | None = None,
        threads: int | None = None,
        merge: "Merge | None" = None,
    ) -> None:
        super().__init__(model, engine=engine, device=device, temperature=temperature, threads=threads, merge=merge)
        self._detector = detector

    @property
    def detector(self) -> FaceDetector:
        """The face detector; made at the first use."""
        with self._lock:
            if self._detector is None:
                self._detector = FaceDetector(threads=self._recipe["threads"])
            return self._detector

    def detect(self, image: ImageSource, *, turned: bool = True, channels: Channels = "rgb") -> list[DetectedFace]:
        """The faces of one picture, the largest first; see `FaceDetector.detect` and `open_reduced`."""
        opened = open_reduced(image, channels=channels)
        return [scaled_face(face, opened.scale) for face in self.detector.detect(opened.pixels, turned=turned)]

    @overload
    def predict(
        self,
        image: ImageSource,
        *,
        whole_image: bool = ...,
        boxes: Sequence[Box] | None = ...,
        faces: Sequence[FoundFace] | None = ...,
        turned: bool = ...,
        channels: Channels = ...,
    ) -> FaceResults: ...

    @overload
    def predict(
        self,
        image: list[ImageSource] | tuple[ImageSource, ...],
        *,
        whole_image: bool = ...,
        boxes: Sequence[Sequence[Box]] | None = ...,
        faces: Sequence[Sequence[FoundFace]] | None = ...,
        turned: bool = ...,
        channels: Channels = ...,
    ) -> list[FaceResults]: ...

    def predict(
        self,
        image: Any,
        *,
        whole_image: bool = False,
        boxes: Sequence[Any] | None = None,
        faces: Sequence[Any] | None = None,
        turned: bool = True,
        channels: Channels = "rgb",
    ) -> Any:
        """Reads the expression of every face.

        Args:
            image: A picture, as `open_image` takes it, or a list or tuple of them; `stream` reads any number of them.
                Files of more than `fer_demo.vision.images.READ_PIXELS` are read at a fraction of their size, as
                `open_reduced` does it; all places are in pixels of the picture itself nevertheless.
            whole_image: Take the picture itself as one face, for pictures that are cut out already.
            boxes: Where the faces are, instead of looking for them: (x, y, width, height) each, in pixels; for
                several pictures one such list for each. The square around a box is what the network sees.
            faces: Faces that were found before, as `detect` or another predictor's `predict` gave them, instead of
                looking for them again; for several pictures one such list for each. They are cut out by their
                landmarks, or by their boxes where they have none.
            turned: See `FaceDetector.detect`.
            channels: "bgr" for arrays in OpenCV's order, BGR or BGRA.

        Returns:
            One `FacePrediction` for each face in a list of the kind `FaceResults`, the largest first, or in the order
            of `boxes` or `faces`; empty when there is no face. For several pictures one such list for each.

        Raises:
            ImageError: If a picture cannot be opened.
            ValueError: If a box is empty or outside the picture, a picture that is no array is said to be "bgr", or the
                arguments do not fit each other.
            FaceDetectorError: If faces are to be found and the detector's model file is missing.
        """
        if whole_image + (boxes is not None) + (faces is not None) > 1:
            raise ValueError("Give only one of whole_image, boxes and faces.")
        many = isinstance(image, (list, tuple))
        images = list(image) if many else [image]
        given: dict[str, Sequence[Any]] = {}
        for name, places in (("boxes", boxes), ("faces", faces)):
            given[name] = [None] * len(images) if places is None else places if many else [places]
            if len(given[name]) != len(images):
                raise ValueError(
                    f"There are {len(images)} pictures, but {name} for {len(given[name])}; give a list for each."
                )
        pictures = zip(images, given["boxes"], given["faces"], strict=True)
        answers = self._read([self._cut(i, whole_image, b, f, turned, channels) for i, b, f in pictures])
        return answers if many else answers[0]

    def stream(
        self,
        sources: Iterable[ImageSource],
        *,
        on_error: OnError = "raise",
        whole_image: bool = False,
        turned: bool = True,
        channels: Channels = "rgb",
        batch_size: int = 8,
    ) -> Iterator[FaceResults]:
        """Reads the faces of any number of pictures, of which it holds one at a time.

        Faces of several pictures go through the network together. Until there are enough of them only their crops
        wait, so the answers come in the order of the pictures, but some pictures later.

        Args:
            sources: Pictures as `open_image` takes them, from a list, a generator, a camera or an array (N, H, W, 3).
            on_error: What to do about a picture that cannot be opened: "raise" its `ImageError`, "skip" it, or call a
                function with the picture and the `ImageError`. Each comes in turn, after the answers of all pictures
                before it.
            whole_image: As for `predict`.
            turned: As for `predict`.
            channels: As for `predict`.
            batch_size: So many faces, or pictures if they have fewer, wait for each other; 1 answers every picture
                before the next one is taken, as a camera needs it.

        Yields:
            What `predict` returns for one picture; `FaceResults.file` tells which it is.

        Raises:
            ImageError: If a picture cannot be opened and `on_error` is "raise".
            ValueError: If a single picture is given, an argument makes no sense, or a picture that is no array is said
                to be "bgr".
            FaceDetectorError: If faces are to be found and the detector's model file is missing.
        """
        if is_one_picture(sources):
            raise ValueError("A stream takes several pictures, but one was given; put it into a list, or use predict.")
        if on_error not in ("raise", "skip") and not callable(on_error):
            raise ValueError(f"on_error must be 'raise', 'skip' or a function, but is {on_error!r}.")
        if batch_size < 1:
            raise ValueError(f"The batch_size must be 1 or more, but is {batch_size}.")
        return self._stream(sources, on_error, batch_size, (whole_image, None, None, turned, channels))

    def video(self, source: "VideoSource", settings: "Settings | None" = None) -> "Iterator[FrameAnswer]":
        """Reads the faces of a video, each person by the same number from frame to frame.

        It holds one frame at a time; closing the generator stops it. `fer_demo.video.Run` writes files too.

        Args:
            source: A path, a file's bytes, or a binary file that can seek.
            settings: Which frames and how, a `fer_demo.video.Settings`; None takes all frames.

        Yields:
            A `fer_demo.video.FrameAnswer` for each frame: its time, its faces and how much is done.

        Raises:
            VideoError: If the extra ``video`` is not installed, or the video cannot be read.
            FaceDetectorError: If the detector's model file is missing.
        """
        from fer_demo.video.analysis import analyse

        return analyse(source, self, settings)

    def _stream(
        self, sources: Iterable[ImageSource], on_error: OnError, batch_size: int, how: tuple[Any, ...]
    ) -> Iterator[FaceResults]:
        waiting: list[_Cut] = []
        for source in sources:
            problem = None
            try:
                waiting.append(self._cut(source, *how))
            except ImageError as error:
                problem = error
            if problem or max(len(waiting), sum(len(cut.faces) for cut in waiting)) >= batch_size:
                yield from self._read(waiting)
                waiting = []
            if problem and on_error == "raise":
                raise problem
            if problem and callable(on_error):
                on_error(source, problem)
            del source, problem  # or else they would stay while the next picture is made
        yield from self._read(waiting)

    def _cut(
        self,
        source: ImageSource,
        whole: bool,
        boxes: Sequence[Box] | None,
        faces: Sequence[FoundFace] | None,
        turned: bool,
        channels: Channels,
    ) -> _Cut:
        """Opens a picture and cuts its faces out."""
        opened = open_reduced(source, channels=channels)
        image, scale = opened.pixels, opened.scale
        height, width = image.shape[:2]
        smaller = 1 / scale[0], 1 / scale[1]
        size = self.input_size[0]
        cut = _Cut(source_name(source), opened.width, opened.height, opened.notes, [])
        if whole:
            box, crop = (0.0, 0.0, float(width), float(height)), whole_picture(image, size)
            quality = crop_quality(crop, box=box, robust=self.robust)
            cut.faces = [((0.0, 0.0, float(opened.width), float(opened.height)), None, None, crop, quality)]
        elif boxes is not None:
            for given in boxes:
                check_box(given, opened.width, opened.height)
                place = tuple(map(float, given))
                box = scaled_box(place, smaller)
                crop = square_crop(image, box, size)
                quality = crop_quality(crop, box=box, picture=(height, width), robust=self.robust)
                cut.faces.append((place, None, None, crop, quality))
        else:
            found = self.detector.detect(image, turned=turned) if faces is None else faces
            for face in found:
                # In pixels of what was opened, from which it is cut, and of the picture itself, where it is reported.
                near, far = (face, scaled_face(face, scale)) if faces is None else (scaled_face(face, smaller), face)
                marks = near.landmarks
                crop = square_crop(image, near.box, size) if marks is None else align_face(image, marks, size)
                quality = crop_quality(crop, box=near.box, landmarks=marks, picture=(height, width), robust=self.robust)
                cut.faces.append((far.box, far.landmarks, far.score, crop, quality))
        return cut

    def _read(self, cuts: list[_Cut]) -> list[FaceResults]:
        """The answers for pictures whose faces were cut out."""
        rows = iter(self.classify([crop for cut in cuts for *_, crop, _ in cut.faces]))
        answers = []
        for cut in cuts:
            faces = [self._face(next(rows), *found) for found in cut.faces]
            size = {"width": cut.width, "height": cut.height}
            answers.append(FaceResults(faces, file=cut.file, notes=cut.notes, labels=self.labels, **size))
        return answers

    def _face(
        self,
        row: NDArray[np.float32],
        box: tuple[float, float, float, float],
        landmarks: NDArray[np.float32] | None,
        score: float | None,
        crop: NDArray[np.uint8],
        quality: CropQuality,
    ) -> FacePrediction:
        """The answer for one crop, of which `row` are the probabilities."""
        probabilities, names = self._named(row)
        return FacePrediction(box, landmarks, score, probabilities, crop, quality, names)
