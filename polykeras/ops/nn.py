"""Activations, normalizations, cross-entropies and encodings of classes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends import current
from polykeras.core import dtypes
from polykeras.ops import _call, linalg, reductions
from polykeras.ops._call import array, axes_of, float_array, number_array, op
from polykeras.ops.ctc import ctc_decode, ctc_loss  # noqa: F401
from polykeras.ops.math import polar  # noqa: F401
from polykeras.ops.windows import (  # noqa: F401
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    conv,
    conv_transpose,
    depth_to_space,
    depthwise_conv,
    dot_product_attention,
    fold,
    max_pool,
    separable_conv,
    space_to_depth,
    unfold,
)

# ----------------------------------------------------------------- activations


def _where_scalar(condition: Any, x: Any, y: Any, dtype: str) -> Any:
    """``where``, with Python numbers allowed as choices."""
    backend = current()
    x, y = (backend.full((), v, dtype) if isinstance(v, int | float) else v for v in (x, y))
    return backend.where(condition, x, y)


@op
def relu(x: Any) -> Any:
    """Return max(x, 0).

    Args:
        x: array of any shape.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines" (ICML 2010).

    >>> relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """
    return current().relu(number_array(x))


@op
def relu6(x: Any) -> Any:
    """Return x clipped to the range from 0 to 6.

    Args:
        x: array of any shape.

    >>> relu6([-1.0, 2.0, 9.0])
    array([0., 2., 6.], dtype=float32)
    """
    backend = current()
    return backend.minimum(backend.relu(float_array(x)), 6.0)


@op
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """Return x, and ``negative_slope * x`` below 0.

    Args:
        x: array of any shape.
        negative_slope: float, or array that broadcasts to the shape of x, the slope for negative x; default 0.2.

    >>> leaky_relu([-1.0, 2.0])
    array([-0.2,  2. ], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    return backend.where(backend.greater(x, 0.0), x, backend.multiply(x, _slope(negative_slope, backend.dtype(x))))


def _slope(slope: Any, dtype: str) -> Any:
    """Return a number as a float, and anything else, such as a weight, as an array."""
    return float(slope) if isinstance(slope, int | float | np.generic) else array(slope, dtype)


@op
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x, and ``alpha * (e**x - 1)`` below 0.

    Args:
        x: array of any shape.
        alpha: float, or array that broadcasts to the shape of x, the negative of the limit at minus infinity;
            default 1.0.

    >>> elu([-100.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    y = backend.elu(x)
    alpha = _slope(alpha, backend.dtype(y))
    is_one = isinstance(alpha, float) and alpha == 1
    return y if is_one else backend.where(backend.greater(x, 0.0), y, backend.multiply(y, alpha))


@op
def selu(x: Any) -> Any:
    """Return the scaled ELU, which keeps mean 0 and variance 1 through layers.

    G. Klambauer et al., "Self-Normalizing Neural Networks" (NeurIPS 2017).

    Args:
        x: array of any shape.

    >>> selu([0.0])
    array([0.], dtype=float32)
    """
    return current().selu(float_array(x))


@op
def celu(x: Any, alpha: float = 1.0) -> Any:
    """Return x, and ``alpha * (e**(x / alpha) - 1)`` below 0.

    Args:
        x: array of any shape.
        alpha: float, the negative of the limit at minus infinity; default 1.0.

    >>> celu([-100.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    below = backend.multiply(backend.elu(backend.multiply(x, 1.0 / alpha)), float(alpha))
    return backend.where(backend.greater(x, 0.0), x, below)


@op
def gelu(x: Any, approximate: bool = True) -> Any:
    """Return x times the standard normal cumulative distribution function of x.

    D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units" (2016).

    Args:
        x: array of any shape.
        approximate: bool, whether to use the tanh approximation; default True.

    >>> gelu([0.0, 10.0])
    array([ 0., 10.], dtype=float32)
    """
    return current().gelu(float_array(x), approximate)


@op
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e**-x).

    Args:
        x: array of any shape.

    >>> sigmoid([0.0])
    array([0.5], dtype=float32)
    """
    return current().sigmoid(float_array(x))


@op
def log_sigmoid(x: Any) -> Any:
    """Return log(sigmoid(x)), finite for every x.

    Args:
        x: array of any shape.

    >>> log_sigmoid([-1000.0])
    array([-1000.], dtype=float32)
    """
    backend = current()
    return backend.negative(backend.softplus(backend.negative(float_array(x))))


@op
def silu(x: Any) -> Any:
    """Return x * sigmoid(x).

    Args:
        x: array of any shape.

    >>> silu([0.0, 100.0])
    array([  0., 100.], dtype=float32)
    """
    return current().silu(float_array(x))


swish = silu


@op
def softplus(x: Any) -> Any:
    """Return log(1 + e**x), finite for every x.

    Args:
        x: array of any shape.

    >>> softplus([-1000.0, 1000.0])
    array([   0., 1000.], dtype=float32)
    """
    return current().softplus(float_array(x))


@op
def softsign(x: Any) -> Any:
    """Return x / (1 + |x|).

    Args:
        x: array of any shape.

    >>> softsign([-1.0, 3.0])
    array([-0.5 ,  0.75], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    return backend.divide(x, backend.add(backend.absolute(x), 1.0))


@op
def squareplus(x: Any, b: float = 4) -> Any:
    """Return (x + sqrt(x**2 + b)) / 2.

    Args:
        x: array of any shape.
        b: float, which controls how smooth the bend at 0 is; default 4.

    >>> squareplus([0.0, 1.5])
    array([1., 2.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    root = backend.sqrt(backend.add(backend.square(x), float(b)))
    return backend.multiply(backend.add(x, root), 0.5)


@op
def hard_sigmoid(x: Any) -> Any:
    """Return x / 6 + 1/2, clipped to the range from 0 to 1.

    Args:
        x: array of any shape.

    >>> hard_sigmoid([-3.0, 0.0, 3.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    backend = current()
    line = backend.add(backend.multiply(float_array(x), 1 / 6), 0.5)
    return backend.minimum(backend.maximum(line, 0.0), 1.0)


@op
def hard_silu(x: Any) -> Any:
    """Return x * hard_sigmoid(x).

    Args:
        x: array of any shape.

    >>> hard_silu([-3.0, 0.0, 3.0])
    array([-0.,  0.,  3.], dtype=float32)
    """
    x = float_array(x)
    return current().multiply(x, hard_sigmoid(x))


hard_swish = hard_silu


@op
def hard_tanh(x: Any) -> Any:
    """Return x clipped to the range from -1 to 1.

    Args:
        x: array of any shape.

    >>> hard_tanh([-3.0, 0.5, 3.0])
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    backend = current()
    return backend.minimum(backend.maximum(float_array(x), -1.0), 1.0)


@op
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Return x, and 0 where |x| is at most ``threshold``.

    Args:
        x: array of any shape.
        threshold: float, the bound; default 0.5.

    >>> hard_shrink([-1.0, 0.2, 1.0])
    array([-1.,  0.,  1.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    return _where_scalar(backend.greater(backend.absolute(x), float(threshold)), x, 0.0, backend.dtype(x))


@op
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Return x shrunk towards 0 by ``threshold``, and 0 where |x| is below it.

    Args:
        x: array of any shape.
        threshold: float, the bound; default 0.5.

    >>> soft_shrink([-1.0, 0.2, 1.0])
    array([-0.5,  0. ,  0.5], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    held = backend.minimum(backend.maximum(x, -float(threshold)), float(threshold))
    return backend.subtract(x, held)


@op
def tanh_shrink(x: Any) -> Any:
    """Return x - tanh(x).

    Args:
        x: array of any shape.

    >>> tanh_shrink([0.0])
    array([0.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    return backend.subtract(x, backend.tanh(x))


@op
def sparse_plus(x: Any) -> Any:
    """Return 0 below -1, x above 1, and (x + 1)**2 / 4 in between.

    Args:
        x: array of any shape.

    >>> sparse_plus([-2.0, 0.0, 2.0])
    array([0.  , 0.25, 2.  ], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    middle = backend.multiply(backend.square(backend.add(x, 1.0)), 0.25)
    middle = _where_scalar(backend.less_equal(x, -1.0), 0.0, middle, backend.dtype(x))
    return backend.where(backend.less(x, 1.0), middle, x)


@op
def sparse_sigmoid(x: Any) -> Any:
    """Return (x + 1) / 2, clipped to the range from 0 to 1.

    Args:
        x: array of any shape.

    >>> sparse_sigmoid([-2.0, 0.0, 2.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    backend = current()
    line = backend.multiply(backend.add(float_array(x), 1.0), 0.5)
    return backend.minimum(backend.maximum(line, 0.0), 1.0)


@op
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """Return x where it is greater than ``threshold``, otherwise ``default_value``.

    Args:
        x: array of any shape.
        threshold: float, the bound.
        default_value: float, the value at and below the threshold.

    >>> threshold([-1.0, 2.0], 0.0, 9.0)
    array([9., 2.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    return _where_scalar(backend.greater(x, float(threshold)), x, float(default_value), backend.dtype(x))


@op
def glu(x: Any, axis: int = -1) -> Any:
    """Return the first half of an axis times the sigmoid of the second.

    Y. Dauphin et al., "Language Modeling with Gated Convolutional Networks" (ICML 2017).

    Args:
        x: array of any shape, with an even size along ``axis``.
        axis: int, the axis to split into halves; default -1.

    Raises:
        ValueError: if the size of the axis is odd.

    >>> glu([2.0, 4.0, 0.0, 0.0])
    array([1., 2.], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    shape = backend.shape(x)
    axis = _call.axis_of(axis, len(shape))
    size = shape[axis]
    if size is not None and size % 2:
        raise ValueError(f"Expected an even size along axis {axis}. Received shape: {tuple(shape)}.")
    half = None if size is None else size // 2
    before = (slice(None),) * axis
    first, second = (backend.getitem(x, (*before, s)) for s in (slice(0, half), slice(half, None)))
    return backend.multiply(first, backend.sigmoid(second))


def _over_axes(kernel: Any, x: Any, axis: int | Sequence[int] | None) -> Any:
    """Apply a kernel for one axis to several, or to all, as if they were one."""
    backend = current()
    x = float_array(x)
    shape = backend.shape(x)
    if 0 in shape:
        return x
    if isinstance(axis, int):
        return kernel(x, _call.axis_of(axis, len(shape)))
    axes = tuple(range(len(shape))) if axis is None else axes_of(tuple(axis), len(shape))
    order = (*(a for a in range(len(shape)) if a not in axes), *axes)
    moved = backend.transpose(x, order)
    joined = (*(shape[a] for a in order if a not in axes), _call.times(*(shape[a] for a in axes)))
    result = kernel(_call.reshaped(moved, joined), len(joined) - 1)
    result = _call.reshaped(result, backend.shape(moved))
    return backend.transpose(result, tuple(order.index(a) for a in range(len(shape))))


@op
def softmax(x: Any, axis: int | Sequence[int] | None = -1) -> Any:
    """Return e**x, scaled to sum to 1 along an axis, or along several together (None: all).

    Args:
        x: array of any shape.
        axis: int or tuple of ints, the axes whose entries sum to 1; default -1.

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5], dtype=float32)
    """
    sizes = tuple(getattr(x, "shape", ()))
    if isinstance(axis, int) and -len(sizes) <= axis < len(sizes) and sizes[axis] == 1:
        warnings.warn(
            f"Expected softmax over several entries. Received shape: {sizes}, of size 1 along axis {axis}: the result "
            f"is 1 everywhere. Did you mean sigmoid?",
            stacklevel=2,
        )
    return _over_axes(current().softmax, x, axis)


@op
def log_softmax(x: Any, axis: int | Sequence[int] | None = -1) -> Any:
    """Return log(softmax(x)) without overflow.

    Args:
        x: array of any shape.
        axis: int or tuple of ints, the axes whose exponentials sum to 1; default -1.

    >>> log_softmax([0.0, -1000.0])
    array([    0., -1000.], dtype=float32)
    """
    return _over_axes(current().log_softmax, x, axis)


@op
def sparsemax(x: Any, axis: int = -1) -> Any:
    """Return the Euclidean projection of x onto the probability simplex along an axis.

    A. Martins and R. Astudillo, "From Softmax to Sparsemax" (ICML 2016).

    Args:
        x: array of any shape.
        axis: int, the axis whose entries sum to 1; default -1.

    >>> sparsemax([2.0, 1.5, -1.0])
    array([0.75, 0.25, 0.  ], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    shape = backend.shape(x)
    axis = _call.axis_of(axis, len(shape))
    dtype = backend.dtype(x)
    downwards = backend.flip(backend.sort(x, axis), (axis,))
    total = backend.cumsum(downwards, axis)
    ranks = backend.cumsum(backend.full(tuple(shape), 1, dtype), axis)
    bound = backend.add(backend.multiply(downwards, ranks), 1.0)
    support = backend.sum(backend.cast(backend.greater(bound, total), "int32"), (axis,), True)
    last = backend.take_along_axis(total, backend.subtract(support, 1), axis)
    limit = backend.divide(backend.subtract(last, 1.0), backend.cast(support, dtype))
    return backend.relu(backend.subtract(x, limit))


# -------------------------------------------------------------- normalizations


@op
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple:
    """Return the mean and the variance along axes.

    Args:
        x: array of any shape.
        axes: int or tuple of ints.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        synchronized: bool, for compatibility; one process sees the whole batch.

    >>> moments([1.0, 3.0], axes=0)
    (np.float32(2.0), np.float32(1.0))
    """
    backend = current()
    x = float_array(x)
    axes = axes_of(axes, len(backend.shape(x)), "axes") or tuple(range(len(backend.shape(x))))
    return _in_single_precision(lambda x: backend.moments(x, axes, keepdims), x)


def _in_single_precision(function: Any, x: Any) -> Any:
    """Call a function on floats of at least 32 bits, and convert its results to x's dtype."""
    backend = current()
    dtype = backend.dtype(x)
    if dtype in ("float32", "float64"):
        return function(x)
    result = function(backend.cast(x, "float32"))
    if isinstance(result, tuple):
        return tuple(backend.cast(y, dtype) for y in result)
    return backend.cast(result, dtype)


def _along(vector: Any, axes: tuple, x: Any) -> Any:
    """Return a parameter of the axes' sizes in x's dtype, reshaped to broadcast with x."""
    if vector is None:
        return None
    backend = current()
    vector = array(vector, backend.dtype(x))
    rank = len(backend.shape(x))
    sizes = backend.shape(vector)
    if len(sizes) == rank or axes == tuple(range(rank - len(sizes), rank)):
        return vector
    if len(sizes) != len(axes):
        raise ValueError(
            f"Expected a parameter of the sizes of the axes {axes} of {tuple(backend.shape(x))}. "
            f"Received shape: {tuple(sizes)}."
        )
    shape = [1] * rank
    for axis, size in zip(sorted(axes), sizes, strict=True):
        shape[axis] = size
    return _call.reshaped(vector, shape)


@op
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """Return ``(x - mean) / sqrt(variance + epsilon) * scale + offset``.

    Args:
        x: array of any shape.
        mean, variance, offset, scale: vectors along ``axis``; ``offset`` and ``scale`` may be None.
        axis: int.
        epsilon: small number added under the square root; default 0.001.

    >>> batch_normalization([[1.0], [3.0]], [2.0], [1.0], axis=-1, epsilon=0.0)
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    axes = axes_of(axis, len(backend.shape(x)))

    def normalize(x: Any) -> Any:
        center, spread, factor, shift = (_along(v, axes, x) for v in (mean, variance, scale, offset))
        return backend.normalize(x, center, spread, factor, shift, float(epsilon))

    return _in_single_precision(normalize, x)


@op
def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: Any = -1,
    epsilon: float | None = None,
    rms_scaling: bool = False,
) -> Any:
    """Normalize each sample to mean 0 and variance 1 along axes.

    J. Ba et al., "Layer Normalization" (2016).

    Args:
        x: array of any shape.
        gamma, beta: arrays with the sizes of the axes, scale and offset; default None.
        axis: int or tuple of ints; default -1.
        epsilon: small number added under the square root; default ``config.epsilon()``.
        rms_scaling: bool; deprecated: only divide by the standard deviation, no centring or ``beta``; default False.

    >>> layer_normalization([[1.0, 3.0]], epsilon=0.0)
    array([[-1.,  1.]], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    axes = axes_of(axis, len(backend.shape(x)))
    epsilon = config.epsilon() if epsilon is None else float(epsilon)
    if rms_scaling:
        return _over_deviation(x, gamma, axes, epsilon)

    def kernel(x: Any) -> Any:
        return backend.layer_norm(x, _along(gamma, axes, x), _along(beta, axes, x), axes, epsilon)

    return _in_single_precision(kernel, x)


def _over_deviation(x: Any, gamma: Any, axes: tuple, epsilon: float) -> Any:
    warnings.warn(
        "Expected no rms_scaling, which divides by the standard deviation. Received: True. Use "
        "ops.rms_normalization to divide by the root mean square.",
        stacklevel=4,
    )
    backend = current()
    scaled = backend.divide(x, backend.sqrt(backend.add(backend.moments(x, axes, True)[1], epsilon)))
    return scaled if gamma is None else backend.multiply(scaled, _along(gamma, axes, x))


@op
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """Divide each sample by its root mean square along axes.

    B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization" (NeurIPS 2019).

    Args:
        x: array of any shape.
        scale: array with the sizes of the axes; default None.
        axis: int or tuple of ints; default -1.
        epsilon: small number added under the square root; default ``config.epsilon()``.

    >>> rms_normalization([[3.0, -3.0]], epsilon=0.0)
    array([[ 1., -1.]], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    axes = axes_of(axis, len(backend.shape(x)))
    epsilon = config.epsilon() if epsilon is None else float(epsilon)

    def normalize(x: Any) -> Any:
        power = backend.mean(backend.square(x), axes, True)
        x = backend.multiply(x, backend.rsqrt(backend.add(power, epsilon)))
        return x if scale is None else backend.multiply(x, _along(scale, axes, x))

    return _in_single_precision(normalize, x)


@op
@_call.in_single_precision
def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """Return x divided by its norm along an axis.

    Args:
        x: array of any shape.
        axis: int or tuple of ints; default -1.
        order: int, the order of the norm: 1 for sums of |x|, 2 for the Euclidean norm, ...; default 2.
        epsilon: float, a lower bound of the norm; default ``config.epsilon()``.

    Raises:
        ValueError: if ``order`` is not a positive int.

    >>> normalize([3.0, 4.0])
    array([0.6, 0.8], dtype=float32)
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Expected order to be an int, at least 1. Received: {order!r}.")
    backend = current()
    x = float_array(x)
    x = x if backend.shape(x) else backend.reshape(x, (1,))
    epsilon = config.epsilon() if epsilon is None else float(epsilon)
    if order == 2:
        axes = axes_of(axis, len(backend.shape(x)))
        inverse = backend.rsqrt(backend.sum(backend.square(x), axes, True))
        return backend.multiply(x, backend.minimum(inverse, 1.0 / epsilon))
    size = linalg.norm(x, order, axis, keepdims=True)
    return backend.divide(x, backend.maximum(size, epsilon))


# ------------------------------------------------------------- cross-entropies


def _clipped(x: Any) -> Any:
    backend = current()
    epsilon = config.epsilon()
    return backend.minimum(backend.maximum(x, epsilon), 1.0 - epsilon)


def _pair(target: Any, output: Any) -> tuple:
    """Return targets and predictions as floats of the same shape."""
    backend = current()
    target, output = _call.same_dtype(*_call.float_operands(target, output))
    shapes = tuple(backend.shape(target)), tuple(backend.shape(output))
    ranks = map(len, shapes)
    differs = any(None not in pair and pair[0] != pair[1] for pair in zip(*shapes, strict=False))
    if len(set(ranks)) > 1 or differs:
        raise ValueError(f"Expected target and output to have the same shape. Received: {shapes[0]} and {shapes[1]}.")
    return target, output


@op
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Return ``-target log(p) - (1 - target) log(1 - p)`` for each entry.

    Args:
        target: array of labels from 0 to 1.
        output: array of probabilities p, clipped to [epsilon, 1 - epsilon] with ``config.epsilon()``; or logits.
        from_logits: bool, whether ``output`` holds logits; default False.

    Raises:
        ValueError: if the shapes differ.

    >>> binary_crossentropy([0.0, 1.0], [0.0, 0.0], from_logits=True)
    array([0.6931472, 0.6931472], dtype=float32)
    """
    backend = current()
    target, output = _pair(target, output)
    if from_logits:
        return backend.sigmoid_cross_entropy(target, output)
    return backend.binary_cross_entropy(target, output, config.epsilon())


def _log_of_shares(output: Any, axis: int) -> Any:
    """Return the logarithms of probabilities, scaled to sum to 1 and clipped away from 0 and 1."""
    backend = current()
    return backend.log(_clipped(backend.divide(output, backend.sum(output, (axis,), True))))


@op
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Return ``-sum(target * log(p))`` along the class axis.

    Args:
        target: array of class probabilities, often one-hot.
        output: array of predicted probabilities p, which are scaled to sum to 1; or logits.
        from_logits: bool, whether ``output`` holds logits; default False.
        axis: int, the class axis; default -1.

    Raises:
        ValueError: if the shapes differ.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.0, 0.0]], from_logits=True)
    array([0.6931472], dtype=float32)
    """
    backend = current()
    target, output = _pair(target, output)
    axis = _call.axis_of(axis, len(backend.shape(output)))
    if from_logits:
        return backend.softmax_cross_entropy(target, output, axis)
    return backend.negative(backend.sum(backend.multiply(target, _log_of_shares(output, axis)), (axis,)))


@op
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """Return ``-log(p[target])``, with p along the class axis.

    Args:
        target: array of int classes, with the shape of ``output`` without the class axis, or with size 1 there.
        output: array of predicted probabilities p, which are scaled to sum to 1; or logits.
        from_logits: bool, whether ``output`` holds logits; default False.
        axis: int, the class axis; default -1.

    Raises:
        ValueError: if the shapes do not match.

    >>> sparse_categorical_crossentropy([1], [[0.0, 0.0]], from_logits=True)
    array([0.6931472], dtype=float32)
    """
    backend = current()
    output = float_array(output)
    shape = tuple(backend.shape(output))
    axis = _call.axis_of(axis, len(shape))
    target = backend.cast(array(target), "int32")
    labels = tuple(backend.shape(target))
    if len(labels) == len(shape) and labels[-1] == 1:
        target, labels = _call.reshaped(target, labels[:-1]), labels[:-1]
    expected = shape[:axis] + shape[axis + 1 :]
    if len(labels) != len(expected) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(labels, expected, strict=True)
    ):
        raise ValueError(
            f"Expected target of shape {expected}, for output of shape {shape} with classes along axis {axis}. "
            f"Received target shape: {labels}."
        )
    if axis != len(shape) - 1:
        output = backend.transpose(output, (*(a for a in range(len(shape)) if a != axis), axis))
    if from_logits:
        return backend.sparse_softmax_cross_entropy(target, output)
    index = _call.reshaped(target, (*labels, 1))
    picked = backend.take_along_axis(_log_of_shares(output, len(shape) - 1), index, -1)
    return backend.negative(backend.sum(picked, (-1,)))


@op
def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """Return the peak signal-to-noise ratio of two arrays, in decibels.

    Args:
        x1, x2: arrays of the same shape.
        max_val: float, the largest possible value.

    >>> psnr([0.0, 1.0], [0.0, 0.9], 1.0).round(2)
    np.float32(23.01)
    """
    backend = current()
    x1, x2 = _pair(x1, x2)
    error = backend.mean(backend.square(backend.subtract(x1, x2)))
    scale = 10 / math.log(10)
    return backend.subtract(2 * scale * math.log(max_val), backend.multiply(backend.log(error), scale))


# -------------------------------------------------------- encodings of classes


@op
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """Return one-hot vectors: 1 at each index and 0 elsewhere; zeros for indices out of range.

    Args:
        x: array of integers, of any shape.
        num_classes: int, the size of the vectors.
        axis: int, the axis of the vectors in the result; default -1.
        dtype: default ``floatx()``.
        sparse: bool, whether the result is sparse, on TensorFlow, and symbolic results are marked so; default False.

    >>> one_hot([1, 3], 3)
    array([[0., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    backend = current()
    x = array(x)
    if sparse:
        return backend.structured(one_hot, (x, num_classes, axis, dtype), {"sparse": True})
    if backend.dtype(x) not in dtypes.INTEGERS:
        x = backend.cast(x, "int32")
    rank = len(backend.shape(x)) + 1
    axis = _call.axis_of(axis, rank)
    result = backend.one_hot(x, num_classes, config.floatx() if dtype is None else dtypes.standardize(dtype))
    if axis == rank - 1:
        return result
    return backend.transpose(result, (*range(axis), rank - 1, *range(axis, rank - 1)))


@op
def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Return multi-hot vectors: 1 at each index that occurs in a row.

    Args:
        inputs: array of integers, (..., n) or (n,).
        num_classes: int, the size of the vectors; required, though its default is None.
        axis: int, the axis of the vectors in the result; default -1.
        dtype: default ``floatx()``.
        sparse: bool, whether the result is sparse, on TensorFlow, and symbolic results are marked so; default False.

    Raises:
        ValueError: if ``num_classes`` is None.

    >>> multi_hot([[0, 2], [1, 1]], 3)
    array([[1., 0., 1.],
           [0., 1., 0.]], dtype=float32)
    """
    if num_classes is None:
        raise ValueError("Expected num_classes. Received: None.")
    x = array(inputs)
    if sparse:
        return current().structured(multi_hot, (x, num_classes, axis, dtype), {"sparse": True})
    rank = len(current().shape(x))
    reduced = 1 if rank > 1 else 0
    return reductions.max(one_hot(x, num_classes, axis, dtype), axis=reduced)


@op
def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """Return ``x @ kernel + bias`` over the last axis of x.

    Args:
        x: array, (..., inputs).
        kernel: array, (inputs, units).
        bias: array, (units,); default None.

    >>> dense([[1.0, 2.0]], [[3.0], [4.0]], [0.5])
    array([[11.5]], dtype=float32)
    """
    if bias is None:
        x, kernel = _call.same_dtype(x, kernel)
    else:
        x, kernel, bias = _call.same_dtype(x, kernel, bias)
    return current().dense(x, kernel, bias)
