"""Dot products of two inputs over axes of any arrays, against NumPy's summation."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

CASES = [
    ((3,), (3,), 1, "bi,bi->b"),
    ((4, 3), (3,), (2, 1), "bij,bj->bi"),
    ((3,), (3, 4), 1, "bi,bij->bj"),
    ((4, 3), (4, 6), 1, "bij,bik->bjk"),
    ((2, 4, 3), (6, 3, 7), (3, 2), "bijk,blkm->bijlm"),
    ((3, 4, 2, 3), (3, 4, 5, 3), -1, "bcdez,bfghz->bcdefgh"),
]


@pytest.mark.parametrize("known", [True, False], ids=["known batch", "any batch"])
@pytest.mark.parametrize(("first", "second", "axes", "equation"), CASES, ids=[case[3] for case in CASES])
def test_products_are_summed_over_one_axis_of_each(first, second, axes, equation, known, backend):
    x, y = (np.random.default_rng(0).normal(size=(5, *shape)).astype("float32") for shape in (first, second))
    expected = np.einsum(equation, x, y).reshape(5, *(np.einsum(equation, x, y).shape[1:] or (1,)))
    batch = 5 if known else None
    inputs = [layers.Input(batch_shape=(batch, *shape)) for shape in (first, second)]
    outputs = layers.Dot(axes)(inputs)
    assert outputs.shape == (batch, *expected.shape[1:])
    np.testing.assert_allclose(keras.Model(inputs, outputs).predict([x, y], verbose=0), expected, rtol=1e-4, atol=1e-5)


def test_axes_may_have_unknown_sizes(backend):
    inputs = [layers.Input((None, 4, 3)), layers.Input((None, 3))]
    outputs = layers.Dot((3, 2))(inputs)
    assert outputs.shape == (None, None, 4, None)
    x, y = np.ones((2, 5, 4, 3), "float32"), np.ones((2, 7, 3), "float32")
    predicted = keras.Model(inputs, outputs).predict([x, y], verbose=0)
    np.testing.assert_array_equal(predicted, np.full((2, 5, 4, 7), 3.0))
