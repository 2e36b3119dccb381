"""Pictures and their aligned twins, from the detector to the network that looks at both."""

import shutil

import cv2
import numpy as np
import pytest
import timm
import torch

from fer_demo.vision.align import TEMPLATE, similarity, warp
from fer_demo.vision.detector import FaceDetector
from fer_demo.vision.samples import SAMPLES
from training.__main__ import main
from training.data.aligned import align_picture, with_aligned
from training.data.faces import DataError, Faces
from training.eval.evaluate import evaluate
from training.run.run_folder import ALIGNED
from training.run.train import Trainer


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def face(detector):
    """A real face, grey, 48x48, framed as FER2013 frames them, and turned as asked for."""
    photo = SAMPLES[0].load()
    landmarks = detector.detect(photo)[0].landmarks

    def turned(angle):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        target = (TEMPLATE - 0.5) @ np.array([[c, s], [-s, c]]) * 48 + 24
        return warp(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), similarity(landmarks, target), 48)

    return turned


def likeness(one, other):
    return np.corrcoef(one[8:40, 8:40].ravel(), other[8:40, 8:40].ravel())[0, 1]


@pytest.mark.parametrize("angle", [-20, 20])
def test_a_turned_face_is_levelled(detector, face, angle):
    level = align_picture(detector, face(0))
    assert likeness(face(angle), level) < 0.5
    assert likeness(align_picture(detector, face(angle)), level) > 0.7


def test_where_there_is_no_face_the_picture_stands_for_itself(detector):
    noise = np.random.default_rng(0).integers(0, 255, (48, 48), dtype=np.uint8)
    assert np.array_equal(align_picture(detector, noise), noise)


def test_the_twins_are_kept(faces, tmp_path):
    few = faces.take(np.arange(3))
    cache = tmp_path / "twins.npz"
    first = with_aligned(few, cache)
    assert first.images.shape == (3, 2, 48, 48) and torch.equal(first.images[:, :1], few.images)
    kept = dict(np.load(cache))
    marked = kept["twins"] // 2
    np.savez(cache, twins=marked, of=kept["of"])
    assert torch.equal(with_aligned(few, cache).images[:, 1], torch.from_numpy(marked))
    with pytest.raises(DataError, match="aligned twins of other pictures; delete it"):
        with_aligned(faces.take(np.array([0, 2, 1])), cache)  # the same pictures in another order


def test_pictures_that_are_not_square():
    flat = Faces(torch.zeros(1, 1, 40, 48, dtype=torch.uint8), torch.tensor([0]), np.array(["Training"]))
    with pytest.raises(DataError, match="need square pictures, but these are 48 x 40"):
        with_aligned(flat)


def test_a_network_that_takes_twins_is_trained_and_exported(faces, config, tmp_path):
    from training.report.release import export

    settings = config(model="fer_kim_fusion.paper_fer2013", aligned=True, sizes=[[0, 48]], lr=0.01, epochs=1)
    trainer = Trainer(settings, faces, tmp_path / "run", quiet=True)
    assert trainer.batches.images.shape[1] == 2 and (tmp_path / "run" / ALIGNED).is_file()
    seen = []
    trainer.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    trainer.fit()
    assert {shape[1] for shape in seen} == {2}
    out = tmp_path / "fer_kim_fusion.paper_fer2013"
    metrics = export(tmp_path / "run", out, faces, ())
    # Evaluated on single pictures, as the app and `reproduce` use it, and the card says so.
    again = evaluate(timm.create_model(f"local-dir:{out}", pretrained=True), faces)
    assert again["PrivateTest"] == metrics["PrivateTest"] and metrics["training"]["recipe"]["aligned"] is True
    card = (out / "README.md").read_text()
    assert "Kim 2016" in card and "71.86%" not in card and "aligned twin" in card and "Lee, Yoon" not in card


def test_another_network_is_refused_before_the_long_work(faces, config, tmp_path):
    with pytest.raises(ValueError, match="looks at one picture"):
        Trainer(config(aligned=True), faces, tmp_path, quiet=True)
    assert not (tmp_path / ALIGNED).exists()


def test_duplicates_may_be_left_out_as_well(faces, config, tmp_path):
    settings = config(
        model="fer_kim_fusion.paper_fer2013", aligned=True, drop_duplicates=True, sizes=[[0, 48]], epochs=1
    )
    trainer = Trainer(settings, faces, tmp_path, quiet=True)
    assert len(np.load(tmp_path / ALIGNED)["twins"]) == len(faces) and trainer.batches.images.shape[1] == 2


def test_evaluating_takes_the_twins_that_the_run_has_found(faces, data, config, tmp_path, monkeypatch, capsys):
    settings = config(model="fer_kim_fusion.paper_fer2013", aligned=True, sizes=[[0, 48]], lr=0.01, epochs=1)
    Trainer(settings, faces, tmp_path / "run", quiet=True).fit()
    weights = tmp_path / "run" / "best.safetensors"
    asked = []
    monkeypatch.setattr("training.data.aligned.align_picture", lambda _, picture: asked.append(0) or picture)
    command = ["evaluate", "fer_kim_fusion", "--weights", str(weights), "--data", str(data), "--aligned"]
    assert main(command) == 0 and not asked
    assert "PrivateTest, single view" in capsys.readouterr().out
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(weights, alone)
    command[3] = str(alone / weights.name)
    assert main(command) == 0 and len(asked) == len(faces)
