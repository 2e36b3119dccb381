"""A figure must be traceable to the weights it grew from, although a name's weights change."""

import hashlib
import json

import pytest

from fer_demo.checkpoints import WEIGHTS_FILE, checkpoint_dir, checkpoint_metrics, recipe_chain
from training.report.card import model_card
from training.report.systems import schedule
from training.run.provenance import ORIGINS, origins, read_origins
from training.run.run_folder import BEST
from training.run.train import Trainer

BUNDLED = "fer_sedense_s2.fer2013"


def digest(file) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class TestOrigins:
    def test_bundled_weights_with_their_recipe(self, config):
        found = origins(config(init_from=BUNDLED, teachers=[BUNDLED, "fer_sedense_s2"], distill_weight=0.5))
        assert list(found) == [BUNDLED, "fer_sedense_s2"]
        assert found[BUNDLED] == found["fer_sedense_s2"]  # its default weights
        assert found[BUNDLED]["sha256"] == digest(checkpoint_dir(BUNDLED) / WEIGHTS_FILE)
        assert found[BUNDLED]["training"] == checkpoint_metrics(BUNDLED)["training"]

    def test_a_file(self, config, tmp_path):
        file = tmp_path / "some.safetensors"
        file.write_bytes(b"weights")
        found = origins(config(init_from=str(file), teachers=[f"fer_sedense_nano@{file}"], distill_weight=0.5))
        assert found == {name: {"sha256": digest(file)} for name in (str(file), f"fer_sedense_nano@{file}")}

    def test_from_scratch_alone(self, config):
        assert origins(config()) == {}


def test_a_run_notes_its_origins_and_refuses_other_teachers(faces, config, tmp_path):
    first = Trainer(config(epochs=1), faces, tmp_path / "a", quiet=True)
    first.fit()
    assert not (tmp_path / "a" / ORIGINS).exists()
    file = tmp_path / "a" / BEST
    teacher = f"fer_sedense_s2@{file}"
    settings = config(init_from=str(file), teachers=[teacher], distill_weight=0.5)
    run = Trainer(settings, faces, tmp_path / "b", record_dir=tmp_path / "record", quiet=True)
    run.fit()
    noted = read_origins(tmp_path / "b")
    assert noted == read_origins(tmp_path / "record") == {str(file): {"sha256": digest(file)}, teacher: noted[teacher]}

    run.fit()  # the same teacher: goes on
    noted[teacher]["sha256"] = "0" * 64
    (tmp_path / "b" / ORIGINS).write_text(json.dumps(noted))
    with pytest.raises(ValueError, match=r"The teacher fer_sedense_s2@.* has other weights than when .*b was started"):
        run.fit()


class TestInWords:
    TRAINING = {
        "recipe": {"epochs": 24, "sizes": [[0, 48]], "init_from": BUNDLED, "teachers": [BUNDLED]},
        "origins": {
            BUNDLED: {"sha256": "ab" * 32, "training": {"recipe": {"epochs": 60, "sizes": [[0, 32], [24, 48]]}}}
        },
    }

    def test_schedule(self):
        assert schedule(self.TRAINING) == "60 epochs at 32 and 48 px, then 24 epochs at 48 px"
        assert [recipe["epochs"] for recipe in recipe_chain(self.TRAINING)] == [60, 24]
        stopped = {BUNDLED: self.TRAINING["origins"][BUNDLED] | {"training": self.TRAINING | {"stopped_after": 3}}}
        more = {"recipe": self.TRAINING["recipe"], "origins": stopped}
        assert [recipe["epochs"] for recipe in recipe_chain(more)] == [60, 3, 24]
        assert schedule(more) == "60 epochs at 32 and 48 px, then 3 + 24 epochs at 48 px"
        alone = {"recipe": self.TRAINING["recipe"] | {"init_from": "", "sizes": [[0, 24], [3, 32], [9, 48]]}}
        assert schedule(alone) == "24 epochs at 24, 32 and 48 px"

    def test_card(self):
        metrics = checkpoint_metrics(BUNDLED)
        card = model_card(
            BUNDLED, metrics | {"training": self.TRAINING}, self.TRAINING["recipe"], {"epoch": 3, "weights": "model"}
        )
        assert f"starting from weights of {BUNDLED}, trained for 60 epochs" in card
        assert f"`{BUNDLED}` means the weights with the SHA-256 digest `{'ab' * 32}`" in card
        plain = {"recipe": self.TRAINING["recipe"] | {"init_from": "", "teachers": []}}
        card = model_card(BUNDLED, metrics | {"training": plain}, plain["recipe"], {"epoch": 3, "weights": "model"})
        assert "from scratch" in card and "SHA-256" not in card
