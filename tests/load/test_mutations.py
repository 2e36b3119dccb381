"""Damaged pictures, rows, checkpoints and recipes: an answer or one clear sentence, soon, in bounded memory."""

import pytest

from fer_demo.runtime.model_info import ModelError
from tests.load.kinds import KINDS
from tests.load.mutations import MOST_GROWTH, MOST_SECONDS, run, unclear

FEW, MANY = 300, 10_000


# Pillow warns of what a damaged TIFF lacks; the trainer reads it all the same.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")


@pytest.mark.parametrize("kind", KINDS)
def test_a_few(kind):
    check(kind, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many(kind):
    check(kind, MANY)


def check(kind: str, count: int) -> None:
    done = run(kind, count)
    assert not done.faults, "\n".join(done.faults[:10])
    assert done.results + done.sentences == count and done.results and done.sentences
    assert done.slowest <= MOST_SECONDS and done.growth <= MOST_GROWTH and done.passed


def test_the_same_seed_gives_the_same_inputs():
    first, second = run("pictures", 30, seed=3), run("pictures", 30, seed=3)
    assert (first.results, first.sentences) == (second.results, second.sentences)


@pytest.mark.parametrize("sentence", ["", "no full stop", "Two\nlines.", "A" * 2000 + ".", "\x1b[2J."])
def test_what_is_no_sentence_is_a_fault(sentence):
    with pytest.raises(ModelError) as raised:
        raise ModelError(sentence)
    assert unclear(raised.value, (ModelError,))


def test_an_error_of_another_kind_is_a_fault():
    with pytest.raises(KeyError) as raised:
        _ = {}["x"]
    assert "KeyError" in unclear(raised.value, (ModelError,))
    with pytest.raises(ValueError, match="could not convert") as raised:
        float("x")
    assert "no clear sentence" in unclear(raised.value, (ValueError,))  # not raised by the project itself
