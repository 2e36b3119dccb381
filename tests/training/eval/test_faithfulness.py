"""The measurement of explanations, on a network that was just taught."""

import pytest
import torch

from training.eval.faithfulness import CONTROL, faithfulness, table
from training.run.train import Trainer


@pytest.fixture(scope="module")
def taught(faces, tmp_path_factory):
    from training.run.config import from_dict

    config = from_dict(
        {
            "model": "fer_sedense_nano",
            "epochs": 6,
            "batch_size": 16,
            "sizes": [[0, 48]],
            "lr": 0.02,
            "device": "cpu",
            "threads": 1,
            "augment": {"rotation": 0, "flip": 0, "erase": 0},
        }
    )
    trainer = Trainer(config, faces, tmp_path_factory.mktemp("run"), quiet=True)
    trainer.fit()
    return trainer.model.eval()


def test_methods_are_compared_with_chance_of_their_own_coarseness(taught, faces):
    result = faithfulness(taught, faces.split("PublicTest"), count=12, methods=("gradcam", "smoothgrad"))
    assert result["n"] == 12
    figures = result["methods"]
    assert set(figures) == {"random pixels", "random patches", "centre Gaussian", "Grad-CAM", "SmoothGrad"}
    assert figures["Grad-CAM"]["control"] == CONTROL["gradcam"] == "random patches"
    for name, control in (("Grad-CAM", "random patches"), ("SmoothGrad", "random pixels")):
        gain = figures[control]["deletion"][0] - figures[name]["deletion"][0]
        assert figures[name]["gain_deletion"][0] == pytest.approx(gain, abs=2e-4)
    for values in (v for f in figures.values() for k, v in f.items() if k != "control"):
        assert values[1] <= values[0] <= values[2]
    text = table(result).splitlines()
    assert len(text) == 7 and text[-1].count("(") == 2
    again = faithfulness(taught, faces.split("PublicTest"), count=12, methods=("gradcam", "smoothgrad"))
    assert again == result and torch.is_grad_enabled()
