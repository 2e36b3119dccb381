"""A class activation map as a second output of an exported network: where on the face each class finds its evidence.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016: behind a global average pooling stands
a linear classifier, so its weights can be applied to the maps before the pooling as well. No gradient is needed, and
the mean of a map is the class's logit, but for the bias.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper

from fer_demo.export.graph import Graph

MAPS = "maps"
"""The output: float32 (N, classes, h, w), in logits."""


def add_maps(model: onnx.ModelProto) -> bool:
    """Adds the output to a network as `fer_demo.export.export_model` writes it.

    Args:
        model: Changed in place: one output, a linear classifier of maps that are pooled over height and width, perhaps
            put together from several, perhaps with a factor for each channel.

    Returns:
        Whether the network has such a head; if it has not, nothing was changed.
    """
    graph = Graph(model)
    classifier = graph.maker(model.graph.output[0].name)
    if classifier is None or classifier.op_type != "Gemm" or classifier.input[1] not in graph.constants:
        return False
    weights = graph.constants[classifier.input[1]]
    if not any(a.name == "transB" and a.i for a in classifier.attribute):
        weights = weights.T
    node = graph.maker(classifier.input[0])
    while node is not None and node.op_type in ("Reshape", "Flatten", "Squeeze"):
        node = graph.maker(node.input[0])
    if node is None:
        return False
    parts = list(node.input) if node.op_type == "Concat" else [node.output[0]]
    added: list[onnx.NodeProto] = []
    start = 0
    for i, part in enumerate(parts):
        pooled, gate = graph.maker(part), None
        if pooled is not None and pooled.op_type == "Mul":
            gate = pooled.input[1]
            pooled = graph.maker(pooled.input[0])
        if pooled is None or pooled.op_type != "GlobalAveragePool":
            return False
        source = pooled.input[0]
        channels = graph.shapes.get(source, [0, 0])[1]
        if not isinstance(channels, int) or not channels:
            return False
        if gate is not None:
            added.append(helper.make_node("Mul", [source, gate], [f"{MAPS}_gated_{i}"]))
            source = f"{MAPS}_gated_{i}"
        graph.constants[f"{MAPS}_weight_{i}"] = np.ascontiguousarray(
            weights[:, start : start + channels, None, None], np.float32
        )
        added.append(helper.make_node("Conv", [source, f"{MAPS}_weight_{i}"], [f"{MAPS}_{i}"]))
        start += channels
    if start != weights.shape[1]:
        return False
    added.append(helper.make_node("Sum", [f"{MAPS}_{i}" for i in range(len(parts))], [MAPS]))
    graph.nodes.extend(added)
    shape: list[str | int | None] = ["batch", len(weights), "map_height", "map_width"]
    graph.model.graph.output.append(helper.make_tensor_value_info(MAPS, TensorProto.FLOAT, shape))
    model.CopyFrom(graph.finish())
    onnx.checker.check_model(model)
    return True
