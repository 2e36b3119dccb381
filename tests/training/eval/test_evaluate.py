"""Figures: against hand calculations, and the whole road from a run to a checkpoint folder."""

import json

import numpy as np
import pytest
import timm
import torch

from fer_demo import Predictor
from fer_demo.export import export_model
from fer_demo.runtime.model_info import model_info
from training.__main__ import main
from training.cli.options import TTA_CHOICES, tta_kinds
from training.data import Faces
from training.data.audit import duplicates_of_training
from training.eval.evaluate import TEST_SPLITS, evaluate
from training.eval.metrics import classification_metrics, expected_calibration_error, fit_temperature
from training.eval.tta import NO_TTA, TTA, TTA_TITLES, predict_logits
from training.report.release import export
from training.run.train import Trainer


def test_metrics_by_hand():
    labels = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6])
    predicted = torch.tensor([0, 1, 1, 2, 3, 4, 5, 0])
    metrics = classification_metrics(torch.nn.functional.one_hot(predicted, 7).float() * 5, labels)
    assert metrics["accuracy"] == 6 / 8 and metrics["correct"] == 6
    assert metrics["interval"] == [0.409275, 0.928521]
    assert metrics["recall"]["angry"] == 0.5 and metrics["recall"]["neutral"] == 0.0
    assert json.loads(json.dumps(metrics)) == metrics  # what is written can be compared with what is computed
    assert metrics["confusion"][6][0] == 1 and metrics["confusion"][0] == [1, 1, 0, 0, 0, 0, 0]
    f1 = [0.5, 2 / 3, 1, 1, 1, 1, 0]
    assert metrics["macro_f1"] == pytest.approx(sum(f1) / 7, abs=1e-4)


def test_reliability_adds_up_to_the_calibration_error():
    torch.manual_seed(1)
    logits, labels = torch.randn(500, 7) * 2, torch.randint(0, 7, (500,))
    rows = classification_metrics(logits, labels)["reliability"]
    assert sum(n for n, _, _ in rows) == 500
    error = sum(n * abs(confidence - right) for n, confidence, right in rows) / 500
    assert error == pytest.approx(expected_calibration_error(logits, labels), abs=2e-4)
    assert [c for _, c, _ in rows] == sorted(c for _, c, _ in rows)


def test_temperature_undoes_overconfidence():
    torch.manual_seed(0)
    true = torch.randn(20000, 7) * 1.5
    labels = torch.distributions.Categorical(logits=true).sample()
    assert fit_temperature(true * 3, labels) == pytest.approx(3, rel=0.05)
    assert expected_calibration_error(true * 3, labels) > 0.1 > 0.02 > expected_calibration_error(true, labels)


def test_duplicates_are_found(faces):
    images = faces.images.clone()
    private = np.flatnonzero(faces.splits == "PrivateTest")
    images[private[3]] = images[0]
    doctored = Faces(images, faces.labels, faces.splits)
    flags = duplicates_of_training(doctored, ["PrivateTest"])["PrivateTest"]
    assert flags.tolist() == [i == 3 for i in range(42)]
    model = timm.create_model("fer_sedense_s2.tune_fer2013")
    assert evaluate(model, doctored)["PrivateTest"]["without_duplicates"]["n"] == 41


def test_test_time_augmentation_averages_logits(faces):
    torch.manual_seed(0)
    model = timm.create_model("fer_sedense_s2.tune_fer2013").eval()
    images = faces.images[:5]
    single = predict_logits(model, images)
    torch.testing.assert_close(
        predict_logits(model, images, tta="flip"), (single + predict_logits(model, images.flip(-1))) / 2
    )
    assert predict_logits(model, images, tta="ten_crop").shape == (5, 7)
    torch.testing.assert_close(predict_logits(model, images, batch_size=2), single, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="Unknown test-time augmentation 'twelve'; choose one of none, flip, ten_crop"):
        predict_logits(model, images, tta="twelve")


def test_from_run_to_checkpoint_folder(faces, config, data, tmp_path, capsys):
    Trainer(config(epochs=1, sizes=[[0, 48]]), faces, tmp_path / "run", quiet=True).fit()
    folder = tmp_path / "fer_sedense_s2.mine"
    metrics = export(tmp_path / "run", folder, faces)
    assert {p.name for p in folder.iterdir()} == {
        "README.md",
        "channels.json",
        "validation.npz",
        "config.json",
        "metrics.json",
        "model.onnx",
        "model.safetensors",
        "manifest.json",
    }
    written = json.loads((folder / "metrics.json").read_text())
    assert written["PrivateTest"]["correct"] == metrics["PrivateTest"]["correct"]
    assert set(written["tta"]) == {"flip", "ten_crop"}
    card = (folder / "README.md").read_text()
    assert f"{metrics['PrivateTest']['accuracy']:.2%}" in card and "expression" in card

    # Both engines answer alike, with the temperature that was fitted.
    onnx, torch_ = (Predictor(folder, engine=engine) for engine in ("onnx", "torch"))
    assert onnx.temperature == torch_.temperature == metrics["temperature"]
    crops = faces.split("PrivateTest").images[:, 0].numpy()
    np.testing.assert_allclose(onnx.classify(crops), torch_.classify(crops), atol=1e-4)

    # Another process's figures from the folder alone.
    out = tmp_path / "again.json"
    assert main(["evaluate", f"local-dir:{folder}", "--data", str(data), "--out", str(out), "--tta", "all"]) == 0
    again = json.loads(out.read_text())
    assert again == {k: v for k, v in written.items() if k != "training"}


def test_an_exported_file_has_its_networks_figures(faces, data, tmp_path, capsys):
    torch.manual_seed(0)
    model = timm.create_model("fer_sedense_nano").eval()
    torch.nn.init.normal_(model.get_classifier().weight)
    file = export_model(model, model_info(model, "mine"), tmp_path / "mine.onnx").file
    expected = evaluate(model, faces, tta=TTA)
    out = tmp_path / "metrics.json"
    assert main(["evaluate", str(file), "--data", str(data), "--out", str(out), "--tta", "all"]) == 0
    found = json.loads(out.read_text())
    assert found["size"] == [48, 48] and set(found) == set(expected) - {"parameters"}
    for a, b in ((found, expected), *((found["tta"][kind], expected["tta"][kind]) for kind in TTA)):
        for split in TEST_SPLITS:
            assert a[split]["confusion"] == b[split]["confusion"]
            assert a[split]["loss"] == pytest.approx(b[split]["loss"], abs=1e-3)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and lines[0].startswith("PublicTest, single view: ")
    assert lines[-1].startswith("PrivateTest, ten-crop: ")
    assert main(["evaluate", str(file), "--data", str(data), "--aligned"]) == 2
    assert "leave --weights and --aligned out" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "none.onnx"), "--data", str(data)]) == 2
    assert "none.onnx does not exist; check its path." in capsys.readouterr().err


def test_the_command_line_offers_every_test_time_augmentation():
    assert (NO_TTA, *TTA, "all") == TTA_CHOICES and tuple(TTA_TITLES) == (NO_TTA, *TTA)
    assert [tta_kinds(choice) for choice in TTA_CHOICES] == [(), ("flip",), ("ten_crop",), TTA]


def test_bad_input_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FER2013_DIR", raising=False)
    assert main(["evaluate", "fer_sedense_s2"]) == 2
    assert "No data: give --data PATH" in capsys.readouterr().err
    train = ["train", "fer_sedense_s2.base_fer2013", "--data", str(tmp_path / "no"), "--run-dir", str(tmp_path)]
    assert main(train) == 2
    assert "There is no" in capsys.readouterr().err
    assert main(["train", "--resume", "--run-dir", str(tmp_path)]) == 2
    assert "holds no run to resume" in capsys.readouterr().err
