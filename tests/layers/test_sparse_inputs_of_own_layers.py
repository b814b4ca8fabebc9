"""Layers of a program that take TensorFlow's sparse and ragged tensors get these in graphs too, as in Keras 3."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K
from polykeras import backends

tf = pytest.importorskip("tensorflow")


@pytest.fixture(autouse=True)
def on_tensorflow():
    with backends.use("tensorflow"):
        yield


class Propagate(keras.layers.Layer):
    """Multiplies a sparse matrix with features."""

    def call(self, inputs):
        features, graph = inputs
        assert K.is_sparse(graph) and not K.is_sparse(features)
        return tf.sparse.sparse_dense_matmul(graph, features)


class Squared(keras.layers.Layer):
    """Squares the entries of a sparse matrix, which stays one."""

    def call(self, graph):
        return tf.sparse.map_values(tf.square, graph)


class RowSums(keras.layers.Layer):
    """Sums the rows of a ragged tensor."""

    def call(self, rows):
        assert isinstance(rows, tf.RaggedTensor)
        return tf.reduce_sum(rows, axis=1)


def test_a_model_of_sparse_layers_infers_trains_and_predicts():
    graph, features = keras.Input((5,), batch_size=5, sparse=True), keras.Input((3,), batch_size=5)
    squared = Squared()(graph)
    assert squared.sparse and squared.shape == (5, 5)
    spread = Propagate()([features, squared])
    assert spread.shape == (5, 3) and not spread.sparse
    model = keras.Model([features, graph], keras.layers.Dense(1)(spread))
    dense = np.diag(np.arange(1.0, 6.0)).astype("float32")
    dense[0, 3] = -2.0
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    inputs = [tf.constant(x), tf.sparse.from_dense(dense)]
    kernel, bias = model.get_weights()
    wanted = dense**2 @ x @ kernel + bias
    np.testing.assert_allclose(model(inputs), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.predict(inputs, batch_size=5, verbose=0), wanted, rtol=1e-4, atol=1e-5)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    y = np.ones((5, 1), "float32")
    model.fit(inputs, y, batch_size=5, shuffle=False, verbose=0)
    slope = (dense**2 @ x).T @ (2 * (wanted - y) / 5)
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * slope, rtol=1e-3, atol=1e-4)


def test_sizes_that_are_unknown_stay_unknown():
    spread = Propagate()([keras.Input((3,)), keras.Input((None,), sparse=True)])
    assert spread.shape == (None, 3)


def test_a_layer_of_ragged_rows_gets_them():
    rows = keras.Input((None,), ragged=True)
    model = keras.Model(rows, RowSums()(rows))
    np.testing.assert_array_equal(model(tf.ragged.constant([[1.0, 2.0], [3.0]])), [3.0, 3.0])


def test_is_sparse_and_to_dense_know_the_tensors_of_tensorflow():
    sparse = tf.sparse.from_dense([[0.0, 2.0]])
    assert K.is_sparse(sparse) and K.is_sparse(keras.Input((2,), sparse=True))
    assert not K.is_sparse(tf.ragged.constant([[1.0]])) and not K.is_sparse(tf.constant([1.0]))
    np.testing.assert_array_equal(K.to_dense(sparse), [[0.0, 2.0]])
    dense = K.to_dense(keras.Input((2,), sparse=True))
    assert dense.shape == (None, 2) and not dense.sparse
