"""SE-Dense with attention: what it costs, how it starts, and where it looks."""

from functools import partial

import numpy as np
import pytest
import timm
import torch

import fer_demo  # noqa: F401
from fer_demo.models.attention import CBAM, Attention, RegionAttention, SpatialGate
from fer_demo.models.landmark_attention import GUIDES
from fer_demo.models.regions import known_faces, region_maps
from fer_demo.tradeoffs.costs import network_costs
from fer_demo.vision.align import TEMPLATE

SIZES = ("", "_s2", "_nano")
FACE = torch.tensor(TEMPLATE, dtype=torch.float32)


def build(size="_nano", seed=0, **options):
    torch.manual_seed(seed)
    return timm.create_model(f"fer_sedense_lm{size}", **options).eval()


def woken(model):
    """A network whose gates are not 1 any more."""
    for module in model.modules():
        if isinstance(module, Attention):
            for layer in module.last_layers():
                torch.nn.init.normal_(layer.weight, std=0.2)
    return model


@pytest.fixture
def x():
    return torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("size", SIZES)
def test_it_costs_little(size, guide):
    plain = network_costs(f"fer_sedense{size}", 48)
    ours = network_costs(f"fer_sedense_lm{size}", 48, (("guide", guide),))
    assert plain.parameters < ours.parameters <= 550_000 and ours.macs <= 1.1 * plain.macs
    guided = network_costs(f"fer_sedense_lm{size}", 48)
    assert abs(ours.parameters - guided.parameters) < 0.01 * guided.parameters


def test_learnt_maps_cost_exactly_as_much():
    assert network_costs("fer_sedense_lm", 48) == network_costs("fer_sedense_lm", 48, (("guide", "learnt"),))


@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("size", SIZES)
def test_it_starts_as_the_network_without(size, guide, x):
    torch.manual_seed(5)
    plain = timm.create_model(f"fer_sedense{size}").eval()
    model = build(size, guide=guide)
    assert not torch.equal(model(x), plain(x))
    model.load_state_dict(model.complete_state(plain.state_dict()))
    assert torch.equal(model(x), plain(x))
    if guide == "landmarks":
        assert torch.equal(model(x, FACE.expand(3, -1, -1) * 48), plain(x))
    assert not torch.allclose(woken(model)(x), plain(x))


def test_the_same_seed_draws_the_same_body():
    torch.manual_seed(0)
    plain = timm.create_model("fer_sedense_nano").state_dict()
    ours = build().state_dict()
    assert all(torch.equal(ours[name], weight) for name, weight in plain.items())


def test_a_state_of_its_own_is_taken_as_it_is():
    model = build()
    state = {name: weight for name, weight in model.state_dict().items() if "spatial" not in name}
    assert model.complete_state(state).keys() == state.keys()  # so that a damaged file is still refused


def test_faces_without_landmarks_are_answered_as_without():
    model = woken(build())
    x = torch.rand(4, 1, 48, 48)
    landmarks = FACE.repeat(4, 1, 1) * 48
    landmarks[1] = torch.nan
    landmarks[2, 3, 0] = torch.nan  # a single point that is missing
    given, plain = model(x, landmarks), model(x)
    assert torch.equal(known_faces(landmarks), torch.tensor([True, False, False, True]))
    torch.testing.assert_close(given[1:3], plain[1:3])
    assert not torch.allclose(given[0], plain[0]) and given.isfinite().all()
    model.train()
    model(x, landmarks).sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_scripted_it_takes_landmarks_too(x):
    model = woken(build())
    landmarks = FACE.repeat(3, 1, 1) * 48
    scripted = torch.jit.script(model)
    torch.testing.assert_close(scripted(x, landmarks), model(x, landmarks))
    torch.testing.assert_close(scripted(x), model(x))


def test_gradient_checkpointing_with_landmarks(x):
    answers = []
    for enable in (False, True):
        model = woken(build()).train()
        torch.manual_seed(3)
        woken(model)
        model.set_grad_checkpointing(enable)
        model(x, FACE.repeat(3, 1, 1) * 48).sum().backward()
        answers.append(model.stages[0].attention.spatial.conv.weight.grad)
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-5)


def test_a_gate_does_not_drown_in_large_numbers():
    """Or it is 2 everywhere, and no place counts more than another."""
    gate = SpatialGate(5, 3).train()
    seen = torch.rand(4, 5, 12, 12, generator=torch.Generator().manual_seed(0))
    assert gate(seen).amax() - gate(seen).amin() > 0.5
    torch.testing.assert_close(gate(1000 * seen), gate(seen), atol=1e-3, rtol=0)


def test_landmarks_are_in_pixels_of_the_picture(x):
    """So that the same face at another size has the same maps."""
    large = torch.nn.functional.interpolate(x, size=96)
    model, seen = build(), []
    model.stages[0].attention.spatial.register_forward_hook(lambda m, inputs, o: seen.append(inputs[0][:, 2:]))
    model(x, FACE.repeat(3, 1, 1) * 48), model(large, FACE.repeat(3, 1, 1) * 96)
    small, big = seen
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(big, 2), small, atol=0.05, rtol=0)


def test_landmarks_that_do_not_fit(x):
    for wrong in (FACE.repeat(2, 1, 1), FACE, torch.zeros(3, 68, 2)):
        with pytest.raises(ValueError, match=r"must be \(N, 5, 2\)"):
            build()(x, wrong)
    for guide in GUIDES[1:]:
        with pytest.raises(ValueError, match="guide='landmarks' takes landmarks"):
            build(guide=guide)(x, FACE.repeat(3, 1, 1))
    with pytest.raises(ValueError, match="guide must be one of landmarks, learnt, cbam, coord"):
        build(guide="eyes")


def centre(maps):
    """x and y of each map's middle, as fractions."""
    side = torch.arange(maps.shape[-1]) + 0.5
    mass = maps.sum((-2, -1))
    columns, rows = (maps * side).sum((-2, -1)) / mass, (maps * side[:, None]).sum((-2, -1)) / mass
    return torch.stack([columns, rows], -1) / maps.shape[-1]


def test_maps_lie_on_eyes_with_brows_and_on_the_mouth():
    maps = region_maps(FACE[None], 96, 96)
    assert maps.shape == (1, 3, 96, 96) and maps.min() >= 0 and 0.99 < maps.max() <= 1
    found = centre(maps)[0]
    brow = torch.tensor([0, -0.2]) * (FACE[1, 0] - FACE[0, 0])  # above the eye, on a level face
    torch.testing.assert_close(found[0], FACE[0] + brow, atol=0.02, rtol=0)
    torch.testing.assert_close(found[1], FACE[1] + brow, atol=0.02, rtol=0)
    torch.testing.assert_close(found[2], FACE[3:].mean(0), atol=0.02, rtol=0)


@pytest.mark.parametrize("angle", [-30, 30, 90])
def test_maps_turn_with_the_face(angle):
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = torch.tensor([[c, s], [-s, c]], dtype=torch.float32)
    small = (FACE - 0.5) * 0.6
    level, turned = (region_maps((points + 0.5)[None], 96, 96) for points in (small, small @ turn))
    torch.testing.assert_close((centre(level)[0] - 0.5) @ turn + 0.5, centre(turned)[0], atol=0.01, rtol=0)
    widths = [maps[0, 2].sum(0).gt(1).sum() for maps in (level, turned)]  # the mouth is wider than high
    assert (widths[0] > widths[1]) == (abs(angle) > 0)


def test_attention_is_where_the_landmarks_are_only_if_given(x):
    """Each stage's spatial gate sees the Gaussian maps, that of the large first stage at half its size."""
    model, seen = build(), []
    for stage in model.stages[:3]:
        stage.attention.spatial.register_forward_hook(lambda m, inputs, o: seen.append(inputs[0][:, 2:]))
    model(x, FACE.repeat(3, 1, 1) * 48)
    for maps in seen:
        torch.testing.assert_close(maps, region_maps(FACE.repeat(3, 1, 1), *maps.shape[-2:]), atol=1e-6, rtol=0)
    assert [maps.shape[-1] for maps in seen] == [12, 12, 6]
    assert model.stages[3].attention is None and len(list(model.region_heads())) == 3
    assert list(build(guide="learnt").region_heads()) == []


@pytest.mark.parametrize("kind", [partial(RegionAttention, halve=True, guided=True), partial(CBAM, width=4)])
def test_training_computes_what_inference_does(kind):
    """It takes another way there, for the sake of the gradients."""
    torch.manual_seed(0)
    attention = kind(6).train()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter)
    for norm in (m for m in attention.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.eval()
    x, landmarks = torch.randn(2, 6, 8, 10), torch.rand(2, 5, 2)
    landmarks[1] = torch.nan
    trained = attention(x, landmarks)
    assert trained.shape == x.shape
    torch.testing.assert_close(trained, attention.eval()(x, landmarks))
