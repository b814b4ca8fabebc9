"""``polykeras.backend``: global settings, under the names of ``keras.backend``."""

from __future__ import annotations

from typing import Any

from polykeras import backends
from polykeras.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from polykeras.core import dtypes, naming
from polykeras.core.dtypes import result_type
from polykeras.core.dtypes import standardize as standardize_dtype
from polykeras.core.graph import KerasTensor
from polykeras.core.naming import uid as get_uid
from polykeras.core.random import SeedGenerator
from polykeras.core.variables import Variable


def backend() -> str:
    """Return the name of the backend in use.

    >>> backend() in ("numpy", "tensorflow", "torch", "jax")
    True
    """
    return backends.outer_name()


def clear_session(free_memory: bool = True) -> None:
    """Forget the names given so far: the next Dense layer is ``dense`` again."""
    naming.reset()


def reset_uids() -> None:
    """Start the counts of names again."""
    naming.reset()


def is_keras_tensor(x: Any) -> bool:
    """True for symbolic tensors."""
    return isinstance(x, KerasTensor)


def is_float_dtype(dtype: Any) -> bool:
    """True for the float types."""
    return dtypes.is_float(dtypes.standardize(dtype))


def is_int_dtype(dtype: Any) -> bool:
    """True for the integer types."""
    return dtypes.is_integer(dtypes.standardize(dtype))


__all__ = [
    "KerasTensor",
    "SeedGenerator",
    "Variable",
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "reset_uids",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]
