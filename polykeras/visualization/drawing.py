"""Drawing of bounding boxes and segmentation masks on images, in NumPy."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.config import standardize_data_format
from polykeras.core import naming
from polykeras.core.extras import require
from polykeras.ops.boxes import convert_format

#: Height of letters in pixels at ``font_scale=1``.
_LETTER_HEIGHT = 20


def image_batch(images: Any, data_format: str | None = None) -> np.ndarray:
    """Return images as a new NumPy array (batch, height, width, channels).

    Args:
        images: array of any backend, with 4 axes.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    Raises:
        ValueError: for another number of axes.
    """
    x = ops.convert_to_numpy(images)
    if x.ndim != 4:
        raise ValueError(f"Expected images with 4 axes, including the batch axis. Received shape: {x.shape}.")
    return x if standardize_data_format(data_format) == "channels_last" else np.moveaxis(x, 1, -1).copy()


def _as_given(images: np.ndarray, data_format: str | None) -> np.ndarray:
    is_last = standardize_data_format(data_format) == "channels_last"
    return images if is_last else np.moveaxis(images, -1, 1)


def _as_bytes(images: np.ndarray) -> np.ndarray:
    return images if images.dtype == np.uint8 else np.clip(np.round(images), 0, 255).astype(np.uint8)


def _in_channels(color: Sequence[int], channels: int) -> np.ndarray:
    """A color for images with 3 channels, 1 channel (as brightness) or 4 channels (opaque)."""
    if channels == 1:
        return np.array([round(np.mean(color))], np.uint8)
    return np.array([*color, *(255,) * (channels - len(color))], np.uint8)


# ------------------------------------------------------------------------ boxes


def draw_bounding_boxes(
    images: Any,
    bounding_boxes: dict,
    bounding_box_format: str,
    class_mapping: dict | None = None,
    color: Sequence[int] = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Return images with bounding boxes drawn on them.

    Args:
        images: array (batch, height, width, channels), or channels first, with values from 0 to 255.
        bounding_boxes: dict of ``boxes``, (batch, count, 4), ``labels``, (batch, count), and optionally
            ``confidences``, (batch, count). Boxes with label -1 are ignored.
        bounding_box_format: str, as for ``keras.utils.bounding_boxes.convert_format``.
        class_mapping: dict from labels to names, which are written next to the boxes; requires Pillow; default None.
        color: tuple (red, green, blue), from 0 to 255; default (128, 128, 128).
        line_thickness, text_thickness: ints, in pixels; defaults 2 and 1.
        font_scale: float, size of the names; default 1.0.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    Raises:
        ValueError: for images without a batch axis, or boxes without labels.
        TypeError: if ``bounding_boxes`` is not a dict.
        ImportError: if names are to be written but Pillow is not installed.

    >>> import polykeras as keras
    >>> boxes = {"boxes": np.array([[[1, 1, 4, 4]]]), "labels": np.array([[0]])}
    >>> keras.visualization.draw_bounding_boxes(np.zeros((1, 5, 5, 1)), boxes, "xyxy", line_thickness=1)[0, ..., 0]
    array([[  0,   0,   0,   0,   0],
           [  0, 128, 128, 128,   0],
           [  0, 128,   0, 128,   0],
           [  0, 128, 128, 128,   0],
           [  0,   0,   0,   0,   0]], dtype=uint8)
    """
    if not isinstance(bounding_boxes, dict):
        raise TypeError(f"Expected bounding_boxes to be a dict. Received: {type(bounding_boxes).__name__}.")
    if not {"boxes", "labels"} <= set(bounding_boxes):
        raise ValueError(
            f"Expected bounding_boxes with boxes and labels. Received: keys {naming.listed(sorted(bounding_boxes))}."
        )
    result = _as_bytes(image_batch(images, data_format))
    corners = convert_format(bounding_boxes["boxes"], bounding_box_format, "xyxy", *result.shape[1:3])
    corners = np.round(ops.convert_to_numpy(corners)).astype(int)
    labels = ops.convert_to_numpy(bounding_boxes["labels"]).astype(int)
    confidences = bounding_boxes.get("confidences")
    confidences = None if confidences is None else ops.convert_to_numpy(confidences)
    ink = _in_channels(color, result.shape[-1])
    for index in zip(*np.nonzero(labels != -1), strict=True):
        image, label = result[index[0]], int(labels[index])
        _draw_frame(image, corners[index], ink, line_thickness)
        if class_mapping is not None and label in class_mapping:
            text = str(class_mapping[label])
            text = text if confidences is None else f"{text} {confidences[index]:.2f}"
            _write(image, text, corners[index][:2], ink, text_thickness, font_scale)
    return _as_given(result, data_format)


def _draw_frame(image: np.ndarray, corners: np.ndarray, ink: np.ndarray, thickness: int) -> None:
    height, width = image.shape[:2]
    left, top, right, bottom = corners
    for x1, y1, x2, y2 in (
        (left, top, right, top + thickness),
        (left, bottom - thickness, right, bottom),
        (left, top, left + thickness, bottom),
        (right - thickness, top, right, bottom),
    ):
        rows = slice(max(y1, 0), min(max(y2, 0), height))
        image[rows, max(x1, 0) : min(max(x2, 0), width)] = ink


def _write(image: np.ndarray, text: str, corner: np.ndarray, ink: np.ndarray, thickness: int, scale: float) -> None:
    """Write text above a corner, or below it at the top of the image."""
    purpose = "names beside bounding boxes"
    pillow, drawing, fonts = (require(f"PIL.{name}", "images", purpose) for name in ("Image", "ImageDraw", "ImageFont"))
    picture = pillow.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    font = fonts.load_default(size=_LETTER_HEIGHT * scale)
    pen = drawing.Draw(picture)
    options = {"font": font, "stroke_width": thickness - 1}
    left, top = int(max(corner[0], 0)), int(corner[1])
    height = pen.textbbox((0, 0), text, **options)[3]
    start = (left, top - height if top >= height else max(top, 0))
    pen.text(start, text, fill=tuple(map(int, ink)) if len(ink) > 1 else int(ink[0]), **options)
    image[...] = np.asarray(picture).reshape(image.shape)


# ------------------------------------------------------------------------ masks


def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: dict | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Return images with the pixels of each class in its color. Class 0 is the background and not drawn.

    Args:
        images: array (batch, height, width, 3), or channels first, with values from 0 to 255.
        segmentation_masks: array of ints, (batch, height, width), or with a channel axis of size 1.
        num_classes: int, the largest class to draw; default None, for all.
        color_mapping: dict from classes to (red, green, blue); default None, for different hues.
        alpha: float from 0 to 1, opacity of the colors; default 0.8.
        blend: bool, whether to blend colors with the images, or to use opaque colors; default True.
        ignore_index: int, class that is not drawn; default -1.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    Raises:
        ValueError: for images without a batch axis, or masks of another shape.
        TypeError: if the masks are not integers.

    >>> import polykeras as keras
    >>> mask = np.array([[[0, 1]]])
    >>> keras.visualization.draw_segmentation_masks(np.zeros((1, 1, 2, 3)), mask, color_mapping={1: (0, 50, 100)})
    array([[[[ 0,  0,  0],
             [ 0, 40, 80]]]], dtype=uint8)
    """
    result = image_batch(images, data_format).astype("float64")
    masks = ops.convert_to_numpy(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(f"Expected segmentation_masks of integers. Received dtype: {masks.dtype}.")
    if masks.ndim == 4:
        masks = masks[..., 0] if standardize_data_format(data_format) == "channels_last" else masks[:, 0]
    if masks.shape != result.shape[:3]:
        raise ValueError(
            f"Expected segmentation_masks of shape {result.shape[:3]}, that of the images. Received: {masks.shape}."
        )
    count = int(masks.max(initial=0)) if num_classes is None else num_classes
    colors = hues(count) if color_mapping is None else color_mapping
    fraction = alpha if blend else 1.0
    for label, color in colors.items():
        if label not in (0, ignore_index) and label <= count:
            is_here = masks == label
            result[is_here] = (1 - fraction) * result[is_here] + fraction * _in_channels(color, result.shape[-1])
    return _as_given(_as_bytes(result), data_format)


def hues(count: int) -> dict[int, tuple]:
    """Return colors for the classes 1 to count, with very different hues for consecutive classes.

    >>> hues(1)
    {1: (65, 109, 217)}
    """
    # Steps by the golden ratio keep all hues well separated.
    colors = (colorsys.hsv_to_rgb(n * 0.618034 % 1, 0.7, 0.85) for n in range(1, count + 1))
    return {n + 1: tuple(round(255 * part) for part in color) for n, color in enumerate(colors)}
