"""Function arguments that older versions of Keras named or ordered differently."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Callable
from types import FrameType
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

        vars(call)["older_names"] = older
        return cast(Function, call)

    return decorate


def ordered_by_era(function: Function) -> Function:
    """Decorator: programs, but not this package, pass positional arguments in the order of the attribute ``order``.

    The attribute is an empty tuple, for the order of the function itself, unless another era sets it.

    >>> divide = ordered_by_era(lambda x, y: x / y)
    >>> vars(divide)["order"], divide(1, 2)
    ((), 0.5)
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        order = vars(call)["order"]
        if len(args) > _leading(function, order) and not is_ours(sys._getframe(1)):
            kwargs = _by_name(function, order, args, kwargs)
            args = ()
        return function(*args, **kwargs)

    vars(call)["order"] = ()
    return cast(Function, call)


def is_ours(frame: FrameType) -> bool:
    """Return whether a frame runs code of this package, rather than a program's."""
    return frame.f_globals.get("__name__", "").startswith("polykeras.")


@functools.cache
def _leading(function: Any, order: tuple[str, ...]) -> float:
    """Return how many positional arguments mean the same in both orders."""
    names = list(inspect.signature(function).parameters)
    others = (index for index, name in enumerate(order) if names[index : index + 1] != [name])
    return next(others, math.inf)


def _by_name(function: Any, order: tuple[str, ...], args: tuple, kwargs: dict) -> dict:
    """Return all arguments of a call by their names.

    Raises:
        TypeError: for too many positional arguments, or an argument that is passed twice.
    """
    name = getattr(function, "__qualname__", str(function)).removesuffix(".__init__")
    if len(args) > len(order):
        raise TypeError(f"{name}: Expected at most {len(order)} positional arguments. Received: {len(args)}.")
    given = dict(zip(order, args, strict=False))
    twice = sorted(given.keys() & kwargs.keys())
    if twice:
        raise TypeError(f"{name}: Expected each argument once. Received: {twice[0]!r} by position and by name.")
    return given | kwargs


def reordered(function: Any, order: tuple[str, ...]) -> inspect.Signature:
    """Return the signature of a function whose positional arguments come in another order.

    Args:
        function: function, or method of a class.
        order: names of the positional arguments; others can only be passed by name.

    >>> str(reordered(lambda x, y, z=1: x, ("y", "x")))
    '(y, x, *, z=1)'
    """
    parameters = inspect.signature(function).parameters
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    first = [parameters.get(name, inspect.Parameter(name, kind, default=None)) for name in order]
    others = [p for name, p in parameters.items() if name not in order]
    rest = [p.replace(kind=p.KEYWORD_ONLY) if p.kind is p.POSITIONAL_OR_KEYWORD else p for p in others]
    return inspect.Signature(sorted([*first, *rest], key=lambda parameter: parameter.kind))
