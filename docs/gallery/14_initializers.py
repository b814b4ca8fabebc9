"""
Distributions of initializers
=============================

Weights of a layer with 256 inputs and 256 units, as drawn by each initializer. A seed gives the same weights on every
backend.
"""

import matplotlib.pyplot as plt
import numpy as np

from polykeras import initializers, ops

chosen = [
    initializers.RandomUniform(seed=0),
    initializers.RandomNormal(seed=0),
    initializers.TruncatedNormal(seed=0),
    initializers.GlorotUniform(seed=0),
    initializers.GlorotNormal(seed=0),
    initializers.HeNormal(seed=0),
    initializers.LecunNormal(seed=0),
    initializers.Orthogonal(seed=0),
]
figure, axes = plt.subplots(2, 4, figsize=(10, 4.5), sharex=True)
for axis, initializer in zip(axes.flat, chosen, strict=True):
    weights = ops.convert_to_numpy(initializer((256, 256)))
    axis.hist(weights.ravel(), bins=np.linspace(-0.3, 0.3, 80))
    axis.set_title(f"{type(initializer).__name__}\nstandard deviation {weights.std():.3f}", fontsize=9)
    axis.set_yticks([])
figure.tight_layout()
