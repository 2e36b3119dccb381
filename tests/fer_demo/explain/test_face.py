"""Explanations of one face: laid back onto the photo, drawn, written to files."""

import json
import re
import threading

import numpy as np
import plotly.graph_objects as go
import pytest
import timm
import torch
from PIL import Image
from plotly.offline import get_plotlyjs

from fer_demo.__main__ import main
from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.emotions import LABELS
from fer_demo.explain import channel_figures, figures, with_channel
from fer_demo.explain.face import (
    FaceMap,
    channel_effect,
    face_channel_importance,
    face_channel_map,
    face_channels,
    face_curves,
    face_map,
    on_photo,
)
from fer_demo.prediction import FacePrediction
from fer_demo.predictor import Predictor

GATE = "stages.1.blocks.0.se"


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(1)
    return Predictor(timm.create_model("fer_sedense_s2"), temperature=0.8)


@pytest.fixture(scope="module")
def crop():
    return np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)


def face_at(landmarks=None, box=(0.0, 0.0, 48.0, 48.0), size=48):
    return FacePrediction(box, landmarks, None, dict.fromkeys(LABELS, 1 / 7), np.zeros((size, size), np.uint8))


def test_a_map_of_a_face(predictor, crop):
    found = face_map(predictor, crop, "happy")
    assert found.values.shape == (48, 48) and found.cells == 3 and found.delta is None
    against = face_map(predictor, crop, "happy", against="sad").values
    np.testing.assert_allclose(against, found.values - face_map(predictor, crop, "sad").values, atol=1e-5)
    assert face_map(predictor, crop, "fear", method="integrated_gradients").delta is not None
    with pytest.raises(ValueError, match="Unknown expression 'bored'; choose one of angry"):
        face_map(predictor, crop, "bored")


def test_the_map_lies_where_the_crop_was_cut():
    """A spot in the crop must land on the same spot of the photo, also on a turned and enlarged face."""
    from fer_demo.vision.align import align_face

    image = np.zeros((300, 400, 3), np.uint8)
    landmarks = np.array([[160, 110], [215, 130], [180, 150], [150, 170], [200, 190]], np.float32)
    image[145:156, 175:186] = 255  # around the nose
    crop = align_face(image, landmarks, 48)
    part, laid, inside = on_photo(crop.astype(np.float32), image, face_at(landmarks), margin=0.5)
    assert part.shape[:2] == laid.shape == inside.shape
    bright = part[..., 0] > 128
    weight = np.where(laid > 60, laid, 0)
    rows, columns = np.indices(laid.shape)
    centre = [(rows * weight).sum() / weight.sum(), (columns * weight).sum() / weight.sum()]
    np.testing.assert_allclose(centre, [rows[bright].mean(), columns[bright].mean()], atol=1.0)
    assert not inside[0, 0] and laid[~inside].max() == 0


def test_a_whole_picture_is_covered_and_a_box_at_the_border_is_cut():
    image = np.zeros((48, 48, 3), np.uint8)
    part, _, inside = on_photo(np.ones((48, 48)), image, face_at())
    assert part.shape == (48, 48, 3) and inside.mean() > 0.95
    part, _, inside = on_photo(np.ones((48, 48)), np.zeros((100, 100, 3), np.uint8), face_at(box=(-20, 60, 60, 60)))
    assert 0 < part.shape[0] <= 100 and inside.any()


def test_large_photos_are_shown_smaller():
    image = np.zeros((3000, 3000, 3), np.uint8)
    part, laid, _ = on_photo(np.ones((48, 48)), image, face_at(box=(0, 0, 3000, 3000)))
    assert max(part.shape) == 800 and laid.shape == part.shape[:2]


def test_channels(predictor, crop):
    weights = face_channels(predictor, crop)
    assert len(weights) == 12 and weights[GATE].shape == (32,)
    own = float(weights[GATE][3])
    answers = channel_effect(predictor, crop, GATE, 3, {"as it is": own, "shut": 0.0})
    np.testing.assert_allclose(list(answers["as it is"].values()), predictor.classify([crop])[0], atol=1e-5)
    assert answers["shut"] != answers["as it is"] and sum(answers["shut"].values()) == pytest.approx(1, abs=1e-5)
    assert face_channel_map(predictor, crop, GATE, 3).shape == (12, 12)


@pytest.mark.parametrize("name", [name for name in bundled_checkpoints() if name.startswith("fer_sedense")])
def test_channels_are_held_whatever_engine_answers(name, crop):
    """ONNX Runtime has no hooks: the answer must come from the network whose channel is held."""
    bundled = Predictor(name)
    gates = face_channels(bundled, crop)
    gate, channel = max(((g, int(w.argmax())) for g, w in gates.items()), key=lambda place: gates[place[0]].max())
    answers = channel_effect(bundled, crop, gate, channel, {"as it is": float(gates[gate][channel]), "shut": 0.0})
    np.testing.assert_allclose(list(answers["as it is"].values()), bundled.classify([crop])[0], atol=1e-4)
    assert max(abs(answers["shut"][k] - p) for k, p in answers["as it is"].items()) > 1e-3


def test_a_model_runs_in_one_thread_while_a_channel_is_held(predictor, crop):
    """Another visitor's answer must not be the one with the channel shut."""
    plain, answers = predictor.classify([crop]), []
    with with_channel(predictor.model, GATE, 3, 0.0):
        other = threading.Thread(target=lambda: answers.append(predictor.classify([crop])))
        other.start()
        other.join(0.3)
        assert not answers
    other.join()
    np.testing.assert_array_equal(answers[0], plain)


def test_shutting_each_channel_is_shutting_it(predictor, crop):
    """All channels side by side give what one at a time gives."""
    changes = face_channel_importance(predictor, crop, "happy", GATE)
    x = torch.from_numpy(crop)[None, None].float() / 255
    with torch.no_grad():
        plain = predictor.model(x)[0, 3]
        for channel in (0, 15, 16, 31):
            with with_channel(predictor.model, GATE, channel, 0.0) as model:
                assert float(model(x)[0, 3] - plain) == pytest.approx(float(changes[channel]), abs=1e-5)
    assert changes.shape == (32,) and np.abs(changes).max() > 0
    with pytest.raises(ValueError, match="Unknown gate 'nothing'"):
        face_channel_importance(predictor, crop, "happy", "nothing")
    with torch.no_grad():
        torch.testing.assert_close(predictor.model(x)[0, 3], plain)  # and everything is open again


def test_a_soft_map_fades_out_at_the_edge_of_the_crop():
    image = np.zeros((200, 200, 3), np.uint8)
    face = face_at(box=(50, 50, 100, 100))
    _, hard, inside = on_photo(np.ones((48, 48)), image, face)
    _, soft, _ = on_photo(np.ones((48, 48)), image, face, soft=0.15)
    middle = soft.shape[0] // 2
    assert hard[inside].min() > 0.9 and soft[middle, middle] == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(soft[middle])).max() < 0.15 and np.abs(np.diff(hard[middle])).max() > 0.9


def test_curves_have_controls_of_the_same_coarseness(predictor, crop):
    coarse = face_curves(predictor, crop, "sad", face_map(predictor, crop, "sad"))
    assert list(coarse) == ["this map", "random patches", "middle of the picture"]
    own = dict(zip(predictor.labels, predictor.classify([crop])[0], strict=True))["sad"]
    assert coarse["this map"]["deletion"][0] == pytest.approx(own, abs=1e-5)  # with the temperature
    assert 0 <= coarse["this map"]["insertion_area"] <= 1
    fine = face_curves(predictor, crop, "sad", face_map(predictor, crop, "sad", method="smoothgrad"))
    assert "random pixels" in fine


class TestFigures:
    def test_blend_colours_what_counts(self):
        photo = np.full((4, 4), 100, np.uint8)
        values = np.zeros((4, 4))
        values[0, 0], values[3, 3] = 2, -2
        shown = figures.blend(photo, values, opacity=1.0)
        assert shown.shape == (4, 4, 3) and (shown[1, 1] == 100).all()
        assert shown[0, 0, 0] > shown[0, 0, 2] and shown[3, 3, 2] > shown[3, 3, 0]  # red for, blue against
        assert (figures.blend(photo, values, signed=False)[3, 3] == 100).all()
        assert (figures.blend(photo, np.zeros((4, 4))) == 100).all()

    def test_a_few_extreme_pixels_do_not_leave_the_others_pale(self):
        values = np.random.default_rng(0).normal(size=(48, 48))
        values[0, 0] = 100
        assert figures.robust_limit(values) < 5 < figures.limit(values)
        photo = np.full((48, 48), 100, np.uint8)
        pale = figures.blend(photo, values).astype(int) - 100
        seen = figures.blend(photo, values, strongest=figures.robust_limit(values)).astype(int) - 100
        assert np.abs(seen).mean() > 3 * np.abs(pale).mean()
        assert figures.robust_limit(np.zeros((4, 4))) > 0
        assert figures.softened(values).std() < values.std()

    def test_importance(self):
        fig = channel_figures.importance_bars(np.array([0.1, -0.5, 0.2]), count=2)
        assert list(fig.data[0].y) == ["channel 1", "channel 2"]
        assert list(fig.data[0].x) == [0.5, -0.2]  # what speaks for the class points right
        assert list(fig.data[0].marker.color) == [channel_figures.FOR, channel_figures.AGAINST]

    def test_gates(self):
        weights = {"stages.0.blocks.1.se": np.array([0.1, 0.9]), "odd": np.array([0.5, 0.5])}
        fig = channel_figures.gate_heatmap(weights)
        assert list(fig.data[0].y) == ["stage 1, block 2", "odd"] and fig.data[0].zmax == 1
        assert list(fig.data[1].customdata[1]) == ["stages.0.blocks.1.se", 1]
        means = {name: np.array([0.2, 0.4]) for name in weights}
        difference = channel_figures.gate_heatmap(weights, means)
        assert difference.data[0].z[0][1] == pytest.approx(0.5) and difference.data[0].zmin == -difference.data[0].zmax
        assert channel_figures.most_different(weights, means, 1)[0] == ("stages.0.blocks.1.se", 1, 0.9, 0.4)

    def test_gates_of_blocks_with_different_widths(self):
        weights = {"stages.0.blocks.0.se": np.array([0.1, 0.9]), "stages.1.blocks.0.se": np.array([0.2, 0.3, 0.4])}
        for means, first in ((None, 0.1), ({n: w - 0.5 for n, w in weights.items()}, 0.5)):
            cells, markers = channel_figures.gate_heatmap(weights, means).data
            assert cells.z[0][0] == pytest.approx(first) and np.isnan(cells.z[0][2]) and not np.isnan(cells.z[1][2])
            assert len(markers.x) == 5 and ["stages.0.blocks.0.se", 2] not in [list(c) for c in markers.customdata]
            assert np.isfinite(cells.zmax)

    def test_effects_are_counted_from_the_answer_as_it_is(self):
        fig = channel_figures.effect_bars({"as it is": {"a": 0.5, "b": 0.5}, "shut": {"a": 0.7, "b": 0.3}})
        assert len(fig.data) == 1 and list(fig.data[0].y) == pytest.approx([20, -20])
        assert fig.layout.yaxis.range[1] > 20
        small = channel_figures.effect_bars({"as it is": {"a": 0.5}, "shut": {"a": 0.5001}})
        assert small.layout.yaxis.range[1] >= 1

    def test_layer_titles(self):
        assert figures.layer_title("stages.2") == "after stage 3"
        assert figures.layer_title("stages.2.blocks.0") == "after stage 3, block 1"

    def test_hover_and_curves(self, predictor, crop):
        found = FaceMap(np.linspace(-1, 1, 48 * 48).reshape(48, 48), 3)
        assert isinstance(figures.hover_map(crop, found.values), go.Figure)
        fig = figures.faithfulness_curves(face_curves(predictor, crop, "sad", found))
        assert len(fig.data) == 6 and {t.line.dash for t in fig.data} == {"dash", "solid"}


@pytest.mark.skipif(not bundled_checkpoints(), reason="no trained checkpoint is bundled")
class TestCommand:
    def test_a_photo(self, tmp_path, astronaut, capsys):
        photo = tmp_path / "me & you.png"
        Image.fromarray(astronaut).save(photo)
        out = tmp_path / "out"
        assert main(["explain", str(photo), "--out", str(out), "--layer", "stages.2"]) == 0
        assert {p.name for p in out.iterdir()} == {"me & you-1.png", "me & you.html"}
        text = (out / "me & you.html").read_text()
        assert "me &amp; you.png" in text and "Is this map to be believed?" in text
        page = text.replace(get_plotlyjs(), "")  # which names addresses, but loads none
        assert len(page) < len(text) and not re.findall(r'(?:src|href)="(?!data:)', page) and "<link" not in page
        assert "me & you-1.png: looks" in capsys.readouterr().out

    @pytest.mark.parametrize("name", bundled_checkpoints())
    def test_every_checkpoint(self, name, tmp_path, astronaut):
        photo = tmp_path / "p.png"
        Image.fromarray(astronaut).save(photo)
        assert main(["explain", str(photo), "--out", str(tmp_path / "out"), "--model", name]) == 0
        gated = name.startswith("fer_sedense")  # others have no squeeze-and-excitation
        assert ("the channel weights" in (tmp_path / "out" / "p.html").read_text()) == gated

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--label", "bored"], "Unknown expression 'bored'"),
            (["--method", "magic"], "Unknown method 'magic'"),
            (["--layer", "stages.9"], "Unknown layer 'stages.9'"),
            (["--model", "nothing"], "There is no model 'nothing'"),
        ],
    )
    def test_wrong_use_is_one_sentence(self, tmp_path, astronaut, capsys, arguments, message):
        photo = tmp_path / "p.png"
        Image.fromarray(astronaut).save(photo)
        assert main(["explain", str(photo), "--out", str(tmp_path / "out"), *arguments]) == 1
        error = capsys.readouterr().err.strip()
        assert message in error and error.startswith("error: ") and "\n" not in error

    def test_no_face(self, tmp_path, capsys):
        photo = tmp_path / "wall.png"
        Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(photo)
        assert main(["explain", str(photo), "--out", str(tmp_path / "out")]) == 1
        assert "No face was found" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_what_ships_with_a_checkpoint_fits_it(name):
    from fer_demo.checkpoints import checkpoint_file
    from fer_demo.explain import gates

    model = timm.create_model(name.partition(".")[0])
    means = checkpoint_file(name, "channels.json")["means"]
    assert list(means) == list(gates(model))
    for module, by_class in means.items():
        assert set(by_class) == set(LABELS)
        width = model.get_submodule(module).fc1.in_channels
        assert all(len(v) == width and 0 <= min(v) <= max(v) <= 1 for v in by_class.values())
    measured = checkpoint_file(name, "faithfulness.json")
    assert measured["n"] >= 200 and json.dumps(measured)
    assert measured["methods"]["Grad-CAM"]["gain_insertion"][1] > 0  # the interval's lower end
    assert measured["methods"]["Grad-CAM"]["gain_deletion"][1] > 0
