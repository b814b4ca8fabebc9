"""Batches ahead of time, under the names of Keras 2. ``fit`` needs none of it: it takes the data itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from polykeras.core import seeds
from polykeras.datasets.downloads import get_file
from polykeras.training.data.datasets import PyDataset, Sequence
from polykeras.training.data.workers import Workers, ordered, reader

__all__ = ["GeneratorEnqueuer", "OrderedEnqueuer", "Sequence", "SequenceEnqueuer", "get_file"]


class SequenceEnqueuer:
    """Base of the enqueuers: after ``start()`` batches are prepared ahead, and ``get()`` yields them.

    Args:
        sequence: the data.
        use_multiprocessing: processes instead of threads.

    >>> import polykeras as keras
    >>> issubclass(keras.utils.OrderedEnqueuer, keras.utils.SequenceEnqueuer)
    True
    """

    def __init__(self, sequence: Any, use_multiprocessing: bool = False) -> None:
        self.sequence, self.use_multiprocessing = sequence, use_multiprocessing
        self._batches: Iterator | None = None

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Begin, with a number of workers and of batches to keep ready.

        Args:
            workers: int; default 1.
            max_queue_size: int, how many batches are kept ready; default 10.
        """
        self._batches = self._prepared(Workers(workers, self.use_multiprocessing, max_queue_size))

    def _prepared(self, workers: Workers) -> Iterator:
        raise NotImplementedError

    def is_running(self) -> bool:
        """True between ``start()`` and ``stop()``."""
        return self._batches is not None

    def get(self) -> Iterator[Any]:
        """Yield batches.

        Raises:
            RuntimeError: before ``start()``.
        """
        if self._batches is None:
            raise RuntimeError("Expected start() before get(). Received: an enqueuer that was not started.")
        yield from self._batches

    def stop(self, timeout: float | None = None) -> None:
        """End the workers.

        Args:
            timeout: seconds to wait for; None for as long as it takes.
        """
        if self._batches is not None:
            self._batches.close()
            self._batches = None


class OrderedEnqueuer(SequenceEnqueuer):
    """Yield the batches of a ``Sequence``, epoch after epoch, in order.

    Args:
        sequence: a ``Sequence``.
        use_multiprocessing: processes instead of threads.
        shuffle: a new order of the batches each epoch.

    >>> import numpy as np, polykeras as keras
    >>> generator = keras.preprocessing.sequence.TimeseriesGenerator(np.arange(4), np.arange(4), 2, batch_size=1)
    >>> enqueuer = OrderedEnqueuer(generator)
    >>> enqueuer.start(); batches = enqueuer.get()
    >>> [int(next(batches)[1][0]) for _ in range(3)]
    [2, 3, 2]
    >>> enqueuer.stop()
    """

    def __init__(self, sequence: PyDataset, use_multiprocessing: bool = False, shuffle: bool = False) -> None:
        super().__init__(sequence, use_multiprocessing)
        self.shuffle = shuffle
        self._seed = seeds.next_seed() if shuffle else None

    def _prepared(self, workers: Workers) -> Iterator:
        for epoch in itertools.count():
            order = range(len(self.sequence))
            if self.shuffle:
                order = seeds.host_generator(self._seed, "shuffle", epoch).permutation(len(order)).tolist()
            yield from ordered(reader(self.sequence), order, workers)
            self.sequence.on_epoch_end()


class GeneratorEnqueuer(SequenceEnqueuer):
    """Yield what a generator yields.

    Args:
        sequence: the generator, or a list of generators to go round.
        use_multiprocessing, wait_time, random_seed: accepted for compatibility: a generator can't be shared,
            so it runs where ``get()`` is called; default None.

    >>> enqueuer = GeneratorEnqueuer(iter([1, 2]))
    >>> enqueuer.start()
    >>> list(enqueuer.get())
    [1, 2]
    """

    def __init__(
        self,
        sequence: Iterable,
        use_multiprocessing: bool = False,
        wait_time: float | None = None,
        random_seed: int | None = None,
    ) -> None:
        super().__init__(sequence, use_multiprocessing)

    def _prepared(self, workers: Workers) -> Iterator:
        many = self.sequence if isinstance(self.sequence, list | tuple) else [self.sequence]
        yield from itertools.chain.from_iterable(zip(*many, strict=False))
