"""Recipes run from end to end, on data in the layout that they are for."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from fer_demo.emotions import LABELS
from training.__main__ import main
from training.data.folders import RAF_ORDER
from training.run.recipes import RECIPES, load_config

SMALL = ["epochs=2", "batch_size=16", "warmup_epochs=0.5", "lr=0.02", "threads=1", "device=cpu", "bf16=off"]


@pytest.fixture
def rafdb(tmp_path, gratings) -> Path:
    """The official layout: 100x100 colour crops, labels 1 to 7 in RAF-DB's order."""
    root = tmp_path / "basic"
    aligned = root / "Image" / "aligned"
    aligned.mkdir(parents=True)
    (root / "EmoLabel").mkdir()
    lines = []
    for part, n, seed in (("train", 77, 1), ("test", 21, 2)):
        images, labels = gratings(n, seed, side=100)
        for i, (image, label) in enumerate(zip(images, labels.tolist(), strict=True), 1):
            name = f"{part}_{i:05}"
            Image.fromarray(image[0].numpy()).convert("RGB").save(aligned / f"{name}_aligned.jpg")
            lines.append(f"{name}.jpg {RAF_ORDER.index(LABELS[label]) + 1}")
    (root / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


def test_raf_single_from_pictures_to_checkpoint(rafdb, tmp_path, capsys):
    run, out = tmp_path / "raf", tmp_path / "fer_sedense_s2.paper_raf_single"
    settings = ["--set", *SMALL, "sizes=[[0, 50], [1, 100]]"]
    common = ["--data", str(rafdb)]
    train = ["train", "fer_sedense_s2.paper_raf_single", "--run-dir", str(run), "--quiet", "--no-record"]
    assert main([*train, *common, *settings]) == 0
    with open(run / "log.csv", newline="") as f:
        assert [row["size"] for row in csv.DictReader(f)] == ["50", "100"]
    assert main(["export", str(run), "--out", str(out), *common, "--tta", "none"]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["size"] == [100, 100]
    assert (metrics["PublicTest"]["n"], metrics["PrivateTest"]["n"]) == (7, 21)
    card = (out / "README.md").read_text()
    assert "RAF-DB" in card and "85.40%" in card and "FER2013" not in card
    capsys.readouterr()
    assert main(["evaluate", f"local-dir:{out}", *common]) == 0
    assert f"({metrics['PrivateTest']['correct']}/21)" in capsys.readouterr().out


@pytest.mark.parametrize("recipe", sorted(p.stem for p in RECIPES.glob("*.yaml")))
def test_every_recipe_ends_at_the_size_its_model_is_used_at(recipe):
    import timm

    import fer_demo  # noqa: F401

    config = load_config(recipe)
    if recipe == "systems":  # for any model, for records and not for checkpoints
        pytest.skip("a common schedule, not a checkpoint's recipe")
    assert timm.create_model(config.model).pretrained_cfg["input_size"][-1] == config.sizes[-1][1]


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("fer_tang_svm.paper_fer2013", {"loss": "l2_svm"}),
        ("fer_guo_relativity.paper_fer2013", {"triplet_weight": 1.0}),
        ("fer_kim_fusion.paper_fer2013", {"aligned": True}),
        ("fer_li_dlp.paper_fer2013", {"locality_weight": 0.003}),
    ],
)
def test_a_systems_recipe_has_what_makes_it_itself(recipe, changes):
    config = load_config(recipe)
    assert {name: getattr(config, name) for name in changes} == changes


def test_every_model_has_a_recipe_for_fer2013():
    import timm

    import fer_demo  # noqa: F401

    trained = {p.stem.partition(".")[0] for p in RECIPES.glob("*_fer2013.yaml")}
    assert set(timm.list_models("fer_*")) <= trained


def test_a_run_at_another_size_is_not_exported(faces, config, tmp_path):
    from training.report.release import export
    from training.run.train import Trainer

    Trainer(config(epochs=1), faces, tmp_path / "run", quiet=True).fit()
    with pytest.raises(ValueError, match=r"ended at 24 pixels, but .* is used at 48"):
        export(tmp_path / "run", tmp_path / "fer_sedense_s2.mine", faces, ())
