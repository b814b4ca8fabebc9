"""Shapes of tensors that compute like the vectors of Keras 2."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backends.shared.graph_sizes import GraphSize
from polykeras.core.sizes import Size


def _with_each(compute: Callable) -> Callable:
    def method(self: Sizes, other: Any) -> Any:
        if isinstance(other, list | tuple):
            return Sizes(map(compute, self, other))
        if isinstance(other, int | float | np.generic | Size | GraphSize):
            return Sizes(compute(n, other) for n in self)
        return compute(ops.stack([ops.convert_to_tensor(n) for n in self]), other)

    return method


class Sizes(tuple):
    """The shape of a tensor: a tuple that computes with each size, as the vectors of Keras 2.

    >>> sizes = Sizes((2, 3, 4))
    >>> sizes[1:] * 2, sizes // 2, sizes[:1] + (7,)
    ((6, 8), (1, 1, 2), (2, 7))
    """

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Sizes(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return Sizes((*self, *other)) if isinstance(other, list | tuple) else _with_each(operator.add)(self, other)

    __mul__ = _with_each(operator.mul)
    __rmul__ = _with_each(lambda size, other: other * size)
    __sub__ = _with_each(operator.sub)
    __floordiv__ = _with_each(operator.floordiv)
    __truediv__ = _with_each(operator.truediv)
    __mod__ = _with_each(operator.mod)


def shape(x: Any) -> tuple:
    """Return the shape of an array, with numbers to compute with for the unknown sizes of a symbolic tensor.

    Args:
        x: array of any shape.

    >>> shape(np.ones((2, 3)))[1:] * 4
    (12,)
    """
    sizes = ops.shape(x)
    # Ops look for symbolic sizes in plain tuples.
    return tuple(sizes) if any(isinstance(n, Size) for n in sizes) else Sizes(sizes)
