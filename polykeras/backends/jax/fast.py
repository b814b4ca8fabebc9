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
        options = strides, padding, dilation, groups, channels_last
        *window, width, _ = kernel.shape
        is_short = x.dtype.itemsize >= 4 and math.prod(window) <= _MOST_OFFSETS
        if groups == 1 or not is_short or jax.default_backend() != "cpu":
            return super().conv(x, kernel, *options)
        # XLA's convolution of single channels takes 4 to 25 times as long as a sum over offsets.
        conv = _sum_over_offsets if width == 1 else _with_gradient_over_offsets
        return conv(self, x, kernel, *options)


@functools.partial(jax.jit, static_argnums=(0, 3, 4, 5, 6, 7))
def _sum_over_offsets(backend: JaxBackend, *arguments: Any) -> Array:
    return Kernels.conv(backend, *arguments)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 3, 4, 5, 6, 7))
def _with_gradient_over_offsets(backend: JaxBackend, *arguments: Any) -> Array:
    """Convolve in groups of channels. XLA's gradient of the kernel takes 10 to 200 times as long as over offsets."""
    return JaxBackend.conv(backend, *arguments)


@_with_gradient_over_offsets.defjvp
def _derivative(backend: JaxBackend, *arguments: Any) -> tuple[Array, Array]:
    *options, (x, kernel), (x_tangent, kernel_tangent) = arguments
    by_x = JaxBackend.conv(backend, x_tangent, kernel, *options)
    by_kernel = _sum_over_offsets(backend, x, kernel_tangent, *options)
    return _with_gradient_over_offsets(backend, x, kernel, *options), by_x + by_kernel


ADAPTER = FastJaxBackend
