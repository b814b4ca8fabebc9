"""A temporal convolutional network learns the adding task, and is saved and loaded."""

import tempfile

import numpy as np
from tcn import TCN, tcn_full_summary
from tensorflow import keras

PACKAGE = "keras-tcn"
ENGINES = ("tensorflow",)  # it imports tensorflow.keras

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
x = random.uniform(size=(256, 10, 2)).astype("float32")
x[..., 1] = 0
x[np.arange(256), random.integers(0, 10, 256), 1] = 1
y = (x[..., 0] * x[..., 1]).sum(1, keepdims=True)
layer = TCN(nb_filters=8, kernel_size=2, dilations=(1, 2, 4, 8), use_skip_connections=True, input_shape=(10, 2))
model = keras.models.Sequential([layer, keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
losses = model.fit(x, y, epochs=12, batch_size=16, verbose=0).history["loss"]
assert layer.receptive_field == 31 and losses[-1] < 0.2 * losses[0], losses
with tempfile.TemporaryDirectory() as folder:
    model.save(f"{folder}/model.keras")
    again = keras.models.load_model(f"{folder}/model.keras", custom_objects={"TCN": TCN})
np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
tcn_full_summary(model)
states = keras.Sequential([keras.Input((None, 2)), TCN(4, return_sequences=True, use_layer_norm=True)])
assert states(x[:2, :7]).shape == (2, 7, 4)
