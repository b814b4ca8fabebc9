"""Function arguments that older versions of Keras named differently."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from polykeras.core.types import Function


def also_named(**older: str) -> Callable[[Function], Function]:
    """Decorator: also accept arguments under their older names.

    Args:
        **older: current names by older name.

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
