"""Orbax checkpoints: what is kept, and what comes back."""

from pathlib import Path

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

pytest.importorskip("orbax.checkpoint")

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.sum(-1, keepdims=True)


def model():
    made = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="relu"), layers.Dense(1)])
    made.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return made


def train(model, folder, epochs=3, **arguments):
    callback = keras.callbacks.OrbaxCheckpoint(folder, **arguments)
    return model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=[callback]).history


def steps(folder):
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit())


def test_a_loaded_model_goes_on_where_training_stopped(backend, tmp_path):
    trained = model()
    train(trained, tmp_path / "run")
    loaded = keras.models.load_model(tmp_path / "run")
    for weight, expected in zip(loaded.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    on = {"batch_size": 8, "shuffle": False, "verbose": 0}
    assert loaded.fit(X, Y, **on).history == trained.fit(X, Y, **on).history


@pytest.mark.parametrize("background", [True, False])
def test_the_latest_steps_are_kept_by_epoch_or_updates(tmp_path, background):
    train(model(), tmp_path / "epochs", max_to_keep=2, save_on_background=background)
    assert steps(tmp_path / "epochs") == [1, 2]
    train(model(), tmp_path / "epochs", epochs=2, max_to_keep=None)  # again from epoch 0: these are replaced
    assert steps(tmp_path / "epochs") == [0, 1, 2]
    train(model(), tmp_path / "batches", save_freq=2, max_to_keep=None)
    assert steps(tmp_path / "batches") == [2, 4, 6]


def test_only_better_models_are_saved_when_asked(tmp_path, capsys):
    still = model()
    still.optimizer.learning_rate = 0.0
    train(still, tmp_path / "still", monitor="loss", save_best_only=True, max_to_keep=None, verbose=1)
    assert steps(tmp_path / "still") == [0] and "saving step 0" in capsys.readouterr().out
    train(model(), tmp_path / "never", monitor="loss", mode="min", save_best_only=True, initial_value_threshold=0.0)
    assert steps(tmp_path / "never") == []


def test_weights_alone_can_be_saved(tmp_path):
    trained, other = model(), model()
    train(trained, tmp_path / "run", save_weights_only=True)
    other.load_weights(tmp_path / "run")
    np.testing.assert_array_equal(other.predict(X, verbose=0), trained.predict(X, verbose=0))
    assert int(other.optimizer.iterations) == 0
    with pytest.raises(ValueError, match="whole model.*load_weights"):
        keras.models.load_model(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="folder with an Orbax checkpoint"):
        other.load_weights(tmp_path / "empty")


@keras.saving.register_keras_serializable("orbax")
class Glossary(layers.Layer):
    """A layer with a file of its own."""

    def __init__(self, words=(), **kwargs):
        super().__init__(**kwargs)
        self.words = list(words)

    def call(self, inputs):
        return inputs

    def save_assets(self, dir):
        Path(dir, "words.txt").write_text("\n".join(self.words))

    def load_assets(self, dir):
        self.words = Path(dir, "words.txt").read_text().split("\n")


def test_files_of_layers_are_kept(tmp_path):
    trained = keras.Sequential([keras.Input((3,)), Glossary(["one", "zwei"]), layers.Dense(1)])
    trained.compile("sgd", "mse")
    train(trained, tmp_path / "run")
    assert keras.models.load_model(tmp_path / "run").layers[0].words == ["one", "zwei"]
    train(trained, tmp_path / "weights", save_weights_only=True)
    trained.load_weights(tmp_path / "weights")


def test_files_that_lead_out_of_the_folder_are_refused(tmp_path):
    from polykeras.saving import assets, orbax

    for name in ("../words.txt", "/words.txt", "layers/../../words.txt"):
        with pytest.raises(ValueError, match="relative names"):
            assets.load(model(), orbax.Reader({}, None, {name: ""}))
