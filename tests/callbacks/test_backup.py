"""Training that is killed goes on to the same weights, to the bit."""

from __future__ import annotations

import itertools
import os
import random as python_random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras

X = np.random.default_rng(0).normal(size=(22, 6)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 22)


class Killed(Exception):
    """Stands for the end of the process."""


class Kill(keras.callbacks.Callback):
    """Ends training at a batch, counted over all epochs."""

    def __init__(self, at=None):
        super().__init__()
        self.at, self.seen = at, itertools.count(1)  # an iterator: no plain value that a backup keeps

    def on_train_batch_end(self, batch, logs=None):
        if next(self.seen) == self.at:
            raise Killed


def make_model():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(5, activation="relu", kernel_initializer="ones"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3, activation="softmax", kernel_initializer="ones"),
        ]
    )
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.9)
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(callbacks, epochs=3, seed=None):
    """Train a new model, as another process would, whose streams of seeds begin elsewhere."""
    keras.utils.set_random_seed(python_random.randrange(10**6) if seed is None else seed)
    model = make_model()
    history = model.fit(X, Y, batch_size=4, epochs=epochs, validation_data=(X, Y), verbose=0, callbacks=callbacks)
    return model.get_weights(), history.history


def assert_same(results, expected):
    for a, b in zip(results[0], expected[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert results[1] == expected[1]  # the history, with the metrics of the epoch that was cut


@pytest.mark.parametrize(("save_freq", "kill_at"), [("epoch", 9), (2, 9)])
def test_training_goes_on_to_the_same_weights(backend, tmp_path, save_freq, kill_at):
    expected = train([Kill(), keras.callbacks.BackupAndRestore(tmp_path / "other", save_freq)], seed=7)
    backup = lambda: keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq)  # noqa: E731
    with pytest.raises(Killed):
        train([Kill(kill_at), backup()], seed=7)
    assert_same(train([Kill(), backup()]), expected)  # without a seed: it comes from the backup
    assert not (tmp_path / "backup").exists()
