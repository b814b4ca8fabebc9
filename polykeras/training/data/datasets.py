"""Batches by index: the base class that users extend."""

from __future__ import annotations

import copy
import functools
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras.core import seeds, trees
from polykeras.training.checks import check_counts, check_workers
from polykeras.training.data.workers import Workers, ordered


class PyDataset:
    """Base class of datasets that return batches by index; its Keras 2 name is ``Sequence``.

    Args:
        workers: int, threads or processes that prepare batches ahead; up to 1 thread means none; default 1.
        use_multiprocessing: bool, processes instead of threads, which requires picklable items; default False.
        max_queue_size: int, the maximum number of batches ready or in preparation; default 10.

    Override ``__len__`` (batches per epoch) and ``__getitem__`` (a batch ``(x, y, sample_weight)``, or its
    first parts). ``on_epoch_begin`` and ``on_epoch_end`` may change the data. Batches keep
    their order whoever prepares them; ``fit(shuffle=True)`` draws a new order of whole batches in each
    epoch. Endless data has ``num_batches = None``, or no ``__len__``.

    >>> import numpy as np, polykeras as keras
    >>> class Squares(keras.utils.PyDataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         x = np.arange(8.0)[:, None] + 8 * index
    ...         return x, x**2
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> model.predict(Squares(workers=2), verbose=0).shape
    (32, 1)
    """

    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        check_workers(workers, use_multiprocessing, max_queue_size)
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Return batch number ``index``."""
        raise NotImplementedError(f"Expected {type(self).__name__} to define __getitem__(index). Received: none.")

    @property
    def num_batches(self) -> int | None:
        """Batches per epoch; None for endless data."""
        if not hasattr(self, "__len__"):
            raise NotImplementedError(f"Expected {type(self).__name__} to define __len__(). Received: none.")
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before an epoch."""

    def on_epoch_end(self) -> None:
        """Called after an epoch."""

    def __iter__(self) -> Iterator[Any]:
        try:
            length = self.num_batches
        except NotImplementedError:
            length = None
        return (self[index] for index in (itertools.count() if length is None else range(length)))


Sequence = PyDataset


class SampleDataset(PyDataset):
    """Batches of indexed samples, which are read when they are needed.

    Args:
        read: function from an array of sample indices to a batch, or from one index to a sample.
        samples: int, the number of samples, or the indices of those to use.
        batch_size: int, samples per batch; None returns single samples.
        shuffle: bool, whether to draw a new order of samples for each pass, the same on every backend.
        seed: int, the seed of the order; default None, for one from the global stream.
        drop_remainder: bool, whether to leave out a smaller last batch.

    >>> import numpy as np
    >>> dataset = SampleDataset(lambda indices: indices * 10, 5, batch_size=2)
    >>> [batch.tolist() for batch in dataset]
    [[0, 10], [20, 30], [40]]
    >>> [batch.tolist() for batch in dataset.skip(1).map(lambda batch: batch + 1)]
    [[21, 31], [41]]

    All other methods of a ``tf.data.Dataset`` (``prefetch``, ``cache``, ``repeat`` ...) are delegated to an
    equivalent one, which needs TensorFlow.
    """

    #: Shape and dtype of a sample, a tree of specs; None if they are found by reading one.
    spec: Any = None
    #: For samples that are files in folders: the class names, and the paths.
    class_names: list[str] | None = None
    file_paths: list[str] | None = None

    def __init__(
        self,
        read: Callable[[Any], Any],
        samples: Any,
        batch_size: int | None = None,
        shuffle: bool = False,
        seed: int | None = None,
        drop_remainder: bool = False,
    ) -> None:
        super().__init__()
        check_counts(batch_size=batch_size)
        self.read = read
        self._batch_size = batch_size
        self._drop_remainder = drop_remainder
        self._samples = np.arange(samples) if isinstance(samples, int) else np.asarray(samples)
        self._shuffle = shuffle
        self._seed = None
        self._passes = 0
        if shuffle:
            self._seed = seeds.next_seed() if seed is None else seed
        self._batches = slice(None)

    def __len__(self) -> int:
        return len(range(self._count)[self._batches])

    @property
    def _count(self) -> int:
        size = self._batch_size or 1
        return len(self._samples) // size if self._drop_remainder else -(-len(self._samples) // size)

    def new_pass(self) -> list:
        """Return the keys to ``read`` for each batch of another pass, in a new order if the dataset shuffles."""
        order = self._samples
        if self._shuffle:
            order = seeds.host_generator(self._seed, "shuffle", self._passes).permutation(order)
        self._passes += 1
        if self._batch_size is None:
            return order.tolist()[self._batches]
        size = self._batch_size
        return [order[index * size : (index + 1) * size] for index in range(self._count)[self._batches]]

    def __iter__(self) -> Iterator[Any]:
        return ordered(self.read, self.new_pass(), workers_of(self))

    def __getitem__(self, index: int) -> Any:
        """Return a batch in the original order of the samples."""
        size = self._batch_size
        number = range(self._count)[self._batches][index]
        return self.read(self._samples[number].item() if size is None else self._samples[number * size :][:size])

    # The options of ``tf.data`` say how to be fast, and change no results here: samples are read when they are needed.
    def batch(self, batch_size: int, drop_remainder: bool = False, **options: Any) -> SampleDataset:
        """Return a dataset of batches of these samples, each read separately and stacked."""
        _check_options("batch", options)
        if self._batch_size is not None:
            raise ValueError(f"Expected a dataset of single samples. Received: one in batches of {self._batch_size}.")
        check_counts(batch_size=batch_size)
        read = functools.partial(_read_stacked, self.read)
        samples = self._samples[self._batches]
        return self._changed(
            read=read, _samples=samples, _batches=slice(None), _batch_size=batch_size, _drop_remainder=drop_remainder
        )

    def unbatch(self, **options: Any) -> SampleDataset:
        """Return a dataset of the single samples."""
        _check_options("unbatch", options)
        if self._batch_size is None:
            return self
        first = np.arange(self._count)[self._batches] * self._batch_size
        indices = (first[:, None] + np.arange(self._batch_size)).ravel()
        samples = self._samples[indices[indices < len(self._samples)]]
        read = functools.partial(_read_single, self.read)
        return self._changed(read=read, _samples=samples, _batches=slice(None), _batch_size=None)

    def part(self, indices: Any) -> SampleDataset:
        """Return a dataset of some of the samples, given by their indices in the original order."""
        return self._changed(_samples=self._samples[indices])

    def map(self, map_func: Callable, *options: Any, **more: Any) -> SampleDataset:
        """Return a dataset with ``map_func(x, y)`` applied to the batches ``(x, y)``."""
        _check_options("map", more, *options)
        return self._changed(read=functools.partial(_read_mapped, self.read, map_func), spec=None)

    def take(self, count: int, **options: Any) -> SampleDataset:
        """Return a dataset of the first ``count`` batches of each pass; -1 for all."""
        _check_options("take", options)
        return self._changed(_batches=_part(self._batches, 0, None if count < 0 else count))

    def skip(self, count: int, **options: Any) -> SampleDataset:
        """Return a dataset without the first ``count`` batches of each pass; -1 for an empty one."""
        _check_options("skip", options)
        count = len(self) if count < 0 else count
        return self._changed(_batches=_part(self._batches, count, None))

    def as_tensorflow(self) -> Any:
        """Return a ``tf.data.Dataset`` with the same batches in the same order."""
        from polykeras.interop.tensorflow_data import dataset_of

        return dataset_of(self)

    def __getattr__(self, name: str) -> Any:
        if name not in _OF_TF_DATA:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.as_tensorflow(), name)

    def _changed(self, **attributes: Any) -> SampleDataset:
        other = copy.copy(self)
        other.__dict__.update(attributes)
        return other


# Other names that programs written for ``tf.data`` use; its functions require the last one of a dataset.
_OF_TF_DATA = frozenset(
    ("apply", "as_numpy_iterator", "cache", "cardinality", "concatenate", "element_spec", "enumerate", "filter")
    + (
        "flat_map",
        "group_by_window",
        "interleave",
        "options",
        "padded_batch",
        "prefetch",
        "ragged_batch",
        "rebatch",
        "reduce",
        "repeat",
        "save",
        "scan",
        "shard",
        "shuffle",
        "take_while",
        "unique",
        "window",
        "with_options",
    )
    + ("_variant_tensor",)
)


_OPTIONS = {"num_parallel_calls", "deterministic", "name", "synchronous", "use_unbounded_threadpool"}


def _check_options(method: str, named: dict, *positional: Any) -> None:
    unknown = sorted(named.keys() - _OPTIONS)
    if unknown or len(positional) > len(_OPTIONS):
        raise TypeError(f"{method}(): Expected options among {sorted(_OPTIONS)}. Received: {unknown or positional}.")


def _part(batches: slice, start: int, count: int | None) -> slice:
    first = (batches.start or 0) + start
    ends = [end for end in (batches.stop, None if count is None else first + count) if end is not None]
    return slice(first, min(ends, default=None))


def _read_mapped(read: Callable, function: Callable, key: Any) -> Any:
    batch = read(key)
    return function(*batch) if isinstance(batch, tuple) else function(batch)


def _read_single(read: Callable, key: int) -> Any:
    return trees.map(operator.itemgetter(0), read(np.array([key])))


def _read_stacked(read: Callable, keys: Any) -> Any:
    return trees.map(lambda *samples: np.stack(samples), *(read(key) for key in keys.tolist()))


def workers_of(dataset: Any, **given: Any) -> Workers:
    """Return the worker settings of a dataset; those passed to ``fit`` take precedence.

    >>> workers_of(PyDataset(workers=2), max_queue_size=4)
    Workers(count=2, use_multiprocessing=False, queue=4)
    """
    names = ("workers", "use_multiprocessing", "max_queue_size")
    values = [given.get(name, getattr(dataset, name, getattr(PyDataset, name))) for name in names]
    check_workers(*values)
    return Workers(*values)
