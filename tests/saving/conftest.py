"""Data for the models."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")


@pytest.fixture
def y():
    return np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
