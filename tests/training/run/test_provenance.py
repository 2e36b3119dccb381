"""A figure must be traceable to the weights it grew from, and a published name must never mean others."""

import hashlib
import json

import pytest
import timm

from fer_demo.checkpoints import WEIGHTS_FILE, bundled_checkpoints, checkpoint_dir, checkpoint_metrics
from fer_demo.provenance import recipe_chain
from training.report.card import model_card
from training.report.schedule import schedule
from training.run import provenance
from training.run.provenance import (
    PROVENANCE,
    Release,
    lineage,
    read_sources,
    record_release,
    releases,
    sources,
)
from training.run.run_folder import BEST
from training.run.runlog import RUNS
from training.run.train import Trainer

pytestmark = pytest.mark.usefixtures("pytorch_teachers")

BUNDLED = "fer_sedense_s2.tune_fer2013"


def digest(file) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class TestSources:
    def test_bundled_weights(self, config):
        found = sources(config(init_from=BUNDLED, teachers=[BUNDLED, "fer_sedense_s2"], distill_weight=0.5))
        assert found == dict.fromkeys([BUNDLED, "fer_sedense_s2"], digest(checkpoint_dir(BUNDLED) / WEIGHTS_FILE))

    def test_a_file(self, config, tmp_path):
        file = tmp_path / "some.safetensors"
        file.write_bytes(b"weights")
        found = sources(config(init_from=str(file), teachers=[f"fer_sedense_nano@{file}"], distill_weight=0.5))
        assert found == dict.fromkeys([str(file), f"fer_sedense_nano@{file}"], digest(file))

    def test_from_scratch_alone(self, config):
        assert sources(config()) == {} and lineage(config(), {}) == []


def test_a_run_notes_its_sources_and_refuses_other_teachers(faces, config, tmp_path):
    first = Trainer(config(epochs=1), faces, tmp_path / "a", quiet=True)
    first.fit()
    assert not (tmp_path / "a" / PROVENANCE).exists()
    file = tmp_path / "a" / BEST
    teacher = f"fer_sedense_s2@{file}"
    settings = config(init_from=str(file), teachers=[teacher], distill_weight=0.5)
    run = Trainer(settings, faces, tmp_path / "b", record_dir=tmp_path / "record", quiet=True)
    run.fit()
    noted = read_sources(tmp_path / "b")
    assert noted == read_sources(tmp_path / "record") == dict.fromkeys([str(file), teacher], digest(file))
    assert lineage(settings, noted) == [{"name": str(file), "sha256": digest(file)}]

    run.fit()  # the same teacher: goes on
    noted[teacher] = "0" * 64
    (tmp_path / "b" / PROVENANCE).write_text(json.dumps(noted))
    with pytest.raises(ValueError, match=r"The teacher fer_sedense_s2@.* has other weights than when .*b was started"):
        run.fit()


class TestReleases:
    def test_every_bundled_checkpoint_is_one(self):
        known = {release.name: release for release in releases()}
        for name in bundled_checkpoints():
            metrics = checkpoint_metrics(name)
            assert known[name].sha256 == digest(checkpoint_dir(name) / WEIGHTS_FILE)
            assert known[name].private == metrics["PrivateTest"]["accuracy"]
            assert known[name].public == metrics["PublicTest"]["accuracy"]

    def test_each_has_its_record_and_its_own_weights(self):
        known = releases()
        assert all((RUNS / release.run / "config.json").is_file() for release in known)
        assert len({release.sha256 for release in known}) == len({release.name for release in known}) == len(known)
        assert all(timm.is_model(release.name.partition(".")[0]) for release in known)

    def test_a_name_never_moves(self, tmp_path):
        file = tmp_path / "releases.json"
        release = Release("fer_sedense.mine_fer2013", "ab" * 32, "mine", 3, "2026-11-27", 0.6, 0.61)
        record_release(release, file)
        record_release(release, file)
        assert releases(file) == [release]
        other = Release(release.name, "cd" * 32, "mine2", 3, "2026-11-28", 0.6, 0.61)
        with pytest.raises(ValueError, match=r"mine_fer2013 was released on 2026-11-27 with other weights; .* own"):
            record_release(other, file)

    def test_lineage_goes_back_to_the_first_run(self, config):
        folder = RUNS / "fer_sedense.restart_fer2013-seed0"
        found = checkpoint_metrics("fer_sedense.restart_fer2013")["training"]["lineage"]
        assert [step["epochs"] for step in found] == [60, 9, 3, 5]
        recipe = json.loads((folder / "config.json").read_text())
        assert lineage(config(init_from=recipe["init_from"]), read_sources(folder)) == found
        for step in found:
            assert step["sha256"] == next(r.sha256 for r in provenance.releases() if r.name == step["name"])


class TestInWords:
    TRAINING = {
        "recipe": {"epochs": 24, "sizes": [[0, 48]], "init_from": "a.b_fer2013", "teachers": ["c.d_fer2013"]},
        "lineage": [{"name": "a.b_fer2013", "sha256": "ab" * 32, "epochs": 60, "sizes": [[0, 32], [24, 48]]}],
        "teachers": {"c.d_fer2013": "cd" * 32},
    }

    def test_schedule(self):
        assert schedule(self.TRAINING) == "60 epochs at 32 and 48 px, then 24 epochs at 48 px"
        assert [step["epochs"] for step in recipe_chain(self.TRAINING)] == [60, 24]
        assert schedule(self.TRAINING | {"stopped_after": 3}) == "60 epochs at 32 and 48 px, then 3 epochs at 48 px"
        alone = {"recipe": self.TRAINING["recipe"] | {"init_from": "", "sizes": [[0, 24], [3, 32], [9, 48]]}}
        assert schedule(alone) == "24 epochs at 24, 32 and 48 px"

    def test_card(self):
        metrics = checkpoint_metrics(BUNDLED)
        best = {"epoch": 3, "weights": "model"}
        card = model_card(BUNDLED, metrics | {"training": self.TRAINING}, self.TRAINING["recipe"], best)
        assert "starting from the weights a.b_fer2013, trained for 60 epochs" in card
        assert f"- `a.b_fer2013`: SHA-256 `{'ab' * 32}`" in card and f"- `c.d_fer2013`: SHA-256 `{'cd' * 32}`" in card
        plain = {"recipe": self.TRAINING["recipe"] | {"init_from": "", "teachers": []}}
        card = model_card(BUNDLED, metrics | {"training": plain}, plain["recipe"], best)
        assert "from scratch" in card and "SHA-256" not in card

    def test_card_names_votes_and_damages(self):
        metrics = checkpoint_metrics(BUNDLED)
        recipe = metrics["training"]["recipe"] | {"targets": "mixture", "vote_share": 0.4, "corruption": {"share": 0.5}}
        card = model_card(BUNDLED, metrics, recipe, {"epoch": 3, "weights": "model"})
        assert "targets of 40% FER+ votes, the rest labels" in card and "damages in 50% of them (light, " in card

    def test_card_counts_the_looks_at_private_test(self):
        name = "fer_sedense.restart_fer2013"
        metrics = checkpoint_metrics(name)
        card = model_card(name, metrics, metrics["training"]["recipe"], {"epoch": 23, "weights": "model"})
        earlier = "`fer_sedense.base_fer2013`, `fer_sedense.tune_fer2013`, `fer_sedense.tune3_fer2013`"
        assert f"set of weights number 4 for which it was seen, after {earlier}." in card
