"""Two heads on one body: what they learn, whom they may learn from, and how one network is made of both."""

import json
import math
import shutil

import pytest
import timm
import torch
from safetensors.torch import load_file

from fer_demo import Predictor
from fer_demo.checkpoints import resolve
from training.__main__ import main
from training.data import DataError, Faces
from training.data.ferplus import FERPLUS_COLUMNS, OUR_ORDER
from training.eval.evaluate import evaluate
from training.eval.ferplus import checkpoint_figures
from training.report.release import export
from training.run.heads import HEADS_FILE, VOTES, one_head
from training.run.objective import Objective
from training.run.run_folder import BEST, LAST, build_model, run_options
from training.run.runlog import RUNS
from training.run.train import Trainer

pytestmark = pytest.mark.usefixtures("pytorch_teachers")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def voted(faces):
    """Labels as they are; the annotators call every "angry" face neutral and agree otherwise."""
    columns = torch.tensor(OUR_ORDER)[faces.labels]
    columns[faces.labels == 0] = FERPLUS_COLUMNS.index("neutral")
    return Faces(faces.images, faces.labels, faces.splits, torch.eye(10)[columns] * 10)


@pytest.fixture
def both(config):
    def make(**changes):
        settings = {"targets": "both", "epochs": 4, "sizes": [[0, 48]], "augment": {"rotation": 0, "flip": 0}}
        return config(**settings | changes)

    return make


@pytest.fixture(scope="module")
def trained(voted, tmp_path_factory):
    """A run with two heads, trained far enough to know the gratings."""
    from training.run.config import from_dict

    settings = {"model": "fer_sedense_nano", "targets": "both", "epochs": 6, "batch_size": 16, "lr": 0.05}
    settings |= {"warmup_epochs": 0.5, "device": "cpu", "bf16": "off", "threads": 1, "bn_pictures": 112}
    folder = tmp_path_factory.mktemp("runs") / "two"
    run = Trainer(from_dict(settings | {"augment": {"rotation": 0, "flip": 0, "erase": 0}}), voted, folder, quiet=True)
    run.fit()
    return folder, run


class TestObjective:
    def test_each_head_has_its_own_target(self, voted, both):
        objective = Objective(both(label_smoothing=0, vote_share=0.25), voted, CPU)
        assert objective.targets.shape == (len(voted), 15)
        target = objective.targets[:1]  # angry by its label, neutral by the votes
        right = target * 50
        assert objective.loss(right, target) == pytest.approx(0, abs=1e-4)
        wrong_votes, wrong_labels = right.clone(), right.clone()
        wrong_votes[:, 7:] = 0
        wrong_labels[:, :7] = 0
        assert objective.loss(wrong_votes, target) == pytest.approx(0.25 * math.log(8), abs=1e-4)
        assert objective.loss(wrong_labels, target) == pytest.approx(0.75 * math.log(7), abs=1e-4)

    def test_a_picture_without_votes_teaches_its_label_alone(self, voted, both):
        nobody = Faces(voted.images, voted.labels, voted.splits, torch.zeros(len(voted), 10))
        objective = Objective(both(), nobody, CPU)
        logits = torch.zeros(1, 15, requires_grad=True)
        objective.loss(logits, objective.targets[:1]).backward()
        assert logits.grad[:, :7].abs().sum() > 0 and logits.grad[:, 7:].abs().sum() == 0

    def test_without_votes_there_is_one_sentence(self, faces, both):
        with pytest.raises(DataError, match="no annotators' votes"):
            Objective(both(), faces, CPU)

    def test_a_teacher_needs_both_heads(self, voted, both):
        with pytest.raises(ValueError, match="answers for 7 classes and cannot teach 15: name one that was trained"):
            Objective(both(teachers=["fer_sedense_nano"]), voted, CPU)

    def test_two_heads_teach_two_or_one(self, voted, both, config, trained):
        folder, _ = trained
        spec = f"fer_sedense_nano@{folder / BEST}"
        draws = _still(4)
        two = Objective(both(teachers=[spec]), voted, CPU).teach(voted.images[:4], draws)
        one = Objective(config(teachers=[spec]), voted, CPU).teach(voted.images[:4], draws)
        torch.testing.assert_close(two[:, :7], one)
        torch.testing.assert_close(two[:, 7:].sum(1), torch.ones(4))


def _still(n):
    from training.run.augment import AugmentConfig, draw

    still = AugmentConfig(rotation=0, shift=0, scale=0, flip=0, contrast=0, brightness=0, erase=0)
    return draw(n, still, torch.Generator().manual_seed(0))


def test_selection_looks_at_both_heads(trained):
    _, run = trained
    best = next(row for row in run.history if row["epoch"] == run.best["epoch"])
    assert run.best["accuracy"] == pytest.approx((best["public_accuracy"] + best["public_votes_accuracy"]) / 2)
    assert run.best["accuracy"] > 0.8  # the gratings are easy, and angry is neutral for one head alone
    assert run_options(run.run_dir / BEST)["num_classes"] == 15


class TestOneHead:
    def test_shares(self, trained, voted):
        folder, run = trained
        model = build_model(run.config, checkpoint_path=str(folder / BEST)).eval()
        x = voted.images[:8] / 255
        labels, votes = model(x).split((7, 8), 1)
        for share in (0.0, 0.3, 1.0):
            expected = (1 - share) * labels + share * votes[:, list(OUR_ORDER)]
            torch.testing.assert_close(one_head(model, run.config, share)(x), expected)
        eight = one_head(model, run.config, VOTES)
        torch.testing.assert_close(eight(x), votes)
        assert eight.pretrained_cfg["label_names"][7] == "contempt"

    def test_neutral_wins_as_the_votes_gain_weight(self, trained, voted):
        folder, run = trained
        model = build_model(run.config, checkpoint_path=str(folder / BEST)).eval()
        angry = voted.images[voted.labels == 0] / 255
        neutral = [one_head(model, run.config, s)(angry).softmax(1)[:, 6].mean() for s in (0.0, 0.5, 1.0)]
        assert neutral[0] < 0.3 < 0.7 < neutral[2] and neutral == sorted(neutral)

    def test_prior_correction(self, trained, voted):
        _, run = trained
        x = voted.images[:8] / 255
        difference = one_head(run.model, run.config, 0.5, {"fear": 0.7})(x) - one_head(run.model, run.config, 0.5)(x)
        torch.testing.assert_close(difference, torch.tensor([0, 0, 0.7, 0, 0, 0, 0]).expand(8, 7))
        with pytest.raises(ValueError, match="got joy=1"):
            one_head(run.model, run.config, 0.5, {"joy": 1})

    @pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
    def test_a_share_out_of_range(self, trained, share):
        _, run = trained
        with pytest.raises(ValueError, match="The share of votes must be from 0 to 1"):
            one_head(run.model, run.config, share)

    def test_one_head_has_nothing_to_share(self, config):
        model = timm.create_model("fer_sedense_nano")
        with pytest.raises(ValueError, match="one head already"):
            one_head(model, config(), 0.5)


@pytest.fixture(scope="module")
def folder(trained, voted, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "fer_sedense_nano.two_fer2013"
    export(trained[0], out, voted, tta=(), votes_share=0.6, mirror=True, prior_correction={"fear": 0.5})
    return out


class TestExport:
    def test_it_answers_with_seven_classes_and_says_so(self, folder, trained, voted):
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["training"]["operating_point"] == {
            "votes_share": 0.6,
            "prior_correction": {"fear": 0.5},
            "mirror": True,
        }
        assert metrics["PrivateTest"]["votes"]["accuracy"] > metrics["PrivateTest"]["accuracy"]
        assert {"flip"} == set(metrics["tta"]) and metrics["PrivateTest"]["ece_of_draws"] < 0.3
        card = (folder / "README.md").read_text()
        assert "weighs the votes with 60%" in card and "two heads, one for the labels" in card
        assert Predictor(folder).classify(voted.images[:2, 0].numpy()).shape == (2, 7)
        again = evaluate(timm.create_model(f"local-dir:{folder}", pretrained=True), voted, votes_share=0.6, mirror=True)
        assert again["temperature"] == metrics["temperature"]

    def test_the_votes_head_is_kept(self, folder, trained, voted):
        assert HEADS_FILE in resolve(folder).verify()
        kept = load_file(folder / HEADS_FILE)
        assert kept["weight"].shape[0] == 15
        figures = checkpoint_figures(str(folder), voted)
        assert figures["eight"]["PublicTest"]["n"] == 42 and figures["eight"]["PublicTest"]["accuracy"] > 0.8
        assert set(checkpoint_figures("fer_sedense_nano.wide_fer2013", voted)) == {"seven"}

    def test_share_and_heads_belong_together(self, trained, voted, faces, config, tmp_path):
        with pytest.raises(ValueError, match="has two heads: give the share"):
            export(trained[0], tmp_path / "a.b_fer2013", voted, tta=())
        Trainer(config(epochs=1), faces, tmp_path / "one", quiet=True).fit()
        with pytest.raises(ValueError, match="has one head: leave out the share"):
            export(tmp_path / "one", tmp_path / "a.b_fer2013", faces, tta=(), votes_share=0.5)

    def test_other_data_only_with_a_word_about_them(self, trained, voted, tmp_path):
        other = Faces(255 - voted.images, voted.labels, voted.splits, voted.votes)
        out = tmp_path / "fer_sedense_nano.two_fer2013"
        with pytest.raises(ValueError, match=r"other data: give the same --data .* or say with --trained-on"):
            export(trained[0], out, other, tta=(), votes_share=0.5)
        metrics = export(trained[0], out, other, tta=(), votes_share=0.5, trained_on="the pictures, not inverted")
        assert metrics["training"]["data"] == "the pictures, not inverted"
        assert "the pictures, not inverted" in (out / "README.md").read_text()

    def test_a_finished_run_that_lost_its_state(self, trained, voted, tmp_path, monkeypatch):
        run = tmp_path / "two"
        shutil.copytree(trained[0], run)
        (run / LAST).unlink()
        out = tmp_path / "fer_sedense_nano.two_fer2013"
        monkeypatch.setattr("training.report.release.RUNS", tmp_path / "records")
        with pytest.raises(ValueError, match=r"neither last\.pt nor a record of a finished run"):
            export(run, out, voted, tta=(), votes_share=0.5)
        record = tmp_path / "records" / "two"
        record.mkdir(parents=True)
        shutil.copy(run / "config.json", record)
        facts = {"status": "finished", "best": trained[1].best, "data": voted.fingerprint()}
        (record / "record.json").write_text(json.dumps(facts))
        assert export(run, out, voted, tta=(), votes_share=0.5)["training"]["chosen_epoch"] == trained[1].best["epoch"]


def test_evaluating_two_heads_is_refused(trained, data, capsys):
    weights = str(trained[0] / BEST)
    assert main(["evaluate", "fer_sedense_nano", "--weights", weights, "--data", str(data)]) == 2
    assert "15 outputs instead of 7; a run with two heads becomes" in capsys.readouterr().err


def test_every_recipe_of_the_chain_names_runs_that_are_recorded():
    """A recipe's teachers and first weights are runs whose records are here."""
    from training.run.recipes import RECIPES, load_config

    for recipe in RECIPES.glob("*.yaml"):
        config = load_config(recipe)
        for spec in (*config.teachers, config.init_from):
            file = spec.rpartition("@")[2]
            if file.startswith("runs/"):
                assert (RUNS / file.split("/")[1] / "record.json").is_file(), f"{recipe.name}: {file}"
