"""Models in functions of TensorFlow that know the rank of their inputs only: sizes to compute with, and all layers."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops
from polykeras.interop.tensorflow import as_module

tf = pytest.importorskip("tensorflow")
X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")


@pytest.fixture(autouse=True)
def on_tensorflow():
    with backends.use("tensorflow"):
        yield


def placed(x, steps):
    return x + ops.cast(ops.arange(steps), "float32")[None, :, None] / ops.cast(steps, "float32")


def masked_average(x, steps):
    earlier = ops.cast(ops.arange(steps)[:, None] >= ops.arange(steps), "float32")
    return ops.matmul(earlier, x) / steps


# What a layer computes from its input and two sizes of it, and the same of NumPy.
COMPUTED = {
    "reshape": (lambda x, b, t: ops.reshape(x, (b, t // 2, 8)), lambda x: x.reshape(len(x), -1, 8)),
    "reshape_flat": (lambda x, b, t: ops.reshape(ops.reshape(x, (b * t, 4)), (b, t, -1)), lambda x: x),
    "repeat": (lambda x, b, t: ops.repeat(x[:, :1], t, axis=1), lambda x: x[:, :1].repeat(x.shape[1], 1)),
    "tile": (lambda x, b, t: ops.tile(x[:, :1], (1, t + 1, 1)), lambda x: np.tile(x[:, :1], (1, x.shape[1] + 1, 1))),
    "arange": (lambda x, b, t: placed(x, t), lambda x: x + (np.arange(x.shape[1]) / x.shape[1])[None, :, None]),
    "mask": (
        lambda x, b, t: masked_average(x, t),
        lambda x: x.cumsum(1) / x.shape[1],
    ),
    "zeros": (
        lambda x, b, t: ops.concatenate([x, ops.zeros((b, 2, 4))], 1),
        lambda x: np.concatenate([x, np.zeros((len(x), 2, 4))], 1),
    ),
    "broadcast": (lambda x, b, t: ops.broadcast_to(ops.ones((4,)), (b, t, 4)), np.ones_like),
    "eye": (lambda x, b, t: ops.matmul(ops.eye(t), x), lambda x: x),
    "slice": (lambda x, b, t: x[:, : t // 2], lambda x: x[:, : x.shape[1] // 2]),
    "list": (lambda x, b, t: ops.convert_to_tensor([b, t - 1]), lambda x: np.array([len(x), x.shape[1] - 1])),
    "random": (lambda x, b, t: x + 0.0 * keras.random.normal((b, t, 4), seed=1), lambda x: x),
    "own_functions": (
        lambda x, b, t: tf.reshape(x, [b, t // 2, 8]) + tf.cast(tf.range(t)[0], "float32"),
        lambda x: x.reshape(len(x), -1, 8),
    ),
}


class Sized(layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        batch, steps, _ = ops.shape(x)
        return self.function(x, batch, steps)


SPECS = [(None, None, 4), (None, 6, 4), (3, None, 4)]


@pytest.mark.parametrize("shape", SPECS)
@pytest.mark.parametrize("name", COMPUTED)
def test_sizes_that_a_function_does_not_know_are_computed_with(name, shape):
    function, expected = COMPUTED[name]
    model = tf.function(Sized(function), input_signature=[tf.TensorSpec(shape)])
    rows, steps = (2 if shape[0] is None else 3), (4 if shape[1] is None else 6)
    for x in (X, X[:rows, :steps]):
        np.testing.assert_allclose(model(x), expected(x), rtol=1e-5)


LAYERS = {
    "attention": lambda: Attending(layers.MultiHeadAttention(2, 2)),
    "grouped": lambda: Attending(layers.GroupedQueryAttention(2, 2, 1)),
    "conv": lambda: layers.Conv1D(3, 3, padding="causal"),
    "conv_transpose": lambda: layers.Conv1DTranspose(3, 3, strides=2),
    "separable": lambda: layers.SeparableConv1D(3, 3),
    "pool": lambda: layers.MaxPooling1D(2),
    "upsampling": lambda: layers.UpSampling1D(2),
    "cropping": lambda: layers.Cropping1D(1),
    "padding": lambda: layers.ZeroPadding1D(2),
    "normalization": lambda: layers.BatchNormalization(),
    "groups": lambda: layers.GroupNormalization(2),
    "dense": lambda: layers.Dense(3),
    "dropout": lambda: layers.Dropout(0.5),
    "each_step": lambda: layers.TimeDistributed(layers.Dense(2)),
    "lstm": lambda: layers.LSTM(3),
    "gru": lambda: layers.GRU(3, return_sequences=True),
    "old_gru": lambda: layers.GRU(3, reset_after=False, go_backwards=True),
    "both_ways": lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
    "cells": lambda: layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)]),
    "masked": lambda: keras.Sequential([layers.Masking(), layers.SimpleRNN(2)]),
}
RECURRENT = ("each_step", "lstm", "gru", "old_gru", "both_ways", "cells", "masked")


class Attending(layers.Layer):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def call(self, x):
        return self.attention(x, x, use_causal_mask=True)


@pytest.mark.parametrize("shape", SPECS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_compute_and_train_with_unknown_sizes(name, shape):
    model = keras.Sequential([LAYERS[name]()])
    expected = model(X)
    np.testing.assert_allclose(tf.function(model, [tf.TensorSpec(shape)])(X), expected, rtol=1e-4, atol=1e-6)
    step = tf.function(lambda x: model(x, training=True), [tf.TensorSpec(shape)])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(step(X))
    assert all(g is not None for g in tape.gradient(loss, model.trainable_weights))


def test_images_of_unknown_sizes_are_normalized_in_training():
    layer = layers.BatchNormalization()
    images = X[..., None].repeat(3, -1)
    expected = layer(images, training=True)
    step = tf.function(lambda x: layer(x, training=True), [tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(step(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("save", ["export", "saved_model"])
@pytest.mark.parametrize("name", RECURRENT)
def test_saved_recurrent_models_take_sequences_of_any_number_and_length(tmp_path, name, save):
    model = keras.Sequential([keras.Input((None, 4)), LAYERS[name]()])
    if save == "export":
        model.export(tmp_path, verbose=False)
    else:
        tf.saved_model.save(as_module(model), str(tmp_path))
    program = tf.saved_model.load(str(tmp_path))
    for x in (X, X[:2, :4]):
        np.testing.assert_allclose(program.serve(x), model(x), rtol=1e-4, atol=1e-6)


TWO_ROWS = {
    "quotient": (lambda x, y: tf.realdiv(x, y), (2, 4), (4,), (None, 2, 4)),
    "product": (lambda x, y: tf.einsum("ibh,hnd->ibnd", x, y), (3, 2), (4, 5), (None, 3, 4, 5)),
    "row": (lambda x, y: tf.ensure_shape(x, (2, 3)) - y, (3,), (3,), (2, 3)),
}


@pytest.mark.parametrize(("function", "first", "second", "shape"), TWO_ROWS.values(), ids=TWO_ROWS)
def test_a_function_for_batches_of_two_rows_is_traced_without_other_sizes(function, first, second, shape):
    inputs = [layers.Input(first), layers.Input(second)]
    outputs = layers.Lambda(lambda pair: function(*pair))(inputs)
    assert outputs.shape == shape
    x, y = (np.random.default_rng(0).uniform(1, 2, (2, *sizes)).astype("float32") for sizes in (first, second))
    predicted = keras.Model(inputs, outputs).predict([x, y], verbose=0)
    np.testing.assert_allclose(predicted, function(x, y), rtol=1e-6)


def test_a_function_wrong_for_every_size_is_told_with_the_sizes_that_were_tried():
    with pytest.raises(ValueError, match=r"Dimensions must be equal, but are 2 and 3.*\[6,3,2\]"):
        layers.Lambda(lambda x: tf.matmul(x, x))(layers.Input((3, 2)))


# What is computed with a shape that tf.shape returned, as one tensor or size by size.
SHAPED = {
    "zeros": (lambda x, s: ops.zeros(s), (3, 4)),
    "full": (lambda x, s: ops.full(s, 2.0), (3, 4)),
    "zeros_of_a_list": (lambda x, s: ops.zeros((s[0], 2)), (3, 2)),
    "reshape": (lambda x, s: ops.reshape(x, s), (3, 4)),
    "reshape_reversed": (lambda x, s: ops.reshape(x, s[::-1]), (4, 3)),
    "broadcast": (lambda x, s: ops.broadcast_to(x[0], s), (3, 4)),
    "tile": (lambda x, s: ops.tile(x, s), (9, 16)),
    "repeat": (lambda x, s: ops.repeat(x, s[0], axis=0), (9, 4)),
    "slice": (lambda x, s: ops.slice(x, (0, 0), s), (3, 4)),
    "scatter": (lambda x, s: ops.scatter([[0, 1], [0, 1]], [1.0, 2.0], s), (3, 4)),
    "arange": (lambda x, s: ops.arange(0, s[0], 1), (3,)),
    "eye": (lambda x, s: ops.eye(s[0]), (3, 3)),
    "uniform": (lambda x, s: keras.random.uniform(s, seed=1), (3, 4)),
    "normal": (lambda x, s: keras.random.normal(s, seed=1), (3, 4)),
    "truncated_normal": (lambda x, s: keras.random.truncated_normal(s, seed=1), (3, 4)),
    "randint": (lambda x, s: keras.random.randint(s, 0, 9, seed=1), (3, 4)),
    "gamma": (lambda x, s: keras.random.gamma(s, 2.0, seed=1), (3, 4)),
    "beta": (lambda x, s: keras.random.beta(s, 2.0, 3.0, seed=1), (3, 4)),
    "binomial": (lambda x, s: keras.random.binomial(s, 4.0, 0.5, seed=1), (3, 4)),
}


@pytest.mark.parametrize("name", SHAPED)
def test_shapes_computed_in_a_graph_mean_the_same_as_known_ones(name):
    function, shape = SHAPED[name]
    x = np.arange(12, dtype="float32").reshape(3, 4)
    known = function(tf.constant(x), np.array([3, 4]))
    in_graph = tf.function(lambda x: function(x, tf.shape(x)), input_signature=[tf.TensorSpec((None, 4))])
    found = in_graph(tf.constant(x))
    assert tuple(found.shape) == shape
    np.testing.assert_array_equal(found, known)


def test_sizes_that_do_not_depend_on_the_data_stay_known():
    @tf.function(input_signature=[tf.TensorSpec((None, 4))])
    def drawn(x):
        noise = keras.random.normal(tf.shape(x), seed=1)
        assert noise.shape.as_list() == [None, 4]
        return noise

    assert drawn(tf.zeros((3, 4))).shape == (3, 4)


class NoisyPositions(layers.Layer):
    def call(self, x):
        size = tf.shape(x)
        positions = ops.arange(0, size[1], 1)
        return x + 0.0 * keras.random.uniform(size, seed=2) + ops.cast(positions, "float32")[None, :, None]


def test_layers_of_functional_models_draw_and_count_by_shapes_of_tensorflow():
    inputs = layers.Input((None, 4))
    model = keras.Model(inputs, NoisyPositions()(inputs))
    model.compile(loss="mse")
    expected = X + np.arange(6)[None, :, None]
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-6)
    assert model.evaluate(X, expected, verbose=0) < 1e-9


def test_a_sequential_model_is_built_for_sizes_that_a_graph_computes():
    class Kept(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.rows = keras.Sequential([keras.layers.Dense(2, kernel_initializer="ones")])

        def call(self, x):
            return self.rows(tf.reshape(tf.boolean_mask(x, x[:, 0] > 0), tf.stack([1, -1, 3])))

    x = np.array([[1, 2, 3], [-1, 0, 0], [4, 5, 6]], "float32")
    with backends.use("tensorflow"):
        traced = tf.function(Kept(), input_signature=[tf.TensorSpec((None, 3))])
        np.testing.assert_allclose(traced(x).numpy(), [[[6, 6], [15, 15]]])
