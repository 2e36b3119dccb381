"""What a name means, and that a damaged checkpoint is never used: nor another one in its place."""

import json
import shutil

import numpy as np
import onnx
import pytest
import timm
import torch

import fer_demo.checkpoints as checkpoints
from fer_demo import ModelError, Predictor
from fer_demo.checkpoints import (
    CARD_FILE,
    DEFAULT,
    DEFAULT_TAGS,
    MANIFEST_FILE,
    METRICS_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    bundled_checkpoints,
    checkpoint_dir,
    checkpoint_metrics,
    renew_manifest,
    resolve,
)
from fer_demo.runtime.model_info import set_threshold, temperature, with_set_threshold, with_temperature

OTHER = next(name for name in bundled_checkpoints() if name != DEFAULT)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the bundled checkpoints, to be damaged; the folder of the default one."""
    shutil.copytree(checkpoints.checkpoints_dir(), tmp_path / "checkpoints")
    monkeypatch.setattr(checkpoints, "checkpoints_dir", lambda: tmp_path / "checkpoints")
    return tmp_path / "checkpoints" / DEFAULT


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGES = {
    "a deleted metrics.json": (METRICS_FILE, lambda file: file.unlink()),
    "an empty metrics.json": (METRICS_FILE, lambda file: file.write_text("{}")),
    "a cut metrics.json": (METRICS_FILE, cut),
    "another network's ONNX file": (ONNX_FILE, lambda file: shutil.copy(checkpoint_dir(OTHER) / ONNX_FILE, file)),
    "a deleted ONNX file": (ONNX_FILE, lambda file: file.unlink()),
    "a cut ONNX file": (ONNX_FILE, cut),
    "weights with 4,000 bytes of 0xFF": (
        WEIGHTS_FILE,
        lambda file: file.write_bytes(file.read_bytes()[:-4000] + b"\xff" * 4000),
    ),
    "deleted weights": (WEIGHTS_FILE, lambda file: file.unlink()),
    "a cut config.json": ("config.json", cut),
    "a cut card": (CARD_FILE, cut),
    "a deleted manifest": (MANIFEST_FILE, lambda file: file.unlink()),
    "a cut manifest": (MANIFEST_FILE, cut),
    "a manifest that is a list": (MANIFEST_FILE, lambda file: file.write_text("[]")),
}


class TestDamaged:
    @pytest.mark.parametrize("engine", [None, "torch"])
    @pytest.mark.parametrize("damage", DAMAGES)
    def test_one_sentence_names_the_file_and_says_what_to_do(self, copy, damage, engine):
        file, do = DAMAGES[damage]
        do(copy / file)
        with pytest.raises(ModelError) as caught:
            Predictor(engine=engine)
        sentence = str(caught.value)
        assert str(copy / file) in sentence and "git checkout" in sentence and sentence.endswith("anew.")
        assert "\n" not in sentence
        assert DEFAULT in bundled_checkpoints()

    def test_a_missing_default_is_not_replaced(self, copy):
        shutil.rmtree(copy)
        for name in (None, DEFAULT):
            with pytest.raises(ModelError, match=f"The bundled checkpoint {DEFAULT} is missing"):
                Predictor(name)

    def test_the_others_go_on(self, copy):
        (copy / METRICS_FILE).unlink()
        assert Predictor(OTHER).name == OTHER

    def test_a_file_that_changes_later_is_noticed(self, copy):
        assert resolve().path(ONNX_FILE)
        cut(copy / ONNX_FILE)
        with pytest.raises(ModelError, match=r"model\.onnx is damaged"):
            resolve().path(ONNX_FILE)

    def test_a_file_beside_the_manifest_is_not_used(self, copy):
        listed = json.loads((copy / MANIFEST_FILE).read_text())
        del listed[ONNX_FILE]
        (copy / MANIFEST_FILE).write_text(json.dumps(listed))
        assert resolve().path(ONNX_FILE) is None

    def test_timm_reads_no_damaged_checkpoint(self, copy):
        (copy / METRICS_FILE).unlink()
        with pytest.raises(ModelError, match=r"metrics\.json is missing"):
            timm.create_model(f"local-dir:{copy}", pretrained=True)


class TestOwnFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        return shutil.copytree(checkpoint_dir(OTHER), tmp_path / "mine")

    def test_without_a_manifest_it_loads(self, folder):
        (folder / MANIFEST_FILE).unlink()
        assert Predictor(folder).name == OTHER  # as its ONNX file says

    def test_with_one_that_does_not_fit_it_is_refused(self, folder):
        cut(folder / METRICS_FILE)
        with pytest.raises(ModelError, match=rf"metrics\.json is damaged .* delete its {MANIFEST_FILE} if the change"):
            Predictor(folder)
        renew_manifest(folder / METRICS_FILE)
        assert Predictor(folder)

    def test_weights_that_are_not_finite(self, folder):
        weights = folder / WEIGHTS_FILE
        weights.write_bytes(weights.read_bytes()[:-4000] + b"\xff" * 4000)
        (folder / MANIFEST_FILE).unlink()
        with pytest.raises(ModelError, match="are not all finite numbers"):
            Predictor(folder, engine="torch")


class TestNames:
    def test_a_bare_name_is_timms_default(self):
        for architecture, tag in DEFAULT_TAGS.items():
            assert timm.get_pretrained_cfg(architecture).tag == tag
            assert Predictor(architecture).name == f"{architecture}.{tag}"
        assert Predictor().name == DEFAULT and DEFAULT in bundled_checkpoints()

    def test_a_tag_ends_with_its_data_set(self):
        assert all(name.endswith(("_fer2013", "_raf_single")) for name in bundled_checkpoints())

    def test_an_unknown_name_is_shortened(self):
        with pytest.raises(ModelError, match=r"There is no model 'x+…x+'; give") as caught:
            Predictor("x" * 5000)
        assert len(str(caught.value)) < 500

    def test_a_bundled_name_is_not_taken_for_a_folder(self, tmp_path, monkeypatch):
        (tmp_path / DEFAULT).mkdir()
        monkeypatch.chdir(tmp_path)
        assert resolve(DEFAULT).bundled


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_the_temperature_stands_in_the_timm_config(name):
    stated = checkpoint_metrics(name)["temperature"]
    assert temperature(timm.create_model(name, pretrained=True).pretrained_cfg) == stated
    folder = timm.create_model(f"local-dir:{checkpoint_dir(name)}", pretrained=True)
    assert temperature(folder.pretrained_cfg) == stated == Predictor(name).temperature
    assert folder.pretrained_cfg["tag"] == name.partition(".")[2]


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_the_threshold_of_the_sets_stands_in_all_places(name):
    stated = checkpoint_metrics(name)["set_threshold"]
    registered = timm.create_model(name, pretrained=True).pretrained_cfg
    folder = timm.create_model(f"local-dir:{checkpoint_dir(name)}", pretrained=True).pretrained_cfg
    onnx_, torch_ = Predictor(name), Predictor(name, engine="torch")
    assert stated == set_threshold(registered) == set_threshold(folder) == onnx_.set_threshold == torch_.set_threshold
    assert onnx_.engine == "onnx" and 0 < stated < 0.5
    assert Predictor(name, temperature=3).set_threshold is None  # it belongs to the probabilities that it was fitted on


def test_random_weights_have_no_threshold():
    cfg = timm.create_model("fer_sedense").pretrained_cfg
    assert set_threshold(cfg) is None and temperature(cfg) == 1
    stated = with_set_threshold(with_temperature(cfg, 2.0), 0.25)
    assert (set_threshold(stated), temperature(stated)) == (0.25, 2.0)
    assert set_threshold(with_set_threshold(stated, None)) is None
    for wrong in ("set_threshold=high", "set_threshold=2"):
        with pytest.raises(ModelError, match="must be a number from 0 to 1"):
            set_threshold({"notes": (wrong,)})


class TestNotFinite:
    """No answer is made of numbers that are none, whatever ran the network."""

    CROP = np.full((48, 48), 90, np.uint8)

    @pytest.fixture
    def folder(self, tmp_path):
        folder = shutil.copytree(checkpoint_dir(OTHER), tmp_path / "mine")
        (folder / MANIFEST_FILE).unlink()
        return folder

    def test_in_onnx_runtime(self, folder):
        model = onnx.load(folder / ONNX_FILE)
        weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        broken = np.full_like(onnx.numpy_helper.to_array(weights), np.nan)
        weights.CopyFrom(onnx.numpy_helper.from_array(broken, weights.name))
        onnx.save(model, folder / ONNX_FILE)
        with pytest.raises(ModelError, match="answered with numbers that are not finite"):
            Predictor(folder, engine="onnx").classify([self.CROP])

    def test_in_pytorch(self):
        model = timm.create_model(OTHER, pretrained=True)
        torch.nn.init.constant_(model.get_classifier().bias, float("inf"))
        with pytest.raises(ModelError, match="answered with numbers that are not finite"):
            Predictor(model).classify([self.CROP])
