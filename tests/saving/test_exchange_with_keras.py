"""Files of Keras 3 load here, and ours load there, with the same outputs."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras
from tests.saving.examples import graph_model, text_model

IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
TOKENS = np.random.default_rng(0).integers(0, 10, (4, 5)).astype("int32")
TARGETS = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
MODELS = {"graph": (graph_model, IMAGES), "text": (text_model, TOKENS)}

SEQUENCE, IMAGE = (6, 4), (8, 8, 3)
LAYERS = {
    "dense": (IMAGE, lambda k: k.Dense(3, use_bias=False)),
    "conv1d": (SEQUENCE, lambda k: k.Conv1D(3, 2, padding="causal")),
    "conv_transpose": (IMAGE, lambda k: k.Conv2DTranspose(3, 2, strides=2)),
    "depthwise": (IMAGE, lambda k: k.DepthwiseConv2D(3)),
    "separable": (IMAGE, lambda k: k.SeparableConv2D(3, 2)),
    "layer norm": (SEQUENCE, lambda k: k.LayerNormalization()),
    "group norm": (IMAGE, lambda k: k.GroupNormalization(3)),
    "batch norm": (IMAGE, lambda k: k.BatchNormalization(scale=False)),
    "lstm": (SEQUENCE, lambda k: k.LSTM(3, return_sequences=True)),
    "gru": (SEQUENCE, lambda k: k.GRU(3)),
    "simple rnn": (SEQUENCE, lambda k: k.SimpleRNN(3)),
    "bidirectional": (SEQUENCE, lambda k: k.Bidirectional(k.LSTM(3))),
    "time distributed": (SEQUENCE, lambda k: k.TimeDistributed(k.Dense(3))),
    "rnn of cells": (SEQUENCE, lambda k: k.RNN([k.LSTMCell(3), k.GRUCell(2)])),
    "prelu": (SEQUENCE, lambda k: k.PReLU()),
    "pooling": (IMAGE, lambda k: k.MaxPooling2D((2, 3), padding="same")),
    "reshape": (SEQUENCE, lambda k: k.Reshape((2, -1))),
    "permute": (SEQUENCE, lambda k: k.Permute((2, 1))),
    "padding": (IMAGE, lambda k: k.ZeroPadding2D(((1, 0), (2, 1)))),
    "upsampling": (IMAGE, lambda k: k.UpSampling2D((2, 1))),
    "activation": (SEQUENCE, lambda k: k.Activation("gelu")),
}


def randomize(model):
    generator = np.random.default_rng(3)
    model.set_weights([generator.uniform(0.1, 1, w.shape).astype("float32") for w in model.get_weights()])


def same(first, second, x):
    a, b = (np.asarray(m.predict(x, verbose=0)) for m in (first, second))
    np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_models_of_keras_load_here(backend, real_keras, tmp_path, name):
    make, x = MODELS[name]
    theirs = make(real_keras)
    randomize(theirs)
    theirs.save(tmp_path / "model.keras")
    same(polykeras.models.load_model(tmp_path / "model.keras"), theirs, x)


@pytest.mark.parametrize("name", MODELS)
def test_our_models_load_in_keras(backend, real_keras, tmp_path, name):
    make, x = MODELS[name]
    ours = make(polykeras)
    randomize(ours)
    ours.save(tmp_path / "model.keras")
    same(real_keras.models.load_model(tmp_path / "model.keras"), ours, x)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_go_both_ways(real_keras, tmp_path, name):
    shape, make = LAYERS[name]
    x = np.random.default_rng(2).normal(size=(2, *shape)).astype("float32")
    theirs = real_keras.Sequential([real_keras.Input(shape), make(real_keras.layers)])
    randomize(theirs)
    theirs.save(tmp_path / "theirs.keras")
    ours = polykeras.models.load_model(tmp_path / "theirs.keras")
    same(ours, theirs, x)
    ours.save(tmp_path / "ours.keras")
    same(real_keras.models.load_model(tmp_path / "ours.keras"), theirs, x)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "Adagrad", "Nadam", "AdamW"])
def test_the_optimizer_goes_both_ways(real_keras, tmp_path, optimizer):
    def make(keras):
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(2)])

    x = np.random.default_rng(2).normal(size=(6, 4)).astype("float32")
    theirs = make(real_keras)
    theirs.compile(getattr(real_keras.optimizers, optimizer)(0.01), "mse", metrics=["mae"])
    theirs.fit(x, TARGETS, epochs=2, verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    ours = polykeras.models.load_model(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    again = real_keras.models.load_model(tmp_path / "ours.keras")
    losses = [m.fit(x, TARGETS, epochs=3, verbose=0).history["loss"] for m in (theirs, ours, again)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-5)


def test_weights_go_both_ways(real_keras, tmp_path):
    theirs, ours = graph_model(real_keras), graph_model(polykeras)
    randomize(theirs)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    same(ours, theirs, IMAGES)
    ours.save_weights(tmp_path / "ours.weights.h5")
    again = graph_model(real_keras)
    again.load_weights(tmp_path / "ours.weights.h5")
    same(again, theirs, IMAGES)
