"""Checkpoints whose damage once ended in a traceback, in a number that is none, or in too much memory."""

import json
import shutil

import numpy as np
import onnx
import pytest

from fer_demo import ModelError, Predictor
from fer_demo.checkpoints import MANIFEST_FILE, METRICS_FILE, ONNX_FILE, checkpoint_dir, resolve

CROP = np.zeros((48, 48), np.uint8)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "fer_sedense_nano.mine"
    shutil.copytree(checkpoint_dir("fer_sedense_nano.wide_fer2013"), made)
    (made / MANIFEST_FILE).unlink()
    return made


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": [None]}, "does not say how pictures are prepared"),
        ({"mean": []}, "does not say how pictures are prepared"),
        ({"input_size": [1, 4000, 4000]}, "size \\(4000, 4000\\)"),
        ({"std": [0]}, "std 0"),
        ({"label_names": [["a"]]}, "add label_names"),
        ({"label_names": ["angry", *json.loads("[]")]}, "add label_names"),
        ({"num_classes": 10**12}, "holds the number 1000000000000"),
        ({"mean": [float("nan")]}, "NaN is no finite number"),
        ({"notes": 3}, "notes must be a list, but are '3'"),
        ({"notes": ["set_threshold=0.1" + "[" * 5000]}, "says 'set_threshold[^\n]{0,200}$"),
    ],
)
def test_settings(folder, changes, message):
    config = json.loads((folder / "config.json").read_text())
    config["pretrained_cfg"] |= changes
    config["label_names"] = config["pretrained_cfg"]["label_names"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=message):
        Predictor(folder, engine="torch")


@pytest.mark.filterwarnings("error")
def test_logits_that_are_too_large_to_go_on_with(folder):
    predictor = Predictor(folder, engine="torch", temperature=1e-42)
    with pytest.raises(ModelError, match="not finite"):
        predictor.classify([np.arange(48 * 48, dtype=np.uint32).astype(np.uint8).reshape(48, 48)])


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": Infinity}', '{"a": 1e999}', "\xff"])
def test_figures(folder, text):
    (folder / METRICS_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=rf"{METRICS_FILE} cannot be read \([^\n]*\); copy"):
        resolve(folder).json(METRICS_FILE)


@pytest.mark.parametrize("name", ["../x", "a\0b", ""])
def test_names_in_a_manifest(folder, name):
    (folder / MANIFEST_FILE).write_text(json.dumps({name: "0"}))
    with pytest.raises(ModelError, match="which is no file of its folder"):
        resolve(folder).verify()


class TestOnnx:
    def test_another_batch(self, folder):
        model = onnx.load(folder / ONNX_FILE)
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 49
        onnx.save(model, folder / ONNX_FILE)
        with pytest.raises(ModelError, match="fails at its work"):
            Predictor(folder, engine="onnx").classify([CROP])

    @pytest.mark.parametrize(("key", "value"), [("size", [9000, 9000]), ("mean", None), ("labels", [3] * 7)])
    def test_metadata(self, folder, key, value):
        model = onnx.load(folder / ONNX_FILE)
        for entry in model.metadata_props:
            if entry.key == f"fer_demo.{key}":
                entry.value = json.dumps(value)
        onnx.save(model, folder / ONNX_FILE)
        with pytest.raises(ModelError, match="does not state what its model takes and answers"):
            Predictor(folder, engine="onnx")

    def test_nothing_but_the_sentence_is_printed(self, folder, capfd):
        (folder / ONNX_FILE).write_bytes((folder / ONNX_FILE).read_bytes()[:5000])
        with pytest.raises(ModelError, match="cannot be loaded"):
            Predictor(folder, engine="onnx")
        assert "".join(capfd.readouterr()) == ""
