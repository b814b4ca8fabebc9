"""What ``get_updates`` of an optimizer, which runs in every step, gets from outside of it.

That are the variables that ``K.variable`` and ``K.zeros`` created in its first run, and the gradients of the step.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from polykeras.core import naming
from polykeras.core.variables import Variable


class _State(threading.local):
    variables: list[Variable] | None = None
    position = 0
    gradients: dict = {}  # those of the step, by the id of their variable
    optimizer: Any = None  # whose get_updates is running


_state = _State()


@contextlib.contextmanager
def keeping(variables: list[Variable], optimizer: Any = None, gradients: dict | None = None) -> Iterator[None]:
    """Context manager: calls that create variables return those of the first run; updates are only collected.

    Args:
        variables: list of the variables of the first run, which is filled in it.
        optimizer: the optimizer whose ``get_updates`` is running; default None.
        gradients: dict of the step's gradients by the id of their variable; default None, for none.

    >>> variables = []
    >>> for _ in range(2):
    ...     with keeping(variables):
    ...         first = kept(lambda: Variable(1.0))
    >>> len(variables), variables[0] is first
    (1, True)
    """
    before = vars(_state).copy()
    vars(_state).update(variables=variables, position=0, optimizer=optimizer, gradients=gradients or {})
    try:
        yield
    finally:
        vars(_state).clear()
        vars(_state).update(before)


def is_keeping() -> bool:
    """Return whether ``get_updates`` of an optimizer is running in a step.

    >>> is_keeping()
    False
    """
    return _state.variables is not None


def is_running(optimizer: Any) -> bool:
    """Return whether the ``get_updates`` that is running is that of an optimizer.

    Args:
        optimizer: the optimizer.
    """
    return _state.optimizer is optimizer


def gradients_given(params: Sequence[Variable]) -> list | None:
    """Return the step's gradients with respect to variables; None outside of ``get_updates``.

    Args:
        params: list of Variables.

    Raises:
        ValueError: for a variable that the step does not train.
    """
    if not is_keeping():
        return None
    strangers = [variable for variable in params if id(variable) not in _state.gradients]
    if strangers:
        raise ValueError(f"Expected variables that the step trains. Received: {naming.listed(strangers)}.")
    return [_state.gradients[id(variable)] for variable in params]


def kept(make: Callable[[], Variable]) -> Variable:
    """Return the variable that the same call of the first run has made; in the first run, make it.

    Args:
        make: function that makes the variable.
    """
    variables = _state.variables
    assert variables is not None
    if _state.position == len(variables):
        variables.append(make())
        variables[-1].trainable = False
    _state.position += 1
    return variables[_state.position - 1]
