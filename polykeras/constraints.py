"""Weight constraints: functions applied to weights after each update.

>>> import numpy as np
>>> get("non_neg")(np.array([-1.0, 2.0])).tolist()
[0.0, 2.0]
"""

from __future__ import annotations

from typing import Any, Self

from polykeras import config, ops
from polykeras.capture.stamp import Stamped
from polykeras.serialization import registry

Axes = int | tuple[int, ...] | None


class Constraint(Stamped):
    """Base class of constraints: ``__call__(w)`` projects the weight ``w`` onto the allowed values.

    >>> class Rounded(Constraint):
    ...     def __call__(self, w):
    ...         return ops.round(w)
    >>> Rounded()(ops.convert_to_tensor([1.2])).tolist()
    [1.0]
    """

    def __call__(self, w: Any) -> Any:
        """Return the constrained value of an array or variable, an array of the same shape."""
        return w

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a constraint from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**registry.deserialize(config))


def _norms(w: Any, axis: Axes) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def _rescaled(w: Any, norms: Any, desired: Any) -> Any:
    return ops.multiply(w, ops.divide(desired, ops.add(norms, config.epsilon())))


class MaxNorm(Constraint):
    """Limit the L2 norm of weight vectors: scales longer vectors down.

    Args:
        max_value: float, upper bound of the norm; default 2.
        axis: int or tuple of ints, the axes over which to compute norms, 0 for the incoming weights of each unit of
            a Dense kernel, (0, 1, 2) for each filter of a Conv2D kernel; None for all; default 0.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014),
    https://jmlr.org/papers/v15/srivastava14a.html.

    >>> w = MaxNorm(1.0)(ops.convert_to_tensor([[3.0], [4.0]]))
    >>> round(float(w[0, 0]), 3), round(float(w[1, 0]), 3)
    (0.6, 0.8)
    """

    def __init__(self, max_value: float = 2, axis: Axes = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        return _rescaled(w, norms, ops.minimum(norms, self.max_value))

    def get_config(self) -> dict:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Replace negative weights by 0.

    >>> NonNeg()(ops.convert_to_tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0)


class UnitNorm(Constraint):
    """Scale weight vectors to unit L2 norm.

    Args:
        axis: int, tuple of ints or None, see ``MaxNorm``; default 0.

    >>> w = UnitNorm()(ops.convert_to_tensor([[3.0], [4.0]]))
    >>> round(float(w[0, 0]), 3), round(float(w[1, 0]), 3)
    (0.6, 0.8)
    """

    def __init__(self, axis: Axes = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return ops.divide(w, ops.add(_norms(w, self.axis), config.epsilon()))

    def get_config(self) -> dict:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Keep the L2 norm of weight vectors between two bounds.

    Args:
        min_value: float, lower bound of the norm; default 0.0.
        max_value: float, upper bound of the norm; default 1.0.
        rate: float from 0 to 1, how strictly to enforce the bounds: 1 moves norms to the interval at each update,
            a smaller rate part of the way; default 1.0.
        axis: int, tuple of ints or None, see ``MaxNorm``; default 0.

    >>> round(float(MinMaxNorm(2.0, 4.0, rate=0.5)(ops.convert_to_tensor([1.0]))[0]), 3)
    1.5
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axes = 0) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        inside = ops.clip(norms, self.min_value, self.max_value)
        desired = ops.add(ops.multiply(inside, self.rate), ops.multiply(norms, 1 - self.rate))
        return _rescaled(w, norms, desired)

    def get_config(self) -> dict:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
# Names of Keras 2.
maxnorm, nonneg, unitnorm = MaxNorm, NonNeg, UnitNorm

registry.add_family("constraints", registry.members(globals(), Constraint))


def serialize(constraint: Any) -> Any:
    """Return the JSON-serializable config of a constraint.

    Args:
        constraint: Constraint or function.

    >>> serialize(UnitNorm())["config"]
    {'axis': 0}
    """
    return registry.serialize(constraint)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the constraint that a config describes.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(UnitNorm(1))).axis
    1
    """
    return registry.resolve(config, "constraints", custom_objects)


def get(identifier: Any) -> Any:
    """Return the constraint given by a name, config, class, object or function; None for None.

    Args:
        identifier: str, dict, class, Constraint, function or None.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything that is not a constraint.

    >>> get("max_norm").max_value
    2
    """
    return registry.resolve(identifier, "constraints")
