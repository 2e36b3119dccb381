"""From raw data to a published recipe's checkpoint: what must be trained first, and that one command does it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fer_demo.checkpoints import bundled_checkpoints
from training import UNFINISHED
from training.__main__ import main
from training.run import chain as module
from training.run import recipes
from training.run.chain import chain
from training.run.train import Trainer

SMALL = {"model": "fer_sedense_nano", "epochs": 1, "batch_size": 16, "sizes": [[0, 48]], "warmup_epochs": 0, "lr": 0.02}


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_every_published_recipe_leads_back_to_raw_data(name):
    runs = chain(name, Path("out"), seed=3)
    assert list(runs)[-1] == Path(f"out/{name}-seed3") and runs[Path(f"out/{name}-seed3")].seed == 3
    there: set[str] = set()
    for folder, config in runs.items():
        needed = [config.init_from] if config.init_from else []
        needed += [teacher.partition("@")[2] for teacher in config.teachers]
        assert set(needed) <= there, f"{folder} comes before what it needs"
        there.add(str(folder / "best.safetensors"))


def test_seeds_and_networks_of_teachers_are_those_of_the_recipe():
    runs = chain("fer_sedense.photos_fer2013", Path("out"))
    assert [config.seed for config in runs.values()] == [0, 1, 0, 0]
    *_, last = runs.values()
    assert last.teachers[1] == "fer_pramerdorfer_vgg@out/fer_pramerdorfer_vgg.teacher_fer2013-seed1/best.safetensors"


@pytest.fixture
def small(tmp_path, monkeypatch):
    folder = tmp_path / "recipes"
    folder.mkdir()
    for one in (module, recipes):
        monkeypatch.setattr(one, "RECIPES", folder)

    def write(name, **changes):
        values = SMALL | {"bn_pictures": 64, "device": "cpu", "threads": 1} | changes
        (folder / f"{name}.yaml").write_text(json.dumps(values))

    return write


def test_what_learns_from_itself_is_refused(small):
    small("fer_sedense_nano.one_fer2013", teachers=["fer_sedense_nano.two_fer2013"])
    small("fer_sedense_nano.two_fer2013", init_from="fer_sedense_nano.one_fer2013")
    with pytest.raises(ValueError, match=r"one_fer2013 learns from itself: .*one_fer2013-seed0 <- .*two_fer2013-seed0"):
        chain("fer_sedense_nano.one_fer2013", Path("out"))


def test_weights_whose_recipe_is_not_known(small):
    small("fer_sedense_nano.one_fer2013", teachers=["fer_sedense_nano@elsewhere/best.safetensors"])
    with pytest.raises(ValueError, match=r"not the best\.safetensors of a run named"):
        chain("fer_sedense_nano.one_fer2013", Path("out"))


@pytest.mark.parametrize("name", ["", "../x", "fer_sedense_nano.wide_fer2013.yaml", "training/recipes/systems"])
def test_a_recipe_is_named_and_no_file(name):
    with pytest.raises(ValueError, match=r"is not the name of a recipe.*without folder and suffix"):
        chain(name, Path("out"))


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ({"targets": "both"}, (), r"two\.tag has two heads: give the share of the votes \(--votes-share\)"),
        ({}, ("--votes-share", "0.5"), r"two\.tag has one head: leave out the share"),
        ({"targets": "both"}, ("--votes-share", "2"), "must be from 0 to 1, but is 2"),
        ({"model_args": {"growth_rate": 8}}, (), "names a network without the options .*fer_sedense_nano-variant"),
    ],
)
def test_what_cannot_be_exported_is_not_trained_for_days(
    small, data, tmp_path, capsys, monkeypatch, changes, options, said
):
    small("two.tag", **changes)
    monkeypatch.setattr("training.run.full.train_side_by_side", lambda *_: pytest.fail("trained"))
    command = ["recipe", "two.tag", "--name", "fer_sedense_nano.mine", "--data", str(data), "--out", str(tmp_path)]
    assert main([*command, *options]) == 2
    assert re.search(said, capsys.readouterr().err)


def test_a_folder_that_is_no_checkpoint_is_left_alone_before_training(small, data, tmp_path, capsys, monkeypatch):
    small("two.tag")
    monkeypatch.setattr("training.run.full.train_side_by_side", lambda *_: pytest.fail("trained"))
    (tmp_path / "fer_sedense_nano.mine").mkdir()
    (tmp_path / "fer_sedense_nano.mine" / "letter.txt").write_text("mine")
    command = ["recipe", "two.tag", "--name", "fer_sedense_nano.mine", "--data", str(data), "--out", str(tmp_path)]
    assert main(command) == 2 and "holds something else than a checkpoint" in capsys.readouterr().err


def test_teachers_of_other_data_are_not_taken(small, data, faces, tmp_path, capsys, monkeypatch):
    small("fer_sedense_nano.first_fer2013")
    small("fer_sedense_nano.second_fer2013", teachers=["fer_sedense_nano.first_fer2013"])
    runs = chain("fer_sedense_nano.second_fer2013", tmp_path)
    first, config = next(iter(runs.items()))
    others = replace(faces, images=255 - faces.images)
    Trainer(config, others, first, quiet=True).save()
    monkeypatch.setattr("training.run.full.train_side_by_side", lambda *_: pytest.fail("trained"))
    command = ["recipe", "fer_sedense_nano.second_fer2013", "--data", str(data), "--out", str(tmp_path)]
    assert main(command) == 2
    assert "first_fer2013-seed0 was trained on other data: give the same --data" in capsys.readouterr().err


@pytest.mark.processes
def test_one_command_trains_teacher_and_student_and_exports(small, data, tmp_path, capsys):
    small("fer_sedense_nano.first_fer2013")
    small("fer_sedense_nano.second_fer2013", teachers=["fer_sedense_nano.first_fer2013"])
    out = tmp_path / "out"
    command = ["recipe", "fer_sedense_nano.second_fer2013", "--data", str(data), "--out", str(out)]
    assert main([*command, "--plan"]) == 0 and not out.exists()
    assert "1 of 2: fer_sedense_nano.first_fer2013-seed0, 1 epochs" in capsys.readouterr().out
    assert main([*command, "--minutes", "1e-9"]) == UNFINISHED
    assert "time is up in fer_sedense_nano.first_fer2013-seed0; the same command goes on" in capsys.readouterr().out
    assert main(command) == 0
    checkpoint = out / "fer_sedense_nano.my_second_fer2013"
    training = json.loads((checkpoint / "metrics.json").read_text())["training"]
    first = f"{out}/fer_sedense_nano.first_fer2013-seed0/best.safetensors"
    assert training["recipe"]["teachers"] == [f"fer_sedense_nano@{first}"] and (checkpoint / "model.onnx").is_file()
    before = Path(first).stat().st_mtime_ns
    assert main([*command, "--name", "fer_sedense_nano.my_other"]) == 0
    assert Path(first).stat().st_mtime_ns == before, "trained twice"
