"""The audit finds what was planted, and the known facts about FER2013."""

import numpy as np
import torch

from training.__main__ import main
from training.data import Faces
from training.data.audit import audit, without_duplicates


def planted(faces):
    images, labels = faces.images.clone(), faces.labels.clone()
    private, public = (int(np.flatnonzero(faces.splits == s)[0]) for s in ("PrivateTest", "PublicTest"))
    images[private] = images[0]  # leaked into the test
    images[public] = images[14]
    images[8] = images[7]  # a copy, label of its own
    labels[8] = labels[7]
    images[10] = images[9]  # a copy with another label
    labels[10] = (labels[9] + 1) % 7
    images[20] = 0
    images[21] = 255
    return Faces(images, labels, faces.splits)


def test_planted_faults_are_found(faces):
    result = audit(planted(faces))
    assert result["pictures"] == 196 and result["distinct"] == 192
    assert result["repeated"] == {"Training": 2, "PublicTest": 0, "PrivateTest": 0}
    assert result["also_in_training"] == {"PublicTest": 1, "PrivateTest": 1}
    assert result["conflicting_groups"] == 1 and result["conflicting_pictures"] == 2
    assert result["blank"] == 2
    assert sum(result["splits"]["Training"].values()) == 112


def test_cleaning_leaves_the_tests_alone(faces):
    dirty = planted(faces)
    clean = without_duplicates(dirty)
    # Out: 0 and 14 (leaked), 8 (copy), 9 and 10 (conflict).
    kept = [i for i in range(112) if i not in (0, 8, 9, 10, 14)]
    assert torch.equal(clean.split("Training").images, dirty.images[kept])
    for split in ("PublicTest", "PrivateTest"):
        assert torch.equal(clean.split(split).images, dirty.split(split).images)
    assert audit(clean)["also_in_training"] == {"PublicTest": 0, "PrivateTest": 0}


def test_facts_about_fer2013(fer2013_path, capsys):
    assert main(["audit", fer2013_path]) == 0
    out = capsys.readouterr().out
    assert "35,887 pictures, 34,034 of them distinct" in out
    assert "288 PrivateTest pictures also occur in Training" in out
    assert "280 PublicTest pictures also occur in Training" in out
    assert "57 groups of identical pictures" in out
    assert "12 pictures are blank" in out


def test_fer_plus_agreement(fer2013):
    agree = audit(fer2013)["votes_agree"]
    assert round(agree["all"], 2) == 0.62 and round(agree["happy"], 2) == 0.92 and round(agree["fear"], 2) == 0.13


def test_classes_with_hardly_any_pictures_are_warned_about(tmp_path, capsys):
    import argparse

    from training.cli.options import load

    counts = {"Training": [30, 0, 5, 30, 30, 30, 30], "PublicTest": [1, 1, 1, 1, 1, 1, 0]}
    labels = np.concatenate([np.repeat(np.arange(7), c) for c in counts.values()])
    usage = np.concatenate([np.repeat(s, sum(c)) for s, c in counts.items()])
    images = np.zeros((len(labels), 48, 48), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, label=labels, usage=usage)
    load(argparse.Namespace(data=str(tmp_path / "a.npz"), skip_bad=False))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and all(line.startswith("warning: ") for line in said)
    assert "Training holds no picture of disgust" in said[0]
    assert "Training holds only 5 pictures of fear" in said[1]
    assert "PublicTest holds no picture of neutral" in said[2]
