"""Numbers that keep changing, as inputs of a step instead of constants in it.

While the step is traced, a variable replaces the number, and everything computes with the variable; from then on
a new number is only a new value of the variable.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras.capture.namespaces import Namespace
from polykeras.core.variables import Variable


class NumberInput(Variable):
    """A number that a step takes as an input.

    The value is unknown while the step is traced: tracing fails if Python code asks for it.
    """

    def __init__(self, value: float | int) -> None:
        super().__init__(value, trainable=False, name="number_input", on_host=True)
        self.last = value

    def update(self, value: float | int) -> None:
        """Set the value, if it has changed."""
        if value != self.last:
            self.assign(value)
            self.last = value

    def _refuse(self, *arguments: Any) -> Any:
        raise TypeError("Expected Python not to ask for the value of a number that is an input of a step.")

    __bool__ = __float__ = __int__ = __index__ = __round__ = __trunc__ = _refuse


class NumberInputs:
    """The numbers that one step takes as inputs, and the namespaces they live in.

    Args:
        found: pairs of a namespace and a name in it, each the place of a number other than 0.
    """

    def __init__(self, found: list[tuple[Namespace, Any]]) -> None:
        self._found = [(namespace, name, NumberInput(namespace.values[name])) for namespace, name in found]
        for namespace, name in found:
            namespace.inputs[name] = namespace.values[name].__class__

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def namespaces(self) -> list[tuple[Namespace, Any]]:
        """The pairs (namespace, name) of the numbers."""
        return [(namespace, name) for namespace, name, _ in self._found]

    @property
    def variables(self) -> list[Variable]:
        """The variables that the step reads in place of the numbers."""
        return [variable for _, _, variable in self._found]

    def update(self) -> bool:
        """Copy the current numbers into the variables; returns True."""
        for namespace, name, variable in self._found:
            variable.update(namespace.read()[name])
        return True

    def substituted(self, function: Callable) -> Callable:
        """Return a function of a batch that sees the variables in place of the numbers."""

        def call(batch: Any) -> Any:
            with self._set():
                return function(batch)

        return call

    @contextlib.contextmanager
    def _set(self) -> Iterator[None]:
        before = [namespace.read()[name] for namespace, name, _ in self._found]
        for namespace, name, variable in self._found:
            namespace.write(name, variable)
        try:
            yield
        finally:
            for (namespace, name, variable), value in zip(self._found, before, strict=True):
                if namespace.read().get(name) is variable:
                    namespace.write(name, value)


def is_zero(x: Any) -> bool:
    """Whether a number is 0 or None; never for a number that is an input of a step, a variable or an array.

    Args:
        x: number, array or None.

    >>> is_zero(0.0), is_zero(None), is_zero(0.5), is_zero(NumberInput(0.5))
    (True, True, False, False)
    """
    is_known = x is None or isinstance(x, int | float | np.generic) or (isinstance(x, np.ndarray) and x.ndim == 0)
    return is_known and not x


def value_of(x: Any) -> Any:
    """Return a number unchanged, and the array of one that is an input of a step, in its own precision."""
    return x.raw if x.__class__ is NumberInput else x


def may_be_input(value: Any) -> bool:
    """Whether a value is a number that may become an input; 0 may not, since it often switches something off."""
    return value.__class__ in (float, int) and value != 0
