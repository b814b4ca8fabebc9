"""Classifiers of time series: a small convolutional network and a multilayer perceptron."""

import numpy as np
from aeon.classification.deep_learning import FCNClassifier, MLPClassifier

PACKAGE = "aeon"
ENGINES = ("tensorflow",)  # it imports tensorflow.keras

random = np.random.default_rng(0)
time = np.linspace(0, 6, 24)
y = np.array([0, 1] * 20)
x = np.stack([np.sin((1 + 2 * label) * time) for label in y])[:, None] + random.normal(scale=0.1, size=(40, 1, 24))
convolutional = FCNClassifier(
    n_epochs=12, batch_size=8, n_filters=[8, 8, 8], kernel_size=[5, 3, 3], random_state=0
)  # fmt: skip
perceptron = MLPClassifier(n_epochs=12, batch_size=8, n_layers=1, n_units=16, random_state=0)
for model in (convolutional, perceptron):
    model.fit(x, y)
    assert np.allclose(model.predict_proba(x).sum(1), 1, atol=1e-5)
assert convolutional.score(x, y) > 0.8
