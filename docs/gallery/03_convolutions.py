"""
A convolutional network and what its filters see
================================================

A network with two convolutions and a pooling layer classifies digits; the plot shows the feature maps of the first
convolution for a zero.
"""

import matplotlib.pyplot as plt

import polykeras as keras
from polykeras import layers

(x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
x_train, x_test = x_train[..., None] / 16, x_test[..., None] / 16

inputs = keras.Input((8, 8, 1))
features = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(inputs)
x = layers.MaxPooling2D()(features)
x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(10)(x)
model = keras.Model(inputs, outputs)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=8, verbose=0)
print(f"accuracy: {model.evaluate(x_test, y_test, verbose=0)[1]:.3f}")

# %%
# A model that shares layers with the first one, and ends earlier.

maps = keras.Model(inputs, features).predict(x_test[:1], verbose=0)[0]
figure, axes = plt.subplots(1, 9, figsize=(9, 1.5))
axes[0].imshow(x_test[0, ..., 0], cmap="gray_r")
for axis, index in zip(axes[1:], range(8), strict=True):
    axis.imshow(maps[..., index])
for axis in axes:
    axis.axis("off")
