"""Rewrites an exported graph so that ONNX Runtime runs it faster on a CPU; what it computes stays the same.

ONNX Runtime keeps pictures in blocks of channels (NCHWc), which its convolutions take. An operator that it does not
have in that layout makes it convert back and forth. The product with the squeeze-and-excitation gate is such an
operator, and everything before is concatenated with it: converting and copying took a quarter of `fer_sedense`'s time.
"""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNEL_BLOCK = 16
"""Channels in a block: 16 with AVX-512, 8 with AVX2 and NEON, which 16 is a multiple of."""

POOLS = ("AveragePool", "GlobalAveragePool")


def optimize(model: onnx.ModelProto) -> onnx.ModelProto:
    """Applies every rewriting of this module.

    Args:
        model: A network with one dynamic dimension, the batch.

    Returns:
        An equivalent network.
    """
    for rewrite in (_pool_globally, _pool_before_concatenating, _pool_before_scaling, _widen_gates, _spread_gates):
        graph = _Graph(model)
        rewrite(graph)
        model = graph.finish()
    onnx.checker.check_model(model)
    return model


class _Graph:
    """A graph that is being rewritten, with its shapes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.shape_inference.infer_shapes(model)
        graph = self.model.graph
        self.nodes: list[onnx.NodeProto] = list(graph.node)
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        # Shapes that the inference does not find on its own again; see _spread_gates.
        self.stated: dict[str, list] = {}
        self.shapes = {
            value.name: [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
            for value in (*graph.value_info, *graph.input, *graph.output)
        }

    def maker(self, name: str) -> onnx.NodeProto | None:
        return next((node for node in self.nodes if name in node.output), None)

    def users(self, name: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if name in node.input]

    def only_user(self, node: onnx.NodeProto | None) -> onnx.NodeProto | None:
        users = self.users(node.output[0]) if node is not None else []
        return users[0] if len(users) == 1 else None

    def replace(self, rewrite: Callable[[onnx.NodeProto], list[onnx.NodeProto] | None]) -> None:
        """Puts other nodes in the place of each node for which the function returns some."""
        for node in list(self.nodes):
            new = rewrite(node)
            if new is not None:
                at = self.nodes.index(node)
                self.nodes[at : at + 1] = new

    def finish(self) -> onnx.ModelProto:
        graph = self.model.graph
        outputs = {value.name for value in graph.output}
        while True:  # without what nobody uses any more
            used = {name for node in self.nodes for name in node.input} | outputs
            kept = [node for node in self.nodes if used.intersection(node.output)]
            if len(kept) == len(self.nodes):
                break
            self.nodes = kept
        stated = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.stated.items() if n in used]
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self.nodes]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(nodes)
        graph.value_info.extend(stated)
        graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in self.constants.items() if n in used)
        return self.model


def _pool_globally(graph: _Graph) -> None:
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


def _pool_before_concatenating(graph: _Graph) -> None:
    """Pooling treats each channel alone, and afterwards there is less to be copied."""

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        concat = graph.maker(node.input[0]) if node.op_type in POOLS else None
        if concat is None or concat.op_type != "Concat" or graph.only_user(concat) is None:
            return None
        if [a.i for a in concat.attribute if a.name == "axis"] != [1]:
            return None
        new = []
        for name in concat.input:
            part = onnx.NodeProto.FromString(node.SerializeToString())
            part.input[0], part.name = name, f"{node.name}_{name}"
            part.output[0] = f"{node.output[0]}_{name}"
            new.append(part)
        joined = helper.make_node("Concat", [p.output[0] for p in new], node.output, name=f"{node.name}_concat", axis=1)
        return [*new, joined]

    graph.replace(rewrite)


def _is_gated(graph: _Graph, node: onnx.NodeProto | None) -> bool:
    """Whether a node multiplies maps (N, C, H, W) with one factor for each channel (N, C, 1, 1)."""
    if node is None or node.op_type != "Mul":
        return False
    maps, gate = (graph.shapes.get(name, []) for name in node.input)
    return len(maps) == 4 and len(gate) == 4 and gate[2:] == [1, 1] and maps[:2] == gate[:2] and maps[2:] != [1, 1]


def _pool_before_scaling(graph: _Graph) -> None:
    """A channel's factor can be applied to the pooled map as well, which is smaller."""

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        product = graph.maker(node.input[0]) if node.op_type in POOLS else None
        if not _is_gated(graph, product) or graph.only_user(product) is None:
            return None
        pooled = onnx.NodeProto.FromString(node.SerializeToString())
        pooled.input[0], pooled.name, pooled.output[0] = (
            product.input[0],
            f"{node.name}_first",
            f"{node.output[0]}_first",
        )
        return [pooled, helper.make_node("Mul", [pooled.output[0], product.input[1]], node.output, name=node.name)]

    graph.replace(rewrite)


def _widen_gates(graph: _Graph) -> None:
    """Two hidden units of squeeze-and-excitation are no full block; with units that are always 0 they are."""
    for first in graph.nodes:
        shape = graph.shapes.get(first.output[0], [])
        relu = graph.only_user(first)
        second = graph.only_user(relu)
        if (first.op_type, getattr(relu, "op_type", ""), getattr(second, "op_type", "")) != ("Conv", "Relu", "Conv"):
            continue
        names = [*first.input[1:], second.input[1]]
        if not all(name in graph.constants and len(graph.users(name)) == 1 for name in names):
            continue
        kernels = graph.constants[first.input[1]], graph.constants[second.input[1]]
        pixel_each = shape[2:] == [1, 1] and all(kernel.shape[2:] == (1, 1) for kernel in kernels)
        channels = graph.shapes.get(first.input[0], [0, 0])[1], kernels[0].shape[0]
        if not pixel_each or channels != tuple(kernel.shape[1] for kernel in kernels):  # or they have groups
            continue
        more, no = (0, -shape[1] % CHANNEL_BLOCK), (0, 0)
        graph.constants[first.input[1]] = np.pad(kernels[0], (more, no, no, no))
        graph.constants[second.input[1]] = np.pad(kernels[1], (no, more, no, no))
        if len(first.input) > 2:
            graph.constants[first.input[2]] = np.pad(graph.constants[first.input[2]], more)


def _spread_gates(graph: _Graph) -> None:
    """Enlarges a gate to its map's size, because a product of equal shapes exists in the blocked layout."""

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if not _is_gated(graph, node):
            return None
        maps, gate = node.input
        shape = graph.shapes[maps]
        scales, spread = f"scales_{shape[2]}x{shape[3]}", f"{gate}_{shape[2]}x{shape[3]}"
        graph.constants[scales] = np.array([1, 1, shape[2], shape[3]], np.float32)
        graph.stated[spread] = shape  # with the batch's name, by which ONNX Runtime knows that the shapes are equal
        resize = helper.make_node(
            "Resize", [gate, "", scales], [spread], name=f"{node.name}_spread", mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        return [resize, helper.make_node("Mul", [maps, spread], node.output, name=node.name)]

    graph.replace(rewrite)
