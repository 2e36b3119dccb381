"""The network of a predictor: how it is shown, copied and explained."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

import fer_demo.classifier
from fer_demo import FacePrediction, ModelError, Predictor
from fer_demo.checkpoints import DEFAULT
from fer_demo.explain.face import face_map
from fer_demo.export import export_model
from fer_demo.runtime.model_info import model_info

ROOT = Path(__file__).parents[2]

CROPS = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)


def build() -> torch.nn.Module:
    """A network whose answers for different crops differ."""
    torch.manual_seed(0)
    model = timm.create_model("fer_sedense_nano")
    with torch.no_grad():
        model.get_classifier().weight.normal_(0, 1)
    return model.eval()


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(build(), temperature=1.5)


def test_repr(predictor):
    assert repr(predictor) == "Predictor('SEDense', engine='torch', device='cpu', temperature=1.5)"
    default = Predictor()
    assert repr(default).startswith(f"Predictor('{DEFAULT}', engine='onnx', device='cpu', temperature=")


class TestCopies:
    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
    def test_of_a_model_that_was_given(self, predictor, again):
        other = again(predictor)
        assert repr(other) == repr(predictor) and (other.model is predictor.model) == (again is copy.copy)
        np.testing.assert_array_equal(other.classify(CROPS), predictor.classify(CROPS))

    def test_of_a_file_that_was_named_from_another_folder(self, tmp_path, monkeypatch):
        model = build()
        export_model(model, model_info(model, "mine"), tmp_path / "mine.onnx")
        monkeypatch.chdir(tmp_path)
        predictor = Predictor("mine.onnx", threads=1)
        monkeypatch.chdir("/")
        other = pickle.loads(pickle.dumps(predictor))
        assert other.engine == "onnx" and other.name == "mine"
        np.testing.assert_array_equal(other.classify(CROPS), predictor.classify(CROPS))

    def test_keeps_what_was_chosen(self, monkeypatch):
        predictor = Predictor(temperature=2.0, threads=1)
        predictor.note = "mine"
        data = pickle.dumps(predictor)
        assert len(data) < 10_000  # no weights, no session
        monkeypatch.setattr("fer_demo.checkpoints.resolve", lambda model=None: 1 / 0)
        other = pickle.loads(data)
        assert (other.name, other.temperature, other.note) == (predictor.name, 2.0, "mine")

    def test_in_another_process(self, tmp_path):
        predictor = Predictor(threads=1)
        expected = predictor.classify(CROPS)
        (tmp_path / "predictor").write_bytes(pickle.dumps((predictor, CROPS)))
        code = (
            "import pickle, sys\n"
            "predictor, crops = pickle.load(open(sys.argv[1], 'rb'))\n"
            "print(repr(predictor), predictor.classify(crops).tobytes().hex(), sep='\\n')\n"
            "assert 'torch' not in sys.modules"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "predictor")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        shown, answers = done.stdout.splitlines()
        assert shown == repr(predictor)
        np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(answers), np.float32).reshape(3, 7), expected)


class TestExplain:
    @pytest.fixture
    def face(self, predictor) -> FacePrediction:
        (face,) = predictor.predict(CROPS[0], whole_image=True)
        return face

    def test_the_same_as_face_map(self, predictor, face):
        other = next(label for label in predictor.labels if label != face.label)
        for arguments in ({}, {"method": "occlusion"}, {"layer": "stages.0"}, {"against": other}):
            expected = face_map(predictor, face.crop, face.label, **arguments)
            np.testing.assert_allclose(predictor.explain(face, **arguments).values, expected.values, atol=1e-6)
        np.testing.assert_allclose(
            predictor.explain(face, other).values, face_map(predictor, face.crop, other).values, atol=1e-6
        )

    def test_what_cannot_be_explained(self, predictor, face, monkeypatch):
        with pytest.raises(ValueError, match="Unknown expression 'bored'"):
            predictor.explain(face, "bored")
        with pytest.raises(ValueError, match="no crop to explain"):
            predictor.explain(FacePrediction.from_dict(face.to_dict()))
        monkeypatch.setattr(fer_demo.classifier, "installed", lambda *packages: "captum" not in packages)
        with pytest.raises(ModelError, match=r"need PyTorch and Captum; run `pip install 'fer-demo\[torch\]'`"):
            predictor.explain(face)
