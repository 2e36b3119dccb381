"""Average maps by class, and the most confident mistakes."""

import numpy as np
import pytest
import timm
import torch

from fer_demo.emotions import LABELS
from fer_demo.explain import attribute
from training.report.class_averages import class_averages


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    return timm.create_model("fer_sedense_s2.tune_fer2013").eval()


def test_means_and_mistakes(model, faces):
    part, done = faces.split("PublicTest"), []
    found = class_averages(model, part, per_class=4, mistakes=5, temperature=0.5, progress=done.append)
    assert list(found.mean_maps) == list(found.mean_faces) == list(LABELS)
    assert set(found.counts.values()) == {4} and done[-1] == 1 and done == sorted(done)
    assert len(found.mistakes) == 5
    confidences = [m.confidence for m in found.mistakes]
    assert confidences == sorted(confidences, reverse=True)
    for mistake in found.mistakes:
        assert mistake.label != mistake.answer
        with torch.no_grad():
            row = (model(torch.from_numpy(mistake.crop)[None, None] / 255) / 0.5).softmax(1)[0]
        assert float(row.max()) == pytest.approx(mistake.confidence, abs=1e-4)
        assert LABELS[int(row.argmax())] == mistake.answer


def test_a_mean_map_by_hand(model, faces):
    part = faces.split("PublicTest")
    found = class_averages(model, part, per_class=100)
    of_class = part.images[part.labels == 3]
    maps = attribute(model, of_class / 255, 3).maps
    expected = (maps / maps.abs().amax((1, 2), keepdim=True)).mean(0).numpy()
    np.testing.assert_allclose(found.mean_maps["happy"], expected, atol=1e-4)
    assert found.counts["happy"] == len(of_class)


def test_a_class_without_faces_is_left_out(model, faces):
    part = faces.split("PublicTest")
    few = part.take((part.labels != 1).numpy())
    found = class_averages(model, few, per_class=2)
    assert "disgust" not in found.mean_maps and found.counts["disgust"] == 0
