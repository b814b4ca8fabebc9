"""Conversion between arrays and Pillow images, and reading and writing of image files."""

from __future__ import annotations

import functools
import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backends, config, ops
from polykeras.core.extras import require
from polykeras.core.renamed import also_named, ordered_by_era
from polykeras.ops.image import aspect_window

#: Number of channels by color mode.
COLOR_MODES = {"grayscale": 1, "rgb": 3, "rgba": 4}
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_RESIZED_BY_OPS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


def _pillow() -> Any:
    return require("PIL.Image", "images", "reading and writing images")


def one_of(name: str, value: Any, choices: Any) -> Any:
    """Return a value that is one of the choices.

    Raises:
        ValueError: for any other value.

    >>> one_of("color_mode", "rgb", ("rgb", "rgba"))
    'rgb'
    """
    if value not in tuple(choices):
        raise ValueError(f"Expected {name} to be one of {tuple(choices)}. Received: {value!r}.")
    return value


@also_named(dim_ordering="data_format")
def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """Convert an array to a Pillow image.

    Args:
        x: array of shape (height, width, channels) or (channels, height, width), with 1, 3 or 4 channels.
        data_format: "channels_last" or "channels_first"; default ``config.image_data_format()``.
        scale: bool, whether to rescale the values to the range from 0 to 255; default True.
        dtype: dtype of the computation; default ``floatx()``.

    Raises:
        ValueError: for other shapes.

    >>> array_to_img(np.zeros((2, 3, 1))).size
    (3, 2)
    """
    pillow = _pillow()
    data_format = config.standardize_data_format(data_format)
    x = ops.convert_to_numpy(x).astype(dtype or config.floatx())
    if x.ndim != 3:
        raise ValueError(f"Expected one image, an array of rank 3. Received shape: {x.shape}.")
    if data_format == "channels_first":
        x = x.transpose(1, 2, 0)
    if x.shape[-1] not in (1, 3, 4):
        raise ValueError(f"Expected 1, 3 or 4 channels, {data_format}. Received: {x.shape[-1]}.")
    if scale:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[-1] == 1:
        x = x[..., 0]
        return pillow.fromarray(x.astype("int32" if x.max(initial=0) > 255 else "uint8"))
    return pillow.fromarray(x.astype("uint8"))


@also_named(dim_ordering="data_format")
def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """Convert a Pillow image to an array with a channel axis.

    Args:
        img: Pillow image, or array of rank 2 or 3.
        data_format: "channels_last" or "channels_first"; default ``config.image_data_format()``.
        dtype: dtype of the result; default ``floatx()``.

    Raises:
        ValueError: for another rank.

    >>> img_to_array(array_to_img(np.zeros((2, 3, 1)))).shape
    (2, 3, 1)
    """
    data_format = config.standardize_data_format(data_format)
    x = np.asarray(img, dtype or config.floatx())
    if x.ndim not in (2, 3):
        raise ValueError(f"Expected an image of rank 2 or 3. Received shape: {x.shape}.")
    x = x[..., None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if data_format == "channels_first" else x


@ordered_by_era
def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
    *,
    grayscale: bool = False,
) -> Any:
    """Load a Pillow image from a file.

    Args:
        path: path of the file, or ``io.BytesIO``.
        color_mode: "grayscale", "rgb" or "rgba"; grayscale images of 16 or 32 bits are kept unchanged; default "rgb".
        target_size: (height, width) to resize to; default None, for the size in the file.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos"; default "nearest".
        keep_aspect_ratio: bool, whether to crop the center to the aspect ratio of ``target_size`` first; default False.
        grayscale: bool, of Keras 2, for ``color_mode="grayscale"``; default False.

    Raises:
        ValueError: for an unknown color mode or interpolation.
        TypeError: if ``path`` is neither a path nor ``io.BytesIO``.

    >>> buffer = io.BytesIO(); save_img(buffer, np.zeros((2, 3, 3)), file_format="png")
    >>> load_img(buffer, "grayscale", target_size=(4, 4)).size
    (4, 4)
    """
    pillow = _pillow()
    color_mode = "grayscale" if grayscale else one_of("color_mode", color_mode, COLOR_MODES)
    one_of("interpolation", interpolation, _INTERPOLATIONS)
    if isinstance(path, io.BytesIO):
        img = pillow.open(path)
    elif isinstance(path, str | os.PathLike):
        with Path(path).open("rb") as file:
            img = pillow.open(io.BytesIO(file.read()))
    else:
        raise TypeError(f"Expected a path or io.BytesIO. Received: {path!r} of type {type(path).__name__}.")
    modes = {"grayscale": ("L", "I;16", "I"), "rgb": ("RGB",), "rgba": ("RGBA",)}[color_mode]
    img = img if img.mode in modes else img.convert(modes[0])
    if target_size is None:
        return img
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        (top, rows), (left, columns) = aspect_window(img.height, img.width, (height, width), False)
        box = (left, top, left + columns, top + rows)
    return img.resize((width, height), getattr(pillow.Resampling, interpolation.upper()), box=box)


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Save an array as an image file.

    Args:
        path: path of the file, or an open file.
        x, data_format, scale: as for ``array_to_img``.
        file_format: str such as "png"; default None, to infer it from the file name.
        **kwargs: further arguments of ``PIL.Image.Image.save``.

    JPEG does not support an alpha channel: it is dropped, with a warning.

    >>> import numpy as np, polykeras as keras, tempfile
    >>> path = tempfile.mkdtemp() + "/red.png"
    >>> keras.utils.save_img(path, np.full((2, 3, 3), [255.0, 0.0, 0.0]), scale=False)
    >>> keras.utils.load_img(path).size
    (3, 2)
    """
    img = array_to_img(x, data_format=data_format, scale=scale)
    kind = file_format or (Path(path).suffix if isinstance(path, str | os.PathLike) else "")
    if img.mode == "RGBA" and kind.lower().lstrip(".") in ("jpg", "jpeg"):
        warnings.warn("JPEG does not support an alpha channel: it is dropped.", stacklevel=2)
        img = img.convert("RGB")
    if file_format is not None and file_format.lower() == "jpg":
        file_format = "jpeg"
    img.save(path, format=file_format, **kwargs)


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
    backend_module: Any = None,
) -> Any:
    """Resize images to a target size, cropping them to preserve the aspect ratio.

    Args:
        x: one image (height, width, channels), or a batch of images.
        size: (height, width) of the result.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5"; default "bilinear".
        data_format: "channels_last" or "channels_first"; default "channels_last".
        backend_module: accepted for compatibility and ignored; default None.

    Returns:
        An array of the same type as ``x``.

    >>> smart_resize(np.ones((4, 8, 3)), (2, 2)).shape
    (2, 2, 3)
    """
    if len(size) != 2:
        raise ValueError(f"Expected size to be (height, width). Received: {size!r}.")
    if len(x.shape) not in (3, 4):
        raise ValueError(f"Expected an image of rank 3, or a batch of rank 4. Received shape: {tuple(x.shape)}.")
    resize = functools.partial(
        ops.image.resize,
        size=size,
        interpolation=interpolation,
        data_format=data_format,
        crop_to_aspect_ratio=True,
    )
    if isinstance(x, np.ndarray):
        with backends.use("numpy"):
            return np.asarray(resize(x))
    return resize(x)


def read_image(
    path: str,
    size: tuple[int, int],
    color_mode: str,
    interpolation: str,
    data_format: str,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
) -> np.ndarray:
    """Read the pixels of a file, with values from 0 to 255 in ``floatx()``, and resize them on the host.

    Args: as for ``image_dataset_from_directory``.
    """
    with _pillow().open(path) as img:
        if img.mode.startswith("I"):  # 16 bits per pixel, which Pillow would clip at 255
            img = _pillow().fromarray((np.asarray(img) / 257).round().astype("uint8"))
        x = img_to_array(img.convert({"grayscale": "L"}.get(color_mode, color_mode.upper())), "channels_last")
    with backends.use("numpy"):
        x = resize_on_host(x, size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
    return x.transpose(2, 0, 1) if data_format == "channels_first" else x


def resize_on_host(x: np.ndarray, size: tuple, interpolation: str, crops: bool = False, pads: bool = False) -> Any:
    """Resize an image (height, width, channels), with any interpolation of ``image_dataset_from_directory``.

    >>> with backends.use("numpy"):
    ...     resize_on_host(np.array([[[0.0], [2.0], [4.0], [6.0]]]), (1, 2), "area")[0, :, 0]
    array([1., 5.])
    """
    height, width = x.shape[:2]
    if pads:
        inner, (top, left) = _fitted((height, width), size)
        result = np.zeros((*size, x.shape[2]), x.dtype)
        result[top : top + inner[0], left : left + inner[1]] = resize_on_host(x, inner, interpolation)
        return result
    if crops:
        (top, rows), (left, columns) = aspect_window(height, width, size, False)
        x = x[top : top + rows, left : left + columns]
    if interpolation in _RESIZED_BY_OPS:
        return ops.image.resize(x, size, interpolation, data_format="channels_last")
    rows, columns = (_mixing(have, count, interpolation) for have, count in zip(x.shape, size, strict=False))
    return np.einsum("hi,wj,ijc->hwc", rows, columns, x, optimize=True).astype(x.dtype)


def _fitted(have: tuple, size: tuple) -> tuple[tuple, tuple]:
    """The largest size with the same aspect ratio that fits into another, and its (top, left) offset."""
    height, width = have
    if width * size[0] >= height * size[1]:
        inner = max(height * size[1] // width, 1), size[1]
        return inner, ((size[0] * width - height * size[1]) // (2 * width), 0)
    inner = size[0], max(width * size[0] // height, 1)
    return inner, (0, (size[1] * height - width * size[0]) // (2 * height))


def _mixing(have: int, count: int, interpolation: str) -> np.ndarray:
    """The interpolation matrix (count, have) for an axis."""
    step = have / count
    if interpolation == "area":
        start = np.arange(count)[:, None] * step
        entry = np.arange(have)
        weights = np.clip(np.minimum(start + step, entry + 1) - np.maximum(start, entry), 0, None)
    else:
        position = (np.arange(count)[:, None] + 0.5) * step - 0.5
        weights = _KERNELS[interpolation](np.abs(position - np.arange(have)))
    return weights / weights.sum(1, keepdims=True)


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.where(x < 1.5, np.exp(-2 * x**2), 0)


def _mitchell(x: np.ndarray) -> np.ndarray:
    """D. Mitchell and A. Netravali, "Reconstruction filters in computer graphics" (1988), B = C = 1/3."""
    near = (7 * x**3 - 12 * x**2) / 6 + 8 / 9
    far = -7 / 18 * x**3 + 2 * x**2 - 10 / 3 * x + 16 / 9
    return np.where(x < 1, near, np.where(x < 2, far, 0))


_KERNELS = {"gaussian": _gaussian, "mitchellcubic": _mitchell}
INTERPOLATIONS = (*_RESIZED_BY_OPS, "area", *_KERNELS)
