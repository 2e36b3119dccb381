"""Which networks can be used is decided by what they answer, not by what they state."""

import numpy as np
import pytest
import timm
import torch

from fer_demo import ModelError, Predictor
from fer_demo.emotions import LABELS
from fer_demo.runtime.model_info import model_info

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
        ({"in_chans": 3}, "cannot take a grey square of 48 x 48 pixels .*; make it with in_chans=1"),
        ({"num_classes": 0}, r"must have the outputs angry, .*, but has an answer of the shape \(1, \d+\)"),
        ({"num_classes": 0, "global_pool": ""}, r"must have the outputs .* the shape \(1, \d+, \d+, \d+\)"),
        ({"num_classes": 8}, r"must have the outputs .* the shape \(1, 8\)"),
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
        with pytest.raises(ModelError, match="must have the outputs"):
            model_info(Odd(answer), "odd")
    assert model_info(Odd(lambda x: x.new_zeros(len(x), 7)), "odd").labels == LABELS
    with pytest.raises(ModelError, match="takes 48 x 32 pixels, but must take a grey square"):
        model_info(Odd(lambda x: x, input_size=(1, 48, 32)), "odd")


def test_labels_that_are_others():
    model = timm.create_model(ARCHITECTURE)
    model.pretrained_cfg = model.pretrained_cfg | {"label_names": ("a", "b", "c", "d", "e", "f", "g")}
    with pytest.raises(ModelError, match=r"must have the outputs angry, .*, but has a, b, c"):
        model_info(model, "odd")


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
