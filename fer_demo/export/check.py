"""Real faces to compare an exported file on, and PyTorch's answers for them."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn as nn
from numpy.typing import NDArray

MAX_DIFFERENCE = 1e-4
"""Of a logit; float32 sums in another order differ by some 1e-6."""

MAX_SOFTENED = {"fp16": 0.02, "int8": 0.3}
"""Of a probability. Rounding to eight bits moves single answers that were close to call; a broken file moves all."""

MARGINS = (-0.1, 0.0, 0.1, 0.25)


@lru_cache(maxsize=4)
def sample_crops(size: int) -> NDArray[np.uint8]:
    """Faces of the bundled sample photos in several framings, and their mirror images.

    Args:
        size: Side of the crops in pixels.

    Returns:
        uint8 grey (N, size, size).

    Raises:
        FaceDetectorError: If the detector's model file is missing.
    """
    # Here, so that ONNX can be written without OpenCV: training asks its teachers through it and installs less.
    from fer_demo.vision.align import align_face
    from fer_demo.vision.detector import FaceDetector
    from fer_demo.vision.samples import SAMPLES

    detector, crops = FaceDetector(), []
    for sample in SAMPLES:
        image = sample.load()
        for face in detector.detect(image):
            crops += [align_face(image, face.landmarks, size, margin) for margin in MARGINS]
    return np.stack([*crops, *(crop[:, ::-1] for crop in crops)])


@torch.inference_mode()
def torch_logits(model: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """A model's answers, float32 (N, 7), for float32 (N, 1, H, W)."""
    logits: torch.Tensor = model(torch.from_numpy(x))
    return logits.float().numpy()
