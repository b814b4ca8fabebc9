"""Resampling images at other positions: coordinates, and affine, perspective and elastic transforms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends import current
from polykeras.core import dtypes, window_geometry
from polykeras.ops import _call
from polykeras.ops._call import array, float_array, op

INTERPOLATIONS = {"nearest": 0, "bilinear": 1}
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def check_images(images: Any) -> Any:
    """Return images as an array, a batch or a single image."""
    x = array(images)
    if len(current().shape(x)) not in (3, 4):
        raise ValueError(f"Expected images with 3 or 4 axes. Received shape: {tuple(current().shape(x))}.")
    return x


def to_batch(x: Any, is_channels_last: bool) -> Any:
    """Return images as (batch, height, width, channels)."""
    backend = current()
    if len(backend.shape(x)) == 3:
        x = _call.reshaped(x, (1, *backend.shape(x)))
    return x if is_channels_last else backend.transpose(x, window_geometry.to_channels_last(4))


def from_batch(x: Any, is_channels_last: bool, is_single: bool) -> Any:
    """Undo ``to_batch``."""
    backend = current()
    x = x if is_channels_last else backend.transpose(x, window_geometry.to_channels_first(4))
    return backend.getitem(x, (0,)) if is_single else x


def is_channels_last(data_format: str | None) -> bool:
    return config.standardize_data_format(data_format) == "channels_last"


def as_dtype(x: Any, dtype: str) -> Any:
    """Convert floats to another dtype; integers are rounded and clipped to its range."""
    backend = current()
    if dtype in dtypes.INTEGERS:
        limits = np.iinfo(dtype)
        x = backend.round(backend.minimum(backend.maximum(x, float(limits.min)), float(limits.max)))
    return backend.cast(x, dtype)


def compute_floats(x: Any) -> Any:
    """Return an array as floats of at least 32 bits."""
    dtype = current().dtype(x)
    return x if dtype in ("float32", "float64") else current().cast(x, "float32")


def _folded(index: Any, size: int, fill_mode: str) -> Any:
    """Map int32 indices from anywhere into the array, according to the fill mode."""
    backend = current()
    if fill_mode in ("constant", "nearest"):
        return backend.minimum(backend.maximum(index, 0), size - 1)
    if fill_mode == "wrap":
        return backend.mod(index, size)
    period = max(2 * size - 2, 1) if fill_mode == "mirror" else 2 * size
    index = backend.mod(index, period)
    mirrored = backend.subtract(period if fill_mode == "mirror" else period - 1, index)
    return backend.minimum(index, mirrored)


def _sample(
    x: Any, sizes: tuple, coordinates: Sequence, order: int, fill_mode: str, fill_value: Any, offset: Any = None
) -> Any:
    """Interpolate between entries of an array.

    Args:
        x: array, (prod(sizes) * batch, ...): entries in row-major order.
        sizes: sizes of the axes that the coordinates refer to.
        coordinates: an array of positions for each of these axes, all of the same shape.
        order: 0 for the nearest entry, 1 for linear interpolation.
        fill_mode: how to fill points outside the input.
        fill_value: value for fill_mode "constant".
        offset: int32 array added to each flat index: where the entries of a sample begin.
    """
    backend = current()
    dtype = backend.dtype(x)
    trailing = len(backend.shape(x)) - 1

    def spread(a: Any) -> Any:
        return _call.reshaped(a, (*backend.shape(a), *(1,) * trailing))

    choices = [_corners(position, order) for position in coordinates]
    total = None
    for corner in itertools.product(*choices):
        flat, weight, inside = offset, None, None
        stride = 1
        for (index, fraction), size in reversed(list(zip(corner, sizes, strict=True))):
            step = backend.multiply(_folded(index, size, fill_mode), stride)
            flat = step if flat is None else backend.add(flat, step)
            stride *= size
            if fraction is not None:
                weight = fraction if weight is None else backend.multiply(weight, fraction)
            if fill_mode == "constant":
                fits = backend.logical_and(backend.greater_equal(index, 0), backend.less(index, size))
                inside = fits if inside is None else backend.logical_and(inside, fits)
        value = backend.take(x, flat, 0)
        if inside is not None:
            value = backend.where(spread(inside), value, array(fill_value, dtype))
        if weight is not None:
            value = backend.multiply(value, spread(backend.cast(weight, dtype)))
        total = value if total is None else backend.add(total, value)
    return total


def _corners(position: Any, order: int) -> list:
    """Return (int32 index, weight) of the entries around a position."""
    backend = current()
    if order == 0:
        return [(backend.cast(backend.floor(backend.add(position, 0.5)), "int32"), None)]
    low = backend.floor(position)
    fraction = backend.subtract(position, low)
    index = backend.cast(low, "int32")
    return [(index, backend.subtract(1.0, fraction)), (backend.add(index, 1), fraction)]


def _check_modes(order: int | None, fill_mode: str) -> int:
    if order is None or order not in (0, 1):
        raise ValueError(f'Expected "nearest" or "bilinear" interpolation (order 0 or 1). Received order: {order!r}.')
    if fill_mode not in FILL_MODES:
        raise ValueError(f"Expected fill_mode to be one of {FILL_MODES}. Received: {fill_mode!r}.")
    return order


@op
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> Any:
    """Interpolate an array at coordinates between its entries.

    Args:
        inputs: array of any rank.
        coordinates: array, (rank, ...): a coordinate along each axis.
        order: int, 0 for the nearest entry, 1 for linear interpolation.
        fill_mode: how to fill points outside the input: "constant", "nearest" (a a|a b c|c c), "wrap"
            (b c|a b c|a b), "mirror" (c b|a b c|b a), "reflect" (b a|a b c|c b).
        fill_value: value for fill_mode "constant".

    Raises:
        ValueError: for an unknown order or mode, or if there is not one coordinate for each axis.

    >>> map_coordinates([0.0, 10.0, 20.0], [[0.5, 2.0]], order=1)
    array([ 5., 20.], dtype=float32)
    """
    _check_modes(order, fill_mode)
    backend = current()
    x, positions = array(inputs), compute_floats(float_array(coordinates))
    shape, dtype = tuple(backend.shape(x)), backend.dtype(x)
    if backend.shape(positions)[0] != len(shape):
        raise ValueError(
            f"Expected coordinates for {len(shape)} axes. Received: inputs of shape {shape}, coordinates of "
            f"shape {tuple(backend.shape(positions))}."
        )
    if None in shape or 0 in shape:
        return backend.full(tuple(backend.shape(positions))[1:], 0, dtype)
    rows = [backend.getitem(positions, (n,)) for n in range(len(shape))]
    flat = backend.reshape(compute_floats(x), (-1,))
    return as_dtype(_sample(flat, shape, rows, order, fill_mode, fill_value), dtype)


def sample_images(x: Any, y: Any, column: Any, order: int, fill_mode: str, fill_value: Any) -> Any:
    """Sample images of (batch, height, width, channels) at rows y and columns x of shape (batch, h, w)."""
    backend = current()
    batch, height, width, channels = backend.shape(x)
    if None in (batch, height, width) or 0 in (batch, height, width):
        if height is None or width is None:
            return x
        return backend.full((batch, *tuple(backend.shape(y))[1:], channels), 0, backend.dtype(x))
    first = backend.multiply(backend.arange(0, batch, 1, "int32"), height * width)
    flat = _call.reshaped(x, (batch * height * width, channels))
    first = _call.reshaped(first, (batch, 1, 1))
    return _sample(flat, (height, width), [y, column], order, fill_mode, fill_value, first)


def _project(images: Any, matrix: Any, interpolation: str, fill_mode: str, fill_value: Any, is_last: bool) -> Any:
    """Sample each output pixel (x, y) at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)."""
    order = _check_modes(INTERPOLATIONS.get(interpolation), fill_mode)
    backend = current()
    x = check_images(images)
    is_single, dtype = len(backend.shape(x)) == 3, backend.dtype(x)
    x = compute_floats(to_batch(x, is_last))
    height, width = backend.shape(x)[1:3]
    matrix = backend.cast(matrix, backend.dtype(x))
    a0, a1, a2, b0, b1, b2, c0, c1 = (_call.reshaped(backend.getitem(matrix, (..., n)), (-1, 1, 1)) for n in range(8))
    columns = _call.reshaped(backend.arange(0, width, 1, backend.dtype(x)), (1, 1, -1))
    rows = _call.reshaped(backend.arange(0, height, 1, backend.dtype(x)), (1, -1, 1))

    def line(a: Any, b: Any, c: Any) -> Any:
        return backend.add(  # noqa: E731
            backend.add(backend.multiply(a, columns), backend.multiply(b, rows)), c
        )

    depth = line(c0, c1, 1.0)
    down, right = backend.divide(line(b0, b1, b2), depth), backend.divide(line(a0, a1, a2), depth)
    result = sample_images(x, down, right, order, fill_mode, fill_value)
    return from_batch(as_dtype(result, dtype), is_last, is_single)


@op
def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Apply affine transformations to images.

    Args:
        images: (batch, height, width, channels), or channels first; or a single image.
        transform: (8,) or (batch, 8): numbers (a0, a1, a2, b0, b1, b2, c0, c1). The result at (x, y)
            is the image at ``((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)``, with
            ``k = c0 x + c1 y + 1``.
        interpolation: "nearest" or "bilinear".
        fill_mode: how to fill points outside the input; as for ``map_coordinates``.
        fill_value: value for fill_mode "constant".
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> affine_transform([[[1.0], [2.0], [3.0]]], [1, 0, 1, 0, 1, 0, 0, 0])[0, :, 0]
    array([2., 3., 0.], dtype=float32)
    """
    matrix = float_array(transform)
    return _project(images, matrix, interpolation, fill_mode, fill_value, is_channels_last(data_format))


def perspective_matrix(start_points: Any, end_points: Any) -> Any:
    """Return the eight numbers of ``affine_transform`` that map four points to four others.

    Args:
        start_points, end_points: arrays, (4, 2) or (batch, 4, 2): points (x, y), and where they are mapped to.

    Raises:
        ValueError: if the points have another shape.

    >>> points = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]
    >>> abs(perspective_matrix(points, points)).round(4)
    array([1., 0., 0., 0., 1., 0., 0., 0.], dtype=float32)
    """
    backend = current()
    start, end = _call.same_dtype(*_call.float_operands(start_points, end_points))
    for points in (start, end):
        if tuple(backend.shape(points))[-2:] != (4, 2):
            raise ValueError(f"Expected points of shape (4, 2). Received: {tuple(backend.shape(points))}.")
    start, end = compute_floats(start), compute_floats(end)
    x, y, u, v = (backend.getitem(p, (..., n)) for p in (end, start) for n in (0, 1))
    one, zero = backend.add(backend.multiply(x, 0.0), 1.0), backend.multiply(x, 0.0)
    # Two linear equations for each point: u k = a0 x + a1 y + a2, v k = b0 x + b1 y + b2.
    rows = [
        [x, y, one, zero, zero, zero, *(backend.negative(backend.multiply(u, w)) for w in (x, y))],
        [zero, zero, zero, x, y, one, *(backend.negative(backend.multiply(v, w)) for w in (x, y))],
    ]
    axis = len(backend.shape(x)) - 1
    equations = backend.concatenate([backend.stack(row, -1) for row in rows], axis)
    right = backend.concatenate([u, v], axis)
    solution = backend.solve(equations, _call.reshaped(right, (*backend.shape(right), 1)))
    return backend.getitem(solution, (..., 0))


@op
def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Apply the perspective transformation to images that maps four points to four others.

    Args:
        images: (batch, height, width, channels), or channels first; or a single image.
        start_points: array, (4, 2) or (batch, 4, 2): points (x, y) of the image.
        end_points: array of the same shape, where they are mapped to.
        interpolation: "nearest" or "bilinear".
        fill_value: float, the value of pixels from outside the image.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    Raises:
        ValueError: if the points have another shape.

    >>> points = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]
    >>> perspective_transform(np.ones((3, 3, 1), "float32"), points, points)[1, :, 0].round(4)
    array([1., 1., 1.], dtype=float32)
    """
    matrix = perspective_matrix(start_points, end_points)
    return _project(images, matrix, interpolation, "constant", fill_value, is_channels_last(data_format))
