"""
A generative adversarial network in a custom training step
==========================================================

A generator learns to produce points on a ring; a discriminator learns to distinguish them from real ones. Both are
trained in one ``train_step``, in plain Python that runs on every backend. Goodfellow et al., "Generative Adversarial
Networks" (2014), https://arxiv.org/abs/1406.2661.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, ops


def network(outputs):
    """A small network of two hidden layers."""
    hidden = [layers.Dense(32, activation="leaky_relu") for _ in range(2)]
    return keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(outputs)])


class Adversaries(keras.Model):
    """A generator and a discriminator that train each other."""

    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = network(2), network(1)
        self.generator_optimizer = keras.optimizers.Adam(0.001, beta_1=0.5)
        self.seeds = keras.random.SeedGenerator(0)
        self.crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def call(self, noise):
        return self.generator(noise)

    def train_step(self, real):
        noise = keras.random.normal(ops.shape(real), seed=self.seeds)
        discriminator, generator = self.discriminator, self.generator

        def discriminator_loss():
            on_real, on_fake = discriminator(real), discriminator(generator(noise))
            real_part = self.crossentropy(ops.ones_like(on_real), on_real)
            return real_part + self.crossentropy(ops.zeros_like(on_fake), on_fake)

        def generator_loss():
            judged = discriminator(generator(noise))
            return self.crossentropy(ops.ones_like(judged), judged)

        weights = discriminator.trainable_variables
        d_loss, gradients = ops.value_and_grad(discriminator_loss, weights)()
        self.optimizer.apply(gradients, weights)
        weights = generator.trainable_variables
        g_loss, gradients = ops.value_and_grad(generator_loss, weights)()
        self.generator_optimizer.apply(gradients, weights)
        return {"discriminator": d_loss, "generator": g_loss}


rng = np.random.default_rng(0)
angles = rng.uniform(0, 2 * np.pi, 4096)
real = np.stack([np.cos(angles), np.sin(angles)], axis=1) + rng.normal(0, 0.05, (4096, 2))

model = Adversaries()
model.compile(optimizer=keras.optimizers.Adam(0.001, beta_1=0.5))
history = model.fit(real.astype("float32"), batch_size=256, epochs=60, verbose=0)

# %%

drawn = model.predict(rng.normal(size=(1000, 2)).astype("float32"), verbose=0)
print(f"mean distance of generated points from the ring: {abs(np.linalg.norm(drawn, axis=1) - 1).mean():.2f}")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
left.plot(history.history["discriminator"], label="discriminator")
left.plot(history.history["generator"], label="generator")
left.set_xlabel("epoch")
left.legend()
right.scatter(*real[:1000].T, s=4, label="real")
right.scatter(*drawn.T, s=4, label="drawn")
right.set_aspect("equal")
right.legend()
