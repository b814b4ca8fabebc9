"""A model that only remembers what callbacks did to it."""

from __future__ import annotations

import types

import numpy as np
import pytest


class FakeModel:
    """Its weight is the number of the epoch; its metrics are empty, so names alone tell their direction."""

    def __init__(self, learning_rate: float = 1.0) -> None:
        self.stop_training = False
        self.weight = np.zeros(())
        self.metrics: list = []
        self.optimizer = types.SimpleNamespace(learning_rate=learning_rate, name="sgd")
        self.saved: list[tuple[str, str]] = []

    def get_weights(self) -> list[np.ndarray]:
        return [self.weight.copy()]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weight = weights[0].copy()

    def save(self, path: str, overwrite: bool = True) -> None:
        self.saved.append(("model", path))

    def save_weights(self, path: str, overwrite: bool = True) -> None:
        self.saved.append(("weights", path))

    def run(self, callback, logs: list[dict]) -> int:
        """Live through epochs that end with these logs; return how many there were."""
        callback.set_model(self)
        callback.set_params({"epochs": len(logs), "steps": 1})
        callback.on_train_begin()
        epoch = -1
        for epoch, each in enumerate(logs):
            callback.on_epoch_begin(epoch, {})
            self.weight = np.asarray(float(epoch))
            callback.on_epoch_end(epoch, each)
            if self.stop_training:
                break
        callback.on_train_end()
        return epoch + 1


@pytest.fixture
def fake_model():
    return FakeModel()


@pytest.fixture
def make_fake_model():
    return FakeModel
