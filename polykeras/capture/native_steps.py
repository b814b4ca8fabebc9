"""Steps written in an engine's native style: with a tape, with ``backward()``, or as functions of states."""

from __future__ import annotations

import inspect
import types
from collections import ChainMap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.capture.eager import in_order
from polykeras.core import naming
from polykeras.core.variables import Variable

#: The number of lists in the state of ``predict_step``: trainable and non-trainable variables.
_PREDICTING = 2


class DirectStep:
    """A step that runs directly on the variables, as it is written.

    Args:
        function: function of a batch; returns logs.
    """

    _is_traced = False

    def __init__(self, function: Callable) -> None:
        self.backend = backends.current()
        self._run = function

    def __call__(self, batch: Any) -> Any:
        """Run the step on a batch."""
        return self._run(batch)


class NativeStep(DirectStep):
    """A step that runs directly on the variables, by the engine's own means.

    Args:
        function: function of a batch; returns logs.
        compiled: whether to let the engine compile it, where it compiles native programs.
        optimize: as for ``Backend.compile``.
    """

    def __init__(self, function: Callable, compiled: bool, optimize: bool | None) -> None:
        native = backends.current().native(function, optimize)
        super().__init__(native if compiled else function)


class StatelessStep:
    """A step that takes the training state and returns a new one.

    Args:
        function: function of the state (a tuple of lists of arrays) and a batch; returns (logs, state), or outputs and
            the list of non-trainable arrays for a state of two lists, as ``predict_step`` does in Keras.
        groups: returns the variables of each list, in order.
        compiled: whether to let the engine compile it.
    """

    _is_traced = False

    def __init__(self, function: Callable, groups: Callable[[], tuple], compiled: bool) -> None:
        self.backend = backends.current()
        self._groups = groups
        self._names: Any = None

        def run(state: tuple, batch: Any) -> tuple:
            logs, state = _logs_and_state(
                function(state, batch), groups(), getattr(function, "__qualname__", "the step")
            )
            self._names = _names_of(logs)
            return logs, state

        self._run = self.backend.compile(run) if compiled else run

    def __call__(self, batch: Any) -> Any:
        """Run the step on a batch, and store the state that it returns."""
        groups = self._groups()
        logs, state = self._run(tuple([v.raw for v in group] for group in groups), batch)
        for group, values in zip(_returned_of(groups), state, strict=True):
            assign_all(group, values)
        return in_order(logs, self._names)


def _returned_of(groups: tuple) -> tuple:
    """Return the groups that a step returns: predictions leave the weights that train as they are."""
    return groups[1:] if len(groups) == _PREDICTING else groups


def _logs_and_state(returned: Any, groups: tuple, where: str) -> tuple:
    """Return the logs that a step returned, and the lists of arrays of its new state in the types of the variables.

    Raises:
        ValueError: for anything but these, with an array for each variable.
    """
    wanted = _returned_of(groups)
    logs, state = returned if isinstance(returned, tuple | list) and len(returned) == 2 else (None, None)
    lists: Any = [state] if len(wanted) == 1 else state
    counts, sizes = _sizes(wanted), _sizes(lists)
    if counts != sizes:
        what = "outputs and the non-trainable variables" if len(wanted) == 1 else "logs and a state"
        received = naming.short(returned) if sizes is None else f"lists of lengths {sizes}"
        raise ValueError(
            f"Expected {where}(state, data) to return {what}, with lists of lengths {counts}. Received: {received}."
        )
    groups_and_values = zip(wanted, lists, strict=True)
    return logs, tuple([_fitting(*pair, where) for pair in zip(*both, strict=True)] for both in groups_and_values)


def _fitting(variable: Variable, value: Any, where: str) -> Any:
    """Return a new value for a variable in its dtype.

    Raises:
        ValueError: if the shape differs.
    """
    shape = tuple(np.shape(value))
    if shape != variable.shape:
        raise ValueError(
            f"Expected {where}(state, data) to return {variable.path!r} in the shape {variable.shape}. "
            f"Received: {shape}."
        )
    backend = backends.current()
    return backend.cast(backend.array(value), variable.dtype)


def _sizes(lists: Any) -> list[int] | None:
    """Return the lengths of lists; None for anything else."""
    is_whole = isinstance(lists, tuple | list) and all(isinstance(values, tuple | list) for values in lists)
    return [len(values) for values in lists] if is_whole else None


def _names_of(logs: Any) -> Any:
    """Return the nested dicts of logs without the arrays in them, which are tracers inside a compiled step."""
    return {name: _names_of(value) for name, value in logs.items()} if isinstance(logs, dict) else None


def assign_all(variables: list[Variable], values: Any) -> None:
    """Store arrays in the slots of variables, in the same order."""
    for variable, value in zip(variables, values, strict=True):
        variable.put(value)


def takes_state(step: Callable) -> bool:
    """Whether a step has the signature ``(state, data)``.

    >>> takes_state(lambda state, data: None), takes_state(lambda data: None)
    (True, False)
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(step).parameters.values()
    return sum(p.kind in kinds and p.default is p.empty for p in parameters) == 2


def takes_anything(step: Callable) -> bool:
    """Whether a step takes any number of positional arguments, to pass them on.

    >>> takes_anything(lambda *args: None), takes_anything(lambda data: None)
    (True, False)
    """
    return any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(step).parameters.values())


def speaks_natively(cls: type, engine: str) -> bool:
    """Whether the methods that a user wrote in a class or its bases use an engine directly.

    Args:
        cls: the class.
        engine: the name of its package.
    """
    others = ("polykeras", "builtins", engine)
    own = [base for base in cls.__mro__ if base.__module__.partition(".")[0] not in others]
    functions = [f for base in own for f in vars(base).copy().values()]
    return any(_mentions(f, engine) for f in _with_called(functions, others))


def _with_called(functions: list, others: tuple) -> Iterator[types.FunctionType]:
    """Yield functions, and the users' functions that they call by global names and by those of enclosing functions."""
    seen, waiting = set(), list(functions)
    while waiting:
        function = inspect.unwrap(waiting.pop())
        if not isinstance(function, types.FunctionType) or function in seen:
            continue
        if (function.__module__ or "").partition(".")[0] not in others:
            seen.add(function)
            waiting += _named_values(function)
            yield function


def _mentions(function: types.FunctionType, engine: str) -> bool:
    names = list(_names(function.__code__))
    imports = any(name == "backward" or name.partition(".")[0] == engine for name in names)
    return imports or any(_is_of(value, engine) for value in _named_values(function))


def _named_values(function: types.FunctionType) -> Iterator[Any]:
    """Yield what a function finds under the names in its code: in its closure, or else among the globals."""
    values = ChainMap(_closure(function), function.__globals__)
    yield from (values[name] for name in _names(function.__code__) if name in values)


def _closure(function: types.FunctionType) -> dict:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells if cell != types.CellType()}


def _names(code: types.CodeType) -> Iterator[str]:
    yield from (*code.co_names, *code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_of(value: Any, engine: str) -> bool:
    home = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return isinstance(home, str) and home.partition(".")[0] == engine
