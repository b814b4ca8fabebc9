"""Ops on arrays without entries: the results of NumPy, or a message that says what is missing."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

NONE = np.zeros((0, 3), "float32")


def none_of(*shape):
    return np.zeros(shape, "float32")


def values(tree):
    return keras.tree.map_structure(ops.convert_to_numpy, tree)


def test_stacks_of_no_results_have_the_shapes_of_results(backend):
    """``map`` and ``scan`` over no rows, as ``np.stack`` of the results for rows, of which none remain."""

    def step(total, x):
        return total + ops.sum(x), {"x": x * 2, "is_large": ops.sum(x) > total}

    total, ys = values(ops.scan(step, 5.0, NONE))
    assert total == 5.0 and ys["x"].shape == (0, 3)
    assert ys["is_large"].shape == (0,) and ys["is_large"].dtype == bool
    for mapped in (ops.map, ops.vectorized_map):
        assert values(mapped(lambda x: ops.outer(x, x), NONE)).shape == (0, 3, 3)


def test_quantiles_of_nothing_are_nan(backend):
    for result in (ops.median(NONE), ops.quantile(NONE, 0.3), ops.median(NONE, axis=0, keepdims=True)):
        assert np.isnan(values(result)).all()
    assert values(ops.median(NONE, axis=0)).shape == (3,)
    assert values(ops.quantile(NONE, [0.1, 0.2, 0.3, 0.4], axis=1)).shape == (4, 0)


def test_a_histogram_of_nothing_has_empty_bins_from_0_to_1(backend):
    for result, expected in zip(values(ops.histogram(NONE, bins=4)), np.histogram(NONE, bins=4), strict=True):
        np.testing.assert_allclose(result, expected)


def test_the_largest_of_nothing_is_refused(backend):
    for call in (ops.argmax, ops.argmin):
        with pytest.raises(ValueError, match=r"at least one entry.*axis 0.*\(0, 3\)"):
            call(NONE, axis=0)
        with pytest.raises(ValueError, match="at least one entry"):
            call(NONE)
        assert values(call(NONE, axis=1)).shape == (0,)


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ((0, 4), (0, -1), (0, 4)),
        ((0, 4, 2), (0, -1), (0, 8)),
        ((0, 4, 2), (0, -1, 4), (0, 2, 4)),
        ((2, 0, 6), (-1, 0, 3), (4, 0, 3)),
        ((0, 4), (-1, 2), (0, 2)),
    ],
)
def test_an_empty_batch_is_reshaped_like_others(backend, shape, target, expected):
    """``ops.reshape(x, (ops.shape(x)[0], -1))`` flattens each sample, where there is none, too."""
    assert values(ops.reshape(none_of(*shape), target)).shape == expected


@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (2, 0, 0)])
def test_softmax_of_nothing_is_nothing(backend, shape):
    for call in (ops.softmax, ops.log_softmax):
        assert values(call(none_of(*shape))).shape == shape


def test_attention_over_no_entries(backend):
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(2, 3)(inputs, inputs))
    assert model.predict(none_of(2, 0, 4), verbose=0).shape == (2, 0, 4)
