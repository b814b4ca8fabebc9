"""Batches prepared in advance by threads or processes, in order, which are stopped cleanly."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import random as python_random
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from polykeras import backends
from polykeras.core import seeds
from polykeras.core.interrupts import deferred

if TYPE_CHECKING:
    from concurrent import futures


class Workers(NamedTuple):
    """How batches are prepared.

    Args:
        count: int, threads or processes; up to one thread means that the caller does the work.
        use_multiprocessing: bool, processes instead of threads.
        queue: int, the maximum number of batches ready or in preparation.
    """

    count: int = 1  # type: ignore[assignment] # overrides tuple.count, which is not used
    use_multiprocessing: bool = False
    queue: int = 10

    @property
    def are_needed(self) -> bool:
        return self.count > 1 or (self.count == 1 and self.use_multiprocessing)


def ordered(read: Callable[[Any], Any], keys: Iterable, workers: Workers) -> Iterator[Any]:
    """Yield ``read(key)`` for each key, in the order of the keys.

    An exception in ``read`` is raised here, with its traceback. Closing the iterator, or an
    exception (including Ctrl-C) while it waits, stops the threads or processes.

    >>> list(ordered(lambda key: 2 * key, range(4), Workers(2)))
    [0, 2, 4, 6]
    """
    if not workers.are_needed:
        yield from map(read, keys)
        return
    keys = iter(keys)
    executor, call = _processes(read, workers) if workers.use_multiprocessing else _threads(read, workers)
    waiting: collections.deque = collections.deque()

    def submit(count: int) -> None:
        for key in itertools.islice(keys, count):
            with deferred():  # a Ctrl-C between starting a worker and registering it would leak the worker
                waiting.append(executor.submit(call, key))

    try:
        submit(max(workers.queue, 1))
        while waiting:
            result = waiting.popleft().result()
            submit(1)
            yield result
    finally:
        waiting.clear()
        executor.shutdown(wait=True, cancel_futures=True)


def _threads(read: Callable, workers: Workers) -> tuple[futures.Executor, Callable]:
    """Start threads that use the caller's backend."""
    from concurrent.futures import ThreadPoolExecutor

    backend = backends.current()

    def call(key: Any) -> Any:
        with backends.use(backend):
            return read(key)

    return ThreadPoolExecutor(workers.count, "polykeras-data"), call


def _processes(read: Callable, workers: Workers) -> tuple[futures.Executor, Callable]:
    from concurrent.futures import ProcessPoolExecutor

    arguments = read, seeds.next_seed()
    return ProcessPoolExecutor(workers.count, initializer=_start_process, initargs=arguments), _call


_process: dict[str, Any] = {}


def _start_process(read: Callable, seed: int) -> None:
    """Keep the function, which is sent only once; leave Ctrl-C to the training process."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _process.update(read=read, seed=seed)


def _call(key: Any) -> Any:
    """Read one batch, with random numbers that depend on the batch and not on the process that reads it."""
    seed = seeds.digest("worker", _process["seed"], key)
    python_random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    return _process["read"](key)


def reader(dataset: Any) -> Callable[[int], Any]:
    """Return a picklable function from index to batch of a dataset."""
    return functools.partial(_item, dataset)


def _item(dataset: Any, index: int) -> Any:
    return dataset[index]
