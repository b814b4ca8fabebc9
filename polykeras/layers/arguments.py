"""Argument checks shared by constructors, and the argument names of older Keras versions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from polykeras.core.arguments import with_python_numbers
from polykeras.core.types import Function

#: The sides of a window, each an argument in Keras 1.
_SIDES = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))


def legacy_arguments(**renamed: str) -> Callable[[Function], Function]:
    """Return a decorator for ``__init__`` that also accepts old argument names; and for windows, one for each side.

    Args:
        **renamed: ``old_name="new_name"``.

    >>> class Layer:
    ...     @legacy_arguments(output_dim="units")
    ...     def __init__(self, units): self.units = units
    >>> Layer(output_dim=3).units
    3
    """

    def decorate(init: Function) -> Function:
        sides = _SIDES if "kernel_size" in inspect.signature(init).parameters else ()

        @functools.wraps(init)
        def call(self: Any, *args: Any, **kwargs: Any) -> None:
            for names in sides:
                if names[0] in kwargs:
                    kwargs["kernel_size"] = tuple(kwargs.pop(name) for name in names)
            for old in [name for name in kwargs if name in renamed]:
                new = renamed[old]
                if new in kwargs:
                    raise TypeError(
                        f"Expected one of {old!r} and {new!r}, two names of the same argument of "
                        f"{type(self).__name__}. Received: both."
                    )
                kwargs[new] = kwargs.pop(old)
            init(self, *args, **kwargs)

        vars(call).update(__signature__=inspect.signature(init), older_names=renamed)
        return cast(Function, call)

    return decorate


def base_arguments(*order: str, **attributes: str) -> Callable[[Function], Function]:
    """Return a decorator for ``__init__`` of a base class that in Keras takes as arguments what its class says here.

    It acts where a class has no ``rank``: a direct subclass that a program writes.

    Args:
        *order: names of the first positional arguments in Keras; positional ones after them are those of ``__init__``.
        **attributes: ``name="attribute"``, for arguments that become attributes.

    >>> class Windows:
    ...     @base_arguments("rank", rank="rank")
    ...     def __init__(self, size): self.size = size
    >>> class Squares(Windows):
    ...     def __init__(self, size): super().__init__(2, size)
    >>> Squares(5).rank, Squares(5).size
    (2, 5)
    """

    def decorate(init: Function) -> Function:
        @functools.wraps(init)
        def call(self: Any, *args: Any, **kwargs: Any) -> None:
            if not hasattr(self, "rank"):
                kwargs.update(zip(order, args, strict=False))
                args = args[len(order) :]
                for name, attribute in attributes.items():
                    if name in kwargs:
                        setattr(self, attribute, kwargs.pop(name))
                _require_rank(self, attributes)
            init(self, *args, **kwargs)

        vars(call)["__signature__"] = inspect.signature(init)
        return cast(Function, call)

    return decorate


def _require_rank(layer: Any, attributes: dict[str, str]) -> None:
    if not hasattr(layer, "rank"):
        argument = next(name for name, attribute in attributes.items() if attribute == "rank")
        raise TypeError(
            f"{type(layer).__name__}: Expected the number of spatial axes, as the argument {argument!r} of its base "
            "class or as the attribute 'rank' of the class. Received: neither."
        )


def _where(layer: Any) -> str:
    return f"Layer {layer.name!r} ({type(layer).__name__})"


def positive_int(layer: Any, name: str, value: Any) -> int:
    """Return the value if it is a positive int.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise ValueError(f"{_where(layer)}: Expected {name} to be an int, at least 1. Received: {value!r}.")
    return value.__index__()


def positive_number(layer: Any, name: str, value: Any) -> float:
    """Return the value if it is a positive number.

    Raises:
        ValueError: for anything else.
    """
    value = with_python_numbers(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{_where(layer)}: Expected {name} to be a number above 0. Received: {value!r}.")
    return value


def rate_between(layer: Any, name: str, value: Any) -> float:
    """Return the value if it is a number from 0 to 1.

    Raises:
        ValueError: for anything else.
    """
    value = with_python_numbers(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{_where(layer)}: Expected {name} to be a number from 0 to 1. Received: {value!r}.")
    return value


def noise_shape(layer: Any, value: Any) -> tuple | None:
    """Return the shape of a random mask as a tuple of positive ints and None, or None if there is none.

    Raises:
        ValueError: for anything else.
    """
    if value is None:
        return None
    is_sequence = isinstance(value, list | tuple)
    if not is_sequence or not all(n is None or hasattr(n, "__index__") and n.__index__() > 0 for n in value):
        raise ValueError(
            f"{_where(layer)}: Expected noise_shape to hold ints of at least 1, or None. Received: {value!r}."
        )
    return tuple(value)


def window_sizes(layer: Any, name: str, value: Any, rank: int, minimum: int = 1) -> tuple[int, ...]:
    """Return an int or sequence of ints as a tuple with one int per spatial axis.

    Raises:
        ValueError: for a wrong number of ints, or one below the minimum.
    """
    value = value.tolist() if isinstance(value, np.ndarray) else value
    sizes = (value,) * rank if hasattr(value, "__index__") else value
    is_right = isinstance(sizes, list | tuple) and len(sizes) == rank
    if not is_right or any(isinstance(n, bool) or not hasattr(n, "__index__") or n < minimum for n in sizes):
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): Expected {name} to be an int, or {rank} ints, of at "
            f"least {minimum}. Received: {value!r}."
        )
    return tuple(n.__index__() for n in sizes)


def choice(layer: Any, name: str, value: Any, choices: tuple) -> Any:
    """Return a value that is one of the choices; the case of strings is ignored.

    Raises:
        ValueError: for any other value.
    """
    value = value.lower() if isinstance(value, str) else value
    if value not in choices:
        raise ValueError(f"{_where(layer)}: Expected {name} to be one of {choices}. Received: {value!r}.")
    return value
