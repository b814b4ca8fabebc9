"""Regularizers: penalties on weights or outputs, added to the loss.

>>> import numpy as np
>>> float(get("l2")(np.array([3.0, 4.0])))
0.25
"""

from __future__ import annotations

import math
from typing import Any, Self

from polykeras import ops
from polykeras.capture.stamp import Stamped
from polykeras.core import naming
from polykeras.core.arguments import with_python_numbers
from polykeras.serialization import registry


class Regularizer(Stamped):
    """Base class of regularizers: ``__call__(x)`` returns the penalty, a scalar.

    >>> class Roughness(Regularizer):
    ...     def __call__(self, x):
    ...         return ops.sum(ops.square(x[1:] - x[:-1]))
    >>> import numpy as np
    >>> float(Roughness()(np.array([1.0, 3.0])))
    4.0
    """

    def __call__(self, x: Any) -> Any:
        """Return the penalty on an array or variable, a scalar."""
        return 0.0

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a regularizer from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)


def _factor(name: str, value: float | None, default: float = 0.0) -> float:
    value = default if value is None else with_python_numbers(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"Expected {name} to be a finite number, at least 0. Received: {value!r}.")
    return float(value)


def _renamed(name: str, value: Any, keras_2: dict[str, float]) -> Any:
    """Return the value of an argument that Keras 2 called ``l``."""
    value = keras_2.pop("l", value)
    if keras_2:
        raise TypeError(f"Expected the argument {name!r}. Received: {naming.listed(sorted(keras_2))}.")
    return value


def _absolute_sum(x: Any) -> Any:
    return ops.sum(ops.abs(x))


def _square_sum(x: Any) -> Any:
    return ops.sum(ops.square(x))


class L1(Regularizer):
    """L1 penalty: ``l1 * sum(|x|)``.

    Args:
        l1: float, factor, at least 0; default 0.01.
        **keras_2: ``l``, Keras 2's name of ``l1``.

    Raises:
        ValueError: for a negative, infinite or non-numeric factor.

    >>> float(L1(0.5)([1.0, -3.0]))
    2.0
    """

    def __init__(self, l1: float = 0.01, **keras_2: float) -> None:
        self.l1 = _factor("l1", _renamed("l1", l1, keras_2), 0.01)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(_absolute_sum(x), self.l1)

    def get_config(self) -> dict:
        return {"l1": self.l1}


class L2(Regularizer):
    """L2 penalty: ``l2 * sum(x**2)``.

    Args:
        l2: float, factor, at least 0; default 0.01.
        **keras_2: ``l``, Keras 2's name of ``l2``.

    Raises:
        ValueError: for a negative, infinite or non-numeric factor.

    >>> float(L2(0.5)([1.0, -3.0]))
    5.0
    """

    def __init__(self, l2: float = 0.01, **keras_2: float) -> None:
        self.l2 = _factor("l2", _renamed("l2", l2, keras_2), 0.01)

    def __call__(self, x: Any) -> Any:
        return ops.multiply(_square_sum(x), self.l2)

    def get_config(self) -> dict:
        return {"l2": self.l2}


class L1L2(Regularizer):
    """L1 and L2 penalty: ``l1 * sum(|x|) + l2 * sum(x**2)``.

    Args:
        l1, l2: floats, factors, at least 0; default 0.0.

    Raises:
        ValueError: for a negative, infinite or non-numeric factor.

    >>> float(L1L2(0.5, 0.25)([1.0, -3.0]))
    4.5
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1, self.l2 = _factor("l1", l1), _factor("l2", l2)

    def __call__(self, x: Any) -> Any:
        return ops.add(ops.multiply(_absolute_sum(x), self.l1), ops.multiply(_square_sum(x), self.l2))

    def get_config(self) -> dict:
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """Penalty on the mean absolute cosine similarity between the rows, or columns, of a matrix.

    Args:
        factor: float, at least 0; default 0.01.
        mode: ``"rows"`` or ``"columns"``, the vectors that should be orthogonal; default ``"rows"``.

    Raises:
        ValueError: for an unknown mode, a negative, infinite or non-numeric factor, or when called with anything
            but a matrix.

    >>> float(OrthogonalRegularizer(1.0)([[1.0, 0.0], [0.0, 5.0]]))
    0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f"Expected mode to be 'rows' or 'columns'. Received: {mode!r}.")
        self.factor, self.mode = _factor("factor", factor), mode

    def __call__(self, x: Any) -> Any:
        x = ops.convert_to_tensor(x)
        shape = tuple(ops.shape(x))
        if len(shape) != 2:
            raise ValueError(f"Expected a matrix, for OrthogonalRegularizer. Received shape: {shape}.")
        rows = x if self.mode == "rows" else ops.transpose(x)
        rows = ops.normalize(rows, axis=1)
        count = shape[0] if self.mode == "rows" else shape[1]
        cosines = ops.abs(ops.matmul(rows, ops.transpose(rows)))
        others = ops.multiply(cosines, ops.subtract(1.0, ops.eye(count, dtype=ops.dtype(x))))
        pairs = count * (count - 1)
        return ops.multiply(ops.sum(others), self.factor / pairs if pairs else 0.0)

    def get_config(self) -> dict:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

registry.add_family("regularizers", registry.members(globals(), Regularizer))


def serialize(regularizer: Any) -> Any:
    """Return the JSON-serializable config of a regularizer.

    Args:
        regularizer: Regularizer or function.

    >>> serialize(L2(0.5))["config"]
    {'l2': 0.5}
    """
    return registry.serialize(regularizer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the regularizer that a config describes.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(L2(0.5))).l2
    0.5
    """
    return registry.resolve(config, "regularizers", custom_objects)


def get(identifier: Any) -> Any:
    """Return the regularizer given by a name, config, class, object or function; None for None.

    Args:
        identifier: str, dict, class, Regularizer, function or None.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything that is not a regularizer.

    >>> get("l1").l1
    0.01
    """
    return registry.resolve(identifier, "regularizers")
