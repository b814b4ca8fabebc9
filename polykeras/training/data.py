"""Where batches come from: arrays in memory, or anything that yields them.

A source gives, for each epoch, batches as trees ``(x, y, sample_weight)`` cut to the parts that
are there. Arrays are moved to the device once; a batch of them is named by the indices of its
rows, so that the step can gather them there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras import backends, config
from polykeras.core import dtypes, random, trees


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return the data of a step as a tuple without missing parts at the end.

    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    """
    if y is None:
        return (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple:
    """Return (x, y, sample_weight) of the data of a step; missing parts are None.

    Raises:
        ValueError: for a tuple of another length.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"Expected a batch (x,), (x, y) or (x, y, sample_weight). Received: a tuple of {len(data)} parts."
        )
    return (*data, None, None)[:3]


def host_array(x: Any) -> Any:
    """Return array-likes as NumPy arrays (frames, series, lists); float64 in ``floatx()``.

    Arrays of a framework stay as they are.
    """
    if x is None:
        return None
    backend = backends.current()
    if backend.is_array(x) and not isinstance(x, np.ndarray | np.generic):
        return x
    if hasattr(x, "toarray") and not isinstance(x, np.ndarray):  # scipy's sparse matrices
        x = x.toarray()
    x = np.asarray(x)
    if x.dtype == object:
        raise ValueError(
            f"Expected data of numbers and equal lengths. Received: an array of Python objects, such as "
            f"{x.flat[0]!r}. Convert it, or pad it with utils.pad_sequences."
        )
    if x.dtype == np.float64:
        x = x.astype(dtypes.numpy_dtype(config.floatx()))
    return x


def _is_values(x: Any) -> bool:
    """True for a list of plain numbers: data, not a list of inputs."""
    return isinstance(x, list | tuple) and bool(x) and np.isscalar(x[0])


def standardize(data: Any) -> Any:
    """Make arrays of everything in a tree of data."""
    if _is_values(data):
        return host_array(data)
    if isinstance(data, list | tuple) and data and all(_is_values(x) for x in data):
        return host_array(data)
    return trees.map(host_array, data)


def rows(data: Any, name: str = "x") -> int:
    """Return how many rows the arrays of a tree have.

    Raises:
        ValueError: if they differ, or an array has no axis.
    """
    shapes = [tuple(np.shape(x)) if isinstance(x, np.ndarray) else tuple(x.shape) for x in trees.leaves(data)]
    if any(shape == () for shape in shapes):
        raise ValueError(f"Expected arrays with a batch axis for {name}. Received: a scalar.")
    counts = {shape[0] for shape in shapes}
    if len(counts) != 1:
        raise ValueError(
            f"Expected the arrays of {name} to have equal lengths along axis 0. Received shapes: {shapes}."
        )
    return counts.pop()


class ArraySource:
    """Batches of rows of arrays.

    Args:
        data: tree ``(x, y, sample_weight)``, without the missing parts.
        batch_size: rows a batch; the last one may have fewer.
        shuffle: new order each epoch; ``"batch"`` keeps batches together.
        steps: batches an epoch; default as many as there are.
    """

    is_array = True

    def __init__(self, data: Any, batch_size: int, shuffle: Any = False, steps: int | None = None) -> None:
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.rows = rows(data, "x, y and sample_weight")
        available = math.ceil(self.rows / batch_size)
        self.steps = available if steps is None else min(steps, available)
        self._seed = random.next_seed() if shuffle else None
        self._device_data: Any = None

    @property
    def device_data(self) -> Any:
        """The arrays on the device; moved at the first use."""
        if self._device_data is None:
            backend = backends.current()
            self._device_data = trees.map(lambda x: x if _is_own(backend, x) else backend.array(x), self.data)
        return self._device_data

    def order(self, epoch: int) -> np.ndarray | None:
        """The rows in the order of an epoch, None for their own order."""
        if not self.shuffle:
            return None
        generator = random.host_generator(self._seed, "shuffle", epoch)
        if self.shuffle == "batch":
            whole = self.rows // self.batch_size
            order = np.arange(self.rows, dtype=np.int32)
            head = order[: whole * self.batch_size].reshape(whole, self.batch_size)
            return np.concatenate([generator.permutation(head).ravel(), order[whole * self.batch_size :]])
        return generator.permutation(self.rows).astype(np.int32)

    def spec(self) -> Any:
        """A first batch, as it will come."""
        count = min(self.batch_size, self.rows)
        return trees.map(lambda x: x[:count], self.device_data)

    def batches(self, epoch: int = 0) -> Iterator[Any]:
        """Yield batches, for steps that take them one by one."""
        order = self.order(epoch)
        backend = backends.current()
        for step in range(self.steps):
            part = slice(step * self.batch_size, min((step + 1) * self.batch_size, self.rows))
            if order is None:
                yield trees.map(lambda x: x[part], self.device_data)  # noqa: B023
            else:
                index = backend.array(order[part])
                yield trees.map(lambda x: backend.take(x, index, 0), self.device_data)  # noqa: B023


def _is_own(backend: Any, x: Any) -> bool:
    return backend.is_array(x) and (not isinstance(x, np.ndarray) or backend.name == "numpy")


class StreamSource:
    """Batches from an iterable of ``(x, y, sample_weight)`` tuples, or of x alone.

    Args:
        batches: function that returns a fresh iterator, or the one iterator there is.
        steps: batches an epoch, None for all that come.
        restarts: whether each epoch starts a fresh iterator.
    """

    is_array = False

    def __init__(self, make: Callable[[], Iterator], steps: int | None, restarts: bool) -> None:
        self._make = make
        self.steps = steps
        self._restarts = restarts
        self._iterator: Iterator | None = None
        self._first: list = []
        self.batch_size = None

    def spec(self) -> Any:
        """The first batch; it will come again in the first epoch."""
        if not self._first:
            self._iterator = self._make()
            try:
                self._first = [_to_device(next(self._iterator))]
            except StopIteration:
                raise ValueError("Expected data with at least one batch. Received: an empty iterable.") from None
        return self._first[0]

    def batches(self, epoch: int = 0) -> Iterator[Any]:
        """Yield the batches of an epoch."""
        if self._iterator is None or (self._restarts and not self._first):
            self._iterator = self._make()
        count = 0
        while self.steps is None or count < self.steps:
            if self._first:
                batch = self._first.pop()
            else:
                try:
                    batch = _to_device(next(self._iterator))
                except StopIteration:
                    break
            count += 1
            yield batch
        if self.steps is None:
            self.steps = count
            self._restarts = True


def _to_device(batch: Any) -> Any:
    backend = backends.current()
    if isinstance(batch, list):
        batch = tuple(batch)
    unpack_x_y_sample_weight(batch)
    batch = batch if isinstance(batch, tuple) else (batch,)
    batch = tuple(part for part in batch if part is not None)
    batch = tuple(standardize(part) for part in batch)
    return trees.map(lambda x: x if _is_own(backend, x) else backend.array(x), batch)


def _foreign(x: Any) -> bool:
    """True for arrays of any library: they have a shape and a length."""
    return hasattr(x, "shape") and hasattr(x, "__array__")


def _is_arrays(x: Any) -> bool:
    if hasattr(x, "toarray") or _foreign(x) or _is_values(x):
        return True
    if isinstance(x, dict):
        return all(_is_arrays(v) for v in x.values())
    return isinstance(x, list | tuple) and bool(x) and all(_is_arrays(v) or np.isscalar(v) for v in x)


def make_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: Any = False,
    class_weight: dict | None = None,
) -> Any:
    """Return the source for whatever a user passes as data.

    Raises:
        ValueError: for arrays of different lengths, or targets beside an iterable that has them.
        TypeError: for data of a kind that can't be read.
    """
    if _is_arrays(x):
        parts = {"x": x, "y": y, "sample_weight": sample_weight}
        parts = {name: standardize(part) for name, part in parts.items() if part is not None}
        counts = {name: rows(part, name) for name, part in parts.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(
                "Expected x, y and sample_weight to have equal lengths. Received: "
                + ", ".join(f"{count} rows of {name}" for name, count in counts.items())
                + "."
            )
        if class_weight is not None:
            parts["sample_weight"] = class_weights(parts.get("y"), class_weight, parts.get("sample_weight"))
        if counts["x"] == 0:
            raise ValueError("Expected data with at least one row. Received: 0 rows of x.")
        return ArraySource(tuple(parts.values()), batch_size or 32, shuffle, steps)
    if y is not None or sample_weight is not None:
        raise ValueError(
            f"Expected y and sample_weight only beside arrays. Received: x of type {type(x).__name__}, which yields "
            f"them itself."
        )
    return _stream(x, steps, class_weight)


def _stream(x: Any, steps: int | None, class_weight: dict | None) -> StreamSource:
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):  # utils.Sequence, PyDataset
        count = len(x) if steps is None else steps

        def make() -> Iterator:
            yield from (x[place] for place in range(len(x)))
            if hasattr(x, "on_epoch_end"):
                x.on_epoch_end()

        return StreamSource(_weighted(make, class_weight), count, restarts=True)
    if not hasattr(x, "__iter__"):
        raise TypeError(
            f"Expected data as arrays, lists, dicts of them, or an iterable of batches. Received: {x!r} of type "
            f"{type(x).__name__}."
        )
    is_endless = hasattr(x, "__next__")
    if is_endless:
        return StreamSource(_weighted(lambda: x, class_weight), steps, restarts=False)
    return StreamSource(_weighted(lambda: iter(x), class_weight), steps, restarts=True)


def _weighted(make: Callable[[], Iterator], class_weight: dict | None) -> Callable[[], Iterator]:
    if class_weight is None:
        return make

    def weighted() -> Iterator:
        for batch in make():
            x, y, weight = unpack_x_y_sample_weight(batch)
            yield x, y, class_weights(standardize(y), class_weight, weight)

    return weighted


def class_weights(y: Any, weights: dict, sample_weight: Any = None) -> np.ndarray:
    """Return the weight of each row by its class.

    Args:
        y: class indices of shape (n,) or (n, 1), or one-hot vectors (n, classes).
        weights: dict from every class in y to a number.
        sample_weight: multiplies the result.

    Raises:
        ValueError: for classes without a weight, keys that are no ints, or several outputs.

    >>> class_weights(np.array([0, 1, 1]), {0: 1.0, 1: 2.0})
    array([1., 2., 2.], dtype=float32)
    """
    if not isinstance(weights, dict) or not all(isinstance(k, int | np.integer) for k in weights):
        raise ValueError(f"Expected class_weight to be a dict from class index (int) to weight. Received: {weights!r}.")
    if y is None or trees.is_nested(y):
        raise ValueError("Expected one output, and its targets y, for class_weight. Received: none or several.")
    y = np.asarray(backends.current().to_numpy(y) if not isinstance(y, np.ndarray) else y)
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y))
    labels = labels.astype(np.int64)
    found = np.unique(labels)
    missing = [int(c) for c in found if c not in weights]
    if missing:
        raise ValueError(f"Expected class_weight to name every class in y. Received: none for {missing}.")
    table = dict(weights)
    result = np.array([table[int(c)] for c in found], np.float32)[np.searchsorted(found, labels)]
    return result if sample_weight is None else result * np.asarray(sample_weight, np.float32)


def split(data: Any, fraction: float) -> tuple[Any, Any]:
    """Cut arrays in two: the last ``fraction`` of the rows is the second part.

    Raises:
        ValueError: for a fraction outside (0, 1), data without rows to cut, or an empty part.
    """
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise ValueError(f"Expected validation_split above 0 and below 1. Received: {fraction!r}.")
    if not all(part is None or _is_arrays(part) for part in data):
        raise ValueError(
            "Expected arrays for validation_split. Received: an iterable, which can't be cut. Use validation_data."
        )
    data = tuple(None if part is None else standardize(part) for part in data)
    count = rows(tuple(part for part in data if part is not None), "x, y and sample_weight")
    first = math.floor(count * (1 - fraction))
    if first in (0, count):
        raise ValueError(f"Expected validation_split={fraction} to leave rows on both sides. Received: {count} rows.")
    cut = lambda part: lambda piece: None if piece is None else trees.map(lambda x: x[part], piece)  # noqa: E731
    head, tail = cut(slice(None, first)), cut(slice(first, None))
    return tuple(map(head, data)), tuple(map(tail, data))
