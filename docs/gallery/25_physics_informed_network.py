"""
A differential equation: a physics-informed network
===================================================

A network solves ``u'' = -u`` with ``u(0) = 0`` and ``u'(0) = 1``; the solution is the sine. Its loss contains second
derivatives with respect to the input. Raissi et al., "Physics-informed neural networks: A deep learning framework for
solving forward and inverse problems involving nonlinear partial differential equations" (2019),
https://doi.org/10.1016/j.jcp.2018.10.045.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import layers, ops


class Solver(keras.Model):
    """Fits ``u(t) = t + t^2 * network(t)``, which has the right start, to the equation."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(24, activation="tanh")
        self.out = layers.Dense(1)

    def call(self, t):
        return t + t**2 * self.out(self.hidden(t))

    def train_step(self, t):
        slope = ops.grad(lambda t: ops.sum(self(t)))
        curvature = ops.grad(lambda t: ops.sum(slope(t)))
        weights = self.trainable_variables
        loss, gradients = ops.value_and_grad(lambda: ops.mean(ops.square(curvature(t) + self(t))), weights)()
        self.optimizer.apply(gradients, weights)
        return {"loss": loss}


keras.utils.set_random_seed(1)
t = np.linspace(0, 5, 64, dtype="float32")[:, None]
model = Solver()
model.compile(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 3000)))
history = model.fit(t, batch_size=64, epochs=3000, verbose=0)
solution = model.predict(t, verbose=0)
print(f"largest error: {abs(solution - np.sin(t)).max():.3f}")

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
left.semilogy(history.history["loss"])
left.set_xlabel("step")
left.set_title("loss")
right.plot(t, np.sin(t), linewidth=5, alpha=0.3, label="sine")
right.plot(t, solution, "--", label="network")
right.legend()
