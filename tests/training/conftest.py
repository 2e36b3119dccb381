"""A small made-up data set: the seven classes are seven gratings, so that a network can learn them in seconds."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.data import Faces
from training.run.config import from_dict


def make_gratings(n: int, seed: int, side: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 7
    angle = labels * math.pi / 7
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    wave = torch.sin((x * torch.cos(angle)[:, None, None] + y * torch.sin(angle)[:, None, None]) * 0.8)
    images = 128 + 80 * wave + torch.randn(n, side, side, generator=generator) * 20
    return images.clamp(0, 255).to(torch.uint8)[:, None], labels


@pytest.fixture
def gratings():
    """``gratings(n, seed, side=48)``: uint8 pictures (n, 1, side, side) and their labels (n,)."""
    return make_gratings


@pytest.fixture(scope="session")
def faces() -> Faces:
    parts = [make_gratings(n, seed) for seed, n in enumerate((112, 42, 42))]
    splits = np.repeat(["Training", "PublicTest", "PrivateTest"], [112, 42, 42])
    return Faces(torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts]), splits)


@pytest.fixture
def pytorch_teachers(monkeypatch):
    """Teachers answer with PyTorch, without being exported; `test_teachers` looks at how they answer otherwise."""
    monkeypatch.setattr("training.run.teachers.installed", lambda *_: False)


@pytest.fixture
def data(faces, tmp_path) -> Path:
    """The same as a file that ``--data`` takes."""
    file = tmp_path / "data.npz"
    np.savez(file, images=faces.images[:, 0].numpy(), label=faces.labels.numpy(), usage=faces.splits)
    return file


@pytest.fixture
def config():
    """A run of seconds: 24 pixels, 7 steps an epoch."""

    def make(**changes):
        base = {
            "model": "fer_sedense_s2.tune_fer2013",
            "epochs": 2,
            "batch_size": 16,
            "sizes": [[0, 24]],
            "lr": 0.02,
            "warmup_epochs": 0.5,
            "device": "cpu",
            "bf16": "off",
            "threads": 1,
            "augment": {"rotation": 2, "flip": 0, "erase": 0.2},
        }
        return from_dict({**base, **changes})

    return make


def make_raf_archive(root, counts, side=100):
    """RAF-DB's official layout, with gratings in seven directions for the seven classes."""
    aligned = root / "basic" / "Image" / "aligned"
    aligned.mkdir(parents=True)
    (root / "basic" / "EmoLabel").mkdir()
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    lines = []
    for part, count in counts.items():
        for i in range(count):
            angle = i % 7 * math.pi / 7
            wave = 128 + 80 * np.sin((x * math.cos(angle) + y * math.sin(angle)) * 0.4 + random.uniform(0, 6))
            grey = (wave + random.normal(0, 20, (side, side))).clip(0, 255).astype(np.uint8)
            Image.fromarray(grey).convert("RGB").save(aligned / f"{part}_{i + 1:05}_aligned.jpg", quality=60)
            lines.append(f"{part}_{i + 1:05}.jpg {i % 7 + 1}")
    (root / "basic" / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def raf_archive():
    """A function that writes a generated archive; see `make_raf_archive`."""
    return make_raf_archive
