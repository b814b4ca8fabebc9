"""NumPy kernels that appear to autograd as single operations, and in-place updates.

autograd takes several µs per operation, so dense layers and their losses are one operation each. Adam
processes its arrays in chunks that fit the cache, while the composite makes many passes over them:
a step of a 784-2048-2048-10 network took 275 ms, and takes 162 ms in chunks.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import Box

from polykeras.backends.contract.backend import Backend
from polykeras.core.interrupts import deferred
from polykeras.core.types import Array

_PIECE = 1 << 15  # values: with the four other arrays and a scratch array, 640 KiB of float32
_FULL = (np.float32, np.float64)

_dense = primitive(lambda x, kernel, bias: x @ kernel + bias)
_relu = primitive(lambda x: np.maximum(x, 0))
_sigmoid = primitive(lambda x: np.tanh(x * 0.5) * 0.5 + 0.5)

defvjp(
    _dense,
    lambda ans, x, kernel, bias: lambda g: anp.dot(g, anp.transpose(kernel)),
    lambda ans, x, kernel, bias: lambda g: anp.dot(anp.transpose(x), g),
    lambda ans, x, kernel, bias: lambda g: anp.sum(g, axis=0),
)
defvjp(_relu, lambda ans, x: lambda g: g * (ans > 0))
defvjp(_sigmoid, lambda ans, x: lambda g: g * ans * (1.0 - ans))


@primitive
def _binary_cross_entropy(labels: Array, p: Array, epsilon: float) -> Array:
    p = np.clip(p, epsilon, 1.0 - epsilon)
    return -(labels * np.log(p) + (1.0 - labels) * np.log(1.0 - p))


def _slope(labels: Array, p: Array, epsilon: float) -> Array:
    inside = (p > epsilon) & (p < 1.0 - epsilon)
    p = anp.clip(p, epsilon, 1.0 - epsilon)
    return (p - labels) / (p * (1.0 - p)) * inside


def _log_odds(p: Array, epsilon: float) -> Array:
    p = anp.clip(p, epsilon, 1.0 - epsilon)
    return anp.log(1.0 - p) - anp.log(p)


defvjp(
    _binary_cross_entropy,
    lambda ans, labels, p, epsilon: lambda g: g * _log_odds(p, epsilon),
    lambda ans, labels, p, epsilon: lambda g: g * _slope(labels, p, epsilon),
    None,
)


def _may_write(*columns: list | None) -> bool:
    """Whether arrays are plain full-precision arrays that an update may write into."""
    arrays = [x for column in columns for x in column or ()]
    return all(
        isinstance(x, np.ndarray) and x.dtype in _FULL and x.flags.c_contiguous and x.flags.writeable for x in arrays
    )


def _pieces(*arrays: Array) -> Any:
    """Yield corresponding chunks of arrays."""
    flat = [x.reshape(-1) for x in arrays]
    for start in range(0, flat[0].size, _PIECE):
        yield [x[start : start + _PIECE] for x in flat]


class FusedKernels(Backend):
    """The fused kernels; they leave half precision, integers and other shapes to the composites."""

    def dense(self, x: Array, kernel: Array, bias: Array | None) -> Array:
        if bias is None or x.ndim != 2 or not x.dtype == kernel.dtype == bias.dtype or x.dtype not in _FULL:
            return super().dense(x, kernel, bias)
        return _dense(x, kernel, bias)

    def relu(self, x: Array, /) -> Array:
        return _relu(x) if x.dtype in _FULL else super().relu(x)

    def sigmoid(self, x: Array, /) -> Array:
        return _sigmoid(x) if x.dtype in _FULL else super().sigmoid(x)

    def binary_cross_entropy(self, labels: Array, probabilities: Array, epsilon: float) -> Array:
        same = labels.shape == probabilities.shape and labels.dtype == probabilities.dtype
        if not same or probabilities.dtype not in _FULL:
            return super().binary_cross_entropy(labels, probabilities, epsilon)
        return _binary_cross_entropy(labels, probabilities, epsilon)

    def sgd_update(
        self, weights: list, gradients: list, velocities: list | None, rate: Any, momentum: float, nesterov: bool
    ) -> tuple[list, list | None]:
        if velocities is not None or isinstance(rate, Box) or not _may_write(weights, gradients):
            return super().sgd_update(weights, gradients, velocities, rate, momentum, nesterov)
        with deferred():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= gradient * (rate if isinstance(rate, float) else rate.astype(weight.dtype))
        return weights, None

    def adam_update(
        self,
        weights: list,
        gradients: list,
        momentums: list,
        velocities: list,
        largest: list | None,
        rate: Any,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> tuple[list, list, list, list | None]:
        columns = (weights, gradients, momentums, velocities)
        if largest is not None or isinstance(rate, Box) or not _may_write(*columns):
            return super().adam_update(*columns, largest, rate, beta_1, beta_2, epsilon)
        with deferred():
            for arrays in zip(*columns, strict=True):
                for weight, gradient, first, second in _pieces(*arrays):
                    first += (gradient - first) * (1 - beta_1)
                    second += (gradient * gradient - second) * (1 - beta_2)
                    root = np.sqrt(second)
                    root += epsilon
                    np.divide(first, root, out=root)
                    root *= rate
                    weight -= root
        return weights, momentums, velocities, None
