"""Boxes and masks drawn into images: pixel by pixel."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

draw_boxes, draw_masks = keras.visualization.draw_bounding_boxes, keras.visualization.draw_segmentation_masks
IMAGES = np.random.default_rng(0).integers(0, 255, (2, 30, 40, 3)).astype("uint8")
CORNERS = np.array([[[3, 4, 20, 16], [10, 8, 60, 29]], [[-5, -5, 8, 9], [0, 0, 9, 9]]])
LABELS = np.array([[1, 2], [1, -1]])
RED = (255, 0, 0)


def framed(corners, thickness):
    """Where the frames of boxes are, of (30, 40) places."""
    y, x = np.mgrid[:30, :40]
    result = np.zeros((30, 40), bool)
    for left, top, right, bottom in corners:
        inside = lambda n: (x >= left + n) & (x < right - n) & (y >= top + n) & (y < bottom - n)  # noqa: B023, E731
        result |= inside(0) & ~inside(thickness)
    return result


@pytest.mark.parametrize("thickness", [1, 3])
def test_frames_cover_the_edges_of_boxes_and_nothing_else(backend, thickness):
    boxes = {"boxes": ops.convert_to_tensor(CORNERS), "labels": ops.convert_to_tensor(LABELS)}
    result = draw_boxes(ops.convert_to_tensor(IMAGES), boxes, "xyxy", color=RED, line_thickness=thickness)
    assert isinstance(result, np.ndarray) and result.dtype == "uint8" and result.shape == IMAGES.shape
    for image, corners in ((0, CORNERS[0]), (1, CORNERS[1, :1])):  # the other one is padding
        expected = np.where(framed(corners, thickness)[..., None], np.uint8(RED), IMAGES[image])
        np.testing.assert_array_equal(result[image], expected)


def test_formats_layouts_and_kinds_of_images_are_the_same():
    boxes = {"boxes": CORNERS, "labels": LABELS}
    expected = draw_boxes(IMAGES, boxes, "xyxy", color=RED)
    relative = keras.utils.bounding_boxes.convert_format(boxes, "xyxy", "rel_center_xywh", 30, 40)
    np.testing.assert_array_equal(
        draw_boxes(IMAGES.astype("float32"), relative, "rel_center_xywh", color=RED), expected
    )
    first = draw_boxes(np.moveaxis(IMAGES, -1, 1), boxes, "xyxy", color=RED, data_format="channels_first")
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), expected)
    gray = draw_boxes(np.zeros((1, 9, 9, 1)), {"boxes": [[[1, 1, 8, 8]]], "labels": [[0]]}, "xyxy", color=(30, 60, 90))
    assert set(gray.ravel()) == {0, 60}
    opaque = draw_boxes(np.zeros((1, 9, 9, 4)), {"boxes": [[[1, 1, 8, 8]]], "labels": [[0]]}, "xyxy", color=RED)
    assert opaque[0, 1, 1].tolist() == [255, 0, 0, 255]


def test_names_are_written_beside_their_frames():
    images, corners = np.zeros((1, 60, 160, 3)), np.array([[[20, 40, 50, 55], [90, 2, 150, 55]]])
    boxes = {"boxes": corners, "labels": np.array([[1, 5]]), "confidences": np.array([[0.25, 0.5]])}
    plain = draw_boxes(images, boxes, "xyxy")
    named = draw_boxes(images, boxes, "xyxy", class_mapping={1: "cat"})
    rows, columns = np.nonzero((named != plain).any(-1)[0])
    assert len(rows) and rows.max() < 40 and columns.min() >= 20  # above the first frame; 5 has no name
    small = draw_boxes(images, boxes, "xyxy", class_mapping={1: "cat"}, font_scale=0.5)
    bold = draw_boxes(images, boxes, "xyxy", class_mapping={1: "cat"}, text_thickness=3)
    assert (small != plain).sum() < (named != plain).sum() < (bold != plain).sum()
    below = draw_boxes(images, boxes, "xyxy", class_mapping={5: "dog"})
    assert (below != plain)[0, 2:30, 90:].any()  # there is no room above the second one


def test_names_without_pillow_are_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    boxes = {"boxes": CORNERS, "labels": LABELS}
    with pytest.raises(ImportError, match=r"polykeras\[images\]"):
        draw_boxes(IMAGES, boxes, "xyxy", class_mapping={1: "cat"})
    assert draw_boxes(IMAGES, boxes, "xyxy").shape == IMAGES.shape


COLORS = {0: (9, 9, 9), 1: (250, 0, 0), 2: (0, 250, 0), 3: (0, 0, 250)}
MASKS = np.random.default_rng(1).integers(0, 4, (2, 30, 40))


@pytest.mark.parametrize(
    ("arguments", "classes", "share"),
    [
        ({}, [1, 2, 3], 0.8),
        ({"alpha": 0.4}, [1, 2, 3], 0.4),
        ({"blend": False}, [1, 2, 3], 1.0),
        ({"ignore_index": 2}, [1, 3], 0.8),
        ({"num_classes": 2}, [1, 2], 0.8),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_classes_are_covered_by_their_colours(backend, arguments, classes, share):
    expected = IMAGES.astype("float64")
    for label in classes:
        is_here = label == MASKS
        expected[is_here] = (1 - share) * expected[is_here] + share * np.array(COLORS[label])
    result = draw_masks(ops.convert_to_tensor(IMAGES), ops.convert_to_tensor(MASKS), color_mapping=COLORS, **arguments)
    np.testing.assert_array_equal(result, np.round(expected).astype("uint8"))
    first = draw_masks(
        np.moveaxis(IMAGES, -1, 1), MASKS[:, None], color_mapping=COLORS, data_format="channels_first", **arguments
    )
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), result)


def test_classes_without_colours_get_different_ones():
    masks = np.arange(12).reshape(1, 3, 4)
    result = draw_masks(np.zeros((1, 3, 4, 3)), masks, blend=False).reshape(-1, 3).astype(int)
    assert (result[0] == 0).all()
    apart = np.abs(result[1:, None] - result[1:]).sum(-1) + 999 * np.eye(11)
    assert apart.min() > 40


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: draw_boxes(IMAGES[0], {"boxes": CORNERS, "labels": LABELS}, "xyxy"), ValueError, "4 axes"),
        (lambda: draw_boxes(IMAGES, {"boxes": CORNERS}, "xyxy"), ValueError, "labels"),
        (lambda: draw_boxes(IMAGES, CORNERS, "xyxy"), TypeError, "dict"),
        (lambda: draw_masks(IMAGES[0], MASKS), ValueError, "4 axes"),
        (lambda: draw_masks(IMAGES, MASKS[:, 1:]), ValueError, "segmentation_masks of shape"),
        (lambda: draw_masks(IMAGES, MASKS / 2), TypeError, "integers"),
    ],
)
def test_wrong_arguments_are_an_error_that_names_them(make, kind, message):
    with pytest.raises(kind, match=f"Expected .*{message}.*Received"):
        make()
