"""YuNet, the face detector's network, run by ONNX Runtime.

YuNet: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023
(doi:10.1007/s11633-023-1423-y). ONNX Runtime gives the answers of OpenCV's ``FaceDetectorYN`` in half the time on one
core, and one session serves several threads and pictures of any size.
"""

import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from fer_demo.runtime.engines import open_session

STRIDES = (8, 16, 32)
"""Pixels from one cell to the next, on the three grids of cells that each guess one face."""


class YuNet:
    """Finds upright faces.

    Args:
        file: YuNet as an ONNX file, with plain or with 8-bit weights.
        nms_threshold: Of two boxes that overlap more than this (intersection over union) the better one is kept.
        threads: Threads that one call may use; None is ``OMP_NUM_THREADS``, or else one for each core.

    Raises:
        ModelError: If onnxruntime is not installed.
        RuntimeError: If ONNX Runtime cannot load the network.
        ValueError: If it is no YuNet.
    """

    def __init__(self, file: str | os.PathLike[str], *, nms_threshold: float, threads: int | None = None) -> None:
        self.nms_threshold = nms_threshold
        self._session = open_session(plain_yunet(file).SerializeToString(), threads)
        self._input = self._session.get_inputs()[0].name
        names = {output.name for output in self._session.get_outputs()}
        self._outputs = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
        if missing := sorted(set(self._outputs) - names):
            raise ValueError(f"The network has no output {missing[0]}.")

    def detect(self, pictures: Sequence[NDArray[np.uint8]], threshold: float) -> list[NDArray[np.float64]]:
        """Finds the faces of pictures of one size.

        Args:
            pictures: uint8 BGR (H, W, 3), all of the same height and width.
            threshold: Faces of a lower score, 0 to 1, are left out.

        Returns:
            For each picture float64 (faces, 15): x, y, width and height of the box, x and y of the right eye, left
            eye, nose tip, right and left mouth corner, all in pixels, and the score; the best first.
        """
        height, width = pictures[0].shape[:2]
        # The network halves the picture five times, so its sides must be multiples of 32; what is added is black.
        rows, columns = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in (height, width))
        x = np.zeros((len(pictures), 3, rows, columns), np.float32)
        for plane, picture in zip(x, pictures, strict=True):
            plane[:, :height, :width] = picture.transpose(2, 0, 1)
        outputs = self._session.run(self._outputs, {self._input: x})
        cls, obj, box, points = (outputs[i : i + len(STRIDES)] for i in range(0, len(outputs), len(STRIDES)))
        owners, faces = [], []
        for level, stride in enumerate(STRIDES):
            scores = np.sqrt(np.clip(cls[level], 0, 1) * np.clip(obj[level], 0, 1))[:, :, 0]
            owner, cell = np.nonzero(scores >= threshold)
            guess = box[level][owner, cell].astype(np.float64)
            origin = np.stack([cell % (columns // stride), cell // (columns // stride)], axis=1).astype(np.float64)
            size = np.exp(guess[:, 2:]) * stride
            corner = (origin + guess[:, :2]) * stride - size / 2
            marks = (points[level][owner, cell].reshape(-1, 5, 2) + origin[:, None]) * stride
            owners.append(owner)
            faces.append(np.hstack([corner, size, marks.reshape(-1, 10), scores[owner, cell][:, None]]))
        of, found = np.concatenate(owners), np.concatenate(faces)
        return [self._suppressed(found[of == i]) for i in range(len(pictures))]

    def _suppressed(self, faces: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(faces):
            return faces
        keep = cv2.dnn.NMSBoxes(faces[:, :4].tolist(), faces[:, 14].tolist(), 0.0, self.nms_threshold)
        kept: NDArray[np.float64] = faces[np.asarray(keep, int).ravel()]
        return kept


def plain_yunet(file: str | os.PathLike[str]) -> onnx.ModelProto:
    """YuNet as ONNX Runtime takes it: with plain weights, for any number of pictures of any size.

    The file that OpenCV reads keeps 8-bit weights with scales for blocks, and for some with attributes that do not fit
    each other, which ONNX Runtime refuses; it is made for one picture of 640 x 640 pixels, which OpenCV ignores.
    """
    model = onnx.load(file)
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        if node.input and all(name in constants for name in node.input):
            values = [constants[name] for name in node.input]
            if node.op_type == "DequantizeLinear":
                constants[node.output[0]] = _dequantized(*values)
                continue
            if node.op_type == "Reshape":
                constants[node.output[0]] = values[0].reshape(values[1])
                continue
        if node.op_type == "Reshape" and node.input[1] in constants:
            # 0 stands for the size that comes in: the number of pictures, which is written as 1.
            constants[node.input[1]] = np.concatenate([[0], constants[node.input[1]][1:]])
        kept.append(node)
    used = {name for node in kept for name in node.input}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items() if name in used)
    for value in (*graph.input, *graph.output):
        shape = value.type.tensor_type.shape.dim
        for i, dimension in enumerate(shape):
            if i == 0:
                dimension.dim_param = "pictures"
            elif dimension.dim_value >= 400:  # a side of the picture, or the number of its cells
                dimension.dim_param = f"{value.name}_{i}"
    return model


def _dequantized(values: NDArray[Any], scales: NDArray[Any], zeros: NDArray[Any]) -> NDArray[np.float32]:
    if scales.size > 1:  # each scale is for a block of neighbours
        for axis, (whole, parts) in enumerate(zip(values.shape, scales.shape, strict=True)):
            scales, zeros = (np.repeat(a, -(-whole // parts), axis).take(range(whole), axis) for a in (scales, zeros))
    else:
        scales, zeros = scales.reshape(()), zeros.reshape(())
    plain: NDArray[Any] = (values.astype(np.float32) - zeros.astype(np.float32)) * scales
    return plain.astype(np.float32)
