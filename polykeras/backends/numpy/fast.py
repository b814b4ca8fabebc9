"""The fast adapter for NumPy: replayed steps, fused kernels and recurrences."""

from __future__ import annotations

from typing import Any

from polykeras.backends.numpy.adapter import NumpyBackend, ReferableBox
from polykeras.backends.numpy.fused import FusedKernels
from polykeras.backends.numpy.replay import RecordedArray, Replayed
from polykeras.backends.shared.recurrence import RecurrenceWithGradient
from polykeras.core.types import Array

ReferableBox.register(RecordedArray)


class FastNumpyBackend(FusedKernels, RecurrenceWithGradient, NumpyBackend):
    """The contract's interface on NumPy, with fast paths."""

    def array(self, x: object, dtype: str | None = None) -> Array:
        if isinstance(x, RecordedArray):
            return x if dtype is None else self.cast(x, dtype)
        return super().array(x, dtype)

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return super().compile(function, donate, optimize) if optimize is False else Replayed(function)


ADAPTER = FastNumpyBackend
