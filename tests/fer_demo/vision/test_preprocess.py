"""Arrays, tensors, training and the app: the very same pixels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from fer_demo.vision.preprocess import prepare, prepare_array

SIZES = [(48, 48), (44, 48), (48, 36), (48, 100), (100, 48), (333, 48), (1, 48)]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_arrays_and_tensors_give_the_same_pixels(old, new):
    images = noise(8, old, old)
    options = {"size": (new, new), "mean": 0.5, "std": 0.25}
    array = prepare_array(images, **options)
    assert array.dtype == np.float32 and array.shape == (8, 1, new, new) and array.flags.c_contiguous
    tensor = torch.from_numpy(images)[:, None]
    np.testing.assert_array_equal(prepare(tensor, **options).numpy(), array)
    np.testing.assert_array_equal(prepare(images, **options).numpy(), array)
    np.testing.assert_array_equal(prepare_array(tensor, **options), array)
    np.testing.assert_array_equal(prepare_array(list(images), **options), array)
    # A layout in memory, a batch's size and the number of threads change nothing.
    np.testing.assert_array_equal(prepare_array(images.transpose(0, 2, 1).copy().transpose(0, 2, 1), **options), array)
    np.testing.assert_array_equal(prepare_array(images[3:4], **options), array[3:4])


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_resizing_is_antialiased_and_bilinear(old, new):
    images = noise(8, old, old)
    ours = prepare_array(images, size=(new, new)) * 255
    tensor = torch.from_numpy(images)[:, None].float()
    pytorch = F.interpolate(tensor, size=(new, new), mode="bilinear", antialias=True)
    assert np.abs(ours - pytorch.numpy()).max() < 0.501  # ours are whole grey levels
    pillow = Image.fromarray(images[0]).resize((new, new), Image.Resampling.BILINEAR)
    assert np.abs(ours[0, 0] - np.asarray(pillow, np.float32)).max() < 1.01  # Pillow rounds after each direction


def test_another_ratio_for_each_direction():
    images = noise(2, 30, 70)
    array = prepare_array(images, size=(48, 36))
    assert array.shape == (2, 1, 48, 36)
    np.testing.assert_array_equal(prepare(torch.from_numpy(images)[:, None], size=(48, 36)).numpy(), array)
    turned = prepare_array(images.transpose(0, 2, 1), size=(36, 48))
    np.testing.assert_array_equal(turned.transpose(0, 1, 3, 2), array)


def test_pictures_of_the_size_pass_through():
    images = noise(3, 48, 48)
    np.testing.assert_array_equal(np.round(prepare_array(images, size=(48, 48))[:, 0] * 255), images)
    assert prepare_array([], size=(48, 48)).shape == (0, 1, 48, 48)
    assert prepare([], size=(48, 48)).shape == (0, 1, 48, 48)


@pytest.mark.parametrize("function", [prepare, prepare_array])
def test_wrong_pictures(function):
    for floats in (np.zeros((1, 48, 48), np.float32), [np.zeros((48, 48))], torch.zeros(1, 1, 48, 48)):
        with pytest.raises(TypeError, match="uint8"):
            function(floats, size=(48, 48))
    colour = np.zeros((48, 48, 3), np.uint8)
    for pictures in ([colour], torch.from_numpy(colour.transpose(2, 0, 1).copy())[None]):
        with pytest.raises(ValueError, match="grey"):
            function(pictures, size=(48, 48))
