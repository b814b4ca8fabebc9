"""
Mixed precision
===============

With the policy ``mixed_bfloat16``, layers compute in bfloat16 and keep their weights in float32. The loss decreases as
in float32.
"""

import matplotlib.pyplot as plt

import polykeras as keras
from polykeras import layers

(x, y), _ = keras.datasets.digits.load_data()
x = x.reshape(-1, 64) / 16


def losses(policy):
    """Train under a policy and return the loss of each epoch."""
    keras.utils.set_random_seed(0)
    layer_options = dict(dtype=policy)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(32, activation="relu", **layer_options),
            layers.Dense(10, **layer_options),
            layers.Activation("softmax", dtype="float32"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    kernel = model.layers[0].kernel
    print(f"{policy}: computes in {model.layers[0].compute_dtype}, weights are {kernel.dtype}")
    return model.fit(x, y, batch_size=64, epochs=10, verbose=0).history["loss"]


for policy in ("float32", "mixed_bfloat16"):
    plt.plot(losses(policy), label=policy)
plt.xlabel("epoch")
plt.ylabel("loss")
plt.legend()
