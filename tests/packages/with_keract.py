"""What the layers give for an input, and gradients of weights."""

import numpy as np
from keract import get_activations, get_gradients_of_trainable_weights
from tensorflow import keras

PACKAGE = "keract"
ENGINES = ("tensorflow",)  # it imports tensorflow.keras

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
inputs = keras.layers.Input((3,), name="i")
hidden = keras.layers.Dense(4, activation="relu", name="hidden")(inputs)
model = keras.Model(inputs, keras.layers.Dense(1, name="out")(hidden))
model.compile("sgd", "mse")
found = get_activations(model, x, layer_names=["hidden", "out"], auto_compile=True)
assert list(found) == ["hidden", "out"]
np.testing.assert_allclose(found["out"], model.predict(x, verbose=0), atol=1e-5)
kernel, bias = model.layers[1].get_weights()
np.testing.assert_allclose(found["hidden"], np.maximum(x @ kernel + bias, 0), atol=1e-5)
gradients = get_gradients_of_trainable_weights(model, x, np.zeros((2, 1), "float32"))
assert len(gradients) == 4
