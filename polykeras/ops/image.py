"""Images: size, colour, padding, patches and filters.

Images are (batch, height, width, channels) for ``data_format="channels_last"``, otherwise
(batch, channels, height, width); or single images, without the batch axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from polykeras.backends import current
from polykeras.core import dtypes, window_geometry
from polykeras.ops import _call, movement, windows
from polykeras.ops._call import array, float_array, op
from polykeras.ops.warp import (
    FILL_MODES,
    INTERPOLATIONS,
    affine_transform,
    as_dtype,
    check_images,
    compute_floats,
    from_batch,
    is_channels_last,
    map_coordinates,
    perspective_transform,
    sample_images,
    to_batch,
)

__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]

# -------------------------------------------------------------------- resizing


def _linear(x: Any) -> Any:
    backend = current()
    return backend.maximum(backend.subtract(1.0, x), 0.0)


def _cubic(x: Any) -> Any:
    """The kernel of R. Keys, "Cubic Convolution Interpolation for Digital Image Processing" (1981), with a = -1/2."""
    backend = current()
    square = backend.square(x)
    near = backend.add(backend.multiply(square, backend.subtract(backend.multiply(x, 1.5), 2.5)), 1.0)
    far = backend.add(backend.multiply(backend.subtract(2.5, backend.multiply(x, 0.5)), square), 2.0)
    far = backend.subtract(far, backend.multiply(x, 4.0))
    zero = backend.full((), 0.0, backend.dtype(x))
    return backend.where(backend.less(x, 1.0), near, backend.where(backend.less(x, 2.0), far, zero))


def _lanczos(radius: float) -> Callable:
    def kernel(x: Any) -> Any:
        backend = current()
        dtype = backend.dtype(x)
        angle = backend.multiply(backend.maximum(x, 1e-3), math.pi)
        wave = backend.multiply(backend.sin(angle), backend.sin(backend.multiply(angle, 1 / radius)))
        value = backend.divide(backend.multiply(wave, radius), backend.square(angle))
        value = backend.where(backend.greater(x, 1e-3), value, backend.full((), 1.0, dtype))
        return backend.where(backend.less(x, radius), value, backend.full((), 0.0, dtype))

    return kernel


_KERNELS = {
    "linear": _linear,
    "bilinear": _linear,
    "triangle": _linear,
    "cubic": _cubic,
    "bicubic": _cubic,
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
}


def _weights(size: int, count: int, scale: Any, shift: Any, method: str, antialias: bool, dtype: str) -> Any:
    """Return the (size, count) matrix that resamples an axis.

    Entry i of the result is at ``(i + 1/2 - shift) / scale - 1/2``; when shrinking,
    ``antialias`` widens the kernel.
    """
    backend = current()
    step = backend.divide(1.0, array(scale, dtype))
    position = backend.add(backend.arange(0, count, 1, dtype), 0.5)
    position = backend.subtract(backend.multiply(backend.subtract(position, array(shift, dtype)), step), 0.5)
    entry = _call.reshaped(backend.arange(0, size, 1, dtype), (-1, 1))
    distance = backend.absolute(backend.subtract(position, entry))
    if antialias:
        distance = backend.divide(distance, backend.maximum(step, 1.0))
    weights = _KERNELS[method](distance)
    total = backend.sum(weights, (0,), True)
    limit = 1000 * float(dtypes.ml_dtypes.finfo(dtypes.numpy_dtype(dtype)).eps)
    is_covered = backend.greater(backend.absolute(total), limit)
    last = None if size is None else size - 0.5
    inside = backend.greater_equal(position, -0.5)
    if last is not None:
        inside = backend.logical_and(inside, backend.less_equal(position, last))
    is_covered = backend.logical_and(is_covered, inside)
    one, zero = backend.full((), 1.0, dtype), backend.full((), 0.0, dtype)
    return backend.where(is_covered, backend.divide(weights, backend.where(is_covered, total, one)), zero)


def _mixed(x: Any, axis: int, weights: Any) -> Any:
    """Multiply an axis by a matrix."""
    backend = current()
    rank = len(backend.shape(x))
    order = (*(a for a in range(rank) if a != axis), axis)
    product = backend.matmul(backend.transpose(x, order), weights)
    return backend.transpose(product, tuple(order.index(a) for a in range(rank)))


def _check_method(method: str, choices: Sequence[str]) -> None:
    if method not in choices:
        raise ValueError(f"Expected the interpolation to be one of {sorted(choices)}. Received: {method!r}.")


@op
def scale_and_translate(
    images: Any,
    output_shape: Sequence[int],
    scale: Any,
    translation: Any,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Any:
    """Scale and translate an array along some axes.

    Args:
        images: array of any shape.
        output_shape: tuple of ints, the shape of the result.
        scale: array of scaling factors, one for each of the axes.
        translation: array of shifts along the axes, in entries, applied after scaling.
        spatial_dims: tuple of ints, the axes.
        method: "linear", "bilinear", "triangle", "cubic", "bicubic", "lanczos3" or "lanczos5".
        antialias: bool, whether to average when shrinking; default True.

    Raises:
        ValueError: for an unknown method.

    >>> scale_and_translate([0.0, 2.0], (4,), [2.0], [0.0], (0,), "linear")
    array([0. , 0.5, 1.5, 2. ], dtype=float32)
    """
    _check_method(method, list(_KERNELS))
    backend = current()
    x = array(images)
    dtype = backend.dtype(x)
    result = compute_floats(x)
    work = backend.dtype(result)
    scale, translation = array(scale, work), array(translation, work)
    for n, axis in enumerate(spatial_dims):
        axis = _call.axis_of(axis, len(backend.shape(result)))
        factor, shift = (backend.getitem(v, (n,)) for v in (scale, translation))
        size = backend.shape(result)[axis]
        weights = _weights(size, output_shape[axis], factor, shift, method, antialias, work)
        result = _mixed(result, axis, weights)
    return as_dtype(result, dtype)


@op
def resize(
    images: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Resize images.

    Args:
        images: images.
        size: (height, width) of the result.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: bool, whether to average when shrinking; default False.
        crop_to_aspect_ratio: bool, whether to crop first, so that nothing is distorted; default False.
        pad_to_aspect_ratio: bool, whether to pad first, so that nothing is distorted; default False.
        fill_mode: "constant", how to pad.
        fill_value: float, the value of the padding; default 0.0.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    Raises:
        ValueError: for unknown arguments, or both ways to keep the aspect ratio.

    >>> resize([[[0.0], [2.0]]], (1, 4))[0, :, 0]
    array([0. , 0.5, 1.5, 2. ], dtype=float32)
    """
    _check_method(interpolation, ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
    if fill_mode != "constant":
        raise ValueError(f'Expected fill_mode="constant". Received: {fill_mode!r}.')
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Expected one of crop_to_aspect_ratio and pad_to_aspect_ratio. Received: both.")
    if len(size) != 2:
        raise ValueError(f"Expected size to be (height, width). Received: {size}.")
    if any(int(n) < 1 for n in size):
        raise ValueError(f"Expected size to be (height, width) of at least 1. Received: {tuple(size)}.")
    backend = current()
    x = check_images(images)
    is_last = is_channels_last(data_format)
    axes = _spatial_axes(x, is_last)
    target = tuple(map(int, size))
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        x = _with_aspect(x, axes, target, pad_to_aspect_ratio, fill_value)
    dtype = backend.dtype(x)
    if interpolation != "nearest":
        x = compute_floats(x)
    for axis, count in zip(axes, target, strict=True):
        have = backend.shape(x)[axis]
        if have == count:
            continue
        if interpolation == "nearest":
            x = backend.take(x, _nearest_indices(have, count), axis)
        else:
            ratio = 1.0 if have is None else count / have
            weights = _weights(have, count, ratio, 0.0, interpolation, antialias, backend.dtype(x))
            x = _mixed(x, axis, weights)
    return x if interpolation == "nearest" else as_dtype(x, dtype)


def _spatial_axes(x: Any, is_last: bool) -> tuple[int, int]:
    rank = len(current().shape(x))
    return (rank - 3, rank - 2) if is_last else (rank - 2, rank - 1)


def _nearest_indices(have: int | None, count: int) -> Any:
    if have is None:
        return current().full((count,), 0, "int32")
    return current().array(((np.arange(count) + 0.5) * have / count).astype("int32"))


def aspect_window(height: int, width: int, target: tuple, pads: bool) -> tuple:
    """Return the region of an image that has a given aspect ratio: (first row, rows), (first column, columns).

    Args:
        height, width: size of the image.
        target: (height, width), which gives the ratio.
        pads: whether the region may extend beyond the image; otherwise it is inside.

    >>> aspect_window(4, 6, (1, 1), pads=False), aspect_window(4, 6, (1, 1), pads=True)
    (((0, 4), (1, 4)), ((-1, 6), (0, 6)))
    """
    parts = []
    for have, want in ((height, int(width * target[0] / target[1])), (width, int(height * target[1] / target[0]))):
        if pads:
            before = (max(have, want) - have) // 2
            parts.append((-before, have + 2 * before))
        else:
            kept = max(min(have, want), 1)
            parts.append(((have - kept) // 2, kept))
    return tuple(parts)


def _with_aspect(x: Any, axes: tuple, target: tuple, pads: bool, fill_value: float) -> Any:
    """Crop or pad images to the aspect ratio of the target."""
    backend = current()
    height, width = (backend.shape(x)[a] for a in axes)
    if None in (height, width):
        return x
    index, widths = [slice(None)] * len(backend.shape(x)), [(0, 0)] * len(backend.shape(x))
    for axis, (start, size) in zip(axes, aspect_window(height, width, target, pads), strict=True):
        index[axis], widths[axis] = slice(start, start + size), (-start, -start)
    if not pads:
        return backend.getitem(x, tuple(index))
    kind = float if backend.dtype(x) in dtypes.FLOATS else int
    return backend.pad(x, widths, kind(fill_value))


# --------------------------------------------------------------------- colours


def _channels(x: Any, is_last: bool) -> list:
    """Return the colour channels of images."""
    backend = current()
    axis = len(backend.shape(x)) - (1 if is_last else 3)
    if backend.shape(x)[axis] != 3:
        raise ValueError(f"Expected images with 3 channels. Received shape: {tuple(backend.shape(x))}.")
    return [backend.getitem(x, (slice(None),) * axis + (n,)) for n in range(3)]


def _float_images(images: Any) -> Any:
    x = check_images(images)
    if current().dtype(x) not in dtypes.FLOATS:
        raise ValueError(f"Expected images of floats. Received dtype: {current().dtype(x)}.")
    return x


@op
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """Convert colour images to grayscale, with one channel.

    Args:
        images: array with 3 channels; images with 1 channel are returned unchanged.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> rgb_to_grayscale([[[1.0, 0.0, 0.0]]])
    array([[[0.2989]]], dtype=float32)
    """
    backend = current()
    x = check_images(images)
    is_last = is_channels_last(data_format)
    axis = len(backend.shape(x)) - (1 if is_last else 3)
    if backend.shape(x)[axis] == 1:
        return x
    dtype = backend.dtype(x)
    planes = [float_array(plane) for plane in _channels(x, is_last)]
    red, green, blue = (backend.multiply(p, w) for p, w in zip(planes, (0.2989, 0.587, 0.114), strict=True))
    gray = backend.cast(backend.add(backend.add(red, green), blue), dtype)
    return movement.expand_dims(gray, axis)


@op
def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """Convert RGB to hue, saturation and value, each from 0 to 1.

    Args:
        images: array of floats from 0 to 1, with 3 channels.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> rgb_to_hsv([[[0.0, 0.5, 0.0]]])
    array([[[0.33333334, 1.        , 0.5       ]]], dtype=float32)
    """
    backend = current()
    x = _float_images(images)
    is_last = is_channels_last(data_format)
    dtype = backend.dtype(x)
    red, green, blue = _channels(x, is_last)
    zero, one = backend.full((), 0.0, dtype), backend.full((), 1.0, dtype)
    value = backend.maximum(backend.maximum(red, green), blue)
    spread = backend.subtract(value, backend.minimum(backend.minimum(red, green), blue))
    has_light, has_colour = backend.greater(value, 0.0), backend.greater(spread, 0.0)
    saturation = backend.where(has_light, backend.divide(spread, backend.where(has_light, value, one)), zero)
    unit = backend.multiply(backend.where(has_colour, spread, one), 6.0)

    def hue_from(a: Any, b: Any, start: Any) -> Any:
        return backend.add(backend.divide(backend.subtract(a, b), unit), start)

    hue = backend.where(backend.equal(value, green), hue_from(blue, red, 1 / 3), hue_from(red, green, 2 / 3))
    hue = backend.where(backend.equal(value, red), hue_from(green, blue, 0.0), hue)
    hue = backend.where(has_colour, hue, zero)
    hue = backend.where(backend.less(hue, 0.0), backend.add(hue, 1.0), hue)
    return backend.stack([hue, saturation, value], -1 if is_last else len(backend.shape(hue)) - 2)


@op
def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """Convert hue, saturation and value to RGB: the inverse of ``rgb_to_hsv``.

    Args:
        images: array of floats from 0 to 1, with 3 channels.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> hsv_to_rgb([[[0.5, 1.0, 1.0]]])
    array([[[0., 1., 1.]]], dtype=float32)
    """
    backend = current()
    x = _float_images(images)
    is_last = is_channels_last(data_format)
    hue, saturation, value = _channels(x, is_last)
    angle = backend.multiply(backend.mod(hue, 1.0), 6.0)

    def clipped(v: Any) -> Any:
        return backend.minimum(backend.maximum(v, 0.0), 1.0)

    def distance_from(centre: Any) -> Any:
        return backend.absolute(backend.subtract(angle, centre))

    fractions = [
        clipped(backend.subtract(distance_from(3.0), 1.0)),
        clipped(backend.subtract(2.0, distance_from(2.0))),
        clipped(backend.subtract(2.0, distance_from(4.0))),
    ]
    rest = backend.subtract(1.0, saturation)
    planes = [
        backend.multiply(value, backend.add(rest, backend.multiply(saturation, fraction))) for fraction in fractions
    ]
    return backend.stack(planes, -1 if is_last else len(backend.shape(hue)) - 2)


# --------------------------------------------------------------------- borders


def _edges(have: int | None, before: Any, after: Any, target: int | None, sign: int) -> tuple[int, int]:
    """Return the padding or cropping at both ends of an axis, from two of (before, after, size of the result)."""
    if [before, after, target].count(None) != 1:
        raise ValueError(
            f"Expected exactly two of before, after and target size. Received: {before}, {after}, {target}."
        )
    if target is not None:
        if have is None:
            return before or 0, after or 0
        change = sign * (target - have)
        before = change - after if before is None else before
        after = change - before if after is None else after
    if before < 0 or after < 0:
        raise ValueError(f"Expected borders of at least 0. Received: {before} and {after}, for size {have}.")
    return before, after


@op
def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Pad images with zeros.

    Args:
        images: images.
        top_padding, bottom_padding, target_height: ints, exactly two of the three.
        left_padding, right_padding, target_width: ints, exactly two of the three.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    Raises:
        ValueError: if not exactly two are given, or padding would be negative.

    >>> pad_images([[[1.0]]], 1, 0, 0, 1)[:, :, 0]
    array([[0., 0.],
           [1., 0.]], dtype=float32)
    """
    backend = current()
    x = check_images(images)
    rows, columns = _spatial_axes(x, is_channels_last(data_format))
    widths = [(0, 0)] * len(backend.shape(x))
    widths[rows] = _edges(backend.shape(x)[rows], top_padding, bottom_padding, target_height, 1)
    widths[columns] = _edges(backend.shape(x)[columns], left_padding, right_padding, target_width, 1)
    return _with_targets(backend.pad(x, widths), {rows: target_height, columns: target_width})


@op
def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Crop images.

    Args:
        images: images.
        top_cropping, bottom_cropping, target_height: ints, exactly two of the three.
        left_cropping, right_cropping, target_width: ints, exactly two of the three.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    Raises:
        ValueError: if not exactly two are given, or a crop would be negative or leave nothing.

    >>> crop_images(np.arange(4.0).reshape(2, 2, 1), 0, 1, 1, 0)[:, :, 0]
    array([[1.]])
    """
    backend = current()
    x = check_images(images)
    rows, columns = _spatial_axes(x, is_channels_last(data_format))
    index = [slice(None)] * len(backend.shape(x))
    for axis, before, after, target in (
        (rows, top_cropping, bottom_cropping, target_height),
        (columns, left_cropping, right_cropping, target_width),
    ):
        size = backend.shape(x)[axis]
        start, end = _edges(size, before, after, target, -1)
        if size is not None and start + end >= size:
            raise ValueError(f"Expected borders that leave a part of {size} pixels. Received: {start} and {end}.")
        stop = -end or None
        index[axis] = slice(start, start + target if size is None and target is not None else stop)
    return _with_targets(backend.getitem(x, tuple(index)), {rows: target_height, columns: target_width})


def _with_targets(x: Any, targets: Mapping[int, int | None]) -> Any:
    """Set unknown sizes of an image to those that were requested."""
    unknown = {axis: n for axis, n in targets.items() if n is not None and current().shape(x)[axis] is None}
    return _call.sized(x, unknown) if unknown and current().is_symbolic else x


# --------------------------------------------------------------------- patches


def _patch_size(size: Any, axes: int) -> tuple:
    if not isinstance(size, int | list | tuple):
        raise TypeError(f"Expected size to be an int or a tuple of ints. Received: {size!r}.")
    return window_geometry.per_axis(size, axes)


def _patches(x: Any, size: Any, strides: Any, dilation: Any, padding: str, data_format: str | None) -> Any:
    backend = current()
    x = array(x)
    rank = len(backend.shape(x))
    spatial = len(size)
    is_single = rank == spatial + 1
    if rank not in (spatial + 1, spatial + 2):
        raise ValueError(f"Expected {spatial + 2} axes, or one less for a single one. Received shape: {rank} axes.")
    x = _call.reshaped(x, (1, *backend.shape(x))) if is_single else x
    channels = backend.shape(x)[-1 if is_channels_last(data_format) else 1]
    depth = math.prod(size) * channels
    # A convolution with the identity copies each window into the channels.
    kernel = np.eye(depth).reshape(*size, channels, depth)
    kernel = backend.array(kernel, backend.dtype(x))
    result = windows.conv(x, kernel, strides, padding, data_format, dilation)
    return backend.getitem(result, (0,)) if is_single else result


@op
def extract_patches(
    images: Any,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Extract patches of images into the channels.

    Args:
        images: images.
        size: int or tuple, height and width of a patch; three sizes for volumes.
        strides: int or tuple, steps between patches; default ``size``.
        dilation_rate: int, distance between the entries of a patch; default 1.
        padding: "valid", or "same" to pad with zeros; default "valid".
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    Returns:
        (batch, rows, columns, height * width * channels), or channels first.

    >>> extract_patches(np.zeros((1, 4, 4, 3), "float32"), 2).shape
    (1, 2, 2, 12)
    """
    size = _patch_size(size, 2)
    if len(size) not in (2, 3):
        raise ValueError(f"Expected size to be an int, or 2 or 3 of them. Received: {size}.")
    strides = size if strides is None else strides
    return _patches(images, size, strides, dilation_rate, padding, data_format)


@op
def extract_patches_3d(
    volumes: Any,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Extract patches of volumes into the channels; see ``extract_patches`` for the arguments.

    >>> extract_patches_3d(np.zeros((1, 4, 4, 4, 1), "float32"), 2).shape
    (1, 2, 2, 2, 8)
    """
    size = _patch_size(size, 3)
    if len(size) != 3:
        raise TypeError(f"Expected size to be an int, or 3 of them. Received: {size}.")
    strides = size if strides is None else strides
    return _patches(volumes, size, strides, dilation_rate, padding, data_format)


# --------------------------------------------------------------------- filters


def _bell(size: int, sigma: Any, dtype: str) -> Any:
    """Return the weights of a Gaussian over a centred window."""
    backend = current()
    position = backend.array(np.arange(size) - (size - 1) / 2, dtype)
    distance = backend.square(backend.divide(position, array(sigma, dtype)))
    weights = backend.exp(backend.multiply(distance, -0.5))
    return backend.divide(weights, backend.sum(weights))


def _filtered(x: Any, rows: Any, columns: Any, padding: str) -> Any:
    """Filter every channel of (batch, height, width, channels) along both spatial axes."""
    backend = current()
    channels = backend.shape(x)[-1]
    for weights, is_row in ((rows, True), (columns, False)):
        size = backend.shape(weights)[0]
        window = (size, 1) if is_row else (1, size)
        kernel = backend.broadcast_to(backend.reshape(weights, (*window, 1, 1)), (*window, channels, 1))
        x = windows.depthwise_conv(x, kernel, 1, padding, "channels_last")
    return x


@op
def gaussian_blur(
    images: Any, kernel_size: Sequence[int] = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Any:
    """Blur images with a Gaussian; they are padded with zeros.

    Args:
        images: images.
        kernel_size: (width, height) of the window.
        sigma: (horizontal, vertical) standard deviations, in pixels.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> gaussian_blur([[[0.0], [1.0], [0.0]]], (3, 1))[0, :, 0].round(4)
    array([0.2741, 0.4519, 0.2741], dtype=float32)
    """
    backend = current()
    x = check_images(images)
    is_last, dtype = is_channels_last(data_format), backend.dtype(x)
    is_single = len(backend.shape(x)) == 3
    x = compute_floats(to_batch(x, is_last))
    work = backend.dtype(x)
    sigma = [sigma[n] if isinstance(sigma, list | tuple) else backend.getitem(array(sigma), (n,)) for n in (0, 1)]
    columns, rows = (_bell(int(n), s, work) for n, s in zip(kernel_size, sigma, strict=True))
    return from_batch(as_dtype(_filtered(x, rows, columns, "same"), dtype), is_last, is_single)


@op
def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Apply random elastic distortions to images.

    P. Simard et al., "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis" (2003).

    Args:
        images: images.
        alpha: float, the strength of the distortion; default 20.0.
        sigma: float, its smoothness in pixels; default 5.0.
        interpolation: "nearest" or "bilinear".
        fill_mode: how to fill points outside the input; as for ``map_coordinates``.
        fill_value: value for fill_mode "constant".
        seed: int, SeedGenerator or None.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> elastic_transform(np.ones((8, 8, 1), "float32"), seed=1).shape
    (8, 8, 1)
    """
    from polykeras import random

    _check_method(interpolation, list(INTERPOLATIONS))
    _check_method(fill_mode, FILL_MODES)
    backend = current()
    x = check_images(images)
    is_last, dtype = is_channels_last(data_format), backend.dtype(x)
    is_single = len(backend.shape(x)) == 3
    x = compute_floats(to_batch(x, is_last))
    batch, height, width, _ = backend.shape(x)
    pulls = random.normal((batch, height, width, 2), 0.0, float(sigma), backend.dtype(x), seed)
    weights = _bell(int(6 * sigma) | 1, float(sigma), backend.dtype(x))
    pulls = backend.multiply(_filtered(pulls, weights, weights, "same"), float(alpha))
    rows = _call.reshaped(backend.arange(0, height, 1, backend.dtype(x)), (1, -1, 1))
    columns = _call.reshaped(backend.arange(0, width, 1, backend.dtype(x)), (1, 1, -1))
    down, across = (backend.getitem(pulls, (..., n)) for n in (0, 1))
    positions = backend.add(rows, down), backend.add(columns, across)
    result = sample_images(x, *positions, INTERPOLATIONS[interpolation], fill_mode, fill_value)
    return from_batch(as_dtype(result, dtype), is_last, is_single)


@op
def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """Return the gradients of images by Sobel filters; they are padded with zeros.

    Args:
        images: images.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    Returns:
        An array with the shape of the images and a last axis: (vertical, horizontal).

    >>> sobel_edges(np.zeros((1, 4, 4, 3), "float32")).shape
    (1, 4, 4, 3, 2)
    """
    backend = current()
    x = float_array(check_images(images))
    is_last, is_single = is_channels_last(data_format), len(backend.shape(x)) == 3
    x = to_batch(x, is_last)
    slope, smooth = (backend.array(np.array(v), backend.dtype(x)) for v in ([-1.0, 0.0, 1.0], [1.0, 2.0, 1.0]))
    edges = [_filtered(x, slope, smooth, "same"), _filtered(x, smooth, slope, "same")]
    return backend.stack([from_batch(edge, is_last, is_single) for edge in edges], -1)


@op
def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    """Return the structural similarity (SSIM) of images: 1 for equal ones.

    Z. Wang et al., "Image quality assessment: from error visibility to structural similarity"
    (IEEE Transactions on Image Processing, 2004).

    Args:
        image1, image2: images of the same shape.
        max_val: the largest possible value.
        filter_size, filter_sigma: size and standard deviation of the Gaussian window.
        k1, k2: small constants that stabilize the division.
        data_format: "channels_last" or "channels_first"; None for ``config.image_data_format()``.

    >>> ssim(np.ones((16, 16, 1), "float32"), np.ones((16, 16, 1), "float32")).round(4)
    np.float32(1.0)
    """
    backend = current()
    first, second = _call.same_dtype(*_call.float_operands(check_images(image1), check_images(image2)))
    is_last, is_single, dtype = is_channels_last(data_format), len(backend.shape(first)) == 3, backend.dtype(first)
    first, second = (compute_floats(to_batch(x, is_last)) for x in (first, second))
    weights = _bell(filter_size, float(filter_sigma), backend.dtype(first))

    def local(x: Any) -> Any:
        return _filtered(x, weights, weights, "valid")

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mean1, mean2 = local(first), local(second)
    product, squares = backend.multiply(mean1, mean2), backend.add(backend.square(mean1), backend.square(mean2))
    powers = backend.add(local(backend.square(first)), local(backend.square(second)))
    shared = backend.subtract(local(backend.multiply(first, second)), product)
    spread = backend.subtract(powers, squares)

    def twice(x: Any, c: Any) -> Any:
        return backend.add(backend.multiply(x, 2.0), c)

    upper = backend.multiply(twice(product, c1), twice(shared, c2))
    lower = backend.multiply(backend.add(squares, c1), backend.add(spread, c2))
    result = backend.cast(backend.mean(backend.divide(upper, lower), (1, 2, 3)), dtype)
    return backend.getitem(result, (0,)) if is_single else result
