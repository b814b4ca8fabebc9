"""Names of dtypes, and the table of type promotion.

The table is JAX's type promotion lattice ("JEP 9407: Design of Type Promotion Semantics for JAX",
https://docs.jax.dev/en/latest/jep/9407-type-promotion.html), which Keras 3 follows too. It is
the same on every backend; adapters hold no promotion code.
"""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np

from polykeras import config

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = UNSIGNED + SIGNED
COMPLEX = ("complex64", "complex128")
ALL = ("bool", *INTEGERS, *FLOATS, *COMPLEX)

_PLAIN = frozenset(ALL)
_ALIASES = {
    "float": "float32",
    "int": "int32",
    "half": "float16",
    "double": "float64",
    "bool_": "bool",
    "str": "string",
}
_PYTHON = {bool: "bool", int: "int32", float: "float32", complex: "complex64", str: "string"}

# The next wider types of each type in the lattice. The kind of a Python scalar ("int", "float",
# "complex") lies below every sized type of that kind, so that ``x + 1`` keeps the dtype of x.
_LATTICE = {
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("int16", "uint16"),
    "uint16": ("int32", "uint32"),
    "uint32": ("int64", "uint64"),
    "uint64": ("float",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16", "complex"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}


@functools.cache
def _wider(dtype: str) -> frozenset[str]:
    if dtype == "string":
        raise ValueError(
            "Expected numbers. Received: strings. Put StringLookup, TextVectorization or Hashing in front for strings."
        )
    found = {dtype}
    for parent in _LATTICE[dtype]:
        found |= _wider(parent)
    return frozenset(found)


@functools.cache
def standardize(dtype: object) -> str:
    """Return the standard name of a dtype given as a name, a class, or a NumPy or framework dtype.

    Callers replace None by ``floatx()`` where it is allowed; here it is refused.

    Args:
        dtype: str, class, or a dtype of NumPy or an engine.

    Raises:
        ValueError: for an unknown dtype.

    >>> standardize("half"), standardize(int), standardize(np.dtype("uint8"))
    ('float16', 'int32', 'uint8')
    """
    if dtype.__class__ is str and dtype in _PLAIN:
        return dtype
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    if isinstance(dtype, str):
        name = dtype
    elif isinstance(dtype, type) and issubclass(dtype, np.generic):
        name = np.dtype(dtype).name
    else:
        name = getattr(dtype, "name", None) or str(dtype)
    name = name.rpartition(".")[2]
    name = _ALIASES.get(name, name)
    if name not in _PLAIN and name != "string":
        raise ValueError(f"Expected dtype to be one of {ALL}. Received: {dtype!r}.")
    return name


def numpy_dtype(dtype: str) -> np.dtype:
    """Return the NumPy dtype with a standard name, including bfloat16."""
    return _NUMPY[dtype]


_NUMPY = {name: np.dtype(name) for name in ALL if name != "bfloat16"}
_NUMPY["bfloat16"] = np.dtype(ml_dtypes.bfloat16)
_NUMPY["string"] = np.dtype(object)


def is_float(dtype: str) -> bool:
    """True for the real floating-point dtypes."""
    return dtype in FLOATS


def is_integer(dtype: str) -> bool:
    """True for signed and unsigned integers; bool is not an integer."""
    return dtype in INTEGERS


def scalar_kind(value: object) -> str | None:
    """Return the weak type of a Python scalar ("bool", "int", "float", "complex"); None for anything else."""
    return _KINDS.get(value.__class__)


_KINDS = {bool: "bool", int: "int", float: "float", complex: "complex"}


@functools.cache
def _join(left: str, right: str) -> str:
    common = _wider(left) & _wider(right)
    return min(common, key=lambda dtype: -len(_wider(dtype)))


@functools.cache
def _promote(dtypes: tuple[str, ...], floatx: str) -> str:
    result = functools.reduce(_join, dtypes)
    return {"int": "int32", "float": floatx, "complex": "complex64"}.get(result, result)


def result_type(*dtypes: object) -> str:
    """Return the dtype of a computation on these dtypes, the same on every backend.

    Args:
        *dtypes: names or dtypes; ``int`` and ``float`` (the classes) stand for Python scalars,
            which never widen an array's dtype of their kind; None means ``floatx()``.

    >>> result_type("int32", "float16"), result_type("uint8", "int8"), result_type("int64", float)
    ('float16', 'int16', 'float32')
    """
    names = tuple(_KINDS[d] if d in _KINDS else standardize(d or config.floatx()) for d in dtypes)
    return _promote(names, config.floatx())


def promote(*names: str) -> str:
    """``result_type`` for names that are standard already ("int", "float" for Python scalars)."""
    return _promote(names, config.floatx())
