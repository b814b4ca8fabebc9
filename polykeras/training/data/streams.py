"""Batches that come one after another, from files, datasets, generators and other iterables."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from polykeras.training.data.workers import Workers, ordered

_END = object()
_NONE = Workers(0)


def _warn(received: str) -> None:
    warnings.warn(
        f"Your input ran out of data; interrupting training. Expected at least steps_per_epoch * epochs batches. "
        f"Received: {received}. Ask for fewer steps or epochs, or repeat the data.",
        stacklevel=2,
    )


class StreamSource:
    """Batches from passes over keys, each of which is read into a batch.

    Epochs of ``steps`` batches go on where the last one ended, as in Keras; a pass that ends in the
    middle of an epoch ends the epoch, with a warning.

    Args:
        new_pass: returns the keys of a pass, by its number; an iterator goes on instead.
        read: from a key to a batch as the user gives it; several may run at a time.
        prepare: from that to a batch on the device.
        steps: batches an epoch, None for a whole pass.
        length: batches in a pass, where it is known.
        first: number of the first epoch.
        goes_on: False starts a new pass each epoch.
        workers: threads or processes that read.
        on_begin, on_end: called around each epoch.
    """

    batch_size = None

    def __init__(
        self,
        new_pass: Callable[[int], Iterable],
        read: Callable[[Any], Any],
        prepare: Callable[[Any], Any],
        steps: int | None = None,
        length: int | None = None,
        first: int = 0,
        goes_on: bool = True,
        workers: Workers = _NONE,
        on_begin: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.steps = length if steps is None else steps
        self._asked, self._goes_on = steps, goes_on
        self._new_pass, self._number = new_pass, first
        self._read, self._prepare, self._workers = read, prepare, workers
        self._on_begin, self._on_end = on_begin, on_end
        self._keys: Any = None
        self._items: Any = None
        self._ahead: list = []

    def spec(self) -> Any:
        """The first batch; it will come again in the first epoch.

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
        if self._on_begin is not None:
            self._on_begin()
        key = next(self._keys, _END) if self._goes_on and self._keys is not None else _END
        if key is _END:
            self._keys = iter(self._new_pass(self._number))
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
        if self._on_end is not None:
            self._on_end()
        if self._asked is None:
            self.steps = count
        elif count < self._asked:
            _warn(f"{count} of {self._asked} batches in an epoch")
        if self._asked is None:
            self._keys = None

    def pass_over(self, epochs: Iterable[int]) -> None:
        """Let epochs go by: batches that are read by keys are not read, others are taken and dropped."""
        own = self._read, self._prepare, self._workers
        for epoch in epochs:
            for _ in self.batches(epoch):
                self._read = self._prepare = lambda item: item  # from the next epoch on
                self._workers = _NONE
        self._read, self._prepare, self._workers = own

    def close(self) -> None:
        """End the threads or processes that prepare batches."""
        if self._items is not None:
            self._items.close()
