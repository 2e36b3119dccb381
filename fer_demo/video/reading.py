"""A video's frames with their times: upright, 8-bit RGB, one at a time.

FFmpeg is given the opened file and nothing else: no name that could be an address or a protocol, only formats that
hold their pictures themselves, and a refusal for whatever second file a format asks for. So playlists, ``concat:`` and
the like reach nothing.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fer_demo.video.colours import standard_range
from fer_demo.video.extra import VideoError, need
from fer_demo.video.sources import Source
from fer_demo.vision.limits import READ_PIXELS, ImageError, check_size

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,apng,mxf,wtv,rm,ivf,h264,hevc,m4v,"
    "dv,nut,av1,obu,yuv4mpegpipe,vc1,h263,vob,dirac,roq,bink,smk"
)
"""FFmpeg's demuxers that may be used: those of playlists, lists of pictures, addresses and devices are not here."""

MAX_PIXELS = READ_PIXELS
"""Of a frame. A decoder holds up to some twenty of them."""

BAD_PACKETS = 200
"""So many broken packets in a row, and nothing more is expected."""


@dataclass(frozen=True)
class Info:
    """What a video says of itself.

    Attributes:
        width: Of the upright picture, in pixels.
        height: Likewise.
        duration: Seconds; None if it is not known.
        rate: Mean frames per second; None likewise.
        sound: Whether there is a sound track.
    """

    width: int
    height: int
    duration: float | None
    rate: float | None
    sound: bool


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: From 0 at the first frame that is read, over all frames, used or not.
        time: Seconds from the start of the video; grows from frame to frame.
        pixels: uint8 RGB (H, W, 3), upright.
    """

    index: int
    time: float
    pixels: NDArray[np.uint8]


@dataclass
class Notes:
    """What people should know about how a video was read, a short sentence each, in the order in which it was found."""

    sentences: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Adds a sentence that is not there yet."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)


def _refuse(url: str, flags: int, options: object) -> NoReturn:
    raise PermissionError("A video may name no other file.")


@contextmanager
def opened(source: Source) -> Iterator[Any]:
    """A video's container, as PyAV has it.

    Raises:
        VideoError: If FFmpeg does not know it.
    """
    av = need("av")
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none", "max_streams": "64"}
    with source.open() as file:
        try:
            container = av.open(file, "r", container_options=options, io_open=_refuse, metadata_errors="replace")
        except Exception as error:  # FFmpeg's reasons are many, and its list of formats is one of them
            raise VideoError(
                f"{source.name} is no video that can be read ({_reason(error)}); save it as MP4, MOV, WebM or AVI."
            ) from None
        with container:
            yield container


def probe(source: Source) -> Info:
    """What a video says of itself, with one frame decoded for its size and turn.

    Raises:
        VideoError: If it is no video, has no frame that can be read, or has too many pixels.
    """
    with opened(source) as container:
        stream = _stream(container, source)
        rate = float(stream.average_rate) if stream.average_rate else None
        length = None
        if stream.duration and stream.time_base:
            length = float(stream.duration * stream.time_base)
        elif container.duration:
            length = container.duration / 1e6
        sound = bool(container.streams.audio)
    first = next(frames(source), None)
    if first is None:
        raise VideoError(f"{source.name} has no frames; choose another video.")
    if length is not None and not (math.isfinite(length) and 0 < length < 1e7):
        length = None
    return Info(first.pixels.shape[1], first.pixels.shape[0], length, rate, sound)


def frames(
    source: Source,
    *,
    start: float = 0.0,
    end: float | None = None,
    fps: float | None = None,
    notes: Notes | None = None,
) -> Iterator[Frame]:
    """The frames of a video.

    Args:
        source: The video.
        start: Seconds; frames before it are left out.
        end: Seconds; frames from there on are left out. None reads to the end.
        fps: Take the first frame of each 1/fps seconds; None takes all.
        notes: Where to add what people should know; None drops it.

    Yields:
        Frames in the order of their times. Only the last one is held here.

    Raises:
        VideoError: If it is no video, or has too many pixels. A file that breaks off ends with a note instead.
    """
    notes = Notes() if notes is None else notes
    with opened(source) as container:
        stream = _stream(container, source)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", 2
        base = float(stream.time_base or 0) or 1e-3
        origin = (stream.start_time or 0) * base
        step = 1 / float(stream.average_rate) if stream.average_rate else 0.04
        if start > 1:
            _seek(container, stream, (start + origin) / base)
        clock = _Clock(origin, base, step)
        due, index = -math.inf, -1
        for frame in _decoded(container, stream, source, notes):
            index += 1
            time = clock.time(frame.pts)
            if time < start - 1e-6:
                continue
            if end is not None and time >= end:
                return
            if fps is not None:
                if time < due - 1e-3:
                    continue
                due = max(due + 1 / fps, time + 0.5 / fps) if math.isfinite(due) else time + 1 / fps
            yield Frame(index, time, _pixels(frame, notes))


class _Clock:
    """Times that grow, whatever a file says."""

    def __init__(self, origin: float, base: float, step: float) -> None:
        self.origin, self.base, self.step = origin, base, step
        self.last: float | None = None

    def time(self, pts: int | None) -> float:
        guess = 0.0 if self.last is None else self.last + self.step
        time = guess if pts is None else pts * self.base - self.origin
        if self.last is not None and (time <= self.last or time > self.last + 86_400):
            time = guess
        self.last = time
        return time


def _stream(container: Any, source: Source) -> Any:
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        what = "only sound" if container.streams.audio else "no pictures"
        raise VideoError(f"{source.name} has {what} in it, no video; choose another file.")
    stream = streams[0]
    _check_size(stream.codec_context.width, stream.codec_context.height, source)
    return stream


def _is_cover(stream: Any) -> bool:
    """Whether a stream is the one picture that goes with a song."""
    return bool(int(getattr(stream, "disposition", 0) or 0) & 0x400)


def _check_size(width: int, height: int, source: Source) -> None:
    if width * height > MAX_PIXELS:
        raise VideoError(
            f"{source.name} has frames of {width} x {height} pixels, more than the {MAX_PIXELS / 1e6:.0f} million that "
            "are accepted; make it smaller first."
        )
    if width and height:
        try:
            check_size(width, height, source.name)
        except ImageError as error:
            raise VideoError(str(error)) from None


def _seek(container: Any, stream: Any, to: float) -> None:
    av = need("av")
    try:
        container.seek(int(to), stream=stream, backward=True)
    except (av.FFmpegError, OSError, ValueError):  # a stream that cannot be searched is read from its start
        container.seek(0)


def _decoded(container: Any, stream: Any, source: Source, notes: Notes) -> Iterator[Any]:
    """The decoded frames; broken parts are left out with a note."""
    av = need("av")
    failed, any_frame, reason = 0, False, ""
    packets = container.demux(stream)
    while failed < BAD_PACKETS:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            decoded = packet.decode()
            failed = 0 if decoded else failed
        except MemoryError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            failed, reason = failed + 1, _reason(error)
            notes.add("Parts of the video are damaged and were left out.")
            if isinstance(error, av.EOFError):
                break
            continue
        for frame in decoded:
            _check_size(frame.width, frame.height, source)
            any_frame = True
            yield frame
    if failed >= BAD_PACKETS:
        notes.add("The rest of the video is damaged and was left out.")
    if not any_frame and reason:
        raise VideoError(f"{source.name} has no frame that can be read ({reason}); choose another video.")


def _pixels(frame: Any, notes: Notes) -> NDArray[np.uint8]:
    rgb: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    rgb = standard_range(rgb, int(frame.color_trc or 0), notes.add)
    quarters = round(frame.rotation / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(rgb, quarters)) if quarters else rgb


def _reason(error: Exception) -> str:
    from fer_demo.vision.sources import one_line

    return one_line(str(getattr(error, "strerror", None) or error) or type(error).__name__, 80)
