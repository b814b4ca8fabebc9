"""Bounding boxes: their formats, their overlaps, and how they move when images are transformed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from polykeras import ops

_LAYOUTS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
_ROWS_FIRST = ("yxyx", "center_yxhw")
_CORNERS = ("xyxy", "yxyx")
FORMATS = (*_LAYOUTS, *(f"rel_{layout}" for layout in _LAYOUTS))

# Keeps quotients and logarithms of empty boxes finite.
_TINY = 1e-7


# --------------------------------------------------------------------- formats


def _format(name: str, value: Any) -> str:
    value = value.lower() if isinstance(value, str) else value
    if value not in FORMATS:
        raise ValueError(f"Expected {name} to be one of {FORMATS}. Received: {value!r}.")
    return value


def _check_boxes(boxes: Any) -> Any:
    boxes = ops.convert_to_tensor(boxes)
    if not boxes.shape or boxes.shape[-1] != 4:
        raise ValueError(f"Expected boxes of 4 numbers on the last axis. Received shape: {tuple(boxes.shape)}.")
    return boxes


def _to_corners(boxes: Any, layout: str) -> list:
    """Return [left, top, right, bottom], each with a last axis of size 1."""
    a, b, c, d = ops.split(boxes, 4, -1)
    if layout in _ROWS_FIRST:
        a, b, c, d = b, a, d, c
    if layout in _CORNERS:
        return [a, b, c, d]
    if layout.startswith("center"):
        a, b = a - c / 2, b - d / 2
    return [a, b, a + c, b + d]


def _from_corners(corners: Sequence, layout: str) -> Any:
    a, b, c, d = corners
    if layout not in _CORNERS:
        c, d = c - a, d - b
        if layout.startswith("center"):
            a, b = a + c / 2, b + d / 2
    return ops.concatenate([b, a, d, c] if layout in _ROWS_FIRST else [a, b, c, d], -1)


def convert_format(
    boxes: Any, source: str, target: str, height: Any = None, width: Any = None, dtype: str = "float32"
) -> Any:
    """Convert bounding boxes to another format.

    Args:
        boxes: array, (..., 4), or a dict with an array ``boxes``.
        source, target: ``"xyxy"`` (left, top, right, bottom), ``"yxyx"``, ``"xywh"`` (left, top, width,
            height), ``"center_xywh"`` or ``"center_yxhw"``, in pixels; with the prefix ``"rel_"`` as fractions
            of the image's width and height.
        height, width: size of the image, needed to convert between pixels and fractions; default None.
        dtype: name of the result's dtype; default "float32".

    Raises:
        ValueError: for unknown formats, wrong shapes, or a missing image size.

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.convert_format([[10, 20, 30, 60]], "xyxy", "center_xywh")
    array([[20., 40., 20., 40.]], dtype=float32)
    """
    source, target = _format("source", source), _format("target", target)
    if isinstance(boxes, dict):
        return {**boxes, "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    boxes = _check_boxes(boxes)
    if source == target:
        return ops.cast(boxes, dtype)
    corners = _to_corners(ops.cast(boxes, "float64" if dtype == "float64" else "float32"), source.removeprefix("rel_"))
    if source.startswith("rel_") != target.startswith("rel_"):
        if height is None or width is None:
            raise ValueError(
                f"Expected height and width of the image, to convert boxes from {source!r} to {target!r}. "
                f"Received: {height}, {width}."
            )
        change = ops.multiply if source.startswith("rel_") else ops.divide
        corners = [change(edge, size) for edge, size in zip(corners, (width, height) * 2, strict=True)]
    return ops.cast(_from_corners(corners, target.removeprefix("rel_")), dtype)


def _in_pixels(boxes: Any, kind: str, change: Callable, height: Any = None, width: Any = None) -> Any:
    """Apply a function to boxes as (left, top, right, bottom), with a last axis of size 1; keep format and dtype."""
    boxes = _check_boxes(boxes)
    corners = ops.split(convert_format(boxes, kind, "xyxy", height, width), 4, -1)
    moved = ops.concatenate(change(*corners), -1)
    return convert_format(moved, "xyxy", kind, height, width, ops.dtype(boxes))


# ------------------------------------------------------------ changes of images


def clip_to_image_size(
    bounding_boxes: dict, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> dict:
    """Clip bounding boxes to their image; boxes with nothing left get the label -1.

    Args:
        bounding_boxes: dict with ``boxes`` (..., 4), and possibly ``labels`` (...).
        height, width: size of the image; not needed for relative formats; default None.
        bounding_box_format: str, a format of ``convert_format``.

    >>> import numpy as np, polykeras as keras
    >>> boxes = {"boxes": np.array([[-5.0, 2.0, 5.0, 99.0]]), "labels": np.array([3])}
    >>> keras.utils.bounding_boxes.clip_to_image_size(boxes, height=10, width=20)["boxes"]
    array([[ 0.,  2.,  5., 10.]])
    """
    kind = _format("bounding_box_format", bounding_box_format)
    base = "rel_xyxy" if kind.startswith("rel_") else "xyxy"
    height, width = (1.0, 1.0) if base == "rel_xyxy" else (height, width)
    if height is None or width is None:
        raise ValueError(f"Expected height and width of the image, to clip boxes. Received: {height}, {width}.")
    boxes = _check_boxes(bounding_boxes["boxes"])
    corners = ops.split(convert_format(boxes, kind, base), 4, -1)
    edges = [ops.clip(edge, 0, size) for edge, size in zip(corners, (width, height) * 2, strict=True)]
    result = {**bounding_boxes, "boxes": convert_format(ops.concatenate(edges, -1), base, kind, dtype=ops.dtype(boxes))}
    if "labels" in bounding_boxes:
        left, top, right, bottom = (ops.squeeze(edge, -1) for edge in edges)
        labels = ops.convert_to_tensor(bounding_boxes["labels"])
        is_seen = ops.logical_and(ops.greater(right, left), ops.greater(bottom, top))
        result["labels"] = ops.where(is_seen, labels, ops.full_like(labels, -1))
    return result


def crop(boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy") -> Any:
    """Return bounding boxes relative to a crop of their image.

    Args:
        boxes: array, (..., 4).
        top, left: ints, the corner of the crop.
        height, width: ints, the size of the crop.
        bounding_box_format: str, a format of ``convert_format`` in pixels.

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.crop([[10.0, 20.0, 50.0, 60.0]], top=10, left=20, height=40, width=90)
    array([[ 0., 10., 30., 40.]], dtype=float32)
    """

    def cut(x1: Any, y1: Any, x2: Any, y2: Any) -> list:
        across = [ops.clip(x - left, 0, width) for x in (x1, x2)]
        down = [ops.clip(y - top, 0, height) for y in (y1, y2)]
        return [across[0], down[0], across[1], down[1]]

    return _in_pixels(boxes, bounding_box_format, cut)


def pad(
    boxes: Any, top: Any, left: Any, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> Any:
    """Return the bounding boxes of an image after padding.

    Args:
        boxes: array, (..., 4).
        top, left: ints, the numbers of rows added above and of columns added on the left.
        height, width: size of the image to which relative boxes refer.
        bounding_box_format: str, a format of ``convert_format``.

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.pad([[10, 20, 30, 40]], top=5, left=7)
    array([[17, 25, 37, 45]], dtype=int32)
    """

    def move(x1: Any, y1: Any, x2: Any, y2: Any) -> list:
        return [x1 + left, y1 + top, x2 + left, y2 + top]

    return _in_pixels(boxes, bounding_box_format, move, height, width)


def project(boxes: Any, matrix: Sequence) -> Any:
    """Return the axis-aligned boxes that enclose boxes transformed by a projective map.

    Args:
        boxes: (batch, count, 4), as left, top, right, bottom.
        matrix: nine numbers or (batch,) arrays, row by row: a point (x, y) moves to
            ``((m0 x + m1 y + m2) / k, (m3 x + m4 y + m5) / k)``, with ``k = m6 x + m7 y + m8``.

    >>> project(ops.convert_to_tensor([[[1.0, 2.0, 3.0, 5.0]]]), (0, -1, 0, 1, 0, 0, 0, 0, 1))
    array([[[-5.,  1., -2.,  3.]]], dtype=float32)
    """
    left, top, right, bottom = ops.split(boxes, 4, -1)
    x, y = ops.concatenate([left, right, left, right], -1), ops.concatenate([top, top, bottom, bottom], -1)
    m = [ops.reshape(ops.convert_to_tensor(n, "float32"), (-1, 1, 1)) for n in matrix]
    depth = m[6] * x + m[7] * y + m[8]
    u, v = (m[0] * x + m[1] * y + m[2]) / depth, (m[3] * x + m[4] * y + m[5]) / depth
    return ops.stack([ops.min(u, -1), ops.min(v, -1), ops.max(u, -1), ops.max(v, -1)], -1)


def inverse(matrix: Sequence) -> tuple:
    """Return the inverse of a projective map, both as nine numbers, up to a common factor.

    >>> inverse((2, 0, 0, 0, 2, 0, 0, 0, 1))
    (2, 0, 0, 0, 2, 0, 0, 0, 4)
    """
    a, b, c, d, e, f, g, h, i = matrix
    return (
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h, a * e - b * d,
    )  # fmt: skip


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """Return the axis-aligned boxes that enclose boxes after translation, rotation, shear and scaling, in this order.

    Args:
        boxes: (count, 4), or (batch, count, 4).
        angle: degrees counterclockwise; this and the next five are numbers, or (batch,) arrays.
        translate_x, translate_y: shifts to the right and down, as fractions of width and height.
        scale: the scaling factor; 2 doubles the size.
        shear_x, shear_y: angles in degrees by which vertical and horizontal lines are tilted.
        height, width: size of the image.
        center_x, center_y: the fixed point of the map, as fractions; default None, for the centre.
        bounding_box_format: str, a format of ``convert_format``.

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.affine_transform(
    ...     [[1.0, 2.0, 5.0, 4.0]], 90.0, 0.0, 0.0, 1.0, 0.0, 0.0, height=11, width=11
    ... ).round(3)
    array([[2., 5., 4., 9.]], dtype=float32)
    """
    boxes = _check_boxes(boxes)
    numbers = (angle, translate_x, translate_y, scale, shear_x, shear_y, center_x, center_y)
    angle, right, down, scale, lean_x, lean_y, x, y = (
        ops.convert_to_tensor(0.5 if n is None else n, "float32") for n in numbers
    )
    x, y = x * (width - 1), y * (height - 1)
    cos, sin = (function(angle * (math.pi / 180)) for function in (ops.cos, ops.sin))
    slope_x, slope_y = (ops.tan(lean * (math.pi / 180)) for lean in (lean_x, lean_y))
    m3, m4 = slope_y * cos - sin, slope_y * sin + cos
    m0, m1 = cos + slope_x * m3, sin + slope_x * m4
    m0, m1, m3, m4 = (scale * m for m in (m0, m1, m3, m4))
    from_x, from_y = right * (width - 1) - x, down * (height - 1) - y
    matrix = (m0, m1, m0 * from_x + m1 * from_y + x, m3, m4, m3 * from_x + m4 * from_y + y, 0.0, 0.0, 1.0)
    pixels = convert_format(boxes, bounding_box_format, "xyxy", height, width)
    is_single = len(boxes.shape) == 2
    moved = project(ops.expand_dims(pixels, 0) if is_single else pixels, matrix)
    moved = ops.squeeze(moved, 0) if is_single else moved
    return convert_format(moved, "xyxy", bounding_box_format, height, width, ops.dtype(boxes))


# -------------------------------------------------------------------- overlaps


def _overlap(first: Sequence, second: Sequence) -> Any:
    """Return the intersection over union of boxes given as corners; and the intersection and union themselves."""
    left, top = (ops.maximum(first[n], second[n]) for n in (0, 1))
    right, bottom = (ops.minimum(first[n], second[n]) for n in (2, 3))
    common = ops.maximum(right - left, 0.0) * ops.maximum(bottom - top, 0.0)
    sizes = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (first, second)]
    return ops.divide_no_nan(common, sizes[0] + sizes[1] - common)


def _image_size(image_shape: Sequence | None) -> tuple:
    return (None, None) if image_shape is None else tuple(image_shape)[:2]


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Sequence | None = None,
) -> Any:
    """Return the intersection over union of each box of the first array with each box of the second.

    Args:
        boxes1, boxes2: arrays, (count, 4) or (batch, count, 4).
        bounding_box_format: str, a format of ``convert_format``.
        use_masking: bool, whether pairs with a box of negative numbers (padding) get ``mask_val``; default False.
        mask_val: the value of such pairs; default -1.
        image_shape: (height, width, channels), for relative boxes; default None.

    Returns:
        An array, (count1, count2) or (batch, count1, count2).

    Raises:
        ValueError: if boxes do not have 2 or 3 axes.

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.compute_iou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 1.0]], "xyxy")
    array([[0.5]], dtype=float32)
    """
    pair = [_check_boxes(boxes) for boxes in (boxes1, boxes2)]
    if any(len(boxes.shape) not in (2, 3) for boxes in pair):
        raise ValueError(
            f"Expected boxes with 2 or 3 axes. Received shapes: {tuple(pair[0].shape)}, {tuple(pair[1].shape)}."
        )
    wide = [ops.expand_dims(boxes, axis) for boxes, axis in zip(pair, (-2, -3), strict=True)]
    size = _image_size(image_shape)
    corners = [ops.split(convert_format(boxes, bounding_box_format, "xyxy", *size), 4, -1) for boxes in wide]
    result = ops.squeeze(_overlap(*corners), -1)
    if not use_masking:
        return result
    is_padding = ops.logical_or(*(ops.all(ops.less(boxes, 0), -1) for boxes in wide))
    return ops.where(is_padding, float(mask_val), result)


def compute_ciou(boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Sequence | None = None) -> Any:
    """Return the complete IoU of pairs of boxes: IoU minus penalties for distance and aspect ratio.

    Args:
        boxes1, boxes2: arrays, (..., 4).
        bounding_box_format: str, a format of ``convert_format``.
        image_shape: (height, width, channels), for relative boxes; default None.

    Source: Zheng et al., "Distance-IoU Loss: Faster and Better Learning for Bounding Box Regression"
    (AAAI 2020).

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.compute_ciou([[0.0, 0.0, 2.0, 2.0]], [[0.0, 0.0, 2.0, 2.0]], "xyxy")
    array([1.], dtype=float32)
    """
    size = _image_size(image_shape)
    first, second = (
        ops.split(convert_format(boxes, bounding_box_format, "xyxy", *size), 4, -1) for boxes in (boxes1, boxes2)
    )
    overlap = _overlap(first, second)
    hull = [ops.maximum(first[n + 2], second[n + 2]) - ops.minimum(first[n], second[n]) for n in (0, 1)]
    offset = [(first[n] + first[n + 2] - second[n] - second[n + 2]) / 2 for n in (0, 1)]
    distance = ops.divide_no_nan(*(ops.square(x) + ops.square(y) for x, y in (offset, hull)))
    angles = [ops.arctan((x2 - x1) / (y2 - y1 + _TINY)) for x1, y1, x2, y2 in (first, second)]
    unlike = ops.square(angles[0] - angles[1]) * (4 / math.pi**2)
    weight = ops.divide_no_nan(unlike, 1.0 - overlap + unlike)
    return ops.squeeze(overlap - distance - weight * unlike, -1)


# ---------------------------------------------------------------------- anchors


def _factors(name: str, layout: str, variance: Any) -> Any:
    """Return the four variances of box deltas as an array."""
    if layout not in ("center_xywh", "center_yxhw"):
        raise ValueError(f"Expected {name} to be 'center_xywh' or 'center_yxhw'. Received: {layout!r}.")
    variance = (1.0,) * 4 if variance is None else variance
    if len(variance) != 4:
        raise ValueError(f"Expected variance to be four numbers. Received: {variance!r}.")
    return ops.convert_to_tensor(variance, "float32")


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Sequence | None = None,
) -> Any:
    """Encode boxes relative to anchors: offsets of centres in units of the anchor size, and logarithms of size ratios.

    Args:
        anchors: array, (count, 4).
        boxes: array, (count, 4) or (batch, count, 4).
        anchor_format, box_format: str, formats of ``convert_format``.
        encoding_format: ``"center_yxhw"`` or ``"center_xywh"``, the order of the result.
        variance: four numbers to divide the result by.
        image_shape: (height, width, channels), for relative formats.

    Raises:
        ValueError: for an unknown encoding, or if there are not four variances.

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.encode_box_to_deltas([[0, 0, 4, 2]], [[2, 0, 6, 2]], "xyxy", "xyxy")
    array([[0. , 0.5, 0. , 0. ]], dtype=float32)
    """
    factors, size = _factors("encoding_format", encoding_format, variance), _image_size(image_shape)
    own = convert_format(anchors, anchor_format, encoding_format, *size)
    boxes = convert_format(boxes, box_format, encoding_format, *size)
    own_size, size = (ops.maximum(x[..., 2:], _TINY) for x in (own, boxes))
    moves = (boxes[..., :2] - own[..., :2]) / own_size
    return ops.concatenate([moves, ops.log(size / own_size)], -1) / factors


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Sequence | None = None,
) -> Any:
    """Decode boxes from their deltas to anchors: the inverse of ``encode_box_to_deltas``.

    Args:
        anchors: (count, 4), or a dict of such arrays.
        boxes_delta: (count, 4) or (batch, count, 4), or a dict of such arrays under the same keys.
        anchor_format: str, the anchors' format, one of ``convert_format``.
        box_format: str, the format of the result.
        encoded_format: ``"center_yxhw"`` or ``"center_xywh"``, the order of the deltas.
        variance: four numbers to multiply the deltas by.
        image_shape: (height, width, channels), for relative formats.

    Raises:
        ValueError: for an unknown encoding, or if there are not four variances.

    >>> import polykeras as keras
    >>> keras.utils.bounding_boxes.decode_deltas_to_boxes([[0, 0, 4, 2]], [[0.0, 0.5, 0.0, 0.0]], "xyxy", "xyxy")
    array([[2., 0., 6., 2.]], dtype=float32)
    """
    rest = (anchor_format, box_format, encoded_format, variance, image_shape)
    if isinstance(anchors, dict):
        return {key: decode_deltas_to_boxes(anchors[key], boxes_delta[key], *rest) for key in anchors}
    factors, size = _factors("encoded_format", encoded_format, variance), _image_size(image_shape)
    own = convert_format(anchors, anchor_format, encoded_format, *size)
    deltas = ops.cast(_check_boxes(boxes_delta), "float32") * factors
    centers = own[..., :2] + deltas[..., :2] * own[..., 2:]
    boxes = ops.concatenate([centers, ops.exp(deltas[..., 2:]) * own[..., 2:]], -1)
    return convert_format(boxes, encoded_format, box_format, *size)
