"""
A variational autoencoder
=========================

Each digit is encoded as two latent variables, with noise between encoder and decoder. The loss has two terms:
``add_loss`` adds the second one, the KL divergence. Kingma and Welling, "Auto-Encoding Variational Bayes" (2013),
https://arxiv.org/abs/1312.6114.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, ops


class Sampling(layers.Layer):
    """Draws from a normal distribution, and adds its distance from the standard one to the loss."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, mean, log_variance):
        divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - 1 - log_variance, axis=1)
        self.add_loss(ops.mean(divergence))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seeds)


(x, labels), _ = keras.datasets.digits.load_data()
x = x.reshape(-1, 64) / 16

inputs = keras.Input((64,))
hidden = layers.Dense(64, activation="relu")(inputs)
mean = layers.Dense(2, name="mean")(hidden)
code = Sampling()(mean, layers.Dense(2)(hidden))
decoder = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(64, activation="sigmoid")])
model = keras.Model(inputs, decoder(code))
model.compile(optimizer=keras.optimizers.Adam(0.005), loss=lambda y, p: ops.sum(ops.square(y - p), axis=1) * 2)
history = model.fit(x, x, batch_size=64, epochs=25, verbose=0)
print(f"loss: {history.history['loss'][0]:.2f} to {history.history['loss'][-1]:.2f}")

# %%
# Left: the digits in latent space, colored by class. Right: the decoder's outputs across this plane.

codes = keras.Model(inputs, mean).predict(x, verbose=0)
grid = np.stack(np.meshgrid(np.linspace(-2, 2, 9), np.linspace(2, -2, 9)), axis=-1).reshape(-1, 2)
pictures = decoder.predict(grid.astype("float32"), verbose=0).reshape(9, 9, 8, 8)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2))
left.scatter(*codes.T, c=labels, cmap="tab10", s=6)
right.imshow(pictures.transpose(0, 2, 1, 3).reshape(72, 72), cmap="gray_r")
right.axis("off")
