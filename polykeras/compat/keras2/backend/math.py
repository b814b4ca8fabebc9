"""Arithmetic, comparisons, reductions and products, under the names of Keras 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import config, ops
from polykeras.ops import linalg

abs = ops.abs
all = ops.all
any = ops.any
cos = ops.cos
exp = ops.exp
log = ops.log
logsumexp = ops.logsumexp
max = ops.max
mean = ops.mean
min = ops.min
prod = ops.prod
round = ops.round
sign = ops.sign
sin = ops.sin
square = ops.square
std = ops.std
sum = ops.sum
var = ops.var


def sqrt(x: Any) -> Any:
    """Return the square root, 0 for negative numbers.

    Args:
        x: array of any shape.

    >>> sqrt([4.0, -1.0])
    array([2., 0.], dtype=float32)
    """
    return ops.sqrt(ops.maximum(x, 0.0))


def pow(x: Any, a: Any) -> Any:
    """Return ``x ** a``.

    Args:
        x: array of any shape.
        a: scalar.

    >>> pow([2.0, 3.0], 2)
    array([4., 9.], dtype=float32)
    """
    return ops.power(x, a)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Return x clipped to a range; None is no bound, and an upper bound below the lower is raised to it.

    Args:
        x: array of any shape.
        min_value, max_value: scalars, or None for no bound.

    >>> clip([1.0, 5.0], 2.0, None)
    array([2., 5.], dtype=float32)
    """
    if min_value is not None:
        x = ops.maximum(x, min_value)
    if max_value is None:
        return x
    return ops.minimum(x, max_value if min_value is None else ops.maximum(max_value, min_value))


def maximum(x: Any, y: Any) -> Any:
    """Return the elementwise maximum.

    Args:
        x, y: arrays that broadcast together.

    >>> maximum([1, 5], [2, 3])
    array([2, 5], dtype=int32)
    """
    return ops.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """Return the elementwise minimum.

    Args:
        x, y: arrays that broadcast together.

    >>> minimum([1, 5], [2, 3])
    array([1, 3], dtype=int32)
    """
    return ops.minimum(x, y)


def equal(x: Any, y: Any) -> Any:
    """Return whether entries are equal.

    Args:
        x, y: arrays that broadcast together.

    >>> equal([1, 5], [1, 3])
    array([ True, False])
    """
    return ops.equal(x, y)


def not_equal(x: Any, y: Any) -> Any:
    """Return whether entries differ.

    Args:
        x, y: arrays that broadcast together.

    >>> not_equal([1, 5], [1, 3])
    array([False,  True])
    """
    return ops.not_equal(x, y)


def greater(x: Any, y: Any) -> Any:
    """Return whether entries of x are greater.

    Args:
        x, y: arrays that broadcast together.

    >>> greater([1, 5], [1, 3])
    array([False,  True])
    """
    return ops.greater(x, y)


def greater_equal(x: Any, y: Any) -> Any:
    """Return whether entries of x are greater or equal.

    Args:
        x, y: arrays that broadcast together.

    >>> greater_equal([1, 5], [1, 7])
    array([ True, False])
    """
    return ops.greater_equal(x, y)


def less(x: Any, y: Any) -> Any:
    """Return whether entries of x are less.

    Args:
        x, y: arrays that broadcast together.

    >>> less([1, 5], [1, 7])
    array([False,  True])
    """
    return ops.less(x, y)


def less_equal(x: Any, y: Any) -> Any:
    """Return whether entries of x are less or equal.

    Args:
        x, y: arrays that broadcast together.

    >>> less_equal([1, 5], [1, 3])
    array([ True, False])
    """
    return ops.less_equal(x, y)


def argmax(x: Any, axis: int = -1) -> Any:
    """Return the index of the largest entry along an axis.

    Args:
        x: array of any shape.
        axis: int; default -1.

    >>> argmax([[1, 5, 3]])
    array([1], dtype=int32)
    """
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Return the index of the smallest entry along an axis.

    Args:
        x: array of any shape.
        axis: int; default -1.

    >>> argmin([[1, 5, 3]])
    array([0], dtype=int32)
    """
    return ops.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Return cumulative sums along an axis.

    Args:
        x: array of any shape.
        axis: int; default 0.

    >>> cumsum([1, 2, 3])
    array([1, 3, 6], dtype=int32)
    """
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Return cumulative products along an axis.

    Args:
        x: array of any shape.
        axis: int; default 0.

    >>> cumprod([2, 2, 3])
    array([ 2,  4, 12], dtype=int32)
    """
    return ops.cumprod(x, axis)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """Return x divided by its Euclidean norm along axes, by default all.

    Args:
        x: array of any shape.
        axis: int or tuple of ints; None for all.

    >>> l2_normalize([3.0, 4.0])
    array([0.6, 0.8], dtype=float32)
    """
    total = ops.sum(ops.square(x), axis, keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(total, 1e-12)))


def dot(x: Any, y: Any) -> Any:
    """Return the sum of products over the last axis of x and the second-to-last of y.

    Args:
        x: array, (..., n).
        y: array, (..., n, m), or a vector (n,).

    >>> dot([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]], dtype=float32)
    """
    return ops.dot(x, y)


def batch_dot(x: Any, y: Any, axes: int | Sequence[int] | None = None) -> Any:
    """Return for each sample the sum of products of x and y over one axis of each.

    Args:
        x, y: arrays of at least two axes, the first of which is the batch.
        axes: pair of ints, the axis of x and that of y, or one int for both. Default None: the last of x, and the
            second-to-last of y, or the last if y is a matrix.

    Returns:
        An array (batch, other axes of x, other axes of y); (batch, 1) if neither has any.

    Raises:
        ValueError: for arrays with fewer axes, the batch axis, or axes whose sizes differ.

    >>> batch_dot([[1.0, 2.0]], [[3.0, 4.0]], axes=1)
    array([[11.]], dtype=float32)
    """
    shapes = tuple(ops.shape(x)), tuple(ops.shape(y))
    ranks = [len(shape) for shape in shapes]
    if ranks[0] < 2 or ranks[1] < 2:
        raise ValueError(f"Expected x and y of at least two axes. Received shapes: {shapes[0]} and {shapes[1]}.")
    if axes is None:
        axes = ranks[0] - 1, ranks[1] - (1 if ranks[1] == 2 else 2)
    given = (axes, axes) if isinstance(axes, int) else tuple(axes)
    pair = [axis + rank if axis < 0 else axis for axis, rank in zip(given, ranks, strict=True)]
    if not (0 < pair[0] < ranks[0] and 0 < pair[1] < ranks[1]):
        raise ValueError(f"Expected axes of x and y other than the batch axis, for shapes {shapes}. Received: {axes}.")
    sizes = shapes[0][pair[0]], shapes[1][pair[1]]
    if None not in sizes and sizes[0] != sizes[1]:
        raise ValueError(f"Expected the axes {tuple(pair)} to have the same size. Received shapes: {shapes}.")
    return linalg.batch_dot(x, y, *pair)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Return whether the score of each target class is among the k largest in its row.

    Args:
        predictions: array, (batch, classes).
        targets: array of integers, (batch,).
        k: int.

    >>> in_top_k([[0.1, 0.7, 0.2]], [2], k=2)
    array([ True])
    """
    return ops.in_top_k(ops.cast(targets, "int32"), predictions, k)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """Return x plus a bias for each channel, or for each position and channel.

    Args:
        x: array, (batch, *spatial, channels), or channels first.
        bias: array, (channels,) or (*spatial, channels); the latter is reshaped, not transposed, for channels first.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.

    Raises:
        ValueError: for a bias with another number of axes.

    >>> bias_add([[[1.0, 2.0]]], [10.0, 20.0], "channels_last")
    array([[[11., 22.]]], dtype=float32)
    """
    is_last = config.standardize_data_format(data_format) == "channels_last"
    rank, axes = ops.ndim(x), ops.ndim(bias)
    if axes not in (1, rank - 1):
        raise ValueError(f"Expected a bias of 1 or {rank - 1} axes, for x of {rank}. Received: {axes} axes.")
    if is_last or rank < 3:
        return ops.add(x, bias)
    # As in Keras, the entries of a full bias keep their order: they are not transposed.
    *spatial, channels = ops.shape(bias)
    return ops.add(x, ops.reshape(bias, (channels, *(spatial or (1,) * (rank - 2)))))
