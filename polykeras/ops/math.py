"""Elementwise functions of one array."""

from __future__ import annotations

import math
from typing import Any

from polykeras.backends import current
from polykeras.core import dtypes
from polykeras.ops import _call
from polykeras.ops._call import array, float_array, number_array, op

# ------------------------------------------------------------- sign and size


@op
def absolute(x: Any) -> Any:
    """Return |x|; for complex numbers, the magnitude.

    Args:
        x: array of any shape.

    >>> absolute([-1, 2])
    array([1, 2], dtype=int32)
    """
    backend = current()
    x = array(x)
    if _is_complex(x):
        return backend.sqrt(backend.add(*(backend.square(part(x)) for part in (backend.real, backend.imag))))
    return x if backend.dtype(x) == "bool" else backend.absolute(x)


abs = absolute


@op
def fabs(x: Any) -> Any:
    """Return |x| as floats.

    Args:
        x: array of any shape.

    >>> fabs([-1, 2])
    array([1., 2.], dtype=float32)
    """
    return current().absolute(float_array(x))


@op
def negative(x: Any) -> Any:
    """Return -x.

    Args:
        x: array of any shape.

    >>> negative([1, -2])
    array([-1,  2], dtype=int32)
    """
    return current().negative(number_array(x))


@op
def sign(x: Any) -> Any:
    """Return -1, 0 or 1.

    Args:
        x: array of any shape.

    >>> sign([-3.0, 0.0, 5.0])
    array([-1.,  0.,  1.], dtype=float32)
    """
    return current().sign(number_array(x))


@op
def signbit(x: Any) -> Any:
    """Return whether the sign bit is set: True below 0 and for -0.0.

    Args:
        x: array of any shape.

    >>> signbit([-1.0, -0.0, 0.0])
    array([ True,  True, False])
    """
    backend = current()
    x = array(x)
    dtype = backend.dtype(x)
    if dtype in dtypes.FLOATS:
        x = backend.bitcast(x, _integer_of(dtype))
    elif dtype == "bool":
        return backend.logical_and(x, backend.logical_not(x))
    return backend.less(x, 0)


def _integer_of(dtype: str) -> str:
    """Return the signed integer dtype of the same width as a float dtype."""
    return f"int{8 * dtypes.numpy_dtype(dtype).itemsize}"


@op
def square(x: Any) -> Any:
    """Return x * x.

    Args:
        x: array of any shape.

    >>> square([1, -2])
    array([1, 4], dtype=int32)
    """
    return current().square(number_array(x))


@op
def reciprocal(x: Any) -> Any:
    """Return 1 / x.

    Args:
        x: array of any shape.

    >>> reciprocal([2.0, 4.0])
    array([0.5 , 0.25], dtype=float32)
    """
    return current().divide(1.0, float_array(x))


@op
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """Return x clipped to a range.

    Args:
        x: array of any shape.
        x_min, x_max: numbers, or arrays that broadcast; None for no limit.

    >>> clip([-1.0, 0.5, 3.0], 0, 1)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    backend = current()
    x = number_array(x)
    if x_min is not None:
        x = backend.maximum(*_call.operands(x, x_min))
    return x if x_max is None else backend.minimum(*_call.operands(x, x_max))


@op
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Return x with NaN and infinities replaced.

    Args:
        x: array of any shape.
        nan: float, the replacement for NaN; default 0.0.
        posinf, neginf: replacements for infinities; default the largest and smallest finite values of the dtype.

    >>> nan_to_num([1.0, float("nan"), float("inf")], posinf=9.0)
    array([1., 0., 9.], dtype=float32)
    """
    backend = current()
    x = array(x)
    dtype = backend.dtype(x)
    if dtype not in dtypes.FLOATS:
        return x
    limits = dtypes.ml_dtypes.finfo(dtypes.numpy_dtype(dtype))

    def scalar(v: Any) -> Any:
        return backend.full((), float(v), dtype)

    result = backend.where(backend.isnan(x), scalar(nan), x)
    top, bottom = limits.max if posinf is None else posinf, limits.min if neginf is None else neginf
    result = backend.where(backend.equal(x, math.inf), scalar(top), result)
    return backend.where(backend.equal(x, -math.inf), scalar(bottom), result)


# ------------------------------------------------------- powers and logarithms


@op
def exp(x: Any) -> Any:
    """Return e**x.

    Args:
        x: array of any shape.

    >>> exp([0.0])
    array([1.], dtype=float32)
    """
    return current().exp(float_array(x))


@op
def exp2(x: Any) -> Any:
    """Return 2**x.

    Args:
        x: array of any shape.

    >>> exp2([0.0, 3.0])
    array([1., 8.], dtype=float32)
    """
    return current().power(2.0, float_array(x))


@op
def expm1(x: Any) -> Any:
    """Return e**x - 1, accurate near 0.

    Args:
        x: array of any shape.

    >>> expm1([0.0, 1e-10])
    array([0.e+00, 1.e-10], dtype=float32)
    """
    return current().expm1(float_array(x))


@op
def log(x: Any) -> Any:
    """Return the natural logarithm.

    Args:
        x: array of any shape.

    >>> log([1.0, math.e])
    array([0., 1.], dtype=float32)
    """
    return current().log(float_array(x))


@op
def log2(x: Any) -> Any:
    """Return the logarithm to base 2.

    Args:
        x: array of any shape.

    >>> log2([1.0, 8.0])
    array([0., 3.], dtype=float32)
    """
    backend = current()
    return backend.multiply(backend.log(float_array(x)), 1 / math.log(2))


@op
def log10(x: Any) -> Any:
    """Return the logarithm to base 10.

    Args:
        x: array of any shape.

    >>> log10([1.0, 100.0])
    array([0., 2.], dtype=float32)
    """
    backend = current()
    return backend.multiply(backend.log(float_array(x)), 1 / math.log(10))


@op
def log1p(x: Any) -> Any:
    """Return log(1 + x), accurate near 0.

    Args:
        x: array of any shape.

    >>> log1p([0.0, 1e-10])
    array([0.e+00, 1.e-10], dtype=float32)
    """
    return current().log1p(float_array(x))


@op
def sqrt(x: Any) -> Any:
    """Return the square root.

    Args:
        x: array of any shape.

    >>> sqrt([4.0, 9.0])
    array([2., 3.], dtype=float32)
    """
    return current().sqrt(float_array(x))


@op
def rsqrt(x: Any) -> Any:
    """Return 1 / sqrt(x).

    Args:
        x: array of any shape.

    >>> rsqrt([4.0, 16.0])
    array([0.5 , 0.25], dtype=float32)
    """
    return current().rsqrt(float_array(x))


@op
def cbrt(x: Any) -> Any:
    """Return the cube root, negative below 0.

    Args:
        x: array of any shape.

    >>> cbrt([1.0, -1.0])
    array([ 1., -1.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    return backend.multiply(backend.sign(x), backend.power(backend.absolute(x), 1 / 3))


# ----------------------------------------------------- angles, trigonometry


@op
def deg2rad(x: Any) -> Any:
    """Return degrees as radians.

    Args:
        x: array of any shape.

    >>> deg2rad([180.0])
    array([3.1415927], dtype=float32)
    """
    return current().multiply(float_array(x), math.pi / 180)


@op
def rad2deg(x: Any) -> Any:
    """Return radians as degrees.

    Args:
        x: array of any shape.

    >>> rad2deg([math.pi])
    array([180.], dtype=float32)
    """
    return current().multiply(float_array(x), 180 / math.pi)


@op
def sin(x: Any) -> Any:
    """Return the sine of radians.

    Args:
        x: array of any shape.

    >>> sin([0.0, math.pi / 2])
    array([0., 1.], dtype=float32)
    """
    return current().sin(float_array(x))


@op
def cos(x: Any) -> Any:
    """Return the cosine of radians.

    Args:
        x: array of any shape.

    >>> cos([0.0, math.pi])
    array([ 1., -1.], dtype=float32)
    """
    return current().cos(float_array(x))


@op
def tan(x: Any) -> Any:
    """Return the tangent of radians.

    Args:
        x: array of any shape.

    >>> tan([0.0])
    array([0.], dtype=float32)
    """
    return current().tan(float_array(x))


@op
def arcsin(x: Any) -> Any:
    """Return the inverse sine, from -pi/2 to pi/2.

    Args:
        x: array of any shape.

    >>> arcsin([0.0, 1.0])
    array([0.       , 1.5707964], dtype=float32)
    """
    return current().arcsin(float_array(x))


@op
def arccos(x: Any) -> Any:
    """Return the inverse cosine, from 0 to pi.

    Args:
        x: array of any shape.

    >>> arccos([1.0, 0.0])
    array([0.       , 1.5707964], dtype=float32)
    """
    return current().arccos(float_array(x))


@op
def arctan(x: Any) -> Any:
    """Return the inverse tangent, from -pi/2 to pi/2.

    Args:
        x: array of any shape.

    >>> arctan([0.0])
    array([0.], dtype=float32)
    """
    return current().arctan(float_array(x))


@op
def sinh(x: Any) -> Any:
    """Return the hyperbolic sine.

    Args:
        x: array of any shape.

    >>> sinh([0.0])
    array([0.], dtype=float32)
    """
    return current().sinh(float_array(x))


@op
def cosh(x: Any) -> Any:
    """Return the hyperbolic cosine.

    Args:
        x: array of any shape.

    >>> cosh([0.0])
    array([1.], dtype=float32)
    """
    return current().cosh(float_array(x))


@op
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent.

    Args:
        x: array of any shape.

    >>> tanh([0.0, 100.0])
    array([0., 1.], dtype=float32)
    """
    return current().tanh(float_array(x))


@op
def arcsinh(x: Any) -> Any:
    """Return the inverse hyperbolic sine.

    Args:
        x: array of any shape.

    >>> arcsinh([0.0])
    array([0.], dtype=float32)
    """
    return current().arcsinh(float_array(x))


@op
def arccosh(x: Any) -> Any:
    """Return the inverse hyperbolic cosine.

    Args:
        x: array of any shape.

    >>> arccosh([1.0])
    array([0.], dtype=float32)
    """
    return current().arccosh(float_array(x))


@op
def arctanh(x: Any) -> Any:
    """Return the inverse hyperbolic tangent.

    Args:
        x: array of any shape.

    >>> arctanh([0.0])
    array([0.], dtype=float32)
    """
    return current().arctanh(float_array(x))


@op
def sinc(x: Any) -> Any:
    """Return sin(pi x) / (pi x), 1 at 0.

    Args:
        x: array of any shape.

    >>> sinc([0.0])
    array([1.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    is_zero, one = backend.equal(x, 0.0), backend.full((), 1.0, backend.dtype(x))
    angle = backend.multiply(backend.where(is_zero, one, x), math.pi)
    return backend.where(is_zero, one, backend.divide(backend.sin(angle), angle))


# ----------------------------------------------------------- special functions


@op
def erf(x: Any) -> Any:
    """Return the error function.

    Args:
        x: array of any shape.

    >>> erf([0.0, 10.0])
    array([0., 1.], dtype=float32)
    """
    return current().erf(float_array(x))


# Coefficients from Numerical Recipes (2nd ed., 6.2), lowest power of t first.
_ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806,
    0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
)  # fmt: skip


@op
def erfc(x: Any) -> Any:
    """Return 1 - erf(x), with a small relative error (1e-7) even for large x.

    The tail is a Chebyshev fit from Press et al., "Numerical Recipes" (2nd ed., 6.2).

    Args:
        x: array of any shape.

    >>> erfc([0.0, -10.0])
    array([1., 2.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    size = backend.absolute(x)
    t = backend.divide(1.0, backend.add(backend.multiply(size, 0.5), 1.0))
    exponent = backend.subtract(_polynomial(t, _ERFC), backend.square(size))
    tail = backend.multiply(t, backend.exp(exponent))
    tail = backend.where(backend.less(x, 0.0), backend.subtract(2.0, tail), tail)
    return backend.where(backend.less(size, 0.5), backend.subtract(1.0, backend.erf(x)), tail)


@op
def erfinv(x: Any) -> Any:
    """Return the inverse of the error function.

    Args:
        x: array of any shape.

    >>> erfinv([0.0])
    array([0.], dtype=float32)
    """
    return current().erfinv(float_array(x))


# Coefficients from Abramowitz and Stegun, 9.8.1 and 9.8.2, lowest power first.
_I0_NEAR = (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813)
_I0_FAR = (
    0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281,
    -0.02057706, 0.02635537, -0.01647633, 0.00392377,
)  # fmt: skip


@op
def i0(x: Any) -> Any:
    """Return the modified Bessel function of the first kind of order 0 (relative error 2e-7).

    Uses the polynomials of Abramowitz and Stegun, "Handbook of Mathematical Functions", 9.8.

    Args:
        x: array of any shape.

    >>> i0([0.0])
    array([1.], dtype=float32)
    """
    backend = current()
    size = backend.absolute(float_array(x))
    near = _polynomial(backend.square(backend.multiply(backend.minimum(size, 3.75), 1 / 3.75)), _I0_NEAR)
    large = backend.maximum(size, 3.75)
    far = backend.multiply(_polynomial(backend.divide(3.75, large), _I0_FAR), backend.rsqrt(large))
    return backend.where(backend.less(size, 3.75), near, backend.multiply(far, backend.exp(large)))


def _polynomial(x: Any, coefficients: tuple) -> Any:
    """Evaluate a polynomial by Horner's rule; the lowest power comes first."""
    backend = current()
    result = backend.full((), coefficients[-1], backend.dtype(x))
    for coefficient in coefficients[-2::-1]:
        result = backend.add(backend.multiply(result, x), coefficient)
    return result


# -------------------------------------------------------------------- rounding


@op
def floor(x: Any) -> Any:
    """Return values rounded down, as floats.

    Args:
        x: array of any shape.

    >>> floor([1.7, -1.2])
    array([ 1., -2.], dtype=float32)
    """
    return current().floor(float_array(x))


@op
def ceil(x: Any) -> Any:
    """Return values rounded up, as floats.

    Args:
        x: array of any shape.

    >>> ceil([1.2, -1.7])
    array([ 2., -1.], dtype=float32)
    """
    return current().ceil(float_array(x))


@op
def trunc(x: Any) -> Any:
    """Return values rounded towards 0.

    Args:
        x: array of any shape.

    >>> trunc([1.7, -1.7])
    array([ 1., -1.], dtype=float32)
    """
    backend = current()
    x = array(x)
    if backend.dtype(x) not in dtypes.FLOATS:
        return x
    return backend.where(backend.less(x, 0.0), backend.ceil(x), backend.floor(x))


@op
def round(x: Any, decimals: int = 0) -> Any:
    """Return values rounded to a number of decimals, with halves rounded to even.

    Args:
        x: array of any shape.
        decimals: int; may be negative: -1 rounds to tens; default 0.

    >>> round([1.5, 2.5, 2.34], 0), round([17, 23], -1)
    (array([2., 2., 2.], dtype=float32), array([20, 20], dtype=int32))
    """
    backend = current()
    x = number_array(x)
    dtype = backend.dtype(x)
    if dtype not in dtypes.FLOATS and decimals >= 0:
        return x
    values = float_array(x)
    if decimals == 0:
        return backend.round(values)
    scale = float(10 ** math.fabs(decimals))
    steps = (backend.multiply, backend.divide) if decimals > 0 else (backend.divide, backend.multiply)
    values = steps[1](backend.round(steps[0](values, scale)), scale)
    return backend.cast(values, dtype)


# --------------------------------------------------------------------- testing


@op
def isfinite(x: Any) -> Any:
    """Return whether values are neither NaN nor infinite.

    Args:
        x: array of any shape.

    >>> isfinite([1.0, float("nan"), float("inf")])
    array([ True, False, False])
    """
    return current().isfinite(array(x))


@op
def isnan(x: Any) -> Any:
    """Return whether values are NaN.

    Args:
        x: array of any shape.

    >>> isnan([1.0, float("nan")])
    array([False,  True])
    """
    return current().isnan(array(x))


@op
def isinf(x: Any) -> Any:
    """Return whether values are infinite.

    Args:
        x: array of any shape.

    >>> isinf([1.0, float("-inf")])
    array([False,  True])
    """
    backend = current()
    return backend.equal(backend.absolute(float_array(x)), math.inf)


@op
def isposinf(x: Any) -> Any:
    """Return whether values are plus infinity.

    Args:
        x: array of any shape.

    >>> isposinf([float("inf"), float("-inf")])
    array([ True, False])
    """
    return current().equal(float_array(x), math.inf)


@op
def isneginf(x: Any) -> Any:
    """Return whether values are minus infinity.

    Args:
        x: array of any shape.

    >>> isneginf([float("inf"), float("-inf")])
    array([False,  True])
    """
    return current().equal(float_array(x), -math.inf)


@op
def logical_not(x: Any) -> Any:
    """Return whether values are 0 or False.

    Args:
        x: array of any shape.

    >>> logical_not([True, False])
    array([False,  True])
    """
    return current().logical_not(array(x, "bool"))


@op
def bitwise_not(x: Any) -> Any:
    """Return integers or bools with every bit inverted.

    Args:
        x: array of integers or bools, of any shape.

    >>> bitwise_not([0, 5])
    array([-1, -6], dtype=int32)
    """
    return current().bitwise_not(array(x))


bitwise_invert = bitwise_not


# ------------------------------------------------------------- complex numbers


def _is_complex(x: Any) -> bool:
    return current().dtype(x) in dtypes.COMPLEX


def _zeros(x: Any) -> Any:
    return current().full(tuple(current().shape(x)), 0, current().dtype(x))


@op
def real(x: Any) -> Any:
    """Return the real parts; real numbers are returned unchanged.

    Args:
        x: array of any shape.

    >>> real([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    x = array(x)
    return current().real(x) if _is_complex(x) else x


@op
def imag(x: Any) -> Any:
    """Return the imaginary parts; zeros for real numbers.

    Args:
        x: array of any shape.

    >>> imag([1.0, 2.0])
    array([0., 0.], dtype=float32)
    """
    x = array(x)
    return current().imag(x) if _is_complex(x) else _zeros(x)


@op
def conjugate(x: Any) -> Any:
    """Return the complex conjugates; real numbers are returned unchanged.

    Args:
        x: array of any shape.

    >>> conjugate([1 + 2j])
    array([1.-2.j], dtype=complex64)
    """
    backend = current()
    x = array(x)
    return backend.complex(backend.real(x), backend.negative(backend.imag(x))) if _is_complex(x) else x


conj = conjugate


@op
def isreal(x: Any) -> Any:
    """Return whether the imaginary part is 0.

    Args:
        x: array of any shape.

    >>> isreal([1 + 2j, 3])
    array([False,  True])
    """
    return current().equal(imag(x), 0)


@op
def angle(x: Any) -> Any:
    """Return the angles of numbers in the complex plane, from -pi to pi; for real numbers 0, or pi if negative.

    Args:
        x: array of any shape.

    >>> angle([1.0, -1.0])
    array([0.       , 3.1415927], dtype=float32)
    """
    backend = current()
    x = array(x)
    x = x if _is_complex(x) else float_array(x)
    return backend.arctan2(imag(x), real(x))


@op
def view_as_complex(x: Any) -> Any:
    """Return real arrays as complex numbers; the last axis holds real and imaginary parts.

    Args:
        x: floats of shape (..., 2).

    Raises:
        ValueError: if the last axis is not of size 2.

    >>> view_as_complex([[1.0, 2.0], [3.0, 4.0]])
    array([1.+2.j, 3.+4.j], dtype=complex64)
    """
    x = float_array(x)
    shape = tuple(current().shape(x))
    if not shape or shape[-1] not in (2, None):
        raise ValueError(f"Expected a last axis of size 2: real and imaginary parts. Received shape: {shape}.")
    x = current().cast(x, "float32")  # as Keras does
    return current().complex(*(current().getitem(x, (..., index)) for index in (0, 1)))


@op
def view_as_real(x: Any) -> Any:
    """Return the real and imaginary parts of numbers, along a last axis of size 2.

    Args:
        x: complex or real numbers, of any shape.

    >>> view_as_real([1 + 2j])
    array([[1., 2.]], dtype=float32)
    """
    return current().stack([real(x), imag(x)], -1)


@op
def polar(abs_: Any, angle: Any) -> Any:
    """Return complex numbers with given magnitudes and angles.

    Args:
        abs_: the magnitudes, floats.
        angle: the angles in radians, floats that broadcast with the magnitudes.

    >>> polar([2.0], [0.0])
    array([2.+0.j], dtype=complex64)
    """
    backend = current()
    size, angle = _call.same_dtype(*_call.float_operands(abs_, angle))
    if backend.dtype(size) != "float64":
        size, angle = backend.cast(size, "float32"), backend.cast(angle, "float32")
    return backend.complex(backend.multiply(size, backend.cos(angle)), backend.multiply(size, backend.sin(angle)))
