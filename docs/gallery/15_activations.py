"""
Activations and their derivatives
=================================

Each activation function, and its derivative (dashed), computed with ``keras.ops.grad``.
"""

import matplotlib.pyplot as plt
import numpy as np

from polykeras import activations, ops

x = np.linspace(-4, 4, 201, dtype="float32")
names = [
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "softsign",
    "tanh",
    "sigmoid",
    "mish",
    "relu6",
]
figure, axes = plt.subplots(3, 4, figsize=(10, 6.5), sharex=True)
for axis, name in zip(axes.flat, names, strict=True):
    activation = activations.get(name)
    slope = ops.grad(lambda z, activation=activation: ops.sum(activation(z)))(ops.convert_to_tensor(x))
    axis.plot(x, ops.convert_to_numpy(activation(ops.convert_to_tensor(x))))
    axis.plot(x, ops.convert_to_numpy(slope), "--")
    axis.set_title(name)
    axis.grid(alpha=0.3)
figure.tight_layout()
