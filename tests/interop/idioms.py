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
