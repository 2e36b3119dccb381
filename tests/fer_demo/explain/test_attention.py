"""Attention to eyes, brows and mouth on one face: maps where the landmarks are, answers with them and without."""

import re

import numpy as np
import pytest
import timm
import torch

from fer_demo.emotions import LABELS
from fer_demo.explain import attention_figures as draw
from fer_demo.explain.attention import attends, compare, found_landmarks, look, moved_landmarks, where_marked
from fer_demo.models.regions import mirrored, region_maps
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import Predictor
from fer_demo.runtime.cfg_notes import with_flag
from fer_demo.runtime.torch_engine import load_model
from fer_demo.vision.align import TEMPLATE, align_face
from fer_demo.vision.samples import sample
from tests.fer_demo.own_classes import attending

FACE = TEMPLATE * 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return attending(tmp_path_factory.mktemp("attending") / "mine", onnx=True)


@pytest.fixture(scope="module")
def predictor(folder):
    return Predictor(folder, engine="torch", temperature=0.7)


@pytest.fixture(scope="module")
def crop():
    return np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)


def centres(maps: np.ndarray) -> np.ndarray:
    """x and y of each map's middle, as fractions."""
    side = np.arange(maps.shape[-1]) + 0.5
    mass = maps.sum((1, 2))
    return np.stack([(maps.sum(1) * side).sum(1) / mass, (maps.sum(2) * side).sum(1) / mass], 1) / maps.shape[-1]


def test_maps_are_drawn_where_the_landmarks_are(predictor, crop):
    found = look(predictor, crop, FACE)
    assert found.drawn and [one.shape for one in found.maps] == [(3, 12, 12), (3, 12, 12), (3, 6, 6)]
    assert [one.shape for one in found.gates] == [(12, 12), (12, 12), (6, 6)]
    for maps, gate in zip(found.maps, found.gates, strict=True):
        assert maps.dtype == gate.dtype == np.float32 and 0 <= gate.min() < gate.max() <= 2
        wanted = region_maps(torch.tensor(TEMPLATE, dtype=torch.float32)[None], *maps.shape[1:])[0].numpy()
        np.testing.assert_allclose(maps, wanted, atol=1e-5)


def test_landmarks_are_in_pixels_of_the_crop_whatever_the_network_takes(predictor):
    large = np.repeat(np.repeat(np.random.default_rng(1).integers(0, 256, (48, 48), dtype=np.uint8), 2, 0), 2, 1)
    assert large.shape == (96, 96)
    np.testing.assert_allclose(look(predictor, large, 2 * FACE).maps[0], look(predictor, large[::2, ::2], FACE).maps[0])


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_without_landmarks_it_is_the_predictors_answer(folder, engine, crop):
    predictor = Predictor(folder, engine=engine)
    found = look(predictor, crop)
    assert not found.drawn and tuple(found.probabilities) == predictor.labels
    np.testing.assert_allclose(list(found.probabilities.values()), predictor.classify([crop])[0], atol=1e-5)


def test_temperature_and_merged_classes_are_the_predictors(folder, crop):
    merged = Predictor(folder, engine="torch", merge={"low": ["sad", "neutral"]})
    np.testing.assert_allclose(list(look(merged, crop).probabilities.values()), merged.classify([crop])[0], atol=1e-5)
    assert look(merged, crop, FACE).probabilities.keys() == set(merged.labels)


def test_the_answer_with_landmarks_is_the_networks(predictor, crop):
    x = torch.from_numpy(crop)[None, None].float() / 255
    config = predictor.model.pretrained_cfg
    x = (x - config["mean"][0]) / config["std"][0]
    with torch.no_grad():
        logits = predictor.model(x, torch.tensor(FACE, dtype=torch.float32)[None])[0]
    found = look(predictor, crop, FACE).probabilities
    np.testing.assert_allclose(list(found.values()), (logits / 0.7).softmax(0).numpy(), atol=1e-5)
    assert np.abs(np.subtract(list(found.values()), list(look(predictor, crop).probabilities.values()))).max() > 1e-3


def test_moved_landmarks_move_the_maps(predictor, crop):
    eyes = FACE[1, 0] - FACE[0, 0]
    moved = moved_landmarks(FACE, 0.3, -0.1)
    np.testing.assert_allclose(moved - FACE, np.tile([0.3 * eyes, -0.1 * eyes], (5, 1)))
    shift = centres(look(predictor, crop, moved).maps[0]) - centres(look(predictor, crop, FACE).maps[0])
    assert (shift[:, 0] > 0.05).all() and (shift[:, 1] < -0.01).all()
    turned = moved_landmarks(FACE, turn=90)
    np.testing.assert_allclose(turned.mean(0), FACE.mean(0))
    assert turned[1, 1] > turned[0, 1] and turned[3, 0] < turned[0, 0], "clockwise: the left eye goes down"
    np.testing.assert_allclose(moved_landmarks(FACE), FACE)


def test_a_mirror_image_has_mirrored_landmarks(folder, crop):
    """The mean over both images is then the same for a face and its mirror image, which exchange their parts."""
    model = load_model(folder)[0]
    model.pretrained_cfg = with_flag(model.pretrained_cfg, "mirror", True)
    predictor = Predictor(model)
    assert predictor.mirror
    marks = moved_landmarks(FACE, 0.2, 0.1, 15)
    other = mirrored(torch.tensor(marks)[None], 48)[0].numpy()
    assert other[0, 0] < other[1, 0] and other[3, 0] < other[4, 0]
    own, turned = look(predictor, crop, marks), look(predictor, np.ascontiguousarray(crop[:, ::-1]), other)
    np.testing.assert_allclose(list(own.probabilities.values()), list(turned.probabilities.values()), atol=1e-5)
    np.testing.assert_allclose(own.maps[0], turned.maps[0][[1, 0, 2], :, ::-1], atol=1e-5)
    np.testing.assert_allclose(
        list(look(predictor, crop).probabilities.values()), predictor.classify([crop])[0], atol=1e-5
    )


@pytest.mark.parametrize("name", ["astronaut", "grace_hopper"])
def test_a_photos_landmarks_lie_on_its_eyes(name):
    """Where the crop's own eyes are: dark, and near where every crop has them."""
    image = sample(name).load()
    (found,) = Predictor(timm.create_model("fer_sedense_nano")).detect(image)
    crop = align_face(image, found.landmarks, 48)
    marks = found_landmarks(FacePrediction(found.box, found.landmarks, None, dict.fromkeys(LABELS, 1 / 7), crop))
    np.testing.assert_allclose(marks, FACE, atol=4)
    for x, y in marks[:2].round().astype(int):
        assert crop[y - 1 : y + 2, x - 1 : x + 2].mean() < crop[y + 6 : y + 9, x - 1 : x + 2].mean(), "on the cheek"


def test_faces_without_landmarks_have_none(crop):
    for landmarks in (None, np.full((5, 2), np.nan, np.float32)):
        face = FacePrediction((0, 0, 48, 48), landmarks, None, dict.fromkeys(LABELS, 1 / 7), crop)
        assert found_landmarks(face) is None


def test_networks_of_other_attention(crop):
    models = {guide: timm.create_model("fer_sedense_lm_nano", guide=guide) for guide in ("learnt", "cbam", "coord")}
    models["plain"] = timm.create_model("fer_sedense_nano")
    assert [guide for guide, model in models.items() if attends(model)] == ["learnt"]
    learnt = Predictor(models["learnt"])
    assert len(look(learnt, crop).maps) == 3
    with pytest.raises(ValueError, match="takes landmarks"):
        look(learnt, crop, FACE)
    for guide in ("cbam", "plain"):
        with pytest.raises(ValueError, match="no maps of eyes, brows and mouth"):
            look(Predictor(models[guide]), crop)


def test_landmarks_that_make_no_sense(predictor, crop):
    for wrong in (FACE[:4], np.full((5, 2), np.nan)):
        with pytest.raises(ValueError, match="five finite points"):
            look(predictor, crop, wrong)
    assert not any(module._forward_pre_hooks for module in predictor.model.modules())


def test_in_words():
    happy, afraid = {"happy": 0.88, "fear": 0.12}, {"happy": 0.41, "fear": 0.59}
    n = "\N{NO-BREAK SPACE}%"
    assert where_marked(0.3) == f"marked 30{n} too far right"
    assert where_marked(-0.3, 0.1, -5) == (
        f"marked 30{n} too far left, 10{n} too far down and as if turned by 5° counter-clockwise"
    )
    assert compare(happy, afraid, where_marked(0.3)) == (
        f"With the eyes and mouth marked 30{n} too far right, the answer is fear (59{n}) instead of happy (88{n})."
    )
    assert compare(happy, {"happy": 0.91, "fear": 0.09}, where_marked()) == (
        "With the eyes and mouth marked where the detector found them, the answer stays happy "
        f"(91{n} instead of 88{n})."
    )
    assert compare(happy, happy, where_marked(0.3)).endswith(f"stays happy (88{n}).")


def test_pictures(predictor):
    image = sample("astronaut").load()
    (found,) = predictor.detect(image)
    crop = align_face(image, found.landmarks, 48)
    face = FacePrediction(found.box, found.landmarks, None, dict.fromkeys(LABELS, 1 / 7), crop)
    marks = found_landmarks(face)
    one = look(predictor, crop, marks)
    plain = draw.region_picture(np.zeros((3, 6, 6)), image, face)
    shown = draw.region_picture(one.maps[0], image, face, marks)
    assert shown.dtype == np.uint8 and shown.shape == plain.shape and min(shown.shape[:2]) >= draw.SIDE
    assert (plain[..., 0] == plain[..., 2]).all() and (shown == 255).all(2).sum() > 100, "white dots"
    tinted = (shown != plain).any(2)
    assert 0.05 < tinted.mean() < 0.9
    gate = draw.gate_picture(one.gates[1], image, face)
    assert gate.shape == plain.shape
    np.testing.assert_array_equal(draw.gate_picture(np.ones((6, 6)), image, face), plain)
    warm = draw.gate_picture(np.full((6, 6), 1.5), image, face)[240, 240].astype(int)
    cold = draw.gate_picture(np.full((6, 6), 0.5), image, face)[240, 240].astype(int)
    assert warm[0] > warm[2] and cold[2] > cold[0]
    assert draw.one_sided(np.full((6, 6), 1.5)) and not draw.one_sided(np.linspace(0.5, 1.5, 36).reshape(6, 6))
    np.testing.assert_array_equal(draw.gate_picture(np.full((6, 6), 1.5), image, face, 1.5), plain)
    low = draw.region_picture(0.4 * one.maps[0], image, face)  # a line at half of its own height all the same
    assert (low == np.array([0xD5, 0x5E, 0x00])).all(2).sum() > 100
    gate = np.array([[1.6, 2.0], [1.9, 1.9]])
    assert draw.ends(gate) == (0, 2) and draw.ends(gate, float(gate.mean())) == (1.6, 2.0), "no gate is above 2"
    legend = draw.gate_legend(gate, float(gate.mean()))
    assert "1.60: looks away" in legend and "1.85" in legend and "2.00: looks harder" in legend
    legend = draw.gate_legend(np.full((6, 6), 0.75))
    assert "0.75: looks away" in legend and "1.25: looks harder" in legend
    assert len(re.findall(r"<b ", draw.region_legend(("a", "b", "c"), dots=True))) == 4


def test_two_answers_as_bars():
    many = {f"class {i}": (i + 1) / 210 for i in range(20)}
    one = draw.answer_pair({"alone": many})
    assert len(one.data) == 1 and len(one.data[0].y) == 12 and one.data[0].y[-1] == "class 19"
    first, second = {"happy": 0.9, "sad": 0.1}, {"happy": 0.3, "sad": 0.7}
    both = draw.answer_pair({"own": first, "with": second})
    assert {bar.name: dict(zip(bar.y, bar.x, strict=True)) for bar in both.data} == {"own": first, "with": second}
    assert both.layout.showlegend and not one.layout.showlegend
