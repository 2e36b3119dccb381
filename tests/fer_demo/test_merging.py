"""Several classes taken for one."""

import copy
import pickle
import shutil

import numpy as np
import pytest

from fer_demo import ModelError, Predictor
from fer_demo.calibration import fit_set_threshold, fit_temperature, sum_groups
from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics, resolve
from fer_demo.emotions import LABELS
from fer_demo.merging import merge_classes, parse_merges, sums
from fer_demo.runtime.engines import stated_labels
from fer_demo.validation import FILE, read_validation
from tests.fer_demo.own_classes import add_validation, checkpoint

NEGATIVE = {"negative": ["angry", "sad", "fear", "disgust"]}


def test_the_merged_class_stands_where_its_first_was():
    found = merge_classes(LABELS, NEGATIVE)
    assert found.names == ("negative", "happy", "surprise", "neutral")
    assert found.groups == ((0, 1, 2, 4), (3,), (5,), (6,))
    assert merge_classes(LABELS, {"happy": ["happy", "surprise"]}).names[3] == "happy"  # its own name is free


@pytest.mark.parametrize(
    ("merge", "words"),
    [
        ({"negative": ["angry", "furious"]}, "no class 'furious' to merge; choose some of angry, disgust"),
        ({"a": ["sad", "fear"], "b": ["angry", "sad"]}, "'sad' is merged twice"),
        ({"a": ["sad", "sad"]}, "'sad' is merged twice"),
        ({"happy": ["sad", "fear"]}, "cannot be called 'happy' beside the class"),
        ({"all": LABELS}, "all classes are 'all'; merge fewer"),
        ({"label": ["sad", "fear"]}, "No class can be called 'label'"),
        ({"a": []}, "'a' needs a list of classes"),
        ({"a": "sad"}, "'a' needs a list of classes"),
    ],
)
def test_merges_that_make_no_sense(merge, words):
    with pytest.raises(ModelError, match=words) as error:
        merge_classes(LABELS, merge)
    assert str(error.value).endswith(".")


def test_what_the_command_line_takes():
    assert parse_merges(["negative=angry, not happy", "b=c"]) == {"negative": ("angry", "not happy"), "b": ("c",)}
    assert parse_merges([]) is None
    for texts, words in (
        (["a"], "'a' merges nothing"),
        (["a=b,"], "merges nothing"),
        (["a=b", "a=c"], "are called 'a'"),
    ):
        with pytest.raises(ModelError, match=words):
            parse_merges(texts)


def test_the_temperature_is_that_of_the_least_loss():
    rng = np.random.default_rng(0)
    truth = np.eye(5)[rng.integers(0, 5, 2000)]
    z = 3 * (2 * truth + rng.normal(size=truth.shape))
    groups = ((0, 1), (2,), (3, 4))

    def loss(temperature, parts):
        return -np.log((sums(z, temperature, parts) * sum_groups(truth, parts)).sum(1)).mean()

    for parts in (None, groups):
        found = fit_temperature(z, truth, parts)
        parts = parts or tuple((i,) for i in range(5))
        assert all(loss(found, parts) <= loss(found * factor, parts) for factor in (0.99, 1.01, 0.5, 2))


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_bundled_checkpoints_bring_what_their_confidence_was_fitted_on(name):
    held = read_validation(resolve(name), 7)
    metrics = checkpoint_metrics(name)
    assert held is not None and len(held.logits) == metrics["PublicTest"]["n"]
    temperature = fit_temperature(held.logits, held.truth)
    assert temperature == pytest.approx(metrics["temperature"], abs=5e-4)
    p = sums(held.logits, temperature, tuple((i,) for i in range(7)))
    assert fit_set_threshold(p, held.truth) == pytest.approx(metrics["set_threshold"], abs=1e-3)


def test_answers_are_sums_at_a_temperature_of_their_own(astronaut):
    name = "fer_sedense_nano.wide_fer2013"
    predictor = Predictor(name, merge=NEGATIVE)
    (face,) = predictor.predict(astronaut)
    assert tuple(face.probabilities) == predictor.labels == ("negative", "happy", "surprise", "neutral")
    plain = Predictor(name, temperature=predictor.temperature).predict(astronaut)[0].probabilities
    assert face.probabilities["negative"] == pytest.approx(sum(plain[n] for n in NEGATIVE["negative"]), abs=1e-5)
    assert predictor.temperature != Predictor(name).temperature and 0 < predictor.set_threshold < 1
    assert Predictor(name, merge=NEGATIVE, temperature=2).set_threshold is None
    for other in (copy.copy(predictor), pickle.loads(pickle.dumps(predictor)), Predictor(name).merged(NEGATIVE)):
        assert (other.labels, other.temperature, other.merge) == (
            predictor.labels,
            predictor.temperature,
            predictor.merge,
        )
        assert other.predict(astronaut)[0].to_dict() == face.to_dict()
    assert predictor.merged(None).labels == LABELS


def test_own_models_with_and_without_validation_logits(tmp_path):
    folder = checkpoint(tmp_path / "m")
    merge = {"wry": ["not smiling", "contempt"]}
    plain = Predictor(folder, merge=merge)
    assert plain.labels == ("smiling", "wry", "neutral") and plain.temperature == 1 and plain.set_threshold is None
    add_validation(folder)
    fitted = Predictor(folder, merge=merge)
    assert fitted.temperature > 2 and 0 < fitted.set_threshold < 1
    assert Predictor(folder).temperature == 1  # without a merge nothing changes
    np.savez(folder / FILE, logits=np.zeros((3, 7)), labels=[0, 1, 2])
    with pytest.raises(ModelError, match=r"validation\.npz cannot be used .* for 4 classes"):
        Predictor(folder, merge=merge)
    (folder / FILE).write_bytes(b"PK\3\4 no archive")
    with pytest.raises(ModelError, match=r"validation\.npz cannot be used"):
        Predictor(folder, merge=merge)
    shutil.rmtree(folder)


def test_the_classes_of_a_model_without_its_network(tmp_path):
    assert stated_labels() == stated_labels("fer_sedense") == LABELS
    folder = checkpoint(tmp_path / "m", ("yes", "no"))
    (folder / "model.safetensors").unlink()
    assert stated_labels(folder) == ("yes", "no")
