"""Attacks by the sign of the gradient, of one step and of several, on a classifier."""

import keras
import numpy as np
import tensorflow as tf
from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescent
from art.estimators.classification import TensorFlowV2Classifier

PACKAGE = "adversarial-robustness-toolbox"
ENGINES = ("tensorflow",)  # whose tape it uses

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
x = random.uniform(size=(128, 6)).astype("float32")
labels = (x[:, :3].sum(1) > x[:, 3:].sum(1)).astype("int64")
y = np.eye(2, dtype="float32")[labels]
model = keras.Sequential(
    [keras.layers.Input((6,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)]
)  # fmt: skip
classifier = TensorFlowV2Classifier(
    model=model,
    nb_classes=2,
    input_shape=(6,),
    loss_object=tf.keras.losses.CategoricalCrossentropy(from_logits=True),
    optimizer=tf.keras.optimizers.Adam(0.02),
    clip_values=(0, 1),
)
classifier.fit(x, y, batch_size=16, nb_epochs=20)
right = (classifier.predict(x).argmax(1) == labels).mean()
assert right > 0.9, right
for attack in (FastGradientMethod(classifier, eps=0.2), ProjectedGradientDescent(classifier, 2, 0.2, 0.05, max_iter=5)):
    fooled = attack.generate(x)
    assert np.abs(fooled - x).max() <= 0.2 + 1e-5
    assert (classifier.predict(fooled).argmax(1) == labels).mean() < right - 0.3
