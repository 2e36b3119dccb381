"""Rewrites an exported graph so that ONNX Runtime runs it faster on a CPU; what it computes stays the same.

ONNX Runtime keeps pictures in blocks of channels (NCHWc), which its convolutions take. An operator that it does not
have in that layout makes it convert back and forth. The product with the squeeze-and-excitation gate is such an
operator, and everything before is concatenated with it: converting and copying took a quarter of `fer_sedense`'s time.

For networks with large maps there is something better than keeping the layout: `fer_demo.export.fold_gates`.
"""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper

from fer_demo.export.fill_blocks import fill_blocks
from fer_demo.export.fold_gates import fold_gates, for_any_number, for_one_picture
from fer_demo.export.graph import POOLS, Graph, copy_node, is_concatenation, is_gated


def optimize(model: onnx.ModelProto, one_by_one: bool = False) -> onnx.ModelProto:
    """Applies every rewriting of this module.

    Args:
        model: A network with one input, one output and one dynamic dimension, the batch.
        one_by_one: Where there are squeeze-and-excitation gates, fold them into weights and let the graph take one
            picture after the other (`fer_demo.export.fold_gates`): for networks of whose pictures only few fit into
            the caches.

    Returns:
        An equivalent network.
    """
    rewritings = (_pool_before_concatenating, _pool_before_scaling, fill_blocks, _spread_gates)
    model = _rewritten(model, _pool_globally)
    if one_by_one:
        graph = Graph(for_one_picture(model))
        one_by_one = fold_gates(graph)
        model = graph.finish() if one_by_one else model
    for rewrite in rewritings:
        model = _rewritten(model, rewrite)
    if one_by_one:
        model = for_any_number(model)
    onnx.checker.check_model(model)
    return model


def _rewritten(model: onnx.ModelProto, rewrite: Callable[[Graph], None]) -> onnx.ModelProto:
    graph = Graph(model)
    rewrite(graph)
    return graph.finish()


def _pool_globally(graph: Graph) -> None:
    """The mean over height and width is a pooling, which exists in the blocked layout."""

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type != "ReduceMean" or len(node.input) != 2 or node.input[1] not in graph.constants:
            return None
        axes = sorted(axis % 4 for axis in graph.constants[node.input[1]].tolist())
        keeps = all(a.i for a in node.attribute if a.name == "keepdims")
        if axes != [2, 3] or not keeps or len(graph.shapes.get(node.input[0], [])) != 4:
            return None
        return [helper.make_node("GlobalAveragePool", node.input[:1], node.output, name=node.name)]

    graph.replace(rewrite)


def _pool_before_concatenating(graph: Graph) -> None:
    """Pooling treats each channel alone, and afterwards there is less to be copied."""

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        concat = graph.maker(node.input[0]) if node.op_type in POOLS else None
        if not is_concatenation(concat) or graph.only_user(concat) is None:
            return None
        new = []
        for name in concat.input:
            part = copy_node(node)
            part.input[0], part.name = name, f"{node.name}_{name}"
            part.output[0] = f"{node.output[0]}_{name}"
            new.append(part)
        joined = helper.make_node("Concat", [p.output[0] for p in new], node.output, name=f"{node.name}_concat", axis=1)
        return [*new, joined]

    graph.replace(rewrite)


def _pool_before_scaling(graph: Graph) -> None:
    """A channel's factor can be applied to the pooled map as well, which is smaller."""

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        product = graph.maker(node.input[0]) if node.op_type in POOLS else None
        if not is_gated(product, graph) or graph.only_user(product) is None:
            return None
        pooled = copy_node(node)
        pooled.input[0], pooled.name, pooled.output[0] = (
            product.input[0],
            f"{node.name}_first",
            f"{node.output[0]}_first",
        )
        return [pooled, helper.make_node("Mul", [pooled.output[0], product.input[1]], node.output, name=node.name)]

    graph.replace(rewrite)


def _spread_gates(graph: Graph) -> None:
    """Enlarges a gate to its map's size, because a product of equal shapes exists in the blocked layout."""

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if not is_gated(node, graph):
            return None
        maps, gate = node.input
        shape = graph.shapes[maps]
        scales, spread = f"scales_{shape[2]}x{shape[3]}", f"{gate}_{shape[2]}x{shape[3]}"
        graph.constants[scales] = np.array([1, 1, shape[2], shape[3]], np.float32)
        graph.stated[spread] = shape  # with the batch's name, by which ONNX Runtime knows that the shapes are equal
        resize = helper.make_node(
            "Resize",
            [gate, "", scales],
            [spread],
            name=f"{node.name}_spread",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return [resize, helper.make_node("Mul", [maps, spread], node.output, name=node.name)]

    graph.replace(rewrite)
