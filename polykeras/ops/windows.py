"""Window operations: convolution, pooling, patches; and attention over a sequence."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends import current
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.backends.shared.graph_sizes import static_shape
from polykeras.core import window_geometry
from polykeras.core.arguments import with_python_numbers
from polykeras.ops import _call
from polykeras.ops._call import array, float_array, op

# Inputs are (batch, *spatial, channels) with ``data_format="channels_last"``, otherwise
# (batch, channels, *spatial); None means ``config.image_data_format()``. Kernels are
# (*window, channels in, channels out).


def _spatial_rank(x: Any, shape: tuple) -> int:
    rank = len(shape) - 2
    if rank < 1:
        raise ValueError(f"Expected an input with a batch, channels and spatial axes. Received shape: {shape}.")
    return rank


def _is_channels_last(data_format: str | None) -> bool:
    return config.standardize_data_format(data_format) == "channels_last"


def _padding(padding: str) -> str:
    name = str(padding).lower()
    if name not in ("valid", "same"):
        raise ValueError(f'Expected padding to be "valid" or "same". Received: {padding!r}.')
    return name


def _per_spatial_axis(name: str, value: Any, rank: int, is_last: bool) -> tuple[int, ...]:
    """Return an int for each spatial axis; TensorFlow's sequences have 1 for the batch and the channels too."""
    sizes = window_geometry.per_axis(with_python_numbers(value), rank)
    if len(sizes) == rank + 2 and sizes[0] == sizes[-1 if is_last else 1] == 1:
        sizes = sizes[1:-1] if is_last else sizes[2:]
    sizes = sizes * rank if len(sizes) == 1 else sizes
    if len(sizes) != rank:
        raise ValueError(f"Expected {name} to be an int, or {rank} ints. Received: {value}.")
    return sizes


@functools.lru_cache(1024)
def _check_reach(shape: tuple, window: tuple, padding: str, dilation: tuple, is_last: bool) -> None:
    """Refuse windows that are larger than an input without padding.

    Raises:
        ValueError: if a window is, with the sizes.
    """
    if padding == "same":
        return
    sizes = tuple(shape[axis] for axis in window_geometry.spatial_axes(len(shape), is_last))
    covered = tuple(map(window_geometry.spread, window, dilation))
    if any(size is not None and size < length for size, length in zip(sizes, covered, strict=True)):
        raise ValueError(
            f'Expected windows that cover {covered} to fit into the input, or padding="same". Received: spatial sizes '
            f"{sizes}, input shape {shape}."
        )


# ----------------------------------------------------------------- convolution


def _convolved(x: Any, kernel: Any, *options: Any) -> Any:
    backend = current()
    shape, dtype = tuple(backend.shape(x)), backend.dtype(x)
    if 0 not in shape or backend.is_symbolic:
        return backend.conv(x, kernel, *options)
    # Engines disagree on the convolution of an empty batch.
    result = SPEC.conv(SpecArray(shape, dtype), SpecArray(tuple(backend.shape(kernel)), dtype), *options)
    return backend.full(result.shape, 0, dtype)


@op
def conv(
    inputs: Any,
    kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Return the convolution (cross-correlation) of an input with a kernel, in one to three dimensions.

    Args:
        inputs: array, (batch, *spatial, channels), or channels first.
        kernel: array, (*window, channels in / groups, channels out); it determines the number of groups.
        strides: int or tuple of ints, the step of the window; default 1.
        padding: "valid", or "same" to pad with zeros; default "valid".
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.
        dilation_rate: int or tuple of ints, the distance between the window's entries; default 1.

    Raises:
        ValueError: if the shapes of the input and the kernel do not match.

    >>> conv([[[1.0], [2.0], [3.0]]], [[[1.0]], [[1.0]]])
    array([[[3.],
            [5.]]], dtype=float32)
    """
    x, kernel = _call.same_dtype(inputs, kernel)
    backend = current()
    shape, window = tuple(backend.shape(x)), tuple(backend.shape(kernel))
    rank = _spatial_rank(x, shape)
    is_last = _is_channels_last(data_format)
    channels = shape[-1 if is_last else 1]
    groups = 1 if channels is None else channels // window[-2]
    if len(window) != rank + 2 or (channels is not None and (channels % window[-2] or window[-1] % max(groups, 1))):
        raise ValueError(
            f"Expected a kernel of {rank + 2} axes whose channels fit the input's. Received: input shape {shape}, "
            f"kernel shape {window}."
        )
    strides = _per_spatial_axis("strides", strides, rank, is_last)
    dilation = _per_spatial_axis("dilation_rate", dilation_rate, rank, is_last)
    padding = _padding(padding)
    _check_reach(static_shape(shape), window[:-2], padding, dilation, is_last)
    return _convolved(x, kernel, strides, padding, dilation, groups, is_last)


@op
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Return the convolution of each channel with its own kernels.

    Args:
        inputs: array, (batch, *spatial, channels), or channels first.
        kernel: array, (*window, channels, multiplier); the result has channels * multiplier channels.
        strides, padding, data_format, dilation_rate: as for ``conv``; defaults 1, "valid" and 1.

    >>> depthwise_conv([[[1.0, 5.0], [2.0, 6.0]]], [[[1.0], [1.0]], [[1.0], [-1.0]]])
    array([[[ 3., -1.]]], dtype=float32)
    """
    x, kernel = _call.same_dtype(inputs, kernel)
    backend = current()
    shape = tuple(backend.shape(x))
    rank = _spatial_rank(x, shape)
    *sizes, channels, multiplier = backend.shape(kernel)
    window = tuple(sizes)
    kernel = backend.reshape(kernel, (*window, 1, channels * multiplier))
    padding, is_last = _padding(padding), _is_channels_last(data_format)
    strides = _per_spatial_axis("strides", strides, rank, is_last)
    dilation = _per_spatial_axis("dilation_rate", dilation_rate, rank, is_last)
    _check_reach(static_shape(shape), window, padding, dilation, is_last)
    return _convolved(x, kernel, strides, padding, dilation, channels, is_last)


@op
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Return ``depthwise_conv`` followed by ``conv`` with a window of size 1.

    Args:
        inputs: array, (batch, *spatial, channels), or channels first.
        depthwise_kernel: array, (*window, channels, multiplier).
        pointwise_kernel: array, (1, ..., channels * multiplier, channels out).
        strides, padding, data_format, dilation_rate: of the depthwise convolution; defaults 1, "valid", None and 1.

    >>> separable_conv([[[1.0], [2.0]]], [[[1.0]]], [[[3.0]]])
    array([[[3.],
            [6.]]], dtype=float32)
    """
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@op
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    output_padding: int | Sequence[int] | None = None,
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Return the transposed convolution, the gradient of ``conv`` with respect to its input.

    Args:
        inputs: array, (batch, *spatial, channels), or channels first.
        kernel: array, (*window, channels out, channels in).
        strides: int or tuple of ints, the step of the windows in the result; default 1.
        padding: "valid" or "same"; default "valid".
        output_padding: extra size at the end of the result; default None, which ``padding`` determines.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.
        dilation_rate: int or tuple of ints, the distance between the window's entries; default 1.

    >>> conv_transpose([[[1.0], [2.0]]], [[[1.0]], [[1.0]]], strides=2)
    array([[[1.],
            [1.],
            [2.],
            [2.]]], dtype=float32)
    """
    x, kernel = _call.same_dtype(inputs, kernel)
    backend = current()
    rank = _spatial_rank(x, tuple(backend.shape(x)))
    is_last = _is_channels_last(data_format)
    strides = _per_spatial_axis("strides", strides, rank, is_last)
    dilation = _per_spatial_axis("dilation_rate", dilation_rate, rank, is_last)
    extra = None if output_padding is None else window_geometry.per_axis(output_padding, rank)
    return backend.conv_transpose(x, kernel, strides, _padding(padding), extra, dilation, is_last)


# --------------------------------------------------------------------- pooling


def _pool(mode: str, inputs: Any, pool_size: Any, strides: Any, padding: str, data_format: str | None) -> Any:
    backend = current()
    x = array(inputs) if mode == "max" else float_array(inputs)
    shape = tuple(backend.shape(x))
    rank = _spatial_rank(x, shape)
    padding, is_last = _padding(padding), _is_channels_last(data_format)
    window = _per_spatial_axis("pool_size", pool_size, rank, is_last)
    strides = window if strides is None else _per_spatial_axis("strides", strides, rank, is_last)
    _check_reach(static_shape(shape), window, padding, (1,) * rank, is_last)
    return backend.pool(x, mode, window, strides, padding, is_last)


@op
def max_pool(
    inputs: Any,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Return the maximum of each window.

    Args:
        inputs: array, (batch, *spatial, channels), or channels first.
        pool_size: int or tuple of ints, the size of the window.
        strides: int or tuple of ints, the step of the window; default None, for ``pool_size``.
        padding: "valid", or "same" for windows that extend beyond the edge; default "valid".
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> max_pool([[[1.0], [3.0], [2.0], [0.0]]], 2)
    array([[[3.],
            [2.]]], dtype=float32)
    """
    return _pool("max", inputs, pool_size, strides, padding, data_format)


@op
def average_pool(
    inputs: Any,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Return the mean of each window; see ``max_pool`` for the arguments.

    Args:
        inputs: array, (batch, ..., channels), or (batch, channels, ...) for "channels_first".
        pool_size: int or tuple, the size of the window.
        strides: int or tuple, the step between windows; None for ``pool_size``.
        padding: "valid" or "same"; default "valid".
        data_format: "channels_last", "channels_first", or None for ``config.image_data_format()``.

    >>> average_pool([[[1.0], [3.0], [2.0], [0.0]]], 2)
    array([[[2.],
            [1.]]], dtype=float32)
    """
    return _pool("average", inputs, pool_size, strides, padding, data_format)


def _adaptive(inputs: Any, output_size: Any, data_format: str | None, reduce: Any) -> Any:
    """Reduce each spatial axis to a number of windows of nearly equal size."""
    backend = current()
    x = float_array(inputs)
    shape = tuple(backend.shape(x))
    rank = _spatial_rank(x, shape)
    axes = window_geometry.spatial_axes(len(shape), _is_channels_last(data_format))
    for axis, count in zip(axes, window_geometry.per_axis(output_size, rank), strict=True):
        size = shape[axis]
        if size is None:
            # If the size is unknown, only the size of the result is known.
            x = backend.broadcast_to(backend.sum(x, (axis,), True), (*shape[:axis], count, *shape[axis + 1 :]))
        elif size != count:
            starts = np.arange(count) * size // count
            stops = -(-np.arange(1, count + 1) * size // count)
            x = reduce(x, axis, starts, stops)
        shape = tuple(backend.shape(x))
    return x


@op
def adaptive_average_pool(inputs: Any, output_size: int | Sequence[int], data_format: str | None = None) -> Any:
    """Return the means of a given number of windows along each axis.

    Args:
        inputs: array, (batch, *spatial, channels), or channels first.
        output_size: int or tuple of ints, the number of windows along the spatial axes.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> adaptive_average_pool([[[1.0], [3.0], [2.0], [0.0]]], 2)
    array([[[2.],
            [1.]]], dtype=float32)
    """
    backend = current()

    def reduce(x: Any, axis: int, starts: np.ndarray, stops: np.ndarray) -> Any:
        position = np.arange(backend.shape(x)[axis])[:, None]
        fractions = ((position >= starts) & (position < stops)) / (stops - starts)
        matrix = backend.array(fractions, backend.dtype(x))
        rank = len(backend.shape(x))
        order = (*(a for a in range(rank) if a != axis), axis)
        mixed = backend.matmul(backend.transpose(x, order), matrix)
        return backend.transpose(mixed, tuple(order.index(a) for a in range(rank)))

    return _adaptive(inputs, output_size, data_format, reduce)


@op
def adaptive_max_pool(inputs: Any, output_size: int | Sequence[int], data_format: str | None = None) -> Any:
    """Return the maxima of a given number of windows along each axis.

    Args:
        inputs: array, (batch, *spatial, channels), or channels first.
        output_size: int or tuple of ints, the number of windows along the spatial axes.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> adaptive_max_pool([[[1.0], [3.0], [2.0], [0.0]]], 2)
    array([[[3.],
            [2.]]], dtype=float32)
    """
    backend = current()

    def reduce(x: Any, axis: int, starts: np.ndarray, stops: np.ndarray) -> Any:
        width = int((stops - starts).max())
        # Narrower windows repeat their last entry.
        positions = np.minimum(starts[:, None] + np.arange(width), stops[:, None] - 1)
        windows = backend.take(x, backend.array(positions.astype("int32")), axis)
        return backend.max(windows, (axis + 1,))

    return _adaptive(inputs, output_size, data_format, reduce)


# --------------------------------------------------------------------- patches


def _blocks(x: Any, block_size: int, data_format: str, splits: bool) -> Any:
    """Move blocks of pixels into the channels (``splits``), or back."""
    if block_size < 2:
        raise ValueError(f"Expected block_size to be at least 2. Received: {block_size}.")
    backend = current()
    x = array(x)
    is_last = _is_channels_last(data_format)
    if not is_last:
        x = backend.transpose(x, window_geometry.to_channels_last(4))
    batch, height, width, channels = backend.shape(x)
    b = block_size

    def divided(n: Any) -> Any:
        return None if n is None else n // b

    if splits:
        if any(n is not None and n % b for n in (height, width)):
            raise ValueError(f"Expected height and width to be multiples of {b}. Received: {height} and {width}.")
        x = _call.reshaped(x, (batch, divided(height), b, divided(width), b, channels))
        x = backend.transpose(x, (0, 1, 3, 2, 4, 5))
        x = _call.reshaped(x, (batch, divided(height), divided(width), b * b * channels))
    else:
        if channels % (b * b):
            raise ValueError(f"Expected the number of channels to be a multiple of {b * b}. Received: {channels}.")
        depth = channels // (b * b)
        x = _call.reshaped(x, (batch, height, width, b, b, depth))
        x = backend.transpose(x, (0, 1, 3, 2, 4, 5))
        x = _call.reshaped(x, (batch, _call.times(height, b), _call.times(width, b), depth))
    return x if is_last else backend.transpose(x, window_geometry.to_channels_first(4))


@op
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Return images with each block of pixels moved into the channels.

    Args:
        x: array, (batch, height, width, channels), or channels first.
        block_size: int, height and width of a block.
        data_format: "channels_last" or "channels_first"; default "channels_last".

    >>> space_to_depth(np.zeros((1, 4, 4, 1)), 2).shape
    (1, 2, 2, 4)
    """
    return _blocks(x, block_size, data_format, splits=True)


@op
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Return images with channels moved into blocks of pixels: the inverse of ``space_to_depth``.

    Args:
        x: array, (batch, height, width, channels), or channels before height; channels must be a multiple of
            ``block_size ** 2``.
        block_size: int, height and width of a block.
        data_format: "channels_last" or "channels_first"; default "channels_last".

    >>> depth_to_space(np.zeros((1, 2, 2, 4)), 2).shape
    (1, 4, 4, 1)
    """
    return _blocks(x, block_size, data_format, splits=False)


def _grid(size: Sequence[int], kernel: tuple, dilation: tuple, padding: tuple, stride: tuple) -> np.ndarray:
    """Return the flat indices of a padded image, (window entries, windows)."""
    padded = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    axes = zip(padded, kernel, stride, dilation, strict=True)
    counts = [(n - window_geometry.spread(k, d)) // s + 1 for n, k, s, d in axes]
    rows, columns = (
        np.arange(k)[:, None] * d + np.arange(c) * s
        for k, d, c, s in zip(kernel, dilation, counts, stride, strict=True)
    )
    positions = rows[:, None, :, None] * padded[1] + columns[None, :, None, :]
    return positions.reshape(math.prod(kernel), math.prod(counts)).astype("int32")


@op
def unfold(x: Any, kernel_size: int | Sequence[int], dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Return the windows of images as columns (im2col).

    Args:
        x: array, (batch, channels, height, width).
        kernel_size: int or pair of ints, the size of the window.
        dilation: int or pair of ints, the distance between its entries; default 1.
        padding: int or pair of ints, zeros added around the image; default 0.
        stride: int or pair of ints, the step of the window; default 1.

    Returns:
        An array, (batch, channels * window entries, windows).

    >>> unfold([[[[1.0, 2.0], [3.0, 4.0]]]], (1, 2))
    array([[[1., 3.],
            [2., 4.]]], dtype=float32)
    """
    backend = current()
    kernel, dilation, padding, stride = (
        window_geometry.per_axis(v, 2) for v in (kernel_size, dilation, padding, stride)
    )
    x = array(x)
    batch, channels, *size = backend.shape(x)
    grid = _grid(size, kernel, dilation, padding, stride)
    x = backend.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    flat = _call.reshaped(x, (batch, channels, math.prod(backend.shape(x)[2:])))
    columns = backend.take(flat, backend.array(grid), 2)
    return _call.reshaped(columns, (batch, channels * grid.shape[0], grid.shape[1]))


@op
def fold(
    x: Any,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Any:
    """Return images made by adding up windows given as columns (col2im): the transpose of ``unfold``.

    Args:
        x: array, (batch, channels * window entries, windows).
        output_size: int or pair of ints, height and width of the images.
        kernel_size, dilation, padding, stride: as for ``unfold``; defaults 1, 0 and 1.

    Raises:
        ValueError: if the windows do not match ``output_size``.

    >>> fold([[[1.0, 3.0], [2.0, 4.0]]], (2, 2), (1, 2))
    array([[[[1., 2.],
             [3., 4.]]]], dtype=float32)
    """
    backend = current()
    kernel, dilation, padding, stride = (
        window_geometry.per_axis(v, 2) for v in (kernel_size, dilation, padding, stride)
    )
    size = window_geometry.per_axis(output_size, 2)
    x = array(x)
    batch, depth, count = backend.shape(x)
    grid = _grid(size, kernel, dilation, padding, stride)
    if count not in (None, grid.shape[1]) or depth % grid.shape[0]:
        raise ValueError(
            f"Expected {grid.shape[1]} windows of a multiple of {grid.shape[0]} entries, for output_size {size}. "
            f"Received shape: {tuple(backend.shape(x))}."
        )
    channels = depth // grid.shape[0]
    # Scatter works along leading axes, so batch and channels go last.
    x = _call.reshaped(x, (batch, channels, grid.size))
    x = backend.transpose(x, (2, 0, 1))
    padded = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    zeros = backend.full((math.prod(padded), batch, channels), 0, backend.dtype(x))
    x = backend.scatter_add(zeros, backend.array(grid.reshape(-1, 1)), x)
    x = _call.reshaped(backend.transpose(x, (1, 2, 0)), (batch, channels, *padded))
    inside = [slice(p, p + n) for n, p in zip(size, padding, strict=True)]
    return backend.getitem(x, (slice(None), slice(None), *inside))


# ------------------------------------------------------------------- attention


@op
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """Return scaled dot-product attention, ``softmax(scale * query key + bias) value``.

    A. Vaswani et al., "Attention Is All You Need" (NeurIPS 2017).

    Args:
        query: array, (batch, queries, heads, size).
        key, value: arrays, (batch, keys, heads, size), or with a number of heads that divides that of ``query``.
        bias: array added to the logits, broadcast to (batch, heads, queries, keys); default None.
        mask: bool array, True where a query may attend, broadcast likewise; default None.
        scale: float; default ``1 / sqrt(size)``.
        is_causal: bool, whether queries attend only to keys up to their own position; default False.
        flash_attention: for compatibility; the backend chooses its fastest kernel; default None.
        attn_logits_soft_cap: float; if given, logits x become ``cap * tanh(x / cap)``; default None.

    Raises:
        ValueError: if the arrays don't have four axes.

    >>> dot_product_attention(*[np.ones((1, 2, 1, 4), "float32")] * 3).shape
    (1, 2, 1, 4)
    """
    backend = current()
    query, key, value = _call.same_dtype(*_call.float_operands(query, key), value)
    shapes = [tuple(backend.shape(x)) for x in (query, key, value)]
    if any(len(shape) != 4 for shape in shapes):
        raise ValueError(f"Expected query, key and value with 4 axes. Received shapes: {shapes}.")
    heads, own = shapes[0][2], shapes[1][2]
    if None not in (heads, own) and heads != own:
        if heads % own:
            raise ValueError(f"Expected query heads in a multiple of the key heads. Received shapes: {shapes}.")
        index = backend.array(np.repeat(np.arange(own, dtype="int32"), heads // own))
        key, value = backend.take(key, index, 2), backend.take(value, index, 2)
    scale = 1 / math.sqrt(shapes[0][3]) if scale is None else float(scale)
    bias = None if bias is None else array(bias, backend.dtype(query))
    mask = None if mask is None else array(mask, "bool")
    if attn_logits_soft_cap is None:
        return backend.attention(query, key, value, mask, bias, scale, is_causal)
    scores = backend.multiply(backend.einsum("bqhd,bkhd->bhqk", query, key), scale)
    cap = float(attn_logits_soft_cap)
    capped = backend.multiply(backend.tanh(backend.multiply(scores, 1 / cap)), cap)
    # The cap applies before bias and mask, so the change that it makes is passed on as a bias.
    change = backend.subtract(capped, scores)
    bias = change if bias is None else backend.add(change, bias)
    return backend.attention(query, key, value, mask, bias, scale, is_causal)
