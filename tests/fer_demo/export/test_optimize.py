"""Rewritten graphs: the same answers, and nothing left that takes ONNX Runtime out of its blocked layout."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_demo.export.optimize import optimize


def conv(name: str, source: str, out: int, channels: int, kernel: int = 1, bias: bool = True) -> tuple:
    rng = np.random.default_rng(len(name) + out)
    tensors = [
        numpy_helper.from_array(rng.normal(size=(out, channels, kernel, kernel)).astype(np.float32), f"{name}.w")
    ]
    if bias:
        tensors.append(numpy_helper.from_array(rng.normal(size=out).astype(np.float32), f"{name}.b"))
    pads = [kernel // 2] * 4
    return helper.make_node("Conv", [source, *(t.name for t in tensors)], [name], name=f"n_{name}", pads=pads), tensors


def finished(name: str, nodes: list, tensors: list) -> onnx.ModelProto:
    """A model of these nodes, from ``input`` to ``output``."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def block(end: str, hidden: int = 2, bias: bool = True) -> onnx.ModelProto:
    """Squeeze-and-excitation with concatenation, and what comes after it."""
    tensors = [numpy_helper.from_array(np.array([2, 3]), "axes")]
    nodes = []
    for item in (
        conv("f", "input", 16, 1, 3),
        helper.make_node("ReduceMean", ["f", "axes"], ["mean"], name="n_mean", keepdims=1),
        conv("down", "mean", hidden, 16, bias=bias),
        helper.make_node("Relu", ["down"], ["relu"], name="n_relu"),
        conv("up", "relu", 16, hidden, bias=bias),
        helper.make_node("Sigmoid", ["up"], ["gate"], name="n_gate"),
        helper.make_node("Mul", ["f", "gate"], ["scaled"], name="n_scaled"),
        helper.make_node("Concat", ["f", "scaled"], ["both"], name="n_both", axis=1),
        *{
            "pool": (helper.make_node("AveragePool", ["both"], ["output"], kernel_shape=[2, 2], strides=[2, 2]),),
            "mean": (helper.make_node("ReduceMean", ["both", "axes"], ["output"], keepdims=1),),
            "conv": (conv("output", "both", 8, 32),),
            "convolved and used": (
                helper.make_node("AveragePool", ["both"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
                conv("last", "small", 32, 32),
                helper.make_node("Relu", ["small"], ["relu2"]),
                helper.make_node("Add", ["last", "relu2"], ["output"]),
            ),
            "used twice": (
                helper.make_node("AveragePool", ["both"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
                helper.make_node("GlobalAveragePool", ["both"], ["one"]),
                helper.make_node("Add", ["small", "one"], ["output"]),
            ),
        }[end],
    ):
        node, more = item if isinstance(item, tuple) else (item, [])
        nodes.append(node)
        tensors += more
    return finished("block", nodes, tensors)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input": x})[0]


def run_layout(model: onnx.ModelProto, file) -> Counter:
    """The operators that ONNX Runtime makes of it."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(file)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options)
    return Counter(node.op_type for node in onnx.load(file).graph.node)


@pytest.mark.parametrize("end", ["pool", "mean", "conv", "convolved and used", "used twice"])
@pytest.mark.parametrize(("hidden", "bias"), [(2, True), (2, False), (16, True)])
def test_the_answers_stay(end, hidden, bias):
    model = block(end, hidden, bias)
    new = optimize(onnx.ModelProto.FromString(model.SerializeToString()))
    for count in (1, 3):
        x = np.random.default_rng(count).random((count, 1, 8, 8), dtype=np.float32)
        np.testing.assert_allclose(run(new, x), run(model, x), rtol=1e-5, atol=1e-5)


def test_what_is_rewritten():
    kinds = {end: Counter(n.op_type for n in optimize(block(end)).graph.node) for end in ("pool", "mean", "used twice")}
    assert not any("ReduceMean" in found for found in kinds.values())
    # The product is taken after pooling: of single values, which need not be spread, or of a quarter of them.
    assert kinds["mean"]["Resize"] == 0 and kinds["pool"]["Resize"] == 1
    (spread,) = (i for i in optimize(block("pool")).graph.initializer if i.name.startswith("scales"))
    assert numpy_helper.to_array(spread).tolist() == [1, 1, 4, 4]
    assert kinds["used twice"]["Concat"] == 1  # whoever else uses it still has it
    down, up = (next(i for i in optimize(block("conv")).graph.initializer if i.name == n) for n in ("down.w", "up.w"))
    assert (down.dims[0], up.dims[1]) == (16, 16)


def test_the_layout_is_kept(tmp_path):
    before, after = (
        run_layout(block("conv"), tmp_path / "a.onnx"),
        run_layout(optimize(block("conv")), tmp_path / "b.onnx"),
    )
    if not before["ReorderOutput"]:
        pytest.skip("ONNX Runtime has no blocked layout on this processor")
    # One for the graph's output remains.
    assert before["ReorderInput"] > 0 == after["ReorderInput"] and after["ReorderOutput"] == 1


def narrow(end: str) -> onnx.ModelProto:
    """Maps of 28 channels, which fill no blocks, with all that may come after them."""
    rng = np.random.default_rng(1)
    tensors = [
        numpy_helper.from_array(rng.normal(size=(28, 1, 3, 3)).astype(np.float32), "dw.w"),
        numpy_helper.from_array(rng.normal(size=(7, 56)).astype(np.float32), "head.w"),
        numpy_helper.from_array(np.array([-1, 56]), "flat"),
    ]
    nodes = []
    for item in (
        conv("a", "input", 28, 1, 3),
        helper.make_node("Relu", ["a"], ["relu"], name="n_relu"),
        helper.make_node("Conv", ["relu", "dw.w"], ["dw"], name="n_dw", group=28, pads=[1] * 4),
        conv("b", "dw", 28, 28),
        helper.make_node("Concat", ["relu", "b"], ["both"], name="n_both", axis=1),
        *{
            "head": (
                helper.make_node("GlobalAveragePool", ["both"], ["mean"], name="n_mean"),
                helper.make_node("Reshape", ["mean", "flat"], ["row"], name="n_row"),
                helper.make_node("Gemm", ["row", "head.w"], ["output"], name="n_head", transB=1),
            ),
            "conv": (conv("output", "both", 5, 56, 3),),
            "product": (
                helper.make_node("Mul", ["relu", "b"], ["product"], name="n_product"),
                conv("output", "product", 16, 28),
            ),
            "sum": (helper.make_node("Add", ["relu", "b"], ["output"], name="n_sum"),),
            "maps": (helper.make_node("Relu", ["both"], ["output"], name="n_maps"),),
        }[end],
    ):
        node, more = item if isinstance(item, tuple) else (item, [])
        nodes.append(node)
        tensors += more
    return finished("narrow", nodes, tensors)


@pytest.mark.parametrize(
    ("end", "filled"),
    [("head", {"a", "b"}), ("conv", {"a", "b"}), ("product", {"a", "b"}), ("sum", set()), ("maps", set())],
)
def test_blocks_are_filled_where_nobody_sees_it(end, filled):
    model = narrow(end)
    new = optimize(onnx.ModelProto.FromString(model.SerializeToString()))
    sizes = {tensor.name: tensor.dims[0] for tensor in new.graph.initializer if tensor.name.endswith(".w")}
    assert {name for name in ("a", "b") if sizes[f"{name}.w"] == 32} == filled
    assert all(sizes[f"{name}.w"] == 28 for name in {"a", "b"} - filled)
    assert sizes["dw.w"] == sizes["a.w"] and sizes.get("output.w", 5) in (5, 16)
    x = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)
    np.testing.assert_allclose(run(new, x), run(model, x), rtol=1e-4, atol=1e-3)


def test_a_narrow_map_is_not_doubled():
    from fer_demo.export.fill_blocks import MOST_FILLING

    model = narrow("conv")
    for tensor in model.graph.initializer:  # 12 channels, that is four short of a block, a third more
        if tensor.name in ("a.w", "a.b", "dw.w"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:12], tensor.name))
        elif tensor.name == "b.w":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:, :12], tensor.name))
        elif tensor.name == "output.w":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:, :40], tensor.name))
    next(n for n in model.graph.node if n.name == "n_dw").attribute[0].i = 12
    new = optimize(onnx.ModelProto.FromString(model.SerializeToString()))
    sizes = {tensor.name: list(tensor.dims[:2]) for tensor in new.graph.initializer if tensor.name.endswith(".w")}
    assert MOST_FILLING < 1 / 3 and sizes["a.w"][0] == 12 and sizes["b.w"] == [32, 12] and sizes["output.w"][1] == 44
    x = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)
    np.testing.assert_allclose(run(new, x), run(model, x), rtol=1e-4, atol=1e-3)


def test_weights_in_two_places_are_left_alone():
    model = block("conv")
    graph = model.graph
    names = [node.name for node in graph.node]
    graph.node[names.index("n_down")].input[2] = "shared"
    graph.initializer.append(numpy_helper.from_array(np.ones(2, np.float32), "shared"))
    extra = helper.make_node("Mul", ["shared", "shared"], ["unused"], name="n_extra")
    graph.node.insert(0, extra)
    graph.output.append(helper.make_tensor_value_info("unused", TensorProto.FLOAT, [2]))
    x = np.ones((1, 1, 8, 8), np.float32)
    np.testing.assert_allclose(
        run(optimize(onnx.ModelProto.FromString(model.SerializeToString())), x), run(model, x), rtol=1e-5
    )
