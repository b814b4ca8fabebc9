"""Functional models that compute with sizes which their graph does not know."""

import importlib

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops

X = np.random.default_rng(0).random((5, 6, 4)).astype("float32")


def _causal(x, length):
    indices = ops.arange(length)
    return ops.where((indices[:, None] >= indices[None, :])[None], ops.matmul(x, ops.transpose(x, (0, 2, 1))), -1.0)


# By name: a program of an array x and its shape s, and what NumPy makes of X.
PROGRAMS = {
    "reshape by a product": (lambda x, s: ops.reshape(x, (s[0] * s[1], s[2])), X.reshape(30, 4)),
    "reshape by batch": (lambda x, s: ops.reshape(x, (s[0], s[1] * s[2])), X.reshape(5, 24)),
    "reshape by half": (lambda x, s: ops.reshape(x, (s[0], s[1] // 2, 2, s[2])), X.reshape(5, 3, 2, 4)),
    "reshape by the rest": (lambda x, s: ops.reshape(x, (-1, s[1], 2, 2)), X.reshape(5, 6, 2, 2)),
    "repeat": (lambda x, s: ops.repeat(x[:, :1], s[1], axis=1), np.repeat(X[:, :1], 6, 1)),
    "tile": (lambda x, s: ops.tile(x[:1], (s[0], 1, 1)), np.tile(X[:1], (5, 1, 1))),
    "arange": (lambda x, s: x + ops.cast(ops.arange(s[1]), "float32")[None, :, None], X + np.arange(6.0)[:, None]),
    "arange from one": (
        lambda x, s: x + ops.cast(ops.arange(1, s[1] + 1), "float32")[None, :, None],
        X + np.arange(1.0, 7.0)[:, None],
    ),
    "arange by steps": (
        lambda x, s: x[:, ::2] + ops.cast(ops.arange(0, s[1], 2), "float32")[None, :, None],
        X[:, ::2] + np.arange(0.0, 6.0, 2.0)[:, None],
    ),
    "cast": (lambda x, s: x / ops.cast(s[1], "float32"), X / 6),
    "cast of all": (lambda x, s: x / ops.cast(s, "float32")[1], X / 6),
    "product of all": (lambda x, s: x / ops.cast(ops.prod(s), "float32"), X / 120),
    "square root": (lambda x, s: x / ops.sqrt(ops.cast(s[1], "float32")), X / np.sqrt(6)),
    "multiply": (lambda x, s: s[1] * x, X * 6),
    "division": (lambda x, s: x * (1 / s[1]), X / 6),
    "power": (lambda x, s: x / s[1] ** 0.5, X / np.sqrt(6)),
    "remainder": (lambda x, s: x * ((s[1] + 1) % 4), X * 3),
    "slice to the last": (lambda x, s: x[:, : s[1] - 1], X[:, :5]),
    "slice from half": (lambda x, s: x[:, s[1] // 2 :], X[:, 3:]),
    "slice from behind": (lambda x, s: x[:, -(s[1] - 1) :], X[:, 1:]),
    "index": (lambda x, s: x[:, s[1] - 1], X[:, 5]),
    "index of the batch": (lambda x, s: x[s[0] - 1], X[4]),
    "new axis": (lambda x, s: x[:, None], X[:, None]),
    "broadcast": (lambda x, s: ops.broadcast_to(x[:, :1], s), np.repeat(X[:, :1], 6, 1)),
    "zeros": (lambda x, s: ops.zeros(s) + x, X),
    "ones": (
        lambda x, s: ops.concatenate([x, ops.ones((s[0], 1, 4))], axis=1),
        np.concatenate([X, np.ones((5, 1, 4))], 1),
    ),
    "full": (
        lambda x, s: ops.concatenate([x, ops.full((s[0], s[1] + 1, 4), 2.0)], axis=1),
        np.concatenate([X, np.full((5, 7, 4), 2.0)], 1),
    ),
    "linspace": (lambda x, s: x * ops.linspace(0.0, 1.0, s[1])[None, :, None], X * np.linspace(0, 1, 6)[:, None]),
    "identity": (lambda x, s: ops.matmul(ops.eye(s[1]), x), X),
    "random": (lambda x, s: keras.random.normal(s, seed=1) * 0.0 + x, X),
    "dynamic slice": (lambda x, s: ops.slice(x, (0, s[1] - 2, 0), (s[0], 2, 4)), X[:, 4:]),
    "pad": (lambda x, s: ops.pad(x, ((0, 0), (0, s[1]), (0, 0))), np.pad(X, ((0, 0), (0, 6), (0, 0)))),
    "roll": (lambda x, s: ops.roll(x, s[1] // 2, axis=1), np.roll(X, 3, 1)),
    "causal mask": (
        lambda x, s: _causal(x, s[1]),
        np.where(np.tri(6, dtype=bool), X @ X.transpose(0, 2, 1), -1.0),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_sizes_that_a_graph_does_not_know_are_numbers_to_compute_with(backend, name):
    program, expected = PROGRAMS[name]
    inputs = keras.Input((None, 4))
    outputs = program(inputs, ops.shape(inputs))
    model = keras.Model(inputs, outputs)
    assert all(n in (None, m) for n, m in zip(outputs.shape, expected.shape, strict=True))
    np.testing.assert_allclose(ops.convert_to_numpy(model(ops.convert_to_tensor(X))), expected, rtol=1e-5)


def test_sizes_follow_layers_and_train(backend):
    inputs = keras.Input((None, 4))
    hidden = layers.Conv1D(3, 2)(inputs)
    sizes = ops.shape(hidden)
    rows = layers.Dense(1)(ops.reshape(hidden, (sizes[0] * sizes[1], 3)))
    model = keras.Model(inputs, ops.mean(ops.reshape(rows, (sizes[0], sizes[1])), axis=1, keepdims=True))
    assert model.output_shape == (None, 1)
    model.compile("sgd", "mse")
    model.fit(X, X[:, 0, :1], verbose=0)
    for length in (6, 3):
        assert model.predict(X[:, :length], verbose=0).shape == (5, 1)


@pytest.mark.parametrize("name", ["reshape by half", "slice from half", "index", "causal mask", "division", "tile"])
def test_models_with_sizes_are_saved_copied_and_used_in_others(tmp_path, name):
    program, expected = PROGRAMS[name]
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, program(inputs, ops.shape(inputs)))
    model.save(tmp_path / "model.keras")
    other = keras.Input((None, 4))
    around = keras.Model(other, model(other))
    for again in (keras.saving.load_model(tmp_path / "model.keras"), keras.models.clone_model(model), around):
        found = ops.convert_to_numpy(again(ops.convert_to_tensor(X)))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_an_unknown_size_equals_none_and_decides_nothing():
    shape = ops.shape(keras.Input((None, 4)))
    assert shape == (None, None, 4)
    assert shape[1] != 4
    with pytest.raises(TypeError, match="Use ops.where"):
        if shape[1] > 3:
            pass


@pytest.mark.parametrize("name", [n for n in PROGRAMS if n not in ("random",)])
def test_shapes_in_layers_are_computed_with_too(backend, name):
    program, expected = PROGRAMS[name]

    class Own(layers.Layer):
        def call(self, x):
            return program(x, ops.shape(x))

    inputs = keras.Input((None, 4))
    outputs = Own()(inputs)
    assert all(n in (None, m) for n, m in zip(outputs.shape, expected.shape, strict=True))
    found = ops.convert_to_numpy(keras.Model(inputs, outputs)(ops.convert_to_tensor(X)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("start", [0, 1])
def test_a_table_of_positions_may_be_shorter_than_the_lengths_that_shapes_are_tried_on(backend, start):
    class Positions(layers.Layer):
        def __init__(self):
            super().__init__()
            self.words = layers.Embedding(5, 3)
            self.positions = layers.Embedding(8, 3)

        def call(self, x):
            length = ops.shape(x)[-1]
            end = length if start == 0 else length + start
            return self.words(x) + self.positions(ops.arange(start, end, 1))

    inputs = keras.Input((None,), dtype="int32")
    layer = Positions()
    outputs = layer(inputs)
    assert outputs.shape == (None, None, 3)
    x = np.array([[1, 2, 4], [0, 3, 1]], "int32")
    words, positions = layer.words.get_weights()[0], layer.positions.get_weights()[0]
    found = keras.Model(inputs, outputs).predict(x, verbose=0)
    np.testing.assert_allclose(found, words[x] + positions[start : start + 3], rtol=1e-6)


def test_sizes_are_found_behind_networks_for_large_images(backend):
    # Six halvings leave nothing of the small images on which sizes are tried first.
    inputs = hidden = keras.Input((None, None, 1))
    for _ in range(6):
        hidden = layers.MaxPooling2D(3, 2)(hidden)
    sizes = ops.shape(hidden)
    other = ops.shape(inputs)[1] // 2
    model = keras.Model(inputs, ops.reshape(hidden, (sizes[0], sizes[1] * sizes[2])) + ops.cast(other, "float32"))
    assert model.output_shape == (None, None)
    found = ops.convert_to_numpy(model(ops.ones((2, 200, 300, 1))))
    np.testing.assert_array_equal(found, np.full((2, 2 * 3), 101.0))


def transposed(x):
    return x.transpose(1, 2) if type(x).__module__ == "torch" else x.transpose(0, 2, 1)


@pytest.mark.parametrize("function", ["inverse", "sum"])
def test_code_of_an_engine_may_need_square_matrices(backend, function):
    if backend.name == "tensorflow":
        pytest.skip("TensorFlow finds these shapes with unknown sizes")
    linalg = importlib.import_module({"jax": "jax.numpy.linalg"}.get(backend.name, f"{backend.name}.linalg"))

    class Own(layers.Layer):
        def call(self, x):
            return linalg.inv(x) if function == "inverse" else linalg.inv(x + transposed(x))

    inputs = keras.Input((None, None))
    outputs = Own()(inputs)
    assert outputs.shape == (None, None, None)
    x = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")
    found = keras.Model(inputs, outputs).predict(x, verbose=0)
    expected = np.linalg.inv(x if function == "inverse" else x + x.transpose(0, 2, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_square_matrices_whose_sizes_are_computed_with(backend):
    inputs = keras.Input((None, None))
    size = ops.shape(inputs + ops.transpose(inputs, (0, 2, 1)))[1]
    model = keras.Model(inputs, inputs / size)
    np.testing.assert_allclose(model.predict(np.ones((2, 4, 4)), verbose=0), np.full((2, 4, 4), 0.25))
