"""Cases for the elementwise primitives: all dtypes, scalars on either side, broadcasting, NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras.core import dtypes
from polykeras.testing.cases import INF, NAN, NUMERIC, Case, values


def _entrywise(function: Callable[[float], float]) -> Callable:
    return np.vectorize(function, otypes=[np.float64])


def _erfinv(y: float) -> float:
    """Bisection; beyond 0.5 on 1 - erf, which keeps more significant digits."""
    if not abs(y) < 1:
        return math.copysign(INF, y) if abs(y) == 1 else NAN
    low, high = 0.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        below = math.erfc(middle) > 1 - abs(y) if abs(y) > 0.5 else math.erf(middle) < abs(y)
        low, high = (middle, high) if below else (low, middle)
    return math.copysign(low, y)


def _digamma(x: float) -> float:
    """Recurrence up to 40, where three terms of the asymptotic series are exact in double precision."""
    if not math.isfinite(x):
        return x
    total = 0.0
    while x < 40:
        total -= 1 / x
        x += 1
    return total + math.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4)


# name: (oracle, lowest argument, highest argument, special arguments)
_EVERYWHERE = (0.0, INF, -INF, NAN)
UNARY: dict[str, tuple[Callable, float, float, tuple]] = {
    "exp": (np.exp, -3, 3, (*_EVERYWHERE, 1e4)),
    "expm1": (np.expm1, -3, 3, _EVERYWHERE),
    "log": (np.log, 0.1, 5, (*_EVERYWHERE, -1.0)),
    "log1p": (np.log1p, -0.9, 5, (*_EVERYWHERE, -1.0, -2.0)),
    "sqrt": (np.sqrt, 0.1, 5, (*_EVERYWHERE, -1.0)),
    "sin": (np.sin, -4, 4, _EVERYWHERE),
    "cos": (np.cos, -4, 4, _EVERYWHERE),
    "tan": (np.tan, -1.4, 1.4, _EVERYWHERE),
    "arcsin": (np.arcsin, -0.9, 0.9, (*_EVERYWHERE, 1.0, 2.0)),
    "arccos": (np.arccos, -0.9, 0.9, (*_EVERYWHERE, 1.0, 2.0)),
    "arctan": (np.arctan, -4, 4, _EVERYWHERE),
    "sinh": (np.sinh, -3, 3, _EVERYWHERE),
    "cosh": (np.cosh, -3, 3, _EVERYWHERE),
    "tanh": (np.tanh, -3, 3, _EVERYWHERE),
    "arcsinh": (np.arcsinh, -4, 4, _EVERYWHERE),
    "arccosh": (np.arccosh, 1.1, 5, (*_EVERYWHERE, 1.0)),
    "arctanh": (np.arctanh, -0.9, 0.9, (*_EVERYWHERE, 1.0, 2.0)),
    "erf": (_entrywise(math.erf), -3, 3, _EVERYWHERE),
    "erfinv": (_entrywise(_erfinv), -0.9, 0.9, (0.0, 1.0, -1.0, 2.0, NAN)),
    "lgamma": (_entrywise(math.lgamma), 0.2, 6, (1.0, 2.0, INF, NAN)),
    "digamma": (_entrywise(_digamma), 0.2, 6, (INF, NAN)),
    "floor": (np.floor, -4, 4, (*_EVERYWHERE, 2.0, -2.0)),
    "ceil": (np.ceil, -4, 4, (*_EVERYWHERE, 2.0, -2.0)),
    "round": (np.rint, -4, 4, (*_EVERYWHERE, 0.5, 1.5, -0.5, -2.5)),
}


def unary_cases() -> Iterator[Case]:
    """Functions of one array."""
    for name, (oracle, low, high, special) in UNARY.items():
        for dtype in dtypes.FLOATS:
            x = values(2, 3, dtype=dtype, low=low, high=high)
            yield Case(name, (x,), oracle, dtype, gradient=dtype == "float64", unknown=(0,))
        yield Case(name, (np.array(special),), oracle, "special values")
        yield Case(name, (np.array(special, "float32"),), oracle, "special values, float32")
        yield from _shapes(name, oracle, lambda *shape, low=low, high=high: values(*shape, low=low, high=high))
    for dtype in NUMERIC:
        x = values(2, 3, dtype=dtype)
        for name, oracle in (("negative", np.negative), ("absolute", np.abs), ("sign", np.sign)):
            yield Case(name, (x,), oracle, dtype, gradient=dtype == "float64")
    extremes = np.array([0.0, -0.0, INF, -INF, NAN])
    for name, oracle in (("negative", np.negative), ("absolute", np.abs), ("sign", np.sign)):
        yield Case(name, (extremes,), oracle, "special values")
        yield from _shapes(name, oracle, values)
    for name, oracle in (("isfinite", np.isfinite), ("isnan", np.isnan)):
        for dtype in NUMERIC:
            x = extremes.astype(dtypes.numpy_dtype(dtype)) if dtypes.is_float(dtype) else values(3, dtype=dtype)
            yield Case(name, (x,), oracle, dtype)
        yield from _shapes(name, oracle, values)
    truth = np.array([[True, False]])
    yield Case("logical_not", (truth,), np.logical_not)
    yield Case("bitwise_not", (truth,), np.logical_not, "bool")
    for dtype in dtypes.INTEGERS:
        yield Case("bitwise_not", (values(2, 3, dtype=dtype),), np.invert, dtype)


def _shapes(name: str, oracle: Callable, make: Callable) -> Iterator[Case]:
    for label, shape in (("0-d", ()), ("empty", (0, 3))):
        yield Case(name, (make(*shape),), oracle, label, unknown=() if shape == () else (0,))


ARITHMETIC = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}
CHOICE = {"maximum": np.maximum, "minimum": np.minimum}
RATIO = {"floor_divide": np.floor_divide, "mod": np.mod}
COMPARISON = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
BITWISE = {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor}
LOGICAL = {"logical_and": np.logical_and, "logical_or": np.logical_or}
SHIFT = {"left_shift": np.left_shift, "right_shift": np.right_shift}


def binary_cases() -> Iterator[Case]:
    """Functions of two operands."""
    for table in (ARITHMETIC, CHOICE, COMPARISON):
        for name, oracle in table.items():
            smooth = table is not COMPARISON
            yield from _operand_cases(name, oracle, NUMERIC, smooth)
            yield from _broadcasting(name, oracle, smooth)
    for name, oracle in RATIO.items():
        yield from _operand_cases(name, oracle, NUMERIC, nonzero=True)
        yield from _broadcasting(name, oracle)
        yield from _signed_ratios(name, oracle)
    yield from _operand_cases("divide", np.divide, dtypes.FLOATS)
    yield from _operand_cases("arctan2", np.arctan2, dtypes.FLOATS)
    yield from _broadcasting("divide", np.divide)
    yield from _broadcasting("arctan2", np.arctan2)
    yield from _power_cases()
    yield from _bool_cases()
    yield from _bit_cases()
    yield from _special_cases()
    yield from _where_cases()


# An engine that handles a scalar on the right handles it on the left, so a sample of dtypes is enough.
_SCALAR_LEFT = ("uint8", "int32", "uint32", "int64", "bfloat16", "float32", "float64")


def _operand_cases(
    name: str, oracle: Callable, kinds: tuple, smooth: bool = True, nonzero: bool = False
) -> Iterator[Case]:
    for dtype in kinds:
        x, y = values(2, 3, dtype=dtype), values(2, 3, dtype=dtype, seed=1)
        if nonzero:
            # Avoid integer ratios, where the function jumps.
            y = y * y.dtype.type(1.125) if dtypes.is_float(dtype) else np.where(y == 0, np.ones_like(y), y)
        floats = dtypes.is_float(dtype)
        gradient = smooth and dtype == "float64"
        # A scalar has the kind of the array; an int is also combined with floats.
        scalars = {"float scalar": 0.75} if floats else {"scalar": 3}
        scalars |= {"int scalar": 2} if dtype in ("float16", "float32") else {}
        yield Case(name, (x, y), oracle, dtype, gradient=gradient, unknown=(0, 1))
        for label, scalar in scalars.items():
            typed = np.array(scalar, np.float64 if floats else dtype)
            right, left = _with_scalar(oracle, typed)
            yield Case(name, (x, scalar), right, f"{dtype}, {label} right", gradient=gradient, unknown=(0,))
            if dtype in _SCALAR_LEFT:
                yield Case(name, (scalar, y), left, f"{dtype}, {label} left", gradient=gradient, unknown=(1,))


def _with_scalar(oracle: Callable, typed: np.ndarray) -> tuple[Callable, Callable]:
    """Return the formula with a scalar of the array's own dtype on its right, and on its left."""
    return lambda x, _: oracle(x, typed), lambda _, y: oracle(typed, y)


def _broadcasting(name: str, oracle: Callable, gradient: bool = True) -> Iterator[Case]:
    shapes = {
        "broadcast": ((2, 1, 3), (4, 1)),
        "0-d left": ((), (2, 3)),
        "0-d right": ((2, 3), ()),
        "0-d both": ((), ()),
        "empty": ((0, 3), (1, 3)),
        "empty and 0-d": ((0,), ()),
    }
    for label, (left, right) in shapes.items():
        arguments = (values(*left, dtype="float64"), values(*right, dtype="float64", low=0.3, seed=1))
        yield Case(name, arguments, oracle, label, gradient=gradient, unknown=(0,) if len(left) > 1 else ())


def _signed_ratios(name: str, oracle: Callable) -> Iterator[Case]:
    x, y = [7, -7, 7, -7, 6, -6, 0], [3, 3, -3, -3, 3, 3, 3]
    for dtype in dtypes.SIGNED + dtypes.FLOATS:
        kind = dtypes.numpy_dtype(dtype)
        yield Case(name, (np.array(x).astype(kind), np.array(y).astype(kind)), oracle, f"every sign, {dtype}")


def _power_cases() -> Iterator[Case]:
    for dtype in NUMERIC:
        kind = dtypes.numpy_dtype(dtype)
        x, y = np.array([0, 1, 2, 3]).astype(kind), np.array([0, 5, 3, 2]).astype(kind)
        yield Case("power", (x, y), np.power, dtype)
        yield Case("power", (x, 2), lambda x, _: x * x, f"{dtype}, scalar right")
        yield Case("power", (2, x), lambda _, y: np.power(np.array(2, y.dtype), y), f"{dtype}, scalar left")
    x, y = values(2, 3, dtype="float64", low=0.2), values(2, 3, dtype="float64", seed=1)
    yield Case("power", (x, y), np.power, "gradient", gradient=True)
    yield Case("power", (-x, 3.0), np.power, "gradient, negative base", gradient=True)
    x, y = np.array([0.0, -1.0, -2.0, 2.0, 0.0, INF, NAN]), np.array([0.0, 0.5, 3.0, -1.0, -1.0, 0.0, 1.0])
    yield Case("power", (x, y), np.power, "special values")


def _bool_cases() -> Iterator[Case]:
    x, y = np.array([[False, False, True, True]]), np.array([[False], [True]])
    tables: dict[str, Callable] = {**LOGICAL, **BITWISE, "add": np.logical_or, "multiply": np.logical_and}
    tables |= {"equal": np.equal, "not_equal": np.not_equal}
    for name, oracle in tables.items():
        yield Case(name, (x, y), oracle, "bool", unknown=(1,))
        yield Case(name, (x, True), oracle, "bool, scalar right")


def _bit_cases() -> Iterator[Case]:
    for dtype in dtypes.INTEGERS:
        limits = np.iinfo(dtype)
        x = np.array([limits.min, limits.max, 5, 100], dtype)
        y = np.array([limits.max, 1, limits.max - 1, 3], dtype)
        for name, oracle in {**BITWISE, **ARITHMETIC}.items():
            yield Case(name, (x, y), oracle, f"{dtype}, full width")
        shifts = np.array([limits.bits - 1, 1, 2, 0], dtype)
        for name, oracle in SHIFT.items():
            yield Case(name, (x, shifts), oracle, dtype)
            yield Case(name, (x, 3), _with_scalar(oracle, np.array(3, dtype))[0], f"{dtype}, scalar right")
            yield Case(name, (1, shifts), _with_scalar(oracle, np.array(1, dtype))[1], f"{dtype}, scalar left")
        for name, oracle in BITWISE.items():
            yield Case(name, (x, 6), _with_scalar(oracle, np.array(6, dtype))[0], f"{dtype}, scalar right")
        yield Case("negative", (x,), np.negative, f"{dtype}, full width")


def _special_cases() -> Iterator[Case]:
    x, y = (a.ravel() for a in np.meshgrid([1.0, 0.0, -2.0, INF, -INF, NAN], [1.0, 0.0, -2.0, INF, -INF, NAN]))
    for name, oracle in {**ARITHMETIC, **CHOICE, **COMPARISON, "divide": np.divide, "arctan2": np.arctan2}.items():
        yield Case(name, (x, y), oracle, "special values")
        for dtype in ("float16", "bfloat16", "float32"):
            kind = dtypes.numpy_dtype(dtype)
            yield Case(name, (x.astype(kind), y.astype(kind)), oracle, f"special values, {dtype}")


def _where_cases() -> Iterator[Case]:
    condition = np.array([[True, False, True], [False, False, True]])
    for dtype in ("bool", *NUMERIC):
        x, y = values(2, 3, dtype=dtype), values(2, 3, dtype=dtype, seed=1)
        scalar: Any = {True: 2.5, False: 3}[dtypes.is_float(dtype)] if dtype != "bool" else True
        typed = np.array(scalar, dtypes.numpy_dtype(dtype))
        gradient = dtype == "float64"
        yield Case("where", (condition, x, y), np.where, dtype, dtype, gradient, (0, 1, 2))
        oracle = (
            lambda c, x, _, typed=typed: np.where(c, x, typed),
            lambda c, _, y, typed=typed: np.where(c, typed, y),
        )
        yield Case("where", (condition, x, scalar), oracle[0], f"{dtype}, scalar right", dtype, gradient)
        yield Case("where", (condition, scalar, y), oracle[1], f"{dtype}, scalar left", dtype, gradient)
    x, y = values(2, 1, 3, dtype="float64"), values(4, 1, dtype="float64", seed=1)
    yield Case("where", (condition[0], x, y), np.where, "broadcast", "float64", True)
    yield Case("where", (np.array(True), x, np.array(2.0)), np.where, "0-d", "float64", True)
    yield Case("where", (np.zeros((0, 3), bool), np.zeros((1, 3)), 0.0), np.where, "empty", "float64")
    yield Case(
        "where", (np.array([True, False]), np.array([1.0, NAN]), np.array([NAN, 2.0])), np.where, "NaN", "float64"
    )
