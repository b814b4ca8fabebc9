"""How public ops handle their arguments: symbolic tensors, scalars, arrays of mixed dtypes."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast, overload

import numpy as np

from polykeras import config
from polykeras.backends import current
from polykeras.backends.shared.graph_sizes import GraphSize
from polykeras.backends.shared.structured import SPECIAL, TO_INSPECT
from polykeras.core import dtypes, graph, naming, trees
from polykeras.core.expressions import Expression
from polykeras.core.graph import KerasTensor
from polykeras.core.operators import EngineNeeded
from polykeras.core.other_keras import refuse_symbol_of_other_keras
from polykeras.core.types import Function
from polykeras.core.variables import Variable

FLOATS = dtypes.FLOATS
_INEXACT = frozenset(dtypes.FLOATS + dtypes.COMPLEX)
_NUMBERS = _INEXACT.union(dtypes.INTEGERS)
_HALF = frozenset({"float16", "bfloat16"})
_WIDER = frozenset({"float32", "float64"})
_promote = dtypes.promote
_VARIABLES = frozenset({Variable, Expression})
#: In the era of Keras 2, ``expressions.deferred``, which may return something in place of the result for variables.
defer: Callable[[Callable, tuple, dict], Any] | None = None
_UNKNOWN = "A size that is unknown in a graph is None; inside a layer's call, ops.shape returns it as a number."


class UnknownSize(EngineNeeded, ValueError):
    """None in place of a number: during shape inference, it may be a size that the engine can supply."""


def op(function: Function) -> Function:
    """Make a function a public op: called on symbolic tensors, it records a node of the graph.

    Sparse and ragged arguments go to ``Backend.structured``.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in (*args, *kwargs.values()) if kwargs else args:
            if x.__class__ in TO_INSPECT:
                if graph.has_symbols(args, kwargs, SPECIAL):
                    if graph.has_symbols(args, kwargs):
                        return graph.record(call, args, kwargs)
                    return current().structured(call, args, kwargs)
                break
        if defer is not None and graph.has_symbols(args, kwargs, _VARIABLES):
            expression = defer(call, args, kwargs)
            if expression is not None:
                return expression
        return function(*args, **kwargs)

    vars(call)["is_op"] = True
    return cast(Function, call)


def in_single_precision(function: Function) -> Function:
    """Let an op compute float16 and bfloat16 arrays in float32, and round its results.

    For sums, squares and powers: in float16 they may overflow above 65504 even if the result does not.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found = {_float_type(x) for x in (*args, *kwargs.values())}
        halves = _HALF.intersection(found)
        if not halves or found & _WIDER:
            return function(*args, **kwargs)
        backend, dtype = current(), _promote(*halves)

        def widen(x: Any) -> Any:
            return array(x, "float32") if _float_type(x) in _HALF else x

        result = function(*map(widen, args), **{key: widen(x) for key, x in kwargs.items()})
        return trees.map(lambda x: backend.cast(x, dtype) if backend.dtype(x) == "float32" else x, result)

    return cast(Function, call)


def _float_type(x: Any) -> str | None:
    """Return the dtype name of an array of any framework; None for anything else."""
    if current().is_array(x):
        return current().dtype(x)
    return (
        dtypes.standardize(x.dtype) if isinstance(x, np.ndarray | Variable | Expression) and x.dtype in _HALF else None
    )


def array(x: Any, dtype: str | None = None) -> Any:
    """Convert any argument to an array of the current backend.

    Python numbers, including those in lists, become ``floatx()``, int32 or bool; NumPy arrays keep their dtype.
    """
    backend = current()
    if x.__class__ is Variable:
        x = x.array
    if not backend.is_array(x):
        return _converted(backend, x, dtype)
    return x if dtype is None else backend.cast(x, dtype)


def _converted(backend: Any, x: Any, dtype: str | None) -> Any:
    """Convert something that is not yet an array of the backend."""
    if isinstance(x, Variable | Expression):
        return array(x.value, dtype)
    if isinstance(x, KerasTensor):
        raise TypeError(
            f"Expected an array with a value. Received: {x!r}, a symbolic tensor. Ops on it are "
            f"recorded only when it is an argument of the op itself."
        )
    kind = dtypes.scalar_kind(x)
    if kind is not None:
        return backend.array(x, dtype or _promote(kind))
    if isinstance(x, list | tuple):
        return _from_list(backend, x, dtype)
    if x is None:
        raise UnknownSize(f"Expected a number or an array. Received: None. {_UNKNOWN}")
    if not (isinstance(x, np.ndarray | np.generic) or backend.is_symbolic):
        x = backend.densified(x)  # sparse arrays
        if backend.is_array(x):
            return x if dtype is None else backend.cast(x, dtype)
        refuse_symbol_of_other_keras(x)
        x = np.asarray(x)
    return backend.array(x, dtype)


def _kind(x: Any) -> str | None:
    """Return the weak type of a Python number, or the dtype of a NumPy number or array; None for anything else."""
    name = getattr(getattr(x, "dtype", None), "name", None)
    return name if name in dtypes.ALL else dtypes.scalar_kind(x)


def _from_list(backend: Any, x: list | tuple, dtype: str | None) -> Any:
    leaves = trees.leaves(x)
    if _has_none(x):
        raise UnknownSize(f"Expected numbers or arrays. Received: {naming.short(x)}, with None. {_UNKNOWN}")
    if any(isinstance(leaf, Variable | Expression | GraphSize) or backend.is_array(leaf) for leaf in leaves):
        return _stacked(x, dtype)
    if backend.has_text and leaves and all(isinstance(leaf, str | bytes) for leaf in leaves):
        return backend.array(np.array(x, object))
    own = [leaf for leaf in leaves if hasattr(leaf, "dtype")]
    if dtype is None and not (own and (len(own) == len(leaves) or None in map(_kind, own))):
        kinds = {kind for leaf in leaves if (kind := _kind(leaf)) is not None}
        dtype = _promote(*(kinds or {"float"}))
    value = np.asarray(x, None if dtype is None else dtypes.numpy_dtype(dtype))
    return backend.array(value, dtype)


def _has_none(x: list | tuple) -> bool:
    return any(y is None or (isinstance(y, list | tuple) and _has_none(y)) for y in x)


def _stacked(x: list | tuple, dtype: str | None) -> Any:
    """Convert a list that contains arrays or variables."""
    parts = [_stacked(y, dtype) if isinstance(y, list | tuple) else y for y in x]
    arrays = same_dtype(*parts) if dtype is None else [array(y, dtype) for y in parts]
    return current().stack(list(arrays), 0)


def float_array(x: Any) -> Any:
    """Convert any argument to an array of floats or complex numbers; integers and bools become ``floatx()``."""
    backend = current()
    if not backend.is_array(x):
        x = _converted(backend, x, None)
    return x if backend.dtype(x) in _INEXACT else backend.cast(x, config.floatx())


def number_array(x: Any) -> Any:
    """Convert any argument to an array of numbers; bools become int32."""
    x = array(x)
    backend = current()
    return backend.cast(x, "int32") if backend.dtype(x) == "bool" else x


def operands(x: Any, y: Any) -> tuple:
    """Convert two arguments to their common dtype; one of them may remain a Python scalar."""
    backend = current()
    x_kind, y_kind = dtypes.scalar_kind(x), dtypes.scalar_kind(y)
    if x_kind is not None and y_kind is not None:
        dtype = _promote(x_kind, y_kind)
        return backend.array(x, dtype), backend.array(y, dtype)
    if x_kind is None:
        if not backend.is_array(x):
            x = _converted(backend, x, None)
        x_dtype = backend.dtype(x)
        if y_kind == "float" and x_dtype in FLOATS:
            return x, y
    if y_kind is None:
        if not backend.is_array(y):
            y = _converted(backend, y, None)
        y_dtype = backend.dtype(y)
        if x_kind is None and x_dtype == y_dtype:
            return x, y
    dtype = _promote(x_kind or x_dtype, y_kind or y_dtype)
    x = backend.cast(x, dtype) if x_kind is None else _scalar(x, dtype)
    y = backend.cast(y, dtype) if y_kind is None else _scalar(y, dtype)
    return x, y


def _scalar(x: Any, dtype: str) -> Any:
    """Convert a Python scalar to the kind of number that ``dtype`` holds."""
    if dtype in FLOATS:
        return float(x)
    return int(x) if dtype in dtypes.INTEGERS else x


def float_operands(x: Any, y: Any) -> tuple:
    """Like ``operands``, but as floats."""
    return _operands_of_at_least(x, y, _INEXACT, config.floatx())


def number_operands(x: Any, y: Any) -> tuple:
    """Like ``operands``, but as numbers: two bools become int32."""
    return _operands_of_at_least(x, y, _NUMBERS, "int32")


def _operands_of_at_least(x: Any, y: Any, allowed: frozenset, fallback: str) -> tuple:
    x, y = operands(x, y)
    backend = current()
    x_kind, y_kind = dtypes.scalar_kind(x), dtypes.scalar_kind(y)
    if backend.dtype(y if x_kind else x) in allowed:
        return x, y
    x = backend.cast(x, fallback) if x_kind is None else _scalar(x, fallback)
    y = backend.cast(y, fallback) if y_kind is None else _scalar(y, fallback)
    return x, y


def same_dtype(*arrays: Any) -> tuple:
    """Convert any number of arguments to arrays of their common dtype."""
    backend = current()
    converted, found, has_scalars = [], set(), False
    for x in arrays:
        if x.__class__ is Variable:
            x = x.array
        kind = None
        if not backend.is_array(x):
            kind = dtypes.scalar_kind(x)
            x = _converted(backend, x, None) if kind is None else x
            has_scalars = has_scalars or kind is not None
        converted.append(x)
        found.add(kind or backend.dtype(x))
    if len(found) > 1 or has_scalars:
        dtype = _promote(*found)
        return tuple(array(x, dtype) for x in converted)
    return tuple(converted)


def sized(x: Any, sizes: Mapping[int, int | None]) -> Any:
    """Return a symbolic tensor with more specific sizes for some axes than shape inference has found."""
    backend = current()
    shape = [sizes.get(axis, size) for axis, size in enumerate(backend.shape(x))]
    return backend.full(tuple(shape), 0, backend.dtype(x))


class WrongArgument(ValueError, IndexError, RuntimeError):
    """An axis or option that an array does not have; engines' programs catch different exception classes for this."""


@overload
def axes_of(axis: None, rank: int, name: str = "axis") -> None: ...


@overload
def axes_of(axis: int | Sequence[int], rank: int, name: str = "axis") -> tuple[int, ...]: ...


def axes_of(axis: Any, rank: int, name: str = "axis") -> tuple[int, ...] | None:
    """Return ``axis`` as a tuple of non-negative axes; None stays None.

    Raises:
        ValueError: if an axis is out of range or repeated.
    """
    if axis is None:
        return None
    if axis.__class__ is int:
        return (axis_of(axis, rank, name),)
    if hasattr(axis, "__array__"):
        axis = _listed(axis, rank)
    axes = tuple(axis_of(a, rank, name) for a in (axis if isinstance(axis, list | tuple | range) else (axis,)))
    if len(set(axes)) < len(axes):
        raise ValueError(f"Expected every axis once in {name}. Received: {axis}.")
    return axes


def _listed(axes: Any, rank: int) -> list:
    """Return axes in an array as a list."""
    with contextlib.suppress(TypeError, NotImplementedError):  # an array in a graph has no values
        return np.atleast_1d(np.asarray(axes)).tolist()
    # Sizes are what an engine computes while it traces a graph.
    return [size - rank for size in current().sizes(current().add(axes, rank))]


def axis_of(axis: int, rank: int, name: str = "axis") -> int:
    """Return an axis as a non-negative number.

    Raises:
        ValueError: if the axis is out of range.
    """
    if not -rank <= axis < rank:
        raise WrongArgument(
            f"Expected {name} from {-rank} to {rank - 1}, for an array with {rank} axes. Received: {axis}."
        )
    return axis % rank if rank else 0


def times(*sizes: int | None) -> int | None:
    """Return the product of sizes; None if one is unknown."""
    result = 1
    for size in sizes:
        if size is None:
            return None
        result *= size
    return result


def sizes(shape: Any) -> tuple:
    """Return a shape, given as a size, as a sequence of sizes or as a vector of them, as a tuple."""
    backend = current()
    if backend.is_array(shape):
        return backend.sizes(shape)
    return tuple(map(size, shape)) if isinstance(shape, Iterable) else (size(shape),)


def size(n: Any) -> Any:
    """Return a size, which may be a 0-d array, as a number, or as what stands for one in a graph."""
    if isinstance(n, np.integer):
        return int(n)
    return current().sizes(n)[0] if current().is_array(n) else n


def reshaped(x: Any, shape: Any) -> Any:
    """Reshape ``x``, where one size may be unknown."""
    shape = tuple(shape)
    if None in shape and shape.count(None) == 1 and -1 not in shape:
        shape = tuple(-1 if n is None else n for n in shape)
    return current().reshape(x, shape)
