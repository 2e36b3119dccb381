"""Validation logits as the trainer writes them, and what merging classes with them is worth."""

import shutil

import numpy as np
import pytest

from fer_demo.checkpoints import Checkpoint, resolve
from fer_demo.validation import FILE, read_validation
from tests.fer_demo.own_classes import add_validation, checkpoint
from training.__main__ import main
from training.eval.merging import merging_figures
from training.eval.tta import predict_logits


def test_calibrate_writes_what_the_model_answers(tmp_path, faces, data, capsys):
    from fer_demo.runtime.torch_engine import create_trained

    folder = tmp_path / "fer_sedense_nano.wide_fer2013"
    shutil.copytree(resolve("fer_sedense_nano").folder, folder)
    before = (folder / "model.safetensors").read_bytes()
    assert main(["calibrate", str(folder), "--data", str(data), "--validation", "--threads", "1"]) == 0
    assert f"{FILE}: " in capsys.readouterr().out and (folder / "model.safetensors").read_bytes() == before
    held = read_validation(Checkpoint.at(folder), 7)  # and it fits the manifest
    part = faces.split("PublicTest")
    found = predict_logits(create_trained(f"local-dir:{folder}").eval(), part.images)
    np.testing.assert_allclose(held.logits, found, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(held.truth.argmax(1), part.labels)


def test_figures_of_both_ways(tmp_path, capsys):
    folder = checkpoint(tmp_path / "m")
    merge = {"wry": ["not smiling", "contempt"]}
    with pytest.raises(ValueError, match=r"no validation\.npz; write it with `python -m training calibrate"):
        merging_figures(str(folder), merge)
    add_validation(folder, pictures=1000)
    figures = merging_figures(str(folder), merge)
    assert figures["fitted"]["nll"] <= figures["sums"]["nll"] + 0.01 and figures["fitted"]["ece"] < 0.1
    assert 0.85 < figures["fitted"]["coverage"] < 0.95
    assert main(["merging", str(folder), "--merge", "wry=not smiling,contempt"]) == 0
    assert "| temperature | NLL |" in capsys.readouterr().out
