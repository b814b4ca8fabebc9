"""Orders of arguments of older Keras versions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

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
