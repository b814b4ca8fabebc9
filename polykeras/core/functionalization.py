"""Turning functions that read and assign Variables into pure functions.

>>> import polykeras as keras
>>> v = keras.Variable(2.0)
>>> def step(x):
...     v.assign(v + x)
...     return v * 10
>>> values, result = pure(step, [v])([v.value], 1.0)
>>> float(values[0]), float(result), float(v.value)   # the slot is as it was
(3.0, 30.0, 2.0)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from polykeras import backends
from polykeras.core import naming, trees, turns
from polykeras.core.masks import get_mask, set_mask
from polykeras.core.variables import Variable, scope, values_of


@contextlib.contextmanager
def recording() -> Iterator[dict]:
    """Yield a dict that collects the variables assigned inside, in order."""
    outside = scope.assigned
    assigned: dict = {}
    scope.assigned = assigned
    try:
        yield assigned
    finally:
        scope.assigned = outside


@contextlib.contextmanager
def reading() -> Iterator[dict]:
    """Yield a dict that collects the variables read inside while shapes are inferred, in order."""
    outside = scope.read
    found: dict = {}
    scope.read = found
    try:
        yield found
    finally:
        scope.read = outside
        if outside is not None:
            outside.update(found)


@contextlib.contextmanager
def holding(values: dict[Variable, Any]) -> Iterator[dict]:
    """Replace the values of variables inside, in this thread; yields the live dict of replaced values."""
    outside = scope.values
    scope.values = inside = {} if outside is None else outside.copy()
    inside.update(values)
    try:
        yield inside
    finally:
        scope.values = outside


@contextlib.contextmanager
def settled(variables: Iterable[Variable]) -> Iterator[None]:
    """Inside, this thread reads one consistent set of values, as one step left them, whatever other threads do.

    >>> import polykeras as keras
    >>> v = keras.Variable(1.0)
    >>> with settled([v]):
    ...     float(v)
    1.0
    """
    if scope.values is not None:  # inside a step
        yield
        return
    variables = list(variables)
    is_new = any(v.in_slot() is None for v in variables)
    found = [turns.shared(variables)] if is_new else [v.turn.current() for v in variables if v.turn is not None]
    # All threads acquire several turns in the same order, so that they cannot deadlock.
    found = [turn for _, turn in sorted({id(turn): turn for turn in found}.items())]
    with contextlib.ExitStack() as kept, contextlib.ExitStack() as stack:
        for turn in found:
            stack.enter_context(turn.between_steps())
        is_written = any(turn.is_written_elsewhere() for turn in found)
        values = {v: v.snapshot(is_written) for v in variables if v.in_slot() is not None}
        if is_new:  # values that do not exist yet are created when first read: keep steps out until then
            kept.enter_context(stack.pop_all())
        stack.close()  # release the turns: steps may run on while this thread reads its snapshots
        with holding(values):
            yield


def pure(function: Callable, variables: list[Variable]) -> Callable:
    """Return a function of Variables as a pure function.

    Args:
        function: reads and assigns ``variables``, and no others.
        variables: the variables, in the order of the values.

    Returns:
        ``f(values, *inputs) -> (new values, result)``, where a variable in the result is replaced
        by its value. The slots themselves are not touched, so other threads do not notice a call.

    Raises:
        RuntimeError: from the call, if the function assigns a variable that is not in the list.
    """

    def call(values: list, *inputs: Any) -> tuple:
        values = [x.uncast if isinstance(x, Variable) else x for x in values]
        with recording() as assigned, holding(dict(zip(variables, values, strict=True))) as slots:
            result = values_of(function(*inputs))
            check_owned(assigned, variables)
            return [slots[variable] for variable in variables], result

    return call


def check_owned(assigned: Iterable[Variable], variables: list[Variable]) -> None:
    """Refuse a step that assigns variables that the model does not own.

    Raises:
        RuntimeError: if there are any.
    """
    owned = set(map(id, variables))
    others = [v.path for v in assigned if id(v) not in owned]
    if others:
        raise RuntimeError(
            "Expected a step to assign only variables that the model owns. Received: assignments to "
            f"{naming.listed(others)}. "
            "Make the variable, or the layer, metric or optimizer that owns it, an attribute of the model."
        )


def value_and_grad(
    function: Callable, variables: list[Variable], has_aux: bool = False, may_be_rows: bool = False
) -> Callable:
    """Return a function that computes the value and the gradients of a function of Variables.

    Args:
        function: returns a 0-d loss, or (loss, aux) with ``has_aux``; may assign variables.
        variables: the variables to differentiate with respect to; they are not modified.
        has_aux: whether the function returns a tree of auxiliary results too.
        may_be_rows: whether a gradient may be an engine's own kind of array for a few rows of a table, the others being
            zeros.

    Returns:
        ``f(*inputs) -> (loss or (loss, aux), list of gradients)``.
    """

    def call(*inputs: Any) -> tuple:
        backend = backends.current()
        effects: list[Variable] = []

        def inner(values: list) -> tuple:
            with recording() as assigned, _differentiating(dict(zip(variables, values, strict=True))):
                result = function(*inputs)
                loss, aux = result if has_aux else (result, None)
                # Assignments are returned as auxiliary values, and stored after differentiation, outside of the trace.
                effects[:] = list(assigned)
                found = {i: mask for i, x in enumerate(trees.leaves(aux)) if (mask := get_mask(x)) is not None}
                return _loss(backend, loss), (values_of(aux), found, [variable.in_slot() for variable in effects])

        values = [variable.raw for variable in variables]
        compute = backend.value_and_row_grad if may_be_rows else backend.value_and_grad
        (loss, (aux, found, assigned)), gradients = compute(inner, values)
        if found:  # engines return other arrays than the function did
            results = trees.leaves(aux)
            for i, mask in found.items():
                set_mask(results[i], mask)
        for variable, value in zip(effects, assigned, strict=True):
            variable.put(value)
        return ((loss, aux) if has_aux else loss), gradients

    return call


@contextlib.contextmanager
def _differentiating(values: dict[Variable, Any]) -> Iterator[None]:
    """Replace the values of variables by arrays with respect to which a gradient is being taken."""
    outside = scope.differentiated
    scope.differentiated = {**(outside or {}), **values}
    try:
        with holding(values):
            yield
    finally:
        scope.differentiated = outside


def _loss(backend: Any, loss: Any) -> Any:
    loss = loss.array if isinstance(loss, Variable) else loss
    if not backend.is_array(loss):
        loss = backend.array(loss)
    if tuple(backend.shape(loss)) != ():
        raise ValueError(
            f"Expected the function to differentiate to return a scalar loss. "
            f"Received shape: {tuple(backend.shape(loss))}. Reduce it with ops.mean or ops.sum."
        )
    return loss
