"""A search that prunes trials by a callback."""

import keras
import numpy as np
import optuna
from optuna_integration import KerasPruningCallback

PACKAGE = "optuna-integration"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
rates = [0.1, 0.08, 1e-6, 1e-7]


def objective(trial):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(trial.suggest_categorical("rate", rates)), "mse")
    callbacks = [KerasPruningCallback(trial, "val_loss")]
    history = model.fit(x, x[:, :1], validation_split=0.25, epochs=8, verbose=0, callbacks=callbacks)
    return history.history["val_loss"][-1]


optuna.logging.set_verbosity(optuna.logging.ERROR)
pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=2)
study = optuna.create_study(sampler=optuna.samplers.GridSampler({"rate": rates}, seed=1), pruner=pruner)
for rate in rates:
    study.enqueue_trial({"rate": rate})
study.optimize(objective, n_trials=4)
assert study.best_params["rate"] > 0.05
assert sum(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials) >= 1
