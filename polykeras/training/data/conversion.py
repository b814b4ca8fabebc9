"""Conversion of users' data to arrays: NumPy's, the backend's own, or rows that are read in parts.

Libraries are recognized by the interfaces of their objects, so that none has to be imported.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends, config, ops
from polykeras.backends.shared import structured
from polykeras.core import dtypes, naming, placement, trees
from polykeras.core.graph import KerasTensor
from polykeras.layers.preprocessing.host import is_string_array


def is_array(x: Any) -> bool:
    """True for a single array, data frame, sparse matrix or tensor of any library.

    >>> is_array(np.zeros(2)), is_array([0, 0])
    (True, False)
    """
    return hasattr(x, "shape") and any(hasattr(x, name) for name in ("__array__", "__getitem__", "dense_shape"))


def is_values(x: Any) -> bool:
    """True for a list of numbers, possibly nested: data, not a list of inputs.

    >>> is_values([[1, 2], [3, 4]]), is_values([np.zeros(2)])
    (True, False)
    """
    return isinstance(x, list | tuple) and bool(x) and (np.isscalar(x[0]) or is_values(x[0]))


def is_data(x: Any) -> bool:
    """True for arrays, lists of numbers, and lists and dicts of them."""
    if is_array(x) or is_values(x) or x is None:
        return True
    return trees.is_nested(x) and all(map(is_data, trees.children(x)))


def as_array(x: Any) -> Any:
    """Return an array-like as a NumPy array, or unchanged if it is the backend's own; float64 becomes ``floatx()``.

    Args:
        x: array, tensor of any framework, data frame, series (as a column), sparse matrix, Rows or list.

    Raises:
        ValueError: for dates, other objects, and lists of unequal lengths.

    Strings stay in an object array, for models that begin with text layers.

    >>> as_array([0.5, 1])
    array([0.5, 1. ], dtype=float32)
    """
    backend = backends.current()
    if isinstance(x, Rows):
        return x.read(slice(None))
    own = None if backend.is_array(x) else backend.as_structured(x)
    if own is not None:
        return ops.cast(own, config.floatx()) if backend.dtype(own) == "float64" else own
    x = backends.densified(x)
    if backend.is_array(x) and not isinstance(x, np.ndarray | np.generic):
        if backend.dtype(x) == "string":
            return backend.to_numpy(x).astype(object)
        # Data in double precision would only slow down training in floatx().
        return backend.cast(x, config.floatx()) if backend.dtype(x) == "float64" else x
    x = _as_numpy(x)
    if x.dtype.kind in "OSUMm":
        # Object arrays of numbers are fine: data frames with mixed columns have them.
        wrong = [v for v in x.flat if not isinstance(v, numbers.Number | np.bool_)] or list(x.flat)
        if wrong and all(isinstance(v, str | bytes) for v in x.flat):
            return x.astype(object)
        if wrong and (x.dtype != object or not isinstance(wrong[0], numbers.Number | np.bool_)):
            raise not_of_numbers(x, wrong[0])
        x = x.astype(config.floatx())
    return x.astype(dtypes.numpy_dtype(config.floatx())) if x.dtype == np.float64 else x


def not_of_numbers(x: Any, wrong: Any) -> ValueError:
    """Return the error for data that is not numeric."""
    fix = "Encode it as numbers first, for instance by a StringLookup or TextVectorization layer."
    if wrong is None:
        fix = "Fill in what is missing, or leave its rows out."
    return ValueError(f"Expected data of numbers. Received: an array of {x.dtype} with {wrong!r}. {fix}")


def _as_numpy(x: Any) -> np.ndarray:
    if isinstance(x, np.ndarray):
        return x
    if isinstance(x, KerasTensor):
        raise ValueError(f"Expected data with values. Received: the symbolic {x!r}.")
    framework = backends.owner(x)
    if framework is not None:
        return np.asarray(framework.to_numpy(x))
    if hasattr(x, "to_frame"):  # a series counts as a column
        x = x.to_frame()
    if hasattr(x, "to_numpy"):
        return x.to_numpy()
    try:
        return np.asarray(x)
    except ValueError:
        raise ValueError(
            f"Expected data of equal lengths. Received: {type(x).__name__} of {len(x)} items of different shapes. "
            f"Pad them with utils.pad_sequences."
        ) from None


class Rows:
    """A view of the rows of an array that is read in parts: on disk, or sparse.

    Args:
        array: has ``shape``, ``dtype``, and rows as ``array[...]`` for slices or increasing indices.
        start, stop: the range of rows; default all.
        is_sparse: whether the array is sparse: its rows stay so on engines with sparse arrays; default False.

    >>> rows = Rows(np.arange(10))[2:8]
    >>> rows.shape, rows.read(slice(0, 2)), rows.read(np.array([3, 0]))
    ((6,), array([2, 3]), array([5, 2]))
    """

    def __init__(self, array: Any, start: int = 0, stop: int | None = None, is_sparse: bool = False) -> None:
        self.array, self._start = array, start
        self.is_sparse = is_sparse
        self._stop = int(array.shape[0]) if stop is None else stop
        self.shape = (self._stop - start, *array.shape[1:])
        self.dtype = array.dtype

    def __getitem__(self, part: slice) -> Rows:
        start, stop, _ = part.indices(self.shape[0])
        return Rows(self.array, self._start + start, self._start + max(start, stop), self.is_sparse)

    def read(self, key: Any) -> np.ndarray:
        """Return the rows of a slice or of distinct indices; files are read in increasing order."""
        if isinstance(key, slice):
            start, stop, _ = key.indices(self.shape[0])
            return as_array(_plain(self.array[self._start + start : self._start + stop]))
        if self.is_sparse:
            return as_array(self.array[self._start + key])
        order = np.argsort(key)
        found = as_array(_plain(self.array[self._start + key[order]]))
        result = np.empty_like(found)
        result[order] = found
        return result


def _plain(x: Any) -> Any:
    """Convert part of a memmap to a plain array in memory."""
    return np.asarray(x) if isinstance(x, np.memmap) else x


def as_rows(x: Any) -> Any:
    """Return arrays on disk and sparse matrices as Rows, anything else by ``as_array``."""
    if isinstance(x, Rows):
        return x
    if hasattr(x, "tocsr"):
        return Rows(x.tocsr(), is_sparse=True)
    backend = backends.current()
    own = None if backend.is_array(x) else backend.as_structured(x)
    if own is not None and len(own.shape) > 1:
        return Rows(backend.as_rows(own), is_sparse=True)
    x = backends.densified(x)
    return Rows(x) if _is_on_disk(x) else as_array(x)


def _is_on_disk(x: Any) -> bool:
    """True for arrays to be read by slicing: memory maps, and array-likes that no library computes with."""
    if isinstance(x, np.ndarray | np.generic):
        return isinstance(x, np.memmap) and x.ndim > 0
    if isinstance(x, KerasTensor):
        return False
    if not all(hasattr(x, name) for name in ("shape", "dtype", "__getitem__")) or not len(x.shape):
        return False
    return not hasattr(x, "numpy") and not hasattr(x, "to_numpy") and backends.owner(x) is None


def without_sparse(tree: Any) -> Any:
    """Return a tree of targets or weights with sparse arrays as dense ones."""
    backend = backends.current()

    def dense(x: Any) -> Any:
        is_sparse = structured.is_structured(x) and backend.layout(x) == "sparse"
        return backend.densified(x) if is_sparse else x

    return trees.map(dense, tree)


def standardize(data: Any, convert: Any = as_array) -> Any:
    """Convert everything in a tree of data to arrays.

    Args:
        data: arrays, lists of numbers, and lists and dicts of them.
        convert: ``as_array``, or ``as_rows`` to leave arrays on disk there; default ``as_array``.
    """
    if is_values(data):
        return convert(data)
    if isinstance(data, list | tuple) and any(map(is_values, data)):
        return type(data)(standardize(part, convert) for part in data)
    return trees.map(convert, data)


def take(x: Any, key: Any) -> Any:
    """Return rows of an array, reading them if it is Rows; ``key`` is a slice or an array of indices."""
    if isinstance(x, Rows):
        return x.read(key)
    if isinstance(key, slice) or isinstance(x, np.ndarray):
        return x[key]
    backend = backends.current()
    return backend.take(x, backend.array(key), 0)


def to_device(tree: Any, is_kept: bool = False, put: Callable | None = None) -> Any:
    """Return a tree of arrays on the device of the current backend; strings only if it has string arrays.

    Args:
        is_kept: whether nobody modifies the arrays while a step computes, so that memory may be shared;
            a generator may refill the same array.
        put: function that moves an array elsewhere; default None.
    """
    backend, distribution = backends.current(), placement.state.distribution
    if distribution is not None and put is None:
        kept = tree if is_kept else trees.map(_own, tree)
        return placement.spread_rows(backend, kept, distribution)
    move = put or (backend.share if is_kept else backend.array)

    def moved(x: Any) -> Any:
        if structured.is_structured(x):
            return x
        if is_string_array(x):
            return backend.array(x) if backend.has_text else x
        return move(x)

    return trees.map(moved, tree)


def _own(x: Any) -> Any:
    return np.array(x) if isinstance(x, np.ndarray) else x


def shape_of(x: Any) -> tuple:
    """Return the shape of an array as a tuple."""
    return tuple(x.shape)


def count_rows(data: Any, name: str = "x") -> int:
    """Return the number of rows of the arrays in a tree.

    Raises:
        ValueError: if there is no array, their lengths differ, or an array has no axes.

    >>> count_rows([np.zeros((3, 2)), np.zeros(3)])
    3
    """
    shapes = [shape_of(x) for x in trees.leaves(data)]
    if not shapes:
        raise ValueError(f"Expected data for {name}. Received: {data!r}, which holds no array.")
    if any(shape == () for shape in shapes):
        raise ValueError(f"Expected arrays with a batch axis for {name}. Received: a scalar.")
    counts = {shape[0] for shape in shapes}
    if len(counts) != 1:
        raise ValueError(
            f"Expected the arrays of {name} to have equal lengths along axis 0. Received shapes: "
            f"{naming.listed(shapes)}."
        )
    return counts.pop()
