"""
A siamese network
=================

Two images pass through the same network, and a contrastive loss pulls pairs of the same digit together and pushes other
pairs apart. Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping" (2006),
https://doi.org/10.1109/CVPR.2006.100.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, ops

(x, y), (x_test, y_test) = keras.datasets.digits.load_data()
x, x_test = x.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16

rng = np.random.default_rng(0)
left = rng.integers(0, len(x), 8000)
right = rng.integers(0, len(x), 8000)
right[::2] = [rng.choice(np.flatnonzero(y == y[i])) for i in left[::2]]
same = (y[left] == y[right]).astype("float32")[:, None]

encoder = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(2)])
first, second = keras.Input((64,)), keras.Input((64,))


def distance(points):
    """The distance of two points, with a slope at 0 too."""
    return ops.sqrt(ops.sum(ops.square(points[0] - points[1]), axis=1, keepdims=True) + 1e-6)


def contrastive(same, distance):
    """Pairs of one digit lie close, others at a distance of 1 at least."""
    return same * ops.square(distance) + (1 - same) * ops.square(ops.relu(1 - distance))


apart = layers.Lambda(distance, output_shape=(1,))([encoder(first), encoder(second)])
model = keras.Model([first, second], apart)
model.compile(optimizer=keras.optimizers.Adam(0.003), loss=contrastive)
history = model.fit([x[left], x[right]], same, batch_size=128, epochs=15, verbose=0)
print(f"loss: {history.history['loss'][0]:.3f} to {history.history['loss'][-1]:.3f}")

# %%
# Unseen digits.

codes = encoder.predict(x_test, verbose=0)
plt.scatter(*codes.T, c=y_test, cmap="tab10", s=8)
plt.colorbar(ticks=range(10))
