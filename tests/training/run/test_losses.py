"""The losses of the compared systems, against their formulas and in the trainer."""

import math

import pytest
import timm
import torch
import torch.nn.functional as F

import fer_demo  # noqa: F401
from training.data.faces import Faces
from training.run.config import TrainConfig
from training.run.losses import exponential_triplet, l2_svm, locality_preserving
from training.run.objective import Objective
from training.run.recipes import load_config
from training.run.run_folder import is_named_network
from training.run.train import Trainer

pytestmark = pytest.mark.usefixtures("pytorch_teachers")

CPU = torch.device("cpu")


class TestSVM:
    def test_against_the_formula(self):
        margins = torch.tensor([[2.0, -3.0, 0.5], [0.2, 0.1, -0.4]])
        labels = torch.tensor([0, 1])
        t = torch.tensor([[1.0, -1, -1], [-1, 1, -1]])
        expected = torch.clamp(1 - margins * t, min=0).square().sum(1).mean()
        torch.testing.assert_close(l2_svm(margins, F.one_hot(labels, 3).float()), expected)

    def test_beyond_the_margin_nothing_is_left_to_do(self):
        assert l2_svm(torch.tensor([[1.5, -1.0, -2.0]]), torch.tensor([[1.0, 0, 0]])) == 0

    def test_class_weights(self):
        margins, targets = torch.zeros(2, 3), torch.eye(3)[:2]
        weighted = l2_svm(margins, targets, torch.tensor([3.0, 1.0, 1.0]))
        torch.testing.assert_close(weighted, torch.tensor((3 * 3 + 1 * 3) / 2.0))


class TestTriplet:
    def test_against_all_triplets_one_by_one(self):
        torch.manual_seed(0)
        features, labels = torch.randn(9, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 1])
        x = F.normalize(features, dim=1)
        terms = []
        for a in range(9):
            for p in range(9):
                for n in range(9):
                    if a != p and labels[a] == labels[p] and labels[a] != labels[n]:
                        far = (x[a] - x[p]).square().sum() - (x[a] - x[n]).square().sum()
                        terms.append(math.exp(2 * far))
        assert float(exponential_triplet(features, labels)) == pytest.approx(sum(terms) / len(terms), rel=1e-5)

    def test_difficult_triplets_weigh_more(self):
        """Its derivative with respect to a triplet's distance is the loss of that triplet."""
        labels = torch.tensor([0, 0, 1])
        easy = torch.tensor([[1.0, 0], [0.9, 0.1], [-1, 0]], requires_grad=True)
        hard = torch.tensor([[1.0, 0], [-0.9, 0.1], [0.9, 0.3]], requires_grad=True)
        pulls = [torch.autograd.grad(exponential_triplet(x, labels), x)[0].norm() for x in (easy, hard)]
        assert pulls[1] > 5 * pulls[0]

    @pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
    def test_a_batch_without_triplets(self, labels):
        x = torch.randn(3, 4, requires_grad=True)
        loss = exponential_triplet(x, torch.tensor(labels))
        loss.backward()
        assert loss == 0 and (x.grad == 0).all()


class TestLocality:
    def test_against_neighbours_by_hand(self):
        x = torch.tensor([[0.0], [1.0], [3.0], [100.0], [2.0]])
        labels = torch.tensor([0, 0, 0, 1, 0])
        # Nearest two of the same class: 0 -> 1, 2; 1 -> 0 and 2 (a tie within the class); 3 -> 2, 1; 2 -> 1, 3.
        expected = 0.5 * torch.tensor([1.5**2, 0.0, 1.5**2, 0.0, 0.0]).mean()
        torch.testing.assert_close(locality_preserving(x, labels, 2), expected)

    def test_the_neighbours_mean_is_fixed(self):
        x = torch.tensor([[0.0], [4.0]], requires_grad=True)
        locality_preserving(x, torch.tensor([0, 0])).backward()
        torch.testing.assert_close(x.grad, torch.tensor([[-2.0], [2.0]]))  # (x - mean of the others) / N

    def test_fewer_neighbours_than_asked_for(self):
        x = torch.randn(4, 3)
        loss = locality_preserving(x, torch.tensor([0, 0, 0, 1]), 20)
        means = torch.stack([x[[1, 2]].mean(0), x[[0, 2]].mean(0), x[[0, 1]].mean(0), x[3]])
        torch.testing.assert_close(loss, 0.5 * (x - means).square().sum(1).mean())


OWN = {
    "fer_tang_svm": {"loss": "l2_svm"},
    "fer_guo_relativity": {"triplet_weight": 1.0},
    "fer_li_dlp": {"locality_weight": 0.003},
}


@pytest.mark.parametrize("name", timm.list_models("fer_*"))
def test_one_step_with_its_own_loss_lowers_it(name, faces, config):
    torch.manual_seed(0)
    side = 48
    options = {"hidden_size": 6} if name == "fer_li_dlp" else {}  # 21 M instead of 75 M parameters
    model = timm.create_model(name, **options).train()
    settings = config(model=name, label_smoothing=0, **OWN.get(name, {}))
    batch = faces.split("Training").take(torch.arange(16))
    objective = Objective(settings, batch, CPU)
    seen = []
    model.get_classifier().register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))
    x = batch.images.float() / 255
    assert x.shape[-1] == side
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def loss():
        logits = model(x)
        return objective.loss(logits, objective.targets, seen.pop() if settings.needs_features else None)

    before = loss()
    before.backward()
    assert all(p.grad is not None for p in model.parameters())
    optimizer.step()
    assert loss() < before


@pytest.mark.parametrize(
    "changes",
    [{"loss": "l2_svm", "lr": 0.01}, {"triplet_weight": 1.0}, {"locality_weight": 0.003}],
    ids=["l2_svm", "triplet", "locality"],
)
def test_the_trainer_learns_with_it(changes, faces, config, tmp_path):
    trainer = Trainer(config(epochs=4, **changes), faces, tmp_path, quiet=True)
    trainer.fit()
    losses = [row["train_loss"] for row in trainer.history]
    assert losses[-1] < losses[0] and trainer.best["accuracy"] > 1.5 / 7 and trainer.features == []


def test_features_change_the_loss(faces, config):
    objective = Objective(config(triplet_weight=0.5, label_smoothing=0), faces, CPU)
    logits, features, targets = torch.randn(8, 7), torch.randn(8, 5), objective.targets[:8]
    plain = F.cross_entropy(logits, faces.labels[:8])
    expected = plain + 0.5 * exponential_triplet(features, faces.labels[:8])
    torch.testing.assert_close(objective.loss(logits, targets, features), expected)


def test_model_args_reach_the_network(faces, config, tmp_path):
    trainer = Trainer(config(model_args={"se": "none"}), faces, tmp_path, quiet=True)
    assert sum(p.numel() for p in trainer.model.parameters()) == 255_935
    assert load_config(None, ["model_args={se: none}"]).model_args == {"se": "none"}


def test_a_teacher_with_options_and_no_export_under_another_networks_name(faces, config, tmp_path):
    from training.report.release import export

    settings = config(model_args={"se": "none"}, epochs=1)
    Trainer(settings, faces, tmp_path / "a", quiet=True).fit()
    student = config(teachers=[f"fer_sedense_s2.tune_fer2013@{tmp_path / 'a' / 'best.safetensors'}"], epochs=1)
    teacher = Objective(student, faces, CPU).teachers[0]
    assert sum(p.numel() for p in teacher.model.parameters()) == 255_935
    with pytest.raises(ValueError, match=r"names a network without the options \{'se': 'none'\}"):
        export(tmp_path / "a", tmp_path / "fer_sedense_s2.mine", faces, ())


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({}, True),
        ({"depths": [3, 3, 3, 3], "growth_rate": 32, "se": "concat"}, True),
        ({"depths": [3, 3, 3, 2]}, False),
        ({"groups": 2}, False),
    ],
)
def test_options_that_a_network_has_anyway(config, options, same):
    before = torch.random.get_rng_state()
    assert is_named_network(config(model_args=options)) is same
    assert torch.equal(torch.random.get_rng_state(), before)


def test_options_that_change_answers_alone():
    """Where the parameters fit, the answers decide."""
    few = {"model": "fer_sedense_s2", "model_args": {"stem_stride": 1}}
    assert not is_named_network(TrainConfig(**few))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, "loss must be one of cross_entropy, l2_svm; got 'hinge'"),
        ({"triplet_weight": -1.0}, "triplet_weight must be from 0"),
        ({"triplet_weight": 1.0, "mixup": 0.2}, "need pictures of one class: leave out mixup and cutmix"),
        ({"model_args": {"num_classes": 8}}, "model_args cannot set num_classes"),
        ({"model_args": {"wings": 2}}, "fer_sedense_s2.*cannot be made with model_args {'wings': 2}: .*'wings'"),
        ({"aligned": True}, "looks at one picture: leave aligned out"),
    ],
)
def test_wrong_settings(changes, message, faces, config, tmp_path):
    with pytest.raises(ValueError, match=message):
        Trainer(config(**changes), Faces(faces.images, faces.labels, faces.splits), tmp_path, quiet=True)
