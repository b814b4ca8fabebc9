"""Batches in which rare classes are as frequent as others."""

import keras
import numpy as np
from imblearn.keras import BalancedBatchGenerator, balanced_batch_generator
from imblearn.under_sampling import NearMiss

PACKAGE = "imbalanced-learn"
ENGINES = ("tensorflow", "torch", "jax", "numpy")

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
x = random.normal(size=(220, 3)).astype("float32")
labels = np.repeat([0, 1], [200, 20])
x[labels == 1] += 2
y = keras.utils.to_categorical(labels, 2)
model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, activation="softmax")])
model.compile(keras.optimizers.Adam(0.1), "categorical_crossentropy")
batches = BalancedBatchGenerator(x, y, sampler=NearMiss(), batch_size=10, random_state=0)
assert len(batches) == 4 and sum(batches[i][1].sum(0) for i in range(4)).tolist() == [20, 20]
losses = model.fit(batches, epochs=10, verbose=0).history["loss"]
assert losses[-1] < losses[0]
assert model.predict(x, verbose=0)[labels == 1].argmax(1).mean() > 0.8
generator, steps = balanced_batch_generator(x, y, batch_size=10, random_state=0)
model.fit(generator, steps_per_epoch=steps, epochs=1, verbose=0)
