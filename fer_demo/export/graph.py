"""An ONNX graph that is being rewritten."""

from collections.abc import Callable
from typing import TypeGuard

import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = list[int | str]
"""A tensor's sizes; names stand for those that are not fixed."""

POOLS = ("AveragePool", "GlobalAveragePool")


class Graph:
    """A graph that is being rewritten, with its shapes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.shape_inference.infer_shapes(model)
        graph = self.model.graph
        self.nodes: list[onnx.NodeProto] = list(graph.node)
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        # Shapes that the inference does not find on its own again; see `fer_demo.export.optimize`.
        self.stated: dict[str, Shape] = {}
        self.shapes: dict[str, Shape] = {
            value.name: [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
            for value in (*graph.value_info, *graph.input, *graph.output)
        }

    def maker(self, name: str) -> onnx.NodeProto | None:
        """The node that computes a tensor; None for an input or a constant."""
        return next((node for node in self.nodes if name in node.output), None)

    def users(self, name: str) -> list[onnx.NodeProto]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def only_user(self, node: onnx.NodeProto | None) -> onnx.NodeProto | None:
        """The node that reads another one's first output; None if there are several or none."""
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
        """The network as it is now, without what nobody uses any more."""
        graph = self.model.graph
        outputs = {value.name for value in graph.output}
        while True:
            used = {name for node in self.nodes for name in node.input} | outputs
            kept = [node for node in self.nodes if used.intersection(node.output)]
            if len(kept) == len(self.nodes):
                break
            self.nodes = kept
        stated = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.stated.items() if n in used]
        nodes = [copy_node(node) for node in self.nodes]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(nodes)
        graph.value_info.extend(stated)
        graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in self.constants.items() if n in used)
        return self.model


def copy_node(node: onnx.NodeProto) -> onnx.NodeProto:
    """A node that can be changed without changing the one it was copied from."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def is_concatenation(node: onnx.NodeProto | None) -> TypeGuard[onnx.NodeProto]:
    """Whether a node puts the channels of several tensors one after the other."""
    return node is not None and node.op_type == "Concat" and [a.i for a in node.attribute if a.name == "axis"] == [1]


def is_gated(node: onnx.NodeProto | None, graph: Graph) -> TypeGuard[onnx.NodeProto]:
    """Whether a node multiplies maps (N, C, H, W) with one factor for each channel (N, C, 1, 1)."""
    if node is None or node.op_type != "Mul":
        return False
    maps, gate = (graph.shapes.get(name, []) for name in node.input)
    return len(maps) == 4 and len(gate) == 4 and gate[2:] == [1, 1] and maps[:2] == gate[:2] and maps[2:] != [1, 1]
