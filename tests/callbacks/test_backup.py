"""Training that is killed goes on to the same weights, to the bit."""

from __future__ import annotations

import itertools
import os
import random as python_random
import shutil
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


def test_other_callbacks_go_on_where_they_were(tmp_path):
    def callbacks(name):
        return [
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=0.5),
            keras.callbacks.EarlyStopping("loss", patience=4, min_delta=0.5, restore_best_weights=True),
            keras.callbacks.ModelCheckpoint(tmp_path / name / "{epoch}-{batch}.keras", save_freq=4),
            keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=5, delete_checkpoint=name == "whole"),
        ]

    def run(callbacks):
        keras.utils.set_random_seed(python_random.randrange(10**6))
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, kernel_initializer="ones")])
        model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(X, Y, batch_size=4, epochs=12, shuffle=False, verbose=0, callbacks=callbacks)
        return model.get_weights(), history.history

    expected = run(callbacks("whole"))
    assert len(expected[1]["loss"]) < 12  # stopped early
    for kill_at in (3, 8, 9, 11):
        with pytest.raises(Killed):
            run([Kill(kill_at), *callbacks("cut")])
    assert_same(run(callbacks("cut")), expected)
    assert {p.name for p in (tmp_path / "cut").iterdir()} == {p.name for p in (tmp_path / "whole").iterdir()}
    assert_same(run(callbacks("cut")), expected)  # the backup is still there: nothing is left to do, or little


class Shuffled(keras.utils.PyDataset):
    """Batches in an order that depends on the epoch."""

    def __init__(self):
        super().__init__()
        self.order, self.epoch = np.arange(22), 0
        self.reads = 0

    def __len__(self):
        return 6

    def __getitem__(self, index):
        self.reads += 1
        rows = self.order[index * 4 : index * 4 + 4]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.epoch += 1
        self.order = np.random.default_rng(self.epoch).permutation(22)


def one_by_one():
    while True:
        yield from ((X[n : n + 4], Y[n : n + 4]) for n in range(0, 18, 3))


@pytest.mark.parametrize("make_data", [Shuffled, one_by_one])
@pytest.mark.parametrize("kill_at", [5, 10])
def test_datasets_and_generators_go_on_at_the_same_batch(tmp_path, make_data, kill_at):
    def run(*callbacks):
        keras.utils.set_random_seed(python_random.randrange(10**6))
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, kernel_initializer="ones")])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(make_data(), epochs=4, steps_per_epoch=3, verbose=0, callbacks=list(callbacks))
        return model.get_weights(), history.history

    backup = lambda: keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3)  # noqa: E731
    python_random.seed(5)
    expected = run(Kill())
    python_random.seed(5)  # the run that is cut draws the order of batches as the whole one did
    with pytest.raises(Killed):
        run(Kill(kill_at), backup())
    assert_same(run(Kill(), backup()), expected)


def test_a_damaged_backup_is_named_and_the_one_before_serves(tmp_path):
    backup = lambda double: keras.callbacks.BackupAndRestore(tmp_path, double_checkpoint=double)  # noqa: E731
    expected = train([Kill(), backup(True)], seed=7)
    tmp_path.mkdir(exist_ok=True)
    with pytest.raises(Killed):
        train([Kill(15), backup(True)], seed=7)
    data = bytearray((tmp_path / "latest.h5").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "latest.h5").write_bytes(data)
    with pytest.warns(UserWarning, match="latest.h5.*checksum"):
        assert_same(train([Kill(), backup(True)]), expected)
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "latest.h5").write_bytes(data)
    with pytest.raises(ValueError, match="latest.h5.*checksum") as caught:
        train([backup(False)])
    assert "Delete the file" in caught.value.__notes__[0]


def test_a_kill_in_the_middle_of_a_backup_leaves_the_one_before(tmp_path, monkeypatch):
    backup = lambda: keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=2)  # noqa: E731
    expected = train([Kill(), keras.callbacks.BackupAndRestore(tmp_path / "other", save_freq=2)], seed=7)
    replace, calls = os.replace, itertools.count(1)

    def die(*paths):
        if next(calls) == 4:
            raise Killed
        replace(*paths)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, "replace", die)
        train([Kill(), backup()], seed=7)
    assert_same(train([Kill(), backup()]), expected)


def test_a_backup_of_another_model_is_refused(tmp_path):
    with pytest.raises(Killed):
        train([Kill(9), keras.callbacks.BackupAndRestore(tmp_path)])
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="latest.h5.*of this model"):
        model.fit(X, Y, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)])


@pytest.mark.parametrize("arguments", [{"save_freq": 0}, {"save_freq": "batch"}, {"save_freq": True}])
def test_arguments_that_make_no_sense_are_named(tmp_path, arguments):
    with pytest.raises(ValueError, match="save_freq"):
        keras.callbacks.BackupAndRestore(tmp_path, **arguments)
    with pytest.raises(ValueError, match="backup_dir"):
        keras.callbacks.BackupAndRestore("")


def test_the_backup_may_stay(tmp_path):
    train([keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)])
    assert [path.name for path in tmp_path.iterdir()] == ["latest.h5"]


SCRIPT = """
import sys
import numpy as np
import polykeras as keras
rows = np.random.default_rng(0).normal(size=(24, 6, 6, 2)).astype("float32")
model = keras.Sequential([
    keras.Input((6, 6, 2)),
    keras.layers.RandomFlip(),
    keras.layers.RandomTranslation(0.2, 0.2),
    keras.layers.Flatten(),
    keras.layers.Dense(5, activation="relu", kernel_initializer="ones"),
    keras.layers.Dropout(0.3),
    keras.layers.Dense(2, kernel_initializer="ones"),
])
model.compile(keras.optimizers.Adam(0.01), "mse")
backup = keras.callbacks.BackupAndRestore(sys.argv[1], save_freq=2)
print("ready", flush=True)
model.fit(rows, rows[:, 0, :, 0][:, :2], batch_size=4, epochs=30, verbose=0, callbacks=[backup])
np.save(sys.argv[2], np.concatenate([w.ravel() for w in model.get_weights()]))
"""


def start(*arguments):
    environment = {**os.environ, "KERAS_BACKEND": "numpy", "KERAS_VERBOSE": "0"}
    environment["PYTHONPATH"] = str(Path(keras.__file__).parents[1])
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    process.stdout.readline()
    return process


def test_kills_at_any_moment_change_nothing(tmp_path):
    """The first process, killed once it has a backup, decides on all seeds; a copy of its backup goes on unharmed."""
    backup, result, other = tmp_path / "backup", tmp_path / "weights.npy", tmp_path / "expected.npy"
    process = start(backup, result)
    while not (backup / "latest.h5").exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    shutil.copytree(backup, tmp_path / "copy")
    for _ in range(4):
        process = start(backup, result)
        time.sleep(python_random.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
    whole = start(tmp_path / "copy", other)
    last = start(backup, result)
    assert whole.wait(120) == 0 and last.wait(120) == 0
    np.testing.assert_array_equal(np.load(result), np.load(other))
