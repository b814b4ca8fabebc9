"""What layers and models do with inputs of uncommon kinds: sparse, ragged, empty, none; with masks, and in loops."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, ops
from polykeras.core import masks
from tests.layers.checks import to_numpy

X = np.array([[0, 2, 0], [1, 0, 0]], "float32")
Y = np.array([[1], [0]], "float32")


def sparse_arrays():
    """Each kind of a sparse array that there is for the backend in use."""
    scipy = pytest.importorskip("scipy.sparse")
    yield from (scipy.csr_matrix(X), scipy.coo_array(X))
    name = backends.current().name
    if name == "tensorflow":
        import tensorflow as tf

        yield tf.sparse.from_dense(X)
    if name == "torch":
        import torch

        yield from (torch.tensor(X).to_sparse(), torch.tensor(X).to_sparse_csr())
    if name == "jax":
        from jax.experimental import sparse

        yield sparse.BCOO.fromdense(X)


def test_sparse_inputs_give_what_dense_ones_give(backend):
    inputs = keras.Input((3,), sparse=True)
    layer = keras.layers.Dense(1)
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", "mse")
    for sparse in sparse_arrays():
        expected = X @ to_numpy(layer.kernel) + to_numpy(layer.bias)
        for result in (layer(sparse), model(sparse), model.predict(sparse, verbose=0)):
            np.testing.assert_allclose(to_numpy(result), expected, rtol=1e-5)
        loss = model.fit(sparse, Y, batch_size=2, verbose=0).history["loss"]
        np.testing.assert_allclose(loss, ((expected - Y) ** 2).mean(), rtol=1e-5)


def test_ragged_inputs_are_refused_with_what_to_do():
    tf = pytest.importorskip("tensorflow")
    ragged = tf.ragged.constant([[1.0, 2.0], [3.0]])
    with backends.use("tensorflow"):
        model = keras.Sequential([keras.Input((None,)), keras.layers.Rescaling(2.0)])
        for call in (keras.layers.Rescaling(2.0), model, lambda x: model.predict(x, verbose=0)):
            with pytest.raises(ValueError, match=r"RaggedTensor .*to_tensor\(\)"):
                call(ragged)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_ragged_indices_take_zeros_where_there_are_none(axis):
    tf = pytest.importorskip("tensorflow")
    x = np.arange(1.0, 61.0, dtype="float32").reshape(3, 4, 5)
    indices, filled = tf.ragged.constant([[2], [0, -1, 1]]), np.array([[2, 0, 0], [0, -1, 1]])
    is_there = np.array([[True, False, False], [True, True, True]])
    after = 0 if axis in (None, -1) else 2 - axis
    expected = np.take(x, filled, axis) * is_there.reshape(2, 3, *(1,) * after)
    with backends.use("tensorflow"):
        np.testing.assert_array_equal(to_numpy(keras.ops.take(x, indices, axis)), expected)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(indices), [[2, 0, 0], [0, -1, 1]])
        assert keras.ops.shape(indices) == (2, None) and keras.ops.ndim(indices) == 2


@pytest.mark.parametrize("name", ["CategoryEncoding", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup"])
def test_layers_with_sparse_results_in_keras_give_the_same_dense_ones(name):
    first = {"CategoryEncoding": 4, "Discretization": [1.0], "Hashing": 3, "HashedCrossing": 3, "IntegerLookup": None}
    arguments = {"vocabulary": [1, 2]} if name == "IntegerLookup" else {}
    x = np.array([[1, 2], [3, 0]]) if name != "HashedCrossing" else [np.array([1, 2]), np.array([0, 1])]
    layer, dense = (
        getattr(keras.layers, name)(first[name], output_mode="one_hot", sparse=sparse, **arguments)
        for sparse in (True, False)
    )
    np.testing.assert_array_equal(layer(x), dense(x))
    assert layer.get_config()["sparse"] is True and dense.get_config()["sparse"] is False
    assert type(layer).from_config(layer.get_config()).sparse


@pytest.mark.parametrize("name", ["RandomRotation", "RandomTranslation", "RandomElasticTransform"])
def test_no_images_become_no_images(backend, name):
    arguments = {"RandomRotation": (0.2,), "RandomTranslation": (0.2, 0.2), "RandomElasticTransform": ()}[name]
    layer = getattr(keras.layers, name)(*arguments)
    assert tuple(layer(np.zeros((0, 5, 4, 1), "float32"), training=True).shape) == (0, 5, 4, 1)


@pytest.mark.parametrize("make", [lambda: keras.layers.Dense(3), lambda: keras.layers.Hashing(3)])
def test_a_call_without_inputs_is_refused(make):
    with pytest.raises(TypeError, match=r"Layer '.*' .*: Expected inputs. Received: a call without"):
        make()()


def test_a_layer_that_returns_its_input_passes_no_mask_unless_it_supports_them(backend):
    x = ops.add(np.ones((2, 3, 4), "float32"), 1.0)
    masks.set_mask(x, ops.convert_to_tensor(np.ones((2, 3), bool)))
    flipped = keras.layers.RandomFlip()(x, training=False)
    assert masks.get_mask(flipped) is None and masks.get_mask(x) is not None
    assert masks.get_mask(keras.layers.Dropout(0.5)(x, training=False)) is not None
    inside = keras.Sequential([keras.layers.Dropout(0.5)])
    assert masks.get_mask(inside(x, training=False)) is not None


def test_a_variable_first_read_inside_of_a_traced_loop_can_be_read_behind_it(backend):
    start = ops.convert_to_tensor(0.0)
    for loop in (
        lambda v: ops.scan(lambda total, x: (total + v.value * x, total), start, ops.arange(3, dtype="float32"))[0],
        lambda v: ops.while_loop(lambda total: total < 6.0, lambda total: (total + v.value,), (start,))[0],
    ):
        for initial in (2.0, lambda shape, dtype: ops.full(shape, 2.0, dtype)):
            variable = keras.Variable(initial, shape=(), dtype="float32")
            assert float(to_numpy(loop(variable))) == 6.0
            assert float(variable.numpy()) == 2.0
