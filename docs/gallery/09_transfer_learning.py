"""
Transfer learning
=================

A network is trained on the digits 0 to 4. Its convolutions are then frozen, and used to learn 5 to 9 from 50 examples.
"""

import matplotlib.pyplot as plt

import polykeras as keras
from polykeras import layers

(x, y), (x_test, y_test) = keras.datasets.digits.load_data()
x, x_test = x[..., None] / 16, x_test[..., None] / 16
low, high, high_test = y < 5, y >= 5, y_test >= 5

base = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
    ]
)
first = keras.Sequential([base, layers.Dense(5, activation="softmax")])
first.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
first.fit(x[low], y[low], epochs=6, verbose=0)


def curve(body):
    """Train a new head on 50 digits and return the accuracy on others after each epoch."""
    model = keras.Sequential([body, layers.Dense(5, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    validation = (x_test[high_test], y_test[high_test] - 5)
    options = dict(epochs=15, batch_size=10, validation_data=validation, verbose=0)
    return model.fit(x[high][:50], y[high][:50] - 5, **options).history["val_accuracy"]


base.trainable = False
transferred = curve(base)
fresh = keras.models.clone_model(base)
fresh.trainable = False
random = curve(fresh)
print(f"trained features: {transferred[-1]:.3f}, random features: {random[-1]:.3f}")

# %%

plt.plot(transferred, label="features of other digits")
plt.plot(random, label="random features")
plt.xlabel("epoch")
plt.ylabel("accuracy on 5 to 9")
plt.legend()
