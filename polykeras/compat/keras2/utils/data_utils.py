"""Batches prepared in advance, under the names of Keras 2. ``fit`` does not need them: it accepts the data itself."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Generator, Iterable
from typing import Any
from urllib.request import urlopen, urlretrieve

import numpy as np

from polykeras.core import seeds
from polykeras.datasets.downloads import get_file
from polykeras.training.data.datasets import PyDataset, Sequence
from polykeras.training.data.workers import Workers, ordered, reader

__all__ = [
    "GeneratorEnqueuer",
    "OrderedEnqueuer",
    "Sequence",
    "SequenceEnqueuer",
    "get_file",
    "get_index",
    "init_pool",
    "init_pool_generator",
    "next_sample",
    "urlopen",
    "urlretrieve",
    "validate_file",
]


class SequenceEnqueuer:
    """Base class of enqueuers: after ``start()`` batches are prepared in advance, and ``get()`` yields them.

    Args:
        sequence: the data.
        use_multiprocessing: bool, processes instead of threads; default False.

    >>> import polykeras as keras
    >>> issubclass(keras.utils.OrderedEnqueuer, keras.utils.SequenceEnqueuer)
    True
    """

    def __init__(self, sequence: Any, use_multiprocessing: bool = False) -> None:
        self.sequence, self.use_multiprocessing = sequence, use_multiprocessing
        self._batches: Generator | None = None

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Start a number of workers.

        Args:
            workers: int; default 1.
            max_queue_size: int, the maximum number of batches to keep ready; default 10.
        """
        self._batches = self._prepared(Workers(workers, self.use_multiprocessing, max_queue_size))

    def _prepared(self, workers: Workers) -> Generator:
        raise NotImplementedError

    def is_running(self) -> bool:
        """True between ``start()`` and ``stop()``."""
        return self._batches is not None

    def get(self) -> Generator[Any]:
        """Yield batches.

        Raises:
            RuntimeError: if ``start()`` was not called.
        """
        if self._batches is None:
            raise RuntimeError("Expected start() before get(). Received: an enqueuer that was not started.")
        yield from itertools.chain(self._batches)  # a chain can't be closed, so they outlive this generator

    def stop(self, timeout: float | None = None) -> None:
        """Stop the workers.

        Args:
            timeout: float, seconds to wait; None for as long as it takes.
        """
        if self._batches is not None:
            self._batches.close()
            self._batches = None


class OrderedEnqueuer(SequenceEnqueuer):
    """Yields the batches of a ``Sequence``, epoch after epoch, in order.

    Args:
        sequence: a ``Sequence``.
        use_multiprocessing: bool, processes instead of threads; default False.
        shuffle: bool, whether to use a new order of batches in each epoch; default False.

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

    def _prepared(self, workers: Workers) -> Generator:
        for epoch in itertools.count():
            order = range(len(self.sequence))
            if self.shuffle:
                order = seeds.host_generator(self._seed, "shuffle", epoch).permutation(len(order)).tolist()
            yield from ordered(reader(self.sequence), order, workers)
            self.sequence.on_epoch_end()


class GeneratorEnqueuer(SequenceEnqueuer):
    """Yields what a generator yields.

    Args:
        sequence: the generator, or a list of generators to alternate between.
        use_multiprocessing, wait_time, random_seed: for compatibility; a generator can't be shared,
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

    def _prepared(self, workers: Workers) -> Generator:
        many = self.sequence if isinstance(self.sequence, list | tuple) else [self.sequence]
        yield from itertools.chain.from_iterable(zip(*many, strict=False))


_sources: dict = {}


def init_pool(seqs: dict) -> None:
    """Set the datasets from which ``get_index`` reads for enqueuers.

    Args:
        seqs: dict from numbers to sequences.

    >>> init_pool({0: ["a", "b"]}); get_index(0, 1)
    'b'
    """
    _sources.clear()
    _sources.update(seqs)


def init_pool_generator(gens: dict, random_seed: int | None = None) -> None:
    """Set the generators from which ``next_sample`` reads for enqueuers, and seed NumPy.

    Args:
        gens: dict from numbers to generators.
        random_seed: int; default None, for no seed.

    >>> init_pool_generator({0: iter("ab")}); next_sample(0), next_sample(0)
    ('a', 'b')
    """
    init_pool(gens)
    if random_seed is not None:
        np.random.seed(random_seed)


def get_index(uid: int, i: int) -> Any:
    """Return a batch of the data given to ``init_pool``.

    Args:
        uid: int, the key of the data.
        i: int, the index of the batch.
    """
    return _sources[uid][i]


def next_sample(uid: int) -> Any:
    """Return the next batch of a generator given to ``init_pool_generator``.

    Args:
        uid: int, the key of the generator.
    """
    return next(_sources[uid])


def validate_file(fpath: Any, file_hash: str, algorithm: str = "auto", chunk_size: int = 65535) -> bool:
    """Return whether a file has a hash.

    Args:
        fpath: path of the file.
        file_hash: str, hexadecimal.
        algorithm: "sha256", "md5", or "auto", which depends on the length of the hash; default "auto".
        chunk_size: int, bytes to read at a time; default 65535.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/empty"; open(path, "w").close()
    >>> validate_file(path, "d41d8cd98f00b204e9800998ecf8427e")
    True
    """
    is_sha = algorithm == "sha256" or algorithm == "auto" and len(file_hash) == 64
    return _hash_file(fpath, "sha256" if is_sha else "md5", chunk_size) == file_hash.lower()


def _hash_file(fpath: Any, algorithm: str = "sha256", chunk_size: int = 65535) -> str:
    """Return the hash of a file in hexadecimal digits; programs for Keras 2 import this name."""
    digest = hashlib.sha256() if algorithm in ("sha256", "auto") else hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while part := file.read(chunk_size):
            digest.update(part)
    return digest.hexdigest()
