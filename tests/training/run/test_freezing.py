"""What rests keeps its weights and its statistics; the rest learns."""

import pytest
import torch

from fer_demo.checkpoints import bundled_checkpoints
from training.run.freezing import Freezing
from training.run.run_folder import build_model
from training.run.train import Trainer

NANO = "fer_sedense_nano.wide_fer2013"
pytestmark = pytest.mark.skipif(NANO not in bundled_checkpoints(), reason=f"{NANO} is not bundled")


def moved(config, faces, folder):
    """The parts of the network that a run has changed."""
    trainer = Trainer(config, faces, folder, quiet=True)
    trainer._start()
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.fit()
    after = trainer.model.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    return {".".join(name.split(".")[: 2 if name.startswith("stages") else 1]) for name in changed}


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"head_epochs": 1}, {"classifier"}),
        ({"frozen_stages": 2}, {"stages.2", "stages.3", "classifier"}),
        ({"frozen_stages": 4}, {"classifier"}),
        ({}, {"stem", "stages.0", "stages.1", "stages.2", "stages.3", "classifier"}),
    ],
)
def test_what_rests_stays(config, faces, tmp_path, settings, parts):
    run = config(model=NANO, init_from=NANO, epochs=1, **settings)
    assert moved(run, faces, tmp_path / "run") == parts


def test_the_body_learns_after_the_classifier(config, faces, tmp_path):
    run = config(model=NANO, init_from=NANO, epochs=2, head_epochs=1, frozen_stages=1)
    assert moved(run, faces, tmp_path / "run") == {"stages.1", "stages.2", "stages.3", "classifier"}


def test_a_resumed_run_rests_alike(config, faces, tmp_path):
    run = config(model=NANO, init_from=NANO, epochs=2, head_epochs=1, evaluate_every=1)
    whole = Trainer(run, faces, tmp_path / "whole", quiet=True)
    whole.fit()
    first = Trainer(run, faces, tmp_path / "parts", quiet=True)
    first._start()
    first._train_epoch(float("inf"))
    first._finish_epoch()
    second = Trainer(run, faces, tmp_path / "parts", quiet=True)
    second.load(tmp_path / "parts" / "last.pt")
    second.fit()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"frozen_stages": 1}, "would keep random weights: set init_from"),
        ({"frozen_stages": 5, "init_from": NANO}, "frozen_stages is 5, but .* has 4 stages"),
    ],
)
def test_what_cannot_rest(config, settings, sentence):
    def make():
        run = config(model=NANO, **settings)
        Freezing(run, build_model(run))

    with pytest.raises(ValueError, match=sentence):
        make()
