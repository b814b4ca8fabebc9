"""The fast adapter for JAX: recurrences with hand-written gradients, and convolutions of single channels."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax

from polykeras.backends.contract.kernels import Kernels
from polykeras.backends.jax.adapter import JaxBackend
from polykeras.backends.shared.recurrence import RecurrenceWithGradient
from polykeras.core.types import Array

#: Sums of more terms take long to compile.
_MOST_OFFSETS = 128


class FastJaxBackend(RecurrenceWithGradient, JaxBackend):
    """The contract's interface on JAX, with fast paths."""

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
        *window, width, _ = kernel.shape
        # On a processor, XLA's convolution of single channels takes 5 to 25 times as long as a sum over offsets.
        is_sum = groups > 1 and width == 1 and math.prod(window) <= _MOST_OFFSETS and jax.default_backend() == "cpu"
        if not is_sum or x.dtype.itemsize < 4:
            return super().conv(x, kernel, strides, padding, dilation, groups, channels_last)
        return _sum_over_offsets(self, x, kernel, strides, padding, dilation, groups, channels_last)


@functools.partial(jax.jit, static_argnums=(0, 3, 4, 5, 6, 7))
def _sum_over_offsets(backend: Kernels, *arguments: Any) -> Array:
    return Kernels.conv(backend, *arguments)


ADAPTER = FastJaxBackend
