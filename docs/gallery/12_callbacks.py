"""
Callbacks: stopping early and reducing the learning rate
========================================================

``EarlyStopping`` stops training when the validation loss no longer decreases, and restores the best weights;
``ReduceLROnPlateau`` reduces the learning rate before that; a custom callback records the norm of a kernel.
"""

import matplotlib.pyplot as plt
import numpy as np

import polykeras as keras
from polykeras import callbacks, layers

(x, y), (x_test, y_test) = keras.datasets.digits.load_data()
x, x_test = x.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16


class Norms(callbacks.Callback):
    """Notes the norm of the first kernel after each epoch."""

    def on_train_begin(self, logs=None):
        self.norms = []

    def on_epoch_end(self, epoch, logs=None):
        self.norms.append(float(np.linalg.norm(self.model.layers[0].get_weights()[0])))


model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(0.02), loss=loss)
norms = Norms()
history = model.fit(
    *(x[:300], y[:300]),
    epochs=60,
    validation_data=(x_test, y_test),
    verbose=0,
    callbacks=[
        callbacks.ReduceLROnPlateau(factor=0.3, patience=3),
        callbacks.EarlyStopping(patience=8, restore_best_weights=True),
        norms,
    ],
)
print(f"stopped after {len(history.epoch)} epochs")

# %%

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3))
left.plot(history.history["loss"], label="training")
left.plot(history.history["val_loss"], label="validation")
left.legend()
middle.semilogy(history.history["learning_rate"])
middle.set_title("learning rate")
right.plot(norms.norms)
right.set_title("norm of the first kernel")
figure.tight_layout()
