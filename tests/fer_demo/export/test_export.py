"""Exported files: the same answers as PyTorch's, and everything in them that their use needs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from PIL import Image

from fer_demo import ModelError, Predictor
from fer_demo.__main__ import main
from fer_demo.checkpoints import bundled_checkpoints, checkpoint_dir
from fer_demo.emotions import LABELS
from fer_demo.export import FORMATS, export_model, quantize
from fer_demo.export.check import sample_crops
from fer_demo.runtime.model_info import ModelInfo, model_info
from fer_demo.vision.preprocess import prepare_array

ROOT = Path(__file__).parents[3]
NAME = "fer_sedense_s2.tune_fer2013"


def build(name: str = NAME, **kwargs) -> torch.nn.Module:
    """A model with weights and statistics that batch normalisation cannot be left out of."""
    torch.manual_seed(0)
    model = timm.create_model(name, **kwargs).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        model.get_classifier().weight.normal_(0, 0.3)
    return model


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return build()


@pytest.fixture(scope="module")
def info(model) -> ModelInfo:
    return replace(model_info(model, NAME), temperature=1.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def onnx_file(model, info, folder):
    return export_model(model, info, folder / "model.onnx").file


def test_sample_crops_are_different_faces():
    crops = sample_crops(48)
    assert crops.shape[1:] == (48, 48) and crops.dtype == np.uint8 and len(crops) >= 16
    assert len({crop.tobytes() for crop in crops}) == len(crops)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_answers_as_pytorch(model, info, folder, format):
    done = export_model(model, info, folder / f"every.{format}", format=format)
    assert done.file.stat().st_size == done.size > 1_000_000 and done.faces >= 16
    assert 0 <= done.difference <= 1e-4
    run, read = FORMATS[format][1](done.file)
    assert read == info
    for count in (1, 2, 5):  # any batch size
        x = prepare_array(sample_crops(48)[:count], **info.preprocessing)
        with torch.inference_mode():
            np.testing.assert_allclose(run(x), model(torch.from_numpy(x)).numpy(), atol=1e-4)
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("name", sorted(timm.list_models("fer_sedense*")))
def test_every_architecture(name, tmp_path):
    model = build(name)
    done = export_model(model, model_info(model, name), tmp_path / "model.onnx")
    assert done.difference <= 1e-4
    exported = onnx.load(done.file)
    operators = {node.op_type for node in exported.graph.node}
    assert "Conv" in operators and "BatchNormalization" not in operators and "Gather" not in operators
    # Whoever opens the file in a viewer sees the network, and not one node with the network inside.
    assert not any(attribute.g.node for node in exported.graph.node for attribute in node.attribute)
    assert not exported.functions


def test_the_graph_is_rewritten_unless_it_is_to_stay_plain(tmp_path):
    model = build("fer_sedense")
    known = model_info(model, "fer_sedense")
    x = np.random.default_rng(0).random((3, 1, 48, 48), dtype=np.float32)
    answers = []
    for plain in (False, True):
        file = export_model(model, known, tmp_path / "model.onnx", plain=plain).file
        exported = onnx.load(file)
        assert ("Resize" in {node.op_type for node in exported.graph.node}) != plain
        run = FORMATS["onnx"][1](file)[0]
        answers.append(run(x))
        assert run(x[:0]).shape == (0, 7)
        # The widest concatenation of large maps; the last one in a stage is of pooled maps in the rewritten graph.
        widest = str(4 * (224 if plain else 160) * 48**2)
        assert {p.key: p.value for p in exported.metadata_props}["fer_demo.map_bytes"] == widest
    np.testing.assert_allclose(*answers, atol=1e-4)
    with pytest.raises(ModelError, match="Only onnx in fp32 is rewritten"):
        export_model(model, known, tmp_path / "model.pt2", format="pt2", plain=True)


def test_the_file_is_enough(onnx_file, info):
    # As a program without this package uses it.
    session = onnxruntime.InferenceSession(onnx_file)
    metadata = {k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}
    assert metadata.pop("fer_demo.map_bytes") == 4 * 160 * 24 * 24  # the widest concatenation
    assert metadata == {
        "fer_demo.name": NAME,
        "fer_demo.labels": list(LABELS),
        "fer_demo.size": [48, 48],
        "fer_demo.mean": 0.0,
        "fer_demo.std": 1.0,
        "fer_demo.temperature": 1.25,
        "fer_demo.precision": "fp32",
        "fer_demo.set_threshold": None,
        "fer_demo.mirror": False,
        "fer_demo.robust": False,
    }
    crop = sample_crops(48)[0]
    (logits,) = session.run(None, {"input": crop[None, None].astype(np.float32) / 255})
    scaled = np.exp(logits[0] / metadata["fer_demo.temperature"])
    np.testing.assert_allclose(Predictor(onnx_file).classify([crop])[0], scaled / scaled.sum(), atol=1e-6)


def test_the_file_says_nothing_of_the_machine(onnx_file):
    content = onnx_file.read_bytes()
    assert b"/root" not in content and b".py" not in content and b"site-packages" not in content


def test_fp16_is_half_as_large_and_nearly_the_same(model, info, folder, onnx_file):
    done = export_model(model, info, folder / "half.onnx", precision="fp16")
    assert done.size < 0.6 * onnx_file.stat().st_size
    assert done.probability_difference < 0.02
    predictor = Predictor(done.file)
    crops = sample_crops(48)
    np.testing.assert_allclose(predictor.classify(crops), Predictor(onnx_file).classify(crops), atol=0.02)
    assert Predictor(done.file)._engine.info.precision == "fp16"


def test_int8_is_a_third_as_large_and_about_the_same(model, info, folder, onnx_file):
    done = export_model(model, info, folder / "eight.onnx", precision="int8", calibration=sample_crops(48))
    assert done.size < 0.45 * onnx_file.stat().st_size
    assert any(node.op_type == "DequantizeLinear" for node in onnx.load(done.file).graph.node)
    crops = sample_crops(48)
    exact, coarse = Predictor(onnx_file).classify(crops), Predictor(done.file).classify(crops)
    assert np.abs(exact - coarse).mean() < 0.05
    assert np.abs(exact - exact.mean(axis=0)).mean() > 0.005  # faces are told apart, so the line above means something


def test_int8_needs_faces(model, info, tmp_path):
    with pytest.raises(ModelError, match="calibrated on real faces"):
        export_model(model, info, tmp_path / "x.onnx", precision="int8")


def test_precisions_are_for_onnx(model, info, tmp_path):
    with pytest.raises(ModelError, match="goes with the format onnx"):
        export_model(model, info, tmp_path / "x.pt2", format="pt2", precision="fp16")


def test_a_file_that_answers_differently_is_not_kept(model, info, tmp_path, monkeypatch):
    file = tmp_path / "model.onnx"
    file.write_text("the old one")
    monkeypatch.setattr("fer_demo.export.torch_logits", lambda model, x: np.ones((len(x), 7), np.float32))
    with pytest.raises(ModelError, match="differ from PyTorch's by"):
        export_model(model, info, file)
    assert file.read_text() == "the old one" and [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


class TestMetadata:
    def test_there_and_back(self, info):
        assert ModelInfo.from_metadata(info.to_metadata() | {"other": "?"}, "x.onnx") == info

    def test_a_file_of_an_older_version_has_no_threshold(self, info):
        metadata = replace(info, set_threshold=0.1).to_metadata()
        assert ModelInfo.from_metadata(metadata, "x.onnx").set_threshold == 0.1
        del metadata["fer_demo.set_threshold"]
        assert ModelInfo.from_metadata(metadata, "x.onnx").set_threshold is None

    @pytest.mark.parametrize(
        "change",
        [
            {"labels": '["a"]'},
            {"temperature": "0"},
            {"set_threshold": "1.5"},
            {"set_threshold": '"high"'},
            {"size": "[48]"},
            {"std": "0.0"},
            {"mean": "broken"},
            {"name": None},
        ],
    )
    def test_nonsense(self, info, change):
        metadata = info.to_metadata() | {f"fer_demo.{k}": v for k, v in change.items() if v}
        for key, value in change.items():
            if value is None:
                del metadata[f"fer_demo.{key}"]
        with pytest.raises(ModelError, match=r"x\.onnx does not state"):
            ModelInfo.from_metadata(metadata, "x.onnx")


class TestBundled:
    @pytest.mark.parametrize("name", bundled_checkpoints())
    def test_the_onnx_file_agrees_with_the_weights(self, name):
        assert (checkpoint_dir(name) / "model.onnx").is_file(), "python -m fer_demo export writes it"
        onnx, torch_ = (Predictor(name, engine=engine) for engine in ("onnx", "torch"))
        assert onnx._engine.info == torch_._engine.info
        x = prepare_array(sample_crops(onnx.input_size[0]), **onnx._engine.info.preprocessing)
        np.testing.assert_allclose(onnx._engine.logits(x), torch_._engine.logits(x), atol=1e-4)


class TestCommand:
    def test_writes_and_says_so(self, tmp_path, capsys):
        out = tmp_path / "deep" / "model.onnx"
        assert main(["export", NAME, "--format", "onnx", "--out", str(out)]) == 0
        said = capsys.readouterr().out
        assert str(out) in said and "crops of real faces" in said
        assert Predictor(out).name == NAME

    def test_an_architecture_has_its_checkpoints_weights(self, tmp_path):
        assert main(["export", "fer_sedense_s2", "--format", "pt2", "--out", str(tmp_path / "m.pt2")]) == 0
        assert FORMATS["pt2"][1](tmp_path / "m.pt2")[1].name == NAME

    def test_int8_is_calibrated_on_pictures(self, tmp_path, capsys, monkeypatch):
        """A folder's pictures as face crops, a limited number of them drawn at random; or one picture."""
        crops = sample_crops(48)
        pictures = tmp_path / "faces" / "happy"
        pictures.mkdir(parents=True)
        for i, crop in enumerate(crops):
            Image.fromarray(crop).save(pictures / f"{i:02}.png")
        Image.fromarray(crops[3]).convert("RGB").resize((96, 96), Image.Resampling.BILINEAR).save(tmp_path / "one.jpg")
        seen = []
        monkeypatch.setattr(
            quantize, "to_int8", lambda file, faces, real=quantize.to_int8: seen.append(faces) or real(file, faces)
        )
        monkeypatch.setattr("fer_demo.cli.export.CALIBRATION_PICTURES", 12)
        for source in (tmp_path / "faces", tmp_path / "one.jpg"):
            out = tmp_path / "q.onnx"
            assert main(["export", NAME, "--int8", "--calibration", str(source), "--out", str(out)]) == 0
            assert "int8; on" in capsys.readouterr().out
            assert Predictor(out)._engine.info.precision == "int8"
        many, one = seen
        drawn = {(x * 255).round().astype(np.uint8).tobytes() for x in many[:, 0]}
        assert len(drawn) == len(many) == 12 and drawn < {crop.tobytes() for crop in crops}
        assert one.shape == (1, 1, 48, 48) and np.abs(one[0, 0] * 255 - crops[3]).mean() < 12

    @pytest.mark.parametrize(
        "arguments", [["--int8"], ["--calibration", "faces"], ["--fp16", "--calibration", "faces"]]
    )
    def test_int8_and_calibration_go_together(self, arguments, tmp_path, capsys):
        with pytest.raises(SystemExit) as error:
            main(["export", NAME, *arguments, "--out", str(tmp_path / "x.onnx")])
        assert error.value.code == 2 and "--int8 and --calibration go together" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["nobody"], "There is no model 'nobody'"),
            (["resnet18"], "There is no model 'resnet18'; give"),
            (["resnet18", "--untrained"], "must take a grey square"),
            (["nobody", "--untrained"], "registered architecture"),
            ([NAME, "--int8", "--calibration", "/no/such/path"], "/no/such/path does not exist"),
            ([NAME, "--int8", "--calibration", "fer_demo/export"], "There are no pictures in fer_demo/export"),
            ([NAME, "--int8", "--calibration", "README.md"], "README.md is not a picture"),
            ([NAME, "--fp16", "--format", "pt2"], "goes with the format onnx"),
        ],
    )
    def test_bad_input_is_one_sentence(self, arguments, sentence, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(ROOT)
        out = tmp_path / "x.onnx"
        assert main(["export", *arguments, "--out", str(out)]) == 1
        said = capsys.readouterr().err
        assert sentence in said and "Traceback" not in said and said.count("\n") == 1
        assert not out.exists()

    def test_no_out(self, capsys):
        with pytest.raises(SystemExit):
            main(["export", NAME])
        assert "--out FILE" in capsys.readouterr().err
