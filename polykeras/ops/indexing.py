"""Indexing arrays, updating entries at indices, selecting, sorting and counting."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras.backends import current
from polykeras.core import dtypes, naming, shape_inference
from polykeras.ops import _call
from polykeras.ops._call import array, op

# --------------------------------------------------------------------- reading


def _wrapped(indices: Any, size: int | None) -> Any:
    """Return integer indices as an array, with negative ones counted from the start."""
    backend = current()
    if isinstance(indices, np.ndarray) and size is not None:
        return backend.array(np.where(indices < 0, indices + size, indices).astype("int32"))
    indices = array(indices)
    dtype = backend.dtype(indices)
    if dtype not in dtypes.INTEGERS:
        indices = backend.cast(indices, "int32")
    if dtype not in dtypes.UNSIGNED and size is not None:
        indices = backend.where(backend.less(indices, 0), backend.add(indices, size), indices)
    return _inside(indices, size)


def _inside(indices: Any, size: int | None) -> Any:
    """Return indices unchanged, except that invalid ones, whose results are not used, are moved into range."""
    if size is None or not shape_inference.are_tried():
        return indices
    backend = current()
    return backend.minimum(backend.maximum(indices, 0), builtins.max(size - 1, 0))


@op
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Return entries along an axis, at integer indices.

    Args:
        x: array of any shape.
        indices: integers of any shape, within the size; negative ones count from the end. For a ``tf.RaggedTensor``
            the result is one, too.
        axis: int; None flattens x first; default None.

    >>> take([[1, 2], [3, 4]], [1, -1, 0], axis=1)
    array([[2, 2, 1],
           [4, 4, 3]], dtype=int32)
    """
    backend = current()
    x = array(x)
    if axis is None:
        x, axis = backend.reshape(x, (-1,)), 0
    shape = backend.shape(x)
    axis = _call.axis_of(axis, len(shape))
    indices = _wrapped(indices, shape[axis])
    if axis == 0 and len(shape) == 2 and backend.dtype(x) in dtypes.FLOATS:
        return backend.embedding(x, indices)
    return backend.take(x, indices, axis)


@op
def embedding(table: Any, indices: Any) -> Any:
    """Return the rows of a table at non-negative integer indices: ``take``, without checks.

    Args:
        table: array, (rows, ...).
        indices: array of integers, of any shape.

    >>> embedding([[1.0, 2.0], [3.0, 4.0]], [1, 0])
    array([[3., 4.],
           [1., 2.]], dtype=float32)
    """
    backend = current()
    indices = array(indices)
    if backend.dtype(indices) not in dtypes.INTEGERS:
        indices = backend.cast(indices, "int32")
    table = array(table)
    return backend.embedding(table, _inside(indices, backend.shape(table)[0]))


@op
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Return entries along an axis, with an index for each position along the other axes.

    Args:
        x: array of any shape.
        indices: array of integers with as many axes as x; the other axes broadcast.
        axis: int; None for the flat array; default None.

    Raises:
        ValueError: for a different number of axes, or sizes that don't broadcast.

    >>> take_along_axis([[1, 2], [3, 4]], [[0], [1]], axis=1)
    array([[1],
           [4]], dtype=int32)
    """
    backend = current()
    x = array(x)
    if axis is None:
        x, axis, indices = backend.reshape(x, (-1,)), 0, backend.reshape(array(indices), (-1,))
    shape = backend.shape(x)
    axis = _call.axis_of(axis, len(shape))
    indices = _wrapped(indices, shape[axis])
    return backend.take_along_axis(_beside(x, indices, axis), _beside(indices, x, axis), axis)


def _beside(x: Any, other: Any, axis: int) -> Any:
    """Broadcast an array's axes of size 1 to those of another, except for one axis."""
    backend = current()
    own, others = tuple(backend.shape(x)), tuple(backend.shape(other))
    if len(own) != len(others):
        raise ValueError(f"Expected indices with as many axes as x. Received shapes: {own} and {others}.")
    pairs = enumerate(zip(own, others, strict=True))
    shape = tuple(its if size == 1 and a != axis else size for a, (size, its) in pairs)
    return x if shape == own else backend.broadcast_to(x, shape)


@op
def get_item(x: Any, key: Any) -> Any:
    """Return ``x[key]``.

    Args:
        x: array of any shape.
        key: int, slice, None, "...", integer array, or a bool array (of any shape) whose values are known;
            or a tuple of them.

    Raises:
        TypeError: for a name.

    >>> get_item([[1, 2], [3, 4]], (..., 0))
    array([1, 3], dtype=int32)
    """
    backend = current()
    x = array(x)
    key = key if isinstance(key, tuple) else (key,)
    if any(isinstance(item, str | bytes) for item in key):
        raise TypeError(
            f"Expected an index: ints, slices, arrays, None or '...'. Received: {naming.short(key)}, for an array of "
            f"shape {tuple(backend.shape(x))}. Pass a dict where names are looked up."
        )
    if any(_is_mask(k) for k in key):
        key = _masks_as_indices(key)
    plain, arrays, axis = [], {}, 0
    for item in _spelled_out(key, len(backend.shape(x))):
        if item is None or isinstance(item, int | np.integer | builtins.slice):
            plain.append(_as_python(item))
        else:
            arrays[axis] = _integers(item)
            plain.append(builtins.slice(None))
        axis += not isinstance(plain[-1], int)
    if any(p != builtins.slice(None) for p in plain):
        x = backend.getitem(x, tuple(plain))
    return _index_by_arrays(x, arrays) if arrays else x


def _integers(item: Any) -> Any:
    """Return an index array unchanged.

    Raises:
        TypeError: for floats, which NumPy and the engines refuse too.
    """
    dtype = np.asarray(item).dtype if isinstance(item, float | list) else getattr(item, "dtype", "int32")
    if "float" in str(dtype):
        raise TypeError(f"Expected integers as indices. Received: {naming.short(item)}. Use ops.cast(index, 'int32').")
    return item


def _is_mask(item: Any) -> bool:
    if isinstance(item, list):
        item = np.asarray(item)
    return str(getattr(item, "dtype", "")).rpartition(".")[2] == "bool"


def _masks_as_indices(key: tuple) -> tuple:
    """Replace bool arrays by the integer arrays of their True entries."""
    result: list = []
    for item in key:
        result.extend(np.nonzero(_values(item)) if _is_mask(item) else (item,))
    return tuple(result)


def _values(item: Any) -> np.ndarray:
    # As an array of an engine, its values would not be known in a graph.
    return np.asarray(item) if isinstance(item, np.ndarray | list) else current().to_numpy(array(item))


def _spelled_out(key: tuple, rank: int) -> list:
    """Return a key with an item for every axis."""
    ellipses = [n for n, item in enumerate(key) if item is Ellipsis]
    missing = rank - sum(item is not None and item is not Ellipsis for item in key)
    if missing < 0 or len(ellipses) > 1:
        raise IndexError(f"Expected at most {rank} indices and one '...'. Received: {key}.")
    ellipsis = ellipses[0] if ellipses else len(key)
    return [*key[:ellipsis], *[builtins.slice(None)] * missing, *key[ellipsis + 1 :]]


def _as_python(item: Any) -> Any:
    """Convert known integers, also in slices, to Python ints."""
    if isinstance(item, builtins.slice):
        bounds = (item.start, item.stop, item.step)
        return builtins.slice(*(None if b is None else _python_int(b) for b in bounds))
    return item if item is None else int(item)


def _python_int(bound: Any) -> int:
    if isinstance(bound, int | np.integer):
        return int(bound)
    value = current().concrete(array(bound))
    if not isinstance(value, int):
        raise TypeError(f"Expected known slice bounds. Received: {bound!r}. Use ops.slice, with a known shape.")
    return value


def _index_by_arrays(x: Any, arrays: dict[int, Any]) -> Any:
    """Index some axes by integer arrays that broadcast."""
    backend = current()
    axes = list(arrays)
    shape = backend.shape(x)
    if len(axes) == 1:
        return backend.take(x, _wrapped(arrays[axes[0]], shape[axes[0]]), axes[0])
    # Combine the indices into one flat index, for all these axes merged into the first of them.
    index = None
    for axis in axes:
        part = backend.cast(_wrapped(arrays[axis], shape[axis]), "int32")
        index = part if index is None else backend.add(backend.multiply(index, shape[axis]), part)
    rest = [a for a in range(len(shape)) if a not in axes]
    first_axis = axes[0] if axes[-1] - axes[0] == len(axes) - 1 else 0
    order = [*rest[:first_axis], *axes, *rest[first_axis:]]
    x = backend.transpose(x, tuple(order))
    joined = _call.times(*(shape[a] for a in axes))
    x = _call.reshaped(x, [*(shape[a] for a in rest[:first_axis]), joined, *(shape[a] for a in rest[first_axis:])])
    return backend.take(x, index, first_axis)


@op
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> Any:
    """Return a block of an array.

    Args:
        inputs: array of any shape.
        start_indices: the start of the block, an int for each axis; may be an array.
        shape: tuple of ints, the size of the block; -1 for everything up to the end.

    >>> slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2))
    array([[2, 3],
           [5, 6]], dtype=int32)
    """
    x = array(inputs)
    starts, shape = _starts(start_indices), _call.sizes(shape)
    if all(isinstance(s, int) for s in starts):
        stops = [None if n in (-1, None) else s + n for s, n in zip(starts, shape, strict=True)]
        block = current().getitem(x, tuple(map(builtins.slice, starts, stops)))
        known = {a: n for a, n in enumerate(shape) if n not in (-1, None) and current().shape(x)[a] is None}
        return _call.sized(block, known) if known and current().is_symbolic else block
    sizes = tuple(None if n == -1 else n for n in shape) if current().is_symbolic else shape
    return current().dynamic_slice(x, starts, sizes)


def _starts(indices: Any) -> list:
    """Return start indices as Python ints where they are known, otherwise as 0-d arrays."""
    if isinstance(indices, list | tuple):
        return [int(i) if isinstance(i, int | np.integer) else current().concrete(array(i)) for i in indices]
    indices = array(indices)
    (count,) = current().shape(indices)
    return [current().concrete(current().getitem(indices, (n,))) for n in range(count)]


# --------------------------------------------------------------------- writing


@op
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """Return an array with a block replaced.

    Args:
        inputs: array of any shape.
        start_indices: the start of the block, an int for each axis; may be an array.
        updates: array, the new block.

    >>> slice_update([1, 2, 3, 4], [1], [7, 8])
    array([1, 7, 8, 4], dtype=int32)
    """
    x = array(inputs)
    return current().dynamic_update(x, array(updates, current().dtype(x)), _starts(start_indices))


@op
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Any:
    """Return zeros to which values are added at indices.

    Args:
        indices: array of integers, (n, k): positions along the k leading axes.
        values: array, ``(n, *shape[k:])``; values of repeated indices add up.
        shape: tuple of ints, the shape of the result.

    >>> scatter([[0], [2], [0]], [1.0, 2.0, 3.0], (4,))
    array([4., 0., 2., 0.], dtype=float32)
    """
    backend = current()
    values = array(values)
    return scatter_update(backend.full(_call.sizes(shape), 0, backend.dtype(values)), indices, values, "add")


_REDUCTIONS = (None, "add", "max", "min", "mul")


@op
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """Return an array with the entries at indices replaced by, or combined with, updates.

    Args:
        inputs: array of any shape.
        indices: array of integers, (..., k): positions along the k leading axes.
        updates: array, ``(..., *inputs.shape[k:])``.
        reduction: None to replace, or "add", "max", "min", "mul" to combine.

    Raises:
        ValueError: for an unknown reduction.

    >>> scatter_update([1, 2, 3], [[0], [0]], [7, 8], "add")
    array([16,  2,  3], dtype=int32)
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(f"Expected reduction to be one of {_REDUCTIONS}. Received: {reduction!r}.")
    backend = current()
    x = array(inputs)
    shape = tuple(backend.shape(x))
    indices = array(indices, "int32")
    depth = backend.shape(indices)[-1]
    indices = backend.reshape(indices, (-1, depth))
    count = backend.shape(indices)[0]
    updates = _call.reshaped(array(updates, backend.dtype(x)), (count, *shape[depth:]))
    columns = [_wrapped(backend.getitem(indices, (..., n)), shape[n]) for n in range(depth)]
    indices = backend.stack(columns, -1)
    if reduction is None:
        return backend.scatter_set(x, indices, updates)
    if reduction == "add":
        return backend.scatter_add(x, indices, updates)
    return _scatter_combine(x, columns, updates, reduction)


def _scatter_combine(x: Any, columns: list, updates: Any, reduction: str) -> Any:
    """Combine entries with the "max", "min" or product ("mul") of their updates."""
    from polykeras.ops import segments

    backend = current()
    shape = tuple(backend.shape(x))
    depth = len(columns)
    flat = columns[0]
    for size, column in zip(shape[1:], columns[1:], strict=False):
        flat = backend.add(backend.multiply(flat, size), column)
    combine = {"max": backend.maximum, "min": backend.minimum, "mul": backend.multiply}[reduction]
    parts = segments.reduce(updates, flat, _call.times(*shape[:depth]), combine, reduction)
    return combine(x, backend.reshape(parts, shape))


# -------------------------------------------------------------------- choosing


@op
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """Return x1 where a condition is True, otherwise x2; with only the condition, its ``nonzero``.

    Args:
        condition: array of bools, of any shape.
        x1, x2: arrays that broadcast with ``condition``; both None returns the indices of True entries.

    Raises:
        ValueError: if only one of ``x1`` and ``x2`` is given.

    >>> where([True, False], [1, 2], 0)
    array([1, 0], dtype=int32)
    """
    if x1 is None and x2 is None:
        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ValueError("Expected both of x1 and x2, or neither. Received: one of them.")
    return current().where(array(condition, "bool"), *_call.same_dtype(x1, x2))


@op
def select(condlist: Sequence, choicelist: Sequence, default: Any = 0) -> Any:
    """Return, elementwise, the choice for the first condition that is True.

    Args:
        condlist: list of bool arrays.
        choicelist: list of arrays that broadcast with the conditions.
        default: scalar or array, the value where no condition is True; default 0.

    Raises:
        ValueError: if the numbers of choices and conditions differ.

    >>> select([[True, False], [True, True]], [[1, 2], [3, 4]])
    array([1, 4], dtype=int32)
    """
    if len(condlist) != len(choicelist):
        raise ValueError(f"Expected as many choices as conditions. Received: {len(choicelist)}, {len(condlist)}.")
    *choices, result = _call.same_dtype(*choicelist, default)
    for condition, choice in zip(condlist[::-1], choices[::-1], strict=True):
        result = current().where(array(condition, "bool"), choice, result)
    return result


@op
def nonzero(x: Any) -> tuple:
    """Return the indices of the non-zero entries, an int32 vector for each axis.

    The number of entries depends on the values, so it can't be compiled.

    Args:
        x: array of any shape.

    >>> nonzero([[0, 5], [6, 0]])
    (array([0, 1], dtype=int32), array([1, 0], dtype=int32))
    """
    backend = current()
    x = array(x)
    if backend.is_symbolic:
        return tuple(backend.full((None,), 0, "int32") for _ in backend.shape(x))
    return tuple(backend.array(i.astype("int32")) for i in np.nonzero(backend.to_numpy(x)))


# ------------------------------------------------------------ sorting, searching


@op
def sort(x: Any, axis: int = -1) -> Any:
    """Return entries sorted in ascending order along an axis; NaN comes last.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default -1.

    >>> sort([3, 1, 2])
    array([1, 2, 3], dtype=int32)
    """
    x = array(x)
    if axis is None:
        x, axis = current().reshape(x, (-1,)), 0
    return current().sort(x, _call.axis_of(axis, len(current().shape(x))))


@op
def argsort(x: Any, axis: int = -1) -> Any:
    """Return the int32 indices of a stable ascending sort along an axis.

    Args:
        x: array of any shape.
        axis: int, or None for the flat array; default -1.

    >>> argsort([3, 1, 2])
    array([1, 2, 0], dtype=int32)
    """
    x = array(x)
    if axis is None or not current().shape(x):
        x, axis = current().reshape(x, (-1,)), 0
    return current().argsort(x, _call.axis_of(axis, len(current().shape(x))))


@op
def argpartition(x: Any, kth: int, axis: int = -1) -> Any:
    """Return indices that partition x: the ``kth`` entry in sorted order gets its sorted position, after smaller ones.

    Args:
        x: array of any shape.
        kth: int, an index into the sorted entries.
        axis: int, the axis; default -1.

    Raises:
        ValueError: if ``kth`` is not an int.

    >>> argpartition([3, 1, 2], 1)
    array([1, 2, 0], dtype=int32)
    """
    if not isinstance(kth, int | np.integer):
        raise ValueError(f"Expected kth to be an int. Received: {kth!r}.")
    return argsort(x, axis)


@op
def top_k(x: Any, k: int, sorted: bool = True) -> tuple:
    """Return the k largest entries along the last axis, and their int32 indices.

    Args:
        x: array of any shape.
        k: int, how many.
        sorted: bool, for compatibility; entries are always in descending order.

    >>> top_k([1, 5, 3], 2)
    (array([5, 3], dtype=int32), array([1, 2], dtype=int32))
    """
    return tuple(current().top_k(array(x), k))


@op
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Return whether the score of each target class is among the k largest in its row.

    Args:
        targets: array of int classes, (batch,).
        predictions: array of scores, (batch, classes).
        k: int, how many of the largest scores count.

    >>> in_top_k([1, 0], [[0.1, 0.9], [0.2, 0.8]], 1)
    array([ True, False])
    """
    backend = current()
    predictions = array(predictions)
    index = backend.cast(array(targets), "int32")
    index = _call.reshaped(index, (*backend.shape(index), 1))
    own = backend.take_along_axis(predictions, index, -1)
    above = backend.cast(backend.greater(predictions, own), "int32")
    is_in = backend.less(backend.sum(above, (-1,)), k)
    return backend.logical_and(is_in, backend.isfinite(backend.getitem(own, (..., 0))))


@op
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Return the int32 indices at which inserting values keeps a sorted vector sorted.

    Args:
        sorted_sequence: vector in ascending order.
        values: array of any shape.
        side: "left" for the index before equal entries, "right" for the one after; default "left".

    Raises:
        ValueError: for an unknown ``side``.

    >>> searchsorted([1, 3, 5], [3, 4])
    array([1, 2], dtype=int32)
    """
    if side not in ("left", "right"):
        raise ValueError(f'Expected side to be "left" or "right". Received: {side!r}.')
    backend = current()
    sequence, values = _call.same_dtype(sorted_sequence, values)
    shape = tuple(backend.shape(values))
    if len(backend.shape(sequence)) != 1:
        raise ValueError(f"Expected a vector to search. Received shape: {tuple(backend.shape(sequence))}.")
    size = backend.shape(sequence)[0] or 0
    low, high = backend.full(shape, 0, "int32"), backend.full(shape, size, "int32")
    is_before = backend.less if side == "left" else backend.less_equal
    for _ in range(size.bit_length()):
        middle = backend.right_shift(backend.add(low, high), 1)
        probe = backend.take(sequence, backend.minimum(middle, size - 1), 0)
        is_open = backend.less(low, high)
        goes_up = backend.logical_and(is_before(probe, values), is_open)
        low, high = (
            backend.where(goes_up, backend.add(middle, 1), low),
            backend.where(backend.logical_and(is_open, backend.logical_not(goes_up)), middle, high),
        )
    return low


@op
def digitize(x: Any, bins: Any) -> Any:
    """Return the int32 number of bin edges that are at most x.

    Args:
        x: array of any shape.
        bins: array, (n,), the edges in ascending order.

    >>> digitize([0.5, 1.0, 9.0], [1.0, 2.0])
    array([0, 1, 2], dtype=int32)
    """
    return searchsorted(bins, x, "right")


@op
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Return whether entries of x1 occur in x2.

    Args:
        x1, x2: arrays of any shapes.
        assume_unique: for compatibility.
        invert: bool, whether to return the opposite; default False.

    >>> isin([1, 2, 3], [3, 1])
    array([ True, False,  True])
    """
    backend = current()
    x1, x2 = _call.same_dtype(x1, x2)
    choices = backend.sort(backend.reshape(x2, (-1,)), 0)
    size = backend.shape(choices)[0]
    if size == 0:
        return backend.full(tuple(backend.shape(x1)), invert, "bool")
    index = searchsorted(choices, x1)
    index = index if size is None else backend.minimum(index, size - 1)
    compare = backend.not_equal if invert else backend.equal
    return compare(backend.take(choices, index, 0), x1)


@op
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Return the unique entries of an array, in ascending order.

    The number of entries depends on the values, so it can't be compiled.

    Args:
        x: array of any shape.
        sorted: bool, for compatibility; entries are always sorted.
        return_index: bool, whether to return the index of each entry's first occurrence too; default False.
        return_inverse: bool, whether to return the indices that rebuild x from the unique entries too; default False.
        return_counts: bool, whether to return how often each entry occurs too; default False.
        axis: int, the axis along which slices are compared; None compares entries; default None.
        size: int to which the result is truncated or padded; default None, for as many as there are.
        fill_value: the padding; default None, for the first entry.

    >>> unique([3, 1, 3], return_counts=True)
    (array([1, 3], dtype=int32), array([1, 2], dtype=int32))
    """
    backend = current()
    x = array(x)
    flags = (return_index, return_inverse, return_counts)
    if backend.is_symbolic:
        shape = (size,) if axis is None else tuple(size if a == axis else n for a, n in enumerate(backend.shape(x)))
        parts = [backend.full(shape, 0, backend.dtype(x))]
        inverse = tuple(backend.shape(x)) if axis is None else (backend.shape(x)[axis],)
        shapes = [s for s, flag in zip([(size,), inverse, (size,)], flags, strict=True) if flag]
        parts += [backend.full(shape, 0, "int32") for shape in shapes]
        return tuple(parts) if len(parts) > 1 else parts[0]
    asked: dict[str, Any] = dict(zip(("return_index", "return_inverse", "return_counts"), flags, strict=True))
    found = np.unique(backend.to_numpy(x), axis=axis, **asked)
    values, *rest = found if isinstance(found, tuple) else (found,)
    if size is not None:
        values = _resized(values, size, fill_value, axis or 0)
        rest = [
            r if flag == 1 else _resized(r, size, 0, 0) for r, flag in zip(rest, np.flatnonzero(flags), strict=True)
        ]
    parts = [backend.array(values), *(backend.array(r.astype("int32")) for r in rest)]
    return tuple(parts) if rest else parts[0]


def _resized(values: np.ndarray, size: int, fill_value: Any, axis: int) -> np.ndarray:
    values = np.moveaxis(values, axis, 0)[:size]
    fill = values[0] if fill_value is None else fill_value
    filled = np.concatenate([values, np.broadcast_to(fill, (size - len(values), *values.shape[1:]))])
    return np.moveaxis(filled, 0, axis).astype(values.dtype)


# -------------------------------------------------------------------- counting


@op
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """Return how often each non-negative integer occurs, in a vector or in each row.

    Args:
        x: array of non-negative integers, (n,) or (batch, n).
        weights: array of x's shape, the weight of each entry; default None, for 1.
        minlength: int, the minimum number of counts; in a compiled function, the number of counts; default 0.
        sparse: bool, whether the result is sparse, on TensorFlow, and symbolic results are marked so; default False.

    >>> bincount([0, 2, 2])
    array([1, 0, 2], dtype=int32)
    """
    backend = current()
    if sparse:
        return backend.structured(bincount, (x, weights, minlength), {"sparse": True})
    x = backend.cast(array(x), "int32")
    shape = tuple(backend.shape(x))
    dtype = "int32" if weights is None else backend.dtype(weights := array(weights))
    ones = backend.full(shape, 1, dtype) if weights is None else weights
    length = _count_length(x, minlength)
    flat = backend.reshape(x, (-1, 1))
    if len(shape) == 1:
        return backend.scatter_add(backend.full((length,), 0, dtype), flat, ones)
    rows = backend.add(backend.reshape(backend.arange(0, shape[0], 1, "int32"), (-1, 1)), backend.multiply(x, 0))
    index = backend.concatenate([backend.reshape(rows, (-1, 1)), flat], 1)
    counts = backend.full((shape[0], length), 0, dtype)
    return backend.scatter_add(counts, index, backend.reshape(ones, (-1,)))


def _count_length(x: Any, minlength: int) -> int | None:
    backend = current()
    if backend.is_symbolic:
        return None
    largest = backend.concrete(backend.max(x)) if _call.times(*backend.shape(x)) else -1
    return max(minlength, largest + 1) if isinstance(largest, int) else minlength


@op
def histogram(x: Any, bins: Any = 10, range: tuple | None = None) -> tuple:
    """Return the counts of values in bins, and the edges of the bins.

    Args:
        x: array of any shape.
        bins: the number of bins, or their edges; default 10.
        range: (lowest, highest) edge; default None, for the smallest and largest entry of x.

    >>> histogram([1.0, 2.0, 1.0], bins=2)
    (array([2, 1], dtype=int32), array([1. , 1.5, 2. ], dtype=float32))
    """
    from polykeras.ops import creation

    backend = current()
    x = backend.reshape(_call.float_array(x), (-1,))
    if range is None and backend.shape(x) == (0,):
        range = (0.0, 1.0)  # as in NumPy
    if isinstance(bins, int):
        low, high = (backend.min(x), backend.max(x)) if range is None else map(_call.array, range)
        low, high = _call.same_dtype(low, high)
        is_flat = backend.cast(backend.equal(low, high), backend.dtype(low))
        half = backend.multiply(is_flat, 0.5) if backend.dtype(low) in dtypes.FLOATS else is_flat
        edges = creation.linspace(backend.subtract(low, half), backend.add(high, half), bins + 1)
    else:
        edges = array(bins)
    count = backend.shape(edges)[0] - 1
    index = searchsorted(edges, x, "right")
    last = backend.equal(*_call.operands(x, backend.getitem(edges, (-1,))))
    index = backend.where(last, backend.full((), count, "int32"), index)
    # The first and the last count collect values outside the range.
    counts = backend.full((count + 2,), 0, "int32")
    ones = backend.full(tuple(backend.shape(index)), 1, "int32")
    counts = backend.scatter_add(counts, backend.reshape(index, (-1, 1)), ones)
    return backend.getitem(counts, (builtins.slice(1, count + 1),)), edges


@op
def unravel_index(indices: Any, shape: Sequence[int]) -> tuple:
    """Return the coordinates along each axis for flat indices in row-major order.

    Args:
        indices: array of integers, of any shape.
        shape: tuple of ints, the shape that the indices refer to.

    >>> unravel_index([4, 5], (2, 3))
    (array([1, 1], dtype=int32), array([1, 2], dtype=int32))
    """
    backend = current()
    rest = _wrapped(indices, int(np.prod(shape)))
    result = []
    for size in reversed(tuple(shape)):
        result.append(backend.mod(rest, size))
        rest = backend.floor_divide(rest, size)
    return tuple(reversed(result))
