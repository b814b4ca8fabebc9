"""
One model on several backends
=============================

``keras.parity.check`` trains a model on several backends from the same weights and compares all layers, gradients and
losses. Here only NumPy is compared, with the float64 run that measures rounding errors; omit ``backends`` to compare
all installed ones.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers

(x, y), _ = keras.datasets.digits.load_data()
x, y = x[:64].reshape(-1, 64) / 16, y[:64]


def build():
    """A small network."""
    model = keras.Sequential([keras.Input((64,)), layers.Dense(16, activation="tanh"), layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    return model


report = keras.parity.check(build, x, y, steps=10, backends=["numpy"])
print(report)

# %%
# Difference of the losses in float32 and float64, step by step.


def losses(backend):
    """Return the loss of each of 30 steps on a backend."""
    keras.utils.set_random_seed(0)
    with keras.backends.use(backend):
        model = build()
        return np.array([float(model.train_on_batch(x, y)) for _ in range(30)])


single, double = losses("numpy"), losses("referee")
plt.semilogy(abs(single - double) + 1e-12, "o-")
plt.xlabel("step")
plt.ylabel("difference of float32 and float64")
