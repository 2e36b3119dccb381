"""The samples show what they claim."""

import numpy as np
import pytest

from fer_demo import Predictor
from fer_demo.emotions import LABELS
from fer_demo.vision.drawn import SIZE, Expression, draw_face
from fer_demo.vision.samples import SAMPLES, sample


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor()


@pytest.mark.parametrize("shown", SAMPLES, ids=lambda shown: shown.id)
def test_the_answer_is_what_it_claims(predictor, shown):
    picture = shown.load()
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    faces = predictor.predict(picture)
    assert tuple("unsure" if face.unsure else face.label for face in faces) == shown.shows
    if len(faces) == 1 and shown.shows != ("unsure",):
        assert faces[0].confidence > 0.6
    assert faces.notes == ()


@pytest.mark.parametrize("name", ["surprised", "sad", "angry", "afraid"])
@pytest.mark.parametrize("model", ["fer_sedense.restart_fer2013", "fer_sedense_nano.photos_fer2013"])
def test_other_weights_agree_about_the_drawings(predictor, name, model):
    shown = sample(name)
    (face,) = predictor.predict(shown.load())
    (other,) = Predictor(model).predict(shown.load(), faces=[face])
    assert other.label == shown.shows[0] and other.confidence > 0.5


def test_names():
    ids = [shown.id for shown in SAMPLES]
    assert ids[:2] == ["astronaut", "grace_hopper"] and len(set(ids)) == len(ids)
    assert [shown.name for shown in SAMPLES[:2]] == ["astronaut.png", "grace_hopper.jpg"]
    assert sample("cat") is SAMPLES[-1] and sample("nobody") is None
    assert all(shown.title and shown.credit for shown in SAMPLES)


def test_they_cover_most_expressions():
    shown = {word for each in SAMPLES for word in each.shows}
    assert shown >= set(LABELS) - {"disgust"} | {"unsure"} and any(each.shows == () for each in SAMPLES)


def test_drawings_are_the_same_each_time():
    face = Expression(mouth_open=12, teeth=4, frown=2, nose_fold=2, crease=2)
    drawn = draw_face(face)
    assert drawn.shape == (SIZE, SIZE, 3) and drawn.std() > 30
    np.testing.assert_array_equal(draw_face(face), drawn)
    assert not np.array_equal(draw_face(Expression()), drawn)
