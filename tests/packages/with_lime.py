"""Explanations of a table and of a picture."""

import keras
import numpy as np
from lime.lime_image import LimeImageExplainer
from lime.lime_tabular import LimeTabularExplainer

PACKAGE = "lime"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
y = (x[:, 2] > 0).astype("int32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, activation="softmax")])
model.compile(keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
model.fit(x, y, epochs=10, verbose=0)
explainer = LimeTabularExplainer(x, feature_names=list("abcd"), discretize_continuous=False, random_state=0)
predict = lambda rows: model.predict(rows, verbose=0)  # noqa: E731
weights = dict(explainer.explain_instance(x[0], predict, num_samples=300).as_list())
assert max(weights, key=lambda name: abs(weights[name])) == "c", weights

pictures = np.random.default_rng(1).uniform(size=(64, 16, 16, 3)).astype("float32")
bright = np.arange(64) % 2
pictures[bright == 1, :8, :8] += 1
network = keras.Sequential(
    [keras.layers.Input((16, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
)
network.add(keras.layers.Activation("softmax"))
network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
network.fit(pictures, bright, epochs=5, verbose=0)
corners = np.kron(np.arange(4).reshape(2, 2), np.ones((8, 8), int))
explanation = LimeImageExplainer(random_state=0).explain_instance(
    pictures[1].astype("double"), lambda batch: network.predict(batch, verbose=0), labels=(1,), top_labels=None,
    hide_color=0.5, num_samples=60, segmentation_fn=lambda picture: corners,
)  # fmt: skip
assert explanation.local_exp[1][0][0] == 0, explanation.local_exp
