"""Ops on TensorFlow's sparse and ragged tensors, for those whose results Keras 3 leaves sparse or ragged.

A ``tf.SparseTensor`` is a matrix or tensor of mostly zeros, ``tf.IndexedSlices`` are some rows of a table whose other
rows are zeros: gradients of embeddings. ``backends/contract/layouts.py`` lists the ops by kind.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from polykeras import backends, config
from polykeras.backends.contract import layouts
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.backends.shared import structured
from polykeras.backends.shared.graph_sizes import reshape_target
from polykeras.backends.shared.structured import plainly
from polykeras.backends.tensorflow.adapter import TensorflowBackend
from polykeras.core import dtypes, trees
from polykeras.core.types import Array

raw = tf.raw_ops
structured.register(tf.SparseTensor, tf.IndexedSlices, tf.RaggedTensor)

# The dtypes in which TensorFlow multiplies sparse matrices, for those in which it does not.
_THROUGH = {"float32": "float32", "float64": "float64", "float16": "float32", "bfloat16": "float32"}
_COUNTED = ("int32", "int64", "float32", "float64")


def call(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Compute an op for sparse or ragged arguments, or for a sparse result; NotImplemented if the result is dense."""
    rule = _RULES.get(function.__name__)
    if rule is None:
        return NotImplemented
    bound = inspect.signature(function).bind(*args, **kwargs)
    return rule(function, *bound.args, **bound.kwargs)


def with_values(x: Any, values: Any) -> tf.SparseTensor:
    """Return a sparse tensor with other values at the same places."""
    result = tf.SparseTensor(x.indices, values, x.dense_shape)
    result.set_shape(x.shape)
    return result


def summed(x: tf.IndexedSlices) -> tf.IndexedSlices:
    """Return slices in which every row occurs once: equal indices stand for a sum."""
    indices, places = tf.unique(x.indices)
    return tf.IndexedSlices(_rows(x.values, places, indices), indices, x.dense_shape)


def _rows(values: Any, places: Any, indices: Any) -> Any:
    return tf.math.unsorted_segment_sum(values, places, tf.size(indices))


# ------------------------------------------------------------------ elementwise


def _of_entries(function: Callable, x: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(x, tf.RaggedTensor):
        return x.with_flat_values(function(x.flat_values, *args, **kwargs))
    if function.__name__ not in layouts.KEEP_ZEROS:
        return NotImplemented
    if isinstance(x, tf.SparseTensor):
        return with_values(x, function(x.values, *args, **kwargs))
    if isinstance(x, tf.IndexedSlices):
        x = summed(x)
        return tf.IndexedSlices(function(x.values, *args, **kwargs), x.indices, x.dense_shape)
    return NotImplemented


def _of_pairs(function: Callable, x: Any, y: Any, *args: Any) -> Any:
    if isinstance(x, tf.RaggedTensor) or isinstance(y, tf.RaggedTensor):
        return _of_ragged_pairs(function, x, y, *args)
    name = function.__name__
    if name in layouts.JOIN | layouts.MEET and type(x) is type(y) and x.shape == y.shape:
        return _joined(function, x, y)
    if name in layouts.MEET and structured.is_structured(y):
        return _met(lambda a, b: function(b, a), y, x)
    if name in layouts.MEET or (name in layouts.DIVIDE and not structured.is_structured(y)):
        return _met(function, x, y)
    return NotImplemented


def _of_ragged_pairs(function: Callable, x: Any, y: Any, *args: Any) -> Any:
    """Compute pairs of entries; a dense operand may only broadcast over the axes of an entry."""
    inner = min(len(each.flat_values.shape) for each in (x, y) if isinstance(each, tf.RaggedTensor))
    if any(not isinstance(each, tf.RaggedTensor) and np.ndim(each) >= inner for each in (x, y)):
        return NotImplemented
    return tf.ragged.map_flat_values(lambda a, b: function(a, b, *args), x, y)


def _joined(function: Callable, x: Any, y: Any) -> Any:
    """Compute the entries that are present in either of two arrays of one shape."""
    if isinstance(x, tf.IndexedSlices):
        indices, places = tf.unique(tf.concat([x.indices, tf.cast(y.indices, x.indices.dtype)], 0))
        count = tf.size(x.indices)
        values = function(_rows(x.values, places[:count], indices), _rows(y.values, places[count:], indices))
        return tf.IndexedSlices(values, indices, x.dense_shape)
    left = tf.sparse.add(x, with_values(y, tf.zeros_like(y.values, x.dtype)))
    right = tf.sparse.add(y, with_values(x, tf.zeros_like(x.values, y.dtype)))
    left.set_shape(x.shape)
    return with_values(left, function(left.values, right.values))


def _met(function: Callable, x: Any, y: Any) -> Any:
    """Compute the entries that are present in ``x``, where ``y`` is dense."""
    if not isinstance(x, tf.SparseTensor | tf.IndexedSlices) or structured.is_structured(y):
        return NotImplemented
    is_slices = isinstance(x, tf.IndexedSlices)  # equal indices stand for a sum, and sums are scaled term by term
    if not np.ndim(y):
        return _with_entries(x, function(x.values, y))
    y = tf.convert_to_tensor(y)
    if function.__name__ in layouts.DIVIDE and y.shape == x.shape:
        x = _with_zeros_of(y, x)
    if is_slices:
        if y.shape != x.shape:
            return NotImplemented
        return _with_entries(x, function(x.values, tf.gather(y, x.indices)))
    entries = _entries_at(x, y)
    return NotImplemented if entries is None else with_values(x, function(x.values, entries))


def _with_entries(x: Any, values: Any) -> Any:
    if isinstance(x, tf.IndexedSlices):
        return tf.IndexedSlices(values, x.indices, x.dense_shape)
    return with_values(x, values)


def _entries_at(x: tf.SparseTensor, y: Any) -> Any:
    """Return the entries of a dense ``y``, which broadcasts to ``x``, at the places of the entries of ``x``."""
    own, other = x.shape.as_list(), y.shape.as_list()
    pairs = list(zip(reversed(own), reversed(other), strict=False))
    if len(other) > len(own) or any(m not in (n, 1) for n, m in pairs):
        return None
    moves = tf.constant([int(m != 1) for m in other], x.indices.dtype)
    return tf.gather_nd(y, x.indices[:, len(own) - len(other) :] * moves)


def _with_zeros_of(y: Any, x: Any) -> Any:
    """Add zeros to the entries of ``x`` where dividing by ``y`` does not give zero."""
    is_special = tf.equal(y, 0)
    if y.dtype.is_floating:
        is_special = tf.logical_or(is_special, tf.math.is_nan(y))
    if isinstance(x, tf.SparseTensor):
        places = tf.where(is_special)
        zeros = tf.SparseTensor(places, tf.zeros(tf.shape(places)[:1], x.dtype), x.dense_shape)
        result = tf.sparse.add(x, zeros)
        result.set_shape(x.shape)
        return result
    rows = tf.where(tf.reduce_any(is_special, range(1, len(y.shape))))[:, 0]
    indices = tf.concat([x.indices, tf.cast(rows, x.indices.dtype)], 0)
    zeros = tf.zeros(tf.concat([tf.shape(rows), tf.shape(x.values)[1:]], 0), x.dtype)
    return summed(tf.IndexedSlices(tf.concat([x.values, zeros], 0), indices, x.dense_shape))


# --------------------------------------------------------------- linear algebra


def _matmul(function: Callable, x: Any, y: Any) -> Any:
    if any(isinstance(each, tf.IndexedSlices | tf.RaggedTensor) for each in (x, y)):
        return NotImplemented
    x, y = (each if isinstance(each, tf.SparseTensor) else tf.convert_to_tensor(each) for each in (x, y))
    if min(len(x.shape), len(y.shape)) < 2:
        return NotImplemented
    dtype = dtypes.promote(x.dtype.name, y.dtype.name)
    through = _THROUGH.get(dtype, "float64")
    product = _times(_cast(x, through), _cast(y, through))
    return product if product is NotImplemented else _cast(product, dtype)


def _cast(x: Any, dtype: str) -> Any:
    """``tf.cast``, which keeps the known sizes of a sparse tensor."""
    return with_values(x, tf.cast(x.values, dtype)) if isinstance(x, tf.SparseTensor) else tf.cast(x, dtype)


def _times(x: Any, y: Any) -> Any:
    if not isinstance(x, tf.SparseTensor):
        if len(y.shape) == 2 < len(x.shape):
            return tf.reshape(_times(_as_matrix(x), y), [*_sizes(x)[:-1], _sizes(y)[-1]])
        product = _times(_swapped(y), _swapped(x))
        return product if product is NotImplemented else _swapped(product)
    if len(y.shape) == 2:
        rows, shape = _product(_as_matrix(x), y), [*_sizes(x)[:-1], _sizes(y)[-1]]
        return rows if len(x.shape) == 2 else _reshaped(rows, shape)
    batch = x.shape[:-2]
    if batch != y.shape[:-2] or not batch.is_fully_defined():
        return NotImplemented
    if isinstance(y, tf.SparseTensor):
        return _reshaped(_from_diagonal(_product(_diagonal(x), _diagonal(y)), x, y), [*_sizes(x)[:-1], _sizes(y)[-1]])
    return tf.reshape(_product(_diagonal(x), _as_matrix(y)), [*_sizes(x)[:-1], _sizes(y)[-1]])


def _product(x: tf.SparseTensor, y: Any) -> Any:
    """Return the product of a sparse matrix with another matrix, as a sparse one if both are."""
    if isinstance(y, tf.SparseTensor):
        x, y = (tf.sparse.reorder(each) for each in (x, y))
        left, right = (
            raw.SparseTensorToCSRSparseMatrix(indices=e.indices, values=e.values, dense_shape=e.dense_shape)
            for e in (x, y)
        )
        product = raw.SparseMatrixSparseMatMul(a=left, b=right, type=x.dtype)
        parts = raw.CSRSparseMatrixToSparseTensor(sparse_matrix=product, type=x.dtype)
        result = tf.SparseTensor(parts.indices, parts.values, parts.dense_shape)
        result.set_shape((x.shape[0], y.shape[1]))
        return result
    # Only the rows of y that count, so that its gradient consists of these rows too.
    columns, places = tf.unique(x.indices[:, 1])
    indices = tf.stack([x.indices[:, 0], tf.cast(places, tf.int64)], 1)
    narrow = tf.SparseTensor(indices, x.values, tf.stack([x.dense_shape[0], tf.size(columns, tf.int64)]))
    result = tf.sparse.sparse_dense_matmul(narrow, tf.gather(y, columns))
    result.set_shape((x.shape[0], y.shape[1]))
    return result


def _sizes(x: Any) -> list:
    """Return the sizes of a tensor: ints, or scalars of a graph where they are unknown."""
    known = x.shape.as_list()
    if None not in known:
        return known
    sizes = tf.cast(x.dense_shape, tf.int32) if isinstance(x, tf.SparseTensor) else tf.shape(x)
    return [size if n is None else n for n, size in zip(known, tf.unstack(sizes, len(known)), strict=True)]


def _reshaped(x: Any, shape: Any) -> Any:
    return (tf.sparse.reshape if isinstance(x, tf.SparseTensor) else tf.reshape)(x, shape)


def _as_matrix(x: Any) -> Any:
    """Return a stack of matrices as one, with their rows below each other."""
    return x if len(x.shape) == 2 else _reshaped(x, [-1, _sizes(x)[-1]])


def _swapped(x: Any) -> Any:
    """Swap the last two axes."""
    axes = [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2]
    return tf.sparse.transpose(x, axes) if isinstance(x, tf.SparseTensor) else tf.transpose(x, axes)


def _diagonal(x: tf.SparseTensor) -> tf.SparseTensor:
    """Return a stack of matrices as the blocks of a diagonal one."""
    x = tf.sparse.reshape(x, [-1, *_sizes(x)[-2:]])
    sizes = x.dense_shape[1:]
    indices = x.indices[:, :1] * sizes + x.indices[:, 1:]
    return tf.SparseTensor(indices, x.values, x.dense_shape[:1] * sizes)


def _from_diagonal(product: tf.SparseTensor, x: Any, y: Any) -> tf.SparseTensor:
    """Return the blocks of a diagonal product of ``x`` and ``y`` as a stack of matrices."""
    sizes = tf.stack([x.dense_shape[-2], y.dense_shape[-1]])
    indices = tf.concat([product.indices[:, :1] // sizes[0], product.indices % sizes], 1)
    return tf.SparseTensor(indices, product.values, tf.concat([product.dense_shape[:1] // sizes[0], sizes], 0))


def _dense(function: Callable, x: Any, kernel: Any, bias: Any = None) -> Any:
    """Return ``x @ kernel + bias``, whose gradient with respect to the kernel consists of rows."""
    if not isinstance(x, tf.SparseTensor) or structured.is_structured(kernel):
        return NotImplemented
    product = _matmul(function, x, kernel)
    if product is NotImplemented or bias is None:
        return product
    return product + tf.cast(tf.convert_to_tensor(bias), product.dtype)


# -------------------------------------------------------------------- movement


def _convert_to_tensor(function: Callable, x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    if isinstance(x, tf.RaggedTensor) and ragged is False:
        return function(x.to_tensor(), dtype)
    if isinstance(x, tf.SparseTensor) and sparse is False or isinstance(x, tf.IndexedSlices):
        return NotImplemented
    return x if dtype is None else tf.cast(x, dtypes.standardize(dtype))


def _concatenate(function: Callable, xs: Any, axis: int = 0) -> Any:
    kinds = {type(x) for x in xs}
    if kinds == {tf.RaggedTensor}:
        return tf.concat(list(xs), axis)
    if kinds != {tf.SparseTensor}:
        return NotImplemented
    dtype = dtypes.promote(*(x.dtype.name for x in xs))
    return tf.sparse.concat(axis, [tf.cast(x, dtype) for x in xs])


def _reduced(function: Callable, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Reduce the entries of a ragged tensor, without any padding."""
    if not isinstance(x, tf.RaggedTensor):
        return NotImplemented
    if axis is None and not keepdims:
        return function(x.flat_values)
    return getattr(tf, f"reduce_{function.__name__}")(x, axis, keepdims)


def _of_sparse(move: Callable) -> Callable:
    """Return a rule for sparse tensors alone."""

    def rule(function: Callable, x: Any, *args: Any) -> Any:
        return move(x, *args) if isinstance(x, tf.SparseTensor) else NotImplemented

    return rule


def _expand_dims(x: tf.SparseTensor, axis: Any) -> tf.SparseTensor:
    axes = axis if isinstance(axis, list | tuple) else [axis]
    rank = len(x.shape) + len(axes)
    for each in sorted(a % rank for a in axes):
        x = tf.sparse.expand_dims(x, each)
    return x


def _squeeze(x: tf.SparseTensor, axis: Any = None) -> Any:
    shape = x.shape.as_list()
    axes = [axis] if isinstance(axis, int) else axis
    dropped = {n for n, size in enumerate(shape) if size == 1} if axes is None else {a % len(shape) for a in axes}
    if any(shape[n] not in (1, None) for n in dropped):
        return NotImplemented
    return tf.sparse.reshape(x, [size for n, size in enumerate(_sizes(x)) if n not in dropped])


def _sum(function: Callable, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    if not isinstance(x, tf.SparseTensor):
        return _reduced(function, x, axis, keepdims)
    narrow = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    x = tf.cast(x, narrow.get(x.dtype.name, x.dtype))
    return tf.sparse.reduce_sum(x, axis=axis, keepdims=keepdims, output_is_sparse=True)


def _take(function: Callable, x: Any, indices: Any, axis: int | None = None) -> Any:
    if not isinstance(indices, tf.RaggedTensor):
        return NotImplemented
    if axis in (0, None):
        axes = [] if axis is None else [axis]
        return indices.with_flat_values(function(x, indices.flat_values, *axes))
    x, places = tf.convert_to_tensor(x), indices.flat_values
    places = tf.where(places < 0, places + tf.cast(tf.shape(x)[axis], places.dtype), places)
    return tf.gather(x, indices.with_flat_values(places), axis=axis)


# ------------------------------------------------------------------- encodings


def _one_hot(
    function: Callable, x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    if not sparse or structured.is_structured(x):
        return NotImplemented
    x = tf.cast(tf.convert_to_tensor(x), tf.int64)
    axis %= len(x.shape) + 1
    places = tf.where(tf.logical_and(x >= 0, x < num_classes))
    classes = tf.gather_nd(x, places)[:, None]
    indices = tf.concat([places[:, :axis], classes, places[:, axis:]], 1)
    sizes = tf.shape(x, tf.int64)
    shape = tf.concat([sizes[:axis], [num_classes], sizes[axis:]], 0)
    values = tf.ones(tf.shape(places)[:1], dtypes.standardize(dtype or config.floatx()))
    result = tf.sparse.reorder(tf.SparseTensor(indices, values, shape))
    result.set_shape([*x.shape[:axis], num_classes, *x.shape[axis:]])
    return result


def _multi_hot(
    function: Callable, x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    if not sparse or structured.is_structured(x):
        return NotImplemented
    x = tf.convert_to_tensor(x)
    dtype = dtypes.standardize(dtype or config.floatx())
    marks = _one_hot(function, x, num_classes, axis, "int32", True)
    return tf.cast(tf.sparse.reduce_max(marks, 1 if len(x.shape) > 1 else 0, output_is_sparse=True), dtype)


def _bincount(function: Callable, x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """Count the entries that are present: as in Keras, those that a sparse tensor leaves out are no zeros to count."""
    if isinstance(x, tf.IndexedSlices | tf.RaggedTensor) or not (sparse or isinstance(x, tf.SparseTensor)):
        return NotImplemented
    x = tf.cast(x if isinstance(x, tf.SparseTensor) else tf.convert_to_tensor(x), tf.int64)
    dtype = "int32"
    if weights is not None:
        weights = weights if isinstance(weights, tf.SparseTensor) else tf.convert_to_tensor(weights)
        dtype = weights.dtype.name
        weights = tf.cast(weights, dtype if dtype in _COUNTED else "float32")
    counts = tf.sparse.bincount(x, weights=weights, minlength=minlength, axis=-1)
    return tf.cast(counts, dtype)


def from_library(x: Any) -> Any:
    """Return a sparse array of any library as a tensor; a sparse or ragged tensor unchanged; None for anything else."""
    if isinstance(x, tf.SparseTensor | tf.RaggedTensor):
        return x
    if hasattr(x, "tocoo"):  # scipy
        x = x.tocoo()
        indices, values, shape = np.stack([x.row, x.col], 1), x.data, x.shape
    elif hasattr(x, "todense") and getattr(x, "n_sparse", None) == len(getattr(x, "shape", ())):  # JAX
        indices, values, shape = np.asarray(x.indices), np.asarray(x.data), x.shape
    else:
        return None
    return tf.sparse.reorder(tf.SparseTensor(indices.astype(np.int64), values, shape))


class Rows:
    """The rows of a sparse or ragged tensor.

    Args:
        x: tensor with at least two axes.
    """

    def __init__(self, x: Any) -> None:
        self.shape = tuple(x.shape.as_list())
        self.dtype = x.dtype.as_numpy_dtype
        self._x = x
        if isinstance(x, tf.SparseTensor):
            self._x = x = tf.sparse.reorder(x)
            self._starts = np.searchsorted(x.indices[:, 0].numpy(), np.arange(self.shape[0] + 1))

    def __getitem__(self, key: Any) -> Any:
        index = np.arange(self.shape[0])[key]
        if isinstance(self._x, tf.RaggedTensor):
            return tf.gather(self._x, index)
        first, counts = self._starts[index], self._starts[index + 1] - self._starts[index]
        rows = np.repeat(np.arange(len(index)), counts)
        places = np.arange(len(rows)) + np.repeat(first - np.cumsum(counts) + counts, counts)
        columns = tf.gather(self._x.indices, places)[:, 1:]
        indices = tf.concat([rows[:, None].astype(np.int64), columns], 1)
        return tf.SparseTensor(indices, tf.gather(self._x.values, places), (len(index), *self.shape[1:]))


_RULES: dict[str, Callable] = {
    **dict.fromkeys(layouts.OF_ENTRIES, _of_entries),
    **dict.fromkeys(layouts.OF_PAIRS, _of_pairs),
    "bincount": _bincount,
    "concatenate": _concatenate,
    "convert_to_tensor": _convert_to_tensor,
    "dense": _dense,
    "embedding": _take,
    "expand_dims": _of_sparse(_expand_dims),
    "matmul": _matmul,
    "max": _reduced,
    "mean": _reduced,
    "min": _reduced,
    "multi_hot": _multi_hot,
    "one_hot": _one_hot,
    "reshape": _of_sparse(lambda x, shape: tf.sparse.reshape(x, reshape_target(shape))),
    "squeeze": _of_sparse(_squeeze),
    "sum": _sum,
    "take": _take,
    "transpose": _of_sparse(tf.sparse.transpose),
}


def _note_shape(result: tf.SparseTensor, function: Callable, args: tuple, kwargs: dict) -> None:
    """Note the sizes of an op's result that are known in a graph; TensorFlow's functions lose most of them."""

    def spec(x: Any) -> Any:
        is_tensor = isinstance(x, tf.Tensor | tf.SparseTensor)
        return SpecArray(tuple(x.shape.as_list()), x.dtype.name) if is_tensor else x

    args, kwargs = trees.map(spec, (args, kwargs))
    with contextlib.suppress(TypeError, ValueError, AttributeError), backends.use(SPEC):  # where it needs values
        result.set_shape(plainly(function, args, kwargs, lambda x: x).shape)


class SparseTensorflowBackend(TensorflowBackend):
    """The contract's interface on TensorFlow, with sparse and ragged tensors."""

    has_ragged = True

    def structured(self, function: Any, args: tuple, kwargs: dict) -> Any:
        result = call(function, args, kwargs)
        if result is NotImplemented:
            return super().structured(function, args, kwargs)
        if isinstance(result, tf.SparseTensor) and not result.shape.is_fully_defined():
            _note_shape(result, function, args, kwargs)
        return result

    def as_structured(self, x: Any) -> Any:
        return from_library(x)

    def layout(self, x: Any) -> str:
        return "ragged" if isinstance(x, tf.RaggedTensor) else "sparse"

    def in_layout(self, x: Any, layout: str) -> Any:
        return tf.RaggedTensor.from_tensor(x) if layout == "ragged" else tf.sparse.from_dense(x)

    def as_rows(self, x: Any) -> Any:
        return Rows(x)

    def on_entries(self, function: Any, x: Any) -> Any:
        if isinstance(x, tf.RaggedTensor):
            return x.with_flat_values(function(x.flat_values))
        return with_values(x, function(x.values))

    def ragged(self, values: Any, lengths: Any) -> Any:
        return tf.RaggedTensor.from_row_lengths(values, lengths)

    def on_rows(self, function: Any, gradient: Any, arrays: Any) -> Any:
        if not isinstance(gradient, tf.IndexedSlices):
            return function(gradient, *arrays)
        rows = summed(gradient)
        values = function(rows.values, *(tf.gather(x, rows.indices) for x in arrays))
        return tf.IndexedSlices(values, rows.indices, rows.dense_shape)

    def add_rows(self, x: Array, rows: Any) -> Array:
        return tf.tensor_scatter_nd_add(x, rows.indices[:, None], rows.values)

    def value_and_row_grad(self, function: Any, arrays: list) -> tuple:
        # XLA has no arrays of unknown sizes.
        is_in_xla = GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
        return self.value_and_grad(function, arrays) if is_in_xla else self._differentiate(function, arrays)
