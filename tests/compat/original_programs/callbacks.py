"""The callbacks of Keras 2, and one of the program's own."""

import os
import random
import tempfile

import keras
import numpy as np
from keras.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from keras.layers import Dense
from keras.models import Sequential, load_model
from keras.optimizers import SGD

random.seed(10)
np.random.seed(10)
folder = tempfile.mkdtemp()

x = np.random.normal(size=(200, 5))
y = (x.dot(np.random.normal(size=5)) > 0).astype("float32")


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs={}):
        self.losses = []

    def on_batch_end(self, batch, logs={}):
        self.losses.append(logs.get("loss"))


class StopWhenGood(Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        assert self.params["epochs"] == 40 and self.params["verbose"] == 0
        if logs.get("acc") > 0.97 and self.validation_data is None:
            self.model.stop_training = True


def build():
    model = Sequential([Dense(8, activation="tanh", input_shape=(5,)), Dense(1, activation="sigmoid")])
    model.compile(optimizer=SGD(lr=0.5, momentum=0.9, nesterov=True), loss="binary_crossentropy", metrics=["accuracy"])
    return model


model = build()
batches, seen = LossHistory(), []
path = os.path.join(folder, "weights.{epoch:02d}-{val_acc:.2f}.hdf5")
best = os.path.join(folder, "best.h5")
history = model.fit(
    x,
    y,
    epochs=40,
    batch_size=32,
    validation_split=0.2,
    verbose=0,
    callbacks=[
        batches,
        StopWhenGood(),
        ModelCheckpoint(path, monitor="val_acc", save_best_only=True, mode="max", save_weights_only=True),
        ModelCheckpoint(best, monitor="val_loss", verbose=0, save_best_only=True, mode="min", period=1),
        EarlyStopping(monitor="val_loss", min_delta=1e-4, patience=15, mode="min"),
        ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2, epsilon=1e-3, min_lr=1e-3),
        CSVLogger(os.path.join(folder, "log.csv")),
        LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(sorted(logs))),
    ],
)
epochs = len(history.history["loss"])
assert history.epoch == list(range(epochs)) and len(batches.losses) == 5 * epochs and len(seen) == epochs
assert len(history.history["lr"]) == epochs and history.history["lr"][0] == 0.5
assert any(name.startswith("weights.") for name in os.listdir(folder))

loaded = load_model(best)
loss, accuracy = loaded.evaluate(x[160:], y[160:], verbose=0)
assert abs(loss - min(history.history["val_loss"])) < 1e-5


def step_decay(epoch):
    return 0.4 * 0.5 ** (epoch // 2)


scheduled = build().fit(x, y, epochs=6, verbose=0, callbacks=[LearningRateScheduler(step_decay)])
assert np.allclose(scheduled.history["lr"], [0.4, 0.4, 0.2, 0.2, 0.1, 0.1])
print("figure:", *scheduled.history["loss"], history.history["acc"][-1], accuracy)
