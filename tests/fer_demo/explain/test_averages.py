"""Averages that come with a checkpoint."""

import numpy as np
import pytest

from fer_demo.checkpoints import bundled_checkpoints, checkpoints_dir, write_manifest
from fer_demo.emotions import LABELS
from fer_demo.explain.averages import FILE, read_averages, write_averages
from fer_demo.runtime.model_info import ModelError


@pytest.fixture
def written(tmp_path):
    rng = np.random.default_rng(0)
    faces = {label: rng.integers(0, 256, (48, 48), np.uint8) for label in LABELS}
    maps = {label: rng.normal(size=(48, 48)).astype(np.float32) for label in LABELS}
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    write_manifest(folder)
    write_averages(folder, "some faces", dict.fromkeys(LABELS, 120), faces, maps)
    return folder, faces, maps


def test_what_was_written_is_read(written):
    folder, faces, maps = written
    found = read_averages(str(folder))
    assert found.source == "some faces" and found.counts == dict.fromkeys(LABELS, 120)
    for label in LABELS:
        np.testing.assert_array_equal(found.faces[label], faces[label])
        np.testing.assert_allclose(found.maps[label], maps[label], atol=np.abs(maps[label]).max() / 250)


def test_a_swapped_file_is_noticed(written):
    folder, *_ = written
    (folder / FILE).write_bytes(b"PK nonsense")
    with pytest.raises(ModelError, match="damaged or was swapped"):
        read_averages(str(folder))
    write_manifest(folder)
    with pytest.raises(ModelError, match="cannot be read"):
        read_averages(str(folder))


def test_models_without_averages(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert read_averages(str(tmp_path)) is None and read_averages("SomeClass") is None


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_every_checkpoint_has_them(name):
    found = read_averages(name)
    assert set(found.counts) == set(LABELS) and min(found.counts.values()) >= 100
    assert all(m.shape == found.faces[label].shape and np.abs(m).max() > 0.05 for label, m in found.maps.items())


def test_they_are_small():
    assert sum(path.stat().st_size for path in checkpoints_dir().glob(f"*/{FILE}")) < 300_000
