"""A search for the best width and rate: random, hyperband and Bayesian, and its best model."""

import tempfile

import keras
import keras_tuner
import numpy as np

PACKAGE = "keras-tuner"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

random = np.random.default_rng(0)
x = random.normal(size=(128, 4)).astype("float32")
y = x @ np.array([[1.0], [2.0], [-1.0], [0.5]], "float32")


def build(hp):
    units = hp.Int("units", 4, 16, step=4)
    rate = hp.Choice("learning_rate", [1e-5, 3e-2])
    model = keras.Sequential([keras.layers.Dense(units, activation=hp.Choice("activation", ["relu", "tanh"]))])
    if hp.Boolean("dropout"):
        model.add(keras.layers.Dropout(0.1))
    model.add(keras.layers.Dense(1))
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
    return model


for kind, settings in (
    (keras_tuner.RandomSearch, {"max_trials": 4, "executions_per_trial": 1}),
    (keras_tuner.BayesianOptimization, {"max_trials": 4}),
    (keras_tuner.Hyperband, {"max_epochs": 4, "factor": 3}),
):
    keras.utils.set_random_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        tuner = kind(build, objective="val_loss", directory=folder, project_name="p", seed=1, **settings)
        tuner.search(x, y, epochs=4, batch_size=16, validation_split=0.25, verbose=0)
        best = tuner.get_best_hyperparameters()[0]
        model = tuner.get_best_models(1)[0]
        assert best.get("learning_rate") == 3e-2, best.values
        assert model.evaluate(x, y, verbose=0)[0] < 4, "the best model carries its trained weights"
        tuner.results_summary()
