"""Elementwise functions of two arrays that broadcast together."""

from __future__ import annotations

import math
from typing import Any

from polykeras.backends import current
from polykeras.core import dtypes
from polykeras.ops import _call
from polykeras.ops._call import array, float_array, float_operands, number_operands, op, operands

# ------------------------------------------------------------------ arithmetic


@op
def add(x1: Any, x2: Any) -> Any:
    """Return x1 + x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> add([1, 2], 0.5)
    array([1.5, 2.5], dtype=float32)
    """
    return current().add(*operands(x1, x2))


@op
def subtract(x1: Any, x2: Any) -> Any:
    """Return x1 - x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> subtract([1, 2], [3, 5])
    array([-2, -3], dtype=int32)
    """
    return current().subtract(*number_operands(x1, x2))


@op
def multiply(x1: Any, x2: Any) -> Any:
    """Return x1 * x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> multiply([1, 2], [[3], [4]])
    array([[3, 6],
           [4, 8]], dtype=int32)
    """
    return current().multiply(*operands(x1, x2))


@op
def divide(x1: Any, x2: Any) -> Any:
    """Return x1 / x2 as floats; a division by 0 gives an infinity or NaN.

    Args:
        x1, x2: arrays that broadcast together.

    >>> divide([1, 2], 2)
    array([0.5, 1. ], dtype=float32)
    """
    return current().divide(*float_operands(x1, x2))


true_divide = divide


@op
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """Return x1 / x2 as floats, and 0 where x2 is 0.

    Args:
        x1, x2: arrays that broadcast together.

    >>> divide_no_nan([1.0, 2.0], [0.0, 4.0])
    array([0. , 0.5], dtype=float32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(*float_operands(x1, x2))
    dtype = backend.dtype(x2)
    is_zero = backend.equal(x2, 0.0)
    quotient = backend.divide(x1, backend.where(is_zero, backend.full((), 1.0, dtype), x2))
    return backend.where(is_zero, backend.full((), 0.0, dtype), quotient)


@op
def floor_divide(x1: Any, x2: Any) -> Any:
    """Return x1 / x2, rounded down.

    Args:
        x1, x2: arrays that broadcast together.

    >>> floor_divide([7, -7], 2)
    array([ 3, -4], dtype=int32)
    """
    return current().floor_divide(*number_operands(x1, x2))


@op
def mod(x1: Any, x2: Any) -> Any:
    """Return the remainder of ``floor_divide``, which has the sign of x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> mod([7, -7], 3)
    array([1, 2], dtype=int32)
    """
    return current().mod(*number_operands(x1, x2))


@op
def fmod(x1: Any, x2: Any) -> Any:
    """Return the remainder that has the sign of x1.

    Args:
        x1, x2: arrays that broadcast together.

    >>> fmod([7, -7], 3)
    array([ 1, -1], dtype=int32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(*number_operands(x1, x2))
    rest = backend.mod(backend.absolute(x1), backend.absolute(x2))
    return backend.where(backend.less(x1, 0), backend.negative(rest), rest)


@op
def power(x1: Any, x2: Any) -> Any:
    """Return x1 to the power x2.

    Args:
        x1: array, of any shape, the base.
        x2: array that broadcasts with ``x1``, the exponent.

    >>> power([2.0, 3.0], 2)
    array([4., 9.], dtype=float32)
    """
    return current().power(*number_operands(x1, x2))


@op
def maximum(x1: Any, x2: Any) -> Any:
    """Return the larger values; NaN propagates.

    Args:
        x1, x2: arrays that broadcast together.

    >>> maximum([1, 5], 3)
    array([3, 5], dtype=int32)
    """
    return current().maximum(*operands(x1, x2))


@op
def minimum(x1: Any, x2: Any) -> Any:
    """Return the smaller values; NaN propagates.

    Args:
        x1, x2: arrays that broadcast together.

    >>> minimum([1, 5], 3)
    array([1, 3], dtype=int32)
    """
    return current().minimum(*operands(x1, x2))


def _without_nan(compare: str, x1: Any, x2: Any) -> Any:
    backend = current()
    x1, x2 = _call.same_dtype(x1, x2)
    best = getattr(backend, compare)(x1, x2)
    if backend.dtype(x1) not in dtypes.FLOATS:
        return best
    return backend.where(backend.isnan(x1), x2, backend.where(backend.isnan(x2), x1, best))


@op
def fmax(x1: Any, x2: Any) -> Any:
    """Return the larger values; NaN is ignored.

    Args:
        x1, x2: arrays that broadcast together.

    >>> fmax([1.0, float("nan")], 0.5)
    array([1. , 0.5], dtype=float32)
    """
    return _without_nan("maximum", x1, x2)


@op
def fmin(x1: Any, x2: Any) -> Any:
    """Return the smaller values; NaN is ignored.

    Args:
        x1, x2: arrays that broadcast together.

    >>> fmin([1.0, float("nan")], 0.5)
    array([0.5, 0.5], dtype=float32)
    """
    return _without_nan("minimum", x1, x2)


@op
def arctan2(x1: Any, x2: Any) -> Any:
    """Return the angle in radians of the point (x2, x1).

    Args:
        x1, x2: arrays that broadcast together.

    >>> arctan2([0.0, 1.0], [1.0, 0.0])
    array([0.       , 1.5707964], dtype=float32)
    """
    return current().arctan2(*float_operands(x1, x2))


@op
def hypot(x1: Any, x2: Any) -> Any:
    """Return sqrt(x1**2 + x2**2) without overflow.

    Args:
        x1, x2: arrays that broadcast together.

    >>> hypot([3.0, 0.0], 4.0)
    array([5., 4.], dtype=float32)
    """
    backend = current()
    x1, x2 = (backend.absolute(x) for x in _call.same_dtype(*float_operands(x1, x2)))
    large, small = backend.maximum(x1, x2), backend.minimum(x1, x2)
    ratio = divide_no_nan(small, large)
    return backend.multiply(large, backend.sqrt(backend.add(backend.square(ratio), 1.0)))


@op
def logaddexp(x1: Any, x2: Any) -> Any:
    """Return log(exp(x1) + exp(x2)) without overflow.

    Args:
        x1, x2: arrays that broadcast together.

    >>> logaddexp([1000.0], -1000.0)
    array([1000.], dtype=float32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(*float_operands(x1, x2))
    # Equal infinities would give inf - inf = NaN.
    is_same = backend.equal(x1, x2)
    gap = backend.where(is_same, backend.full((), 0.0, backend.dtype(x1)), backend.subtract(x1, x2))
    rest = backend.log1p(backend.exp(backend.negative(backend.absolute(gap))))
    return backend.add(backend.maximum(x1, x2), rest)


@op
def logaddexp2(x1: Any, x2: Any) -> Any:
    """Return log2(2**x1 + 2**x2) without overflow.

    Args:
        x1, x2: arrays that broadcast together.

    >>> logaddexp2([3.0], 3.0)
    array([4.], dtype=float32)
    """
    backend = current()
    x1, x2 = (backend.multiply(x, math.log(2)) for x in _call.same_dtype(*float_operands(x1, x2)))
    return backend.multiply(logaddexp(x1, x2), 1 / math.log(2))


@op
def ldexp(x1: Any, x2: Any) -> Any:
    """Return x1 * 2**x2.

    Args:
        x1: array of floats, of any shape.
        x2: array of integers that broadcasts with ``x1``, the exponents.

    >>> ldexp([1.0, 3.0], [2, 3])
    array([ 4., 24.], dtype=float32)
    """
    backend = current()
    x1 = float_array(x1)
    return backend.multiply(x1, backend.power(2.0, array(x2, backend.dtype(x1))))


@op
def heaviside(x1: Any, x2: Any) -> Any:
    """Return 0 where x1 is negative, 1 where it is positive, and x2 where it is 0.

    Args:
        x1: array of any shape.
        x2: array that broadcasts with ``x1``, the value at 0.

    >>> heaviside([-1.0, 0.0, 2.0], 0.5)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(*float_operands(x1, x2))
    step = backend.cast(backend.greater(x1, 0.0), backend.dtype(x1))
    return backend.where(backend.equal(x1, 0.0), x2, backend.where(backend.isnan(x1), x1, step))


@op
def nextafter(x1: Any, x2: Any) -> Any:
    """Return the next representable float after x1 in the direction of x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> nextafter([1.0], 2.0) > 1.0
    array([ True])
    """
    backend = current()
    x1, x2 = _call.same_dtype(*float_operands(x1, x2))
    dtype = backend.dtype(x1)
    integer = f"int{8 * dtypes.numpy_dtype(dtype).itemsize}"
    # The bits of floats of one sign, read as integers, are in order of magnitude.
    is_outwards = backend.equal(backend.greater(x2, x1), backend.greater(x1, 0.0))
    step = backend.subtract(backend.multiply(backend.cast(is_outwards, integer), 2), 1)
    moved = backend.bitcast(backend.add(backend.bitcast(x1, integer), step), dtype)
    smallest = backend.bitcast(backend.full((), 1, integer), dtype)
    from_zero = backend.where(backend.greater(x2, 0.0), smallest, backend.negative(smallest))
    moved = backend.where(backend.equal(x1, 0.0), from_zero, moved)
    has_nan = backend.logical_or(backend.isnan(x1), backend.isnan(x2))
    stays = backend.logical_or(backend.equal(x1, x2), has_nan)
    return backend.where(stays, backend.where(has_nan, backend.add(x1, x2), x2), moved)


def _integers(x1: Any, x2: Any) -> tuple:
    backend = current()
    x1, x2 = _call.same_dtype(*number_operands(x1, x2))
    if backend.dtype(x1) not in dtypes.INTEGERS:
        raise TypeError(f"Expected integers. Received dtype: {backend.dtype(x1)}.")
    return backend.absolute(x1), backend.absolute(x2)


@op
def gcd(x1: Any, x2: Any) -> Any:
    """Return the greatest common divisor of integers, by Euclid's algorithm.

    Args:
        x1, x2: arrays of integers that broadcast together.

    >>> gcd([12, 7], 8)
    array([4, 1], dtype=int32)
    """
    backend = current()
    x1, x2 = _integers(x1, x2)
    x1, x2 = backend.add(x1, backend.multiply(x2, 0)), backend.add(x2, backend.multiply(x1, 0))

    def is_open(a: Any, b: Any) -> Any:
        return backend.any(backend.not_equal(b, 0))

    def step(a: Any, b: Any) -> tuple:
        is_done = backend.equal(b, 0)
        divisor = backend.where(is_done, backend.full((), 1, backend.dtype(b)), b)
        rest = backend.where(is_done, b, backend.mod(a, divisor))
        return backend.where(is_done, a, b), rest

    return backend.while_loop(is_open, step, (x1, x2))[0]


@op
def lcm(x1: Any, x2: Any) -> Any:
    """Return the least common multiple of integers.

    Args:
        x1, x2: arrays of integers that broadcast together.

    >>> lcm([4, 0], 6)
    array([12,  0], dtype=int32)
    """
    backend = current()
    x1, x2 = _integers(x1, x2)
    divisor = backend.maximum(gcd(x1, x2), 1)
    return backend.multiply(backend.floor_divide(x1, divisor), x2)


# ------------------------------------------------------------------ comparison


@op
def equal(x1: Any, x2: Any) -> Any:
    """Return x1 == x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> equal([1, 2], 2)
    array([False,  True])
    """
    return current().equal(*operands(x1, x2))


@op
def not_equal(x1: Any, x2: Any) -> Any:
    """Return x1 != x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> not_equal([1, 2], 2)
    array([ True, False])
    """
    return current().not_equal(*operands(x1, x2))


@op
def less(x1: Any, x2: Any) -> Any:
    """Return x1 < x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> less([1, 2], 2)
    array([ True, False])
    """
    return current().less(*operands(x1, x2))


@op
def less_equal(x1: Any, x2: Any) -> Any:
    """Return x1 <= x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> less_equal([1, 2], 1)
    array([ True, False])
    """
    return current().less_equal(*operands(x1, x2))


@op
def greater(x1: Any, x2: Any) -> Any:
    """Return x1 > x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> greater([1, 2], 1)
    array([False,  True])
    """
    return current().greater(*operands(x1, x2))


@op
def greater_equal(x1: Any, x2: Any) -> Any:
    """Return x1 >= x2.

    Args:
        x1, x2: arrays that broadcast together.

    >>> greater_equal([1, 2], 2)
    array([False,  True])
    """
    return current().greater_equal(*operands(x1, x2))


@op
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Return whether ``|x1 - x2| <= atol + rtol * |x2|``, or both are equal (infinities too).

    Args:
        x1, x2: arrays that broadcast together.
        rtol: float, the tolerance relative to ``|x2|``; default 1e-05.
        atol: float, the absolute tolerance; default 1e-08.
        equal_nan: bool, whether NaN equals NaN; default False.

    >>> isclose([1.0, 2.0], [1.0, 2.1])
    array([ True, False])
    """
    backend = current()
    x1, x2 = _call.same_dtype(*float_operands(x1, x2))
    gap = backend.absolute(backend.subtract(x1, x2))
    bound = backend.add(backend.multiply(backend.absolute(x2), float(rtol)), float(atol))
    is_near = backend.logical_and(backend.less_equal(gap, bound), backend.isfinite(x2))
    is_near = backend.logical_or(is_near, backend.equal(x1, x2))
    both_nan = backend.logical_and(backend.isnan(x1), backend.isnan(x2))
    return backend.logical_or(is_near, both_nan) if equal_nan else is_near


@op
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Return whether ``isclose`` holds everywhere.

    Args:
        x1, x2: arrays that broadcast together.
        rtol: float, the tolerance relative to ``|x2|``; default 1e-05.
        atol: float, the absolute tolerance; default 1e-08.
        equal_nan: bool, whether NaN equals NaN; default False.

    >>> allclose([1.0, 2.0], [1.0, 2.1])
    np.False_
    """
    return current().all(isclose(x1, x2, rtol, atol, equal_nan))


# ----------------------------------------------------------------- logic, bits


@op
def logical_and(x1: Any, x2: Any) -> Any:
    """Return whether both are True (or not 0).

    Args:
        x1, x2: arrays that broadcast together.

    >>> logical_and([True, True], [True, False])
    array([ True, False])
    """
    return current().logical_and(array(x1, "bool"), array(x2, "bool"))


@op
def logical_or(x1: Any, x2: Any) -> Any:
    """Return whether one is True (or not 0).

    Args:
        x1, x2: arrays that broadcast together.

    >>> logical_or([True, False], [False, False])
    array([ True, False])
    """
    return current().logical_or(array(x1, "bool"), array(x2, "bool"))


@op
def logical_xor(x1: Any, x2: Any) -> Any:
    """Return whether exactly one is True (or not 0).

    Args:
        x1, x2: arrays that broadcast together.

    >>> logical_xor([True, True], [True, False])
    array([False,  True])
    """
    return current().not_equal(array(x1, "bool"), array(x2, "bool"))


@op
def bitwise_and(x: Any, y: Any) -> Any:
    """Return the bits set in both.

    Args:
        x, y: arrays of integers or bools that broadcast together.

    >>> bitwise_and([6, 5], 3)
    array([2, 1], dtype=int32)
    """
    return current().bitwise_and(*operands(x, y))


@op
def bitwise_or(x: Any, y: Any) -> Any:
    """Return the bits set in either.

    Args:
        x, y: arrays of integers or bools that broadcast together.

    >>> bitwise_or([6, 5], 3)
    array([7, 7], dtype=int32)
    """
    return current().bitwise_or(*operands(x, y))


@op
def bitwise_xor(x: Any, y: Any) -> Any:
    """Return the bits set in exactly one of the two.

    Args:
        x, y: arrays of integers or bools that broadcast together.

    >>> bitwise_xor([6, 5], 3)
    array([5, 6], dtype=int32)
    """
    return current().bitwise_xor(*operands(x, y))


@op
def left_shift(x: Any, y: Any) -> Any:
    """Shift the bits of integers to the left.

    Args:
        x: array of integers, of any shape.
        y: array of integers that broadcasts with ``x``: by how many bits.

    >>> left_shift([1, 3], 2)
    array([ 4, 12], dtype=int32)
    """
    return current().left_shift(*number_operands(x, y))


bitwise_left_shift = left_shift


@op
def right_shift(x: Any, y: Any) -> Any:
    """Shift the bits of integers to the right.

    Args:
        x: array of integers, of any shape.
        y: array of integers that broadcasts with ``x``: by how many bits.

    >>> right_shift([8, -8], 2)
    array([ 2, -2], dtype=int32)
    """
    return current().right_shift(*number_operands(x, y))


bitwise_right_shift = right_shift
