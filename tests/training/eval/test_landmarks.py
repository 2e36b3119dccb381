"""How well landmarks are found, in numbers."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest
import torch

from training.data.faces import DataError, Faces
from training.eval.landmarks import MARKS, NAMES, landmark_errors, marked_faces, table

MARKED = torch.tensor([[15.0, 18.0], [35.0, 18.0], [25.0, 28.0], [17.0, 38.0], [33.0, 38.0]])


def with_points(points):
    n = len(points)
    return Faces(
        torch.zeros(n, 1, 48, 48, dtype=torch.uint8), torch.zeros(n).long(), np.repeat("Training", n), landmarks=points
    )


def test_distances_are_shares_of_that_between_the_eyes():
    found = MARKED + torch.tensor([[2.0, 0.0], [0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [0.0, 0.0]])
    figures = landmark_errors(with_points(found[None]), MARKED[None])
    assert [figures["landmarks"][name]["median"] for name in NAMES] == pytest.approx([0.1, 0, 0.25, 0.05, 0])


def test_what_was_not_found_or_is_hidden_does_not_count():
    found, marked = MARKED.repeat(4, 1, 1), MARKED.repeat(4, 1, 1)
    found[0] = torch.nan
    marked[1, 3] = torch.nan
    marked[2, 0] = torch.nan  # nothing to measure by
    figures = landmark_errors(with_points(found), marked)
    assert (figures["faces"], figures["found"]) == (4, 3)
    assert [figures["landmarks"][name]["n"] for name in NAMES] == [2, 2, 2, 1, 2]
    nowhere = landmark_errors(with_points(torch.full_like(found, torch.nan)), marked)
    with pytest.raises(DataError, match="no landmarks"):
        landmark_errors(dataclasses.replace(with_points(found), landmarks=None), marked)
    assert nowhere["landmarks"]["nose tip"]["median"] is None and "| nose tip | 0 | – | – | – |" in table(nowhere)


def test_marked_pictures_are_known_by_their_pixels(tmp_path):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 1, 48, 48), dtype=np.uint8))
    images[3] = images[1]  # a copy is the same picture
    faces = Faces(images, torch.tensor([0, 1, 2, 1]), np.repeat("PublicTest", 4))
    file = tmp_path / "marks.csv"
    digest = hashlib.sha256(images[1].numpy().tobytes()).hexdigest()[:16]
    file.write_text(f"picture,{','.join('xyxyxyxyxy')}\n{digest},1,2,3,4,5,6,7,8,,\n")
    chosen, points = marked_faces(faces, file)
    assert chosen.labels.tolist() == [1] and points[0, 0].tolist() == [1, 2] and points[0, 4].isnan().all()
    with pytest.raises(DataError, match="None of the pictures was marked by hand"):
        marked_faces(faces)


def test_the_marks_are_of_a_hundred_faces():
    rows = [line.split(",") for line in MARKS.read_text().splitlines()[1:]]
    assert len({row[0] for row in rows}) == len(rows) == 100 and {len(row) for row in rows} == {11}
    points = torch.tensor([[float(v) if v else math.nan for v in row[1:]] for row in rows]).reshape(-1, 5, 2)
    known = points[torch.isfinite(points).all(2).all(1)]
    assert len(known) > 80 and known.min() > 0 and known.max() < 48
    right, left = known[:, 0], known[:, 1]
    assert (right[:, 0] < left[:, 0]).all(), "the right eye is on the left of the picture"
