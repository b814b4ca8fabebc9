"""Weights on either side of an operator: values and gradients, on every backend."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.core import functionalization
from tests.layers.checks import to_numpy

X = np.array([[1.5, 2.5, 3.5], [0.5, 4.0, 2.0]], "float32")
W = np.array([2.0, 0.5, 1.5], "float32")
# Each with its derivatives by the left and by the right operand.
CASES = {
    "add": (lambda a, b: np.ones_like(a * b), lambda a, b: np.ones_like(a * b)),
    "sub": (lambda a, b: np.ones_like(a * b), lambda a, b: -np.ones_like(a * b)),
    "mul": (lambda a, b: b + 0 * a, lambda a, b: a + 0 * b),
    "truediv": (lambda a, b: 1 / b + 0 * a, lambda a, b: -a / b**2),
    "pow": (lambda a, b: b * a ** (b - 1), lambda a, b: a**b * np.log(a)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_weight_is_no_constant_on_the_left_or_right(backend, name):
    function, weight = getattr(operator, name), keras.Variable(W)
    x = ops.convert_to_tensor(X)
    by_left, by_right = CASES[name]
    for compute, expected, slope in (
        (lambda: function(x * 1.0, weight), function(X, W), by_right(X, W)),
        (lambda: function(weight, x * 1.0), function(W, X), by_left(W, X)),
        # The left side depends on the weight too: it is traced.
        (
            lambda: function(ops.multiply(x, weight), weight),
            function(X * W, W),
            by_left(X * W, W) * X + by_right(X * W, W),
        ),
    ):
        total = functionalization.value_and_grad(lambda compute=compute: ops.sum(compute()), [weight])
        value, (gradient,) = total()
        np.testing.assert_allclose(to_numpy(value), expected.sum(), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(to_numpy(gradient), slope.sum(0), rtol=1e-5, atol=1e-5)


def test_comparisons_and_products_of_matrices_take_weights_too(backend):
    weight, x = keras.Variable(W[:, None]), ops.convert_to_tensor(X)
    np.testing.assert_array_equal(to_numpy(x > keras.Variable(W)), X > W)

    def loss():
        return ops.sum((x * 1.0) @ weight)

    _, (gradient,) = functionalization.value_and_grad(loss, [weight])()
    np.testing.assert_allclose(to_numpy(gradient), X.sum(0)[:, None], rtol=1e-6)
