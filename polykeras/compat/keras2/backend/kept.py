"""Variables that ``K.variable`` and ``K.zeros`` create in ``get_updates`` of an optimizer, which runs in every step."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from polykeras.core.variables import Variable


class _State(threading.local):
    variables: list[Variable] | None = None
    position = 0


_state = _State()


@contextlib.contextmanager
def keeping(variables: list[Variable]) -> Iterator[None]:
    """Context manager: calls that create variables return those of the first run; updates are only collected.

    Args:
        variables: list of the variables of the first run, which is filled in it.

    >>> variables = []
    >>> for _ in range(2):
    ...     with keeping(variables):
    ...         first = kept(lambda: Variable(1.0))
    >>> len(variables), variables[0] is first
    (1, True)
    """
    before = _state.variables, _state.position
    _state.variables, _state.position = variables, 0
    try:
        yield
    finally:
        _state.variables, _state.position = before


def is_keeping() -> bool:
    """Return whether ``get_updates`` of an optimizer is running in a step.

    >>> is_keeping()
    False
    """
    return _state.variables is not None


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
