"""The referee of parity comparisons: NumPy in float64, for models that use other float dtypes.

Float arrays are float64, whatever dtype was requested, but report their dtype as
float32. A model therefore runs unchanged, with the same weights and random bits, but without
rounding errors: whatever differs from the other engines is due to their rounding.
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
    """NumPy with float64 for all floats; ``backends.use("referee")`` selects it, ``available()`` does not list it."""

    name = "referee"
    captures = False

    def is_array(self, x: Any) -> bool:
        # A user's arrays of lower precision are converted like any other data, and widened.
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
