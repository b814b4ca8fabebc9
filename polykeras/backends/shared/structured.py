"""Which classes are those of sparse and ragged arrays, and which arguments ops inspect before they compute.

An op finds a sparse argument by the class of the argument, in the check that finds symbolic tensors: programs without
any pay nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.core import trees

#: Classes of sparse and ragged arrays.
STRUCTURED: set[type] = set()
#: These, and the classes of symbolic tensors.
SPECIAL: set[type] = set()
#: These, and the classes of what may hold some of them.
TO_INSPECT: set[type] = {list, tuple, dict}


def register(*classes: type) -> None:
    """Let ops hand arguments of these classes to ``Backend.structured``."""
    STRUCTURED.update(classes)
    mark_special(*classes)


def mark_special(*classes: type) -> None:
    """Let ops inspect arguments of these classes."""
    SPECIAL.update(classes)
    TO_INSPECT.update(classes)


def is_structured(x: Any) -> bool:
    """True for a sparse or ragged array of an engine that has some, or its spec."""
    return x.__class__ in STRUCTURED


def shape_of(backend: Any, x: Any) -> tuple:
    """Return the shape of an array of any layout; None for a ragged axis."""
    return tuple(x.shape if is_structured(x) else backend.shape(x))


def plainly(function: Callable, args: tuple, kwargs: dict, dense: Callable) -> Any:
    """Call an op with dense arguments, for a dense result.

    Args:
        function: the op.
        args, kwargs: its arguments.
        dense: ``dense(x)`` returns a sparse array as a dense one, and anything else unchanged.
    """
    args, kwargs = trees.map(dense, args), trees.map(dense, kwargs)
    if kwargs.get("sparse"):
        kwargs = {**kwargs, "sparse": False}
    return function(*args, **kwargs)
