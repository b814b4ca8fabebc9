"""The attribute ``validation_data``: what ``fit`` was given, unless the callback has data of its own."""

import numpy as np
import pytest

import polykeras as keras

X, Y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")


class Watching(keras.callbacks.Callback):
    """Counts the rows of its data after each epoch."""

    def __init__(self, data=None):
        super().__init__()
        if data is not None:
            self.validation_data = data
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(None if self.validation_data is None else len(self.validation_data[0]))


@pytest.fixture
def model(backend):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_data_that_a_callback_was_made_with_stay(model):
    callback = Watching((X[:3], Y[:3]))
    model.fit(X, Y, verbose=0, callbacks=[callback])
    model.fit(X, Y, verbose=0, callbacks=[callback], validation_data=(X[:2], Y[:2]))
    assert callback.seen == [3, 3]


def test_other_callbacks_see_the_data_of_each_fit(model):
    callback = Watching()
    for data in ((X[:2], Y[:2]), (X[:1], Y[:1]), None):
        model.fit(X, Y, verbose=0, callbacks=[callback], validation_data=data)
    assert callback.seen == [2, 1, None]
