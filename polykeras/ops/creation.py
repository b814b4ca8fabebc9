"""Creating arrays: conversion to and from arrays, constants, ranges, triangles, diagonals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends import current
from polykeras.backends.shared import structured
from polykeras.backends.shared.graph_sizes import GraphSize
from polykeras.core import dtypes, masks, sizes
from polykeras.core.context import context
from polykeras.core.graph import KerasTensor
from polykeras.core.variables import Variable, scope
from polykeras.ops import _call
from polykeras.ops._call import op

# ------------------------------------------------------------------ conversion


def _dtype_or_floatx(dtype: Any) -> str:
    return config.floatx() if dtype is None else dtypes.standardize(dtype)


@op
def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """Convert any value to an array of the current backend.

    Args:
        x: a number, nested list, NumPy array, array or Variable.
        dtype: default: the array's own; Python numbers become int32, ``floatx()`` or bool.
        sparse, ragged: False for a dense result where x is a ``tf.SparseTensor`` or ``tf.RaggedTensor``, which
            otherwise stays what it is; default None.

    >>> convert_to_tensor([1, 2.5])
    array([1. , 2.5], dtype=float32)
    """
    result = _call.array(x, None if dtype is None else dtypes.standardize(dtype))
    is_a_users = x.__class__ is np.ndarray and scope.values is None and not context.path
    if is_a_users and not current().is_traced and not current().is_symbolic:
        # NumPy and PyTorch would share the memory of the caller, who may modify it later.
        result = current().copy(result)
        masks.copy_mask(x, result)
    return result


@op
def array(x: Any, dtype: Any = None) -> Any:
    """Convert any value to an array, like ``convert_to_tensor``.

    Args:
        x: array, number or nested list, of any shape.
        dtype: name of the result's dtype; None for that of the values.

    >>> array([1, 2])
    array([1, 2], dtype=int32)
    """
    return _call.array(x, None if dtype is None else dtypes.standardize(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """Convert an array, Variable or nested list to a NumPy array of its own memory.

    Args:
        x: array, Variable or nested list, of any shape. A ``tf.RaggedTensor`` is padded with zeros.

    Returns:
        A copy, which neither training nor assigning to ``x`` changes.

    >>> convert_to_numpy(ones((2,)))
    array([1., 1.], dtype=float32)
    """
    if isinstance(x, Variable):
        return x.numpy()
    if type(x) is np.ndarray:  # also while shapes are inferred, without values
        return x.copy()
    x, _ = current().filled_up(x)
    return np.array(current().to_numpy(_call.array(current().densified(x))))


def is_tensor(x: Any) -> bool:
    """Return whether x is an array or variable of the current backend's engine, or a symbolic tensor.

    Args:
        x: any object.

    >>> is_tensor(ones((2,))), is_tensor([1.0, 1.0])
    (True, False)
    """
    backend = current()
    is_own = backend.is_array(x) or backend.is_own_variable(x)
    return is_own or isinstance(x, KerasTensor) or structured.is_structured(x)


@op
def cast(x: Any, dtype: Any) -> Any:
    """Convert x to another dtype; floats become integers by truncation.

    Args:
        x: array of any shape.
        dtype: name of the result's dtype.

    >>> cast([1.7, -1.7], "int32")
    array([ 1, -1], dtype=int32)
    """
    return current().cast(_call.array(x), dtypes.standardize(dtype))


@op
def saturate_cast(x: Any, dtype: Any) -> Any:
    """Convert x to another dtype; values outside its range saturate at its limits.

    Args:
        x: array of any shape.
        dtype: name of the result's dtype.

    >>> saturate_cast([-3.0, 300.0], "uint8")
    array([  0, 255], dtype=uint8)
    """
    dtype = dtypes.standardize(dtype)
    backend = current()
    x = _call.array(x)
    source = backend.dtype(x)
    if "bool" in (source, dtype):
        return backend.cast(x, dtype)
    low, high = _range_of(dtype)
    own_low, own_high = _range_of(source)
    if low > own_low:
        x = backend.maximum(x, _within(low, source, upwards=True))
    if high < own_high:
        x = backend.minimum(x, _within(high, source, upwards=False))
    return backend.cast(x, dtype)


def _range_of(dtype: str) -> tuple:
    """Return the smallest and largest finite values of a dtype, as Python numbers."""
    if dtype in dtypes.INTEGERS:
        ends = np.iinfo(dtype)
        return int(ends.min), int(ends.max)
    limits = dtypes.ml_dtypes.finfo(dtypes.numpy_dtype(dtype))
    return float(limits.min), float(limits.max)


def _within(limit: float, dtype: str, upwards: bool) -> float:
    """Return the value of ``dtype`` closest to a limit, within it."""
    if dtype in dtypes.INTEGERS:
        return int(limit)
    kind = dtypes.numpy_dtype(dtype).type
    value = kind(limit)
    if (value < limit) if upwards else (float(value) > limit):
        value = np.nextafter(value, kind(0))
    return float(value)


@op
def view(x: Any, dtype: Any = None) -> Any:
    """Return the same bits, reinterpreted as another dtype.

    Args:
        x: array of any shape.
        dtype: default that of x. If its width differs, the last axis has correspondingly more or fewer entries.

    Raises:
        ValueError: if the entries of the last axis do not fill whole entries of the new dtype.

    >>> view(array([1.0]), "int32"), view(array([1.0]), "uint8").shape
    (array([1065353216], dtype=int32), (4,))
    """
    backend = current()
    x = _call.array(x)
    own = backend.dtype(x)
    dtype = own if dtype is None else dtypes.standardize(dtype)
    old, new = dtypes.numpy_dtype(own).itemsize, dtypes.numpy_dtype(dtype).itemsize
    if old == new:
        return x if own == dtype else backend.bitcast(x, dtype)
    *outer, last = backend.shape(x) or (1,)
    if last is not None and last * old % new:
        raise ValueError(f"Expected a multiple of {new // old} entries along the last axis. Received: {last}.")
    size = None if last is None else last * old // new
    if backend.is_symbolic:
        return backend.full((*outer, size), 0, dtype)
    x = x if old > new else _call.reshaped(x, (*outer, size, new // old))
    return _call.reshaped(backend.bitcast(x, dtype), (*outer, size))


@op
def copy(x: Any) -> Any:
    """Return a copy of an array.

    Args:
        x: array of any shape.

    >>> copy([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    x = _call.array(x)
    backend = current()
    return backend.bitwise_or(x, x) if backend.dtype(x) == "bool" else backend.multiply(x, 1)


def shape(x: Any) -> tuple:
    """Return the shape as a tuple.

    For a symbolic tensor, an unknown size is equal to None, but can be computed with and passed to ops.

    Args:
        x: array of any shape.

    >>> shape(zeros((2, 3)))
    (2, 3)
    """
    if isinstance(x, KerasTensor):
        return sizes.shape_of(x)
    if isinstance(x, Variable) or structured.is_structured(x):
        return tuple(x.shape)
    return tuple(current().shape(_call.array(x)))


def ndim(x: Any) -> int:
    """Return the number of axes.

    Args:
        x: array of any shape.

    >>> ndim(zeros((2, 3)))
    2
    """
    return len(x.shape if isinstance(x, KerasTensor) else shape(x))


@op
def size(x: Any) -> Any:
    """Return the number of entries; for a symbolic tensor, a symbolic one if it is unknown.

    Args:
        x: array of any shape.

    >>> size(zeros((2, 3)))
    6
    """
    if current().is_symbolic:
        return current().full((), 0, "int32")
    return _call.times(*shape(x))


def dtype(x: Any) -> str:
    """Return the name of an array's dtype.

    Args:
        x: array of any shape.

    >>> dtype(zeros((2,)))
    'float32'
    """
    if isinstance(x, KerasTensor | Variable):
        return x.dtype
    return current().dtype(x if structured.is_structured(x) else _call.array(x))


# ------------------------------------------------------------------- constants


@op
def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Return an array filled with a value.

    Args:
        shape: int or tuple of ints.
        fill_value: a number, or an array that broadcasts to ``shape``.
        dtype: default ``floatx()``.

    >>> full((2,), 7)
    array([7., 7.], dtype=float32)
    """
    dtype = _dtype_or_floatx(dtype)
    backend = current()
    if dtypes.scalar_kind(fill_value) is not None:
        return backend.full(_call.sizes(shape), fill_value, dtype)
    return backend.broadcast_to(_call.array(fill_value, dtype), _call.sizes(shape))


@op
def zeros(shape: Any, dtype: Any = None) -> Any:
    """Return an array of zeros.

    Args:
        shape: int or tuple, the shape of the result.
        dtype: name of the result's dtype; None for ``floatx()``.

    >>> zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return current().full(_call.sizes(shape), 0, _dtype_or_floatx(dtype))


@op
def ones(shape: Any, dtype: Any = None) -> Any:
    """Return an array of ones.

    Args:
        shape: int or tuple, the shape of the result.
        dtype: name of the result's dtype; None for ``floatx()``.

    >>> ones((2,), "int32")
    array([1, 1], dtype=int32)
    """
    return current().full(_call.sizes(shape), 1, _dtype_or_floatx(dtype))


@op
def empty(shape: Any, dtype: Any = None) -> Any:
    """Return an array to be filled; its entries are in fact zeros.

    Args:
        shape: int or tuple, the shape of the result.
        dtype: name of the result's dtype; None for ``floatx()``.

    >>> empty((2,)).shape
    (2,)
    """
    return current().full(_call.sizes(shape), 0, _dtype_or_floatx(dtype))


def _like(x: Any, value: Any, dtype: Any) -> Any:
    backend = current()
    x = _call.array(x)
    dtype = backend.dtype(x) if dtype is None else dtypes.standardize(dtype)
    return backend.full(tuple(backend.shape(x)), value, dtype)


@op
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Return an array filled with a value, with the shape and (by default) the dtype of x.

    Args:
        x: array of any shape.
        fill_value: scalar, or an array that broadcasts to the shape of ``x``.
        dtype: name of the result's dtype; None for that of ``x``.

    >>> full_like([1.0, 2.0], 5)
    array([5., 5.], dtype=float32)
    """
    if dtypes.scalar_kind(fill_value) is not None:
        return _like(x, fill_value, dtype)
    backend = current()
    x = _call.array(x)
    dtype = backend.dtype(x) if dtype is None else dtypes.standardize(dtype)
    return backend.broadcast_to(_call.array(fill_value, dtype), tuple(backend.shape(x)))


@op
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Return zeros with the shape and (by default) the dtype of x.

    Args:
        x: array of any shape.
        dtype: name of the result's dtype; None for that of ``x``.

    >>> zeros_like([1.0, 2.0])
    array([0., 0.], dtype=float32)
    """
    return _like(x, 0, dtype)


@op
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Return ones with the shape and (by default) the dtype of x.

    Args:
        x: array of any shape.
        dtype: name of the result's dtype; None for that of ``x``.

    >>> ones_like([1.0, 2.0])
    array([1., 1.], dtype=float32)
    """
    return _like(x, 1, dtype)


@op
def empty_like(x: Any, dtype: Any = None) -> Any:
    """Return an array of x's shape to be filled; its entries are in fact zeros.

    Args:
        x: array of any shape.
        dtype: name of the result's dtype; None for that of ``x``.

    >>> empty_like([1.0, 2.0]).shape
    (2,)
    """
    return _like(x, 0, dtype)


# ---------------------------------------------------------------------- ranges


def _number(x: Any, name: str) -> Any:
    """Convert a number, NumPy scalar or 0-d array with a known value to a Python number."""
    if dtypes.scalar_kind(x) is not None or isinstance(x, GraphSize):
        return x
    value = _call.size(_call.array(x))
    if dtypes.scalar_kind(value) is None and not isinstance(value, GraphSize):
        raise TypeError(f"Expected {name} to be a known number. Received: {x!r}.")
    return value


@op
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Return ``start, start + step, ...`` below ``stop``; a single argument is ``stop``, with start 0.

    Args:
        start, stop, step: numbers; ``step`` defaults to 1.
        dtype: default int32 for ints and ``floatx()`` for floats.

    >>> arange(3), arange(1, 2, 0.5)
    (array([0, 1, 2], dtype=int32), array([1. , 1.5], dtype=float32))
    """
    ends_at_size = current().is_symbolic and stop is None and step is not None
    if ends_at_size and start is not None and not (isinstance(start, int) and start == 0):
        raise _call.UnknownSize("Expected a known end of the range. Received: None, which may be a size.")
    if stop is None and not ends_at_size:
        start, stop = 0, start
    is_open = current().is_symbolic and None in (start, stop)
    if dtype is None:
        numbers = [x for x in (start, stop, step) if x is not None]
        kinds = [dtypes.scalar_kind(x) or current().dtype(_call.array(x)) for x in numbers]
        dtype = dtypes.promote(*(kinds or ["int"]), "int")
    dtype = dtypes.standardize(dtype)
    if is_open or stop is None:
        return current().arange(start, stop, 1, dtype)
    step = 1 if step is None else _number(step, "step")
    return current().arange(_number(start, "start"), _number(stop, "stop"), step, dtype)


@op
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return evenly spaced numbers between two ends, which may be arrays.

    Args:
        start, stop: numbers, or arrays that broadcast.
        num: int, how many numbers; default 50.
        endpoint: bool, whether ``stop`` is the last number; default True.
        retstep: bool, whether to return (numbers, spacing); default False.
        dtype: default ``floatx()``, or the ends' own float dtype.
        axis: int, the axis of the result along which the numbers lie; default 0.

    >>> linspace(0, 1, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    backend = current()
    start, stop = _call.same_dtype(*_call.float_operands(start, stop))
    compute_dtype = backend.dtype(start)
    steps = num - 1 if endpoint else num
    span = backend.subtract(stop, start)
    rank = len(backend.shape(span))
    fractions = np.arange(num) / max(steps, 1)
    fractions = backend.reshape(backend.array(fractions, compute_dtype), (num, *(1,) * rank))
    result = backend.add(start, backend.multiply(fractions, span))
    index = _call.axis_of(axis, rank + 1)
    if index:
        result = backend.transpose(result, (*range(1, index + 1), 0, *range(index + 1, rank + 1)))
    result = result if dtype is None else backend.cast(result, dtypes.standardize(dtype))
    return (result, backend.divide(span, float(steps) if steps else math.nan)) if retstep else result


@op
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> Any:
    """Return powers of ``base`` with evenly spaced exponents.

    Args:
        start, stop: scalars or arrays that broadcast together, the first and last exponents.
        num: int, how many numbers; default 50.
        endpoint: bool, whether ``stop`` is the last number; default True.
        base: float, the base of the powers; default 10.
        dtype: name of the result's dtype; None for the dtype of the ends, at least ``floatx()``.
        axis: int, the axis of the result along which the numbers lie; default 0.

    >>> logspace(0, 2, 3)
    array([  1.,  10., 100.], dtype=float32)
    """
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    result = current().power(*_call.float_operands(base, exponents))
    return result if dtype is None else cast(result, dtype)


@op
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Return numbers with a constant ratio between two ends of the same sign.

    Args:
        start, stop: scalars or arrays that broadcast together, the ends.
        num: int, how many numbers; default 50.
        endpoint: bool, whether ``stop`` is the last number; default True.
        dtype: name of the result's dtype; None for the dtype of the ends, at least ``floatx()``.
        axis: int, the axis of the result along which the numbers lie; default 0.

    >>> geomspace(1, 16, 5)
    array([ 1.,  2.,  4.,  8., 16.], dtype=float32)
    """
    backend = current()
    start, stop = _call.same_dtype(*_call.float_operands(start, stop))
    first, last = (backend.log(backend.absolute(x)) for x in (start, stop))
    size = backend.exp(linspace(first, last, num, endpoint, axis=axis))
    result = backend.multiply(size, backend.sign(start))
    return result if dtype is None else cast(result, dtype)


# -------------------------------------------------------- triangles, diagonals


def _steps_right(rows: int | None, columns: int | None) -> Any:
    """Return an int32 matrix of how far each entry lies to the right of the main diagonal."""
    backend = current()
    rows, columns = map(_call.size, (rows, columns))
    down = backend.reshape(backend.arange(0, rows, 1, "int32"), (-1, 1))
    return backend.subtract(backend.arange(0, columns, 1, "int32"), down)


@op
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Return a matrix with ones on a diagonal and zeros elsewhere.

    Args:
        N: int, the number of rows.
        M: int, the number of columns; default N.
        k: int, the diagonal: 0 is the main one, positive ones are above it; default 0.
        dtype: default ``floatx()``.

    >>> eye(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    backend = current()
    return backend.cast(backend.equal(_steps_right(N, N if M is None else M), k), _dtype_or_floatx(dtype))


@op
def identity(n: int, dtype: Any = None) -> Any:
    """Return the identity matrix.

    Args:
        n: int, the number of rows and columns.
        dtype: name of the result's dtype; None for ``floatx()``.

    >>> identity(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return eye(n, dtype=dtype)


@op
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Return a matrix with ones on and below a diagonal, and zeros above it.

    Args:
        N: int, the number of rows.
        M: int, the number of columns; None for ``N``.
        k: int, the diagonal: 0 is the main one, positive ones are above it; default 0.
        dtype: name of the result's dtype; None for ``floatx()``.

    >>> tri(2, 3)
    array([[1., 0., 0.],
           [1., 1., 0.]], dtype=float32)
    """
    backend = current()
    return backend.cast(backend.less_equal(_steps_right(N, N if M is None else M), k), _dtype_or_floatx(dtype))


def _masked_triangle(x: Any, compare: str, k: int) -> Any:
    backend = current()
    x = _call.array(x)
    keep = getattr(backend, compare)(_steps_right(*backend.shape(x)[-2:]), k)
    return backend.where(keep, x, backend.full((), 0, backend.dtype(x)))


@op
def tril(x: Any, k: int = 0) -> Any:
    """Return matrices with zeros above the k-th diagonal.

    Args:
        x: array, (..., m, n).
        k: int, the diagonal: 0 is the main one, positive ones are above it; default 0.

    >>> tril([[1, 2], [3, 4]])
    array([[1, 0],
           [3, 4]], dtype=int32)
    """
    return _masked_triangle(x, "less_equal", k)


@op
def triu(x: Any, k: int = 0) -> Any:
    """Return matrices with zeros below the k-th diagonal.

    Args:
        x: array, (..., m, n).
        k: int, the diagonal: 0 is the main one, positive ones are above it; default 0.

    >>> triu([[1, 2], [3, 4]])
    array([[1, 2],
           [0, 4]], dtype=int32)
    """
    return _masked_triangle(x, "greater_equal", k)


@op
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonals over two axes, as the last axis of the result.

    Args:
        x: array of at least two axes, of any shape.
        offset: int, the diagonal: 0 is the main one, positive ones are above it; default 0.
        axis1: int, the first axis of the matrices; default 0.
        axis2: int, the second axis of the matrices; default 1.

    Raises:
        ValueError: if both axes are the same, or one of their sizes is unknown while values are computed.

    >>> diagonal([[1, 2], [3, 4]])
    array([1, 4], dtype=int32)
    """
    backend = current()
    x = _call.array(x)
    shape = backend.shape(x)
    rank = len(shape)
    first, second = _call.axis_of(axis1, rank, "axis1"), _call.axis_of(axis2, rank, "axis2")
    if first == second:
        raise ValueError(f"Expected two different axes. Received: axis1={axis1} and axis2={axis2}.")
    rows, columns = shape[first], shape[second]
    others = [a for a in range(rank) if a not in (first, second)]
    if None in (rows, columns) and backend.is_symbolic:
        return backend.full((*(shape[a] for a in others), None), 0, backend.dtype(x))
    if None in (rows, columns):
        raise ValueError(f"Expected known sizes of the axes {axis1} and {axis2}. Received shape: {shape}.")
    x = backend.transpose(x, (*others, first, second))
    x = _call.reshaped(x, (*(shape[a] for a in others), rows * columns))
    row = np.arange(max(-offset, 0), max(min(rows, columns - offset), 0), dtype="int32")
    return backend.take(x, backend.array(row * columns + row + offset), -1)


@op
def diag(x: Any, k: int = 0) -> Any:
    """Return the diagonal of a matrix, or a matrix with a given diagonal.

    Args:
        x: array, a vector or a matrix.
        k: int, the diagonal: 0 is the main one, positive ones are above it; default 0.

    Raises:
        ValueError: if x does not have one or two axes.

    >>> diag([1, 2])
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    backend = current()
    x = _call.array(x)
    rank = len(backend.shape(x))
    if rank == 2:
        return diagonal(x, k)
    if rank != 1:
        raise ValueError(f"Expected a vector or a matrix. Received shape: {backend.shape(x)}.")
    (n,) = backend.shape(x)
    on = backend.equal(_steps_right(*[None if n is None else n + abs(k)] * 2), k)
    rows = _call.reshaped(backend.pad(x, [(max(-k, 0), max(k, 0))]), (-1, 1))
    return backend.where(on, rows, backend.full((), 0, backend.dtype(x)))


@op
def diagflat(x: Any, k: int = 0) -> Any:
    """Return a matrix whose diagonal holds the entries of x, in order.

    Args:
        x: array of any shape.
        k: int, the diagonal: 0 is the main one, positive ones are above it; default 0.

    >>> diagflat([[1], [2]])
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    return diag(current().reshape(_call.array(x), (-1,)), k)


@op
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sums along diagonals.

    Args:
        x: array of at least two axes, of any shape.
        offset: int, the diagonal: 0 is the main one, positive ones are above it; default 0.
        axis1: int, the first axis of the matrices; default 0.
        axis2: int, the second axis of the matrices; default 1.

    >>> trace([[1.0, 2.0], [3.0, 4.0]])
    np.float32(5.0)
    """
    from polykeras.ops import reductions

    return reductions.sum(diagonal(x, offset, axis1, axis2), -1)


@op
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the Vandermonde matrix of a vector: its powers, in decreasing order by default.

    Args:
        x: array, (n,).
        N: int, the number of columns; None for n.
        increasing: bool, whether powers increase from column to column; default False.

    Raises:
        ValueError: if x has more than one axis.

    >>> vander([1.0, 2.0, 3.0], increasing=True)
    array([[1., 1., 1.],
           [1., 2., 4.],
           [1., 3., 9.]], dtype=float32)
    """
    backend = current()
    x = _call.array(x)
    if len(backend.shape(x)) != 1:
        raise ValueError(f"Expected a vector. Received shape: {tuple(backend.shape(x))}.")
    count = backend.shape(x)[0] if N is None else N
    powers = backend.arange(0, count, 1, "int32")
    powers = powers if increasing else backend.flip(powers, (0,))
    return backend.power(_call.reshaped(x, (-1, 1)), backend.cast(powers, backend.dtype(x)))


@op
def meshgrid(*x: Any, indexing: str = "xy") -> list:
    """Return coordinate arrays of the grid spanned by vectors.

    Args:
        *x: vectors.
        indexing: "ij" puts vector i along axis i; "xy" swaps the first two.

    Raises:
        ValueError: for an unknown ``indexing``.

    >>> meshgrid([1, 2], [3, 4])[0]
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f'Expected indexing to be "xy" or "ij". Received: {indexing!r}.')
    backend = current()
    vectors = [backend.reshape(_call.array(v), (-1,)) for v in x]
    indices = list(range(len(x)))
    if indexing == "xy" and len(x) > 1:
        indices[:2] = 1, 0
    sizes = [backend.shape(v)[0] for v in vectors]
    whole = [0] * len(x)
    for index, n in zip(indices, sizes, strict=True):
        whole[index] = n
    result = []
    for v, index in zip(vectors, indices, strict=True):
        own = [-1 if index == axis else 1 for axis in range(len(x))]
        result.append(backend.broadcast_to(backend.reshape(v, tuple(own)), tuple(whole)))
    return result
