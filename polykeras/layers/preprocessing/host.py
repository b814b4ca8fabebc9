"""Shared parts of layers that process strings and integers on the host, and of layers that adapt to data."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from polykeras import backends, config, ops
from polykeras.backends.contract.spec import SpecArray, StructuredSpec
from polykeras.backends.shared.structured import is_structured
from polykeras.layers.layer import Layer
from polykeras.serialization import registry


def on_host(x: Any, encoding: str = "utf-8") -> np.ndarray:
    """Return an array of any type, or nested lists, as a NumPy array; strings become Python strings.

    >>> on_host([b"a", "b"])
    array(['a', 'b'], dtype=object)
    """
    is_array = backends.current().is_array(x) and not isinstance(x, np.ndarray)
    value = np.asarray(ops.convert_to_numpy(x) if is_array else x)
    if value.dtype.kind not in "OSU":
        return value
    texts = [item.decode(encoding) if isinstance(item, bytes) else str(item) for item in value.reshape(-1).tolist()]
    result = np.empty(len(texts), object)
    result[:] = texts
    return result.reshape(value.shape)


def integers_or_texts(x: Any, encoding: str = "utf-8") -> Any:
    """Return numbers as a backend array, also a traced one, and strings as ``on_host`` does.

    >>> integers_or_texts([1, 2]), integers_or_texts(["a"])
    (array([1, 2]), array(['a'], dtype=object))
    """
    backend = backends.current()
    if backend.is_array(x) and not isinstance(x, np.ndarray | np.generic) and backend.dtype(x) != "string":
        return x
    value = on_host(x, encoding)
    return value if is_string_array(value) else backend.array(value)


def is_string_array(x: Any) -> bool:
    """True for an array of strings as ``on_host`` returns it."""
    return isinstance(x, np.ndarray) and x.dtype == object


def batches(data: Any, steps: int | None = None) -> Iterator[Any]:
    """Yield the batches of data for ``adapt``: an array is one batch, an iterable (dataset, generator) yields many.

    Args:
        data: array, or iterable of arrays or (inputs, targets) pairs.
        steps: int, maximum number of batches from an iterable; default None, for all.

    Raises:
        TypeError: if batches are single numbers.
    """
    if hasattr(data, "shape"):
        yield data
        return
    for batch in itertools.islice(iter(data), steps):
        batch = batch[0] if isinstance(batch, tuple) else batch
        if isinstance(batch, int | float):
            raise TypeError(f"Expected batches that are arrays, with a shape. Received: {batch!r}.")
        yield batch


def check_is_dense(layer: Layer, ragged: bool) -> None:
    """Reject ``ragged=True`` on engines without ragged arrays.

    Raises:
        ValueError: if ``ragged`` is set.
    """
    if ragged and not backends.current().has_ragged:
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): Expected ragged=False: results are dense arrays, "
            f"padded with zeros, except on TensorFlow. Received: {ragged!r}."
        )


def encode(indices: Any, mode: str, depth: int, dtype: str, weights: Any = None, sparse: bool = False) -> Any:
    """Return indices unchanged, one-hot encoded, or counted in each row (along the axis after the batch's).

    Args:
        indices: array of integers; those outside the range of ``depth`` are ignored.
        mode: ``"int"``, ``"one_hot"``, ``"multi_hot"`` or ``"count"``.
        depth: int, number of different indices.
        dtype: dtype of the result.
        weights: array of the shape of the indices; default None.
        sparse: whether encodings are sparse, on engines with sparse arrays; default False.
    """
    if mode == "int":
        return ops.cast(indices, dtype)
    shape = tuple(ops.shape(indices))
    if mode == "one_hot" and len(shape) > 1 and shape[-1] == 1:
        indices = ops.squeeze(indices, -1)
    elif not shape:
        indices = ops.reshape(indices, (1,))
    rows = ops.one_hot(indices, depth, dtype=dtype, sparse=sparse)
    if weights is not None:
        rows = ops.multiply(rows, ops.expand_dims(ops.cast(weights, dtype), -1))
    if mode == "one_hot":
        return rows
    axis = 1 if len(shape) > 1 else 0
    if mode == "count":
        return ops.sum(rows, axis)
    return ops.sign(ops.sum(rows, axis)) if sparse else ops.max(rows, axis)


def without_gaps(indices: Any) -> Any:
    """Return sparse or ragged indices as dense ones, with -1, which encodings ignore, where there are none.

    Args:
        indices: sparse or ragged array of integers.
    """
    backend = backends.current()
    if backend.is_symbolic:
        return backend.densified(indices)
    from_one = backend.on_entries(lambda entries: ops.add(ops.cast(entries, "int32"), 1), indices)
    return ops.subtract(ops.convert_to_tensor(from_one, sparse=False, ragged=False), 1)


def count_on_host(documents: Iterable, depth: int, mode: str) -> np.ndarray:
    """Count the indices of each document.

    Args:
        documents: sequences of indices; those outside the range of ``depth`` are ignored.
        depth: int, number of different indices.
        mode: ``"count"``, or ``"multi_hot"`` for 1 if an index occurs.

    >>> count_on_host([[0, 2, 2], []], 3, "count")
    array([[1, 0, 2],
           [0, 0, 0]])
    """
    rows = []
    for document in documents:
        indices = np.asarray(document, "int64").reshape(-1)
        rows.append(np.bincount(indices[(indices >= 0) & (indices < depth)], minlength=depth))
    counts = np.stack(rows) if rows else np.zeros((0, depth), "int64")
    return np.minimum(counts, 1) if mode == "multi_hot" else counts


def encode_on_host(indices: np.ndarray, mode: str, depth: int) -> np.ndarray:
    """Like ``encode``, in NumPy and without a vector in memory for every index."""
    if mode == "int":
        return indices
    indices = indices.reshape(1) if indices.ndim == 0 else indices
    if mode == "one_hot":
        indices = indices[..., 0] if indices.ndim > 1 and indices.shape[-1] == 1 else indices
        return (indices[..., None] == np.arange(depth)).astype("int64")
    rows = np.moveaxis(indices, 1, -1) if indices.ndim > 2 else indices
    counts = count_on_host(rows.reshape(-1, rows.shape[-1]), depth, mode)
    return counts.reshape(*rows.shape[:-1], depth)


def encoded_shape(shape: tuple, mode: str, depth: int | None) -> tuple:
    """Return the shape of the result of ``encode`` for an array of a given shape."""
    if mode == "int":
        return shape
    shape = shape or (1,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


class HostLayer(Layer):
    """Base class of layers that process strings, which ``call`` receives as NumPy arrays on every backend.

    Subclasses compute in NumPy in ``call``, and return the shape of the result from ``output_shape_of``. Such a
    layer belongs in front of a model, or in its input pipeline, and not in a compiled step, except for integers,
    which ``call`` may receive as backend arrays.
    """

    in_graphs = "leave"
    #: dtype of the output; None for ``floatx()``.
    result_dtype: str | None = None
    output_mode = "int"
    sparse = False
    #: Whether the rows of ragged arrays are encoded.
    _encodes_ragged = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = True

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a layer from the result of ``get_config``; file paths in it are rejected in safe mode.

        Args:
            config: dict, as ``get_config`` returns.
        """
        with registry.safe_mode_scope(True):
            return super().from_config(config)

    def prepare(self, inputs: Any) -> Any:
        """Convert the inputs to the form that ``call`` takes.

        Args:
            inputs: array, or list of arrays or strings, of any shape.
        """
        return integers_or_texts(inputs)

    def output_shape_of(self, shape: Any) -> tuple:
        """Return the output shape for an input shape.

        Args:
            shape: tuple, or list of tuples.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define output_shape_of. Received: none.")

    def finish(self, result: np.ndarray) -> Any:
        """Return a result as a backend array.

        Args:
            result: NumPy or backend array.
        """
        dtype = self.result_dtype or config.floatx()
        # An index has 64 bits because NumPy's have; on JAX nobody has asked for them.
        is_given = isinstance(result, np.ndarray) and result.dtype.name == dtype
        return backends.current().array(result, None if is_given else dtype)

    def encoded(self, indices: Any, mode: str, depth: int) -> Any:
        """Encode indices, and return the result as a backend array.

        Args:
            indices: NumPy or backend array of integers.
            mode: "int", "one_hot", "multi_hot" or "count".
            depth: int, the size of the encoding.
        """
        if self.sparse and mode != "int":
            indices = backends.current().array(indices)
        if isinstance(indices, np.ndarray):
            return self.finish(encode_on_host(indices, mode, depth))
        return encode(indices, mode, depth, self.result_dtype or config.floatx(), sparse=self.sparse)

    def of_entries(self, inputs: Any) -> Any:
        """Apply the layer to the entries of a sparse or ragged array, for one of the same layout.

        Args:
            inputs: sparse or ragged array.
        """
        return backends.current().on_entries(lambda entries: self.call(self.prepare(entries)), inputs)

    def _convert_arguments(self, backend: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if backend.is_symbolic:
            return args, kwargs
        inputs = args[0] if args else kwargs.pop("inputs")
        if is_structured(inputs) and backend.as_structured(inputs) is not None:
            is_encoded = self._encodes_ragged and backend.layout(inputs) == "ragged"
            keeps = self._takes_structured and (self.output_mode == "int" or is_encoded)
            inputs = inputs if keeps else self.prepare(backend.densified(inputs))
            return (inputs, *args[1:]), kwargs
        return (self.prepare(inputs), *args[1:]), kwargs

    def _accept_input(self, backend: Any, x: Any) -> None:
        """Accept nothing for the fast path: every input needs preparation."""

    def _run_call(self, backend: Any, args: tuple, kwargs: dict) -> Any:
        if not backend.is_symbolic:
            return self.of_entries(args[0]) if is_structured(args[0]) else self.call(*args, **kwargs)
        first = args[0] if args else kwargs["inputs"]
        shape = [tuple(x.shape) for x in first] if isinstance(first, list | tuple) else tuple(first.shape)
        result = SpecArray(self.output_shape_of(shape), self.result_dtype or config.floatx())
        if self.output_mode != "int":
            return StructuredSpec(result.shape, result.dtype, "sparse") if self.sparse else result
        keeps = self._takes_structured and is_structured(first)
        return StructuredSpec(result.shape, result.dtype, first.layout) if keeps else result
