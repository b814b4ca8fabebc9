"""Plain NumPy formulas for the kernels: loops over positions, one window or query at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

# ------------------------------------------------------------------ activations


def gelu(x: np.ndarray, approximate: bool = False) -> np.ndarray:
    """x times the standard normal cumulative distribution function of x, or its tanh approximation."""
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Exponentials, scaled to sum to 1."""
    exponents = np.exp(x - x.max(axis, keepdims=True))
    return exponents / exponents.sum(axis, keepdims=True)


def logsumexp(x: np.ndarray, axes: Any = None, keepdims: bool = False) -> np.ndarray:
    """log(sum(exp(x))), two values at a time."""
    axes = range(x.ndim) if axes is None else [a % x.ndim for a in axes]
    for axis in axes:
        x = np.logaddexp.reduce(x, axis, keepdims=True)
    return x if keepdims else np.squeeze(x, tuple(axes))


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """x minus log(sum(exp(x)))."""
    return x - logsumexp(x, (axis,), True)


def binary_cross_entropy(labels: np.ndarray, probabilities: np.ndarray, epsilon: float) -> np.ndarray:
    p = np.clip(probabilities.astype("float64"), epsilon, 1 - epsilon)
    return -labels * np.log(p) - (1 - labels) * np.log(1 - p)


def sigmoid_cross_entropy(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-labels log(p) - (1 - labels) log(1 - p)."""
    return labels * np.logaddexp(0, -logits) + (1 - labels) * np.logaddexp(0, logits)


def softmax_cross_entropy(labels: np.ndarray, logits: np.ndarray, axis: int = -1) -> np.ndarray:
    """-sum(labels * log(p))."""
    return -(labels * log_softmax(logits, axis)).sum(axis)


def sparse_softmax_cross_entropy(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-log(p[label])."""
    scores = log_softmax(logits)
    return -np.take_along_axis(scores, labels[..., None], -1)[..., 0]


def top_k(x: np.ndarray, k: int) -> np.ndarray:
    """The k largest values along the last axis, in descending order."""
    return np.sort(x, -1)[..., ::-1][..., :k]


# ------------------------------------------------------- convolution and pooling


def _same_padding(size: int, window: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after: ceil(size / stride) windows, the smaller half in front."""
    count = math.ceil(size / stride)
    total = max((count - 1) * stride + (window - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _starts(x: np.ndarray, window: tuple, strides: tuple, padding: str, dilation: tuple) -> tuple[list, list]:
    """For each spatial axis, where windows start in x; and the sizes of the result."""
    starts = []
    for size, width, stride, step in zip(x.shape[1:-1], window, strides, dilation, strict=True):
        before, after = _same_padding(size, width, stride, step) if padding == "same" else (0, 0)
        last = size + after - (width - 1) * step - 1
        starts.append(range(-before, last + 1, stride))
    return starts, [len(s) for s in starts]


def _for_channels_last(function: Callable) -> Callable:
    """Add a last argument ``channels_last`` to a formula for channels_last arrays."""

    def oracle(x: np.ndarray, *arguments: Any) -> np.ndarray:
        *others, channels_last = arguments
        if channels_last:
            return function(x, *others)
        return np.moveaxis(function(np.moveaxis(x, 1, -1), *others), -1, 1)

    return oracle


def _conv(x: np.ndarray, kernel: np.ndarray, strides: tuple, padding: str, dilation: tuple, groups: int) -> np.ndarray:
    window, width, filters = kernel.shape[:-2], kernel.shape[-2], kernel.shape[-1]
    starts, sizes = _starts(x, window, strides, padding, dilation)
    result = np.zeros((len(x), *sizes, filters))
    per_group = filters // groups
    for index in np.ndindex(*sizes):
        for offset in np.ndindex(*window):
            at = [s[p] + o * d for s, p, o, d in zip(starts, index, offset, dilation, strict=True)]
            if any(not 0 <= a < n for a, n in zip(at, x.shape[1:-1], strict=True)):
                continue
            entry = x[(slice(None), *at)]
            for group in range(groups):
                inside = entry[:, group * width : (group + 1) * width]
                part = slice(group * per_group, (group + 1) * per_group)
                result[(slice(None), *index, part)] += inside @ kernel[(*offset, slice(None), part)]
    return result


def _conv_transpose(
    x: np.ndarray, kernel: np.ndarray, strides: tuple, padding: str, output_padding: Any, dilation: tuple
) -> np.ndarray:
    """Add a kernel to the result for every input entry, scaled by it; then crop the borders.

    "same" crops as much as "same" would pad in front when the result is convolved back.
    """
    window = kernel.shape[:-2]
    covered = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    sizes, befores = [], []
    for n, w, s, more in zip(x.shape[1:-1], covered, strides, output_padding or itertools.repeat(None), strict=False):
        full = (n - 1) * s + w
        if more is not None:
            sizes.append(full + more - (w // 2 * 2 if padding == "same" else 0))
        else:
            sizes.append(n * s if padding == "same" else max(full, n * s))
        befores.append(max(full - sizes[-1], 0) // 2 if padding == "same" else 0)
    result = np.zeros((len(x), *sizes, kernel.shape[-2]))
    for index in np.ndindex(*x.shape[1:-1]):
        for offset in np.ndindex(*window):
            columns = zip(index, strides, offset, dilation, befores, strict=True)
            at = [p * s + o * d - before for p, s, o, d, before in columns]
            if all(0 <= a < n for a, n in zip(at, sizes, strict=True)):
                result[(slice(None), *at)] += x[(slice(None), *index)] @ kernel[offset].T
    return result


def _pool(x: np.ndarray, mode: str, window: tuple, strides: tuple, padding: str) -> np.ndarray:
    starts, sizes = _starts(x, window, strides, padding, (1,) * len(window))
    result = np.zeros((len(x), *sizes, x.shape[-1]))
    axes = tuple(range(1, 1 + len(window)))
    for index in np.ndindex(*sizes):
        corner = [s[p] for s, p in zip(starts, index, strict=True)]
        inside = tuple(slice(max(c, 0), c + w) for c, w in zip(corner, window, strict=True))
        block = x[(slice(None), *inside)]
        result[(slice(None), *index)] = block.max(axes) if mode == "max" else block.mean(axes)
    return result


conv = _for_channels_last(_conv)
conv_transpose = _for_channels_last(_conv_transpose)
pool = _for_channels_last(_pool)


# ------------------------------------------------------ normalization, attention


def normalize(x: np.ndarray, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> np.ndarray:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    result = (x - mean) / np.sqrt(variance + epsilon)
    result = result if gamma is None else result * gamma
    return result if beta is None else result + beta


def batch_norm(x: np.ndarray, gamma: Any, beta: Any, axis: int, epsilon: float) -> tuple:
    """Normalize over all axes but one; also return the mean and variance."""
    moved = np.moveaxis(x, axis, -1)
    axes = tuple(range(x.ndim - 1))
    mean, variance = moved.mean(axes), moved.var(axes)
    return np.moveaxis(normalize(moved, mean, variance, gamma, beta, epsilon), -1, axis), mean, variance


def layer_norm(x: np.ndarray, gamma: Any, beta: Any, axes: tuple, epsilon: float) -> np.ndarray:
    """Normalize each sample."""
    return normalize(x, x.mean(axes, keepdims=True), x.var(axes, keepdims=True), gamma, beta, epsilon)


def attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: Any, bias: Any, scale: float, causal: bool
) -> np.ndarray:
    """For each query, the mean of the values that it may attend to, weighted by the softmax of its scores."""
    batch, queries, heads, _ = query.shape
    keys = key.shape[1]
    everywhere = (batch, heads, queries, keys)
    seen = np.ones(everywhere, bool) if mask is None else np.broadcast_to(mask, everywhere)
    extra = np.zeros(everywhere) if bias is None else np.broadcast_to(bias, everywhere)
    result = np.zeros((batch, queries, heads, value.shape[-1]))
    for b, h, q in np.ndindex(batch, heads, queries):
        look = seen[b, h, q] & (np.arange(keys) <= q) if causal else seen[b, h, q]
        # If there is nothing to attend to: the mean of all values.
        scores = scale * key[b, :, h] @ query[b, q, h] + extra[b, h, q] if look.any() else np.zeros(keys)
        look = look if look.any() else np.ones(keys, bool)
        result[b, q, h] = softmax(scores[look]) @ value[b, look, h]
    return result


# ------------------------------------------------------- random bits, optimizers


def random_bits(key: tuple, shape: tuple) -> np.ndarray:
    """``mix(mix(i ^ key[0]) + key[1])`` in Python integers."""

    def mix(word: int) -> int:
        word ^= word >> 16
        word = word * 0x7FEB352D % 2**32
        word ^= word >> 15
        word = word * 0x846CA68B % 2**32
        return word ^ word >> 16

    first, second = (int(k) % 2**32 for k in key)
    words = [mix((mix(index ^ first) + second) % 2**32) for index in range(math.prod(shape))]
    return np.array(words, np.uint32).view(np.int32).reshape(shape)


def sgd_update(
    weights: list, gradients: list, velocities: Any, rate: Any, momentum: float, nesterov: bool
) -> tuple[list, Any]:
    """w += v with v = momentum v - rate g; Nesterov's looks one step ahead."""
    if velocities is None:
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)], None
    moved = [momentum * v - rate * g for v, g in zip(velocities, gradients, strict=True)]
    ahead = [momentum * v - rate * g for v, g in zip(moved, gradients, strict=True)] if nesterov else moved
    return [w + v for w, v in zip(weights, ahead, strict=True)], moved


def adam_update(
    weights: list,
    gradients: list,
    momentums: list,
    velocities: list,
    largest: Any,
    rate: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple:
    """Kingma and Ba (2015), with the bias correction included in the rate."""
    firsts = [beta_1 * m + (1 - beta_1) * g for m, g in zip(momentums, gradients, strict=True)]
    seconds = [beta_2 * v + (1 - beta_2) * g * g for v, g in zip(velocities, gradients, strict=True)]
    tops = None if largest is None else [np.maximum(t, v) for t, v in zip(largest, seconds, strict=True)]
    columns = zip(weights, firsts, tops or seconds, strict=True)
    return [w - rate * m / (np.sqrt(v) + epsilon) for w, m, v in columns], firsts, seconds, tops


# ------------------------------------------------------------------ recurrence


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(
    x: np.ndarray, h: np.ndarray, c: np.ndarray, kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: Any, mask: Any
) -> tuple:
    """Input, forget, candidate and output gates; masked steps leave the states unchanged."""
    sequence = []
    for time in range(x.shape[1]):
        gates = x[:, time] @ kernel + h @ recurrent_kernel + (0 if bias is None else bias)
        entry, forget, candidate, output = np.split(gates, 4, -1)
        fresh_c = _sigmoid(forget) * c + _sigmoid(entry) * np.tanh(candidate)
        fresh_h = _sigmoid(output) * np.tanh(fresh_c)
        counts = True if mask is None else mask[:, time, None]
        h, c = np.where(counts, fresh_h, h), np.where(counts, fresh_c, c)
        sequence.append(h)
    return np.stack(sequence, 1), h, c


def gru(x: np.ndarray, h: np.ndarray, kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: Any, mask: Any) -> tuple:
    """Update, reset and candidate; the reset gate is applied to the product with the state."""
    before, after = (0, 0) if bias is None else bias
    sequence = []
    for time in range(x.shape[1]):
        update, reset, candidate = np.split(x[:, time] @ kernel + before, 3, -1)
        more_update, more_reset, inner = np.split(h @ recurrent_kernel + after, 3, -1)
        update, reset = _sigmoid(update + more_update), _sigmoid(reset + more_reset)
        updated = update * h + (1 - update) * np.tanh(candidate + reset * inner)
        h = np.where(True if mask is None else mask[:, time, None], updated, h)
        sequence.append(h)
    return np.stack(sequence, 1), h
