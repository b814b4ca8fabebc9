"""
A custom layer
==============

Radial basis functions: each unit responds to inputs near its center. ``build`` creates the weights once the input shape
is known, ``call`` computes with ``keras.ops``, and the layer runs on every backend.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, ops


class RadialBasis(layers.Layer):
    """Units that answer ``exp(-|x - centre|^2 / width^2)``."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, input_shape):
        uniform = keras.initializers.RandomUniform(-1, 1, seed=0)
        self.centers = self.add_weight(shape=(self.units, input_shape[-1]), initializer=uniform)
        self.widths = self.add_weight(shape=(self.units,), initializer="ones")

    def call(self, x):
        distances = ops.sum(ops.square(x[:, None] - self.centers), axis=-1)
        return ops.exp(-distances / ops.square(self.widths))


x = np.linspace(-1, 1, 200, dtype="float32")[:, None]
y = np.sin(6 * x) * (1 - x**2)

keras.utils.set_random_seed(0)
model = keras.Sequential([RadialBasis(12), layers.Dense(1)])
model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
history = model.fit(x, y, epochs=120, verbose=0)
print(f"mean squared error: {history.history['loss'][-1]:.5f}")

# %%

plt.plot(x, y, label="target")
plt.plot(x, model.predict(x, verbose=0), "--", label="network")
for unit in ops.convert_to_numpy(model.layers[0](x)).T:
    plt.plot(x, unit / 4 - 1.5, color="lightgray", linewidth=1)
plt.legend()
