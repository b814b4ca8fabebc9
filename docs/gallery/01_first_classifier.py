"""
A first classifier
==================

Handwritten digits of 8 by 8 pixels, which are included in polykeras, and a network of two dense layers.
"""

import matplotlib.pyplot as plt

import polykeras as keras
from polykeras import layers

(x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()

model = keras.Sequential(
    [
        keras.Input((8, 8)),
        layers.Flatten(),
        layers.Rescaling(1 / 16),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=15, validation_data=(x_test, y_test), verbose=0)
print(f"accuracy on unseen digits: {history.history['val_accuracy'][-1]:.3f}")

# %%
# The first digits of the test set, each with the network's prediction.

answers = model.predict(x_test[:10], verbose=0).argmax(axis=1)
figure, axes = plt.subplots(2, 5, figsize=(7, 3.4))
for axis, picture, answer in zip(axes.flat, x_test, answers, strict=False):
    axis.imshow(picture.reshape(8, 8), cmap="gray_r")
    axis.set_title(f"{answer}")
    axis.axis("off")
