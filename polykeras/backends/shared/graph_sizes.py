"""Sizes that are known only when an engine's graph runs, as numbers to compute with while it is built."""

from __future__ import annotations

import contextlib
import operator
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

# Code that computes with what it is told of an unknown size.
_COMPUTES_WITHOUT = ("polykeras.", "tensorflow.")
_ACTS_FOR_PROGRAMS = ("polykeras.compat.",)


class _State(threading.local):
    is_strict = False


_state = _State()


@contextlib.contextmanager
def no_guesses() -> Iterator[None]:
    """Context manager: code that asks what an unknown size is gets an error; it may ask whether it is below 2."""
    before, _state.is_strict = _state.is_strict, True
    try:
        yield
    finally:
        _state.is_strict = before


def is_asked_by_a_program() -> bool:
    """Whether the caller's caller is code under ``no_guesses`` that may do anything with "no", or with None.

    >>> is_asked_by_a_program()
    False
    """
    name = sys._getframe(2).f_globals.get("__name__", "") if _state.is_strict else "polykeras."
    return name.startswith(_ACTS_FOR_PROGRAMS) or not name.startswith(_COMPUTES_WITHOUT)


class GraphSize:
    """A size unknown in a graph: equal to None, and an integer to compute other sizes with.

    Args:
        find: function that returns the size as a scalar of the graph being built. It is called wherever the
            size is needed, since a scalar made inside a loop is not valid outside.
        is_computed: whether it was computed from others; default False, for one that is above 1 under ``no_guesses``.

    >>> half = GraphSize(lambda: 6) // 2
    >>> half == None, half.find()
    (True, 3)
    """

    def __init__(self, find: Callable[[], Any], is_computed: bool = False) -> None:
        self.find = find
        self._is_computed = is_computed

    def __eq__(self, other: object) -> bool:
        if other is None or other is self:
            return True
        may_be_other = isinstance(other, int) and other >= (0 if self._is_computed else 2)
        if _state.is_strict and (may_be_other or (isinstance(other, GraphSize) and is_asked_by_a_program())):
            raise TypeError(f"Expected a size that is known in the graph, to compare with {other}. Received: {self!r}.")
        return False

    def __bool__(self) -> bool:
        if _state.is_strict and self._is_computed:
            raise TypeError(f"Expected a number that is known in the graph, for a condition. Received: {self!r}.")
        return True

    def __hash__(self) -> int:
        if is_asked_by_a_program():
            raise TypeError(f"Expected a size that is known in the graph, to look it up. Received: {self!r}.")
        return object.__hash__(self)

    def __neg__(self) -> GraphSize:
        return _computed(operator.neg, self)

    def __repr__(self) -> str:
        if is_asked_by_a_program():
            raise TypeError("Expected a size that is known in the graph, to make text of it. Received: an unknown one.")
        return "<a size unknown in the graph>"


def static_shape(shape: tuple) -> tuple:
    """Return a shape with None for sizes that are unknown in the graph.

    >>> static_shape((GraphSize(lambda: 6), 3))
    (None, 3)
    """
    return tuple(None if n == None else n for n in shape)  # noqa: E711


def value_of(x: Any) -> Any:
    """Return a size as a scalar of the graph, also inside slices; anything else unchanged."""
    if isinstance(x, slice):
        return slice(value_of(x.start), value_of(x.stop), value_of(x.step))
    return x.find() if isinstance(x, GraphSize) else x


def dynamic_shape(shape: tuple) -> list:
    """Return a shape with scalars of the graph in place of unknown sizes."""
    return [value_of(n) for n in shape]


def reshape_target(shape: tuple) -> list:
    """Return a target shape; a single unknown size becomes -1, to be inferred from the others."""
    if None in shape and shape.count(None) == 1 and -1 not in shape:
        return [-1 if n == None else n for n in shape]  # noqa: E711
    return dynamic_shape(shape)


def _computed(function: Callable, *args: Any) -> GraphSize:
    return GraphSize(lambda: function(*map(value_of, args)), is_computed=True)


def _method(function: Callable, is_reversed: bool) -> Callable:
    def method(self: GraphSize, other: Any) -> Any:
        args = (other, self) if is_reversed else (self, other)
        if isinstance(other, int | GraphSize) and function is not operator.truediv:
            return _computed(function, *args)
        return function(*map(value_of, args))

    return method


for _name in ("add", "sub", "mul", "floordiv", "mod", "truediv", "pow"):
    setattr(GraphSize, f"__{_name}__", _method(getattr(operator, _name), False))
    setattr(GraphSize, f"__r{_name}__", _method(getattr(operator, _name), True))
