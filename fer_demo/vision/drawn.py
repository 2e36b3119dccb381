"""Drawn faces: an expression from a few numbers, in greys like a photograph's; the same numbers draw the same face."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["Expression", "draw_face"]

SIZE, FINER = 256, 2
"""Side of the drawing in pixels, and how many times larger it is drawn before it is reduced."""

_UNITS = 200  # all lengths are in these parts of the side
_SKIN, _HAIR, _BACKGROUND = 205, 45, 150
_CENTRE, _EYES, _MOUTH = 100.0, 97.0, 148.0


@dataclass(frozen=True)
class Expression:
    """What a face does, in parts of which the drawing has 200 a side; the defaults are a calm face.

    Attributes:
        brow_up: How far the brows are raised.
        brow_inner: How far their inner ends are raised above the outer ones.
        brow_arch: How high they bend.
        eye_open: Height of the open eyes.
        iris: Its diameter.
        mouth_width: Width of the mouth.
        mouth_open: How far the lips are apart.
        mouth_curve: How far the corners are above the middle.
        lip: Thickness of the lips.
        mouth_down: How far the mouth is below its place.
        teeth: How much of the upper teeth is seen.
        nose_fold: Depth of the folds from nose to mouth, 0 to 5.
        frown: Depth of the folds between the brows, 0 to 5.
        jaw: How far the jaw has dropped.
        lid: How far the fold of the upper lid is above the eye.
        crease: Depth of the folds of the forehead, 0 to 4.
    """

    brow_up: float = 0.0
    brow_inner: float = 0.0
    brow_arch: float = 6.0
    eye_open: float = 13.0
    iris: float = 9.0
    mouth_width: float = 34.0
    mouth_open: float = 4.0
    mouth_curve: float = 0.0
    lip: float = 4.0
    mouth_down: float = 0.0
    teeth: float = 0.0
    nose_fold: float = 0.0
    frown: float = 0.0
    jaw: float = 0.0
    lid: float = 0.0
    crease: float = 0.0


Points = list[tuple[float, float]]


class _Canvas:
    """A grey picture on which lengths are in parts of its side."""

    def __init__(self) -> None:
        self.side = SIZE * FINER
        self.scale = self.side / _UNITS
        self.image = Image.new("L", (self.side, self.side), _BACKGROUND)

    def ellipse(self, x: float, y: float, across: float, along: float, grey: int) -> None:
        k = self.scale
        box = ((x - across) * k, (y - along) * k, (x + across) * k, (y + along) * k)
        ImageDraw.Draw(self.image).ellipse(box, fill=grey)

    def area(self, points: Points, grey: int) -> None:
        ImageDraw.Draw(self.image).polygon(self._scaled(points), fill=grey)

    def line(self, points: Points, width: float, grey: int) -> None:
        pixels = max(1, int(width * self.scale))
        ImageDraw.Draw(self.image).line(self._scaled(points), fill=grey, width=pixels, joint="curve")
        for x, y in (points[0], points[-1]):
            self.ellipse(x, y, width / 2, width / 2, grey)

    def blur(self, radius: float) -> None:
        self.image = self.image.filter(ImageFilter.GaussianBlur(radius * self.scale))

    def mask(self, points: Points) -> Image.Image:
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).polygon(self._scaled(points), fill=255)
        return mask

    def _scaled(self, points: Points) -> Points:
        return [(x * self.scale, y * self.scale) for x, y in points]


def draw_face(expression: Expression) -> NDArray[np.uint8]:
    """Draws head and shoulders, from the front and lit from the front.

    Args:
        expression: What the face does.

    Returns:
        uint8 RGB (`SIZE`, `SIZE`, 3), all three channels the same.
    """
    canvas = _Canvas()
    _head(canvas, expression)
    for side in (-1, 1):
        _eye(canvas, expression, side)
    for y in (60, 66, 72) if expression.crease else ():
        canvas.line([(80, y), (90, y - 2), (110, y - 2), (120, y)], 1, _SKIN - int(10 * expression.crease))
    canvas.line([(96, 128), (100, 129.5), (104, 128)], 1.2, 130)  # below the nose
    _mouth(canvas, expression)
    canvas.blur(0.5)
    photo = np.asarray(canvas.image.resize((SIZE, SIZE), Image.Resampling.LANCZOS), float)
    photo += np.random.default_rng(0).normal(0, 2.5, photo.shape)  # no photograph is quite smooth
    return np.repeat(photo.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def _head(canvas: _Canvas, face: Expression) -> None:
    canvas.ellipse(100, 215, 75, 50, 80)
    canvas.area([(80, 150), (120, 150), (124, 190), (76, 190)], 165)
    canvas.ellipse(100, 88, 62, 72, _HAIR)
    for ear in (47, 153):
        canvas.ellipse(ear, 108, 8, 14, 185)
    canvas.ellipse(100, 105 + face.jaw / 2, 50, 62 + face.jaw / 2, _SKIN)
    canvas.blur(1.5)
    places: NDArray[np.float64] = np.arange(canvas.side) / canvas.scale
    x, y = np.meshgrid(places, places)
    from_middle = ((x - 100) / 50) ** 2 + ((y - 105 - face.jaw / 2) / (62 + face.jaw / 2)) ** 2
    shade = 35 * from_middle**2  # the cheeks turn away from the light
    shade += 12 * np.exp(-((np.abs(x - 100) - 20) ** 2 / 120 + (y - 96) ** 2 / 70))  # the eyes lie deep
    shade += 10 * np.exp(-((x - 100) ** 2 / 200 + (y - _MOUTH - face.mouth_down) ** 2 / 20))
    shade -= 10 * np.exp(-((x - 99) ** 2 / 15 + (y - 112) ** 2 / 250))  # the nose catches it
    shaded = np.asarray(canvas.image, float) - np.where(from_middle < 1, shade, 0)
    canvas.image = Image.fromarray(shaded.clip(0, 255).astype(np.uint8))
    k = canvas.scale
    ImageDraw.Draw(canvas.image).pieslice((50 * k, 35 * k, 150 * k, 110 * k), 180, 360, fill=_HAIR)


def _eye(canvas: _Canvas, face: Expression, side: int) -> None:
    """Eye, brow and folds of one side, -1 for the left of the picture."""
    x = _CENTRE + side * 21
    across = np.linspace(-1, 1, 23)
    arch = np.sqrt(1 - across**2)
    upper = _points(x + 11 * across, _EYES - face.eye_open / 2 * arch)
    lower = _points(x + 11 * across, _EYES + 0.4 * face.eye_open * arch)
    outline = upper + lower[::-1]
    canvas.area(outline, 235)
    mask, behind = canvas.mask(outline), canvas.image.copy()
    canvas.ellipse(x, _EYES - 0.5, face.iris / 2, face.iris / 2, 70)
    canvas.ellipse(x, _EYES - 0.5, face.iris / 4, face.iris / 4, 15)
    canvas.ellipse(x + 1.5, _EYES - 2, 1, 1, 250)
    behind.paste(canvas.image, mask=mask)
    canvas.image = behind
    canvas.line(upper, 1.8, 50)
    canvas.line(lower, 0.8, 120)
    canvas.line([(a, b - 3 - face.lid) for a, b in upper[3:-3]], 0.8, 150)
    t = np.linspace(0, 1, 15)  # along the brow, from the nose outwards
    height = face.brow_inner * (1 - 1.3 * t) + 0.8 * face.brow_arch * np.sin(np.pi * t)
    canvas.line(_points(x - side * 12 + side * 25 * t, 81 - face.brow_up - height), 4.2, 55)
    if face.nose_fold:
        fold = [(12, 122), (19, 128), (25, 140)]
        canvas.line([(_CENTRE + side * a, b) for a, b in fold], 1.2, _SKIN - int(12 * face.nose_fold))
    if face.frown:
        canvas.line(
            [(_CENTRE + side * 4, 78), (_CENTRE + side * 3, 88)],
            1.3,
            _SKIN - int(14 * face.frown),
        )
    canvas.ellipse(_CENTRE + side * 5, 124, 2.4, 1.6, 110)  # nostril


def _mouth(canvas: _Canvas, face: Expression) -> None:
    t = np.linspace(-1, 1, 25)
    x, bow = _CENTRE + face.mouth_width / 2 * t, np.sqrt(1 - t**2)
    middle = _MOUTH + face.mouth_down - face.mouth_curve * (t**2 - 0.5)
    gap = face.mouth_open / 2 * bow if face.mouth_open > 2 else 0 * bow
    upper, lower = middle - gap, middle + gap
    lips = _points(x, upper - 0.8 * face.lip * bow) + _points(x, lower + face.lip * bow)[::-1]
    canvas.area(lips, 142)
    if not gap.any():
        canvas.line(_points(x, middle), 1.6, 60)
        return
    canvas.area(_points(x, upper) + _points(x, lower)[::-1], 25)
    if face.teeth:
        inside = 0.9 * x + 0.1 * _CENTRE
        edge = np.minimum(upper + face.teeth, lower)
        canvas.area(_points(inside, upper + 0.3) + _points(inside, edge)[::-1], 225)


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    return list(zip(x.tolist(), y.tolist(), strict=True))
