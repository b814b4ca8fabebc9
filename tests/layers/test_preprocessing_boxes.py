"""Bounding boxes and masks go where their images go: against real Keras, and against the images themselves."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.layers.checks import to_numpy

HEIGHT, WIDTH = 24, 36
CORNERS = np.array([[[6.0, 5, 18, 13], [20, 10, 35, 22]], [[1, 2, 3, 4], [0, 0, 36, 24]]], "float32")
LABELS = np.array([[0, 1], [2, 3]])
IMAGES = np.random.default_rng(0).uniform(0, 255, (2, HEIGHT, WIDTH, 3)).astype("float32")

# Draws between equal limits leave nothing to chance. Resizing keeps whole pixels here: real Keras
# rounds boxes otherwise than images.
FORCED = [
    ("RandomRotation", {"factor": (0.1, 0.1)}),
    ("RandomZoom", {"height_factor": (0.3, 0.3), "width_factor": (-0.2, -0.2)}),
    ("RandomTranslation", {"height_factor": (0.2, 0.2), "width_factor": (-0.3, -0.3)}),
    ("RandomPerspective", {"scale": 0.0}),
    ("CenterCrop", {"height": 12, "width": 18}),
    ("CenterCrop", {"height": 48, "width": 36}),
    ("Resizing", {"height": 20, "width": 20}),
    ("Resizing", {"height": 12, "width": 12, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 18, "width": 18, "pad_to_aspect_ratio": True}),
    ("RandomBrightness", {"factor": 0.2}),
    ("RandomErasing", {}),
    ("MaxNumBoundingBoxes", {"max_number": 1}),
    ("MaxNumBoundingBoxes", {"max_number": 4, "fill_value": -1}),
]
EMPTY = {"fill_mode": "constant"}
MOVING = [
    ("RandomFlip", {}),
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomRotation", {"factor": 0.1, **EMPTY}),
    ("RandomZoom", {"height_factor": 0.3, **EMPTY}),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.2, **EMPTY}),
    ("RandomShear", {"x_factor": 0.3, "y_factor": 0.2, **EMPTY}),
    ("RandomPerspective", {"scale": 0.5}),
    ("RandomElasticTransform", EMPTY),
    ("RandomCrop", {"height": 16, "width": 28}),
    ("RandomCrop", {"height": 16, "width": 40}),
    ("CenterCrop", {"height": 19, "width": 31}),
    ("Resizing", {"height": 31, "width": 17, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 17, "width": 31, "pad_to_aspect_ratio": True}),
    ("RandAugment", {"factor": 0.05}),  # so little that nothing is reflected at the borders
]


def names(cases):
    return [f"{name}-{n}" for n, (name, _) in enumerate(cases)]


def boxes(corners=CORNERS, labels=LABELS):
    return {"boxes": corners, "labels": labels}


@pytest.mark.parametrize(("name", "arguments"), FORCED, ids=names(FORCED))
def test_boxes_are_those_of_real_keras(real_keras, name, arguments):
    data = {"images": IMAGES, "bounding_boxes": boxes()}
    expected = getattr(real_keras.layers, name)(**arguments, bounding_box_format="xyxy")(data, training=True)
    for adapter in backends.available():
        with backends.use(adapter):
            layer = getattr(keras.layers, name)(**arguments, bounding_box_format="xyxy")
            result = to_numpy(layer(data, training=True)["bounding_boxes"])
        for key in ("boxes", "labels"):
            np.testing.assert_allclose(
                result[key], np.asarray(expected["bounding_boxes"][key]), rtol=1e-4, atol=1e-3, err_msg=adapter
            )


def hull(mask):
    """(left, top, right, bottom) of what is not 0."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


@pytest.mark.parametrize(("name", "arguments"), MOVING, ids=names(MOVING))
def test_boxes_and_masks_follow_what_they_show(name, arguments):
    masks = np.zeros((4, HEIGHT, WIDTH, 2), "uint8")
    corners = np.array([[[8, 6, 17, 14], [15, 9, 27, 19]]] * 4)
    for n, (left, top, right, bottom) in enumerate(corners[0]):
        masks[:, top:bottom, left:right, n] = 1
    data = {"images": masks * 100, "segmentation_masks": masks, "bounding_boxes": boxes(corners, np.zeros((4, 2)))}
    layer = getattr(keras.layers, name)(**arguments, seed=4, bounding_box_format="xyxy")
    moved = 0
    for _ in range(3):
        result = layer(data, training=True)
        seen, found = result["segmentation_masks"], result["bounding_boxes"]["boxes"]
        assert seen.dtype == "uint8" and found.dtype == "float32"
        for image, number in np.ndindex(4, 2):
            expected = hull(seen[image, ..., number])
            np.testing.assert_allclose(found[image, number], expected, atol=1.6)
            moved += np.abs(expected - corners[image, number]).max() > 1
    assert moved


def test_boxes_are_the_same_in_every_format_and_on_every_backend(backend):
    sizes = {"height": HEIGHT, "width": WIDTH}
    for name, arguments in (
        ("RandomFlip", {}),
        ("RandomRotation", {"factor": 0.2}),
        ("RandomCrop", {"height": 12, "width": 9}),
    ):
        make = getattr(keras.layers, name)
        with backends.use("numpy"):
            layer = make(**arguments, seed=7, bounding_box_format="xyxy")
            expected = layer({"images": IMAGES, "bounding_boxes": boxes()})
        shape = expected["images"].shape[1:3]
        for kind in ("xyxy", "rel_center_xywh"):
            given = keras.utils.bounding_boxes.convert_format(boxes(), "xyxy", kind, **sizes)
            layer = make(**arguments, seed=7, bounding_box_format=kind)
            result = layer({"images": IMAGES, "bounding_boxes": given})["bounding_boxes"]
            result = to_numpy(keras.utils.bounding_boxes.convert_format(result, kind, "xyxy", *shape))
            np.testing.assert_allclose(result["boxes"], expected["bounding_boxes"]["boxes"], rtol=1e-4, atol=1e-3)
            np.testing.assert_array_equal(result["labels"], expected["bounding_boxes"]["labels"])


def test_single_images_have_boxes_and_masks_too():
    layer = keras.layers.RandomRotation((0.1, 0.1), bounding_box_format="xyxy")
    masks = (IMAGES[..., 0] > 128).astype("int32")
    data = {"images": IMAGES, "bounding_boxes": boxes(), "segmentation_masks": masks, "labels": np.arange(2)}
    many = layer(data)
    one = layer(
        {
            **{key: data[key][0] for key in data if key != "bounding_boxes"},
            "bounding_boxes": boxes(CORNERS[0], LABELS[0]),
        }
    )
    np.testing.assert_allclose(one["bounding_boxes"]["boxes"], many["bounding_boxes"]["boxes"][0], rtol=1e-5)
    np.testing.assert_array_equal(one["bounding_boxes"]["labels"], many["bounding_boxes"]["labels"][0])
    np.testing.assert_array_equal(one["segmentation_masks"], many["segmentation_masks"][0])
    assert many["segmentation_masks"].shape == masks.shape and one["labels"] == 0


def test_out_of_training_nothing_moves(backend):
    data = {"images": IMAGES.astype("uint8"), "bounding_boxes": boxes(), "labels": np.arange(2)}
    for layer in (keras.layers.RandomRotation(0.2), keras.layers.MixUp(), keras.layers.RandAugment()):
        result = to_numpy(layer(data, training=False))
        np.testing.assert_array_equal(result["images"], IMAGES.astype("uint8"))
        np.testing.assert_array_equal(result["bounding_boxes"]["boxes"], CORNERS)
        assert keras.ops.dtype(result["images"]) == "float32"


def test_half_precision_leaves_the_places_of_boxes_exact():
    layer = keras.layers.RandomFlip("horizontal", seed=1, bounding_box_format="xyxy", dtype="mixed_bfloat16")
    corners = np.array([[[1001.0, 3, 1003, 5]]] * 16, "float32")
    result = layer({"images": np.zeros((16, 8, 2048, 1)), "bounding_boxes": boxes(corners, np.zeros((16, 1)))})
    assert keras.ops.dtype(result["images"]) == "bfloat16"
    assert set(result["bounding_boxes"]["boxes"][:, 0, 0]) == {1001.0, 2048.0 - 1003}


@pytest.mark.parametrize(
    ("layer", "size", "count"),
    [
        (keras.layers.Resizing(5, 6, bounding_box_format="xyxy"), (5, 6), 2),
        (keras.layers.RandomCrop(5, 6, bounding_box_format="xyxy"), (5, 6), 2),
        (keras.layers.MixUp(), (HEIGHT, WIDTH), 4),
        (keras.layers.MaxNumBoundingBoxes(7), (HEIGHT, WIDTH), 7),
        (
            keras.layers.Pipeline([keras.layers.Resizing(4, 4, bounding_box_format="xyxy"), keras.layers.MixUp()]),
            (4, 4),
            4,
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_shapes_of_dicts_are_known_without_values(layer, size, count):
    data = {"images": IMAGES, "bounding_boxes": boxes(), "segmentation_masks": IMAGES[..., 0].astype("uint8")}
    symbols = {
        "images": keras.KerasTensor((None, HEIGHT, WIDTH, 3)),
        "segmentation_masks": keras.KerasTensor((None, HEIGHT, WIDTH), "uint8"),
        "bounding_boxes": {"boxes": keras.KerasTensor((None, 2, 4)), "labels": keras.KerasTensor((None, 2), "int64")},
    }
    known, real = layer(symbols), layer(data, training=True)
    assert known["images"].shape == (None, *size, 3) and real["images"].shape == (2, *size, 3)
    assert known["segmentation_masks"].shape == (None, *size) and real["segmentation_masks"].shape == (2, *size)
    assert known["segmentation_masks"].dtype == keras.ops.dtype(real["segmentation_masks"])
    assert known["bounding_boxes"]["boxes"].shape == (None, count, 4)
    assert real["bounding_boxes"]["boxes"].shape == (2, count, 4)
    assert known["bounding_boxes"]["labels"].shape == (None, count)
    assert real["bounding_boxes"]["labels"].shape == (2, count)
    shapes = {"images": (2, HEIGHT, WIDTH, 3), "bounding_boxes": {"boxes": (2, 2, 4), "labels": (2, 2)}}
    assert layer.compute_output_shape(shapes)["bounding_boxes"]["boxes"] == (2, count, 4)
