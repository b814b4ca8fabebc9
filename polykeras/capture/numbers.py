"""Numbers that change again and again, which are inputs of a step instead of constants in it.

While the step is traced, a variable stands where the number is set, and everything computes with
it; from then on another number is another value of the variable.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from polykeras.capture.namespaces import Namespace
from polykeras.core.variables import Variable


class NumberInput(Variable):
    """A number that a step takes as an input.

    Its value is not known while the step is traced: Python that asks for it can't be traced with it.
    """

    def __init__(self, value: float | int) -> None:
        super().__init__(value, trainable=False, name="held_number", on_host=True)
        self.last = value

    def renew(self, value: float | int) -> None:
        """Take another value."""
        if value != self.last:
            self.assign(value)
            self.last = value

    def _refuse(self, *arguments: Any) -> Any:
        raise TypeError("Expected Python to leave the value of a number alone that is an input of a step.")

    __bool__ = __float__ = __int__ = __index__ = __round__ = __trunc__ = _refuse


class NumberInputs:
    """The numbers that one step takes as inputs, and where they are set.

    Args:
        found: pairs of a namespace and a name in it, each with a number that is not 0.
    """

    def __init__(self, found: list[tuple[Namespace, Any]]) -> None:
        self._found = [(namespace, name, NumberInput(namespace.values[name])) for namespace, name in found]
        for namespace, name in found:
            namespace.inputs[name] = namespace.values[name].__class__

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def namespaces(self) -> list[tuple[Namespace, Any]]:
        """Where the numbers are set."""
        return [(namespace, name) for namespace, name, _ in self._found]

    @property
    def variables(self) -> list[Variable]:
        """What the step reads in place of the numbers."""
        return [variable for _, _, variable in self._found]

    def renew(self) -> bool:
        """Bring the variables up to date; true always."""
        for namespace, name, variable in self._found:
            variable.renew(namespace.read()[name])
        return True

    def in_place(self, function: Callable) -> Callable:
        """A function of a batch that finds the variables where the numbers are."""

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
    """Whether a number is 0, or None; one that a step holds as an input never is.

    Args:
        x: number, array or None.

    >>> is_zero(0.0), is_zero(None), is_zero(0.5), is_zero(NumberInput(0.5))
    (True, True, False, False)
    """
    return x.__class__ is not NumberInput and not x


def value_of(x: Any) -> Any:
    """A number as it is, or the array of one that a step holds as an input, in its own precision."""
    return x.raw if x.__class__ is NumberInput else x


def may_be_input(value: Any) -> bool:
    """Whether a value is a number that a step may hold: 0 often switches something off."""
    return value.__class__ in (float, int) and value != 0
