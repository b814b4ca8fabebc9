"""How a public op treats its arguments: symbolic ones, scalars, arrays of mixed dtypes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from polykeras import config
from polykeras.backends import current
from polykeras.core import dtypes, graph
from polykeras.core.graph import KerasTensor
from polykeras.core.variables import Variable


def op(function: Callable) -> Callable:
    """Make a function a public op: called on symbolic tensors it records itself."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            kind = x.__class__
            if kind is KerasTensor or kind is list or kind is tuple:
                if graph.has_symbols(args, kwargs):
                    return graph.record(call, args, kwargs)
                break
        else:
            if kwargs and graph.has_symbols((), kwargs):
                return graph.record(call, args, kwargs)
        return function(*args, **kwargs)

    return call


def array(x: Any, dtype: str | None = None) -> Any:
    """Return any argument as an array of the current backend."""
    backend = current()
    if isinstance(x, Variable):
        x = x.value
    elif not backend.is_array(x):
        return backend.array(_known(x), dtype)
    return x if dtype is None else backend.cast(x, dtype)


def _known(x: Any) -> Any:
    """What ``Backend.array`` accepts; a list may hold variables and arrays."""
    if isinstance(x, list | tuple) and any(hasattr(y, "shape") or isinstance(y, list | tuple) for y in x):
        parts = [array(y) for y in x]
        backend = current()
        return backend.stack(list(same_dtype(*parts)), 0)
    if isinstance(x, KerasTensor):
        raise TypeError(
            f"Expected an array with a value. Received: {x!r}, a symbolic tensor. Ops on it are "
            f"recorded only when it is an argument of the op itself."
        )
    return x


def float_array(x: Any) -> Any:
    """Return any argument as an array of floats; integers and bools become ``floatx()``."""
    x = array(x)
    backend = current()
    dtype = backend.dtype(x)
    return x if dtype in dtypes.FLOATS else backend.cast(x, config.floatx())


def operands(x: Any, y: Any) -> tuple:
    """Return two arguments in their common dtype; one of them may stay a Python scalar."""
    backend = current()
    x = x.value if isinstance(x, Variable) else x
    y = y.value if isinstance(y, Variable) else y
    x_kind, y_kind = dtypes.scalar_kind(x), dtypes.scalar_kind(y)
    if x_kind is not None and y_kind is not None:
        dtype = dtypes.promote(x_kind, y_kind)
        return backend.array(x, dtype), backend.array(y, dtype)
    x_dtype = x_kind or backend.dtype(x := array(x))
    y_dtype = y_kind or backend.dtype(y := array(y))
    if x_dtype == y_dtype:
        return x, y
    dtype = dtypes.promote(x_dtype, y_dtype)
    if x_kind is None and x_dtype != dtype:
        x = backend.cast(x, dtype)
    if y_kind is None and y_dtype != dtype:
        y = backend.cast(y, dtype)
    return _scalar(x, x_kind, dtype), _scalar(y, y_kind, dtype)


def _scalar(x: Any, kind: str | None, dtype: str) -> Any:
    """A Python scalar as the kind of number that ``dtype`` holds."""
    if kind == "int" and dtype in dtypes.FLOATS:
        return float(x)
    if kind == "bool" and dtype != "bool":
        return int(x)
    return x


def float_operands(x: Any, y: Any) -> tuple:
    """``operands``, as floats."""
    x, y = operands(x, y)
    backend = current()
    dtype = backend.dtype(x if backend.is_array(x) else y)
    if dtype in dtypes.FLOATS:
        return x, y
    floatx = config.floatx()
    cast = lambda v: backend.cast(v, floatx) if backend.is_array(v) else float(v)  # noqa: E731
    return cast(x), cast(y)


def same_dtype(*arrays: Any) -> tuple:
    """Return any number of arguments as arrays of their common dtype."""
    backend = current()
    arrays = tuple(x if dtypes.scalar_kind(x) else array(x) for x in arrays)
    kinds = [dtypes.scalar_kind(x) or backend.dtype(x) for x in arrays]
    dtype = dtypes.promote(*kinds)
    return tuple(array(x, dtype) for x in arrays)


def axes_of(axis: Any, rank: int, name: str = "axis") -> tuple | None:
    """Return ``axis`` as a tuple of axes from 0 on; None stays None.

    Raises:
        ValueError: if an axis lies outside, or is named twice.
    """
    if axis is None:
        return None
    axes = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    return tuple(axis_of(a, rank, name) for a in axes)


def axis_of(axis: int, rank: int, name: str = "axis") -> int:
    """Return an axis counted from 0.

    Raises:
        ValueError: if there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"Expected {name} from {-rank} to {rank - 1}, for an array with {rank} axes. Received: {axis}.")
    return axis % rank if rank else 0
