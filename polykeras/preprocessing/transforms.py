"""Transforms of single images in NumPy: shifts, rotations, shears, zooms, brightness."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from polykeras import backends, config, ops
from polykeras.core.extras import require
from polykeras.utils.image_arrays import one_of

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
_ROUNDING = 1e-6  # pixels by which a position may leave the image because of rounding


class _Source(threading.local):
    """Where transforms draw random numbers: from NumPy's global generator, except while a flow prepares a batch."""

    numbers: Any = np.random


source = _Source()


@contextmanager
def drawing_from(numbers: np.random.RandomState) -> Iterator[None]:
    """Let this thread's transforms draw from a generator.

    Args:
        numbers: the generator.

    >>> with drawing_from(np.random.RandomState(0)):
    ...     first = source.numbers.uniform()
    >>> first == np.random.RandomState(0).uniform()
    True
    """
    before, source.numbers = source.numbers, numbers
    try:
        yield
    finally:
        source.numbers = before


def _matrix(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> np.ndarray:
    """The matrix from output to input positions (row, column, 1), relative to the origin; angles in degrees."""
    theta, shear = np.deg2rad(theta), np.deg2rad(shear)
    rotation = np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
    shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    shearing = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    return rotation @ shift @ shearing @ np.diag([zx, zy, 1])


def transform_matrix_offset_center(matrix: np.ndarray, x: int, y: int) -> np.ndarray:
    """Return a transform around the center of an image instead of its first pixel.

    Args:
        matrix: array (3, 3), from output to input positions (row, column, 1).
        x, y: ints, numbers of rows and columns of the image.

    >>> transform_matrix_offset_center(np.diag([2.0, 2.0, 1.0]), 3, 5)[:2, 2]
    array([-1., -2.])
    """
    center = np.array([[1, 0, x / 2 - 0.5], [0, 1, y / 2 - 0.5], [0, 0, 1]])
    return center @ matrix @ np.linalg.inv(center)


def apply_affine_transform(
    x: Any,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """Return an image rotated, shifted, sheared and zoomed around its center, as in Keras 2.3.

    Args:
        x: image, an array with three axes.
        theta, shear: floats, angles in degrees; default 0.
        tx, ty: floats, shift in pixels up and to the left; default 0.
        zx, zy: floats, zoom along rows and columns; 0.5 shows half of the image at twice the size; default 1.
        row_axis, col_axis, channel_axis: ints, the axes of the image; defaults 1, 2 and 0.
        fill_mode: how to fill points outside the image: ``"constant"`` (``cval``), ``"nearest"`` (a a|a b c|c c),
            ``"reflect"`` (b a|a b c|c b) or ``"wrap"`` (b c|a b c|a b); default "nearest".
        cval: float, fill value for "constant"; default 0.0.
        order: int, 0 for the nearest pixel, 1 for linear interpolation, up to 5 for splines, which require SciPy;
            default 1.

    Raises:
        ValueError: for an unknown fill mode or order.

    >>> apply_affine_transform(np.array([[[1.0], [2.0], [3.0]]]), ty=1, row_axis=0, col_axis=1, channel_axis=2)[0, :, 0]
    array([2., 3., 3.])
    """
    one_of("fill_mode", fill_mode, FILL_MODES)
    one_of("order", order, range(6))
    x = np.asarray(x)
    axes = row_axis, col_axis, channel_axis
    image = np.moveaxis(x, axes, (0, 1, 2))
    matrix = transform_matrix_offset_center(_matrix(theta, tx, ty, shear, zx, zy), *image.shape[:2])
    if np.allclose(matrix, np.eye(3)):
        return x.copy()
    sample = _splines if order > 1 else _linear
    moved = np.moveaxis(sample(image, matrix, fill_mode, cval, order), (0, 1, 2), axes)
    return (np.rint(moved) if x.dtype.kind in "iu" else moved).astype(x.dtype)


def _linear(image: np.ndarray, matrix: np.ndarray, fill_mode: str, cval: float, order: int) -> np.ndarray:
    # The matrix of ops.image.affine_transform is for (column, row).
    (a, b, c), (d, e, f), _ = matrix
    transform = np.array([e, d, f, b, a, c, 0, 0])
    interpolation = "bilinear" if order else "nearest"
    with backends.use("numpy"):
        moved = ops.image.affine_transform(
            image, transform, interpolation, fill_mode=fill_mode, fill_value=cval, data_format="channels_last"
        )
    if fill_mode == "constant":
        moved = np.where(_is_outside(image.shape, matrix), cval, moved)
    return moved


def _is_outside(shape: tuple, matrix: np.ndarray) -> np.ndarray:
    """Whether the input position of each pixel lies outside the image, (rows, columns, 1)."""
    outputs = np.stack([*np.indices(shape[:2]), np.ones(shape[:2])], -1)
    inputs = (outputs @ matrix.T)[..., :2]
    last = np.array(shape[:2]) - 1
    return ((inputs < -_ROUNDING) | (inputs > last + _ROUNDING)).any(-1, keepdims=True)


def _splines(image: np.ndarray, matrix: np.ndarray, fill_mode: str, cval: float, order: int) -> np.ndarray:
    ndimage = require("scipy.ndimage", "sklearn", f"interpolation of order {order}")
    mode = "grid-wrap" if fill_mode == "wrap" else fill_mode
    options = {"order": order, "mode": mode, "cval": cval}
    channels = np.moveaxis(image, 2, 0)
    moved = [ndimage.affine_transform(channel, matrix[:2, :2], matrix[:2, 2], **options) for channel in channels]
    return np.stack(moved, 2)


def apply_transform(
    x: Any, transform_matrix: np.ndarray, channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0
) -> np.ndarray:
    """Return an image moved by a matrix, as in Keras 2.1.

    Args:
        x: image, an array with three axes: rows, columns and channels, in this order or with the channels first.
        transform_matrix: array (3, 3), from output to input positions (row, column, 1).
        channel_axis: int; default 0.
        fill_mode, cval: as for ``apply_affine_transform``; defaults "nearest" and 0.0.

    >>> apply_transform(np.arange(4.0).reshape(1, 2, 2), np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]]))[0]
    array([[2., 3.],
           [2., 3.]])
    """
    image = np.moveaxis(np.asarray(x), channel_axis, 2)
    return np.moveaxis(_linear(image, transform_matrix, fill_mode, cval, 1), 2, channel_axis).astype(image.dtype)


# ----------------------------------------------------------------------- colors


def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """Return an image with a number added to every channel, clipped to the value range of the image.

    >>> apply_channel_shift(np.array([[[0.0, 5.0]]]), 2.0)
    array([[[2., 5.]]])
    """
    x = np.asarray(x)
    return np.clip(x + float(intensity), x.min(), x.max())


def apply_brightness_shift(x: Any, brightness: float, scale: bool = True) -> np.ndarray:
    """Return a brighter or darker image: values are multiplied and clipped at white.

    Args:
        x: image with values from 0 to 255; other values are first mapped to this range.
        brightness: float, the factor: 1 changes nothing, 0 gives black.
        scale: bool, whether to always map the darkest value to 0 and the brightest to 255, and return the result in
            this range; default True.

    >>> apply_brightness_shift(np.array([[[10.0, 200.0]]]), 2.0, scale=False)
    array([[[ 20., 255.]]])
    """
    x = np.asarray(x)
    low, high = x.min(), x.max()
    is_mapped = scale or low < 0 or high > 255
    span = (high - low or 1) / 255
    values = np.clip(((x - low) / span if is_mapped else x) * brightness, 0, 255)
    dtype = x.dtype if x.dtype.kind == "f" else config.floatx()
    return (values * span + low if is_mapped and not scale else values).astype(dtype)


def flip_axis(x: Any, axis: int) -> np.ndarray:
    """Return an image reversed along an axis.

    >>> flip_axis([1, 2, 3], 0)
    array([3, 2, 1])
    """
    return np.flip(np.asarray(x), axis)


# ----------------------------------------------------------------------- random


def random_rotation(
    x: Any,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return an image rotated by up to ``rg`` degrees; other arguments as for ``apply_affine_transform``.

    >>> random_rotation(np.ones((1, 4, 4)), 30).shape
    (1, 4, 4)
    """
    axes = row_axis, col_axis, channel_axis
    angle = source.numbers.uniform(-rg, rg)
    return apply_affine_transform(x, angle, 0, 0, 0, 1, 1, *axes, fill_mode, cval, interpolation_order)


def random_shift(
    x: Any,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return an image shifted by up to a fraction ``wrg`` of its width and ``hrg`` of its height.

    >>> random_shift(np.ones((1, 4, 4)), 0.2, 0.2).shape
    (1, 4, 4)
    """
    axes = row_axis, col_axis, channel_axis
    limits = ((hrg, row_axis), (wrg, col_axis))
    tx, ty = (source.numbers.uniform(-fraction, fraction) * np.shape(x)[axis] for fraction, axis in limits)
    return apply_affine_transform(x, 0, tx, ty, 0, 1, 1, *axes, fill_mode, cval, interpolation_order)


def random_shear(
    x: Any,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return an image sheared by up to ``intensity`` degrees.

    >>> random_shear(np.ones((1, 4, 4)), 10).shape
    (1, 4, 4)
    """
    axes, angle = (row_axis, col_axis, channel_axis), source.numbers.uniform(-intensity, intensity)
    return apply_affine_transform(x, 0, 0, 0, angle, 1, 1, *axes, fill_mode, cval, interpolation_order)


def random_zoom(
    x: Any,
    zoom_range: Sequence[float],
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """Return an image zoomed along each axis by a factor between two bounds.

    Raises:
        ValueError: if ``zoom_range`` is not a pair.

    >>> random_zoom(np.ones((1, 4, 4)), (0.5, 2)).shape
    (1, 4, 4)
    """
    lowest, highest = pair("zoom_range", zoom_range)
    zx, zy = (1, 1) if lowest == highest == 1 else source.numbers.uniform(lowest, highest, 2)
    return apply_affine_transform(
        x,
        zx=zx,
        zy=zy,
        row_axis=row_axis,
        col_axis=col_axis,
        channel_axis=channel_axis,
        fill_mode=fill_mode,
        cval=cval,
        order=interpolation_order,
    )


def random_channel_shift(x: Any, intensity_range: float, channel_axis: int = 0) -> np.ndarray:
    """Return an image with a random number of at most ``intensity_range`` added to every channel.

    >>> random_channel_shift(np.ones((1, 4, 4)), 0.1).shape
    (1, 4, 4)
    """
    return apply_channel_shift(x, source.numbers.uniform(-intensity_range, intensity_range), channel_axis)


def random_brightness(x: Any, brightness_range: Sequence[float], scale: bool = True) -> np.ndarray:
    """Return an image with a random brightness between two bounds; see ``apply_brightness_shift``.

    Raises:
        ValueError: if ``brightness_range`` is not a pair.

    >>> random_brightness(np.ones((1, 4, 4)), (0.5, 1.5)).shape
    (1, 4, 4)
    """
    return apply_brightness_shift(x, source.numbers.uniform(*pair("brightness_range", brightness_range)), scale)


def pair(name: str, value: Any) -> tuple[float, float]:
    """Return a value that is a pair of numbers, and reject anything else.

    >>> pair("zoom_range", [0.5, 2])
    (0.5, 2)
    """
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2:
        raise ValueError(f"Expected {name} to be two numbers, the lowest and the highest. Received: {value!r}.")
    return tuple(value)
