"""The detector's network in ONNX Runtime answers as OpenCV's own ``FaceDetectorYN``."""

import cv2
import numpy as np
import onnx
import pytest

from fer_demo.runtime.engines import ModelError
from fer_demo.vision.detector import find_model
from fer_demo.vision.yunet import YuNet, plain_yunet

opencv_reads_it = pytest.mark.skipif(
    cv2.__version__.startswith("4.10."), reason="OpenCV 4.10 cannot read this file itself; 4.11 was the first to"
)
"""For comparisons with OpenCV's own engine, which the detector does not use."""


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    return YuNet(find_model(None), nms_threshold=0.3)


@pytest.fixture(scope="module")
def picture(astronaut) -> np.ndarray:
    """BGR, with two faces of different sizes."""
    small = cv2.resize(astronaut, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    both = np.zeros((512, 512 + small.shape[1], 3), np.uint8)
    both[:, :512], both[: small.shape[0], 512:] = astronaut, small
    return cv2.cvtColor(both, cv2.COLOR_RGB2BGR)


# Multiples of 32 and not, smaller and larger than the size that the file was made for.
@pytest.mark.parametrize("size", [(819, 512), (640, 320), (333, 211), (97, 61), (1200, 750)])
@pytest.mark.parametrize("threshold", [0.5, 0.8])
@opencv_reads_it
def test_the_same_faces_as_opencv(yunet, picture, size, threshold):
    image = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    theirs = cv2.FaceDetectorYN.create(find_model(None), "", size, threshold, 0.3).detect(image)[1]
    (ours,) = yunet.detect([image], threshold)
    theirs = np.empty((0, 15)) if theirs is None else theirs
    assert ours.shape == theirs.shape and ours.dtype == np.float64
    np.testing.assert_allclose(ours[:, :14], theirs[:, :14], atol=0.05)  # pixels
    np.testing.assert_allclose(ours[:, 14], theirs[:, 14], atol=1e-3)


def test_there_is_something_to_compare(yunet, picture):
    assert len(yunet.detect([picture], 0.8)[0]) == 2


def test_several_pictures_at_once(yunet, picture):
    images = [picture, picture[:, ::-1].copy(), np.zeros_like(picture), picture[::-1].copy()]
    together = yunet.detect(images, 0.5)
    for image, faces in zip(images, together, strict=True):
        np.testing.assert_allclose(faces, yunet.detect([image], 0.5)[0], atol=1e-2)
    assert len(together[0]) == len(together[1]) == 2 and len(together[2]) == 0


@opencv_reads_it
def test_the_network_answers_as_the_file_that_opencv_reads(picture):
    import onnxruntime

    image = picture[:480, :320]  # no size the file was made for
    session = onnxruntime.InferenceSession(plain_yunet(find_model(None)).SerializeToString())
    net = cv2.dnn.readNet(find_model(None))
    blob = cv2.dnn.blobFromImage(image)
    net.setInput(blob)
    names = [output.name for output in session.get_outputs()]
    for name, ours, theirs in zip(names, session.run(names, {"input": blob}), net.forward(names), strict=True):
        np.testing.assert_allclose(ours.ravel(), theirs.ravel(), atol=2e-3, err_msg=name)


def test_another_network_is_refused(tmp_path):
    from fer_demo.checkpoints import ONNX_FILE, bundled_checkpoints, checkpoint_dir

    names = bundled_checkpoints()
    if not names:
        pytest.skip("no checkpoint is bundled")
    with pytest.raises(ValueError, match="no output"):
        YuNet(checkpoint_dir(names[0]) / ONNX_FILE, nms_threshold=0.3)


def test_a_damaged_network_is_refused(tmp_path):
    model = plain_yunet(find_model(None))
    del model.graph.initializer[:]
    onnx.save(model, tmp_path / "damaged.onnx")
    with pytest.raises((RuntimeError, ModelError)) as error:
        YuNet(tmp_path / "damaged.onnx", nms_threshold=0.3)
    assert "\n" not in str(error.value)
