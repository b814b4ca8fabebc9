"""Arithmetic on step counts and learning rates, written once for eager and traced steps.

While a step runs eagerly these are Python numbers, computed in double precision without
calling the engine; while it is traced they are 0-d arrays. Operators and the functions here
work on both.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from polykeras import ops
from polykeras.backends import current
from polykeras.core.variables import Variable

Scalar = Any  # a Python number, or a 0-d array


def concrete(x: Any) -> Scalar:
    """Return a variable or 0-d array as a Python number where its value is known.

    >>> concrete(Variable(3)), concrete(0.5)
    (3, 0.5)
    """
    if isinstance(x, int | float):
        return x
    x = x.array if isinstance(x, Variable) else ops.convert_to_tensor(x)
    return current().concrete(x)


def as_float(x: Any) -> Scalar:
    """Return ``concrete(x)`` as a float.

    >>> as_float(3)
    3.0
    """
    x = concrete(x)
    return float(x) if isinstance(x, int | float) else ops.cast(x, "float32")


def _either(on_numbers: Callable, on_arrays: Callable) -> Callable:
    """Return a function that calls the first on Python numbers, and the second on anything else."""

    def function(*arguments: Scalar) -> Scalar:
        are_numbers = all(isinstance(x, int | float) for x in arguments)
        return (on_numbers if are_numbers else on_arrays)(*arguments)

    return function


floor = _either(math.floor, ops.floor)
ceil = _either(math.ceil, ops.ceil)
cos = _either(math.cos, ops.cos)
log = _either(math.log, ops.log)
minimum = _either(min, ops.minimum)
maximum = _either(max, ops.maximum)
equal = _either(operator.eq, ops.equal)
where = _either(lambda condition, x, y: x if condition else y, ops.where)


def one_minus_power(base: float, exponent: Scalar) -> Scalar:
    """Return ``1 - base**exponent``, without cancellation in single precision.

    >>> round(one_minus_power(0.9, 2), 6)
    0.19
    """
    are_numbers = isinstance(base, int | float)
    if are_numbers and (isinstance(exponent, int | float) or base <= 0):
        return 1 - base**exponent
    return ops.negative(ops.expm1(ops.multiply(exponent, math.log(base) if are_numbers else ops.log(base))))
