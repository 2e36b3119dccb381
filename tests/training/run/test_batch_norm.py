"""Statistics of batch normalisation from pictures as they are."""

import json

import pytest
import timm
import torch

from fer_demo.checkpoints import WEIGHTS_FILE
from fer_demo.predictor import Predictor
from fer_demo.runtime.model_info import set_threshold
from fer_demo.vision.preprocess import data_config
from training.__main__ import main
from training.data.twins import prepare_twins
from training.report.release import calibrate, export
from training.run.batch_norm import calibrate_batch_norm
from training.run.run_folder import BEST
from training.run.train import Trainer

MODEL = "fer_sedense_nano.wide_fer2013"
OWN = "fer_sedense_nano.mine"


def first_norm(model: torch.nn.Module) -> torch.nn.BatchNorm2d:
    return next(m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return timm.create_model(MODEL).eval()


class TestCalibrateBatchNorm:
    def test_statistics_are_those_of_the_pictures(self, model, faces):
        before = {k: v.clone() for k, v in model.state_dict().items() if "running" not in k and "num_batches" not in k}
        calibrate_batch_norm(model, faces.images, pictures=10_000, batch_size=49)  # a quarter of them
        with torch.no_grad():
            maps = model.stem.conv(prepare_twins(faces.images, **data_config(model)))
        norm = first_norm(model)
        torch.testing.assert_close(norm.running_mean, maps.mean((0, 2, 3)), atol=1e-5, rtol=1e-3)
        torch.testing.assert_close(norm.running_var, maps.var((0, 2, 3)), atol=1e-4, rtol=0.05)  # mean over batches
        assert not model.training and norm.momentum == 0.1
        assert all(torch.equal(model.state_dict()[k], v) for k, v in before.items())

    def test_as_many_as_asked_for_and_the_same_every_time(self, model, faces):
        seen = []
        model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
        for _ in range(2):
            calibrate_batch_norm(model, faces.images, pictures=33, size=(24, 24), batch_size=16)
        assert [len(x) for x in seen] == [16, 16] * 2  # full batches alone
        assert seen[0].shape[2:] == (24, 24) and torch.equal(seen[1], seen[3])

    def test_a_network_without_it(self, faces):
        model = timm.create_model("fer_tang_svm")
        before = {k: v.clone() for k, v in model.state_dict().items()}
        calibrate_batch_norm(model, faces.images, pictures=8)
        assert all(torch.equal(model.state_dict()[k], v) for k, v in before.items())


class TestTrainer:
    def test_weights_are_selected_and_saved_with_them_and_training_stays(self, faces, config, tmp_path):
        plain = Trainer(config(model=MODEL), faces, tmp_path / "a", quiet=True)
        run = Trainer(config(model=MODEL, bn_pictures=64, ema_decay=0.5), faces, tmp_path / "b", quiet=True)
        for trainer in (plain, run):
            trainer.fit()
        for name, value in plain.model.state_dict().items():
            assert torch.equal(run.model.state_dict()[name], value), name
        kept = timm.create_model(MODEL, checkpoint_path=str(tmp_path / "b" / BEST))
        again = timm.create_model(MODEL, checkpoint_path=str(tmp_path / "b" / BEST))
        calibrate_batch_norm(again, faces.split("Training").images, pictures=64, size=(24, 24))
        torch.testing.assert_close(first_norm(kept).running_mean, first_norm(again).running_mean)
        assert not torch.allclose(first_norm(kept).running_mean, first_norm(plain.model).running_mean)

    def test_a_negative_number_is_refused(self, config):
        with pytest.raises(ValueError, match="bn_pictures must be from 0 to 1,000,000; got -1"):
            config(bn_pictures=-1)


@pytest.fixture
def run_dir(faces, config, tmp_path):
    settings = config(model=MODEL, epochs=1, sizes=[[0, 48]])
    Trainer(settings, faces, tmp_path / "run", quiet=True).fit()
    return tmp_path / "run"


class TestCheckpoints:
    def test_export_and_calibrate_do_the_same(self, run_dir, faces, data, tmp_path, capsys, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr("training.report.release._extras", lambda *_: None)  # `calibrate` below writes an ONNX file
            export(run_dir, tmp_path / "plain" / OWN, faces, tta=("flip",))
            export(run_dir, tmp_path / "direct" / OWN, faces, tta=("flip",), bn_pictures=50)
        before = (tmp_path / "plain" / OWN / WEIGHTS_FILE).read_bytes()
        later = tmp_path / "later" / OWN
        command = ["calibrate", str(tmp_path / "plain" / OWN), "--out", str(later), "--data", str(data)]
        assert main([*command, "--bn-pictures", "50"]) == 0
        said = capsys.readouterr().out
        assert "PrivateTest" in said
        assert (tmp_path / "plain" / OWN / WEIGHTS_FILE).read_bytes() == before
        direct, found = (json.loads((f / "metrics.json").read_text()) for f in (tmp_path / "direct" / OWN, later))
        assert found["training"] == direct["training"] and found["training"]["recipe"]["bn_pictures"] == 50
        assert found["PublicTest"]["correct"] == direct["PublicTest"]["correct"] and set(found["tta"]) == {"flip"}
        assert (later / "model.onnx").is_file()
        # The threshold of the sets is printed, and stored where the temperature is.
        assert f"threshold of the sets {found['set_threshold']:g}" in said and "sets hold the label" in said
        assert set(found["sets"]["PrivateTest"]) == {"coverage", "size", "single", "accuracy_at_80"}
        config = json.loads((later / "config.json").read_text())
        assert set_threshold(config["pretrained_cfg"]) == found["set_threshold"] == Predictor(later).set_threshold
        with pytest.raises(ValueError, match="has its statistics from 50 pictures already"):
            calibrate(later, later, faces, 50)

    def test_no_checkpoint(self, faces, tmp_path):
        with pytest.raises(ValueError, match=r"There is no .*metrics\.json; give a folder that"):
            calibrate(tmp_path, tmp_path / OWN, faces, 50)
