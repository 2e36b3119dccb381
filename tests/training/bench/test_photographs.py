"""Photographs end to end: what is counted, and the words about a package that is not there."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.emotions import LABELS
from training.bench.photographs import PhotographResult, measure_fer, measure_ours, sample_photographs, table

NANO = "fer_sedense_nano.photos_fer2013"


@pytest.fixture
def photographs(tmp_path):
    found = sample_photographs(tmp_path)
    blank = tmp_path / "wall.png"
    Image.fromarray(np.full((200, 300, 3), 128, np.uint8)).save(blank)
    return [*found, (blank, "happy")]


@pytest.mark.skipif(NANO not in bundled_checkpoints(), reason="the checkpoint is not bundled")
def test_found_and_right_are_counted_with_photographs_without_a_face(photographs):
    assert len(photographs) > 4 and all(label in LABELS and path.is_file() for path, label in photographs)
    result = measure_ours(NANO, photographs)
    assert result.n == len(photographs) and result.found == result.n - 1
    assert 2 <= result.right <= result.found and result.seconds > 0 and result.products > 0
    wrong = [(path, "disgust") for path, _ in photographs]
    assert measure_ours(NANO, wrong).right == 0


def test_a_package_that_is_not_there_has_a_row_that_says_so(photographs):
    result = measure_fer(photographs, sys.executable)
    if not result.problem:
        pytest.skip("the package fer is installed here")
    assert "--fer-python" in table([result])


def test_answers_of_another_environment_are_compared_with_the_labels(photographs, tmp_path):
    """An interpreter that answers in place of the package's."""
    said = {"answers": [label for _, label in photographs[:-1]] + [None], "seconds": [0.02] * len(photographs)}
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    python.chmod(0o755)
    result = measure_fer(photographs, str(python))
    assert (result.found, result.right) == (len(photographs) - 1,) * 2 and result.seconds == 0.02
    python.write_text("#!/bin/sh\necho 'no memory left' >&2\nexit 1\n")
    assert "failed: no memory left" in table([measure_fer(photographs, str(python))])


def test_the_table_has_an_interval():
    row = table([PhotographResult("mine", 100, 90, 70, 0.0123, 0.5)]).splitlines()[-1]
    assert row == "| mine | 100 | 90.0% | 70.0% (60.4%–78.1%) | 12.3 | 0.50 |"
