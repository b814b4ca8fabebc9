"""Sizes that an engine's graph learns when it runs, as numbers that its program is written with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any


class GraphSize:
    """A size that a graph does not know: equal to None, and an integer to compute other sizes with.

    Args:
        find: function that returns the size as a scalar of the graph that is being made. It is called wherever the
            size is asked for: a scalar made inside a loop is none outside.

    >>> half = GraphSize(lambda: 6) // 2
    >>> half == None, half.find()
    (True, 3)
    """

    def __init__(self, find: Callable[[], Any]) -> None:
        self.find = find

    def __eq__(self, other: object) -> bool:
        return other is None or other is self

    __hash__ = object.__hash__

    def __neg__(self) -> GraphSize:
        return _computed(operator.neg, self)

    def __repr__(self) -> str:
        return "<a size that the graph does not know>"


def known(shape: tuple) -> tuple:
    """Return a shape with None for the sizes that a graph does not know.

    >>> known((GraphSize(lambda: 6), 3))
    (None, 3)
    """
    return tuple(None if n == None else n for n in shape)  # noqa: E711


def value_of(x: Any) -> Any:
    """Return a size as a scalar of the graph, in slices too; all else as it is."""
    if isinstance(x, slice):
        return slice(value_of(x.start), value_of(x.stop), value_of(x.step))
    return x.find() if isinstance(x, GraphSize) else x


def filled(shape: tuple) -> list:
    """Return a shape with scalars of the graph for the sizes that it does not know."""
    return [value_of(n) for n in shape]


def with_one_open(shape: tuple) -> list:
    """Return the new shape of an array: where one size alone is unknown, it follows from the others."""
    if None in shape and shape.count(None) == 1 and -1 not in shape:
        return [-1 if n == None else n for n in shape]  # noqa: E711
    return filled(shape)


def _computed(function: Callable, *args: Any) -> GraphSize:
    return GraphSize(lambda: function(*map(value_of, args)))


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
