"""The road from a video to answers: frames, faces, persons, probabilities; a generator that can be stopped any time."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import thread_time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_demo.classes import column_order
from fer_demo.video.answers import FrameAnswer, VideoFace
from fer_demo.video.extra import VideoError
from fer_demo.video.reading import Frame, Info, Notes, frames, probe
from fer_demo.video.settings import Settings
from fer_demo.video.smoothing import Smoother
from fer_demo.video.sources import Source, VideoSource
from fer_demo.video.tracking import Box, Tracker
from fer_demo.vision.align import align_face
from fer_demo.vision.detector import FaceDetector
from fer_demo.vision.quality import crop_quality
from fer_demo.wording import candidates

LEAST_EVERY = 0.12
"""Seconds between two looks that are made because somebody was lost."""


class Reader(Protocol):
    """What finds and reads faces; a `fer_demo.Predictor`."""

    @property
    def detector(self) -> FaceDetector:
        """The detector."""
        ...

    @property
    def input_size(self) -> tuple[int, int]:
        """Of the crops that it reads."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes in the order of `classify`."""
        ...

    @property
    def robust(self) -> bool:
        """Whether the network learned damaged pictures."""
        ...

    @property
    def set_threshold(self) -> float | None:
        """From which probability on a class is a candidate."""
        ...

    def classify(self, crops: Any) -> NDArray[np.float32]:
        """Probabilities (N, C) of crops."""
        ...


def analyse(
    source: VideoSource | Source,
    predictor: Reader,
    settings: Settings | None = None,
    *,
    info: Info | None = None,
    notes: Notes | None = None,
    known: Iterator[FrameAnswer] | None = None,
    times: dict[str, float] | None = None,
) -> Iterator[FrameAnswer]:
    """Reads the faces of a video, of which it holds one frame at a time.

    Closing the generator stops it and lets go of the file.

    Args:
        source: The video.
        predictor: What finds and reads faces, a `fer_demo.Predictor`.
        settings: How to read it; None is `Settings` with its defaults.
        info: What `fer_demo.video.reading.probe` said, if it was asked before.
        notes: Where to add what people should know about the file.
        known: Answers of an earlier run for the first frames, which are not worked out again.
        times: Where to add up processor seconds of this thread, by what took them.

    Yields:
        One answer for each frame that is taken.

    Raises:
        VideoError: If the video cannot be read, or the region is not on it.
        FaceDetectorError: If the detector's model file is missing.
    """
    opened = source if isinstance(source, Source) else Source(source)
    settings = settings or Settings()
    info = info or probe(opened)
    region = _region(settings, info, opened)
    faces = _Faces(predictor, settings, region, times if times is not None else {})
    known = iter(()) if known is None else known
    pictures = frames(opened, start=settings.start, end=settings.end, fps=settings.fps, notes=notes)
    while True:
        with timed(faces.times, "decoding"):
            frame = next(pictures, None)
        if frame is None:
            return
        progress = _progress(frame.time, settings, info)
        earlier = next(known, None)
        if earlier is not None and earlier.index == frame.index:
            yield FrameAnswer(frame.index, frame.time, faces.adopt(frame, earlier), progress, frame.pixels)
            continue
        known = iter(())
        yield FrameAnswer(frame.index, frame.time, faces.read(frame), progress, frame.pixels)


def _region(settings: Settings, info: Info, source: Source) -> tuple[int, int, int, int] | None:
    if settings.region is None:
        return None
    x, y, w, h = settings.region
    if x + w > info.width or y + h > info.height:
        raise VideoError(
            f"The region {x},{y},{w},{h} reaches over the frame of {source.name}, {info.width} x {info.height} pixels; "
            "give x,y,width,height inside it."
        )
    return settings.region


def _progress(time: float, settings: Settings, info: Info) -> float | None:
    end = settings.end if info.duration is None else min(info.duration, settings.end or math.inf)
    if end is None:
        return None
    return min(1.0, max(0.0, (time - settings.start) / max(end - settings.start, 1e-3)))


class _Faces:
    """The faces of one frame after the other."""

    def __init__(
        self,
        predictor: Reader,
        settings: Settings,
        region: tuple[int, int, int, int] | None,
        times: dict[str, float],
    ) -> None:
        self.predictor, self.settings, self.region = predictor, settings, region
        self.tracker, self.smoother = Tracker(), Smoother(settings.half_life)
        self.looked = -math.inf
        self.times = times

    def read(self, frame: Frame) -> tuple[VideoFace, ...]:
        picture = self._part(frame)
        with timed(self.times, "following"):
            self.tracker.step(picture, frame.time)
        since = frame.time - self.looked
        due = since >= self.settings.detect_every - 1e-6
        if looked := due or (self.tracker.unsettled and since >= min(LEAST_EVERY, self.settings.detect_every) - 1e-6):
            with timed(self.times, "detection"):
                found = self.predictor.detector.detect(picture, turned=False)
            with timed(self.times, "following"):
                self.tracker.match(found)
            self.looked = frame.time
        return self._answers(frame, picture, looked)

    def adopt(self, frame: Frame, earlier: FrameAnswer) -> tuple[VideoFace, ...]:
        """Goes on from what an earlier run found; the same, with crops."""
        x, y = (0, 0) if self.region is None else self.region[:2]
        self.tracker.step(self._part(frame), frame.time)
        persons = [
            (f.person, _shifted(f.box, -x, -y), (f.landmarks - (x, y)).astype(np.float32), f.score)
            for f in earlier.faces
        ]
        self.tracker.adopt(persons)
        for face in earlier.faces:
            values = np.array([face.probabilities[label] for label in self.predictor.labels], np.float32)
            if face.readable:
                self.smoother.put(face.person, frame.time, values)
        if any(face.detected for face in earlier.faces):
            self.looked = frame.time
        size = self.predictor.input_size[0]
        return tuple(replace(f, crop=align_face(frame.pixels, f.landmarks, size)) for f in earlier.faces)

    def _part(self, frame: Frame) -> NDArray[np.uint8]:
        if self.region is None:
            return frame.pixels
        x, y, w, h = self.region
        return np.ascontiguousarray(frame.pixels[y : y + h, x : x + w])

    def _answers(self, frame: Frame, picture: NDArray[np.uint8], looked: bool) -> tuple[VideoFace, ...]:
        here, size = self.tracker.here, self.predictor.input_size[0]
        dx, dy = (0, 0) if self.region is None else self.region[:2]
        with timed(self.times, "cropping"):
            crops = [align_face(picture, track.landmarks, size) for track in here]
            measures = [
                crop_quality(
                    crop,
                    box=track.box,
                    landmarks=track.landmarks,
                    picture=picture.shape[:2],
                    robust=self.predictor.robust,
                )
                for track, crop in zip(here, crops, strict=True)
            ]
        with timed(self.times, "classification"):
            rows = self.predictor.classify(crops) if crops else ()
        answers = []
        for track, crop, quality, row in zip(here, crops, measures, rows, strict=True):
            if quality.readable:
                smoothed = self.smoother.add(track.person, frame.time, row)
            else:  # what cannot be read says nothing, and does not change what was known
                before = self.smoother.last(track.person)
                smoothed = row if before is None else before
            probabilities = self._named(smoothed)
            answers.append(
                VideoFace(
                    track.person,
                    _shifted(track.box, dx, dy),
                    np.asarray(track.landmarks + np.array((dx, dy)), np.float32),
                    track.score,
                    looked and track.found == frame.time,
                    self._named(row),
                    probabilities,
                    quality,
                    crop,
                    candidates(probabilities, self.predictor.set_threshold),
                )
            )
        self.smoother.forget({track.person for track in self.tracker.tracks})
        return tuple(answers)

    def _named(self, row: NDArray[np.float32]) -> dict[str, float]:
        named = dict(zip(self.predictor.labels, map(float, row), strict=True))
        return {label: named[label] for label in column_order(self.predictor.labels)}


def _shifted(box: Box, dx: float, dy: float) -> Box:
    x, y, w, h = map(float, box)
    return x + dx, y + dy, w, h


@contextmanager
def timed(times: dict[str, float], name: str) -> Iterator[None]:
    """Adds the processor seconds of this thread in a ``with`` block to ``times[name]``."""
    begun = thread_time()
    try:
        yield
    finally:
        times[name] = times.get(name, 0.0) + thread_time() - begun
