"""Functions applied to weights after each update, to keep them in bounds.

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
    """Base of the constraints: ``__call__(w)`` returns the weight that is allowed instead of ``w``.

    >>> class Rounded(Constraint):
    ...     def __call__(self, w):
    ...         return ops.round(w)
    >>> Rounded()(ops.convert_to_tensor([1.2])).tolist()
    [1.0]
    """

    def __call__(self, w: Any) -> Any:
        """Return the allowed value for an array or variable, of its shape."""
        return w

    def get_config(self) -> dict:
        """Return the arguments, ready for JSON."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Make a constraint from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**registry.deserialize(config))


def _norms(w: Any, axis: Axes) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def _rescaled(w: Any, norms: Any, desired: Any) -> Any:
    return ops.multiply(w, ops.divide(desired, ops.add(norms, config.epsilon())))


class MaxNorm(Constraint):
    """Scale vectors down to a largest length.

    Args:
        max_value: the length; default 2.
        axis: the axes that a vector lies along; 0 are the weights into one unit of a Dense kernel,
            (0, 1, 2) those of a Conv2D kernel.

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
    """Scale vectors to length 1.

    Args:
        axis: as for ``MaxNorm``; default 0.

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
    """Move the lengths of vectors into an interval.

    Args:
        min_value, max_value: the interval; defaults 0.0 and 1.0.
        rate: how far to go at each update, from 0 (stay) to 1 (all the way).
        axis: as for ``MaxNorm``; default 0.

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
    """Return the description of a constraint, ready for JSON.

    Args:
        constraint: a Constraint or function.

    >>> serialize(UnitNorm())["config"]
    {'axis': 0}
    """
    return registry.serialize(constraint)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Build the constraint that ``serialize`` described.

    Args:
        config: name or dict.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(UnitNorm(1))).axis
    1
    """
    return registry.resolve(config, "constraints", custom_objects)


def get(identifier: Any) -> Any:
    """Return the constraint that a name, config, class or function means; None stays None.

    Args:
        identifier: str, dict, class, object or None.

    Raises:
        ValueError: for an unknown name.
        TypeError: for something that is no constraint.

    >>> get("max_norm").max_value
    2
    """
    return registry.resolve(identifier, "constraints")
