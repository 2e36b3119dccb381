"""The contract every registered model keeps with timm, and the facts of the paper's network."""

import copy

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import group_parameters
from timm.models._manipulate import reinit_non_persistent_buffers
from torch import fx

import fer_demo  # noqa: F401
from fer_demo.emotions import LABELS
from fer_demo.models.dense_block import DenseBlock, HalvingPool, SeparableConvNormAct, Transition

MODELS = timm.list_models("fer_*")

# 74 of DLP-CNN's 75 M parameters lie in one layer, whose width changes nothing about the contract but the tests' time.
OPTIONS = {"fer_li_dlp": {"hidden": 50}}


def build(name, **kwargs):
    torch.manual_seed(0)
    return timm.create_model(name, **OPTIONS.get(name, {}), **kwargs).eval()


def picture(model, n=2):
    torch.manual_seed(1)
    return torch.rand(n, *model.pretrained_cfg["input_size"])


@pytest.fixture
def weights(tmp_path):
    """Saves random weights of a model and gives the overlay with which `pretrained=True` loads them."""

    def save(name):
        model = build(name)
        for module in model.modules():  # distinct statistics, so that a forgotten buffer would show
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        file = tmp_path / f"{name}.safetensors"
        save_file(model.state_dict(), file)
        return model, {"file": str(file)}

    return save


def test_models_are_listed():
    assert {"fer_sedense", "fer_sedense_s2"} <= set(MODELS)
    assert set(timm.list_models(module="sedense")) >= {"fer_sedense", "fer_sedense_s2"}


@pytest.mark.parametrize("name", MODELS)
def test_forward_and_defaults(name):
    model = build(name)
    cfg = model.pretrained_cfg
    assert tuple(cfg["label_names"]) == LABELS
    logits = model(picture(model))
    assert logits.shape == (2, 7) and logits.isfinite().all()
    modules = dict(model.named_modules())
    assert cfg["first_conv"] in modules and modules[cfg["classifier"]] is model.get_classifier()
    assert tuple(model.forward_features(picture(model)).shape[-2:]) == tuple(cfg["pool_size"])


@pytest.mark.parametrize("name", MODELS)
def test_made_on_another_device_and_filled_later(name):
    """timm's road for large networks: nothing is drawn or computed before the weights are there."""
    model = build(name)
    empty = build(name, device="meta")
    assert {t.device.type for t in (*empty.parameters(), *empty.buffers())} == {"meta"}
    filled = empty.to_empty(device="cpu")
    for buffer in filled.buffers():
        buffer.zero_()
    filled.load_state_dict(model.state_dict())
    reinit_non_persistent_buffers(filled)
    assert torch.equal(filled(picture(model)), model(picture(model)))


@pytest.mark.parametrize("name", MODELS)
def test_heads(name):
    model = build(name)
    x = picture(model)
    features = model.forward_features(x)
    assert torch.equal(model.forward_head(features), model(x))
    pooled = model.forward_head(features, pre_logits=True)
    assert pooled.shape == (2, model.head_hidden_size)
    model.reset_classifier(11)
    assert model(x).shape == (2, 11) and model.num_classes == 11
    model.reset_classifier(0)
    assert torch.equal(model(x), pooled)
    model.reset_classifier(0, "")
    assert torch.equal(model(x), features)
    unpooled = build(name, num_classes=0, global_pool="")
    assert unpooled(x).shape == features.shape


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("in_chans", [1, 3])
def test_every_parameter_gets_a_gradient(name, in_chans):
    model = build(name, num_classes=42, in_chans=in_chans).train()
    x = torch.rand(2, in_chans, *model.pretrained_cfg["input_size"][-2:])
    out = model(x)
    assert out.shape == (2, 42)
    out.mean().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", MODELS)
def test_gradient_checkpointing_changes_nothing(name):
    """Neither gradients nor the running statistics of batch normalisation, which would move twice."""
    start = build(name).train()
    x = picture(start)
    found = []
    for enable in (False, True):
        model = copy.deepcopy(start)
        torch.manual_seed(2)  # for dropout
        model.set_grad_checkpointing(enable)
        model(x).square().sum().backward()
        found.append([*(p.grad for p in model.parameters()), *model.buffers()])
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(plain, checkpointed, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_new_classifier_on_a_network_without_pooling(name):
    model = build(name)
    pooling = model.pool_type
    model.reset_classifier(0, "")
    model.reset_classifier(2)
    assert model.pool_type == pooling and model(picture(model)).shape[1] == 2
    assert not any(m.training for m in model.modules())


def test_options_without_a_use_are_refused_in_a_sentence():
    for option, value in {"drop_path_rate": 0.1, "img_size": 64}.items():
        with pytest.raises(TypeError, match=f"fer_sedense has .*: leave {option} out|any size .*: leave {option} out"):
            timm.create_model("fer_sedense", **{option: value})
        timm.create_model("fer_sedense_nano", **{option: None})  # as timm's own trainer may give it


@pytest.mark.parametrize("name", MODELS)
def test_features(name):
    whole = build(name)
    model = build(name, features_only=True, out_indices=tuple(range(len(whole.stages))))
    x = torch.rand(1, *whole.pretrained_cfg["input_size"])
    maps = model(x)
    assert [m.shape[1] for m in maps] == model.feature_info.channels()
    for feature, reduction in zip(maps, model.feature_info.reduction(), strict=True):
        # The stride, but for rounding and what unpadded convolutions cut off.
        assert -7 < feature.shape[-1] - x.shape[-1] / reduction < 1


@pytest.mark.parametrize("name", MODELS)
def test_forward_intermediates(name):
    model = build(name)
    x = picture(model)
    final, maps = model.forward_intermediates(x)
    assert len(maps) == len(model.feature_info)
    assert [m.shape[1] for m in maps] == [info["num_chs"] for info in model.feature_info]
    assert torch.equal(final, model.forward_features(x)) and torch.equal(maps[-1], final)
    last = len(maps) - 1
    only = model.forward_intermediates(x, indices=[0, last], intermediates_only=True, stop_early=True)
    assert torch.equal(only[0], maps[0]) and torch.equal(only[1], maps[last])
    with pytest.raises(ValueError, match="output_fmt"):
        model.forward_intermediates(x, output_fmt="NLC")
    model.prune_intermediate_layers([1])
    assert torch.equal(model(x), maps[1])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("coarse", [True, False])
def test_group_matcher_covers_every_parameter(name, coarse):
    model = build(name)
    groups = group_parameters(model, model.group_matcher(coarse=coarse))
    assert sorted(n for names in groups.values() for n in names) == sorted(n for n, _ in model.named_parameters())
    assert len(groups) >= len(model.stages)


@pytest.mark.parametrize("name", MODELS)
def test_torchscript(name):
    model = build(name)
    x = picture(model)
    torch.testing.assert_close(torch.jit.script(model)(x), model(x))


@pytest.mark.parametrize("name", MODELS)
def test_fx_and_export(name):
    model = build(name)
    x = picture(model)
    torch.testing.assert_close(fx.symbolic_trace(model)(x), model(x))
    assert fx.symbolic_trace(build(name).train())(x).shape == (2, 7)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
    # The exported graph is not channels-last, so sums are rounded in another order.
    torch.testing.assert_close(exported.module()(picture(model, 5)), model(picture(model, 5)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_pretrained_weights_load(name, weights):
    saved, overlay = weights(name)
    model = build(name, pretrained=True, pretrained_cfg_overlay=overlay)
    x = picture(model)
    assert torch.equal(model(x), saved(x))
    # A colour network on pretrained weights answers for a grey picture as the grey network does.
    colour = build(name, pretrained=True, pretrained_cfg_overlay=overlay, in_chans=3)
    torch.testing.assert_close(colour(x.repeat(1, 3, 1, 1)), saved(x), rtol=1e-4, atol=1e-4)
    # Another number of classes keeps everything but the classifier.
    other = build(name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=8)
    assert torch.equal(other.forward_features(x), saved.forward_features(x)) and other(x).shape == (2, 8)


@pytest.mark.parametrize("name", MODELS)
def test_missing_weights_say_so(name):
    with pytest.raises(RuntimeError, match="No pretrained weights exist"):
        timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": None})


@pytest.mark.parametrize("name", MODELS)
def test_local_dir_round_trip(name, tmp_path):
    model = build(name)
    timm.models.save_for_hf(model, tmp_path, safe_serialization=True)
    again = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    x = picture(model)
    assert torch.equal(again(x), model(x))
    assert again.pretrained_cfg["input_size"] == model.pretrained_cfg["input_size"]


@pytest.mark.parametrize("name", MODELS)
def test_no_activation_is_in_place(name):
    assert [n for n, m in build(name).named_modules() if getattr(m, "inplace", False)] == []


@pytest.mark.parametrize("name", MODELS)
def test_channels_last_gives_the_same_answer(name):
    model = build(name)
    x = picture(model)
    expected = model(x)
    got = model.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


class TestPaper:
    """What pins the reconstruction down: see the docstring of `fer_demo.models.sedense`."""

    @pytest.mark.parametrize(("name", "parameters"), [("fer_sedense", 480_763), ("fer_sedense_s2", 481_019)])
    def test_parameters(self, name, parameters):
        assert sum(p.numel() for p in build(name).parameters()) == parameters

    def test_channels_after_each_stage(self):
        model = build("fer_sedense")
        assert [info["num_chs"] for info in model.feature_info] == [224, 304, 344, 364]
        assert [stage.transition.conv.conv.out_channels for stage in model.stages[1:]] == [112, 152, 172]
        assert model(torch.rand(1, 1, 48, 48)).shape == (1, 7)

    def test_twelve_blocks_concatenate_twice_each(self):
        model = build("fer_sedense")
        graph = fx.symbolic_trace(model).graph
        cats = [n for n in graph.nodes if n.target is torch.cat]
        # One call joins three tensors: two concatenations of two, as the authors' own layer names count them.
        assert sum(len(n.args[0]) - 1 for n in cats) == 24

    def test_block_concatenates_input_features_and_gated_features(self):
        block = build("fer_sedense").stages[0].blocks[0]
        x = torch.randn(2, 32, 6, 6)
        f = block.conv2(block.conv1(x))
        gates = {}
        handle = block.se.gate.register_forward_hook(lambda m, i, o: gates.update(o=o))
        out = block(x)
        handle.remove()
        assert gates["o"].shape == (2, 32, 1, 1) and ((gates["o"] > 0) & (gates["o"] < 1)).all()
        torch.testing.assert_close(out, torch.cat([x, f, f * gates["o"]], 1))

    def test_pooling_first_is_the_papers_transition(self):
        """Average pooling commutes with the bias-free 1x1 convolution."""
        transition = build("fer_sedense").stages[1].transition
        x = torch.randn(2, 224, 8, 8)
        conv = transition.conv.conv
        torch.testing.assert_close(conv(transition.pool(x)), transition.pool(conv(x)), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("size", [48, 64, 100])
    def test_fully_convolutional(self, size):
        for name in ("fer_sedense", "fer_sedense_s2"):
            assert build(name)(torch.rand(1, 1, size, size)).shape == (1, 7)


@pytest.mark.parametrize("name", ["fer_sedense", "fer_sedense_s2"])
def test_the_whole_network_runs_channels_last(name):
    """With one input channel PyTorch would compute the stem's output, and with it the first stage, channels-first."""
    model = timm.create_model(name).train()
    formats = []
    for module in model.modules():
        if isinstance(module, DenseBlock | Transition):
            module.register_forward_hook(
                lambda m, i, out: formats.append(out.is_contiguous(memory_format=torch.channels_last))
            )
    model(torch.rand(2, 1, 48, 48))
    assert len(formats) == 15 and all(formats)


@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_pooling_is_the_same_in_training(size):
    pool, x = HalvingPool(), torch.rand(2, 3, *size)
    assert torch.equal(pool.train()(x), pool.eval()(x))
    assert torch.equal(pool(x), torch.nn.functional.avg_pool2d(x, 2))


@pytest.mark.parametrize("groups", [1, 2])
def test_a_separable_convolution_is_a_dense_one(groups):
    """As which a GPU trains it."""
    layer = SeparableConvNormAct(12, 8, groups).double().eval()
    x = torch.rand(2, 12, 9, 7, dtype=torch.float64)
    dense = torch.nn.functional.conv2d(x, layer.dense_weight(), padding=1, groups=groups)
    torch.testing.assert_close(dense, layer.conv_pw(layer.conv_dw(x)))
