"""Pooling over windows, over everything, and to a given size."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from polykeras.core import masks
from tests.layers.checks import check_layer, compare_with_keras, to_numpy

rng = np.random.default_rng(0)
SEQUENCE = rng.normal(size=(2, 7, 4)).astype("float32")
IMAGE = rng.normal(size=(2, 7, 5, 4)).astype("float32")
VOLUME = rng.normal(size=(2, 5, 3, 7, 2)).astype("float32")
INPUTS = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
FIRST = {"data_format": "channels_first"}
MASK = np.array([[1, 1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 1, 1]], bool)


def cases():
    """(name, arguments, input, call) of every kind, rank and option."""
    for rank, x in INPUTS.items():
        first = np.moveaxis(x, -1, 1).copy()
        for kind in ("Max", "Average"):
            windows = f"{kind}Pooling{rank}D"
            yield windows, {"pool_size": 2}, x, {}
            yield windows, {"pool_size": 3, "strides": 2, "padding": "same"}, x, {}
            yield windows, {"pool_size": (3, 2, 1)[:rank], "strides": (1, 2, 3)[:rank], **FIRST}, first, {}
            yield f"Global{kind}Pooling{rank}D", {}, x, {}
            yield f"Global{kind}Pooling{rank}D", {"keepdims": True, **FIRST}, first, {}
            yield f"Adaptive{kind}Pooling{rank}D", {"output_size": 3}, x, {}
            yield f"Adaptive{kind}Pooling{rank}D", {"output_size": (4, 2, 5)[:rank], **FIRST}, first, {}
    yield "GlobalAveragePooling1D", {"keepdims": True, **FIRST}, np.moveaxis(SEQUENCE, -1, 1).copy(), {"mask": MASK}
    yield "GlobalAveragePooling1D", {}, SEQUENCE, {"mask": MASK}


CASES = list(cases())
IDS = [f"{name}-{n}" for n, (name, *_) in enumerate(CASES)]
ONE_OF_EACH = list({case[0]: case for case in CASES}.values())


@pytest.mark.parametrize(("name", "arguments", "x", "call"), CASES, ids=IDS)
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments, x, call):
    compare_with_keras(real_keras, name, arguments, (x,), call)


@pytest.mark.parametrize(("name", "arguments", "x", "call"), ONE_OF_EACH, ids=[case[0] for case in ONE_OF_EACH])
def test_layers_do_what_every_layer_must(backend, name, arguments, x, call):
    check_layer(functools.partial(getattr(keras.layers, name), **arguments), x, **call)


@pytest.mark.parametrize("mode", ["max", "average"])
def test_padding_takes_no_part_where_it_is_uneven(backend, mode):
    # Windows of 3 at every 2nd of 6 steps want one step more, at the end: (0-2), (2-4), (4-5).
    x = SEQUENCE[:, :6]
    layer = {"max": keras.layers.MaxPooling1D, "average": keras.layers.AveragePooling1D}[mode](3, 2, "same")
    reduce = {"max": np.max, "average": np.mean}[mode]
    expected = np.stack([reduce(x[:, a:b], axis=1) for a, b in ((0, 3), (2, 5), (4, 6))], 1)
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-5, atol=1e-6)


def test_the_mask_of_the_input_counts_and_ends_there(backend):
    x = keras.layers.Masking()(np.where(MASK[:, :, None], SEQUENCE, 0))
    pooled = keras.layers.GlobalAveragePooling1D()(x)
    expected = [row[keep].mean(0) for row, keep in zip(SEQUENCE, MASK, strict=True)]
    np.testing.assert_allclose(to_numpy(pooled), expected, rtol=1e-5, atol=1e-6)
    assert masks.get_mask(pooled) is None


def test_old_argument_names():
    layer = keras.layers.MaxPooling1D(pool_length=3, stride=2, border_mode="same")
    assert (layer.pool_size, layer.strides, layer.padding) == ((3,), (2,), "same")
    assert keras.layers.GlobalMaxPooling2D(dim_ordering="th").data_format == "channels_first"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.layers.MaxPooling2D(0), "pool_size"),
        (lambda: keras.layers.MaxPooling2D(2, strides=-1), "strides"),
        (lambda: keras.layers.AveragePooling1D(2, padding="causal"), "padding"),
        (lambda: keras.layers.AdaptiveMaxPooling2D((2, 3, 4)), "output_size"),
        (lambda: keras.layers.MaxPooling2D(8)(IMAGE), "windows"),
        (lambda: keras.layers.AveragePooling1D(8).compute_output_shape((None, 7, 2)), "windows"),
        (lambda: keras.layers.GlobalMaxPooling2D()(SEQUENCE), "4 axes"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(make, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}.*Received"):
        make()
