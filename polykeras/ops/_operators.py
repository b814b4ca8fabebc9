"""The Python operators of symbolic tensors, specs and variables, implemented by the corresponding ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polykeras.backends.contract.spec import SpecArray
from polykeras.core import dtypes
from polykeras.core.graph import KerasTensor
from polykeras.core.operators import Operators
from polykeras.core.variables import Variable
from polykeras.ops import arithmetic, creation, indexing, linalg, math, movement


def _by_kind(bitwise: Callable, logical: Callable) -> Callable:
    """Return a function that is bitwise for integers and bools, and logical for other numbers."""

    def combined(x: Any, y: Any) -> Any:
        return logical(x, y) if _is_inexact(x) or _is_inexact(y) else bitwise(x, y)

    return combined


def _is_inexact(x: Any) -> bool:
    return isinstance(x, float) or (hasattr(x, "dtype") and creation.dtype(x) in dtypes.FLOATS + dtypes.COMPLEX)


_TWO = {
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "floordiv": arithmetic.floor_divide,
    "mod": arithmetic.mod,
    "pow": arithmetic.power,
    "matmul": linalg.matmul,
    "and": _by_kind(arithmetic.bitwise_and, arithmetic.logical_and),
    "or": _by_kind(arithmetic.bitwise_or, arithmetic.logical_or),
    "xor": _by_kind(arithmetic.bitwise_xor, arithmetic.logical_xor),
}
_COMPARISONS = {
    "lt": arithmetic.less,
    "le": arithmetic.less_equal,
    "gt": arithmetic.greater,
    "ge": arithmetic.greater_equal,
}
# As in Keras; the engines' arrays, and so symbolic tensors, combine the bits of integers.
_LOGICAL = {"and": arithmetic.logical_and, "or": arithmetic.logical_or, "xor": arithmetic.logical_xor}
# As in Keras, ``==`` of symbolic tensors says whether they are the same, as dicts and lists need, and ``!=`` compares
# values; specs stand for arrays, whose ``==`` compares values too.
_EQUALITIES = {"eq": arithmetic.equal, "ne": arithmetic.not_equal}
_ONE = {"neg": math.negative, "pos": creation.convert_to_tensor, "abs": math.absolute, "invert": math.bitwise_not}


def _forward(function: Callable) -> Callable:
    return lambda self, other: function(self, other)


def _reflected(function: Callable) -> Callable:
    return lambda self, other: function(other, self)


def _of_values(function: Callable, otherwise: bool) -> Callable:
    """Return a method that compares values; what has none, such as None or a name, is ``otherwise``."""

    def compare(self: Any, other: Any) -> Any:
        has_values = isinstance(other, bool | int | float | complex | list | tuple) or hasattr(other, "shape")
        return function(self, other) if has_values else otherwise

    return compare


def _alone(function: Callable) -> Callable:
    return lambda self: function(self)


def reshape(self: KerasTensor, newshape: Any) -> Any:
    """Return the tensor in another shape; see ``ops.reshape``.

    Args:
        newshape: tuple of ints.
    """
    return movement.reshape(self, newshape)


def squeeze(self: KerasTensor, axis: int | Sequence[int] | None = None) -> Any:
    """Return the tensor without axes of size 1; see ``ops.squeeze``.

    Args:
        axis: int or tuple of ints; default None, for all axes of size 1.
    """
    return movement.squeeze(self, axis)


def install() -> None:
    """Set the methods of ``Operators``; variables compare by value, but hash by identity."""
    methods: dict[str, Any] = {"getitem": _forward(indexing.get_item)}
    methods |= {name: _forward(function) for name, function in (_TWO | _COMPARISONS).items()}
    methods |= {f"r{name}": _reflected(function) for name, function in _TWO.items()}
    methods |= {name: _alone(function) for name, function in _ONE.items()}
    methods["round"] = lambda self, ndigits=None: math.round(self, decimals=ndigits or 0)
    for name, method in methods.items():
        setattr(Operators, f"__{name}__", method)
    KerasTensor.reshape, KerasTensor.squeeze = reshape, squeeze
    differs, equals = _of_values(arithmetic.not_equal, True), _of_values(arithmetic.equal, False)
    for kind, name, method in ((KerasTensor, "ne", differs), (SpecArray, "ne", differs), (SpecArray, "eq", equals)):
        setattr(kind, f"__{name}__", method)
    for name, function in (_EQUALITIES | _LOGICAL).items():
        setattr(Variable, f"__{name}__", _forward(function))
    for name, function in _LOGICAL.items():
        setattr(Variable, f"__r{name}__", _reflected(function))
