"""Reductions along axes: sums, means, extreme values, quantiles; and cumulative sums and products."""

from __future__ import annotations

import math
from typing import Any

from polykeras.backends import current
from polykeras.core import dtypes
from polykeras.ops import _call
from polykeras.ops._call import array, axes_of, float_array, op

# Every reduction takes ``axis``: an int, a tuple, or None for all axes; and ``keepdims``: whether
# to keep the reduced axes with size 1.

_ACCUMULATOR = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}


def _accumulable(x: Any) -> Any:
    """Convert an array to the dtype of its sums."""
    x = array(x)
    backend = current()
    dtype = _ACCUMULATOR.get(backend.dtype(x))
    return x if dtype is None else backend.cast(x, dtype)


def _only_axis(axis: Any, rank: int) -> int:
    axes = axes_of(axis, rank)
    if axes is None or len(axes) != 1:
        raise ValueError(f"Expected one axis for weights along it. Received: axis={axis}; give weights of x's shape.")
    return axes[0]


def _axes(x: Any, axis: Any) -> tuple | None:
    return None if axis is None else axes_of(axis, len(current().shape(x)))


def _sizes(x: Any, axes: tuple | None) -> list:
    shape = current().shape(x)
    return list(shape) if axes is None else [shape[a] for a in axes]


def _count(x: Any, axes: tuple | None) -> int | None:
    """Return the number of entries along axes; None if unknown."""
    return _call.times(*_sizes(x, axes))


# ------------------------------------------------------------- sums and means


@op
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum along axes; small integers and bools are summed in 32 bits.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> sum([[1, 2], [3, 4]], axis=0)
    array([4, 6], dtype=int32)
    """
    x = _accumulable(x)
    return current().sum(x, _axes(x, axis), keepdims)


@op
def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """Return the product along axes, by default in the dtype that ``sum`` has.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        dtype: name of the result's dtype; None for that of ``sum``.

    >>> prod([[1, 2], [3, 4]], axis=0)
    array([3, 8], dtype=int32)
    """
    x = _accumulable(x) if dtype is None else array(x, dtypes.standardize(dtype))
    return current().prod(x, _axes(x, axis), keepdims)


@op
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean along axes, as floats.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> mean([[1, 2], [3, 4]], axis=0)
    array([2., 3.], dtype=float32)
    """
    x = float_array(x)
    return current().mean(x, _axes(x, axis), keepdims)


@op
@_call.in_single_precision
def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Return the weighted mean along axes, as floats.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        weights: array of x's shape, or a vector along a single axis; default None, for equal weights.

    Raises:
        ValueError: if the weights have another shape than x and no axis is given.

    >>> average([1, 2], weights=[1, 3])
    np.float32(1.75)
    """
    if weights is None:
        return mean(x, axis)
    backend = current()
    x, weights = _call.same_dtype(*_call.float_operands(x, weights))
    rank = len(backend.shape(x))
    if len(backend.shape(weights)) < rank:
        only = _only_axis(axis, rank)
        weights = _call.reshaped(weights, (-1 if a == only else 1 for a in range(rank)))
    axes = _axes(x, axis)
    weights = backend.add(weights, backend.multiply(x, 0.0))
    return backend.divide(backend.sum(backend.multiply(x, weights), axes), backend.sum(weights, axes))


@op
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the variance along axes, the mean squared deviation from the mean, as floats.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> var([1, 2, 3, 6])
    np.float32(3.5)
    """
    x = float_array(x)
    axes = _axes(x, axis)
    axes = tuple(range(len(current().shape(x)))) if axes is None else axes
    return current().moments(x, axes, keepdims)[1]


@op
@_call.in_single_precision
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the standard deviation along axes, as floats.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> std([0, 4])
    np.float32(2.0)
    """
    return current().sqrt(var(x, axis, keepdims))


@op
def count_nonzero(x: Any, axis: Any = None) -> Any:
    """Return the int32 number of non-zero entries.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.

    >>> count_nonzero([[0, 1], [2, 3]], axis=0)
    array([1, 2], dtype=int32)
    """
    backend = current()
    x = array(x, "bool")
    return backend.sum(backend.cast(x, "int32"), _axes(x, axis))


@op
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return log(sum(exp(x))) along axes, without overflow.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> logsumexp([1000.0, -1000.0])
    np.float32(1000.0)
    """
    x = float_array(x)
    return current().logsumexp(x, _axes(x, axis), keepdims)


@op
@_call.in_single_precision
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Return the integral along an axis by the trapezoidal rule.

    Args:
        y: array of values.
        x: array of sample points, a vector or of y's shape; default None, for points ``dx`` apart.
        dx: float, the spacing of sample points; default 1.0.
        axis: int; default -1.

    >>> trapezoid([1.0, 2.0, 3.0])
    np.float32(4.0)
    """
    backend = current()
    y = float_array(y)
    axis = _call.axis_of(axis, len(backend.shape(y)))
    sides = backend.add(_ends(y, axis, 1, None), _ends(y, axis, None, -1))
    if x is None:
        return backend.multiply(backend.sum(sides, (axis,)), dx / 2)
    y, x = _call.same_dtype(y, x)
    if len(backend.shape(x)) == 1:
        x = _call.reshaped(x, (-1 if a == axis else 1 for a in range(len(backend.shape(y)))))
    widths = backend.subtract(_ends(x, axis, 1, None), _ends(x, axis, None, -1))
    return backend.multiply(backend.sum(backend.multiply(sides, widths), (axis,)), 0.5)


def _ends(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    return current().getitem(x, (slice(None),) * axis + (slice(start, stop),))


@op
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Return the n-th differences of adjacent entries along an axis.

    Args:
        a: array of any shape.
        n: int, how many times to take differences; default 1.
        axis: int, the axis; default -1.

    >>> diff([1, 4, 9])
    array([3, 5], dtype=int32)
    """
    backend = current()
    x = array(a)
    axis = _call.axis_of(axis, len(backend.shape(x)))
    is_bool = backend.dtype(x) == "bool"
    for _ in range(n):
        subtract = backend.not_equal if is_bool else backend.subtract
        x = subtract(_ends(x, axis, 1, None), _ends(x, axis, None, -1))
    return x


# -------------------------------------------------------------------- extremes


@op
def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Return the maximum along axes; NaN propagates.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        initial: scalar, the minimum possible result; needed if there are no entries; default None.

    >>> max([[1, 5], [7, 2]], axis=0)
    array([7, 5], dtype=int32)
    """
    return _extreme("max", "maximum", x, axis, keepdims, initial)


@op
def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Return the minimum along axes; NaN propagates.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        initial: scalar, the maximum possible result; needed if there are no entries; default None.

    >>> min([[1, 5], [7, 2]], axis=0)
    array([1, 2], dtype=int32)
    """
    return _extreme("min", "minimum", x, axis, keepdims, initial)


def _extreme(reduction: str, pairwise: str, x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    backend = current()
    x = array(x)
    axes = _axes(x, axis)
    is_bool = backend.dtype(x) == "bool"
    x = backend.cast(x, "int32") if is_bool else x
    if 0 in _sizes(x, axes):
        if initial is None:
            raise ValueError(f"Expected initial, for {reduction} of no entries. Received shape: {backend.shape(x)}.")
        shape = backend.shape(backend.sum(x, axes, keepdims))
        result = backend.full(tuple(shape), initial, backend.dtype(x))
    else:
        result = getattr(backend, reduction)(x, axes, keepdims)
        if initial is not None:
            result = getattr(backend, pairwise)(*_call.operands(result, initial))
    return backend.cast(result, "bool") if is_bool else result


amax, amin = max, min


@op
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the range of values (maximum minus minimum) along axes.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> ptp([1, 5, 3])
    np.int32(4)
    """
    return current().subtract(*_call.number_operands(max(x, axis, keepdims), min(x, axis, keepdims)))


@op
def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether any entry is True (or non-zero).

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> any([[True, False], [False, False]], axis=1)
    array([ True, False])
    """
    x = array(x, "bool")
    return current().any(x, _axes(x, axis), keepdims)


@op
def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether all entries are True (or non-zero).

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> all([[True, False], [True, True]], axis=1)
    array([False,  True])
    """
    x = array(x, "bool")
    return current().all(x, _axes(x, axis), keepdims)


@op
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the int32 index of the first maximum along an axis, or in the flat array if it is None.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> argmax([[1, 5], [7, 2]], axis=1)
    array([1, 0], dtype=int32)
    """
    return _index_of("argmax", x, axis, keepdims)


@op
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the int32 index of the first minimum along an axis, or in the flat array if it is None.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> argmin([[1, 5], [7, 2]], axis=1)
    array([0, 1], dtype=int32)
    """
    return _index_of("argmin", x, axis, keepdims)


def _index_of(reduction: str, x: Any, axis: int | None, keepdims: bool) -> Any:
    backend = current()
    x = _call.number_array(x)
    shape = tuple(backend.shape(x))
    if 0 in (shape if axis is None else (shape[_call.axis_of(axis, len(shape))],)):
        raise ValueError(f"Expected at least one entry, for {reduction} along axis {axis}. Received shape: {shape}.")
    if axis is None:
        index = getattr(backend, reduction)(backend.reshape(x, (-1,)), 0)
        return backend.reshape(index, (1,) * len(shape)) if keepdims else index
    axis = _call.axis_of(axis, len(shape))
    index = getattr(backend, reduction)(x, axis)
    return _call.reshaped(index, (*shape[:axis], 1, *shape[axis + 1 :])) if keepdims else index


# ----------------------------------------------------------------- running sums


@op
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return cumulative sums along an axis, or of the flat array if it is None.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        dtype: name of the result's dtype; None for that of ``sum``.

    >>> cumsum([1, 2, 3])
    array([1, 3, 6], dtype=int32)
    """
    return _running("cumsum", x, axis, dtype)


@op
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return cumulative products along an axis, or of the flat array if it is None.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        dtype: name of the result's dtype; None for that of ``sum``.

    >>> cumprod([1, 2, 3])
    array([1, 2, 6], dtype=int32)
    """
    return _running("cumprod", x, axis, dtype)


def _running(name: str, x: Any, axis: int | None, dtype: Any) -> Any:
    backend = current()
    x = _call.number_array(x) if dtype is None else array(x, dtypes.standardize(dtype))
    if axis is None:
        x, axis = backend.reshape(x, (-1,)), 0
    for each in axes_of(axis, len(backend.shape(x))):
        x = getattr(backend, name)(x, each)
    return x


# ------------------------------------------------------------------- quantiles

_METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


@op
@_call.in_single_precision
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the median along axes, as floats.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> median([1, 9, 2])
    array(2., dtype=float32)
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, skips_nan=False)


@op
@_call.in_single_precision
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Return quantiles: the values below which a fraction q of the entries lies.

    Args:
        x: array of any shape.
        q: number or array of fractions from 0 to 1; its axes come first in the result.
        axis: int, tuple of ints, or None for all axes; default None.
        method: how to interpolate between two entries: "linear", "lower", "higher", "nearest"
            or "midpoint"; default "linear".
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> quantile([1, 2, 3, 4, 5], [0.25, 0.5])
    array([2., 3.], dtype=float32)
    """
    return _quantile(x, q, axis, method, keepdims, skips_nan=False)


@op
@_call.in_single_precision
def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Return percentiles: ``quantile`` of q / 100.

    Args:
        x: array of any shape.
        q: number from 0 to 100, or an array of them.
        axis: int, tuple of ints, or None for all axes; default None.
        method: "linear", "lower", "higher", "midpoint" or "nearest": how to interpolate between two entries; default
            "linear".
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> percentile([1, 2, 3, 4, 5], 75)
    array(4., dtype=float32)
    """
    return _quantile(x, _hundredths(q), axis, method, keepdims, skips_nan=False)


def _hundredths(q: Any) -> Any:
    return current().multiply(float_array(q), 0.01)


def _quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, skips_nan: bool) -> Any:
    if method not in _METHODS:
        raise ValueError(f"Expected method to be one of {_METHODS}. Received: {method!r}.")
    backend = current()
    x = float_array(x)
    dtype = backend.dtype(x)
    shape = tuple(backend.shape(x))
    axes = tuple(range(len(shape))) if axis is None else axes_of(axis, len(shape))
    kept = tuple(a for a in range(len(shape)) if a not in axes)
    sizes = tuple(shape[a] for a in kept)
    x = _call.reshaped(backend.transpose(x, (*kept, *axes)), (*sizes, _count(x, axes)))
    if backend.shape(x)[-1] == 0:  # of nothing it is NaN, like a mean
        x = backend.full((*sizes, 1), math.nan, dtype)
    is_nan = backend.isnan(x)
    numbers = backend.sum(backend.cast(backend.logical_not(is_nan), "float32"), (-1,), True)
    q = array(q, "float32")
    q_shape = tuple(backend.shape(q))
    position = backend.multiply(backend.reshape(q, (-1,)), backend.maximum(backend.subtract(numbers, 1.0), 0.0))
    result = _interpolated(backend.sort(x, -1), position, method)
    if not skips_nan:
        has_nan = backend.any(is_nan, (-1,), True)
        result = backend.where(has_nan, backend.full((), math.nan, dtype), result)
    rank = len(sizes)
    result = backend.transpose(result, (rank, *range(rank)))
    kept_sizes = tuple(1 if a in axes else n for a, n in enumerate(shape)) if keepdims else sizes
    return _call.reshaped(result, q_shape + kept_sizes)


def _interpolated(ordered: Any, position: Any, method: str) -> Any:
    """Interpolate entries of the last axis at fractional positions."""
    backend = current()
    dtype = backend.dtype(ordered)

    def pick(p: Any) -> Any:
        return backend.take_along_axis(ordered, backend.cast(p, "int32"), -1)

    if method == "nearest":
        return pick(backend.round(position))
    low, high = backend.floor(position), backend.ceil(position)
    if method in ("lower", "higher"):
        return pick(low if method == "lower" else high)
    fraction = backend.cast(backend.subtract(position, low), dtype)
    if method == "midpoint":
        fraction = backend.multiply(backend.cast(backend.greater(fraction, 0.0), dtype), 0.5)
    below, above = pick(low), pick(high)
    mixed = backend.add(below, backend.multiply(backend.subtract(above, below), fraction))
    # Between equal infinities, the difference would be NaN.
    return backend.where(backend.equal(below, above), below, mixed)


# ------------------------------------------------------- reductions without NaN


def _filled(x: Any, value: float) -> Any:
    """Return x with NaN replaced by a value."""
    backend = current()
    x = array(x)
    if backend.dtype(x) not in dtypes.FLOATS:
        return x
    return backend.where(backend.isnan(x), backend.full((), value, backend.dtype(x)), x)


def _numbers(x: Any, axis: Any, keepdims: bool) -> Any:
    """Return the number of entries other than NaN, in x's float dtype."""
    backend = current()
    valid = backend.cast(backend.logical_not(backend.isnan(x)), backend.dtype(x))
    return backend.sum(valid, _axes(x, axis), keepdims)


@op
def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum along axes, counting NaN as 0.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nansum([1.0, math.nan, 2.0])
    np.float32(3.0)
    """
    return sum(_filled(x, 0.0), axis, keepdims)


@op
def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the product along axes, counting NaN as 1.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanprod([3.0, math.nan, 2.0])
    array(6., dtype=float32)
    """
    return prod(_filled(x, 1.0), axis, keepdims)


@op
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return cumulative sums, counting NaN as 0.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        dtype: name of the result's dtype; None for that of ``sum``.

    >>> nancumsum([1.0, math.nan, 2.0])
    array([1., 1., 3.], dtype=float32)
    """
    return cumsum(_filled(x, 0.0), axis, dtype)


@op
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return cumulative products, counting NaN as 1.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        dtype: name of the result's dtype; None for that of ``sum``.

    >>> nancumprod([3.0, math.nan, 2.0])
    array([3., 3., 6.], dtype=float32)
    """
    return cumprod(_filled(x, 1.0), axis, dtype)


def _nan_extreme(reduction: Any, fill: float, x: Any, axis: Any, keepdims: bool) -> Any:
    backend = current()
    x = array(x)
    best = reduction(_filled(x, fill), axis, keepdims)
    if backend.dtype(x) not in dtypes.FLOATS:
        return best
    is_empty = backend.all(backend.isnan(x), _axes(x, axis), keepdims)
    return backend.where(is_empty, backend.full((), math.nan, backend.dtype(x)), best)


@op
def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the maximum, ignoring NaN; NaN if there are no other entries.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanmax([1.0, math.nan, 2.0])
    array(2., dtype=float32)
    """
    return _nan_extreme(max, -math.inf, x, axis, keepdims)


@op
def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the minimum, ignoring NaN; NaN if there are no other entries.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanmin([1.0, math.nan, 2.0])
    array(1., dtype=float32)
    """
    return _nan_extreme(min, math.inf, x, axis, keepdims)


def _nan_index(reduction: Any, fill: float, x: Any, axis: int | None, keepdims: bool) -> Any:
    backend = current()
    x = array(x)
    index = reduction(_filled(x, fill), axis, keepdims)
    if backend.dtype(x) not in dtypes.FLOATS:
        return index
    is_empty = backend.all(backend.isnan(x), _axes(x, axis), keepdims)
    return backend.where(is_empty, backend.full((), -1, "int32"), index)


@op
def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the int32 index of the maximum, ignoring NaN; -1 if there are no other entries.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanargmax([1.0, math.nan, 2.0])
    array(2, dtype=int32)
    """
    return _nan_index(argmax, -math.inf, x, axis, keepdims)


@op
def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the int32 index of the minimum, ignoring NaN; -1 if there are no other entries.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanargmin([1.0, math.nan, 2.0])
    array(0, dtype=int32)
    """
    return _nan_index(argmin, math.inf, x, axis, keepdims)


@op
@_call.in_single_precision
def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean, ignoring NaN.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanmean([1.0, math.nan, 2.0])
    np.float32(1.5)
    """
    x = float_array(x)
    return current().divide(nansum(x, axis, keepdims), _numbers(x, axis, keepdims))


@op
@_call.in_single_precision
def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the variance, ignoring NaN.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanvar([0.0, math.nan, 4.0])
    np.float32(4.0)
    """
    backend = current()
    x = float_array(x)
    distance = backend.subtract(x, nanmean(x, axis, keepdims=True))
    return backend.divide(nansum(backend.square(distance), axis, keepdims), _numbers(x, axis, keepdims))


@op
@_call.in_single_precision
def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the standard deviation, ignoring NaN.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanstd([0.0, math.nan, 4.0])
    np.float32(2.0)
    """
    return current().sqrt(nanvar(x, axis, keepdims))


@op
@_call.in_single_precision
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the median, ignoring NaN.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanmedian([1.0, math.nan, 2.0])
    array(1.5, dtype=float32)
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, skips_nan=True)


@op
@_call.in_single_precision
def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the quantiles of the entries that aren't NaN; see ``quantile`` for the arguments.

    Args:
        x: array of any shape.
        q: number from 0 to 1, or an array of them.
        axis: int, tuple of ints, or None for all axes; default None.
        method: "linear", "lower", "higher", "midpoint" or "nearest": how to interpolate between two entries; default
            "linear".
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanquantile([1.0, math.nan, 2.0, 3.0], 0.5)
    array(2., dtype=float32)
    """
    return _quantile(x, q, axis, method, keepdims, skips_nan=True)


@op
@_call.in_single_precision
def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the percentiles of the entries that aren't NaN; see ``percentile`` for the arguments.

    Args:
        x: array of any shape.
        q: number from 0 to 100, or an array of them.
        axis: int, tuple of ints, or None for all axes; default None.
        method: "linear", "lower", "higher", "midpoint" or "nearest": how to interpolate between two entries; default
            "linear".
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    >>> nanpercentile([1.0, math.nan, 2.0, 3.0], 50)
    array(2., dtype=float32)
    """
    return _quantile(x, _hundredths(q), axis, method, keepdims, skips_nan=True)
