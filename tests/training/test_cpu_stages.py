"""SE-Dense's large maps in `training.cpu_stages`: the answers and gradients of the network as it is written."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F

import fer_demo  # noqa: F401  (registers the models)
from training.batch_norm import calibrate_batch_norm
from training.devices import use_cpu_stages
from training.train import Trainer

cpu_stages = pytest.importorskip("training.cpu_stages", reason="Numba is not installed", exc_type=ImportError)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def calls(monkeypatch):
    """The widths of the maps that `StageFunction` was given."""
    widths = []
    whole = cpu_stages._halved
    monkeypatch.setattr(cpu_stages, "_halved", lambda stage, x: (widths.append(x.shape[-1]), whole(stage, x))[1])
    return widths


def network(name: str, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    model = timm.create_model(name, **options).to(memory_format=torch.channels_last)
    for m in model.modules():
        if isinstance(m, torch.nn.BatchNorm2d):  # or nothing would tell scale from shift
            torch.nn.init.uniform_(m.weight, 0.5, 1.5)
            torch.nn.init.normal_(m.bias, 0, 0.3)
            torch.nn.init.uniform_(m.running_var, 0.5, 1.5)
            torch.nn.init.normal_(m.running_mean, 0, 0.3)
    return model


def step(model: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    dtype = next(model.parameters()).dtype
    logits = model(x.to(dtype))
    loss = F.cross_entropy(logits, torch.arange(len(x)) % 7)
    return logits.detach(), torch.autograd.grad(loss, list(model.parameters()))


@pytest.mark.parametrize(
    ("name", "side", "widths"),
    [
        ("fer_sedense", 24, [24, 12]),
        ("fer_sedense", 36, [36]),  # 18 pixels are not a multiple of four
        ("fer_sedense_s2", 48, [24, 12]),
        ("fer_sedense_nano", 48, [24, 12]),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_answers_and_gradients_are_those_of_the_network(calls, name, side, widths, training):
    plain = network(name).train(training)
    fast, exact = copy.deepcopy(plain), copy.deepcopy(plain).double()
    assert use_cpu_stages(fast)
    errors = {key: [] for key, _ in plain.named_parameters()}
    for _ in range(3):
        x = torch.rand(6, 1, side, side)
        (_, right), (logits, grads), (fast_logits, fast_grads) = (step(m, x) for m in (exact, plain, fast))
        torch.testing.assert_close(fast_logits, logits, atol=2e-5, rtol=2e-5)
        for (key, p), truth, grad, found in zip(plain.named_parameters(), right, grads, fast_grads, strict=True):
            scale = truth.norm().clamp(min=1e-4)
            errors[key].append(float(((found - truth).norm() - 3 * (grad - truth).norm()) / scale))
            assert found.stride() == torch.empty_like(p).stride(), key
    # The best of three: where a ReLU's input is next to zero, rounding decides on which side of it.
    assert max(min(of_batches) for of_batches in errors.values()) < 1e-4
    assert calls == widths * 3
    for (key, value), other in zip(plain.state_dict().items(), fast.state_dict().values(), strict=True):
        torch.testing.assert_close(other, value, atol=1e-5, rtol=1e-4, msg=key)


def test_nothing_is_kept_where_no_gradient_is_asked_for(calls, monkeypatch):
    kept = []
    forward = cpu_stages._Block.forward
    monkeypatch.setattr(cpu_stages._Block, "forward", lambda *a: (kept.append(a[-1]), forward(*a))[1])
    model = network("fer_sedense_nano").eval()
    use_cpu_stages(model)
    x = torch.rand(1, 1, 48, 48)
    with torch.inference_mode():
        model(x)
    with torch.no_grad():
        model(x)
    assert not model.requires_grad_(False)(x).requires_grad
    assert calls == [24, 12] * 3 and kept == [False] * 18


def test_parts_may_be_frozen():
    plain = network("fer_sedense_nano")
    fast = copy.deepcopy(plain)
    use_cpu_stages(fast)
    x, grads = torch.rand(4, 1, 48, 48), []
    for model in (plain, fast):
        for key, parameter in model.named_parameters():
            parameter.requires_grad_(".se." not in key and ".bn." not in key)
        model(x).square().sum().backward()
        grads.append({key: p.grad for key, p in model.named_parameters()})
    assert {key for key, grad in grads[1].items() if grad is None} == {key for key in grads[0] if grads[0][key] is None}
    torch.testing.assert_close(grads[1]["classifier.weight"], grads[0]["classifier.weight"], atol=1e-3, rtol=1e-3)


def test_a_second_gradient_is_refused():
    model = network("fer_sedense_nano")
    use_cpu_stages(model)
    loss = model(torch.rand(2, 1, 48, 48)).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="can be computed once only"):
        loss.backward()


def test_variance_of_a_nearly_constant_channel():
    maps = 30 + 1e-3 * torch.randn(4, 144, 3)
    bn = torch.nn.BatchNorm2d(3)
    moments = cpu_stages.Moments(bn, maps)
    for n in range(4):
        moments.add(n)
    mean, variance = moments.mean_and_variance()
    exact = maps.double().flatten(0, 1)
    assert mean == pytest.approx(exact.mean(0).numpy(), rel=1e-7)
    assert variance == pytest.approx(exact.var(0, correction=0).numpy(), rel=1e-2)


def test_several_threads_are_left_to_pytorch():
    torch.set_num_threads(2)
    assert not use_cpu_stages(network("fer_sedense_nano"))


def test_statistics_of_batch_normalisation_can_be_computed_anew(gratings):
    plain = network("fer_sedense_nano")
    fast = copy.deepcopy(plain)
    use_cpu_stages(fast)
    images, _ = gratings(96, 0)
    for model in (plain, fast):
        calibrate_batch_norm(model, images, pictures=96, batch_size=32)
    for (key, value), other in zip(plain.state_dict().items(), fast.state_dict().values(), strict=True):
        torch.testing.assert_close(other, value, atol=1e-5, rtol=1e-4, msg=key)


def test_a_copy_has_weights_of_its_own(calls):
    model = network("fer_sedense_nano").eval()
    use_cpu_stages(model)
    x = torch.rand(2, 1, 48, 48)
    other = copy.deepcopy(model)
    torch.nn.init.zeros_(model.stages[0].blocks[0].conv1.conv.weight)
    assert calls == [] and not torch.allclose(model(x), other(x)) and calls == [24, 12] * 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fer_sedense_s2", {"se": "none"}),
        ("fer_sedense_s2", {"se": "replace"}),
        ("fer_sedense_s2", {"skip": False}),
        ("fer_sedense_s2", {"separable": False}),
        ("fer_sedense_s2", {"bottleneck": 0}),
        ("fer_sedense_gc", {}),
        ("fer_mini_xception", {}),
    ],
)
def test_other_networks_are_left_alone(name, options):
    model = timm.create_model(name, **options)
    assert not use_cpu_stages(model)
    assert model(torch.rand(2, 1, 48, 48)).shape == (2, 7)


def test_half_precision_and_odd_sizes_are_left_to_pytorch(calls):
    model = network("fer_sedense_nano").eval()
    use_cpu_stages(model)
    with torch.autocast("cpu", torch.bfloat16):
        model(torch.rand(2, 1, 48, 48))
    model(torch.rand(2, 1, 50, 50))
    assert calls == []


def test_without_numba():
    code = "import sys; sys.modules['numba'] = None; import timm, fer_demo, torch; torch.set_num_threads(1)\n"
    code += (
        "from training.devices import use_cpu_stages\nsys.exit(use_cpu_stages(timm.create_model('fer_sedense_nano')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


def test_a_run_uses_them_where_it_is_told_to(faces, config, tmp_path, calls):
    losses = []
    for use in (True, False):
        settings = config(model="fer_sedense_nano", epochs=1, sizes=[[0, 24]], cpu_stages=use)
        run = Trainer(settings, faces, tmp_path / str(use), quiet=True)
        run.fit()
        losses.append(run.history[0]["train_loss"])
        assert bool(calls) == use and run.how.get("cpu_stages", False) == use
        calls.clear()
    assert losses[0] == pytest.approx(losses[1], abs=0.02)
