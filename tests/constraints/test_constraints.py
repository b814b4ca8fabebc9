"""Constraints, against real Keras."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras import constraints
from polykeras.core.variables import Variable

W = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
OPTIONS = [
    ("MaxNorm", {"max_value": 1.5}),
    ("MaxNorm", {"max_value": 2, "axis": (0, 1)}),
    ("NonNeg", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {"min_value": 1.8, "max_value": 2.2, "rate": 0.7}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.0, "axis": -1}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_values_are_those_of_real_keras(name, options, backend, real_keras):
    expected = getattr(real_keras.constraints, name)(**options)(real_keras.ops.convert_to_tensor(W))
    constraint = getattr(constraints, name)(**options)
    for w in (backend.array(W), Variable(W)):
        np.testing.assert_allclose(
            backend.to_numpy(constraint(w)), real_keras.ops.convert_to_numpy(expected), rtol=1e-5, atol=1e-7
        )
    copy = constraints.get(constraints.serialize(constraint))
    assert type(copy) is type(constraint) and copy.get_config() == constraint.get_config()


def test_zero_vectors_stay_zero(backend):
    for constraint in (constraints.MaxNorm(), constraints.UnitNorm(), constraints.MinMaxNorm()):
        assert not np.any(backend.to_numpy(constraint(np.zeros((3, 2), np.float32))))


@pytest.mark.parametrize("name", ["max_norm", "non_neg", "unit_norm", "min_max_norm", "maxnorm", "MaxNorm"])
def test_get_by_name(name):
    assert isinstance(constraints.get(name), constraints.Constraint)


def test_get_keeps_functions_and_suggests_names():
    assert constraints.get(abs) is abs and constraints.get(None) is None
    with pytest.raises(ValueError, match="Did you mean 'max_norm'"):
        constraints.get("max_nrom")
