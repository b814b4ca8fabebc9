"""A step that runs eagerly: its Python code runs, and reads settings, in every call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Any

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.core import trees, turns
from polykeras.core.context import owned
from polykeras.core.functionalization import check_owned, holding, reading, recording
from polykeras.core.shape_inference import attributes_kept, inferred
from polykeras.core.tracking import unique
from polykeras.core.variables import values_of


class EagerStep:
    """An eager step of a model, for which no captured version exists that could become outdated.

    Args:
        model: provides ``_step_variables()`` and ``_training_variables()``.
        function: function of a batch (a tree of arrays), which reads and assigns the model's variables.
        batch: specs of a batch. The step is run over them once, which creates variables that do not exist yet.

    If a call raises or is interrupted by Ctrl-C, the variables keep their values from before.
    """

    _is_traced = False

    def __init__(self, model: Any, function: Callable, batch: Any) -> None:
        self.backend = backends.current()
        # Run once over specs, which creates variables that do not exist yet and finds the ones that are assigned.
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
        self._unshare_all()
        with recording() as assigned, holding({}) as values:
            result = values_of(self._function(batch))
        has_mode = self.backend.ambient_mode() is not None
        # Values computed under a mode may be views or special tensors: the slots get plain copies.
        for variable in assigned:
            variable.put(self.backend.copy(values[variable]) if has_mode else values[variable])
        return in_order(result, self.result)

    def on_rows(self, data: Any, index: Any) -> Any:
        """Run the step on the rows of ``data`` given by ``index``: once, or once for each row of an index matrix."""
        rows = [index]
        if len(self.backend.shape(index)) == 2:
            rows = [self.backend.getitem(index, (n,)) for n in range(self.backend.shape(index)[0])]
        for row in rows:
            result = self(trees.map(lambda x: self.backend.take(x, row, 0), data))  # noqa: B023
        return result

    def _unshare_all(self) -> None:
        """Give variables arrays of their own, on engines whose kernels update arrays in place."""
        if self.backend.is_traced:
            return
        with self._turn.current().lock:  # otherwise a step that ends meanwhile could lose its update
            values = [v.in_slot() for v in self._variables]
            for variable, before, own in zip(self._variables, values, unshared(self.backend, values), strict=True):
                if own is not before:
                    variable.put(own)


# The reference count of an object that is in one list and nowhere else.
HOLDERS = max(map(sys.getrefcount, [object()]))


def unshared(backend: Any, arrays: list, holders: int = HOLDERS + 1, known: Collection[int] = ()) -> list:
    """Return arrays with copies of those that are referenced elsewhere, since a step destroys its arrays.

    Args:
        backend: the backend of the arrays.
        arrays: list of arrays; None for a variable that has none yet.
        holders: the reference count of an array that nobody else holds; by default one slot and the list.
        known: identities of those that a program holds in order to see them change: the engine's own variables.
    """
    counts = list(map(sys.getrefcount, arrays))
    if max(counts, default=0) <= holders:
        return arrays

    def own(x: Any, count: int) -> Any:
        return x if count <= holders or x is None or id(x) in known else backend.copy(x)

    return list(map(own, arrays, counts))


def in_order(result: Any, like: Any) -> Any:
    """Restore the order in which the step returned its logs; engines sort the keys of dicts."""
    if isinstance(result, dict) and isinstance(like, dict) and result.keys() == like.keys():
        return {name: in_order(result[name], like[name]) for name in like}
    return result


def drawing_from(model: Any, function: Callable) -> Callable:
    """Return a step whose unseeded draws outside of layers come from a generator of the model."""

    def step(batch: Any) -> Any:
        with owned(model):
            return function(batch)

    return step
