"""Galleries of images, with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.core.extras import require
from polykeras.visualization.drawing import draw_bounding_boxes, draw_segmentation_masks, image_batch


def _bytes_of(images: Any, value_range: Sequence, data_format: str | None) -> np.ndarray:
    """Images with a given value range, as uint8 (batch, height, width, channels)."""
    low, high = value_range
    unit = (image_batch(images, data_format).astype("float64") - low) / (high - low)
    return np.clip(np.round(unit * 255), 0, 255).astype(np.uint8)


def _grid(count: int, rows: int | None, cols: int | None) -> tuple[int, int]:
    """Numbers of rows and columns for a number of images; by default the grid is nearly square."""
    if cols is None:
        cols = math.ceil(math.sqrt(count)) if rows is None else math.ceil(count / rows)
    return (math.ceil(count / cols) if rows is None else rows), cols


def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: dict | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Sequence = (0, 255),
    scale: float = 2,
    path: Any = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: int = 60,
    legend_handles: list | None = None,
    data_format: str | None = None,
) -> Any:
    """Show images in a grid, or save the grid to a file.

    Args:
        images: array (batch, height, width, channels), or channels first.
        y_true, y_pred: arrays of labels, (batch,), for titles; default None.
        label_map: dict from labels to names, required for titles; default None.
        rows, cols: ints, size of the grid; default None, to fit the number of images.
        value_range: pair, lowest and highest possible value; default (0, 255).
        scale: float, size of an image in inches; default 2.
        path: path of the file to write; default None.
        show: bool, whether to open a window; default None, for True unless there is a path.
        transparent: bool, whether the background of the file is transparent; default True.
        dpi: int, dots per inch of the file; default 60.
        legend_handles: list of matplotlib patches for a legend; default None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    Returns:
        The figure, if it is neither shown nor saved.

    Raises:
        ValueError: for a path with ``show=True``, images without a batch axis, or labels without ``label_map``.
        ImportError: if matplotlib is not installed.

    >>> import polykeras as keras
    >>> figure = keras.visualization.plot_image_gallery(np.zeros((5, 4, 4, 3)), cols=3, show=False)
    >>> len(figure.axes)
    6
    """
    if path is not None and show:
        raise ValueError(f"Expected a path or show=True. Received: both, path={str(path)!r}.")
    if label_map is None and not (y_true is None and y_pred is None):
        raise ValueError("Expected a label_map, for the names of y_true and y_pred. Received: none.")
    images = _bytes_of(images, value_range, data_format)
    titles = _titles(len(images), {"Label": y_true, "Pred": y_pred}, label_map)
    pyplot = require("matplotlib.pyplot", "charts", "galleries of images")
    rows, cols = _grid(len(images), rows, cols)
    figure, axes = pyplot.subplots(rows, cols, figsize=(cols * scale, rows * scale), squeeze=False, layout="tight")
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(title, fontsize=8)
    if legend_handles is not None:
        figure.legend(handles=legend_handles, loc="lower center")
    if path is not None:
        figure.savefig(path, transparent=transparent, dpi=dpi)
    elif show is None or show:
        pyplot.show()
    else:
        return figure
    pyplot.close(figure)
    return None


def _titles(count: int, labels: dict, label_map: dict | None) -> list[str]:
    """The title of each image, with the labels that are given."""
    given = {key: ops.convert_to_numpy(value) for key, value in labels.items() if value is not None}
    names = label_map or {}
    return ["  ".join(f"{key}: {names[int(value[n])]}" for key, value in given.items()) for n in range(count)]


def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: dict | None = None,
    y_pred: dict | None = None,
    value_range: Sequence = (0, 255),
    true_color: Sequence[int] = (0, 188, 212),
    pred_color: Sequence[int] = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: dict | None = None,
    ground_truth_mapping: dict | None = None,
    prediction_mapping: dict | None = None,
    legend: bool = False,
    legend_handles: list | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Show a grid of images with true and predicted bounding boxes.

    Args:
        images: array (batch, height, width, channels), or channels first.
        bounding_box_format: str, as for ``keras.utils.bounding_boxes.convert_format``.
        y_true, y_pred: dicts as for ``draw_bounding_boxes``; default None.
        value_range: pair, lowest and highest possible value; default (0, 255).
        true_color, pred_color: tuples (red, green, blue), from 0 to 255; defaults (0, 188, 212) and (255, 235, 59).
        line_thickness, font_scale: as for ``draw_bounding_boxes``; defaults 2 and 1.0.
        text_thickness: as for ``draw_bounding_boxes``; default None, for ``line_thickness``.
        class_mapping: dict from labels to names; default None.
        ground_truth_mapping, prediction_mapping: such dicts for only the true or the predicted boxes; default None.
        legend: bool, whether to add a legend of the two colors; default False.
        legend_handles: list of matplotlib patches for a custom legend; default None.
        rows, cols, data_format: as for ``plot_image_gallery``.
        **kwargs: further arguments of ``plot_image_gallery``.

    Returns:
        The result of ``plot_image_gallery``.

    Raises:
        ValueError: for both ``legend`` and ``legend_handles``.

    >>> import polykeras as keras
    >>> boxes = {"boxes": np.array([[[1, 1, 4, 4]]]), "labels": np.array([[0]])}
    >>> images = np.zeros((1, 5, 5, 3))
    >>> figure = keras.visualization.plot_bounding_box_gallery(images, "xyxy", boxes, legend=True, show=False)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['Ground truth', 'Prediction']
    """
    if legend and legend_handles is not None:
        raise ValueError("Expected legend or legend_handles. Received: both.")
    pictures = _bytes_of(images, value_range, data_format)
    for boxes, color, mapping in (
        (y_true, true_color, ground_truth_mapping),
        (y_pred, pred_color, prediction_mapping),
    ):
        if boxes is not None:
            thickness = line_thickness if text_thickness is None else text_thickness
            mapping = class_mapping if mapping is None else mapping
            pictures = draw_bounding_boxes(
                pictures, boxes, bounding_box_format, mapping, color, line_thickness, thickness, font_scale,
                "channels_last",
            )  # fmt: skip
    if legend:
        patch = require("matplotlib.patches", "charts", "galleries of images").Patch
        names = {"Ground truth": true_color, "Prediction": pred_color}
        legend_handles = [patch(color=[part / 255 for part in color], label=name) for name, color in names.items()]
    return plot_image_gallery(
        pictures, rows=rows, cols=cols, legend_handles=legend_handles, data_format="channels_last", **kwargs
    )


def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int | None,
    value_range: Sequence = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: dict | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Show a grid with one row per image: the image, then with its true, then with its predicted segmentation mask.

    Args:
        images: array (batch, height, width, 3), or channels first.
        num_classes, color_mapping, blend, alpha, ignore_index: as for ``draw_segmentation_masks``; defaults
            0.8 and -1.
        value_range: pair, lowest and highest possible value; default (0, 255).
        y_true, y_pred: arrays of ints, (batch, height, width), or with a channel axis of size 1; default None.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: further arguments of ``plot_image_gallery``.

    Returns:
        The result of ``plot_image_gallery``.

    >>> import polykeras as keras
    >>> images, masks = np.zeros((3, 5, 5, 3)), np.ones((3, 5, 5), "int32")
    >>> figure = keras.visualization.plot_segmentation_mask_gallery(images, 1, y_true=masks, show=False)
    >>> len(figure.axes)
    6
    """
    pictures = _bytes_of(images, value_range, data_format)
    columns = [pictures]
    for masks in (y_true, y_pred):
        if masks is not None:
            masks = ops.convert_to_numpy(masks)
            masks = masks if masks.ndim == 3 else image_batch(masks, data_format)
            columns.append(
                draw_segmentation_masks(
                    pictures, masks, num_classes, color_mapping, alpha, blend, ignore_index, "channels_last"
                )
            )
    together = np.stack(columns, 1).reshape(-1, *pictures.shape[1:])
    layout = {"rows": len(pictures), "cols": len(columns), **kwargs}
    return plot_image_gallery(together, data_format="channels_last", **layout)
