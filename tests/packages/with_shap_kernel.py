"""KernelExplainer and PermutationExplainer of a network's predictions."""

import keras
import numpy as np
import shap

PACKAGE = "shap"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.02), "mse")
model.fit(x, 2 * x[:, :1] - x[:, 1:2], epochs=30, verbose=0)


def predict(rows):
    return model.predict(rows, verbose=0).flatten()


explained = x[:4]
total = predict(explained) - predict(x[:20]).mean()
values = shap.KernelExplainer(predict, x[:20]).shap_values(explained, nsamples=50, silent=True)
np.testing.assert_allclose(values.sum(1), total, atol=1e-4)
assert np.abs(values[:, 0]).sum() > np.abs(values[:, 2]).sum()
permuted = shap.PermutationExplainer(predict, x[:20])(explained).values
np.testing.assert_allclose(permuted.sum(1), total, atol=1e-4)
