from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import pytest

from fer_demo.annotate import (
    PICTURE_ENDINGS,
    UNTOLD_COLOR,
    draw_faces,
    enlarge,
    face_color,
    face_label,
    fit_width,
    save_picture,
)
from fer_demo.emotions import COLORS, LABELS, text_color
from fer_demo.figures import PALE, probability_bars
from fer_demo.vision.images import open_image
from fer_demo.wording import candidates, count_faces, describe, percent, ranked


def answer(**given: float) -> dict[str, float]:
    rest = (1 - sum(given.values())) / (len(LABELS) - len(given))
    return {label: given.get(label, rest) for label in LABELS}


def face(box, **given: float) -> SimpleNamespace:
    probabilities = answer(**given)
    label = ranked(probabilities)[0][0]
    names = candidates(probabilities)
    return SimpleNamespace(
        box=box, probabilities=probabilities, label=label, candidates=names, readable=True, unsure=len(names) > 1
    )


SURE = answer(happy=0.82)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"happy": 0.82}, "looks happy (82 %)"),
        ({"happy": 0.45, "surprise": 0.4}, "unsure: happy (45 %) or surprised (40 %)"),
        ({"sad": 0.49}, "unsure: sad (49 %) or angry (8 %)"),
        ({"fear": 0.5}, "looks afraid (50 %)"),
        ({"fear": 0.52, "sad": 0.45}, "unsure: afraid (52 %) or sad (45 %)"),
        ({"fear": 0.54, "sad": 0.43}, "looks afraid (54 %)"),
    ],
)
def test_words_for_a_face(given, words):
    assert describe(answer(**given)).replace("\N{NO-BREAK SPACE}", " ") == words
    assert (len(candidates(answer(**given))) == 2) == words.startswith("unsure")


@pytest.mark.parametrize(
    ("given", "names", "words"),
    [
        ({"happy": 0.82}, ("happy",), "looks happy (82 %)"),
        ({"sad": 0.48}, ("sad",), "looks sad (48 %)"),
        ({"happy": 0.82, "surprise": 0.1}, ("happy", "surprise"), "looks happy (82 %), maybe surprised"),
        ({"happy": 0.5, "surprise": 0.45}, ("happy", "surprise"), "unsure: happy (50 %) or surprised (45 %)"),
        (
            {"sad": 0.6, "neutral": 0.2, "angry": 0.1},
            ("sad", "neutral", "angry"),
            "looks sad (60 %), maybe neutral or angry",
        ),
        (
            {"sad": 0.4, "neutral": 0.3, "angry": 0.2},
            ("sad", "neutral", "angry"),
            "can't tell: could be sad, neutral or angry",
        ),
        (
            {"fear": 0.3, "disgust": 0.25, "sad": 0.2, "surprise": 0.15},
            ("fear", "disgust", "sad", "surprise"),
            "can't tell: could be afraid, disgusted or sad",
        ),
    ],
)
def test_words_for_a_set(given, names, words):
    """A model's threshold decides, however sure the old rule would be."""
    assert candidates(answer(**given), 0.09) == names
    assert describe(answer(**given), names).replace("\N{NO-BREAK SPACE}", " ") == words
    assert describe(answer(**given), names, "too small") == "can't tell: too small"


def test_a_set_is_never_empty():
    assert candidates(answer(happy=0.4), 0.5) == ("happy",)
    assert len(candidates(answer(happy=0.4), 0.0)) == len(LABELS)


def test_counts():
    assert [count_faces(n) for n in (0, 1, 2)] == ["no face", "1 face", "2 faces"]


def test_bars_name_color_and_order():
    fig = probability_bars(SURE)
    assert isinstance(fig, go.Figure)
    track, bars = fig.data
    assert bars.y[-1] == "happy" and set(bars.y) == set(LABELS)
    assert list(bars.x) == sorted(SURE.values())
    assert list(bars.marker.color) == [COLORS[name] for name in bars.y]
    assert track.text[-1] == f"<b>{percent(0.82)}</b>" and all("%" in t for t in track.text)
    assert fig.layout.paper_bgcolor == fig.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert fig.layout.font.color is None  # the page's theme sets it


@pytest.mark.parametrize("color", COLORS.values())
def test_labels_are_legible(color):
    def luminance(c):
        rgb = [int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(w * ((v + 0.055) / 1.055) ** 2.4 for w, v in zip((0.2126, 0.7152, 0.0722), rgb, strict=True))

    a, b = sorted((luminance(color), luminance(text_color(color))))
    assert (b + 0.05) / (a + 0.05) >= 4.5


@pytest.mark.parametrize("shape", [(480, 640, 3), (40, 30, 3), (3000, 2000, 3)])
def test_boxes_are_drawn_and_the_photo_is_left_alone(shape):
    image = np.full(shape, 200, np.uint8)
    h, w = shape[:2]
    faces = [face((w * 0.2, h * 0.3, w * 0.3, h * 0.4), happy=0.9), face((-5, -5, w * 2, h * 2), sad=0.9)]
    drawn = draw_faces(image, faces)
    assert drawn.shape == shape and drawn.dtype == np.uint8
    assert (image == 200).all()
    for color in ("happy", "sad"):
        rgb = [int(COLORS[color][i : i + 2], 16) for i in (1, 3, 5)]
        assert (drawn == rgb).all(axis=2).sum() > (min(h, w) // 2)


def test_large_photos_are_shrunk_for_showing():
    image = np.zeros((3000, 2000, 3), np.uint8)
    assert draw_faces(image, [face((100, 100, 500, 500), happy=0.9)], max_side=600).shape == (600, 400, 3)
    assert draw_faces(image[:50, :50], [], max_side=600).shape == (50, 50, 3)


@pytest.mark.parametrize("ending", PICTURE_ENDINGS)
def test_pictures_are_written_as_their_names_say(ending, tmp_path):
    image = np.full((40, 60, 3), (200, 100, 50), np.uint8)
    file = tmp_path / f"drawn{ending.upper()}"
    save_picture(image, file)
    np.testing.assert_allclose(open_image(file), image, atol=4)


def test_other_names_are_no_pictures(tmp_path):
    with pytest.raises(ValueError, match=r"must end in .*, but this one is drawn\.txt"):
        save_picture(np.zeros((4, 4, 3), np.uint8), tmp_path / "drawn.txt")


def test_an_unsure_face_has_a_question_mark():
    box = (0, 0, 1, 1)
    assert face_label(2, face(box, happy=0.82)) == "2 happy"
    assert face_label(2, face(box, happy=0.45, sad=0.4)) == "2 happy?"
    for many in ({"candidates": ("happy", "sad", "fear"), "unsure": True}, {"readable": False}):
        assert face_label(2, SimpleNamespace(**vars(face(box, happy=0.82)) | many)) == "2 ?"


@pytest.mark.parametrize("why", [{"readable": False}, {"candidates": ("happy", "sad", "fear"), "unsure": True}])
def test_a_face_of_which_nothing_can_be_told_has_no_emotions_colour(why):
    untold = SimpleNamespace(**vars(face((10, 40, 60, 60), happy=0.82)) | why)
    assert face_color(untold) == UNTOLD_COLOR not in COLORS.values()
    drawn = draw_faces(np.full((120, 100, 3), 90, np.uint8), [untold])
    assert (drawn == [0xBB] * 3).all(axis=2).sum() > 100


def test_bars_of_candidates_stand_out():
    both = answer(happy=0.5, surprise=0.4)
    track, bars = probability_bars(both, candidates=("happy", "surprise")).data
    opaque = {name for name, opacity in zip(bars.y, bars.marker.opacity, strict=True) if opacity == 1}
    assert opaque == {"happy", "surprise"} and sum("<b>" in text for text in track.text) == 2
    assert set(probability_bars(both, candidates=()).data[1].marker.opacity) == {PALE}
    assert set(probability_bars(both).data[1].marker.opacity) == {1}


def test_enlarge_keeps_pixels_square_and_sharp():
    crop = np.arange(6, dtype=np.uint8).reshape(2, 3)
    large = enlarge(crop, 4)
    assert large.shape == (8, 12) and (large[::4, ::4] == crop).all() and (large[3::4, 3::4] == crop).all()


def test_fit_width():
    assert fit_width(np.zeros((100, 200, 3)), max_width=400, max_height=500) == 400
    assert fit_width(np.zeros((200, 100, 3)), max_width=400, max_height=500) == 250
    assert fit_width(np.zeros((9000, 1, 3)), max_width=400, max_height=500) == 1
