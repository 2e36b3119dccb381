"""Which networks can be used is decided by what they answer, not by what they state."""

import json

import numpy as np
import pytest
import timm
import torch

from fer_demo import ModelError, Predictor
from fer_demo.emotions import LABELS
from fer_demo.runtime.model_info import ModelInfo, model_info

ARCHITECTURE = "fer_sedense_nano"


class Odd(torch.nn.Module):
    """Answers with a shape of one's choice."""

    def __init__(self, answer, input_size=(1, 48, 48)):
        super().__init__()
        self.num_classes, self.answer = len(LABELS), answer
        self.pretrained_cfg = {"input_size": input_size, "mean": (0.0,), "std": (1.0,)}

    def forward(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"in_chans": 3}, "must take a grey square of 48 x 48 pixels, but fails at it .*; make it with in_chans=1"),
        ({"num_classes": 0}, "answers for 514 classes, but no label_names say .*; add label_names"),
        ({"num_classes": 0, "global_pool": ""}, r"a number for each of 2 to 1000 .* the shape \(1, \d+, \d+, \d+\)"),
        ({"num_classes": 8}, "answers for 8 classes, but no label_names .*; add label_names .* 8 names in the order"),
        ({"num_classes": 1}, r"a number for each of 2 to 1000 classes, .* shape \(1, 1\)"),
    ],
)
def test_models_made_with_other_arguments(arguments, words):
    model = timm.create_model(ARCHITECTURE, **arguments)
    assert model.pretrained_cfg["input_size"] == (1, 48, 48)  # which says nothing about it
    with pytest.raises(ModelError, match=words) as error:
        Predictor(model)
    assert str(error.value).endswith(".") and len(str(error.value)) < 400


def test_other_weights():
    with pytest.raises(ModelError, match="weights of float32"):
        Predictor(timm.create_model(ARCHITECTURE).half())


def test_answers_of_another_kind():
    for answer in (lambda x: x.new_zeros(1, 7, 3, 3), lambda x: {"logits": x.new_zeros(1, 7)}, lambda x: 7):
        with pytest.raises(ModelError, match="must answer with a number for each of 2 to 1000 classes"):
            model_info(Odd(answer), "odd")
    assert model_info(Odd(lambda x: x.new_zeros(len(x), 7)), "odd").labels == LABELS
    with pytest.raises(ModelError, match="takes 48 x 32 pixels, but must take a grey square"):
        model_info(Odd(lambda x: x, input_size=(1, 48, 32)), "odd")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a", "b"), "answers for 3 classes, but its label_names are 2, .*; add label_names .* 3 names"),
        ("abc", "its label_names are 1"),
        (("a", "b", "label"), "label_names of the model odd cannot be used: No class can be called 'label'"),
        (("a", "b", 3), "'3' cannot be a class name"),
    ],
)
def test_names_that_do_not_fit(names, words):
    model = timm.create_model(ARCHITECTURE, num_classes=3)
    model.pretrained_cfg = model.pretrained_cfg | {"label_names": names}
    with pytest.raises(ModelError, match=words) as error:
        model_info(model, "odd")
    assert str(error.value).endswith(".")


def test_other_classes():
    model = timm.create_model(ARCHITECTURE)
    model.pretrained_cfg = model.pretrained_cfg | {"label_names": ("a", "b", "c", "d", "e", "f", "g")}
    assert model_info(model, "own").labels == ("a", "b", "c", "d", "e", "f", "g")


def test_names_in_an_exported_file():
    stated = ModelInfo("own", ("a", "b"), (48, 48)).to_metadata()
    assert ModelInfo.from_metadata(stated, "own.onnx").labels == ("a", "b")
    for names in ("ab", ["a"], ["a", "A"], ["a", "label"]):
        with pytest.raises(ModelError, match=r"own\.onnx does not state .*; write it with") as error:
            ModelInfo.from_metadata(stated | {"fer_demo.labels": json.dumps(names)}, "own.onnx")
        assert ".)" not in str(error.value)


def test_a_model_that_takes_grey_is_taken_whatever_it_states():
    model = timm.create_model("test_resnet", in_chans=1, num_classes=7)
    assert model.pretrained_cfg["input_size"][0] == 3
    predictor = Predictor(model)
    assert predictor.classify(np.zeros((2, 48, 48), np.uint8)).shape == (2, 7)


def test_the_model_is_left_as_it_was():
    model = timm.create_model(ARCHITECTURE).train()
    model.stem.eval()  # as somebody freezes it
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model_info(model, "mine")
    assert [module.training for module in model.modules()] == modes and len(set(modes)) == 2
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
