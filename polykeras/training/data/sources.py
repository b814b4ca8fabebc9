"""The one module that inspects what a user passes as data, and makes a source of batches from it."""

from __future__ import annotations

import functools
import itertools
import math
import operator
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from polykeras.core import placement, seeds, trees
from polykeras.layers.preprocessing.host import is_string_array
from polykeras.training.checks import check_fraction
from polykeras.training.data.array_source import ArraySource, RowOrder
from polykeras.training.data.batches import Preparation, pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.training.data.conversion import Rows, as_rows, count_rows, is_data, standardize, take
from polykeras.training.data.datasets import PyDataset, SampleDataset, workers_of
from polykeras.training.data.streams import Epochs, Stream, StreamSource

__all__ = [
    "ArraySource", "Epochs", "Preparation", "make_batch", "make_source", "pack_x_y_sample_weight", "split",
    "unpack_x_y_sample_weight"
]  # fmt: skip

# Larger data may not fit on the device: it stays in host memory, and single batches are moved.
_MOST_BYTES_ON_DEVICE = 2 << 30
_WHOLE_PASSES = Epochs()
_PREPARATION = Preparation()
_ENDLESS = -1  # the cardinality of a TensorFlow dataset that repeats forever


def make_source(
    data: tuple,
    batch_size: int | None = None,
    epochs: Epochs = _WHOLE_PASSES,
    shuffle: Any = False,
    prepare: Preparation = _PREPARATION,
    workers: dict | None = None,
) -> Any:
    """Return a source for whatever a user passes as data.

    Args:
        data: tuple (x, y, sample_weight), where x is arrays, or a dataset or iterable of such tuples, in which case
            the others are None.
        batch_size: int, rows per batch of arrays; default 32; a dataset determines its own batches.
        epochs: how epochs divide the passes; by default an epoch is one pass.
        shuffle: bool, a new order in each pass, of rows or of a dataset's batches; ``"batch"`` for batches of rows.
        prepare: moves batches to the device; for arrays that fit there, all rows at once.
        workers: ``workers``, ``use_multiprocessing`` and ``max_queue_size``; default None, for the dataset's own.

    Raises:
        ValueError: for arrays of different lengths, or targets along with an iterable that includes them.
        TypeError: for data of an unsupported type.
    """
    x, *targets = data
    distribution = placement.state.distribution
    if distribution is not None:
        x = distribution.part_of_process(x)
        data = x, *targets
    worker_settings = workers_of(x, **(workers or {}))
    if is_data(x) and not isinstance(x, PyDataset):
        return _source_of_rows(data, batch_size or 32, epochs, shuffle, prepare)
    is_indexed = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    if isinstance(x, str | bytes) or not (is_indexed or hasattr(x, "__iter__") or isinstance(x, PyDataset)):
        raise TypeError(
            f"Expected data as arrays, lists, dicts of them, a dataset or an iterable of batches. "
            f"Received: {x!r} of type {type(x).__name__}."
        )
    for name, part in zip(("y", "sample_weight"), targets, strict=True):
        if part is not None:
            raise ValueError(
                f"Expected {name} only along with arrays. Received: x of type {type(x).__name__}, which yields batches "
                f"(x, y, sample_weight) itself."
            )
    if isinstance(x, PyDataset) or (is_indexed and (hasattr(x, "on_epoch_end") or not hasattr(x, "__iter__"))):
        return StreamSource(_stream_of_dataset(x, epochs.steps, shuffle), prepare, epochs, worker_settings)
    length = _length(x)
    _check_ends(length, epochs.steps, x)
    read = _as_it_is if hasattr(x, "element_spec") else _as_tuple  # a tf.data.Dataset, or another iterable
    return StreamSource(Stream(lambda number: x, read, length), prepare, epochs)


def _as_it_is(batch: Any) -> Any:
    return batch


def _tuple_at(dataset: Any, index: int) -> Any:
    return _as_tuple(dataset[index])


def _as_tuple(batch: Any) -> Any:
    """Return a batch as Keras passes it to steps: a single array in a tuple."""
    return batch if isinstance(batch, tuple | list | dict) else (batch,)


def _source_of_rows(data: tuple, batch_size: int, epochs: Epochs, shuffle: Any, prepare: Preparation) -> Any:
    """Rows on the device; or read in parts, if they don't fit or an epoch is not a whole pass."""
    x, y, sample_weight = (standardize(part, as_rows) for part in data)
    parts = prepare.on_host(x, y, sample_weight, is_whole=True)
    order = RowOrder(count_rows(parts), batch_size, shuffle)
    packed = pack_x_y_sample_weight(*parts)
    if epochs.steps in (None, order.batches) and _fits_device(packed) and _is_whole():
        return ArraySource(packed, order)

    def read(key: Any) -> Any:
        return trees.map(lambda leaf: take(leaf, key), packed)

    checked_later = prepare if _are_on_disk(parts[1:]) else Preparation(encode=prepare.encode)
    return StreamSource(Stream(order.keys, read, order.batches), checked_later, epochs)


def make_batch(x: Any, y: Any = None, sample_weight: Any = None, put: Callable | None = None, **options: Any) -> Any:
    """Return one batch on the device, or wherever ``put`` puts it, packed; options as for ``Preparation``.

    Raises:
        ValueError: for data that is not arrays, or parts that don't match.
    """
    if not is_data(x) or isinstance(x, PyDataset):
        raise ValueError(f"Expected one batch, as arrays. Received: {type(x).__name__}. Use fit() for many.")
    return pack_x_y_sample_weight(*Preparation(**options)((x, y, sample_weight), put, has_equal_lengths=True))


def _stream_of_dataset(x: Any, steps: int | None, shuffle: Any) -> Stream:
    """Batches by index, in a new order in each pass."""
    length = _length(x)
    _check_ends(length, steps, x)
    is_ordered = isinstance(x, SampleDataset)
    seed = seeds.next_seed() if shuffle and length and not is_ordered else None

    def indices(number: int) -> Iterable[int]:
        count = _length(x)  # may change between epochs
        if count is None:
            return itertools.count()
        if seed is None:
            return range(count)
        return seeds.host_generator(seed, "shuffle", number).permutation(count).tolist()

    return Stream(
        (lambda number: x.new_pass()) if is_ordered else indices,
        x.read if is_ordered else functools.partial(_tuple_at, x),
        length,
        getattr(x, "on_epoch_begin", None),
        getattr(x, "on_epoch_end", None),
    )


def _length(x: Any) -> int | None:
    """Return the number of batches in a pass; None if it is unknown or infinite."""
    try:
        if hasattr(x, "num_batches"):
            return x.num_batches
    except NotImplementedError:  # a PyDataset without __len__
        return None
    try:
        length = len(x)
    except TypeError:  # no length, or one that can't be determined
        return None
    return None if length == sys.maxsize else length


def _check_ends(length: int | None, steps: int | None, x: Any) -> None:
    cardinality = getattr(x, "cardinality", None)  # a property of TensorFlow's distributed data
    cardinality = cardinality() if callable(cardinality) else cardinality
    is_endless = isinstance(x, PyDataset) or (cardinality is not None and int(cardinality) == _ENDLESS)
    if length is None and steps is None and is_endless:
        raise ValueError(
            f"Expected steps_per_epoch (steps, validation_steps) for endless data. Received: None, for a "
            f"{type(x).__name__} without end."
        )


def _fits_device(data: Any) -> bool:
    leaves = trees.leaves(data)
    size = sum(leaf.nbytes for leaf in leaves if isinstance(leaf, np.ndarray))
    return not (_are_on_disk(leaves) or any(map(is_string_array, leaves))) and size <= _MOST_BYTES_ON_DEVICE


def _is_whole() -> bool:
    """Whether the data is not this process's part of it, whose batches are joined with those of other processes."""
    distribution = placement.state.distribution
    return distribution is None or distribution.num_processes == 1


def _are_on_disk(data: Any) -> bool:
    return any(isinstance(leaf, Rows) for leaf in trees.leaves(data))


def split(data: Any, fraction: float) -> tuple[Any, Any]:
    """Split arrays in two without copying: the second part is the last ``fraction`` of the rows.

    Raises:
        ValueError: for a fraction outside (0, 1), data without rows to split, or an empty part.
    """
    check_fraction("validation_split", fraction)
    if not all(is_data(part) and not isinstance(part, PyDataset) for part in data):
        raise ValueError(
            "Expected arrays for validation_split. Received: an iterable, which can't be split. Use validation_data."
        )
    data = Preparation(encode=lambda x, is_whole: x).on_host(*(standardize(part, as_rows) for part in data))
    count = count_rows(data)
    first = math.floor(count * (1 - fraction))
    if first in (0, count):
        raise ValueError(f"Expected validation_split={fraction} to leave rows on both sides. Received: {count} rows.")
    parts = slice(first), slice(first, None)
    first_part, second_part = (unpack_x_y_sample_weight(trees.map(operator.itemgetter(part), data)) for part in parts)
    return first_part, second_part
