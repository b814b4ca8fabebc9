"""Mistakes that beginners make are told with what mends them, in the same words on every backend."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

X, Y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")


class Silent(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        self.dense(x)


class SilentModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        self.dense(x)


class SilentStep(SilentModel):
    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        self.compute_loss(x, y, self(x))

    def test_step(self, data):
        x, y = data
        self.compute_loss(x, y, self(x))


def nothing(y_true, y_pred):
    return None


def compiled(model=None, loss="mse", **settings):
    model = model or keras.Sequential([layers.Dense(1)])
    model.compile("sgd", loss, **settings)
    return model


FORGOTTEN_RETURNS = {
    "call of a model, fit": lambda: compiled(SilentModel()).fit(X, Y, verbose=0),
    "call of a model, evaluate": lambda: compiled(SilentModel()).evaluate(X, Y, verbose=0),
    "call of a model, predict": lambda: SilentModel().predict(X, verbose=0),
    "call of a layer, in a Sequential": lambda: keras.Sequential([Silent(), layers.Dense(1)])(X),
    "call of a layer, in a graph": lambda: layers.Dense(1)(Silent()(keras.Input((4,)))),
    "function of a layer": lambda: layers.Dense(1)(layers.Lambda(lambda x: None)(keras.Input((4,)))),
    "loss": lambda: compiled(loss=nothing).fit(X, Y, verbose=0),
    "metric": lambda: compiled(metrics=[nothing]).fit(X, Y, verbose=0),
    "train_step": lambda: compiled(SilentStep()).fit(X, Y, verbose=0),
    "test_step": lambda: compiled(SilentStep()).evaluate(X, Y, verbose=0),
}


@pytest.mark.parametrize("place", FORGOTTEN_RETURNS)
def test_a_forgotten_return_is_told(backend, place):
    with pytest.raises(ValueError, match=r"Received: None\. Does .* end with a return\?"):
        FORGOTTEN_RETURNS[place]()


IMAGES, LABELS = np.ones((8, 6, 6, 1), "float32"), np.zeros(8, "int32")


def unflattened(units, loss):
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(2, 3), layers.Dense(units)])
    return compiled(model, loss).fit(IMAGES, LABELS, verbose=0)


OTHERS = {
    "places instead of samples, labels": (
        lambda: unflattened(3, "sparse_categorical_crossentropy"),
        (ValueError, "put Flatten or GlobalAveragePooling in front of the last layer"),
    ),
    "places instead of samples, numbers": (
        lambda: unflattened(1, "mse"),
        (ValueError, "put Flatten or GlobalAveragePooling in front of the last layer"),
    ),
    "recurrent layers without sequences between": (
        lambda: keras.Sequential([keras.Input((4, 2)), layers.LSTM(3), layers.LSTM(3)]),
        (ValueError, r"3 axes.*\(None, 3\).*\(batch, time, \.\.\.\).*return_sequences=True"),
    ),
    "the second input of a call": (
        lambda: layers.MultiHeadAttention(2, 2)(keras.Input((4, 2))),
        (TypeError, r"multi_head_attention.*Expected \['query', 'value'\].*without \['value'\]"),
    ),
    "argument of fit": (
        lambda: compiled().fit(X, Y, epoch=2),
        (TypeError, r"arguments of fit.*\['epoch'\]. Did you mean 'epochs'"),
    ),
    "argument of compile": (
        lambda: keras.Sequential().compile(optimiser="sgd"),
        (TypeError, "arguments of compile.*Did you mean 'optimizer'"),
    ),
    "weights for a model without": (
        lambda: keras.Sequential([layers.Dense(1)]).set_weights([np.ones((4, 1)), np.ones(1)]),
        (ValueError, "Expected a built layer.*Call it on data, or call build"),
    ),
    "output of a layer that nothing was given to": (
        lambda: keras.Sequential([layers.Dense(1)]).layers[0].output,
        (AttributeError, "Start the model with an Input"),
    ),
    "objects, in a call": (
        lambda: keras.Sequential([keras.Input((2,)), layers.Dense(1)])(np.array([[1.0, None]], object)),
        (ValueError, "Expected numbers. Received: strings or objects"),
    ),
    "texts, in a call": (
        lambda: keras.Sequential([keras.Input((2,)), layers.Dense(1)])(np.array([["a", "b"]])),
        (ValueError, "Expected numbers. Received: strings.*Put StringLookup"),
    ),
    "missing values": (
        lambda: compiled().fit(np.array([[1.0, None]], object), np.ones(1), verbose=0),
        (ValueError, "Received: an array of object with None. Fill in"),
    ),
}


@pytest.mark.parametrize("mistake", OTHERS)
def test_a_mistake_is_told_with_what_mends_it(backend, mistake):
    make, (error, message) = OTHERS[mistake]
    with pytest.raises(error, match=message):
        make()
