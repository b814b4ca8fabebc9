"""The model, the data and the reference of tests that use models as an engine's own programs do."""

import numpy as np

import polykeras as keras

rng = np.random.default_rng(0)
X = rng.normal(size=(16, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]], "float32")).astype("float32")


def make_model(*layers):
    keras.utils.set_random_seed(1)
    layers = layers or (keras.layers.Dense(4, "tanh"), keras.layers.Dense(1))
    return keras.Sequential([keras.Input((3,)), *layers])


def losses_of_fit(model, optimizer, epochs=5):
    model.compile(optimizer, "mse")
    return model.fit(X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def trained(kind, eagerly):
    """Return a model of a class, trained from a seed, and its history."""
    keras.utils.set_random_seed(1)
    model = kind()
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], run_eagerly=eagerly)
    return model, model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history


def with_plain_training(kind):
    """Return a class with the train step of ``Model``."""
    return type("PlainModel", (kind,), {"train_step": keras.Model.train_step})


def check_trains_as_by_fit(native_model, eagerly):
    """Check that a train step of an engine's own program does in ``fit`` what the one of ``Model`` does."""
    logs = []
    for kind in (with_plain_training(native_model), native_model):
        model, history = trained(kind, eagerly)
        logs.append(history | model.evaluate(X, Y, return_dict=True, verbose=0))
    assert list(logs[0]) == list(logs[1])
    for name in logs[0]:
        np.testing.assert_allclose(logs[1][name], logs[0][name], rtol=1e-4)
