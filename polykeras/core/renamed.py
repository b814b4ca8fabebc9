"""Arguments of functions that had other names in older versions of Keras."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from polykeras.core.types import Function


def also_named(**older: str) -> Callable[[Function], Function]:
    """Decorator: take an argument by an older name too.

    Args:
        **older: from the older name to that of today.

    >>> also_named(y="x")(lambda x: x + 1)(y=1)
    2
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not older.keys().isdisjoint(kwargs):
                kwargs = {older.get(name, name): value for name, value in kwargs.items()}
            return function(*args, **kwargs)

        return cast(Function, call)

    return decorate
