"""Explanations: against hand-written references, against random weights, and leaving the model as it was."""

import threading

import pytest
import timm
import torch
import torch.nn.functional as F

import fer_demo  # noqa: F401
from fer_demo import explain


@pytest.fixture(scope="module", params=["fer_sedense", "fer_sedense_s2"])
def model(request):
    torch.manual_seed(3)
    return timm.create_model(request.param).eval()


@pytest.fixture(scope="module", params=timm.list_models("fer_*"))
def any_model(request):
    torch.manual_seed(3)
    return timm.create_model(request.param).eval()


# Further methods see a network only through its answer: ours, one that takes twins, double precision, a small one.
@pytest.fixture(scope="module", params=["fer_sedense_s2", "fer_kim_fusion", "fer_acharya_covpool", "fer_mini_xception"])
def different_model(request):
    torch.manual_seed(3)
    return timm.create_model(request.param).eval()


@pytest.fixture(scope="module")
def x():
    return torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(4))


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


def grad_cam_by_hand(model, layer, x, target):
    """Selvaraju et al. 2017, equations 1 and 2 without the ReLU."""
    maps = {}
    handle = model.get_submodule(layer).register_forward_hook(lambda m, i, out: maps.update(a=out))
    score = model(x)[:, target].sum()
    handle.remove()
    gradient = torch.autograd.grad(score, maps["a"])[0]
    return (gradient.mean((2, 3), keepdim=True) * maps["a"]).sum(1)


@pytest.mark.parametrize("place", [0, 1, -1])
def test_grad_cam_is_the_papers(any_model, x, place):
    layer = list(explain.layers(any_model))[place]
    ours = explain.attribute(any_model, x, 3, layer=layer)
    torch.testing.assert_close(ours.raw, grad_cam_by_hand(any_model, layer, x, 3).detach(), atol=1e-5, rtol=1e-4)
    assert ours.maps.shape == (2, 48, 48) and ours.maps.dtype == torch.float32 and ours.maps.abs().max() > 0
    assert torch.equal(ours.positive().maps, ours.maps.clamp(min=0)) and hooks(any_model) == 0


def test_the_default_is_the_last_concatenation(model, x):
    assert explain.default_layer(model) == "stages.3"
    last = explain.attribute(model, x, 0, layer="stages.3.blocks.2")
    torch.testing.assert_close(explain.attribute(model, x, 0).raw, last.raw)
    assert model.get_submodule("stages.3")(model.stages[:3](model.stem(x))).shape[1] == 364


def test_layers_are_stages_and_blocks_in_order(model):
    names = list(explain.layers(model))
    assert len(names) == 16 and names[:4] == ["stages.0.blocks.0", "stages.0.blocks.1", "stages.0.blocks.2", "stages.0"]
    sequence = list(explain.layers(timm.create_model("fer_pramerdorfer_vgg")))
    assert sequence[:4] == ["stages.0.0", "stages.0", "stages.1.0", "stages.1.1"]


def test_a_contrast_is_a_difference(model, x):
    """Grad-CAM is linear in the score."""
    contrast = explain.attribute(model, x, 3, against=5).raw
    difference = explain.attribute(model, x, 3).raw - explain.attribute(model, x, 5).raw
    torch.testing.assert_close(contrast, difference, atol=1e-5, rtol=1e-4)


def test_integrated_gradients_are_complete(model, x):
    found = explain.attribute(model, x, 2, method="integrated_gradients")
    grey = x.mean((2, 3), keepdim=True).expand_as(x)
    with torch.no_grad():
        change = (model(x) - model(grey))[:, 2]
    torch.testing.assert_close(found.maps.sum((1, 2)) - change, found.delta, atol=1e-4, rtol=1e-3)
    assert (found.delta.abs() < 0.05 * change.abs().clamp(min=0.2)).all()


def test_occlusion_sees_what_is_needed():
    """A network that looks at one corner only."""

    class Corner(torch.nn.Module):
        num_classes = 7

        def forward(self, x):
            return F.one_hot(torch.tensor(1), 7) * x[:, 0, :8, :8].mean((1, 2))[:, None] * 10

    x = torch.full((1, 1, 48, 48), 0.2)
    x[..., :8, :8] = 1
    found = explain.attribute(Corner().eval(), x, 1, method="occlusion").maps[0]
    assert found[:8, :8].mean() > 10 * found[16:, 16:].abs().mean() and found[:8, :8].min() > 0


def test_smoothgrad_is_repeatable_and_leaves_the_generator_alone(model, x):
    torch.manual_seed(8)
    state = torch.get_rng_state()
    first = explain.attribute(model, x[:1], 1, method="smoothgrad").maps
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, explain.attribute(model, x[:1], 1, method="smoothgrad").maps)
    assert not torch.equal(first, explain.attribute(model, x[:1], 1, method="smoothgrad", seed=1).maps)


@pytest.mark.parametrize("method", list(explain.METHODS))
def test_every_method_on_a_batch(different_model, x, method):
    model = different_model
    before = [p.clone() for p in model.parameters()]
    done = []
    found = explain.attribute(model, x, 4, method=method, progress=done.append)
    assert found.maps.shape == (2, 48, 48) and torch.isfinite(found.maps).all()
    assert not found.maps.requires_grad and found.maps.abs().max() > 0
    one = explain.attribute(model, x[:1], 4, method=method).maps
    torch.testing.assert_close(found.maps[:1], one, atol=1e-4, rtol=1e-3)
    assert done in ([], [0.5, 1.0])
    assert hooks(model) == 0 and all(p.grad is None for p in model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_cascading_randomisation_changes_the_map(model, x):
    """Adebayo et al. 2018 (arXiv:1810.03292): a map that random weights leave alone does not explain the network."""
    import copy

    reference = explain.attribute(model, x, 3).maps.flatten(1)
    broken, similarity = copy.deepcopy(model), []
    for name in ["classifier", "stages.3", "stages.2", "stages.1", "stages.0", "stem"]:
        torch.manual_seed(11)
        for module in broken.get_submodule(name).modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        found = explain.attribute(broken, x, 3).maps.flatten(1)
        similarity.append(float(torch.corrcoef(torch.cat([reference[:1], found[:1]]))[0, 1]))
    assert max(abs(s) for s in similarity[1:]) < 0.8 and abs(similarity[-1]) < 0.6, similarity


def test_stopping_leaves_no_hooks(model, x):
    class Stopped(Exception):
        pass

    def stop(fraction):
        raise Stopped

    with pytest.raises(Stopped):
        explain.attribute(model, x, 1, method="occlusion", progress=stop)
    with pytest.raises(Stopped), explain.with_channel(model, next(iter(explain.gates(model))), 0, 0.0):
        raise Stopped
    assert hooks(model) == 0


def test_threads_do_not_disturb_each_other(x):
    torch.manual_seed(5)
    shared = timm.create_model("fer_sedense_s2").eval()
    expected = {t: explain.attribute(shared, x, t).maps for t in range(4)}
    wrong = []

    def work(target):
        for _ in range(6):
            if not torch.equal(explain.attribute(shared, x, target).maps, expected[target]):
                wrong.append(target)

    threads = [threading.Thread(target=work, args=(t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and hooks(shared) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "magic"}, "Unknown method 'magic'; choose one of gradcam"),
        ({"layer": "stages.9"}, r"Unknown layer 'stages.9'; choose one of stages\.0"),
        ({"target": 7}, "target must be a class id from 0 to 6, but is 7"),
        ({"against": -1}, "against must be a class id"),
    ],
)
def test_wrong_arguments(model, x, arguments, message):
    with pytest.raises(ValueError, match=message):
        explain.attribute(model, x, **{"target": 0, **arguments})


def test_a_model_in_training_mode_is_refused(x):
    with pytest.raises(ValueError, match=r"training mode.*call eval\(\) first"):
        explain.attribute(timm.create_model("fer_sedense_s2"), x, 0)


class TestChannels:
    def test_twelve_gates_of_thirty_two(self, model, x):
        weights = explain.channel_weights(model, x)
        assert len(weights) == 12 and {tuple(w.shape) for w in weights.values()} == {(2, 32)}
        assert all(((w > 0) & (w < 1)).all() for w in weights.values())
        assert next(iter(weights)) == "stages.0.blocks.0.se" and hooks(model) == 0

    def test_they_are_the_gates_outputs(self, model, x):
        block = model.stages[0].blocks[0]
        f = block.conv2(block.conv1(model._start(x)))
        expected = torch.sigmoid(block.se.fc2(F.relu(block.se.fc1(f.mean((2, 3), keepdim=True)))))
        torch.testing.assert_close(explain.channel_weights(model, x)["stages.0.blocks.0.se"], expected[..., 0, 0])
        torch.testing.assert_close(explain.channel_map(model, x, "stages.0.blocks.0.se", 5), f[:, 5])

    def test_holding_a_weight_at_its_own_value_changes_nothing(self, model, x):
        name = "stages.2.blocks.1.se"
        own = float(explain.channel_weights(model, x[:1])[name][0, 7])
        with torch.no_grad():
            free = model(x[:1])
            with explain.with_channel(model, name, 7, own):
                torch.testing.assert_close(model(x[:1]), free, atol=1e-5, rtol=1e-5)
            with explain.with_channel(model, name, 7, 0.0):
                assert not torch.allclose(model(x[:1]), free, atol=1e-6)
            assert torch.equal(model(x[:1]), free)

    def test_a_model_without_them_has_none(self, x):
        plain = timm.create_model("resnet18", in_chans=1, num_classes=7).eval()
        assert explain.channel_weights(plain, x) == {}

    @pytest.mark.parametrize(
        ("gate", "channel", "message"),
        [
            ("nothing", 0, "Unknown gate 'nothing'"),
            ("stages.0.blocks.0.se", 32, "no channel 32; this gate has 0 to 31"),
        ],
    )
    def test_wrong_names(self, model, x, gate, channel, message):
        with pytest.raises(ValueError, match=message):
            explain.channel_map(model, x, gate, channel)
        held = explain.with_channel(model, gate, channel, 0.0)
        with torch.no_grad(), pytest.raises(ValueError, match=message), held:
            model(x)


class TestFaithfulness:
    class Bright(torch.nn.Module):
        """Its answer is the mean of the left half, so a map of the left half is the truth."""

        def forward(self, x):
            s = 6 * x[..., :24].mean((1, 2, 3))
            return torch.stack([s, 3 - s], 1)

    def test_the_truth_beats_its_opposite(self):
        model, x = self.Bright().eval(), torch.zeros(1, 1, 48, 48)
        x[..., :24] = 1  # blurring carries light to the right
        truth = torch.zeros(1, 48, 48)
        truth[..., :24] = 1
        right, wrong = explain.curves(model, x, truth, 0).areas(), explain.curves(model, x, -truth, 0).areas()
        assert right[0] < wrong[0] and right[1] > wrong[1]

    def test_curves_begin_and_end_where_they_must(self, model, x):
        maps = explain.random_map(2, 48, 48)
        found = explain.curves(model, x, maps, torch.tensor([3, 5]), steps=6, temperature=0.9)
        with torch.no_grad():
            p = (model(x) / 0.9).softmax(1)
        own = torch.stack([p[0, 3], p[1, 5]])
        torch.testing.assert_close(found.deletion[:, 0], own)
        torch.testing.assert_close(found.insertion[:, -1], own)
        torch.testing.assert_close(found.deletion[:, -1], found.insertion[:, 0])
        assert found.fraction[0] == 0 and found.fraction[-1] == 1 and found.deletion.shape == (2, 7)

    def test_a_step_by_hand(self, model, x):
        from torchvision.transforms.functional import gaussian_blur

        maps = explain.centre_map(2, 48, 48)
        found = explain.curves(model, x, maps, 1, steps=2)
        first = maps[0].flatten().argsort(descending=True, stable=True)[: 48 * 24]
        half = x[:1].clone().flatten()
        half[first] = gaussian_blur(x[:1], 23, 8.0).flatten()[first]
        with torch.no_grad():
            expected = model(half.view(1, 1, 48, 48)).softmax(1)[0, 1]
        assert found.deletion[0, 1] == pytest.approx(float(expected), abs=1e-5)

    def test_maps_must_fit(self, model, x):
        with pytest.raises(ValueError, match=r"Maps must have shape \(2, 48, 48\)"):
            explain.curves(model, x, torch.zeros(2, 6, 6), 0)

    def test_random_maps_of_a_coarseness(self):
        fine, coarse = explain.random_map(4, 48, 48), explain.random_map(4, 48, 48, cells=6)
        assert fine.shape == coarse.shape == (4, 48, 48)
        step = lambda m: (m[..., 1:] - m[..., :-1]).abs().mean()  # noqa: E731
        assert step(fine) > 4 * step(coarse) and torch.equal(fine, explain.random_map(4, 48, 48))

    def test_infidelity_of_the_exact_gradient_of_a_linear_model(self):
        torch.manual_seed(0)
        weight = torch.randn(1, 48 * 48)

        class Linear(torch.nn.Module):
            def forward(self, x):
                return torch.cat([x.flatten(1) @ weight.T, torch.zeros(len(x), 1)], 1)

        x, truth = torch.rand(2, 1, 48, 48), weight.view(1, 48, 48).expand(2, 48, 48)
        exact = explain.infidelity(Linear().eval(), x, truth, 0)
        wrong = explain.infidelity(Linear().eval(), x, torch.rand(2, 48, 48), 0)
        assert (exact < 1e-4).all() and (wrong > 0.1).all()

    def test_sensitivity(self, model, x):
        steady = explain.sensitivity(lambda p: explain.centre_map(len(p), 48, 48), x)
        ours = explain.sensitivity(lambda p: explain.attribute(model, p, 3).maps, x, samples=4)
        assert (steady == 0).all() and (ours > 0).all() and ours.shape == (2,)
