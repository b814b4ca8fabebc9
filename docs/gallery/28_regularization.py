"""
Regularizers and what they do to weights
========================================

The same network without a penalty, with L1 and with L2: L1 makes most weights zero, L2 makes them small.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, regularizers

rng = np.random.default_rng(0)
x = rng.normal(size=(400, 40)).astype("float32")
y = (x[:, :3] @ [[2.0], [-1.5], [1.0]] + rng.normal(0, 0.5, (400, 1))).astype("float32")

figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True)
penalties = {"none": None, "L1(0.1)": regularizers.L1(0.1), "L2(0.1)": regularizers.L2(0.1)}
for axis, (name, penalty) in zip(axes, penalties.items(), strict=True):
    model = keras.Sequential([keras.Input((40,)), layers.Dense(1, kernel_regularizer=penalty)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    model.fit(x, y, epochs=60, verbose=0)
    weights = model.layers[0].get_weights()[0][:, 0]
    axis.stem(weights)
    axis.set_title(f"{name}: {(abs(weights) > 0.02).sum()} weights above 0.02", fontsize=9)
