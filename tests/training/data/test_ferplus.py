"""FER+'s protocol, on votes counted by hand."""

import pytest
import torch

from training.data.ferplus import CLASSES, FERPLUS_COLUMNS, distribution, majority
from training.eval.ferplus import agreement, majority_accuracy


def votes(**counts):
    row = torch.zeros(1, len(FERPLUS_COLUMNS))
    for name, count in counts.items():
        row[0, FERPLUS_COLUMNS.index(name)] = count
    return row


@pytest.mark.parametrize(
    ("counts", "winner"),
    [
        ({"neutral": 6, "happiness": 4}, "neutral"),
        ({"neutral": 5, "happiness": 5}, None),  # half is not more than half
        ({"neutral": 4, "happiness": 3, "anger": 1, "fear": 1, "disgust": 1}, "neutral"),  # single votes are slips
        ({"contempt": 7, "neutral": 3}, "contempt"),
        ({"NF": 6, "neutral": 4}, None),
        ({"unknown": 9}, None),
        ({}, None),
        (dict.fromkeys(CLASSES, 1), None),
    ],
)
def test_majority(counts, winner):
    assert majority(votes(**counts)).tolist() == [-1 if winner is None else CLASSES.index(winner)]


def test_distribution_leaves_out_slips_and_what_is_no_face():
    row = distribution(votes(neutral=6, sadness=3, anger=1))[0]
    assert row.tolist() == pytest.approx([6 / 9, 0, 0, 3 / 9, 0, 0, 0, 0])
    assert distribution(votes(neutral=5, unknown=3))[0, 0] == 1  # "unknown" is no class, but has not the most
    for counts in ({"unknown": 6, "neutral": 4}, {"NF": 10}, {}):
        assert distribution(votes(**counts)).sum() == 0


def test_accuracy_of_eight_and_of_seven_classes():
    rows = torch.cat([votes(happiness=9), votes(contempt=8), votes(surprise=6, fear=4), votes(unknown=9)])
    eight = torch.eye(8)[[1, 7, 6, 0]] * 9
    assert majority_accuracy(eight, rows)["n"] == 3 and majority_accuracy(eight, rows)["correct"] == 2
    seven = torch.eye(7)[[3, 0, 5, 0]] * 9  # happy, angry, surprise, angry
    found = agreement(seven, rows)
    assert (found["n"], found["correct"]) == (2, 2)  # contempt has no class among the seven
    assert found["divergence"] > 0


def test_an_answer_that_is_the_votes_diverges_by_nothing():
    rows = torch.cat([votes(happiness=6, neutral=4), votes(sadness=10)])
    assert agreement(distribution(rows).clamp(min=1e-12).log(), rows)["divergence"] == pytest.approx(0, abs=1e-4)


def test_the_published_numbers_of_pictures(fer2013):
    private = fer2013.split("PrivateTest")
    if private.votes is None:
        pytest.skip("these data have no votes")
    # Barsoum et al. do not print it; others that use their code count 3,137 to 3,153 with a majority.
    assert int((majority(private.votes) >= 0).sum()) == 3152
