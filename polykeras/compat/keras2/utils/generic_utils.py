"""Small tools for arguments, lists and names, under the names of Keras 2."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from polykeras.callbacks.progbar import Progbar
from polykeras.compat.keras2.plain_configs import deserialize_keras_object, serialize_keras_object
from polykeras.core import naming
from polykeras.serialization import bytecode
from polykeras.serialization.registry import custom_object_scope, get_custom_objects

CustomObjectScope = custom_object_scope
_GLOBAL_CUSTOM_OBJECTS = get_custom_objects()

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "custom_object_scope",
    "func_dump",
    "func_load",
    "check_for_unexpected_keys",
    "deserialize_keras_object",
    "get_custom_objects",
    "getargspec",
    "has_arg",
    "is_all_none",
    "object_list_uid",
    "serialize_keras_object",
    "slice_arrays",
    "to_list",
    "transpose_shape",
    "unpack_singleton",
]


def func_dump(func: FunctionType) -> tuple:
    """Return the code, the defaults and the closure of a function, as ``func_load`` expects them.

    Args:
        func: a Python function.

    >>> func_dump(lambda x, factor=2: x * factor)[1:]
    ((2,), None)
    """
    parts = bytecode.dump(func)["config"]
    defaults, closure = (None if parts[name] is None else tuple(parts[name]) for name in ("defaults", "closure"))
    return parts["code"], defaults, closure


def func_load(code: Any, defaults: tuple | None = None, closure: tuple | None = None, globs: dict | None = None) -> Any:
    """Return the function with the parts from ``func_dump``. Its code runs when it is called: load only what you trust.

    Args:
        code: the first part, or all three.
        defaults, closure: the other parts.
        globs: dict of global names for the function; default None, for builtins only.

    >>> func_load(func_dump(lambda x, factor=2: x * factor))(3)
    6
    """
    parts = tuple(code) if isinstance(code, list | tuple) else (code, defaults, closure)
    return bytecode.load(list(parts), dict(globs or {}))


def has_arg(fn: Callable, name: str, accept_all: bool = False) -> bool:
    """Return whether a function accepts an argument by name.

    Args:
        fn: a function.
        name: str, name of the argument.
        accept_all: bool, the result for a function that takes ``**kwargs``; default False.

    >>> has_arg(lambda x, *, y: 0, "y"), has_arg(lambda **kwargs: 0, "y", accept_all=True)
    (True, True)
    """
    parameters = inspect.signature(fn).parameters
    parameter = parameters.get(name)
    if parameter is None:
        return accept_all and any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def to_list(x: Any, allow_tuple: bool = False) -> list:
    """Return a list unchanged, and anything else in a list.

    Args:
        x: any object.
        allow_tuple: bool, whether to keep tuples; default False.

    >>> to_list((1, 2)), to_list((1, 2), allow_tuple=True)
    ([(1, 2)], [1, 2])
    """
    if isinstance(x, list):
        return x
    return list(x) if allow_tuple and isinstance(x, tuple) else [x]


def unpack_singleton(x: Any) -> Any:
    """Return the only entry of a sequence of length 1; anything else unchanged.

    Args:
        x: any object.

    >>> unpack_singleton([5]), unpack_singleton([5, 6])
    (5, [5, 6])
    """
    return x[0] if hasattr(x, "__len__") and len(x) == 1 else x


def is_all_none(iterable_or_element: Any) -> bool:
    """Return whether all entries are None.

    Args:
        iterable_or_element: sequence, or a single value.

    >>> is_all_none([None, None]), is_all_none(3)
    (True, False)
    """
    is_many = isinstance(iterable_or_element, list | tuple)
    return all(x is None for x in (iterable_or_element if is_many else [iterable_or_element]))


def slice_arrays(arrays: Any, start: Any = None, stop: int | None = None) -> Any:
    """Return rows of an array, or of each array in a list.

    Args:
        arrays: an array, a list of arrays and None, or None.
        start: int, the first row; or a list of rows; default None.
        stop: int, the row after the last; default None.

    >>> slice_arrays([[1, 2, 3], None], 1, 3)
    [[2, 3], None]
    """
    if arrays is None:
        return [None]
    if isinstance(arrays, list):
        return [None if x is None else _rows(x, start, stop) for x in arrays]
    return _rows(arrays, start, stop)


def _rows(x: Any, start: Any, stop: int | None) -> Any:
    return x[list(start)] if isinstance(start, Iterable) else x[start:stop]


def transpose_shape(shape: Any, target_format: str, spatial_axes: Iterable[int]) -> Any:
    """Convert a channels-last shape to another layout.

    Args:
        shape: (batch, *spatial, channels) or (channels, *spatial) without the batch.
        target_format: ``"channels_first"`` or ``"channels_last"``.
        spatial_axes: indices of the spatial sizes in ``shape``.

    Raises:
        ValueError: for an unknown layout.

    >>> transpose_shape((16, 128, 128, 32), "channels_first", (1, 2))
    (16, 32, 128, 128)
    """
    axes = tuple(spatial_axes)
    if target_format == "channels_last":
        return shape
    if target_format != "channels_first":
        raise ValueError(f"Expected target_format to be a layout. Received: {target_format!r}.")
    values = [*shape[: axes[0]], shape[-1], *(shape[axis] for axis in axes)]
    return type(shape)(values)


def check_for_unexpected_keys(name: str, input_dict: dict, expected_values: Iterable[str]) -> None:
    """Reject a dict with unexpected keys.

    Args:
        name: str, what the dict is, for the message.
        input_dict: dict.
        expected_values: the allowed keys.

    Raises:
        ValueError: for other keys.

    >>> check_for_unexpected_keys("loss", {"a": "mse"}, ["a", "b"])
    """
    unknown = sorted(set(input_dict) - set(expected_values))
    if unknown:
        expected = naming.listed(sorted(expected_values))
        raise ValueError(f"Expected the keys of {name} to be of {expected}. Received: {naming.listed(unknown)}.")


def getargspec(fn: Callable) -> inspect.FullArgSpec:
    """Return the argument names of a function.

    Args:
        fn: a function.

    >>> getargspec(lambda x, y=2: 0).args
    ['x', 'y']
    """
    return inspect.getfullargspec(fn)


def object_list_uid(object_list: Any) -> str:
    """Return a text that identifies objects.

    Args:
        object_list: an object, or a list of them.

    >>> object_list_uid([1, None]) == object_list_uid([1, None]) != object_list_uid([2, None])
    True
    """
    return ", ".join(str(abs(id(x))) for x in to_list(object_list))
