"""Pictures that a network cannot take, or would answer wrongly: one sentence says what to do."""

import copy
import warnings

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch import fx

import fer_demo  # noqa: F401  (registers the networks)
from fer_demo.vision.preprocess import prepare

NAME = "fer_sedense_nano.wide_fer2013"


@pytest.fixture(scope="module")
def weights():
    return timm.create_model(NAME, pretrained=True).eval()


@pytest.fixture
def model(weights):
    return copy.deepcopy(weights)  # some tests train it, which moves its statistics


def said(model, *pictures):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in pictures:
            model(x)
    return [str(w.message) for w in caught]


def photo(side=200):
    """Smooth, and of several colours."""
    noise = np.random.default_rng(3).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("x", "error", "sentence"),
    [
        (torch.rand(2, 3, 48, 48), ValueError, r'but got \(2, 3, 48, 48\): .*image.convert\("L"\), or .*in_chans=3'),
        (torch.rand(2, 2, 48, 48), ValueError, "make the network with in_chans=2"),
        (torch.rand(2, 48, 48, 1), ValueError, r"x.permute\(0, 3, 1, 2\) puts"),
        (torch.rand(1, 48, 48), ValueError, r"x\[None\] adds"),
        (torch.rand(1, 1, 8, 48), ValueError, "at least 16 pixels"),
        (torch.zeros(1, 1, 48, 48, dtype=torch.uint8), TypeError, r"got torch.uint8: x.float\(\) / 255"),
        (torch.rand(1, 1, 48, 48).half(), TypeError, r"torch.float32, but the pictures torch.float16: .*autocast"),
        (np.zeros((1, 1, 48, 48), np.float32), TypeError, "got ndarray: fer_demo.vision.preprocess.prepare makes"),
    ],
)
def test_what_cannot_be_taken(model, x, error, sentence):
    with pytest.raises(error, match=sentence) as raised:
        model(x)
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)
    with pytest.raises(error, match=sentence):
        model.forward_intermediates(x)


def test_autocast_takes_either_type(model):
    with torch.autocast("cpu", torch.bfloat16):
        assert model(torch.rand(1, 1, 48, 48).bfloat16()).shape == (1, 7)


@pytest.mark.parametrize("side", [32, 44, 64, 96, 224])
def test_a_wrong_size_is_said_once(model, side):
    x = torch.rand(1, 1, side, side)
    (sentence,) = said(model, x, x)
    assert f"trained at 48 x 48 pixels answer less well, or wrongly, at {side} x {side}: resize" in sentence


@pytest.mark.parametrize("pixels", [torch.rand(1, 1, 48, 48) * 255, (torch.rand(1, 1, 48, 48) - 0.45) / 0.22])
def test_pixels_of_another_scale_are_said_once(model, pixels):
    (sentence,) = said(model, pixels, pixels)
    assert "trained with 0 (black) to 1 (white)" in sentence


def test_what_holds_is_taken_in_silence(model):
    grainy = torch.rand(1, 1, 48, 48) + 0.1 * torch.randn(1, 1, 48, 48)
    assert said(model, torch.rand(2, 1, 48, 48), grainy, torch.rand(1, 1, 52, 50), torch.zeros(1, 1, 48, 48)) == []


def test_other_weights_are_the_users_own(model):
    x = torch.rand(2, 1, 96, 96) * 255
    assert said(timm.create_model("fer_sedense_nano").eval(), x) == []
    assert said(model.train(), x) == [] and said(model.eval(), x) == []  # it may have learned them


def test_graphs_are_left_alone(model):
    x = torch.rand(2, 1, 96, 96)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", torch.jit.TracerWarning)
        graphs = [torch.jit.trace(model, x, check_trace=False), torch.jit.script(model), fx.symbolic_trace(model)]
        graphs.append(torch.export.export(model, (x,)).module())
        answers = [graph(x) for graph in graphs]
        for answer in answers:
            torch.testing.assert_close(answer, answers[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [48, 96, 224])
def test_timms_transform_prepares_as_we_do(model, side):
    grey = photo(side).convert("L")
    theirs = create_transform(**resolve_model_data_config(model))(grey)
    ours = prepare([np.asarray(grey)], size=(48, 48))[0]
    assert theirs.shape == (1, 48, 48) and (theirs - ours).abs().max() * 255 < 1.01  # Pillow rounds twice


def test_a_network_for_colours_makes_them_grey_as_we_do(model):
    colour = timm.create_model(NAME, pretrained=True, in_chans=3).eval()
    transform = create_transform(**resolve_model_data_config(colour))
    x = transform(photo())[None]
    assert x.shape == (1, 3, 48, 48) and len(resolve_model_data_config(colour)["mean"]) == 3
    grey = create_transform(**resolve_model_data_config(model))(photo().convert("L"))[None]
    made = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    assert (made - grey).abs().max() * 255 < 2  # each rounds at another place
    torch.testing.assert_close(colour(x), model(made), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(colour(grey.repeat(1, 3, 1, 1)), model(grey), rtol=1e-4, atol=1e-4)
