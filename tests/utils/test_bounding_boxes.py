"""Bounding boxes: against real Keras, where it supports the format, and against hand-made numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import polykeras as keras
from tests.layers.checks import to_numpy

BOXES = np.array([[10.0, 20, 30, 40], [50, 60, 70, 90]], "float32")
OTHERS = np.array([[12.0, 18, 33, 44], [30, 65, 80, 95]], "float32")
SIZE = {"height": 100, "width": 80}
FORMATS = ["xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"]

tools = keras.utils.bounding_boxes


@pytest.mark.parametrize("target", FORMATS)
def test_formats_are_those_of_real_keras_and_convert_back(backend, real_keras, target):
    expected = np.asarray(real_keras.utils.bounding_boxes.convert_format(BOXES, "xyxy", target, **SIZE))
    result = tools.convert_format(BOXES, "xyxy", target, **SIZE)
    np.testing.assert_allclose(to_numpy(result), expected, rtol=1e-6)
    np.testing.assert_allclose(to_numpy(tools.convert_format(result, target, "xyxy", **SIZE)), BOXES, rtol=1e-5)


def test_a_format_by_its_definition():
    shares = tools.convert_format([[10, 20, 30, 60]], "XYXY", "rel_center_yxhw", 100, 80)
    np.testing.assert_allclose(shares, [[0.4, 0.25, 0.4, 0.25]], rtol=1e-6)
    kept = tools.convert_format({"boxes": BOXES.astype("int32"), "labels": [1, 2]}, "xyxy", "xywh", dtype="int32")
    assert kept["labels"] == [1, 2] and kept["boxes"].tolist() == [[10, 20, 20, 20], [50, 60, 20, 30]]
    assert kept["boxes"].dtype == "int32"


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_clipping_is_that_of_real_keras_and_forgets_what_is_outside(backend, real_keras, dtype):
    boxes = {"boxes": np.array([[-10, -20, 150, 160], [50, 40, 70, 80], [-5, -5, -1, -1]], dtype)}
    boxes["labels"] = np.array([0, 1, 2])
    expected = real_keras.utils.bounding_boxes.clip_to_image_size(boxes, **SIZE)
    result = to_numpy(tools.clip_to_image_size(boxes, **SIZE))
    assert result["boxes"].dtype == dtype
    for key in boxes:
        np.testing.assert_array_equal(result[key], np.asarray(expected[key]))
    assert result["labels"].tolist() == [0, 1, -1]


@pytest.mark.parametrize("kind", ["yxyx", "xywh", "rel_xywh", "rel_center_xywh"])
def test_clipping_is_the_same_in_every_format(kind):
    boxes = {"boxes": np.array([[-10.0, -20, 60, 160], [50, 40, 70, 80], [90, 5, 99, 9]]), "labels": np.arange(3)}
    expected = tools.clip_to_image_size(boxes, **SIZE)
    result = tools.clip_to_image_size(
        tools.convert_format(boxes, "xyxy", kind, **SIZE), **SIZE, bounding_box_format=kind
    )
    result = tools.convert_format(result, kind, "xyxy", **SIZE)
    np.testing.assert_allclose(result["boxes"], expected["boxes"], rtol=1e-5, atol=1e-5)
    assert result["labels"].tolist() == [0, 1, -1]


def test_cutting_out_and_adding_borders_are_those_of_real_keras(backend, real_keras):
    real = real_keras.utils.bounding_boxes
    np.testing.assert_array_equal(
        to_numpy(tools.crop(BOXES, 25, 20, 40, 30)), np.asarray(real.crop(BOXES, 25, 20, 40, 30))
    )
    np.testing.assert_array_equal(to_numpy(tools.pad(BOXES, 5, 7)), np.asarray(real.pad(BOXES, 5, 7)))
    assert to_numpy(tools.pad([[10.0, 20, 5, 6]], 5, 7, bounding_box_format="xywh")).tolist() == [[17, 25, 5, 6]]
    relative = to_numpy(tools.pad([[0.5, 0.5, 1.0, 1.0]], 5, 8, **SIZE, bounding_box_format="rel_xyxy"))
    np.testing.assert_allclose(relative, [[0.6, 0.55, 1.1, 1.05]], rtol=1e-6)
    assert to_numpy(tools.crop([[10.0, 30, 20, 60]], 25, 20, 40, 30, "xywh")).tolist() == [[0, 5, 10, 35]]


# Real Keras 3.15 has a wrong sign where shear_x meets an angle or shear_y: those are below.
MOVES = [
    {"angle": 30.0},
    {"angle": -120.0, "scale": 0.7, "center_x": 0.2, "center_y": 0.3},
    {"translate_x": 0.1, "translate_y": -0.2, "scale": 1.3, "angle": 20.0},
    {"shear_x": 10.0, "translate_y": 0.1},
    {"shear_y": -10.0, "angle": 20.0},
]
STILL = {"angle": 0.0, "translate_x": 0.0, "translate_y": 0.0, "scale": 1.0, "shear_x": 0.0, "shear_y": 0.0}


@pytest.mark.parametrize("moves", MOVES, ids=["-".join(moves) for moves in MOVES])
def test_affine_transforms_are_those_of_real_keras(backend, real_keras, moves):
    arguments = {**STILL, **moves}
    arrays = {key: np.array([value, 0.0 if key != "scale" else 1.0], "float32") for key, value in arguments.items()}
    for key in ("center_x", "center_y"):
        arrays.pop(key, None)
    centre = {key: moves[key] for key in ("center_x", "center_y") if key in moves}
    boxes = np.stack([BOXES, OTHERS])
    expected = real_keras.utils.bounding_boxes.affine_transform(boxes, **arrays, **centre, **SIZE)
    result = to_numpy(tools.affine_transform(boxes, **arrays, **centre, **SIZE))
    np.testing.assert_allclose(result, np.asarray(expected), rtol=1e-4, atol=1e-3)
    one = to_numpy(tools.affine_transform(BOXES, **arguments, **SIZE))
    np.testing.assert_allclose(one, result[0], rtol=1e-5, atol=1e-4)


def test_an_affine_transform_by_its_matrices():
    angle, lean_x, lean_y = np.deg2rad(20), np.tan(np.deg2rad(7)), np.tan(np.deg2rad(5))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = 1.3 * np.array([[1, lean_x], [0, 1]]) @ np.array([[1, 0], [lean_y, 1]]) @ turn
    centre, move = np.array([39.5, 49.5]), np.array([0.1 * 79, -0.2 * 99])
    expected = []
    for box in BOXES:
        points = np.array(list(itertools.product(box[::2], box[1::2]))) - centre + move
        points = points @ matrix.T + centre
        expected.append([*points.min(0), *points.max(0)])
    arguments = {"angle": 20.0, "translate_x": 0.1, "translate_y": -0.2, "scale": 1.3, "shear_x": 7.0, "shear_y": 5.0}
    result = tools.affine_transform(BOXES, **arguments, **SIZE)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-4)
    relative = tools.convert_format(BOXES, "xyxy", "rel_xywh", **SIZE)
    relative = tools.affine_transform(relative, **arguments, **SIZE, bounding_box_format="rel_xywh")
    np.testing.assert_allclose(tools.convert_format(relative, "rel_xywh", "xyxy", **SIZE), expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["xyxy", "center_xywh", "rel_yxyx"])
def test_overlaps_are_those_of_real_keras(backend, real_keras, kind):
    shape = (100, 80, 3)
    first, second = (tools.convert_format(x, "xyxy", kind, *shape[:2]) for x in (BOXES, OTHERS))
    first, second = to_numpy(first), to_numpy(second)
    real = real_keras.utils.bounding_boxes
    for one, other in itertools.product((first, first[None]), (second, second[None])):
        expected = np.asarray(real.compute_iou(one, other, kind, image_shape=shape))
        result = to_numpy(tools.compute_iou(one, other, kind, image_shape=shape))
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)
    if not kind.startswith("rel"):  # which real Keras refuses here
        expected = np.asarray(real.compute_ciou(first, second, kind))
        np.testing.assert_allclose(to_numpy(tools.compute_ciou(first, second, kind)), expected, rtol=1e-4)
    else:
        absolute = tools.compute_ciou(BOXES, OTHERS, "xyxy")
        relative = tools.compute_ciou(first, second, kind, image_shape=shape)
        np.testing.assert_allclose(to_numpy(relative), to_numpy(absolute), rtol=1e-4)


def test_overlaps_with_padding_get_a_value_of_their_own(backend, real_keras):
    padded = np.concatenate([BOXES, np.full((1, 4), -1.0, "float32")])
    real = real_keras.utils.bounding_boxes.compute_iou(padded, OTHERS, "xyxy", use_masking=True, mask_val=-7)
    result = to_numpy(tools.compute_iou(padded, OTHERS, "xyxy", use_masking=True, mask_val=-7))
    np.testing.assert_allclose(result, np.asarray(real), rtol=1e-5)
    assert (result[2] == -7).all() and (result[:2] >= 0).all()
    assert to_numpy(tools.compute_iou(np.zeros((1, 4)), np.zeros((1, 4)), "xyxy")).tolist() == [[0.0]]


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]])
def test_distances_from_anchors_are_those_of_real_keras_and_lead_back(backend, real_keras, encoding, variance):
    real = real_keras.utils.bounding_boxes.encode_box_to_deltas
    expected = np.asarray(real(BOXES, OTHERS, "xyxy", "xyxy", encoding, variance))
    deltas = tools.encode_box_to_deltas(BOXES, OTHERS, "xyxy", "xyxy", encoding, variance)
    np.testing.assert_allclose(to_numpy(deltas), expected, rtol=1e-5, atol=1e-6)
    back = tools.decode_deltas_to_boxes({"p3": BOXES}, {"p3": deltas}, "xyxy", "xyxy", encoding, variance)
    np.testing.assert_allclose(to_numpy(back["p3"]), OTHERS, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tools.convert_format(BOXES, "xyxy", "corners"), "target"),
        (lambda: tools.convert_format(BOXES[:, :3], "xyxy", "xywh"), "4 numbers"),
        (lambda: tools.convert_format(BOXES, "xyxy", "rel_xyxy"), "height and width"),
        (lambda: tools.clip_to_image_size({"boxes": BOXES}), "height and width"),
        (lambda: tools.crop(BOXES, 1, 2, 3, 4, "rel_xyxy"), "height and width"),
        (lambda: tools.compute_iou(BOXES[0], BOXES, "xyxy"), "2 or 3 axes"),
        (lambda: tools.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", "xyxy"), "encoding_format"),
        (lambda: tools.decode_deltas_to_boxes(BOXES, BOXES, "xyxy", "xyxy", variance=[1.0]), "variance"),
    ],
)
def test_wrong_boxes_are_an_error_that_says_what_is_expected(make, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}.*Received"):
        make()
