"""The share of an explanation on eyes, brows and mouth."""

import numpy as np
import pytest
import timm
import torch

import fer_demo  # noqa: F401
from fer_demo.explain.attribution import Attribution
from training.data.faces import DataError, Faces
from training.eval import region_mass as module
from training.eval.region_mass import region_mass, table

POINTS = torch.tensor([[15.3, 18.8], [32.7, 18.8], [24.0, 28.7], [16.7, 36.2], [31.3, 36.2]])


@pytest.fixture
def faces():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (6, 1, 48, 48), dtype=np.uint8))
    landmarks = POINTS.repeat(6, 1, 1)
    landmarks[0] = torch.nan
    return Faces(images, torch.zeros(6).long(), np.repeat("PublicTest", 6), landmarks=landmarks)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return timm.create_model("fer_sedense_nano").eval()


def with_maps(monkeypatch, draw):
    def attribute(_, x, target, *, method):
        maps = draw(x)
        return Attribution(maps, maps)

    monkeypatch.setattr(module, "attribute", attribute)


def test_a_map_that_knows_nothing_has_the_mass_of_the_area(faces, model, monkeypatch):
    with_maps(monkeypatch, lambda x: torch.ones_like(x[:, 0]))
    figures = region_mass(model, faces)
    assert figures["n"] == 5, "a face without landmarks cannot count"
    assert figures["mass"] == figures["area"] and 0.1 < figures["area"][0] < 0.3


@pytest.mark.parametrize(("row", "column", "share"), [(18, 15, 1.0), (18, 32, 1.0), (36, 24, 1.0), (45, 2, 0.0)])
def test_mass_is_found_where_it_lies(faces, model, monkeypatch, row, column, share):
    def dot(x):
        maps = torch.full_like(x[:, 0], -1.0)  # what speaks against the class is no mass
        maps[:, row, column] = 1.0
        return maps

    with_maps(monkeypatch, dot)
    assert region_mass(model, faces)["mass"][0] == share


def test_maps_without_positive_pixels_do_not_count(faces, model, monkeypatch):
    with_maps(monkeypatch, lambda x: torch.where(torch.arange(len(x))[:, None, None] < 2, 1.0, -1.0) * x[:, 0].abs())
    assert region_mass(model, faces)["n"] == 2


def test_with_grad_cam(faces, model):
    figures = region_mass(model, faces)
    assert 0 <= figures["mass"][1] <= figures["mass"][0] <= figures["mass"][2] <= 1.5
    assert f"| `nano` | {figures['n']} |" in table({"nano": figures})


def test_faces_without_landmarks(faces, model):
    with pytest.raises(DataError, match="No face has landmarks"):
        region_mass(model, faces.take(np.array([0])))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_faces_for_an_interval(faces, model, monkeypatch, count):
    with_maps(
        monkeypatch, lambda x: torch.where(torch.arange(len(x))[:, None, None] < count, 1.0, -1.0) * x[:, 0].abs()
    )
    with pytest.raises(DataError, match=f"Of {count} faces .* there is no interval: give more --faces"):
        region_mass(model, faces)
