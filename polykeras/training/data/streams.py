"""Sequential batches from files, datasets, generators and other iterables."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from polykeras.training.data.workers import Workers, ordered

_END = object()
_NONE = Workers(0)


def _warn(received: str) -> None:
    warnings.warn(
        f"Your input ran out of data; interrupting training. Expected at least steps_per_epoch * epochs batches. "
        f"Received: {received}. Ask for fewer steps or epochs, or repeat the data.",
        stacklevel=2,
    )


class Stream(NamedTuple):
    """Data that is read in passes over keys, with a batch for each key.

    Args:
        new_pass: function of a pass's number that returns its keys; an iterator continues instead.
        read: function from a key to a batch as the user provides it; calls may overlap.
        length: int, batches in a pass; None if unknown.
        on_begin: called before each epoch.
        on_end: called after each epoch.
    """

    new_pass: Callable[[int], Iterable]
    read: Callable[[Any], Any]
    length: int | None = None
    on_begin: Callable[[], None] | None = None
    on_end: Callable[[], None] | None = None


class Epochs(NamedTuple):
    """How epochs divide the passes over the data.

    Args:
        steps: int, batches per epoch; None for a whole pass.
        first: int, the number of the first epoch, on which the order depends.
        goes_on: whether an epoch with fewer ``steps`` than a pass continues where the previous one ended, as in Keras;
            otherwise each epoch starts a new pass.
    """

    steps: int | None = None
    first: int = 0
    goes_on: bool = False


class StreamSource:
    """Batches of a stream; a pass that ends within an epoch ends the epoch, with a warning.

    Args:
        stream: the source of batches.
        prepare: function from a batch as the user provides it to one on the device.
        epochs: how epochs divide the passes.
        workers: the threads or processes that read.
    """

    batch_size = None

    def __init__(self, stream: Stream, prepare: Callable[[Any], Any], epochs: Epochs, workers: Workers = _NONE) -> None:
        self.steps = stream.length if epochs.steps is None else epochs.steps
        self._asked, self._number, self._goes_on = epochs
        self._stream = stream
        self._read = stream.read
        self._prepare = prepare
        self._workers = workers
        self._keys: Any = None
        self._items: Any = None
        self._ahead: list = []

    def spec(self) -> Any:
        """Return the first batch, which will be yielded again in the first epoch.

        Raises:
            ValueError: if there is none.
        """
        if not self.begin():
            raise ValueError("Expected data with at least one batch. Received: an empty iterable.")
        return self._ahead[0]

    def begin(self) -> bool:
        """Begin an epoch by reading its first batch; return False, with a warning, if there is none."""
        if self._ahead:
            return True
        self.close()
        if self._stream.on_begin is not None:
            self._stream.on_begin()
        key = next(self._keys, _END) if self._goes_on and self._keys is not None else _END
        if key is _END:
            self._keys = iter(self._stream.new_pass(self._number))
            self._number += 1
            key = next(self._keys, _END)
        if key is _END:
            if self._items is not None:
                _warn("none for another epoch")
            return False
        self._items = ordered(self._read, itertools.chain([key], self._rest_of_epoch()), self._workers)
        self._ahead.append(self._prepare(next(self._items)))
        return True

    def _rest_of_epoch(self) -> Iterator:
        return self._keys if self._asked is None else itertools.islice(self._keys, self._asked - 1)

    def batches(self, epoch: int = 0) -> Iterator[Any]:
        """Yield the batches of an epoch."""
        count = 0
        if self.begin():
            count = 1
            yield self._ahead.pop()
            for item in self._items:
                count += 1
                yield self._prepare(item)
        if self._stream.on_end is not None:
            self._stream.on_end()
        if self._asked is None:
            self.steps = count
        elif count < self._asked:
            _warn(f"{count} of {self._asked} batches in an epoch")
        if self._asked is None:
            self._keys = None

    def pass_over(self, epochs: Iterable[int]) -> None:
        """Skip epochs: batches that are read by key are not read, others are consumed and dropped."""
        own = self._read, self._prepare, self._workers
        for epoch in epochs:
            for _ in self.batches(epoch):
                self._read = self._prepare = lambda item: item  # effective from the next epoch
                self._workers = _NONE
        self._read, self._prepare, self._workers = own

    def close(self) -> None:
        """Stop the threads or processes that prepare batches."""
        if self._items is not None:
            self._items.close()
