"""
Optimizer trajectories
======================

Rosenbrock's valley is easy to enter and hard to follow. Each optimizer starts at the same point and takes 150 steps;
the star is the minimum.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import ops, optimizers


def height(x, y):
    """Rosenbrock's function, with a valley that is less steep than usual."""
    return (1 - x) ** 2 + 20 * (y - x**2) ** 2


def path(optimizer):
    """Return the points on the way of an optimizer."""
    point = keras.Variable([-1.2, 1.2])
    points = [point.numpy()]
    slope = ops.grad(lambda p: height(p[0], p[1]))
    for _ in range(150):
        optimizer.apply([slope(point.value)], [point])
        points.append(point.numpy())
    return np.array(points)


chosen = {
    "SGD": optimizers.SGD(0.003),
    "SGD with momentum": optimizers.SGD(0.003, momentum=0.9),
    "RMSprop": optimizers.RMSprop(0.02),
    "Adam": optimizers.Adam(0.1),
    "Lion": optimizers.Lion(0.02),
}
x, y = np.meshgrid(np.linspace(-1.6, 1.6, 150), np.linspace(-0.6, 2, 150))
plt.contour(x, y, np.log(height(x, y) + 0.05), 20, cmap="Greys")
for name, optimizer in chosen.items():
    points = path(optimizer)
    plt.plot(*points.T, ".-", markersize=2, linewidth=1, label=f"{name}: {height(*points[-1]):.3f}")
plt.plot(1, 1, "k*", markersize=12)
plt.ylim(-0.6, 2)
plt.legend(fontsize=8)
