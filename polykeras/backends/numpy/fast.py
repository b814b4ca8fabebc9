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

    def conv(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        dilation: tuple,
        groups: int = 1,
        channels_last: bool = True,
    ) -> Array:
        width, filters = kernel.shape[-2], kernel.shape[-1] // groups
        if groups == 1 or width == 1 or not channels_last:
            return super().conv(x, kernel, strides, padding, dilation, groups, channels_last)
        # The matrix products of one group after the other take a third of the time of a sum over offsets.
        ends = [(slice(n * width, (n + 1) * width), slice(n * filters, (n + 1) * filters)) for n in range(groups)]
        parts = [(self.getitem(x, (..., a)), self.getitem(kernel, (..., b))) for a, b in ends]
        return self.concatenate([super(FastNumpyBackend, self).conv(*p, strides, padding, dilation) for p in parts], -1)

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return super().compile(function, donate, optimize) if optimize is False else Replayed(function)


ADAPTER = FastNumpyBackend
