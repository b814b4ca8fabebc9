"""A convolutional network as it was written for Keras 1."""

import random

import numpy as np
from keras.layers import Activation, Convolution2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.layers.normalization import BatchNormalization
from keras.models import Sequential, model_from_json
from keras.optimizers import SGD
from keras.regularizers import l2
from keras.utils import np_utils

random.seed(12)
np.random.seed(12)
nb_classes, nb_epoch = 3, 6

centres = np.random.uniform(size=(nb_classes, 10, 10, 2))
y = np.random.randint(0, nb_classes, 200)
X = (centres[y] + 0.3 * np.random.normal(size=(200, 10, 10, 2))).astype("float32")
Y = np_utils.to_categorical(y, nb_classes)

model = Sequential()
model.add(Convolution2D(8, 3, 3, border_mode="same", input_shape=(10, 10, 2), dim_ordering="tf", init="he_normal"))
model.add(BatchNormalization(mode=0, axis=-1))
model.add(Activation("relu"))
model.add(Convolution2D(8, 3, 3, subsample=(2, 2), W_regularizer=l2(1e-4), bias=False))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2), border_mode="valid"))
model.add(Dropout(p=0.1))
model.add(Flatten())
model.add(Dense(output_dim=16, init="glorot_normal", W_regularizer=l2(0.001)))
model.add(Activation("relu"))
model.add(Dense(nb_classes))
model.add(Activation("softmax"))
assert model.output_shape == (None, nb_classes)
assert model.layers[3].output_shape == (None, 4, 4, 8)

sgd = SGD(lr=0.05, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
history = model.fit(X, Y, batch_size=20, nb_epoch=nb_epoch, validation_split=0.2, verbose=0)
score = model.evaluate(X, Y, verbose=0)
classes = model.predict_classes(X, verbose=0)
rebuilt = model_from_json(model.to_json())
rebuilt.set_weights(model.get_weights())
assert np.allclose(rebuilt.predict(X), model.predict(X), atol=1e-5)


def batches():
    while True:
        rows = np.random.randint(0, 200, 20)
        yield X[rows], Y[rows]


more = model.fit_generator(batches(), samples_per_epoch=100, nb_epoch=2, validation_data=(X, Y), verbose=0)
assert len(more.history["val_acc"]) == 2
probabilities = model.predict_proba(X, verbose=0)
assert model.evaluate_generator(batches(), val_samples=40)[1] > 0.5
assert probabilities.shape == (200, 3)
print("figure:", *history.history["loss"], history.history["val_acc"][-1], np.mean(classes == y))
