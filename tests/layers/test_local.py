"""Locally connected layers, against a loop over places; real Keras has none."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import polykeras as keras
from tests.layers.checks import check_layer, random_weights, to_numpy

rng = np.random.default_rng(0)
SEQUENCE = rng.normal(size=(2, 7, 3)).astype("float32")
IMAGE = rng.normal(size=(2, 6, 5, 3)).astype("float32")

CASES = [
    ("LocallyConnected1D", {"kernel_size": 3}, SEQUENCE),
    ("LocallyConnected1D", {"kernel_size": 2, "strides": 2, "implementation": 2, "activation": "tanh"}, SEQUENCE),
    ("LocallyConnected1D", {"kernel_size": 4, "padding": "same", "implementation": 3, "use_bias": False}, SEQUENCE),
    ("LocallyConnected2D", {"kernel_size": (3, 2)}, IMAGE),
    ("LocallyConnected2D", {"kernel_size": 2, "strides": (2, 1), "padding": "same", "implementation": 2}, IMAGE),
    ("LocallyConnected2D", {"kernel_size": 3, "strides": 2, "implementation": 3}, IMAGE),
]


def by_loops(x, window, strides, padding, kernel, bias):
    """(batch, *sizes, channels) by a matrix for each place."""
    sizes = x.shape[1:-1]
    if padding == "same":
        counts = [-(-n // s) for n, s in zip(sizes, strides, strict=True)]
        totals = [max((p - 1) * s + w - n, 0) for p, s, w, n in zip(counts, strides, window, sizes, strict=True)]
        x = np.pad(x, [(0, 0), *((t // 2, t - t // 2) for t in totals), (0, 0)])
    else:
        counts = [(n - w) // s + 1 for n, w, s in zip(sizes, window, strides, strict=True)]
    result = np.zeros((len(x), *counts, kernel.shape[-1]))
    for n, place in enumerate(itertools.product(*map(range, counts))):
        index = tuple(slice(p * s, p * s + w) for p, s, w in zip(place, strides, window, strict=True))
        result[(slice(None), *place)] = x[(slice(None), *index)].reshape(len(x), -1) @ kernel[n]
    return result + bias


@pytest.mark.parametrize(("name", "arguments", "x"), CASES, ids=range(len(CASES)))
def test_each_place_has_filters_of_its_own(backend, name, arguments, x):
    layer = getattr(keras.layers, name)(4, **arguments)
    layer.build(x.shape)
    layer.set_weights(random_weights(layer.weights))
    kernel, *bias = layer.get_weights()
    expected = by_loops(x, layer.kernel_size, layer.strides, layer.padding, kernel, *(bias or [0]))
    expected = np.tanh(expected) if "activation" in arguments else expected
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "arguments", "x"), CASES[1::3], ids=["1D", "2D"])
def test_layers_do_what_every_layer_must(backend, name, arguments, x):
    check_layer(functools.partial(getattr(keras.layers, name), 4, **arguments), x)


@pytest.mark.parametrize(("name", "x"), [("LocallyConnected1D", SEQUENCE), ("LocallyConnected2D", IMAGE)])
def test_all_implementations_agree(name, x):
    layers = [getattr(keras.layers, name)(4, 3, strides=2, implementation=n) for n in (1, 2, 3)]
    results = []
    for layer in layers:
        layer.build(x.shape)
        layer.set_weights(random_weights(layer.weights))
        results.append(to_numpy(layer(x)))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_channels_first_orders_weights_channels_first(backend):
    last = keras.layers.LocallyConnected2D(4, (2, 3))
    first = keras.layers.LocallyConnected2D(4, (2, 3), data_format="channels_first")
    x = np.moveaxis(IMAGE, -1, 1).copy()
    last.build(IMAGE.shape)
    first.build(x.shape)
    last.set_weights(random_weights(last.weights))
    kernel, bias = last.get_weights()
    kernel = kernel.reshape(len(kernel), 6, 3, 4).transpose(0, 2, 1, 3).reshape(kernel.shape)
    first.set_weights([kernel, bias])
    expected = np.moveaxis(to_numpy(last(IMAGE)), -1, 1)
    np.testing.assert_allclose(to_numpy(first(x)), expected, rtol=1e-5, atol=1e-6)


def test_old_argument_names():
    layer = keras.layers.LocallyConnected2D(4, nb_row=2, nb_col=3, subsample=(1, 2), bias=False)
    assert layer.kernel_size == (2, 3) and layer.strides == (1, 2) and not layer.use_bias


@pytest.mark.parametrize("shape", [(None, None, 3), (None, 2, 3)])
def test_unknown_and_too_small_sizes_are_errors(shape):
    with pytest.raises(ValueError, match="Expected .*Received shape"):
        keras.layers.LocallyConnected1D(4, 3).build(shape)
