"""Tools for targets take arrays of an engine, and give them back."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras


def test_one_hot_rows_of_an_engines_array_are_one(backend):
    x = backend.array(np.array([0, 2, 1]))
    rows = keras.utils.to_categorical(x, 3)
    assert backend.is_array(rows)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(rows), np.eye(3)[[0, 2, 1]])
    assert isinstance(keras.utils.to_categorical([0, 2, 1]), np.ndarray)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_vectors_of_an_engines_array_are_scaled_to_length_one(order, backend):
    x = np.random.default_rng(0).uniform(size=(3, 4)).astype("float32")
    expected = x / np.linalg.norm(x, order, axis=-1, keepdims=True)
    scaled = keras.utils.normalize(backend.array(x), axis=-1, order=order)
    assert backend.is_array(scaled)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(scaled), expected, rtol=1e-5)
    np.testing.assert_allclose(keras.utils.normalize(x, order=order), expected, rtol=1e-5)
