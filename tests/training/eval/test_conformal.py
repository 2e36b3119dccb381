"""Conformal sets hold the truth as often as was asked, whatever the network."""

import numpy as np
import pytest

from fer_demo.wording import candidates
from training.eval.conformal import fit_set_threshold, selective_accuracy, set_figures

CLASSES = 7


def exchangeable(n: int, rng, spread: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that know something, and the true distributions: calibrated neither."""
    truth = rng.dirichlet(np.full(CLASSES, 0.3), n)
    guess = truth ** rng.uniform(0.3, spread, (n, 1)) + rng.uniform(0, 0.2, (n, CLASSES))
    return guess / guess.sum(axis=1, keepdims=True), truth


def drawn(truth: np.ndarray, rng) -> np.ndarray:
    labels = (truth.cumsum(axis=1) < rng.uniform(size=(len(truth), 1))).sum(axis=1).clip(max=CLASSES - 1)
    return np.eye(CLASSES)[labels]


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("votes", [False, True])
def test_coverage_of_new_pictures(coverage, votes):
    """Fitted on labels or on votes: both cover labels that are drawn anew, to the sampling error."""
    rng = np.random.default_rng(int(100 * coverage) + votes)
    found = []
    for _ in range(20):
        p, truth = exchangeable(1000, rng)
        new, other = exchangeable(2000, rng)
        threshold = fit_set_threshold(p, truth if votes else drawn(truth, rng), coverage)
        found.append(set_figures(new, drawn(other, rng), threshold)["coverage"])
    # The most probable class is always in, which can only add to it.
    assert np.mean(found) == pytest.approx(coverage, abs=0.012)
    assert min(found) > coverage - 0.04


def test_by_hand():
    """Nine pictures, true classes of 0.9, 0.8, ... 0.1: 80 % of ten is the eighth."""
    p = np.array([[v / 10, 1 - v / 10] for v in range(1, 10)])
    labels = np.tile([1.0, 0.0], (9, 1))
    assert fit_set_threshold(p, labels, 0.8) == pytest.approx(0.2)
    assert fit_set_threshold(p, labels, 0.9) == pytest.approx(0.1)
    assert fit_set_threshold(p, labels, 0.95) == 0  # nine pictures cannot promise that
    halves = np.full((9, 2), 0.5)  # each class of each picture counts a half: 1, 0.9, 0.9, 0.8, 0.8, ...
    assert fit_set_threshold(p, halves, 0.4) == pytest.approx(0.6)


def test_figures_and_candidates_make_the_same_sets():
    rng = np.random.default_rng(1)
    p, truth = exchangeable(300, rng)
    labels = drawn(truth, rng)
    sets = [candidates(dict(enumerate(row)), 0.12) for row in p]
    figures = set_figures(p, labels, 0.12)
    assert figures["size"] == pytest.approx(np.mean([len(s) for s in sets]), abs=1e-4)
    assert figures["single"] == pytest.approx(np.mean([len(s) == 1 for s in sets]), abs=1e-4)
    right = np.mean([label in s for label, s in zip(labels.argmax(axis=1), sets, strict=True)])
    assert figures["coverage"] == pytest.approx(right, abs=1e-4)
    assert all(s[0] == row.argmax() for s, row in zip(sets, p, strict=True))


def test_the_most_confident_are_right_more_often():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    assert [selective_accuracy(p, labels, share) for share in (0.25, 0.5, 0.75, 1)] == [1, 1, 0.6667, 0.5]


@pytest.mark.parametrize(
    ("targets", "coverage", "words"),
    [
        (np.full((4, 2), 0.5), 1.0, "coverage must be between 0 and 1"),
        (np.full((4, 2), 0.4), 0.9, "add up to 1"),
        (np.tile([2.0, -1.0], (4, 1)), 0.9, "add up to 1"),
        (np.full((3, 2), 0.5), 0.9, r"are \(4, 2\) and \(3, 2\)"),
    ],
)
def test_nonsense(targets, coverage, words):
    with pytest.raises(ValueError, match=words):
        fit_set_threshold(np.full((4, 2), 0.5), targets, coverage)
