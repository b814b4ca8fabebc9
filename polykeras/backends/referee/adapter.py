"""The referee of comparisons: NumPy in float64, for a model that is written for any float type.

Arrays of floats are float64, whatever type was asked for, and say of themselves that they are
float32. So a model runs unchanged, with the weights and random bits that it has, and only its
rounding errors are gone: what differs from the other engines is what rounding did there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.backends.numpy.adapter import NumpyBackend
from polykeras.core import dtypes
from polykeras.core.types import Array


def _wide(dtype: str) -> str:
    return "float64" if dtypes.is_float(dtype) else dtype


class RefereeBackend(NumpyBackend):
    """NumPy whose floats are all float64. ``backends.use("referee")`` finds it; it is in no list."""

    name = "referee"
    captures = False

    def is_array(self, x: Any) -> bool:
        # A user's arrays of less precision come in like any other data, and are widened.
        return super().is_array(x) and not (x.dtype.kind == "f" and x.dtype.itemsize < 8)

    def host_array(self, x: object, dtype: str | None = None) -> np.ndarray:
        result = super().host_array(x, dtype)
        return result.astype(np.float64) if dtypes.is_float(result.dtype.name) else result

    def dtype(self, x: Array) -> str:
        name = super().dtype(x)
        return "float32" if name == "float64" else name

    def cast(self, x: Array, dtype: str) -> Array:
        return super().cast(x, _wide(dtype))

    def bitcast(self, x: Array, dtype: str) -> Array:
        x = super().cast(x, "float32") if self.dtype(x) == "float32" else x
        return self.cast(super().bitcast(x, dtype), dtype)

    def full(self, shape: tuple, value: Any, dtype: str) -> Array:
        return super().full(shape, value, _wide(dtype))

    def arange(self, start: float, stop: Any, step: float, dtype: str) -> Array:
        return super().arange(start, stop, step, _wide(dtype))

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return function


ADAPTER = RefereeBackend
