"""Training with landmarks: they move with the picture, are withheld at times, and a stopped run goes on as it was."""

import dataclasses
import json

import pytest
import torch

from training.data import Faces
from training.data.landmarks import shuffled
from training.eval.evaluate import evaluate
from training.eval.tta import predict_logits
from training.run.augment import AugmentConfig, augment, draw, move_landmarks
from training.run.config import TrainConfig
from training.run.guidance import RegionLoss
from training.run.run_folder import BEST, LAST, build_model
from training.run.runlog import TimeUp
from training.run.train import Trainer

GUIDED = {"model": "fer_sedense_lm_nano.guided_fer2013", "landmarks": "detected", "sizes": [[0, 24]]}


@pytest.fixture
def known(faces):
    """The gratings with points that a face might have; every fourth has none."""
    points = torch.tensor([[15.3, 18.8], [32.7, 18.8], [24.0, 28.7], [16.7, 36.2], [31.3, 36.2]])
    points = points + torch.randn(len(faces), 1, 2, generator=torch.Generator().manual_seed(7)) * 3
    points[::4] = torch.nan
    return Faces(faces.images, faces.labels, faces.splits, landmarks=points)


@pytest.mark.parametrize("point", range(5))
def test_a_painted_dot_moves_with_its_landmark(point):
    config = AugmentConfig(rotation=40, shift=0.08, scale=0.2, flip=0.5, contrast=0, brightness=0, erase=0)
    places = torch.rand(200, 5, 2, generator=torch.Generator().manual_seed(2)) * 0.3 + 0.35
    pixels = (torch.arange(96) + 0.5) / 96
    dx, dy = pixels - places[:, point, :1], pixels - places[:, point, 1:]
    x = torch.exp(-(dx[:, None, :].square() + dy[:, :, None].square()) / (2 * 0.03**2))[:, None]
    draws = draw(200, config, torch.Generator().manual_seed(3))
    seen, moved = augment(x, draws)[:, 0], move_landmarks(places, draws)
    mass = seen.sum((1, 2))
    found = torch.stack([(seen.sum(1) * pixels).sum(1), (seen.sum(2) * pixels).sum(1)], 1) / mass[:, None]
    mirrored = draws.mirror < 0
    assert 60 < mirrored.sum() < 140
    other = (1, 0, 2, 4, 3)[point]  # a right eye is a left one in the mirror
    expected = torch.where(mirrored[:, None], moved[:, other], moved[:, point])
    torch.testing.assert_close(found, expected, atol=0.004, rtol=0)


def test_unknown_landmarks_stay_unknown(known):
    moved = move_landmarks(known.landmarks / 48, draw(len(known), AugmentConfig(), torch.Generator().manual_seed(0)))
    assert torch.equal(moved.isnan().any(2).any(1), known.landmarks.isnan().any(2).any(1))


def trainer(config, known, folder, **changes):
    return Trainer(config(**{**GUIDED, **changes}), known, folder / "run", quiet=True)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_as_many_are_withheld_as_asked_for(config, known, tmp_path, share):
    batches = trainer(config, known, tmp_path, landmark_dropout=share).batches
    given, all_known = zip(*(batches.landmarks(torch.arange(112), 0, step) for step in range(10)), strict=True)
    given, all_known = torch.cat(given), torch.cat(all_known)
    has = ~all_known.isnan().any(2).any(1)
    assert has.sum() == 840 and abs(given[has].isnan().any(2).any(1).float().mean() - share) < 0.06
    again = batches.landmarks(torch.arange(112), 0, 3)[0]
    assert torch.equal(again.nan_to_num(-1), given[336:448].nan_to_num(-1))
    assert 0 < all_known[has].mean() < 24  # in pixels of the batch's pictures


def test_drawing_them_leaves_the_pictures_as_they_were(config, known, tmp_path):
    with_them, without = trainer(config, known, tmp_path), trainer(config, known, tmp_path / "b", landmarks="none")
    batch = torch.arange(16)
    with_them.batches.landmarks(batch, 0, 1)
    assert torch.equal(with_them.batches.make(batch, 0, 1)[0], without.batches.make(batch, 0, 1)[0])
    assert without.batches.landmarks(batch, 0, 1) is None


def test_landmarks_move_with_pictures_that_are_repeated_for_their_teachers(config, known, tmp_path):
    batches, batch = trainer(config, known, tmp_path).batches, torch.arange(48)
    apart = [batches.landmarks(batch, epoch, 0)[1].nan_to_num(-1) for epoch in (0, 1)]
    batches.config = config(**GUIDED, teachers=["any@file"], teacher_cycle=1)
    (given, moved), (other, same) = (batches.landmarks(batch, epoch, 0) for epoch in (0, 1))
    assert torch.equal(batches.make(batch, 0, 0)[0], batches.make(batch, 1, 0)[0])
    assert torch.equal(moved.nan_to_num(-1), same.nan_to_num(-1)) and not torch.equal(*apart)
    assert not torch.equal(given.isnan(), other.isnan()), "withheld from the same ones for ever"


def test_the_network_does_not_see_what_is_withheld_and_its_maps_learn_from_all(config, known, tmp_path):
    run, seen, learned = trainer(config, known, tmp_path), [], []
    network, loss = run.network, run.region_loss
    run.network = lambda x, landmarks: (seen.append(landmarks), network(x, landmarks))[1]
    run.region_loss = lambda landmarks: (learned.append(landmarks), loss(landmarks))[1]
    batch = run.batches.order(0)[:16]
    run._train_step(batch)
    given, every = run.batches.landmarks(batch, 0, 0)
    assert torch.equal(seen[0].nan_to_num(-1), given.nan_to_num(-1)) and given.isnan().sum() > every.isnan().sum()
    torch.testing.assert_close(learned[0], every / 24, equal_nan=True)


def test_shuffled_landmarks_are_those_of_the_runs_seed(config, known, tmp_path):
    given = trainer(config, known, tmp_path).batches._landmarks
    for seed in (0, 1):
        run = trainer(config, known, tmp_path / str(seed), landmarks="shuffled", seed=seed)
        wanted = shuffled(known, seed)
        assert torch.equal(run.selector.public.landmarks.nan_to_num(-1), wanted.landmarks[112:154].nan_to_num(-1))
        torch.testing.assert_close(run.batches._landmarks * 48, wanted.landmarks[:112], equal_nan=True)
        assert not torch.equal(run.batches._landmarks.nan_to_num(-1), given.nan_to_num(-1))


def test_landmarks_are_stretched_with_the_pictures_that_are_evaluated(known):
    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.pretrained_cfg = build_model(TrainConfig()).pretrained_cfg
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, landmarks):
            return landmarks.mean(1) / x.shape[-1]

    shares = [predict_logits(Mean(), known.images, size=(n, n), landmarks=known.landmarks) for n in (24, 48)]
    torch.testing.assert_close(*shares, equal_nan=True)


def test_landmarks_grow_with_a_batch_of_another_size(config, known, tmp_path):
    plain = trainer(config, known, tmp_path).batches
    jittered = trainer(config, known, tmp_path / "b", size_jitter=[16, 32]).batches
    batch = torch.arange(16)
    for step in range(8):
        side = jittered.make(batch, 0, step)[0].shape[-1]
        (_, places), (_, same) = jittered.landmarks(batch, 0, step), plain.landmarks(batch, 0, step)
        torch.testing.assert_close(places / side, same / 24, equal_nan=True)


def test_a_run_reports_both_figures_and_goes_on_as_it_was(config, known, tmp_path):
    folder = tmp_path / "run"
    whole = Trainer(config(**GUIDED), known, folder, record_dir=tmp_path / "record", quiet=True)
    whole.fit()
    record = json.loads((tmp_path / "record" / "record.json").read_text())
    assert record["public"]["n"] == record["public_landmarks"]["n"] == 42
    assert "public_landmarks_accuracy" in (folder / "log.csv").read_text().splitlines()[0]
    stopped = trainer(config, known, tmp_path / "b")
    with pytest.raises(TimeUp):
        stopped.fit(deadline=0.0)
    resumed = trainer(config, known, tmp_path / "b")
    resumed.load(tmp_path / "b" / "run" / LAST)
    resumed.fit()
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    model = build_model(whole.config, checkpoint_path=str(folder / BEST)).eval()
    figures = evaluate(model, known)
    assert figures["landmarks"]["PrivateTest"]["n"] == 42 and 0.7 < figures["landmarks"]["PrivateTest"]["found"] < 0.8
    assert "landmarks" not in evaluate(model, Faces(known.images, known.labels, known.splits))
    with pytest.raises(ValueError, match="leave landmarks out"):
        predict_logits(model, known.images, tta="flip", landmarks=known.landmarks)


def test_the_loss_of_the_maps_teaches_them(config, known, tmp_path):
    losses = []
    for weight in (0.0, 5.0):
        run = trainer(config, known, tmp_path / str(weight), landmark_loss=weight, epochs=3)
        run.fit()
        listener = RegionLoss(dataclasses.replace(run.config, landmark_loss=1.0), run.model)
        with torch.no_grad():
            run.model.train()(torch.nn.functional.avg_pool2d(known.images / 255, 2))
        assert len(listener._predicted) == 3
        losses.append(float(listener(known.landmarks / 48)))
        assert not listener._predicted and listener(known.landmarks / 48) == 0
    assert losses[1] < 0.8 * losses[0]


def test_settings_that_do_not_fit(config, known, tmp_path):
    with pytest.raises(ValueError, match="takes no landmarks: leave landmarks out"):
        trainer(config, known, tmp_path, model="fer_sedense_nano")
    with pytest.raises(ValueError, match="takes no landmarks"):
        trainer(config, known, tmp_path, model_args={"guide": "cbam"})
    with pytest.raises(ValueError, match="not to a mixture"):
        config(**GUIDED, mixup=0.2)
    with pytest.raises(ValueError, match="landmarks must be one of none, detected, shuffled"):
        config(landmarks="all")


def test_it_starts_from_a_network_without_attention(config, known, tmp_path):
    plain = trainer(config, known, tmp_path, model="fer_sedense_nano.wide_fer2013", landmarks="none", epochs=1)
    plain.fit()
    start = tmp_path / "run" / BEST
    run = trainer(config, known, tmp_path / "b", init_from=str(start))
    run._start()
    x = torch.rand(4, 1, 24, 24)
    before = build_model(plain.config, checkpoint_path=str(start)).eval()
    torch.testing.assert_close(run.model.eval()(x), before(x))
