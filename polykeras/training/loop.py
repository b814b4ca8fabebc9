"""Epochs of training, evaluation and prediction over a source of batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.backends.shared.structured import is_structured
from polykeras.callbacks.callback import CallbackList
from polykeras.capture.cache import Captured
from polykeras.core import log_names, trees
from polykeras.core.variables import values_of
from polykeras.training.data.sources import ArraySource
from polykeras.training.resumption import Position

# Rough cost model for the number of steps in one dispatch. It depends only on sizes, never on
# the clock, so that a program is reproducible to the bit.
_FLOPS_PER_SECOND = 2e10
_SECONDS_PER_DISPATCH = 0.02
_MOST_STEPS = 64


def steps_per_dispatch(model: Any, batch_size: int, steps: int, asked: int | None, watched: bool) -> int:
    """Return how many steps of ``fit`` are sent to the backend in one call.

    Args:
        asked: the user's ``steps_per_execution``; None or 1 leaves the choice to polykeras.
        watched: whether a callback needs every batch.
    """
    if asked and asked > 1:
        return min(asked, steps)
    if watched or not backends.current().is_traced:
        return 1
    seconds = 6 * batch_size * model_cost(model) / _FLOPS_PER_SECOND
    count = int(_SECONDS_PER_DISPATCH / seconds) if seconds else _MOST_STEPS
    count = min(count, _MOST_STEPS, steps)
    # Prefer a divisor: leftover steps are dispatched one by one.
    return min(range(count, count // 2, -1), key=lambda n: steps % n) if count >= 4 else 1


def model_cost(model: Any) -> int:
    """Return roughly how many multiplications a row costs: each weight times the positions where it is used."""
    return sum(sum(w.size for w in layer._own_weights) * layer._weight_places for layer in model._flatten_layers())


def to_floats(logs: dict) -> dict[str, Any]:
    """Return logs as Python floats; non-scalar values as NumPy arrays, and the entries of nested dicts likewise.

    >>> to_floats({"loss": np.float32(0.5), "scores": {"f1": np.float32(0.25), "norms": [np.ones(2)]}})
    {'loss': 0.5, 'f1': 0.25, 'norms': [array([1., 1.])]}
    """
    backend = backends.current()
    result: dict = {}

    def to_float(value: Any) -> Any:
        if not backend.is_array(value):
            return value
        value = backend.to_numpy(value)
        return float(value) if value.shape == () else np.array(value, np.float64)

    for name, value in logs.items():
        result |= to_floats(value) if isinstance(value, dict) else {name: trees.map(to_float, value)}
    return log_names.logs(result)


def logs_of(result: Any, read_logs: Callable[[], dict] | None) -> dict:
    """Return the logs of a step.

    Args:
        result: result of the step: logs, a loss alone, or None from an eager step.
        read_logs: returns the logs of an eager step.
    """
    if result is None:
        return {} if read_logs is None else values_of(read_logs())
    return result if isinstance(result, dict) else {"loss": result}


class Loop:
    """Runs a step over the epochs of a source.

    Args:
        model: its ``stop_training`` and ``stop_evaluating`` end an epoch early.
        step: the captured or eager step.
        source: the source of batches.
        callbacks: callbacks to call before and after batches.
        kind: ``"train"`` or ``"test"``, for the names of callback methods.
        chunk: int, steps in one dispatch, for arrays.
        read_logs: function that returns the logs of an eager step, which returns none itself.
    """

    def __init__(
        self,
        model: Any,
        step: Captured,
        source: Any,
        callbacks: CallbackList,
        kind: str,
        chunk: int = 1,
        read_logs: Callable[[], dict] | None = None,
    ) -> None:
        self.model = model
        self.step = step
        self.source = source
        self.callbacks = callbacks
        self.kind = kind
        self.chunk = chunk
        self._read_logs = read_logs
        self._rows_of_batch: Callable[[int], int] | None = None

    def epoch(self, number: int = 0, position: Position | None = None) -> dict:
        """Run an epoch; return the logs of its last step, still on the device.

        Args:
            number: int, the number of the epoch.
            position: holds the batch to begin with, and is updated to the next one.
        """
        self._position = position or Position((0, 0), number)
        runs = self._rows(number) if isinstance(self.source, ArraySource) else self._batches(number)
        runs = itertools.dropwhile(lambda run: run[0] < self._position.batch, runs)
        together, last = getattr(self.model, "steps_per_execution", 1), self.source.steps
        logs: Any = None
        first = after = 0
        for begin, after, run in runs:
            if begin % together == 0:
                first = begin
                self.callbacks.batch_begin(self.kind, first, self._of_batch(first))
            logs = run()
            is_last = after == last
            if is_last or after % together == 0:
                self._end(first + together, after, logs, is_last)
                first = after
                if self._is_stopped():
                    break
        if first < after:  # data of unknown length ended within a group of steps that are reported together
            self._end(first + together, after, logs, True)
        return self._logs(logs) if logs is not None or self._read_logs else {}

    def _end(self, told: int, after: int, logs: Any, is_last: bool) -> None:
        """Report the number of batches to callbacks like Keras, which counts a short last execution as a whole one."""
        self._position.batch = after
        index = max(told, after) - 1

        def make_logs() -> dict:
            return log_names.logs(self._of_batch(after - 1) | to_floats(self._logs(logs)))

        self.callbacks.batch_end(self.kind, index, make_logs, is_last, after)

    def _of_batch(self, index: int) -> dict:
        """Return what Keras 2 reports to callbacks about a batch: its number and, if known, its size."""
        if not log_names.has_batches:
            return {}
        sizes = {} if self._rows_of_batch is None else {"size": self._rows_of_batch(index)}
        return log_names.logs({"batch": index, **sizes})

    def _logs(self, logs: Any) -> dict:
        return logs_of(logs, self._read_logs)

    def _is_stopped(self) -> bool:
        return self.model.stop_training if self.kind == "train" else self.model.stop_evaluating

    def _batches(self, number: int) -> Iterator[tuple]:
        for index, batch in enumerate(self.source.batches(number)):
            self._rows_of_batch = lambda _: int(self.step.backend.shape(trees.leaves(batch)[0])[0])  # noqa: B023
            yield index, index + 1, lambda: self.step(batch)  # noqa: B023

    def _rows(self, number: int) -> Iterator[tuple]:
        """Yield whole chunks first, then the remaining whole batches, then a smaller last one."""
        source, step, size = self.source, self.step, self.source.batch_size
        self._rows_of_batch = lambda index: min(size, source.rows - index * size)
        if not step._is_traced:
            yield from self._batches(number)
            return
        backend = step.backend
        order = source.order(number)
        order = np.arange(source.rows, dtype=np.int32) if order is None else order
        data = source.device_data
        whole = min(source.rows // size, source.steps)
        chunked = whole - whole % self.chunk if self.chunk > 1 else 0
        for first in range(0, chunked, self.chunk):
            index = order[first * size : (first + self.chunk) * size].reshape(self.chunk, size)
            yield first, first + self.chunk, lambda: step.on_rows(data, backend.array(index))  # noqa: B023
        for first in range(chunked, source.steps):
            index = order[first * size : (first + 1) * size]
            yield first, first + 1, lambda: step.on_rows(data, backend.array(index))  # noqa: B023


def to_host(backend: Any, outputs: Any) -> Any:
    """Return outputs as NumPy arrays that the caller may modify, since they may be weights or the inputs themselves."""
    return trees.map(lambda x: x if is_structured(x) else np.array(backend.to_numpy(x)), outputs)


def predict(model: Any, step: Captured, source: Any, callbacks: CallbackList) -> Any:
    """Return the outputs for all batches of a source, concatenated, as NumPy arrays.

    Rows whose sizes differ between batches become an object array with the array of each row.
    """
    backend = step.backend
    parts: list = []
    last = source.steps
    together = getattr(model, "steps_per_execution", 1)
    outputs: Any = None
    told = 0

    def logs() -> Any:
        return {"outputs": trees.map(backend.to_numpy, outputs)}

    for index, batch in enumerate(source.batches()):
        if index % together == 0:
            told = index + together - 1
            callbacks.batch_begin("predict", index)
        outputs = step(batch)
        parts.append(outputs)
        after = index + 1
        if after % together == 0 or after == last:
            callbacks.batch_end("predict", told, logs, after == last, after)
            if model.stop_predicting:
                break
    if last is None and len(parts) % together:  # data of unknown length ended within a group reported together
        callbacks.batch_end("predict", told, logs, True, len(parts))
    if len(parts) == 1:
        return to_host(backend, parts[0])
    return trees.map(lambda *xs: _joined(backend, xs), *parts)


def _joined(backend: Any, batches: Sequence[Any]) -> Any:
    """Join the rows of all batches in one array; rows of different sizes in an object array."""
    if is_structured(batches[0]):
        return ops.concatenate(list(batches), axis=0)
    parts = [backend.to_numpy(x) for x in batches]
    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    rows = [row for part in parts for row in part]
    result = np.empty(len(rows), object)
    result[:] = rows
    return result
