"""Models that move from any engine to any other."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(-1, keepdims=True)


def trained():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, use_bias=False),  # one without gradient would go where rounding sends it
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False)
    return model


@pytest.mark.parametrize("other", ["numpy", "tensorflow", "torch", "jax"])
def test_training_goes_on_elsewhere_as_it_would_have_here(backend, other):
    if not backends.is_installed(other):
        pytest.skip(f"{other} is not installed")
    model = trained()
    moved = model.to_backend(other)
    here, there = (m.fit(X, Y, batch_size=8, verbose=0, shuffle=False).history for m in (model, moved))
    np.testing.assert_allclose(there["loss"], here["loss"], rtol=1e-5)
    np.testing.assert_allclose(there["mae"], here["mae"], rtol=1e-5)
    for one, another in zip(moved.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-4, atol=1e-5)
