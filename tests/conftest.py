"""Shared fixtures. `FER2013_DIR` names the folder (or file) of the data; tests that need it skip without it."""

import os

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)  # the networks are small: several threads mostly wait for each other


@pytest.fixture(scope="session")
def fer2013_path() -> str:
    path = os.environ.get("FER2013_DIR")
    if not path or not os.path.exists(path):
        pytest.skip("FER2013 is not here: set FER2013_DIR to the path of fer2013.csv or its folder")
    return path


@pytest.fixture(scope="session")
def fer2013(fer2013_path):
    from training.data import load_faces

    return load_faces(fer2013_path)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A photo with one smiling face: uint8 RGB (512, 512, 3)."""
    from skimage import data

    return data.astronaut()
