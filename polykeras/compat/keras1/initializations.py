"""The initializers of Keras 1: functions of a shape, and of a scale where they have one, that return a variable."""

from __future__ import annotations

from typing import Any

from polykeras import initializers
from polykeras.core.variables import Variable
from polykeras.initializers import VarianceScaling

__all__ = [
    *("get", "uniform", "normal", "orthogonal", "identity", "zero", "one", "lecun_uniform"),
    *("glorot_normal", "glorot_uniform", "he_normal", "he_uniform"),
]


def uniform(shape: tuple, scale: float = 0.05, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return a variable of numbers drawn evenly from -scale to scale.

    Args:
        shape: tuple of ints.
        scale: float; default 0.05.
        name: str, name of the variable; default None.
        dim_ordering: for compatibility; default "tf".

    >>> uniform((2, 3), scale=0.1).shape
    (2, 3)
    """
    return _variable(initializers.RandomUniform(-scale, scale), shape, name)


def normal(shape: tuple, scale: float = 0.05, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return a variable of normal numbers of standard deviation ``scale``; see ``uniform`` for the arguments."""
    return _variable(initializers.RandomNormal(0.0, scale), shape, name)


def orthogonal(shape: tuple, scale: float = 1.1, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return an orthogonal matrix times ``scale``, by default 1.1; see ``uniform`` for the other arguments."""
    return _variable(initializers.Orthogonal(scale), shape, name)


def identity(shape: tuple, scale: float = 1.0, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return the identity matrix times ``scale``, by default 1; see ``uniform`` for the other arguments.

    >>> identity((2, 2), scale=3).numpy().tolist()
    [[3.0, 0.0], [0.0, 3.0]]
    """
    return _variable(initializers.Identity(scale), shape, name)


def zero(shape: tuple, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return a variable of zeros; see ``uniform`` for the arguments."""
    return _variable(initializers.Zeros(), shape, name)


def one(shape: tuple, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return a variable of ones; see ``uniform`` for the arguments."""
    return _variable(initializers.Ones(), shape, name)


def lecun_uniform(shape: tuple, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return uniform numbers of variance 1 / fan-in; see ``uniform`` for the arguments."""
    return _variable(VarianceScaling(1.0, "fan_in", "uniform"), shape, name)


def glorot_uniform(shape: tuple, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return uniform numbers of variance 2 / (fan-in + fan-out); see ``uniform`` for the arguments."""
    return _variable(VarianceScaling(1.0, "fan_avg", "uniform"), shape, name)


def he_uniform(shape: tuple, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return uniform numbers of variance 2 / fan-in; see ``uniform`` for the arguments."""
    return _variable(VarianceScaling(2.0, "fan_in", "uniform"), shape, name)


def glorot_normal(shape: tuple, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return normal numbers of variance 2 / (fan-in + fan-out); see ``uniform`` for the arguments."""
    return _variable(VarianceScaling(1.0, "fan_avg", "untruncated_normal"), shape, name)


def he_normal(shape: tuple, name: str | None = None, dim_ordering: str = "tf") -> Variable:
    """Return normal numbers of variance 2 / fan-in; see ``uniform`` for the arguments."""
    return _variable(VarianceScaling(2.0, "fan_in", "untruncated_normal"), shape, name)


def _variable(initializer: Any, shape: tuple, name: str | None) -> Variable:
    return Variable(initializer(shape), name=name)
