"""One step, from a plain stateful method to a fast call.

A model's ``train_step``, ``test_step`` or ``predict_step`` is first run over specs. That creates every
weight, optimizer slot and metric variable that does not exist yet, reports shape errors before anything is
computed, and records which variables the step assigns. The step is then made pure and compiled by the
backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray, StructuredSpec
from polykeras.backends.shared.structured import is_structured
from polykeras.capture.eager import HOLDERS, drawing_from, in_order, unshared
from polykeras.core import placement, trees, turns
from polykeras.core.functionalization import check_owned, pure, reading, recording
from polykeras.core.interrupts import deferred
from polykeras.core.shape_inference import attributes_kept, inferred
from polykeras.core.tracking import unique
from polykeras.core.variables import Variable, scope


def specs_of(backend: Any, tree: Any, batch: int | None = None) -> Any:
    """Return the specs of a tree of arrays; ``batch`` replaces their first size."""

    def spec(x: Any) -> SpecArray:
        if isinstance(x, np.ndarray) and x.dtype == object:  # strings on the host
            return SpecArray(x.shape if batch is None else (batch, *x.shape[1:]), "string")
        if is_structured(x):
            return StructuredSpec(tuple(x.shape), backend.dtype(x), backend.layout(x))
        shape = tuple(backend.shape(x))
        return SpecArray((batch, *shape[1:]) if batch is not None else shape, backend.dtype(x))

    return trees.map(spec, tree)


class Step:
    """A captured step of one model.

    Args:
        model: provides ``_step_variables()`` and ``_training_variables()``, after shape inference.
        function: function of a batch (a tree of arrays), which reads and assigns the model's variables.
        batch: specs of a batch.
        optimize: as for ``Backend.compile``.
        numbers: variables that the function reads besides the model's own.

    Calling it with a batch runs the step, stores the new values of the variables and returns the
    result. If it raises or is interrupted by Ctrl-C, the variables keep their values from before.
    """

    def __init__(
        self,
        model: Any,
        function: Callable,
        batch: Any,
        optimize: bool | None = None,
        numbers: Sequence[Variable] = (),
    ) -> None:
        self.backend = backends.current()
        function = drawing_from(model, function)
        self._optimize = optimize
        self._is_traced = self.backend.is_traced
        self._deletes = self._is_traced and not self.backend.holds_state
        with recording() as assigned, reading() as read, backends.use(SPEC), attributes_kept():
            self.result = inferred(function, batch)
        # Variables that only training needs, such as optimizer slots, are not arguments of a prediction.
        used = [v for v in model._training_variables() if v in read or v in assigned]
        seeds = [v for v in assigned if v.counts_draws]
        variables = unique(iter([*model._step_variables(), *used, *numbers, *seeds]))
        self.state = [v for v in variables if v in assigned]
        self.constants = [v for v in variables if v not in assigned] if self.backend.captures else []
        check_owned(assigned, variables)
        self._turn = turns.shared(variables)
        self._compiled: set = set()
        self._distribution = placement.state.distribution if self.backend.has_meshes else None
        if self._distribution is not None:
            placement.distribute(variables, self._distribution)
            for layer in model._flatten_layers():
                layer._accepted_inputs.clear()  # outputs may have layouts too
        for variable in variables:
            variable._materialize() if variable._value is None else None
        if self.backend.holds_state:
            for variable in self.state:
                variable._value = self.backend.hold(variable._value, variable.may_train)
        self._run = self._pure(function)
        self._one = self._compile(self._run)
        self._gathered = self._compile(self._gather)
        self._scanned = self._compile(self._scan)

    def _compile(self, function: Callable) -> Callable:
        return self.backend.compile(function, donate=True, optimize=self._optimize)

    def _pure(self, function: Callable) -> Callable:
        count = len(self.state)
        run = pure(function, self.state + self.constants)
        layouts = [v.layout for v in self.state] if self.backend.has_meshes else []
        if self._distribution is not None or any(layout is not None for layout in layouts):
            return self._pure_on_mesh(run, layouts)

        def step(state: list, constants: list, batch: Any) -> tuple:
            values, result = run([*state, *constants], batch)
            return values[:count], result

        return step

    def _pure_on_mesh(self, run: Callable, layouts: list) -> Callable:
        """Return a pure step whose batch is divided over devices, and whose state keeps its layouts."""
        spread, distribution = self.backend.spread, self._distribution

        def step(state: list, constants: list, batch: Any) -> tuple:
            if distribution is not None:
                batch = placement.spread_rows(self.backend, batch, distribution, is_local=False)
            values, result = run([*state, *constants], batch)
            kept = zip(values, layouts, strict=False)  # the constants follow the state
            return [x if layout is None else spread(x, layout) for x, layout in kept], result

        return step

    def _gather(self, state: list, constants: list, data: Any, index: Any) -> tuple:
        """One step on the rows of device-resident data given by an index."""
        batch = trees.map(lambda x: self.backend.take(x, index, 0), data)
        return self._run(state, constants, batch)

    def _scan(self, state: list, constants: list, data: Any, index: Any) -> tuple:
        """One step for each row of an index matrix, in a single dispatch; returns the last result."""
        state, results = self.backend.scan(lambda s, i: self._gather(s, constants, data, i), state, index)
        return state, trees.map(lambda x: self.backend.getitem(x, (-1,)), results)

    def __call__(self, batch: Any) -> Any:
        """Run the step on a batch."""
        return in_order(self._dispatch(self._one, batch), self.result)

    def on_rows(self, data: Any, index: Any) -> Any:
        """Run the step on the rows of ``data`` given by ``index``: once, or once for each row of an index matrix."""
        is_matrix = len(self.backend.shape(index)) == 2
        run = self._scanned if is_matrix else self._gathered
        return in_order(self._dispatch(run, data, index), self.result)

    def _dispatch(self, call: Callable, *inputs: Any) -> Any:
        if scope.values is not None:  # nested in another step
            return self._advance(call, inputs)
        if not self.state:
            with self._turn.current().reading():
                constants = [v.in_slot() for v in self.constants]
            return call([], constants, *inputs)[1]
        if not self._is_traced:
            return self._turn.current().write(self._advance, call, inputs)
        with deferred():  # the call consumes the state, which is lost unless the results are stored
            if self._deletes:
                with self._turn.current().one_step():
                    return self._consume(call, inputs)
            return self._turn.current().write(self._advance, call, inputs)

    def _advance(self, call: Callable, inputs: tuple, holders: int = HOLDERS + 1) -> Any:
        constants = [v.in_slot() for v in self.constants]
        updated = {id(v.leaf) for v in self.state if v.leaf is not None} if self.backend.holds_state else ()
        slots = [v.in_slot() for v in self.state]
        state = unshared(self.backend, slots, holders + self.backend.holds_state, updated)
        return self._store(*call(state, constants, *inputs))

    def _consume(self, call: Callable, inputs: tuple) -> Any:
        """Run a step that donates its arrays; they leave the slots first, so that no thread finds deleted ones."""
        key = call, *(x.shape for x in trees.leaves(inputs))
        if key not in self._compiled:  # the first call traces: it is slow and runs a user's code, so it gets copies
            result = self._advance(call, inputs, holders=0)
            self._compiled.add(key)
            return result
        turn = self._turn.current()
        with turn.turnstile:
            pass  # let waiting readers go first
        with turn.lock:
            state, constants = [v._value for v in self.state], [v._value for v in self.constants]
            try:
                for variable in self.state:
                    variable._value = None
                return self._store(*call(unshared(self.backend, state, HOLDERS), constants, *inputs))
            except BaseException:
                for variable, value in zip(self.state, state, strict=True):
                    variable._value = value
                raise

    def _store(self, state: list, result: Any) -> Any:
        if scope.values is not None:  # nested in another step
            for variable, value in zip(self.state, state, strict=True):
                variable.put(value)
            return result
        with self._turn.current().lock:
            for variable, value in zip(self.state, state, strict=True):
                variable._value = value if variable.leaf is None else self.backend.stored(variable, value)
        return result
