"""Convolutions, pools, paddings and resizing, under the names of Keras 2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.core import window_geometry

#: Whether bilinear resizing samples from the corners of pixels, as in Keras 2.3.1, rather than from their centers.
samples_from_corners = False


def _layout(data_format: str | None) -> str:
    return config.standardize_data_format(data_format)


def _axes(x: Any, data_format: str | None) -> tuple[int, ...]:
    return window_geometry.spatial_axes(ops.ndim(x), _layout(data_format) == "channels_last")


# ---------------------------------------------------------------- convolution


def conv1d(
    x: Any,
    kernel: Any,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Any:
    """Return the convolution (cross-correlation) of sequences with a kernel.

    Args:
        x: array, (batch, steps, channels), or channels first.
        kernel: array, (window, channels in, channels out).
        strides: int, the step of the window; default 1.
        padding: "valid", "same", or "causal" for zeros in front only; default "valid".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        dilation_rate: int, the distance between the window's entries; default 1.

    >>> conv1d([[[1.0], [2.0]]], [[[1.0]], [[1.0]]], padding="causal")
    array([[[1.],
            [3.]]], dtype=float32)
    """
    strides, dilation_rate = (window_geometry.per_axis(n, 1)[0] for n in (strides, dilation_rate))
    if padding == "causal":
        window = ops.shape(kernel)[0]
        x = temporal_padding(x, ((window - 1) * dilation_rate, 0), data_format)
        padding = "valid"
    return ops.conv(x, kernel, strides, padding, _layout(data_format), dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sequence[int] = (1, 1),
) -> Any:
    """Return the convolution (cross-correlation) of images with a kernel.

    Args:
        x: array, (batch, rows, columns, channels), or channels first.
        kernel: array, (rows, columns, channels in, channels out).
        strides: pair of ints, the steps of the window; default (1, 1).
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        dilation_rate: pair of ints, the distances between the window's entries; default (1, 1).

    >>> conv2d(np.ones((1, 5, 5, 2), "float32"), np.ones((3, 3, 2, 4), "float32")).shape
    (1, 3, 3, 4)
    """
    return ops.conv(x, kernel, strides, padding, _layout(data_format), dilation_rate)


def conv3d(
    x: Any,
    kernel: Any,
    strides: Sequence[int] = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sequence[int] = (1, 1, 1),
) -> Any:
    """Return the convolution (cross-correlation) of volumes with a kernel; see ``conv2d`` for the arguments.

    Args:
        x: array, (batch, depth, rows, columns, channels).
        kernel: array, (depth, rows, columns, channels, filters).
        strides, padding, data_format, dilation_rate: see ``conv2d``.

    >>> conv3d(np.ones((1, 4, 4, 4, 1), "float32"), np.ones((3, 3, 3, 1, 2), "float32")).shape
    (1, 2, 2, 2, 2)
    """
    return ops.conv(x, kernel, strides, padding, _layout(data_format), dilation_rate)


def _transposed(
    x: Any, kernel: Any, output_shape: Any, strides: Any, padding: str, data_format: str | None, dilation_rate: Any
) -> Any:
    axes = _axes(x, data_format)
    strides, dilation = window_geometry.per_axis(strides, len(axes)), window_geometry.per_axis(dilation_rate, len(axes))
    sizes = [(ops.shape(x)[axis], output_shape[axis]) for axis in axes]
    if any(None in pair for pair in sizes):
        extra = None
    else:
        extra = [
            want - window_geometry.transposed_size(have, window, stride, padding, spread, 0)
            for (have, want), window, stride, spread in zip(sizes, ops.shape(kernel), strides, dilation, strict=False)
        ]
    return ops.conv_transpose(x, kernel, strides, padding, extra, _layout(data_format), dilation)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Sequence[int | None],
    strides: Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sequence[int] = (1, 1),
) -> Any:
    """Return the transposed convolution, the gradient of ``conv2d`` with respect to its input.

    Args:
        x: array, (batch, rows, columns, channels), or channels first.
        kernel: array, (rows, columns, channels out, channels in).
        output_shape: shape of the result including the batch; None to compute it from the input.
        strides: pair of ints, the steps of the windows in the result; default (1, 1).
        padding, data_format, dilation_rate: as for ``conv2d``.

    >>> x, kernel = np.ones((1, 2, 2, 3), "float32"), np.ones((3, 3, 4, 3), "float32")
    >>> conv2d_transpose(x, kernel, (1, 4, 4, 4), (2, 2), "same").shape
    (1, 4, 4, 4)
    """
    return _transposed(x, kernel, output_shape, strides, padding, data_format, dilation_rate)


def conv3d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Sequence[int | None],
    strides: Sequence[int] = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Return the gradient of ``conv3d`` with respect to its input; see ``conv2d_transpose`` for the arguments.

    Args:
        x: array, (batch, depth, rows, columns, channels).
        kernel: array, (depth, rows, columns, filters, channels).
        output_shape, strides, padding, data_format: see ``conv2d_transpose``.

    >>> x, kernel = np.ones((1, 2, 2, 2, 1), "float32"), np.ones((2, 2, 2, 1, 1), "float32")
    >>> conv3d_transpose(x, kernel, (1, 3, 3, 3, 1)).shape
    (1, 3, 3, 3, 1)
    """
    return _transposed(x, kernel, output_shape, strides, padding, data_format, 1)


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sequence[int] = (1, 1),
) -> Any:
    """Return the convolution of each channel with its own kernels.

    Args:
        x: array, (batch, rows, columns, channels), or channels first.
        depthwise_kernel: array, (rows, columns, channels, multiplier).
        strides, padding, data_format, dilation_rate: as for ``conv2d``.

    >>> depthwise_conv2d(np.ones((1, 5, 5, 2), "float32"), np.ones((3, 3, 2, 3), "float32")).shape
    (1, 3, 3, 6)
    """
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, _layout(data_format), dilation_rate)


def separable_conv1d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Any:
    """Return a depthwise convolution followed by a convolution with a window of size 1.

    Args:
        x: array, (batch, steps, channels), or channels first.
        depthwise_kernel: array, (window, channels, multiplier).
        pointwise_kernel: array, (1, channels * multiplier, channels out).
        strides, padding, data_format, dilation_rate: as for ``conv1d``, without "causal".

    >>> separable_conv1d([[[1.0], [2.0]]], [[[1.0]]], [[[3.0]]])
    array([[[3.],
            [6.]]], dtype=float32)
    """
    kernels = depthwise_kernel, pointwise_kernel
    return ops.separable_conv(x, *kernels, strides, padding, _layout(data_format), dilation_rate)


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sequence[int] = (1, 1),
) -> Any:
    """Return a depthwise convolution followed by a convolution with a window of size 1.

    Args:
        x: array, (batch, rows, columns, channels), or channels first.
        depthwise_kernel: array, (rows, columns, channels, multiplier).
        pointwise_kernel: array, (1, 1, channels * multiplier, channels out).
        strides, padding, data_format, dilation_rate: as for ``conv2d``.

    >>> x, depthwise = np.ones((1, 5, 5, 2), "float32"), np.ones((3, 3, 2, 2), "float32")
    >>> separable_conv2d(x, depthwise, np.ones((1, 1, 4, 3), "float32")).shape
    (1, 3, 3, 3)
    """
    kernels = depthwise_kernel, pointwise_kernel
    return ops.separable_conv(x, *kernels, strides, padding, _layout(data_format), dilation_rate)


def _local_conv(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None) -> Any:
    """Multiply each window, laid out like the input, by a different matrix."""
    axes = _axes(inputs, data_format)
    window, steps = window_geometry.per_axis(kernel_size, len(axes)), window_geometry.per_axis(strides, len(axes))
    shape, is_last = ops.shape(inputs), axes[0] == 1
    sizes = [shape[axis] for axis in axes]
    channels = shape[-1 if is_last else 1]
    indices = np.arange(math.prod(sizes), dtype="int32").reshape(sizes)
    indices = np.lib.stride_tricks.sliding_window_view(indices, window)[tuple(slice(None, None, n) for n in steps)]
    counts = indices.shape[: len(axes)]
    indices = indices.reshape(math.prod(counts), math.prod(window))
    if is_last:
        windows = ops.take(ops.reshape(inputs, (-1, math.prod(sizes), channels)), indices, axis=1)
    else:
        windows = ops.take(ops.reshape(inputs, (-1, channels, math.prod(sizes))), indices, axis=2)
        windows = ops.moveaxis(windows, 1, 2)
    outputs = ops.einsum("bpi,pif->bpf", ops.reshape(windows, (-1, len(indices), channels * math.prod(window))), kernel)
    outputs = ops.reshape(outputs, (-1, *counts, ops.shape(kernel)[-1]))
    return outputs if is_last else ops.moveaxis(outputs, -1, 1)


def local_conv1d(
    inputs: Any, kernel: Any, kernel_size: Sequence[int], strides: Sequence[int], data_format: str | None = None
) -> Any:
    """Return an unshared (locally connected) convolution of sequences, with a different kernel at each position.

    Args:
        inputs: array, (batch, steps, channels), or channels first.
        kernel: array, (positions, window * channels, filters).
        kernel_size, strides: tuples of one int.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.

    >>> local_conv1d([[[1.0], [2.0], [3.0]]], np.ones((2, 2, 1), "float32"), (2,), (1,))
    array([[[3.],
            [5.]]], dtype=float32)
    """
    return _local_conv(inputs, kernel, kernel_size, strides, data_format)


def local_conv2d(
    inputs: Any,
    kernel: Any,
    kernel_size: Sequence[int],
    strides: Sequence[int],
    output_shape: Sequence[int],
    data_format: str | None = None,
) -> Any:
    """Return an unshared (locally connected) convolution of images, with a different kernel at each position.

    Args:
        inputs: array, (batch, rows, columns, channels), or channels first.
        kernel: array, (positions, window rows * window columns * channels, filters).
        kernel_size, strides: pairs of ints.
        output_shape: (rows, columns) of the result, which the other arguments determine too.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.

    Raises:
        ValueError: if output_shape is not the shape that they determine.

    >>> x, kernel = np.ones((1, 3, 3, 2), "float32"), np.ones((4, 8, 5), "float32")
    >>> local_conv2d(x, kernel, (2, 2), (1, 1), (2, 2)).shape
    (1, 2, 2, 5)
    """
    result = _local_conv(inputs, kernel, kernel_size, strides, data_format)
    sizes = tuple(ops.shape(result)[axis] for axis in _axes(result, data_format))
    if tuple(output_shape) != sizes:
        raise ValueError(f"Expected output_shape {sizes}, for these windows. Received: {tuple(output_shape)}.")
    return result


# -------------------------------------------------------------------- pooling


def _pool(x: Any, pool_size: Any, strides: Any, padding: str, data_format: str | None, pool_mode: str) -> Any:
    pools = {"max": ops.max_pool, "avg": ops.average_pool}
    if pool_mode not in pools:
        raise ValueError(f"Expected pool_mode to be 'max' or 'avg'. Received: {pool_mode!r}.")
    return pools[pool_mode](x, pool_size, strides, padding, _layout(data_format))


def pool2d(
    x: Any,
    pool_size: Sequence[int],
    strides: Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """Return the maximum or the mean of each window of images.

    Args:
        x: array, (batch, rows, columns, channels), or channels first.
        pool_size: pair of ints, the size of the window.
        strides: pair of ints, the steps of the window; default (1, 1).
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        pool_mode: "max" or "avg"; default "max".

    Raises:
        ValueError: for an unknown mode.

    >>> pool2d(np.ones((1, 4, 4, 1), "float32"), (2, 2), (2, 2), pool_mode="avg").shape
    (1, 2, 2, 1)
    """
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Sequence[int],
    strides: Sequence[int] = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """Return the maximum or the mean of each window of volumes; see ``pool2d`` for the arguments.

    Args:
        x: array, (batch, depth, rows, columns, channels).
        pool_size, strides, padding, data_format, pool_mode: see ``pool2d``.

    >>> pool3d(np.ones((1, 4, 4, 4, 1), "float32"), (2, 2, 2)).shape
    (1, 3, 3, 3, 1)
    """
    return _pool(x, pool_size, strides, padding, data_format, pool_mode)


# --------------------------------------------------------- padding and resizing


def _padded(x: Any, padding: Sequence, data_format: str | None) -> Any:
    widths = [(0, 0)] * ops.ndim(x)
    for axis, pair in zip(_axes(x, data_format), padding, strict=True):
        widths[axis] = tuple(pair)
    return ops.pad(x, widths)


def temporal_padding(x: Any, padding: Sequence[int] = (1, 1), data_format: str | None = "channels_last") -> Any:
    """Pad sequences with zeros before and after.

    Args:
        x: array, (batch, steps, channels).
        padding: pairs of ints, (before, after); default (1, 1).
        data_format: "channels_last" or "channels_first"; default "channels_last".

    >>> temporal_padding(np.ones((1, 3, 2)), (2, 1)).shape
    (1, 6, 2)
    """
    return _padded(x, [padding], data_format)


def spatial_2d_padding(x: Any, padding: Sequence = ((1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Pad images with zeros, (before, after) along each axis.

    Args:
        x: array, (batch, rows, columns, channels).
        padding: pairs of ints, (before, after); default ((1, 1), (1, 1)).
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> spatial_2d_padding(np.ones((1, 3, 3, 2)), ((1, 0), (2, 2))).shape
    (1, 4, 7, 2)
    """
    return _padded(x, padding, data_format)


def spatial_3d_padding(x: Any, padding: Sequence = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Pad volumes with zeros, (before, after) along each axis.

    Args:
        x: array, (batch, depth, rows, columns, channels).
        padding: pairs of ints, (before, after); default ((1, 1), (1, 1), (1, 1)).
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> spatial_3d_padding(np.ones((1, 3, 3, 3, 2))).shape
    (1, 5, 5, 5, 2)
    """
    return _padded(x, padding, data_format)


def _repeated(x: Any, factors: Sequence[int], data_format: str | None) -> Any:
    for axis, factor in zip(_axes(x, data_format), factors, strict=True):
        x = ops.repeat(x, factor, axis=axis)
    return x


def _interpolated(x: Any, axis: int, factor: int) -> Any:
    """Put ``factor - 1`` values between the entries along an axis, on lines from each to the next; the last is kept."""
    x, before = ops.convert_to_tensor(x), (slice(None),) * axis
    following = ops.concatenate([x[(*before, slice(1, None))], x[(*before, slice(-1, None))]], axis)
    x, following = ops.repeat(x, factor, axis=axis), ops.repeat(following, factor, axis=axis)
    steps = ops.mod(ops.cumsum(ops.ones_like(x), axis) - 1, factor)  # the size may be unknown
    return x + (following - x) * (steps / factor)


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str | None, interpolation: str = "nearest"
) -> Any:
    """Return images enlarged by integer factors.

    Args:
        x: array, (batch, rows, columns, channels), or channels first.
        height_factor, width_factor: ints.
        data_format: "channels_last" or "channels_first"; None for the global setting.
        interpolation: "nearest" or "bilinear"; default "nearest".

    Raises:
        ValueError: for an unknown interpolation.

    >>> resize_images(np.ones((1, 2, 3, 1)), 2, 2, "channels_last").shape
    (1, 4, 6, 1)
    """
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"Expected interpolation to be 'nearest' or 'bilinear'. Received: {interpolation!r}.")
    factors = height_factor, width_factor
    if interpolation == "nearest":
        return _repeated(x, factors, data_format)
    return enlarged(x, factors, data_format, interpolation)


def enlarged(x: Any, factors: Sequence[int], data_format: str | None, interpolation: str) -> Any:
    """Return images enlarged by integer factors, with new values between the pixels.

    Args:
        x: array, (batch, rows, columns, channels), or channels first.
        factors: two ints, for rows and columns.
        data_format: "channels_last" or "channels_first"; None for the global setting.
        interpolation: "bilinear", or another name that ``ops.image.resize`` knows.

    >>> enlarged(np.ones((1, 2, 3, 1)), (2, 2), "channels_last", "bicubic").shape
    (1, 4, 6, 1)
    """
    if interpolation == "bilinear" and samples_from_corners:
        for axis, factor in zip(_axes(x, data_format), factors, strict=True):
            x = _interpolated(x, axis, factor)
        return x
    sizes = [ops.shape(x)[axis] for axis in _axes(x, data_format)]
    sizes = [None if n is None else n * factor for n, factor in zip(sizes, factors, strict=True)]
    return ops.image.resize(x, sizes, interpolation=interpolation, data_format=_layout(data_format))


def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str | None) -> Any:
    """Return volumes enlarged by integer factors: every voxel is repeated.

    Args:
        x: array, (batch, depth, rows, columns, channels).
        depth_factor, height_factor, width_factor: ints.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> resize_volumes(np.ones((1, 2, 2, 2, 1)), 1, 2, 3, "channels_last").shape
    (1, 2, 4, 6, 1)
    """
    return _repeated(x, (depth_factor, height_factor, width_factor), data_format)
