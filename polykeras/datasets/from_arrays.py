"""Datasets from arrays: windows of time series, and splits of a dataset."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import seeds, trees
from polykeras.datasets.from_directories import in_format
from polykeras.training.data.conversion import Rows, as_rows, count_rows, is_array, is_values, standardize, take
from polykeras.training.data.datasets import SampleDataset
from polykeras.utils.image_arrays import one_of


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str | None = None,
) -> Any:
    """Return a dataset of sliding windows over a time series.

    Args:
        data: array of shape (time, ...), in memory or on disk; arrays on disk are read window by window.
        targets: array, ``targets[i]`` belongs to the window that starts at ``data[i]``; None for no targets.
        sequence_length: int, number of time steps per window.
        sequence_stride: int, number of time steps between the starts of windows; default 1.
        sampling_rate: int, number of time steps between the entries of a window; default 1.
        batch_size: int, number of windows per batch; None for single windows; default 128.
        shuffle: bool, whether to use a new order in each epoch, the same on every backend; default False.
        seed: int, seed of the order; default None, for a new order in every run.
        start_index, end_index: ints, the range of the data to use; default None, for all.
        format: "tf" for a ``tf.data.Dataset``, "grain" for polykeras's own dataset type; default None, for what
            programs of the backend expect: "tf" on TensorFlow.

    Raises:
        ValueError: for numbers out of range, or data that is too short for a window.

    >>> dataset = timeseries_dataset_from_array(np.arange(6), np.arange(6) * 10, 3, batch_size=2)
    >>> [(x.tolist(), y.tolist()) for x, y in dataset]
    [([[0, 1, 2], [1, 2, 3]], [0, 10]), ([[2, 3, 4], [3, 4, 5]], [20, 30])]
    """
    one_of("format", format, ("tf", "grain", None))
    data = _rows(data)
    targets = None if targets is None else _rows(targets)
    length = len_of(data)
    for name, value, most in (
        ("sequence_length", sequence_length, length),
        ("sequence_stride", sequence_stride, length - 1),
        ("sampling_rate", sampling_rate, length - 1),
    ):
        if not isinstance(value, int | np.integer) or not 1 <= value <= most:
            raise ValueError(f"Expected {name} from 1 to {most}, for data of length {length}. Received: {value!r}.")
    start, end = start_index or 0, length if end_index is None else end_index
    if not 0 <= start < end <= length:
        raise ValueError(
            f"Expected 0 <= start_index < end_index <= {length}, the length of the data. Received: "
            f"start_index={start_index!r}, end_index={end_index!r}."
        )
    after_last = end - (sequence_length - 1) * sampling_rate
    if targets is not None:
        after_last = min(after_last, len_of(targets))
    starts = np.arange(start, after_last, sequence_stride)
    if not len(starts):
        raise ValueError(
            f"Expected data for one window of {sequence_length} entries, {sampling_rate} steps apart, and its target. "
            f"Received: {end - start} entries."
        )
    entries = np.arange(sequence_length) * sampling_rate
    read = functools.partial(_windows, data, targets, entries)
    return in_format(SampleDataset(read, starts, batch_size, shuffle, seed), format)


def _rows(x: Any) -> Any:
    return x if isinstance(x, np.ndarray) else as_rows(x)


def len_of(x: Any) -> int:
    """Return the number of rows of an array."""
    return int(x.shape[0])


def _windows(data: Any, targets: Any, entries: np.ndarray, start: Any) -> Any:
    """The windows with the given starts; overlapping parts are read from disk only once."""
    indices = np.asarray(start)[..., None] + entries
    if isinstance(data, Rows):
        needed, inverse = np.unique(indices, return_inverse=True)
        windows = data.read(needed)[inverse.reshape(indices.shape)]
    else:
        windows = data[indices]
    if targets is None:
        return windows
    return windows, take(targets, np.atleast_1d(start)).reshape(np.shape(start) + targets.shape[1:])


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Split a dataset in two.

    Args:
        dataset: array, list, tuple or dict of arrays, dataset of this package, or iterable of
            samples from any library (a ``tf.data.Dataset``, a torch ``Dataset``), which is read into memory.
        left_size, right_size: float, fraction of the samples, or int, number of samples; default None, for the rest.
        shuffle: bool, whether to assign samples to the two parts at random; default False.
        seed: int, seed of the assignment; default None.
        preferred_backend: str, name of a backend; the results are what its programs expect, ``tf.data.Dataset``s for
            TensorFlow; default None, for ``tf.data.Dataset``s if ``dataset`` is one, else for the current backend.

    Returns:
        Two datasets of single samples; batch them with ``dataset.batch(32)``.

    Raises:
        ValueError: for sizes that are missing, too large together, or leave a part empty.
        TypeError: for something that is not a dataset.

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(right), [batch.tolist() for batch in left.batch(5)]
    (2, [[0, 1, 2, 3, 4], [5, 6, 7]])
    """
    samples = _samples(dataset)
    left, right = _sizes(len(samples._samples), left_size, right_size)
    order = np.arange(len(samples._samples))
    if shuffle:
        order = seeds.host_generator(seeds.next_seed() if seed is None else seed, "split").permutation(order)
    parts = samples.part(order[:left]), samples.part(order[left : left + right])
    is_of_tf_data = hasattr(dataset, "_variant_tensor") and not isinstance(dataset, SampleDataset)
    if preferred_backend is None:
        format = "tf" if is_of_tf_data else None
    else:
        format = "tf" if backends.load(preferred_backend).has_datasets else "grain"
    return in_format(parts[0], format), in_format(parts[1], format)


def _samples(dataset: Any) -> SampleDataset:
    """A dataset of single samples."""
    if isinstance(dataset, SampleDataset):
        return dataset.unbatch()
    is_arrays = trees.is_nested(dataset) and len(dataset) and all(map(is_array, trees.leaves(dataset)))
    if is_array(dataset) or is_values(dataset) or is_arrays:
        data = standardize(dataset, _rows)
        return SampleDataset(functools.partial(_one, data), count_rows(data, "dataset"))
    if isinstance(dataset, Iterable) and not isinstance(dataset, str | bytes | dict):
        found = list(dataset)
    elif (
        hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, str | bytes | dict)
    ):
        found = [dataset[index] for index in range(len(dataset))]
    else:
        raise TypeError(f"Expected arrays or a dataset of samples. Received: {type(dataset).__name__}.")
    return SampleDataset(functools.partial(operator.getitem, found), len(found))


def _one(data: Any, index: int) -> Any:
    return trees.map(lambda x: take(x, np.array([index]))[0], data)


def _count_of(size: float | None, count: int) -> int | None:
    """The number of samples, from a fraction of ``count`` or a number."""
    if size is None:
        return None
    return round(size * count) if isinstance(size, float) else int(size)


def _sizes(count: int, left: float | None, right: float | None) -> tuple[int, int]:
    if left is None and right is None:
        raise ValueError("Expected left_size, right_size, or both. Received: neither.")
    for name, size in (("left_size", left), ("right_size", right)):
        is_number = size is None or (isinstance(size, int | float | np.number) and not isinstance(size, bool))
        if not is_number:
            raise TypeError(f"Expected {name} to be an int or a float. Received: {size!r}.")
        if size is not None and not 0 < size < (1 if isinstance(size, float) else count):
            raise ValueError(
                f"Expected {name} as a fraction above 0 and below 1, or an int from 1 to {count - 1}. "
                f"Received: {size!r}."
            )
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(f"Expected left_size and right_size of at most 1 together. Received: {left} and {right}.")
    first, second = _count_of(left, count), _count_of(right, count)
    if first is None:
        first = count - (second or 0)
    if second is None:
        second = count - first
    if not first or not second or first + second > count:
        raise ValueError(
            f"Expected two parts of {count} samples with at least one in each. Received: {first} and {second}, from "
            f"left_size={left!r} and right_size={right!r}."
        )
    return first, second
