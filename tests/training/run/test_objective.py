"""The levers of a recipe: each does what its paper says, and the trainer learns with each."""

import dataclasses

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from training.data import DataError, Faces
from training.run.augment import AugmentConfig, draw
from training.run.objective import Objective
from training.run.train import Trainer

CPU = torch.device("cpu")


@pytest.fixture
def teacher(tmp_path):
    """Random weights are teacher enough for arithmetic."""
    torch.manual_seed(9)
    file = tmp_path / "teacher.safetensors"
    save_file(timm.create_model("fer_sedense_s2.tune_fer2013").state_dict(), file)
    return f"fer_sedense_s2.tune_fer2013@{file}"


def with_votes(faces):
    votes = torch.zeros(len(faces), 10)
    votes[:, 0], votes[:, 1] = 6, 4  # neutral six, happiness four
    return Faces(faces.images, faces.labels, faces.splits, votes)


def test_plain_loss_is_smoothed_cross_entropy(faces, config):
    objective = Objective(config(label_smoothing=0.1), faces, CPU)
    logits = torch.randn(8, 7)
    expected = F.cross_entropy(logits, faces.labels[:8], label_smoothing=0.1)
    torch.testing.assert_close(objective.loss(logits, objective.targets[:8]), expected)


@pytest.mark.parametrize(("kind", "happy"), [("votes", 0.4), ("majority", 0.0)])
def test_targets_from_votes(faces, config, kind, happy):
    targets = Objective(config(targets=kind), with_votes(faces), CPU).targets
    assert targets[0, 3] == pytest.approx(happy) and targets[0].sum() == pytest.approx(1)


def test_votes_that_are_not_there(faces, config, tmp_path):
    with pytest.raises(DataError, match=r"hold no annotators' votes; put FER\+'s fer2013new\.csv"):
        Trainer(config(targets="votes"), faces, tmp_path)


def test_class_weights_balance(config):
    labels = torch.tensor([0] * 90 + [1] * 10 + [2, 3, 4, 5, 6] * 20)
    few = Faces(torch.zeros(200, 1, 48, 48, dtype=torch.uint8), labels, np.repeat("Training", 200))
    weight = Objective(config(class_weight_power=1.0), few, CPU).class_weight
    assert weight[1] == pytest.approx(9 * weight[0].item())
    assert weight[labels].mean() == pytest.approx(1)
    half = Objective(config(class_weight_power=0.5), few, CPU).class_weight
    assert half[1] == pytest.approx(3 * half[0].item())
    objective = Objective(config(class_weight_power=1.0, label_smoothing=0), few, CPU)
    loss = objective.loss(torch.zeros(1, 7), objective.targets[90:91])
    assert loss == pytest.approx(float(weight[1]) * np.log(7), rel=1e-5)


def test_mixup_mixes_targets_like_pictures(faces, config):
    objective = Objective(config(mixup=1.0), faces, CPU)
    x = objective.targets[:16, 0].view(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()  # pictures that are a target
    torch.manual_seed(0)
    mixed, targets = objective.mix(x, objective.targets[:16])
    torch.testing.assert_close(mixed[:, 0, 0, 0], targets[:, 0])
    assert ((targets > 0.01) & (targets < 0.99)).any() and torch.allclose(targets.sum(1), torch.ones(16))


def test_cutmix_pastes_and_shares_by_area(faces, config):
    objective = Objective(config(cutmix=1.0), faces, CPU)
    x = objective.targets[:16, 0].view(-1, 1, 1, 1).expand(-1, 1, 24, 24).contiguous()
    torch.manual_seed(3)
    mixed, targets = objective.mix(x, objective.targets[:16])
    assert set(mixed.unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(mixed.mean((1, 2, 3)), targets[:, 0])


def test_mix_prob_leaves_batches_alone(faces, config):
    objective = Objective(config(mixup=1.0, cutmix=1.0, mix_prob=0.0), faces, CPU)
    x = torch.rand(4, 1, 8, 8)
    assert objective.mix(x, objective.targets[:4])[0] is x


def test_a_perfect_student_has_nothing_to_learn(faces, config, teacher):
    objective = Objective(config(teachers=[teacher], distill_weight=1.0, distill_temperature=3.0), faces, CPU)
    still = AugmentConfig(rotation=0, shift=0, scale=0, flip=0, contrast=0, brightness=0, erase=0)
    draws = draw(8, still, torch.Generator().manual_seed(0))
    taught = objective.teach(faces.images[:8], draws)
    torch.testing.assert_close(taught.sum(1), torch.ones(8))
    logits = objective.teachers[0].model(faces.images[:8] / 255)
    both = torch.cat([objective.targets[:8], taught], 1)
    assert objective.loss(logits, both) == pytest.approx(0, abs=1e-4)
    assert objective.loss(-logits, both) > 0.001
    assert not any(p.requires_grad for p in objective.teachers[0].model.parameters())


@pytest.mark.usefixtures("pytorch_teachers")
def test_several_teachers_are_averaged(faces, config, teacher, tmp_path):
    torch.manual_seed(10)
    file = tmp_path / "second.safetensors"
    save_file(timm.create_model("fer_sedense_s2.tune_fer2013").state_dict(), file)
    other = f"fer_sedense_s2.tune_fer2013@{file}"
    draws = draw(4, AugmentConfig(), torch.Generator().manual_seed(0))
    one, two, both = (
        Objective(config(teachers=t), faces, CPU).teach(faces.images[:4], draws)
        for t in ([teacher], [other], [teacher, other])
    )
    torch.testing.assert_close(both, (one + two) / 2)
    assert not torch.allclose(one, two)


@pytest.mark.parametrize("spec", ["fer_nothing", "fer_sedense.restart_fer2013@missing.safetensors"])
def test_a_teacher_that_cannot_be_loaded(faces, config, spec):
    with pytest.raises(ValueError, match=f"The teacher {spec!r}"):
        Objective(config(teachers=[spec]), faces, CPU)


@pytest.mark.parametrize(
    "lever",
    [
        {"mixup": 0.2, "cutmix": 1.0, "mix_prob": 0.5},
        {"class_weight_power": 0.5},
        {"drop_duplicates": True},
        {"ema_decay": 0.5},
    ],
    ids=lambda lever: next(iter(lever)),
)
def test_the_trainer_learns_with_it(faces, config, tmp_path, lever):
    trainer = Trainer(config(epochs=4, **lever), faces, tmp_path, quiet=True)
    best = trainer.fit()
    assert best["accuracy"] > 0.3  # chance is 1 in 7
    assert trainer.history[-1]["train_loss"] < trainer.history[0]["train_loss"]


def test_distillation_at_a_smaller_size(faces, config, tmp_path, teacher, monkeypatch):
    """The teacher sees its own 48 pixels while the student trains at 24."""
    trainer = Trainer(config(epochs=1, teachers=[teacher], mixup=0.2), faces, tmp_path, quiet=True)
    shapes = []
    engine = trainer.objective.teachers[0].engine
    logits = engine.logits
    monkeypatch.setattr(engine, "logits", lambda x: shapes.append(x.shape) or logits(x))
    trainer.fit()
    assert {shape[1:] for shape in shapes} == {(1, 48, 48)}
    assert shapes.count((16, 1, 48, 48)) == 7


def test_duplicates_leave_training(faces, config, tmp_path):
    images = faces.images.clone()
    images[1] = images[0]  # a further copy
    images[2] = images[-1]  # also in PrivateTest
    twice = Faces(images, faces.labels.clone(), faces.splits)
    twice.labels[1] = twice.labels[0]
    trainer = Trainer(config(drop_duplicates=True), twice, tmp_path)
    assert len(trainer.batches.images) == len(faces.split("Training")) - 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"targets": "votess"}, "targets must be one of labels, votes, majority"),
        ({"bf16": "maybe"}, "bf16 must be one of auto, on, off"),
        ({"mixup": -1.0}, "mixup must be from 0"),
        ({"distill_weight": 2.0}, "distill_weight must be from 0 to 1"),
        ({"teachers": "fer_sedense"}, "teachers must be a list"),
    ],
)
def test_wrong_levers(config, override, message):
    with pytest.raises(ValueError, match=message):
        config(**override)


@pytest.mark.usefixtures("pytorch_teachers")
def test_teachers_answer_once_for_a_cycle(faces, config, teacher, tmp_path, monkeypatch):
    asked, seen = [], []
    teach, loss = Objective.teach, Objective.loss
    monkeypatch.setattr(Objective, "teach", lambda self, images, draws: asked.append(1) or teach(self, images, draws))

    def spy(self, logits, targets, features=None):
        seen.append(targets.clone())
        return loss(self, logits, targets, features)

    monkeypatch.setattr(Objective, "loss", spy)
    trainer = Trainer(config(teachers=[teacher], teacher_cycle=2, epochs=4), faces, tmp_path, quiet=True)
    trainer.fit()
    steps = trainer.steps_per_epoch
    assert len(asked) == 2 * steps and len(seen) == 4 * steps
    assert all(torch.equal(a, b) for a, b in zip(seen[: 2 * steps], seen[2 * steps :], strict=True))
    assert not torch.equal(seen[0], seen[steps])


@pytest.mark.usefixtures("pytorch_teachers")
def test_a_cycle_as_long_as_the_run_changes_nothing(faces, config, teacher, tmp_path):
    losses = []
    for cycle in (0, 3):
        trainer = Trainer(config(teachers=[teacher], teacher_cycle=cycle, epochs=3), faces, tmp_path / str(cycle))
        trainer.fit()
        losses.append([row["train_loss"] for row in trainer.history])
    assert losses[0] == losses[1]


@pytest.mark.usefixtures("pytorch_teachers")
class TestKeptAnswers:
    @pytest.fixture
    def asked(self, monkeypatch):
        """Counts the steps in which the teachers are asked."""
        asked, teach = [], Objective.teach
        monkeypatch.setattr(Objective, "teach", lambda *args: asked.append(1) or teach(*args))
        return asked

    def train(self, settings, faces, run_dir):
        trainer = Trainer(settings, faces, run_dir, quiet=True)
        trainer.fit()
        return trainer.steps_per_epoch, [row["train_loss"] for row in trainer.history]

    def test_another_run_beside_it_need_not_ask(self, faces, config, teacher, tmp_path, asked):
        settings = config(teachers=[teacher], teacher_cycle=2, epochs=2)
        steps, losses = self.train(settings, faces, tmp_path / "one")
        assert len(asked) == 2 * steps
        assert self.train(settings, faces, tmp_path / "two") == (steps, losses) and len(asked) == 2 * steps
        self.train(dataclasses.replace(settings, sizes=((0, 32),), lr=0.01), faces, tmp_path / "three")
        assert len(asked) == 2 * steps
        (file,) = tmp_path.glob("teachers-*")
        assert np.isfinite(np.load(file)).all()

    @pytest.mark.parametrize(
        "other", [{"seed": 1}, {"distill_temperature": 3.0}, {"augment": AugmentConfig(rotation=3)}, {"batch_size": 8}]
    )
    def test_other_pictures_or_answers_have_a_file_of_their_own(self, faces, config, teacher, tmp_path, other):
        settings = config(teachers=[teacher], teacher_cycle=1, epochs=1)
        Trainer(settings, faces, tmp_path / "one", quiet=True)
        Trainer(dataclasses.replace(settings, **other), faces, tmp_path / "two", quiet=True)
        assert len([*tmp_path.glob("teachers-*")]) == 2

    @pytest.mark.parametrize("damage", ["cut", "empty", "text", "spoiled"])
    def test_what_is_damaged_is_asked_again(self, faces, config, teacher, tmp_path, asked, damage):
        settings = config(teachers=[teacher], teacher_cycle=1, epochs=1)
        steps, losses = self.train(settings, faces, tmp_path / "one")
        (file,) = tmp_path.glob("teachers-*")
        whole = file.read_bytes()
        spoiled = whole[:-400] + b"\x7f" * 400
        file.write_bytes({"cut": whole[:-4], "empty": b"", "text": b"not an array", "spoiled": spoiled}[damage])
        assert self.train(settings, faces, tmp_path / "two") == (steps, losses)
        assert len(asked) == steps + (1 if damage in ("cut", "spoiled") else steps)  # where the rest is whole, that one
        assert file.read_bytes() == whole and not [*tmp_path.glob("teachers-*.*.*")]


def test_a_cycle_without_teachers_is_refused(config):
    with pytest.raises(ValueError, match="teacher_cycle"):
        config(teacher_cycle=3)
