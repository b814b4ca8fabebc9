"""Activation functions, against real Keras, by value and by gradient."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from polykeras import activations, ops
from polykeras.core import functionalization
from polykeras.core.variables import Variable

NAMES = [
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
]  # fmt: skip
OPTIONS = [(name, {}) for name in NAMES] + [
    ("relu", {"negative_slope": 0.3}),
    ("relu", {"max_value": 1.5}),
    ("relu", {"threshold": 0.7}),
    ("relu", {"negative_slope": 0.3, "max_value": 1.5, "threshold": 0.7}),
    ("relu", {"negative_slope": 0.3, "max_value": 6}),
    ("gelu", {"approximate": True}),
    ("elu", {"alpha": 0.5}),
    ("softmax", {"axis": 0}),
    ("threshold", {"threshold": 0.5, "default_value": -2.0}),
]
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32") * 3


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_values_and_gradients_are_those_of_real_keras(name, options, backend, real_keras):
    import torch

    x = torch.tensor(X, requires_grad=True)
    expected = getattr(real_keras.activations, name)(x, **options)
    weights = np.random.default_rng(1).normal(size=tuple(expected.shape)).astype("float32")
    (expected * torch.tensor(weights)).sum().backward()

    v = Variable(X)

    def loss():
        return ops.sum(ops.multiply(getattr(activations, name)(v.value, **options), weights))

    y = getattr(activations, name)(backend.array(X), **options)
    np.testing.assert_allclose(backend.to_numpy(y), expected.detach().numpy(), rtol=2e-5, atol=2e-6)
    _, (gradient,) = functionalization.value_and_grad(loss, [v])()
    np.testing.assert_allclose(backend.to_numpy(gradient), x.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "slope"), [("elu", 1.0), ("celu", 1.0), ("selu", 1.0507009873554805)])
def test_at_zero_an_exponential_unit_has_the_slope_of_its_line(name, slope, backend):
    v = Variable([0.0])

    def loss():
        return ops.sum(getattr(activations, name)(v.value))

    _, (gradient,) = functionalization.value_and_grad(loss, [v])()
    np.testing.assert_allclose(backend.to_numpy(gradient), [slope], rtol=1e-6)


@pytest.mark.parametrize("name", [*NAMES, "threshold"])
def test_signatures_are_those_of_real_keras(name, real_keras):
    theirs = inspect.signature(getattr(real_keras.activations, name)).parameters
    ours = inspect.signature(getattr(activations, name)).parameters
    ours = [(p.name, p.default) for p in ours.values() if p.kind is not p.KEYWORD_ONLY]
    assert ours == [(p.name, p.default) for p in theirs.values()]


@pytest.mark.parametrize("name", NAMES)
def test_names_lead_to_functions_and_back(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.get(activations.serialize(function)) is function
    assert activations.get({"class_name": "function", "config": name, "registered_name": "function"}) is function


def test_keras_2_calls_the_slope_alpha():
    np.testing.assert_allclose(activations.relu(np.float32([-2.0]), alpha=0.5), [-1.0])


def test_get_keeps_callables_and_suggests_names():
    assert activations.get(None) is activations.linear
    assert activations.get(abs) is abs
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        activations.get("rellu")
    with pytest.raises(TypeError, match="Expected a name"):
        activations.get(3)
    with pytest.warns(UserWarning, match="a lambda, which is written as bytecode"):
        written = activations.serialize(lambda x: x)
    with pytest.raises(ValueError, match="safe_mode"):
        activations.deserialize(written)
