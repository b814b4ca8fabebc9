"""Activations that are layers."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from polykeras.core import masks
from tests.layers.checks import check_layer, compare_with_keras, to_numpy

rng = np.random.default_rng(0)
X = (3 * rng.normal(size=(3, 5, 4))).astype("float32")
MASK = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], bool)[:, None, :]

CASES = [
    ("ReLU", {}, {}),
    ("ReLU", {"max_value": 2.0}, {}),
    ("ReLU", {"negative_slope": 0.3}, {}),
    ("ReLU", {"max_value": 3.0, "negative_slope": 0.3, "threshold": 0.5}, {}),
    ("ReLU", {"threshold": 1.0}, {}),
    ("LeakyReLU", {}, {}),
    ("LeakyReLU", {"negative_slope": 0.1}, {}),
    ("PReLU", {}, {}),
    ("PReLU", {"shared_axes": 1}, {}),
    ("PReLU", {"shared_axes": [1, 2], "alpha_initializer": "ones"}, {}),
    ("ELU", {}, {}),
    ("ELU", {"alpha": 0.4}, {}),
    ("Softmax", {}, {}),
    ("Softmax", {"axis": 1}, {}),
    ("Softmax", {"axis": [1, 2]}, {}),
    ("Softmax", {}, {"mask": MASK}),
    ("Softmax", {"axis": (1, 2)}, {"mask": np.broadcast_to(MASK, X.shape).copy()}),
]
IDS = [f"{name}-{n}" for n, (name, *_) in enumerate(CASES)]


@pytest.mark.parametrize(("name", "arguments", "call"), CASES, ids=IDS)
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments, call):
    compare_with_keras(real_keras, name, arguments, (X,), call)


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Softmax"])
def test_layers_do_what_every_layer_must(backend, name):
    check_layer(getattr(keras.layers, name), X)


def test_thresholded_relu_is_zero_up_to_its_threshold(backend):
    x = np.array([-3.0, 0.5, 0.7, 0.71, 9.0], "float32")
    outputs = to_numpy(keras.layers.ThresholdedReLU(theta=np.float32(0.7).item())(x))
    np.testing.assert_array_equal(outputs, np.array([0, 0, 0, 0.71, 9], "float32"))


def test_softmax_leaves_out_masked_steps(backend):
    x = keras.layers.Masking()(np.where(np.arange(5)[:, None] < 3, X, 0))
    outputs = keras.layers.Softmax(axis=1)(x)
    expected = np.exp(X[:, :3]) / np.exp(X[:, :3]).sum(1, keepdims=True)
    np.testing.assert_allclose(to_numpy(outputs)[:, :3], expected, rtol=1e-5)
    assert not to_numpy(outputs)[:, 3:].any() and masks.get_mask(outputs) is not None


def test_old_argument_names():
    assert keras.layers.LeakyReLU(alpha=0.1).negative_slope == 0.1
    assert keras.layers.ReLU(alpha=0.1).negative_slope == 0.1
    layer = functools.partial(keras.layers.PReLU, weights=[np.full((2, 3), 0.5)])(init="ones")
    assert float(np.asarray(layer(-np.ones((1, 2, 3), "float32")))[0, 0, 0]) == -0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.layers.ReLU(max_value=-1), "max_value"),
        (lambda: keras.layers.ReLU(negative_slope=None), "negative_slope"),
        (lambda: keras.layers.ReLU(threshold=-0.5), "threshold"),
        (lambda: keras.layers.LeakyReLU(-1), "negative_slope"),
        (lambda: keras.layers.ThresholdedReLU(-1), "theta"),
        (lambda: keras.layers.PReLU().build((None, None, 3)), "shared_axes"),
        (lambda: keras.layers.Softmax()(X, mask=np.ones((3, 7), bool)), "mask"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(make, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}.*Received"):
        make()
