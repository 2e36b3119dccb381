"""Activation maps as a second output of an exported network."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
import onnx
import onnxruntime
import timm
import torch
from onnx import TensorProto, helper

import fer_demo  # noqa: F401 - registers the architectures
from fer_demo.export import export_model
from fer_demo.export.cam import add_maps
from fer_demo.runtime.model_info import model_info


@pytest.mark.parametrize("name", ["fer_sedense", "fer_sedense_nano"])
def test_the_mean_of_a_map_is_the_logit_without_its_bias(name, tmp_path):
    torch.manual_seed(0)
    network = timm.create_model(name).eval()
    torch.nn.init.normal_(network.get_classifier().bias)
    export_model(network, model_info(network, name), tmp_path / "model.onnx")
    plain = onnx.load(tmp_path / "model.onnx")
    changed = onnx.load(tmp_path / "model.onnx")
    assert add_maps(changed)
    x = {"input": np.random.default_rng(0).random((3, 1, 48, 48), np.float32)}
    (before,) = onnxruntime.InferenceSession(plain.SerializeToString()).run(None, x)
    logits, maps = onnxruntime.InferenceSession(changed.SerializeToString()).run(["logits", "maps"], x)
    assert maps.shape[:2] == (3, 7) and maps.shape[2] == maps.shape[3] > 1
    np.testing.assert_allclose(logits, before, atol=1e-5)
    bias = network.get_classifier().bias.detach().numpy()
    np.testing.assert_allclose(maps.mean(axis=(2, 3)) + bias, before, atol=1e-4)


def test_another_head_is_left_alone():
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["logits"])],
        "network",
        [value("input", TensorProto.FLOAT, ["batch", 7])],
        [value("logits", TensorProto.FLOAT, ["batch", 7])],
    )
    model = helper.make_model(graph)
    before = model.SerializeToString()
    assert not add_maps(model) and model.SerializeToString() == before
