"""Penalties, against their formulas and real Keras."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras import regularizers
from polykeras.core import functionalization
from polykeras.core.variables import Variable

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
OPTIONS = [
    ("L1", {"l1": 0.3}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.3, "l2": 0.2}),
    ("L1L2", {}),
    ("OrthogonalRegularizer", {"factor": 0.3}),
    ("OrthogonalRegularizer", {"factor": 0.3, "mode": "columns"}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_penalties_are_those_of_real_keras(name, options, backend, real_keras):
    expected = getattr(real_keras.regularizers, name)(**options)(real_keras.ops.convert_to_tensor(X))
    regularizer = getattr(regularizers, name)(**options)
    for x in (backend.array(X), Variable(X)):
        penalty = regularizer(x)
        assert backend.dtype(penalty) == "float32" and backend.shape(penalty) == ()
        np.testing.assert_allclose(backend.to_numpy(penalty), float(expected), rtol=1e-5)


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_configs_build_the_same(name, options):
    regularizer = getattr(regularizers, name)(**options)
    copy = regularizers.deserialize(regularizers.serialize(regularizer))
    assert type(copy) is type(regularizer) and copy.get_config() == regularizer.get_config()


def test_gradients_follow_the_formula(backend):
    w = Variable(X)
    _, (gradient,) = functionalization.value_and_grad(lambda: regularizers.L1L2(0.3, 0.2)(w), [w])()
    np.testing.assert_allclose(backend.to_numpy(gradient), 0.3 * np.sign(X) + 0.4 * X, rtol=1e-5)


def test_names_of_keras_2_are_known():
    assert regularizers.l1(l=0.5).l1 == 0.5
    assert regularizers.l2(l=0.5).l2 == 0.5
    assert regularizers.l1_l2(l1=0.1, l2=0.2).get_config() == {"l1": 0.1, "l2": 0.2}
    for name in ("l1", "l2", "l1_l2", "L1L2", "OrthogonalRegularizer", "orthogonal_regularizer"):
        assert isinstance(regularizers.get(name), regularizers.Regularizer)


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="Did you mean '(l1_l2|L1L2)'"):
        regularizers.get("l1l2_x")
    for bad in (-1.0, float("inf"), "a", True):
        with pytest.raises(ValueError, match="Expected l2 to be a finite number"):
            regularizers.L2(bad)
    with pytest.raises(TypeError, match="Received: .'m'"):
        regularizers.L1(m=1.0)
    with pytest.raises(ValueError, match="Expected a matrix"):
        regularizers.OrthogonalRegularizer()(X[0])
    with pytest.raises(ValueError, match="Expected mode"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
