"""DeepExplainer of a small convolutional network."""

import keras
import numpy as np
import shap

PACKAGE = "shap"
ENGINES = ("tensorflow",)  # which it differentiates by TensorFlow's tape

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
y = (x[:, :4].mean((1, 2, 3)) > x[:, 4:].mean((1, 2, 3))).astype("int32")
model = keras.Sequential(
    [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(2),
    ]
)
model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, epochs=5, verbose=0)
background, explained = x[:16], x[16:18]
values = np.asarray(shap.DeepExplainer(model, background).shap_values(explained))
assert values.shape == (2, 8, 8, 1, 2), values.shape
total = model.predict(explained, verbose=0) - model.predict(background, verbose=0).mean(0)
np.testing.assert_allclose(values.sum((1, 2, 3)), total, atol=1e-2)
