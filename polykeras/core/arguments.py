"""Orders of arguments of older Keras versions, and numbers of NumPy as arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from polykeras.core.types import Function

#: The positional arguments of a layer's ``add_weight`` in Keras 2, after the name.
OF_LAYERS = ("shape", "dtype", "initializer", "regularizer", "trainable", "constraint")


def name_may_come_first(*order: str) -> Callable[[Function], Function]:
    """Return a decorator for ``add_weight``: if the first positional argument is a name, the order is that of Keras 2.

    Args:
        *order: names of the positional arguments after ``name`` in Keras 2.

    >>> @name_may_come_first("shape", "dtype")
    ... def add_weight(layer, **named): return named
    >>> add_weight(None, "scale", (3,), initializer="ones")
    {'initializer': 'ones', 'name': 'scale', 'shape': (3,)}
    """

    def decorate(add_weight: Function) -> Function:
        @functools.wraps(add_weight)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if args and isinstance(args[0], str):
                kwargs.update(zip(("name", *order), args, strict=False))
                args = ()
            return add_weight(self, *args, **kwargs)

        return cast(Function, call)

    return decorate


def with_python_numbers(value: Any) -> Any:
    """Return a number, or lists and tuples of them, with Python's numbers for those of NumPy.

    >>> with_python_numbers((np.int64(2), [np.float32(0.5)], None))
    (2, [0.5], None)
    """
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return type(value)(map(with_python_numbers, value)) if isinstance(value, list | tuple) else value
