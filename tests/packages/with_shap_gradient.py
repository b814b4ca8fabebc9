"""GradientExplainer: expected gradients add up to the difference of the outputs."""

import keras
import numpy as np
import shap

PACKAGE = "shap"
ENGINES = ("tensorflow",)  # which it differentiates by TensorFlow's tape

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
model = keras.Sequential(
    [keras.layers.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)]
)  # fmt: skip
model.compile(keras.optimizers.Adam(0.02), "mse")
model.fit(x, x[:, :1], epochs=20, verbose=0)
explainer = shap.GradientExplainer(model, x[:32])
values = np.asarray(explainer.shap_values(x[32:36], nsamples=400, rseed=0))
assert values.shape == (4, 4, 1), values.shape
total = model.predict(x[32:36], verbose=0) - model.predict(x[:32], verbose=0).mean(0)
np.testing.assert_allclose(values.sum(1), total, atol=0.25)
assert np.abs(values[:, 0]).sum() > np.abs(values[:, 1:]).sum()
