"""Arrays in memory, moved to the device once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import placement, seeds, trees
from polykeras.training.data.conversion import take, to_device


class RowOrder:
    """The order of rows in each epoch, the same for arrays in memory and on disk.

    Args:
        rows: int, the number of rows.
        batch_size: int, rows per batch.
        shuffle: bool, whether to use a new order in each epoch; ``"batch"`` keeps batches together.
    """

    def __init__(self, rows: int, batch_size: int, shuffle: Any) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.batches = math.ceil(rows / batch_size)
        self._seed = seeds.next_seed() if shuffle else None

    def of(self, epoch: int) -> np.ndarray | None:
        """Return the rows in the order of an epoch; None for their original order."""
        if not self.shuffle:
            return None
        generator = seeds.host_generator(self._seed, "shuffle", epoch)
        if self.shuffle == "batch":
            whole = self.rows // self.batch_size
            order = np.arange(self.rows, dtype=np.int32)
            head = order[: whole * self.batch_size].reshape(whole, self.batch_size)
            return np.concatenate([generator.permutation(head).ravel(), order[whole * self.batch_size :]])
        return generator.permutation(self.rows).astype(np.int32)

    def keys(self, epoch: int) -> Iterator[Any]:
        """Yield the rows of each batch: a slice if they are contiguous, otherwise an array of indices."""
        order = self.of(epoch)
        for start in range(0, self.rows, self.batch_size):
            part = slice(start, min(start + self.batch_size, self.rows))
            if order is not None and self.shuffle == "batch":
                first = int(order[start])
                yield slice(first, first + part.stop - part.start)
            else:
                yield part if order is None else order[part]


class ArraySource:
    """Batches of rows of arrays that are on the device.

    A batch is represented by its row indices, so that the step can gather the rows on the device.

    Args:
        data: tree ``(x, y, sample_weight)``, without trailing None.
        order: the order of its rows.
    """

    def __init__(self, data: Any, order: RowOrder) -> None:
        self.rows = order.rows
        self.batch_size = order.batch_size
        self.steps = order.batches
        self.order, self._keys = order.of, order.keys
        self._data, self._is_moved = data, False

    @property
    def device_data(self) -> Any:
        """The arrays on the device, or on each one; moved on first use, and kept only there."""
        if not self._is_moved:
            distribution = placement.state.distribution
            if distribution is None:
                self._data = to_device(self._data, is_kept=True)
            else:
                self._data = placement.replicate(backends.current(), self._data, distribution)
            self._is_moved = True
        return self._data

    def spec(self) -> Any:
        """Return the first batch, as steps will receive it."""
        return self._batch(slice(0, min(self.batch_size, self.rows)))

    def batches(self, epoch: int = 0) -> Iterator[Any]:
        """Yield batches, for steps that receive them one by one."""
        yield from map(self._batch, self._keys(epoch))

    def _batch(self, key: Any) -> Any:
        if not isinstance(key, slice):
            index = backends.current().array(key)
            return trees.map(lambda x: take(x, index), self.device_data)
        if self.rows <= self.batch_size:
            return self.device_data
        # Slice contiguous rows on the host if they are there: on JAX and TensorFlow slicing an
        # array costs 60 and 230 µs.
        rows = trees.map(lambda x: take(x, key), self._data)
        return rows if self._is_moved else to_device(rows, is_kept=True)

    def begin(self) -> bool:
        """Return True: there is always another epoch."""
        return True

    def pass_over(self, epochs: Iterable[int]) -> None:
        """Do nothing: the order of an epoch does not depend on earlier epochs."""

    def close(self) -> None:
        """Do nothing: there are no workers."""
