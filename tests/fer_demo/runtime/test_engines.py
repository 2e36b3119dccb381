"""Both engines give the same answers; which one runs when; and what is said when one cannot."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch

from fer_demo import ModelError, Predictor
from fer_demo.export import export_model
from fer_demo.export.check import sample_crops
from fer_demo.runtime.engines import MAP_BYTES, OnnxEngine, make_engine
from fer_demo.runtime.model_info import model_info
from fer_demo.vision.samples import SAMPLES

NAME = "fer_sedense_s2.tune_fer2013"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkpoint whose ONNX file and weights differ on purpose, so that one can tell which of them answered."""
    folder = tmp_path_factory.mktemp("checkpoints") / "fer_sedense_s2.mine"
    torch.manual_seed(0)
    weights, other = (timm.create_model(NAME).eval() for _ in range(2))
    for model in (weights, other):
        torch.nn.init.normal_(model.get_classifier().weight)
    timm.models.save_for_hf(weights, folder, safe_serialization=True)
    export_model(other, replace(model_info(other, folder.name), temperature=3.0), folder / "model.onnx")
    return folder


@pytest.fixture
def file(folder, tmp_path) -> Path:
    return Path(shutil.copy(folder / "model.onnx", tmp_path / "alone.onnx"))


def test_both_engines_give_the_same_answers():
    predictors = {engine: Predictor(NAME, engine=engine) for engine in ("onnx", "torch")}
    assert {predictor.engine for predictor in predictors.values()} == {"onnx", "torch"}
    images = [sample.load() for sample in SAMPLES if sample.shows]
    for one, other in zip(*(p.predict(images) for p in predictors.values()), strict=True):
        assert len(one) == len(other) > 0
        for a, b in zip(one, other, strict=True):
            assert (a.box, a.sentence) == (b.box, b.sentence)
            np.testing.assert_allclose(list(a.probabilities.values()), list(b.probabilities.values()), atol=1e-5)
    crops = [np.ascontiguousarray(image[:77, :60, 0]) for image in images]  # to be resized
    np.testing.assert_allclose(*(p.classify(crops) for p in predictors.values()), atol=1e-5)


def test_onnx_is_the_default_where_it_can_be(folder, file, monkeypatch):
    assert Predictor().engine == Predictor(NAME).engine == Predictor(folder).engine == Predictor(file).engine == "onnx"
    assert Predictor(folder, engine="torch").engine == "torch"
    assert Predictor(timm.create_model(NAME)).engine == "torch"
    monkeypatch.setattr("fer_demo.runtime.engines.installed", lambda *packages: "onnxruntime" not in packages)
    assert Predictor(folder).engine == "torch"


def test_the_engine_that_is_named_answers(folder):
    crops = sample_crops(48)
    onnx_, torch_ = Predictor(folder, engine="onnx"), Predictor(folder, engine="torch")
    assert np.abs(onnx_.classify(crops) - torch_.classify(crops)).max() > 0.01
    assert (onnx_.temperature, torch_.temperature) == (3, 1)
    assert Predictor(folder, temperature=2).temperature == 2


def test_the_model_behind_an_onnx_engine_is_loaded_when_it_is_asked_for(folder, file):
    predictor = Predictor(folder)
    assert predictor._explainable is None
    assert predictor.model is predictor.model and not predictor.model.training
    assert predictor.device == "cpu" and predictor.engine == "onnx"
    with pytest.raises(ModelError, match="is an ONNX file"):
        _ = Predictor(file).model


def test_many_batches_and_many_threads():
    predictor = Predictor(NAME, threads=1)
    once = sample_crops(48)
    crops = np.concatenate([once] * 9)  # more than two batches
    expected = predictor.classify(crops)
    np.testing.assert_allclose(expected[: len(once)], expected[-len(once) :], atol=1e-6)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(predictor.classify, [crops] * 4):
            np.testing.assert_allclose(rows, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("map_bytes", "longest"), [(None, 8), ("nonsense", 8), ("0", 8), ("1000", 8), (str(1 << 20), 3), (str(1 << 30), 1)]
)
def test_large_maps_come_a_few_at_a_time(file, map_bytes, longest, monkeypatch):
    model = onnx.load(file)
    properties = {p.key: p.value for p in model.metadata_props if p.key != MAP_BYTES}
    onnx.helper.set_model_props(model, properties | ({MAP_BYTES: map_bytes} if map_bytes else {}))
    onnx.save(model, file)
    engine, lengths = OnnxEngine(file), []

    class Spy:
        def __init__(self, session):
            self.run = lambda names, feed: lengths.append(len(*feed.values())) or session.run(names, feed)

    x = np.random.default_rng(0).random((20, 1, 48, 48), dtype=np.float32)
    expected = np.concatenate([engine.logits(one[None]) for one in x])
    monkeypatch.setattr(engine, "_session", Spy(engine._session))
    np.testing.assert_allclose(engine.logits(x), expected, atol=1e-4)
    assert max(lengths) == longest and sum(lengths) == 20


def test_number_of_threads(file, monkeypatch):
    def threads(engine: OnnxEngine) -> int:
        return engine._session.get_session_options().intra_op_num_threads

    assert threads(OnnxEngine(file, threads=3)) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads(OnnxEngine(file)) == 2
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads(OnnxEngine(file)) == 0  # ONNX Runtime's own choice


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"engine": "steam"}, "no engine 'steam'; choose one of onnx, torch"),
            ({"engine": "onnx", "device": "cuda"}, "runs on the CPU"),
            ({"model": "nobody", "engine": "onnx"}, "There is no model 'nobody'"),
        ],
    )
    def test_arguments(self, arguments, sentence):
        with pytest.raises(ModelError, match=sentence):
            make_engine(**arguments)

    def test_objects_need_torch(self):
        with pytest.raises(ModelError, match="export_model"):
            Predictor(timm.create_model(NAME), engine="onnx")

    def test_files_need_onnx(self, file):
        for options in ({"engine": "torch"}, {"device": "cuda"}):
            with pytest.raises(ModelError, match="is an ONNX file"):
                Predictor(file, **options)

    def test_a_folder_without_an_onnx_file(self, folder, tmp_path):
        bare = Path(shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.onnx")))
        assert Predictor(bare).engine == "torch"
        with pytest.raises(ModelError, match=r"python -m fer_demo export .*bare --format onnx --out .*model\.onnx"):
            Predictor(bare, engine="onnx")

    def test_damaged_files(self, file):
        file.write_bytes(file.read_bytes()[:1000])
        with pytest.raises(ModelError, match=r"alone\.onnx cannot be loaded"):
            Predictor(file)

    def test_files_of_others(self, file):
        model = onnx.load(file)
        del model.metadata_props[:]
        onnx.save(model, file)
        with pytest.raises(ModelError, match="does not state what its model takes"):
            Predictor(file)

    def test_without_packages(self, folder, file, monkeypatch):
        monkeypatch.setattr("fer_demo.runtime.engines.installed", lambda *packages: False)
        with pytest.raises(ModelError, match="pip install onnxruntime"):
            Predictor(file)
        with pytest.raises(ModelError, match="which is not installed"):
            Predictor(folder)


# Both orders; a module of timm instead of timm; and with timm there already nothing waits for it.
@pytest.mark.parametrize(
    "imports",
    [
        "import fer_demo, timm",
        "import timm, fer_demo",
        "import fer_demo, timm.layers, timm",
        "import fer_demo.models, timm",
        "import fer_demo, importlib.util; importlib.util.find_spec('timm'); import timm",
    ],
)
@pytest.mark.processes
def test_models_are_registered_with_timm(imports):
    code = (
        f"import sys; {imports}\n"
        "assert timm.is_model('fer_sedense') and fer_demo.models.sedense\n"
        "assert timm.__spec__.loader is timm.__loader__ and timm.__loader__.get_filename()\n"
        "assert not [f for f in sys.meta_path if type(f).__module__.startswith('fer_demo')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.processes
def test_predicting_imports_no_torch():
    code = (
        "import sys, numpy as np, fer_demo\n"
        "from fer_demo.web import shared as predictors\n"
        "fer_demo.Predictor().predict(np.zeros((60, 60), np.uint8), whole_image=True)\n"
        "assert not {'torch', 'timm', 'torchvision', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
