"""The annotated video: every frame that was read, encoded once, with the sound as it was."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_demo.annotate import draw_faces
from fer_demo.video.answers import FrameAnswer
from fer_demo.video.extra import VideoError, need
from fer_demo.video.reading import Notes, opened
from fer_demo.video.sources import Source

TICKS = 30_000
"""Steps of a second in the written file: whole ones for 24, 25, 29.97, 30, 50 and 60 frames a second."""

ENDINGS = (".mp4", ".mov", ".mkv")
"""What the file's name may end in."""

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}


class VideoWriter:
    """Writes the annotated video.

    Args:
        file: The open binary file to write to; it must be able to seek.
        ending: One of `ENDINGS`.
        source: Whose sound is copied.
        start: Seconds at which the first frame lies in the source.
        notes: Where to say that a sound track was left out.

    Raises:
        VideoError: If no encoder is there.
    """

    def __init__(self, file: Any, ending: str, source: Source, start: float, notes: Notes) -> None:
        av = need("av")
        self._av, self._start, self._notes, self._source = av, start, notes, source
        self._container = av.open(file, "w", format=_FORMATS[ending])
        self._video: Any = None
        self._last = -1
        self._sound: Iterator[Any] = iter(())
        self._ahead: Any = None

    def add(self, answer: FrameAnswer) -> None:
        """Writes one frame with what was found on it.

        Raises:
            OSError: If the disk is full.
            ValueError: If it has no pixels.
        """
        if answer.pixels is None:
            raise ValueError("An answer of another run has no picture to write.")
        pixels = even(answer.pixels)
        predictions = [face.prediction for face in answer.faces]
        if predictions:
            pixels = draw_faces(pixels, predictions, numbers=[face.person for face in answer.faces])
        if self._video is None:
            self._open(pixels.shape[1], pixels.shape[0])
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        if (frame.width, frame.height) != (self._video.width, self._video.height):  # some videos change their size
            frame = frame.reformat(width=self._video.width, height=self._video.height)
        at = max(self._last + 1, round((answer.time - self._start) * TICKS))
        frame.pts, frame.time_base, self._last = at, Fraction(1, TICKS), at
        self._copy_sound(answer.time)
        self._container.mux(self._video.encode(frame))

    def finish(self) -> None:
        """Writes what is left, and the index of the file.

        Raises:
            OSError: If the disk is full.
            ValueError: If it has no pixels.
        """
        if self._video is not None:
            self._copy_sound(self._start + self._last / TICKS)
            self._container.mux(self._video.encode())
        self.close()

    def close(self) -> None:
        """Lets go of the encoder; what `finish` did not write is lost."""
        if hasattr(self._sound, "close"):
            self._sound.close()
        self._container.close()

    def _open(self, width: int, height: int) -> None:
        if "libx264" in self._av.codecs_available:
            # No look ahead and one thread: each frame of either is held, ten bytes a pixel.
            options = {"preset": "veryfast", "crf": "20", "threads": "1"}
            options["x264-params"] = "rc-lookahead=0:sync-lookahead=0:bframes=0:ref=1:mbtree=0"
            self._video = self._container.add_stream("libx264", rate=Fraction(25), options=options)
        elif "mpeg4" in self._av.codecs_available:
            self._video = self._container.add_stream("mpeg4", rate=Fraction(25), options={"qscale": "4"})
        else:
            raise VideoError("PyAV was built without an encoder; run `pip install --force-reinstall av`.")
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._video.codec_context.time_base = Fraction(1, TICKS)
        self._sound = self._packets()

    def _copy_sound(self, until: float) -> None:
        """Copies the sound up to a time of the source, in seconds."""
        while True:
            if self._ahead is None:
                self._ahead = next(self._sound, None)
            if self._ahead is None or self._ahead[0] > until:
                return
            self._container.mux(self._ahead[1])
            self._ahead = None

    def _packets(self) -> Iterator[tuple[float, Any]]:
        """The sound's packets, with their time in the source, as the new file takes them."""
        with opened(self._source) as container:
            if not container.streams.audio:
                return
            stream = container.streams.audio[0]
            video = container.streams.video[0]
            origin = float((video.start_time or 0) * (video.time_base or 0))
            try:
                copied = self._container.add_stream_from_template(stream)
            except (self._av.FFmpegError, ValueError, TypeError):
                self._notes.add("The sound was left out: it is of a kind that the new file does not hold.")
                return
            yield -1.0, []  # the stream has to be there before the first frame is written
            base = stream.time_base
            shift = round((self._start + origin) / base)
            if self._start > 1:
                container.seek(shift, stream=stream)
            try:
                for packet in container.demux(stream):
                    if packet.pts is None or packet.dts is None or packet.size == 0:
                        continue
                    time = float(packet.pts * base) - origin
                    # What comes before the first frame primes the sound's decoder, unless the frame was chosen.
                    if self._start > 0 and time < self._start - 1e-3:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copied
                    yield time, packet
            except (self._av.FFmpegError, OSError, ValueError):
                self._notes.add("The sound breaks off, as in the file.")


def even(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame with even sides, as the encoders need them: the last row or column goes, or is doubled if it is alone."""
    height, width = pixels.shape[:2]
    if height == 1 or width == 1:
        pixels = np.repeat(np.repeat(pixels, 2 if height == 1 else 1, 0), 2 if width == 1 else 1, 1)
        height, width = pixels.shape[:2]
    return pixels[: height // 2 * 2, : width // 2 * 2]
