"""Made video clips whose faces are known: sample photographs moved about, with the truth beside them."""

import functools
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_demo.vision.samples import sample

FPS = 25
"""Frames per second of all clips."""


@dataclass(frozen=True)
class Placed:
    """A person on a frame: the name, and the middle and height of the face in pixels."""

    name: str
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Clip:
    """A made clip.

    Attributes:
        name: What happens in it.
        width: In pixels.
        height: Likewise.
        count: How many frames.
        scene: From the seconds to the persons, those in front last; one called "wall" hides what is behind it.
    """

    name: str
    width: int
    height: int
    count: int
    scene: Callable[[float], Sequence[Placed]]

    def truth(self, index: int) -> list[Placed]:
        """Who is on a frame, hidden or not."""
        return [p for p in self.scene(index / FPS) if p.name != "wall"]

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """uint8 RGB (H, W, 3), one at a time, with a little noise."""
        rng = np.random.default_rng(0)
        ground = _background(self.width, self.height)
        noise = rng.normal(0, 3, (self.height, self.width, 1)).astype(np.int16)
        for i in range(self.count):
            frame = ground.copy()
            for placed in self.scene(i / FPS):
                _paste(frame, placed)
            moved = np.roll(noise, rng.integers(0, 50, 2), (0, 1))
            yield np.clip(frame + moved, 0, 255).astype(np.uint8)


def encode(clip: Clip, file: BinaryIO | None = None, *, sound: bool = False, **options: str) -> bytes:
    """A clip as the bytes of an MP4 file.

    Args:
        clip: The clip.
        file: Where to write instead; the result is then empty.
        sound: Add a tone.
        **options: Of the encoder.
    """
    import av

    out = io.BytesIO() if file is None else file
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "18"} | options)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        tone = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for i, pixels in enumerate(clip.frames()):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            if tone is not None:
                at = np.arange(i * 640, (i + 1) * 640) / 16_000
                wave = (np.sin(2 * np.pi * 440 * at) * 0.2).astype(np.float32)[None]
                piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = 16_000, i * 640, Fraction(1, 16_000)
                container.mux(tone.encode(piece))
        container.mux(stream.encode())
        if tone is not None:
            container.mux(tone.encode())
    return out.getvalue() if isinstance(out, io.BytesIO) and file is None else b""


def _moving(x: tuple[float, float], seconds: float, t: float) -> float:
    return x[0] + (x[1] - x[0]) * min(1.0, t / seconds)


def zoom(seconds: float = 2.0) -> Clip:
    """One person comes near."""
    return Clip(
        "zoom",
        640,
        480,
        round(seconds * FPS),
        lambda t: [Placed("astronaut", 320, 250, _moving((70, 230), seconds, t))],
    )


def pan(seconds: float = 2.0) -> Clip:
    """Two persons pass by."""

    def scene(t: float) -> list[Placed]:
        shift = _moving((0, 260), seconds, t)
        return [Placed("astronaut", 140 + shift, 200, 110), Placed("grace_hopper", 330 + shift, 270, 100)]

    return Clip("pan", 640, 480, round(seconds * FPS), scene)


def cut(seconds: float = 3.0) -> Clip:
    """One person, then another one in the same place, then the first again."""

    def scene(t: float) -> list[Placed]:
        middle = seconds / 3 <= t < 2 * seconds / 3
        return [Placed("grace_hopper" if middle else "astronaut", 320, 240, 140)]

    return Clip("cut", 640, 480, round(seconds * FPS), scene)


def crossing(seconds: float = 3.0) -> Clip:
    """Two persons walk through each other's place; one hides the other."""

    def scene(t: float) -> list[Placed]:
        x = _moving((140, 500), seconds, t)
        return [Placed("grace_hopper", 640 - x, 245, 115), Placed("astronaut", x, 240, 125)]

    return Clip("crossing", 640, 480, round(seconds * FPS), scene)


def occlusion(seconds: float = 3.0) -> Clip:
    """One person walks behind a wall, hidden for about half a second, while another one stays."""

    def scene(t: float) -> list[Placed]:
        x = _moving((100, 560), seconds, t)
        return [
            Placed("astronaut", x, 180, 100),
            Placed("wall", 300, 180, 100),
            Placed("grace_hopper", 500, 380, 90),
        ]

    return Clip("occlusion", 640, 480, round(seconds * FPS), scene)


def still(width: int = 640, height: int = 480, faces: int = 1, seconds: float = 2.0) -> Clip:
    """Persons that sway a little, for timing."""
    names = ("astronaut", "grace_hopper", "surprised", "angry")

    def scene(t: float) -> list[Placed]:
        sway = 8 * math.sin(2 * math.pi * t / 2)
        gap, size = width / (faces + 1), height / 4
        return [Placed(names[i % 4], gap * (i + 1) + sway, height / 2 + sway * (-1) ** i, size) for i in range(faces)]

    return Clip(f"{faces} at {width}x{height}", width, height, round(seconds * FPS), scene)


CLIPS = (zoom, pan, cut, crossing, occlusion)
"""The clips whose persons are known by construction."""


@functools.cache
def _background(width: int, height: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(1)
    coarse = rng.integers(90, 150, (12, 16, 3), np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


@functools.cache
def _sprite(name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A person's head, 400 pixels high of which the face is 200, and how much of it is seen."""
    from fer_demo.vision.detector import FaceDetector

    found = sample(name)
    if found is None:
        raise ValueError(f"There is no sample {name}.")
    picture = found.load()
    x, y, w, h = FaceDetector(threads=1).detect(picture)[0].box
    scale = 200 / h
    matrix = np.array([[scale, 0, 200 - scale * (x + w / 2)], [0, scale, 200 - scale * (y + h / 2)]])
    head = cv2.warpAffine(picture, matrix, (400, 400), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    alpha = np.zeros((400, 400), np.float32)
    cv2.ellipse(alpha, (200, 200), (150, 180), 0, 0, 360, 1.0, -1)
    return head.astype(np.float32), cv2.GaussianBlur(alpha, (0, 0), 6).astype(np.float32, copy=False)


def _paste(frame: NDArray[np.uint8], placed: Placed) -> None:
    height, width = frame.shape[:2]
    if placed.name == "wall":
        half = placed.size / 2
        left, right = round(placed.x - half), round(placed.x + half)
        frame[round(placed.y - 110) : round(placed.y + 110), left:right] = (60, 80, 70)
        return
    head, alpha = _sprite(placed.name)
    scale = placed.size / 200
    matrix = np.array([[scale, 0, placed.x - 200 * scale], [0, scale, placed.y - 200 * scale]])
    size = (width, height)
    reach = 200 * scale + 2
    rows = slice(max(0, int(placed.y - reach)), max(0, min(height, int(placed.y + reach) + 1)))
    columns = slice(max(0, int(placed.x - reach)), max(0, min(width, int(placed.x + reach) + 1)))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    matrix[:, 2] -= columns.start, rows.start
    size = (columns.stop - columns.start, rows.stop - rows.start)
    seen = cv2.warpAffine(alpha, matrix, size)[..., None]
    drawn = cv2.warpAffine(head, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    frame[rows, columns] = (frame[rows, columns] * (1 - seen) + drawn * seen).astype(np.uint8)
