"""What people who know timm try on these names, on bundled weights."""

import copy
import pickle

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3

import fer_demo  # noqa: F401  (registers the networks)
from fer_demo.checkpoints import bundled_checkpoints, checkpoints_dir
from fer_demo.emotions import LABELS

NAME = "fer_sedense_nano.wide_fer2013"
ALL = [name for name in bundled_checkpoints() if name.startswith("fer_")]


@pytest.fixture
def x():
    return torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(1))


def trained(name=NAME, **options):
    return timm.create_model(name, pretrained=True, **options).eval()


def test_names_with_weights():
    assert set(timm.list_models("fer_*", pretrained=True)) == set(ALL)
    assert timm.list_pretrained("fer_sedense_nano*") == [n for n in ALL if n.startswith("fer_sedense_nano")]
    assert timm.is_model_pretrained(NAME) and timm.models.is_model("fer_sedense")
    cfg = timm.get_pretrained_cfg(NAME)
    assert cfg.input_size == (1, 48, 48) and cfg.label_names == LABELS and cfg.has_weights
    assert timm.get_pretrained_cfg_value(NAME, "num_classes") == 7


@pytest.mark.parametrize("name", ALL)
def test_the_name_of_a_checkpoint_and_its_folder_answer_alike(name, x):
    folder = trained(f"local-dir:{checkpoints_dir() / name}")
    assert torch.equal(folder(x), trained(name)(x))
    mine, theirs = (dict(model.pretrained_cfg) for model in (folder, trained(name)))
    same = ("input_size", "mean", "std", "interpolation", "crop_pct", "notes", "num_classes")
    assert [list(mine[k]) if isinstance(mine[k], tuple) else mine[k] for k in same] == [
        list(theirs[k]) if isinstance(theirs[k], tuple) else theirs[k] for k in same
    ]


def test_features_of_chosen_stages(x):
    model = trained(features_only=True, out_indices=(1, 3))
    maps = model(x)
    assert model.feature_info.channels() == [m.shape[1] for m in maps]
    assert model.feature_info.reduction() == [48 // m.shape[-1] for m in maps] == [4, 16]
    whole = trained()
    torch.testing.assert_close(maps[1], whole.forward_features(x), rtol=1e-4, atol=1e-4)
    last = trained(features_only=True, out_indices=(-1,))(x)
    torch.testing.assert_close(last[0], maps[1], rtol=1e-4, atol=1e-4)
    getter = trained(features_only=True, out_indices=(1, 3), feature_cls="getter")(x)
    torch.testing.assert_close(getter[0], maps[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pool", ["avg", "max", "avgmax", "catavgmax"])
def test_other_pools_and_classes(pool, x):
    model = trained()
    model.reset_classifier(4, pool)
    assert model(x).shape == (2, 4) and model.get_classifier().out_features == 4
    assert model.forward_head(model.forward_features(x), pre_logits=True).shape[1] == model.head_hidden_size
    made = trained(num_classes=4, global_pool=pool)
    assert made(x).shape == (2, 4) and made.head_hidden_size == made.get_classifier().in_features


def test_weights_of_ones_own(tmp_path, x):
    saved = timm.create_model("fer_sedense_nano").eval()
    file, checkpoint = tmp_path / "own.safetensors", tmp_path / "own.pth"
    save_file(saved.state_dict(), file)
    torch.save({"state_dict": {f"module.{k}": v for k, v in saved.state_dict().items()}, "epoch": 3}, checkpoint)
    for path in (file, checkpoint):
        assert torch.equal(timm.create_model("fer_sedense_nano", checkpoint_path=str(path)).eval()(x), saved(x))
        overlay = trained(pretrained_cfg_overlay={"file": str(path)})
        assert torch.equal(overlay(x), saved(x))
        loaded = timm.create_model("fer_sedense_nano").eval()
        timm.models.load_checkpoint(loaded, str(path))
        assert torch.equal(loaded(x), saved(x))


@pytest.mark.parametrize("name", ["fer_sedense_nano", "fer_mini_xception", "fer_pramerdorfer_resnet"])
def test_optimisers(name):
    model = timm.create_model(name)
    assert not getattr(model, "no_weight_decay", set)()
    optimizer = create_optimizer_v2(model, opt="adamw", lr=0.1, weight_decay=0.05, layer_decay=0.7)
    scales = [group["lr_scale"] for group in optimizer.param_groups]
    assert max(scales) == 1 and min(scales) < 0.7**3
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(model.parameters()))
    decayed = {id(p) for g in optimizer.param_groups if g["weight_decay"] for p in g["params"]}
    assert all(id(p) not in decayed for n, p in model.named_parameters() if p.ndim == 1)


def test_copies(x):
    model = trained()
    ema = ModelEmaV3(model, decay=0.9)
    ema.update(model, step=1)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), ema.module.eval()):
        assert torch.equal(again(x), model(x)) and again.trained_size == (48, 48)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ALL)
def test_half_precision(name, dtype, x):
    model = trained(name)
    full = model(x).softmax(1)
    half = model.to(dtype)(x.to(dtype))
    assert half.dtype == dtype and (half.float().softmax(1) - full).abs().max() < 0.05
    assert trained(name, dtype=dtype)(x.to(dtype)).dtype == dtype


def test_classes_of_ones_own_go_through_a_folder(tmp_path, x):
    model = trained(num_classes=4)
    names = ["calm", "tense", "glad", "low"]
    timm.models.save_for_hf(
        model, tmp_path, model_config={"label_names": names, "num_classes": 4}, safe_serialization=True
    )
    again = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert torch.equal(again(x), model(x)) and again.num_classes == 4
    assert list(again.pretrained_cfg["label_names"]) == names
    # Notes of a temperature that was fitted for other classes would make wrong probabilities.
    assert "temperature" not in str(again.pretrained_cfg.get("notes"))


def test_a_new_classifier_takes_nothing_from_the_old_one():
    """Names, temperature and threshold were another classifier's."""
    model = trained("fer_sedense_nano.photos_fer2013")
    assert model.pretrained_cfg["notes"] and trained(num_classes=0).pretrained_cfg["label_names"] == LABELS
    model.reset_classifier(4)
    other = trained("fer_sedense_nano.photos_fer2013", num_classes=4)
    for cfg in (model.pretrained_cfg, model.default_cfg, other.pretrained_cfg):
        assert list(cfg["notes"]) == ["mirror=1", "robust=1"] and cfg["label_names"] is None


def test_colours_go_through_a_folder(tmp_path):
    model = trained(in_chans=3)
    timm.models.save_for_hf(model, tmp_path, safe_serialization=True)
    again = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    colours = torch.rand(2, 3, 48, 48)
    assert torch.equal(again(colours), model(colours)) and again.trained_size == (48, 48)
