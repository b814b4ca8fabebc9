"""Reductions over segments: entries with the same segment id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.backends import current
from polykeras.core import dtypes
from polykeras.ops import _call, control
from polykeras.ops._call import array, op

# ``segment_ids`` gives the segment of each entry along the first axis of ``data``. Entries with ids
# outside [0, num_segments) are ignored.


@op
@_call.in_single_precision
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Return the sum of each segment, 0 where it is empty.

    Args:
        data: array.
        segment_ids: array of integers, (n,), the segment of each entry.
        num_segments: int, the size of the result's first axis; None for the largest id plus 1, which must be known.
        sorted: bool, for compatibility; default False.

    >>> segment_sum([1, 2, 3], [0, 0, 2])
    array([3, 0, 3], dtype=int32)
    """
    backend = current()
    data, ids, count = _arguments(data, segment_ids, num_segments)
    inside = _clamped(ids, count)
    zeros = backend.full((None if count is None else count + 1, *backend.shape(data)[1:]), 0, backend.dtype(data))
    total = backend.scatter_add(zeros, _call.reshaped(inside, (-1, 1)), data)
    return backend.getitem(total, (slice(0, count),))


@op
def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Return the product of each segment, 1 where it is empty; see ``segment_sum`` for the arguments.

    Args:
        data: array, (n, ...).
        segment_ids: array of integers, (n,), the segment of each entry.
        num_segments: int, the size of the result's first axis; None for the largest id plus 1.
        sorted: bool, whether the ids are in increasing order; default False.

    >>> segment_prod([1, 2, 3], [0, 0, 2])
    array([2, 1, 3], dtype=int32)
    """
    data, ids, count = _arguments(data, segment_ids, num_segments)
    return reduce(data, ids, count, current().multiply, "mul")


@op
def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Return the largest entry of each segment, the lowest value of the dtype where it is empty.

    See ``segment_sum`` for the arguments.

    Args:
        data: array, (n, ...).
        segment_ids: array of integers, (n,), the segment of each entry.
        num_segments: int, the size of the result's first axis; None for the largest id plus 1.
        sorted: bool, whether the ids are in increasing order; default False.

    >>> segment_max([1, 2, 3], [0, 0, 1])
    array([2, 3], dtype=int32)
    """
    data, ids, count = _arguments(data, segment_ids, num_segments)
    return reduce(data, ids, count, current().maximum, "max")


@op
def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Return the smallest entry of each segment, the highest value of the dtype where it is empty.

    See ``segment_sum`` for the arguments.

    Args:
        data: array, (n, ...).
        segment_ids: array of integers, (n,), the segment of each entry.
        num_segments: int, the size of the result's first axis; None for the largest id plus 1.
        sorted: bool, whether the ids are in increasing order; default False.

    >>> segment_min([1, 2, 3], [0, 0, 1])
    array([1, 3], dtype=int32)
    """
    data, ids, count = _arguments(data, segment_ids, num_segments)
    return reduce(data, ids, count, current().minimum, "min")


def _arguments(data: Any, segment_ids: Any, num_segments: int | None) -> tuple:
    backend = current()
    data, ids = _call.number_array(data), array(segment_ids, "int32")
    shapes = tuple(backend.shape(data)), tuple(backend.shape(ids))
    if (
        len(shapes[1]) != 1
        or not shapes[0]
        or (None not in (rows := (shapes[0][0], *shapes[1])) and rows[0] != rows[1])
    ):
        raise ValueError(f"Expected a vector of segment_ids, one for each row of data. Received shapes: {shapes}.")
    if num_segments is None and not backend.is_symbolic:
        largest = backend.concrete(backend.max(ids))
        if not isinstance(largest, int):
            raise ValueError("Expected num_segments, in a compiled function. Received: None.")
        num_segments = largest + 1
    return data, ids, num_segments


def _clamped(ids: Any, count: int | None) -> Any:
    """Return the ids, with all that are out of range mapped to one index after the last segment."""
    if count is None:
        return ids
    backend = current()
    is_outside = backend.logical_or(backend.less(ids, 0), backend.greater_equal(ids, count))
    return backend.where(is_outside, backend.full((), count, "int32"), ids)


def reduce(data: Any, ids: Any, count: int | None, combine: Callable, name: str) -> Any:
    """Combine the entries of each segment with an associative function.

    The entries are sorted by segment and combined by a scan that restarts at each segment, so that
    the last entry of each segment holds its result.

    Args:
        data: array.
        ids: int32 array, one id for each entry along the first axis.
        count: the number of segments.
        combine: an associative function of two arrays.
        name: "max", "min" or "mul", which determines the value of an empty segment.
    """
    backend = current()
    shape = tuple(backend.shape(data))
    empty = _neutral(name, backend.dtype(data))
    result = backend.full((None if count is None else count + 1, *shape[1:]), empty, backend.dtype(data))
    if None not in (count, shape[0]) and shape[0]:
        order = backend.argsort(ids := _clamped(ids, count), 0)
        ids, data = backend.take(ids, order, 0), backend.take(data, order, 0)

        def column(x: Any) -> Any:
            return backend.reshape(x, (-1, *(1,) * (len(shape) - 1)))

        def step(left: tuple, right: tuple) -> tuple:
            is_same = backend.equal(column(left[0]), column(right[0]))
            return right[0], backend.where(is_same, combine(left[1], right[1]), right[1])

        _, running = control.associative_scan(step, (ids, data))
        is_last = backend.not_equal(backend.getitem(ids, (slice(1, None),)), backend.getitem(ids, (slice(None, -1),)))
        is_last = backend.pad(is_last, [(0, 1)], True)
        index = backend.where(is_last, ids, backend.full((), count, "int32"))
        result = backend.scatter_set(result, backend.reshape(index, (-1, 1)), running)
    return backend.getitem(result, (slice(0, count),))


def _neutral(name: str, dtype: str) -> Any:
    if name == "mul":
        return 1
    if dtype in dtypes.FLOATS:
        return -np.inf if name == "max" else np.inf
    limits = np.iinfo(dtype)
    return int(limits.min if name == "max" else limits.max)
