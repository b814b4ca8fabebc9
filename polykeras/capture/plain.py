"""A step that runs line by line, and reads what is set as it goes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.core import trees, turns
from polykeras.core.context import owned
from polykeras.core.functionalization import check_owned, holding, reading, recording
from polykeras.core.shape_inference import attributes_kept, inferred
from polykeras.core.tracking import unique
from polykeras.core.variables import values_of


class PlainStep:
    """One step of a model, of which no captured version exists that could become outdated.

    Args:
        model: gives ``_step_variables()`` and ``_training_variables()``.
        function: of a batch (a tree of arrays); reads and assigns the model's variables.
        batch: specs of a batch. The step is run over them once, which makes what is not there yet.

    When a call raises, or Ctrl-C comes, the variables are as before.
    """

    _is_traced = False

    def __init__(self, model: Any, function: Callable, batch: Any) -> None:
        self.backend = backends.current()
        function = drawing_from(model, function)
        with recording() as assigned, reading(), backends.use(SPEC), attributes_kept():
            self.result = inferred(function, batch)
        seeds = [v for v in assigned if v.counts_draws]
        self._variables = unique(iter([*model._step_variables(), *model._training_variables(), *seeds]))
        check_owned(assigned, self._variables)
        self._turn = turns.shared(self._variables)
        self._function = function
        if not self.backend.is_traced:
            run = self.backend.compile(lambda state, batch: (state, function(batch)), optimize=False)
            self._function = lambda batch: run([], batch)[1]

    def __call__(self, batch: Any) -> Any:
        """Run the step on a batch."""
        return self._turn.current().write(self._run, batch)

    def _run(self, batch: Any) -> Any:
        self._part()
        with recording() as assigned, holding({}) as values:
            result = values_of(self._function(batch))
        is_odd = self.backend.ambient_mode() is not None
        for variable in assigned:
            variable.put(self.backend.copy(values[variable]) if is_odd else values[variable])
        return in_order(result, self.result)

    def on_rows(self, data: Any, index: Any) -> Any:
        """Run the step on the rows of ``data`` that ``index`` names: once, or once a row of a matrix."""
        rows = [index]
        if len(self.backend.shape(index)) == 2:
            rows = [self.backend.getitem(index, (n,)) for n in range(self.backend.shape(index)[0])]
        for row in rows:
            result = self(trees.map(lambda x: self.backend.take(x, row, 0), data))  # noqa: B023
        return result

    def _part(self) -> None:
        """Give variables arrays of their own, where kernels write into the ones that they update."""
        if self.backend.is_traced:
            return
        with self._turn.current().lock:  # a step that ends meanwhile would lose what it puts
            values = [v.in_slot() for v in self._variables]
            for variable, before, own in zip(self._variables, values, unshared(self.backend, values), strict=True):
                if own is not before:
                    variable.put(own)


# What the interpreter counts for an object that is in one list and nowhere else.
HOLDERS = max(map(sys.getrefcount, [object()]))


def unshared(backend: Any, arrays: list, holders: int = HOLDERS + 1) -> list:
    """Copies of those arrays that somebody else holds too, a user, another thread, another slot: a step ends them.

    Args:
        backend: of the arrays.
        arrays: None for a variable that has none yet.
        holders: references to an array that nobody else holds; by default that of a slot and that of the list.
    """
    counts = list(map(sys.getrefcount, arrays))
    if max(counts, default=0) <= holders:
        return arrays
    return [backend.copy(x) if n > holders and x is not None else x for x, n in zip(arrays, counts, strict=True)]


def in_order(result: Any, like: Any) -> Any:
    """Logs in the order that the step gave them; engines sort the keys of dicts."""
    if isinstance(result, dict) and isinstance(like, dict) and result.keys() == like.keys():
        return {name: result[name] for name in like}
    return result


def drawing_from(model: Any, function: Callable) -> Callable:
    """A step whose draws without a seed, outside of layers, come from a generator of the model."""

    def step(batch: Any) -> Any:
        with owned(model):
            return function(batch)

    return step
