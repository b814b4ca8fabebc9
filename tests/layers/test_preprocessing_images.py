"""Image layers: with forced draws against real Keras, else against NumPy formulas; the same draws everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.layers.checks import to_numpy

rng = np.random.default_rng(0)
IMAGES = rng.uniform(0, 255, (2, 6, 8, 3)).astype("float32")
FIRST = {"data_format": "channels_first"}

# Limits of equal value leave nothing to chance.
FORCED = [
    ("Resizing", {"height": 3, "width": 5}),
    ("Resizing", {"height": 9, "width": 4, "interpolation": "nearest"}),
    ("Resizing", {"height": 4, "width": 4, "antialias": True, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 4, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 7.0}),
    ("CenterCrop", {"height": 3, "width": 5}),
    ("CenterCrop", {"height": 9, "width": 5}),
    ("RandomRotation", {"factor": (0.1, 0.1)}),
    ("RandomRotation", {"factor": (-0.2, -0.2), "fill_mode": "constant", "fill_value": 9.0}),
    ("RandomTranslation", {"height_factor": (0.2, 0.2), "width_factor": (-0.3, -0.3), "fill_mode": "nearest"}),
    ("RandomZoom", {"height_factor": (0.3, 0.3), "fill_mode": "wrap"}),
    ("RandomZoom", {"height_factor": (0.3, 0.3), "width_factor": (-0.2, -0.2)}),
    ("RandomPerspective", {"scale": 0.0}),
    ("RandomBrightness", {"factor": (0.2, 0.2)}),
    ("RandomSaturation", {"factor": (0.3, 0.3)}),
    ("RandomHue", {"factor": (0.0, 0.0)}),
    ("RandomColorDegeneration", {"factor": (0.4, 0.4)}),
    ("RandomSharpness", {"factor": (0.8, 0.8)}),
    ("RandomPosterization", {"factor": (3, 3)}),
    ("RandomGrayscale", {"factor": 1.0}),
    ("RandomInvert", {"factor": (1.0, 1.0)}),
    ("RandomGaussianBlur", {"factor": (1.0, 1.0), "sigma": (0.7, 0.7), "kernel_size": 3}),
    ("Solarization", {}),
    ("AutoContrast", {}),
    ("RandomColorJitter", {"brightness_factor": (0.1, 0.1), "saturation_factor": (0.2, 0.2)}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 2)}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (4, 3), "clip_limit": 40.0}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"clip_limit": 0, "tile_grid_size": (1, 4)}),
]
RANDOM = [
    ("RandomCrop", {"height": 3, "width": 4}),
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.2}),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.2}),
    ("RandomZoom", {"height_factor": 0.3}),
    ("RandomShear", {"x_factor": 0.3, "y_factor": 0.2}),
    ("RandomPerspective", {}),
    ("RandomElasticTransform", {}),
    ("RandomBrightness", {"factor": 0.2}),
    ("RandomContrast", {"factor": 0.5}),
    ("RandomSaturation", {"factor": 0.9}),
    ("RandomHue", {"factor": 0.5}),
    ("RandomColorDegeneration", {"factor": 0.9}),
    ("RandomSharpness", {"factor": 0.9}),
    ("RandomPosterization", {"factor": (1, 4)}),
    ("RandomGrayscale", {"factor": 0.5}),
    ("RandomInvert", {"factor": (0.5, 0.5)}),
    ("RandomGaussianBlur", {"factor": (0.5, 0.5)}),
    ("Solarization", {"addition_factor": 0.3, "threshold_factor": 0.5}),
    ("RandomColorJitter", {"contrast_factor": 0.5, "hue_factor": 0.2}),
    ("CutMix", {}),
    ("MixUp", {"alpha": 0.8}),
    ("RandomErasing", {}),
    ("RandAugment", {"num_ops": 1}),
    ("AugMix", {"num_chains": 2, "chain_depth": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), FORCED, ids=[f"{c[0]}-{n}" for n, c in enumerate(FORCED)])
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments):
    expected = np.asarray(getattr(real_keras.layers, name)(**arguments)(IMAGES, training=True))
    layer = getattr(keras.layers, name)(**arguments)
    np.testing.assert_allclose(to_numpy(layer(IMAGES, training=True)), expected, rtol=1e-4, atol=2e-2)
    assert layer.compute_output_shape((None, 6, 8, 3)) == (None, *expected.shape[1:])


@pytest.mark.parametrize(("name", "arguments"), FORCED, ids=[f"{c[0]}-{n}" for n, c in enumerate(FORCED)])
def test_single_images_and_channels_first_are_the_same(name, arguments):
    layer = getattr(keras.layers, name)(**arguments)
    expected = to_numpy(layer(IMAGES, training=True))
    np.testing.assert_allclose(to_numpy(layer(IMAGES[0], training=True)), expected[0], rtol=1e-4, atol=2e-2)
    first = getattr(keras.layers, name)(**arguments, **FIRST)
    moved = to_numpy(first(np.moveaxis(IMAGES, -1, 1).copy(), training=True))
    np.testing.assert_allclose(np.moveaxis(moved, 1, -1), expected, rtol=1e-4, atol=2e-2)


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=[name for name, _ in RANDOM])
def test_draws_are_the_same_on_every_backend_and_differ_from_call_to_call(name, arguments):
    results = {}
    for adapter in backends.available():
        with backends.use(adapter):
            layer = getattr(keras.layers, name)(**arguments, seed=3)
            results[adapter] = [to_numpy(layer(IMAGES, training=True)) for _ in range(4)]
    for calls in results.values():
        np.testing.assert_allclose(np.stack(calls), np.stack(results["numpy"]), rtol=1e-3, atol=0.05)
    assert any(not np.allclose(call, results["numpy"][0]) for call in results["numpy"][1:])
    assert all(np.isfinite(call).all() for call in results["numpy"])


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=[name for name, _ in RANDOM])
def test_augmentations_rest_out_of_training_and_come_back_from_their_config(name, arguments):
    layer = getattr(keras.layers, name)(**arguments, seed=3)
    if name != "RandomCrop":
        np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    again = keras.layers.deserialize(json.loads(json.dumps(keras.layers.serialize(layer))))
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(IMAGES, training=True), layer(IMAGES, training=True))
    assert layer(IMAGES.astype("uint8"), training=True).dtype == "float32"


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=[name for name, _ in RANDOM])
def test_configs_of_real_keras_make_the_layers(real_keras, name, arguments):
    boxes = {} if name == "RandomGrayscale" else {"bounding_box_format": "xywh"}
    config = getattr(real_keras.layers, name)(**arguments, **boxes).get_config()
    layer = getattr(keras.layers, name).from_config(config)
    assert set(config) <= set(layer.get_config()) and layer(IMAGES).shape[0] == 2


def test_crops_are_pieces_of_the_image(backend):
    x = np.arange(2 * 6 * 8, dtype="float32").reshape(2, 6, 8, 1)
    layer = keras.layers.RandomCrop(3, 4, seed=1)
    corners = set()
    for _ in range(12):
        piece = to_numpy(layer(x, training=True))
        top, left = divmod(int(piece[0, 0, 0, 0]), 8)
        np.testing.assert_array_equal(piece, x[:, top : top + 3, left : left + 4])
        corners.add((top, left))
    assert len(corners) > 4
    halved = x.reshape(2, 3, 2, 4, 2).mean((2, 4))[..., None]
    np.testing.assert_allclose(to_numpy(layer(x, training=False)), halved)


@pytest.mark.parametrize(("mode", "axes"), [("horizontal", 2), ("vertical", 1), ("horizontal_and_vertical", (1, 2))])
def test_flips_mirror_half_of_the_images(backend, mode, axes):
    x = rng.uniform(size=(64, 2, 3, 1)).astype("float32")
    result = to_numpy(keras.layers.RandomFlip(mode, seed=5)(x, training=True))
    flipped = np.array([np.array_equal(y, f) for y, f in zip(result, np.flip(x, axes), strict=True)])
    np.testing.assert_array_equal(result[~flipped], x[~flipped])
    assert 16 < flipped.sum() < 48


def test_contrast_scales_the_distance_from_the_mean(backend):
    result = to_numpy(keras.layers.RandomContrast((0.5, -0.0), value_range=(-1e6, 1e6), seed=2)(IMAGES))
    mean = IMAGES.mean((1, 2), keepdims=True)
    scale = (result - mean) / (IMAGES - mean)
    np.testing.assert_allclose(scale, np.broadcast_to(np.median(scale, (1, 2, 3), keepdims=True), scale.shape), 1e-2)
    assert (np.median(scale, (1, 2, 3)) >= 0.5).all() and (np.median(scale, (1, 2, 3)) <= 1).all()


def test_equalization_spreads_values_as_real_keras_does_for_one_image(backend, real_keras):
    x = np.floor(IMAGES[:1] / 3)
    expected = np.asarray(real_keras.layers.Equalization()(x, training=True))
    layer = keras.layers.Equalization()
    np.testing.assert_allclose(to_numpy(layer(x, training=True)), expected, atol=1e-3)
    both = to_numpy(layer(np.concatenate([x, np.floor(IMAGES[1:])]), training=True))
    np.testing.assert_allclose(both[:1], expected, atol=1e-3)


def test_masks_move_with_their_images(backend):
    masks = (IMAGES[..., :1] > 128).astype("int32")
    layer = keras.layers.RandomRotation(0.2, interpolation="nearest", seed=1)
    result = layer({"images": masks.astype("float32"), "segmentation_masks": masks, "labels": np.arange(2)})
    np.testing.assert_array_equal(to_numpy(result["images"]), to_numpy(result["segmentation_masks"]))
    assert keras.ops.dtype(result["segmentation_masks"]) == "int32"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.layers.Resizing(0, 3), "height"),
        (lambda: keras.layers.RandomFlip("sideways"), "mode"),
        (lambda: keras.layers.RandomRotation(2.0), "factor"),
        (lambda: keras.layers.RandomZoom(0.2, fill_mode="mirrored"), "fill_mode"),
        (lambda: keras.layers.RandomBrightness((0.1, 0.2, 0.3)), "factor"),
        (lambda: keras.layers.RandomBrightness(0.1, value_range=3), "value_range"),
        (lambda: keras.layers.RandomGaussianBlur(kernel_size=4), "kernel_size"),
        (lambda: keras.layers.RandomFlip()(IMAGES[0, 0]), "3 or 4 axes"),
        (lambda: keras.layers.RandomFlip()({"images": IMAGES, "bounding_boxes": {}}), "bounding_box_format"),
        (lambda: keras.layers.RandomFlip(bounding_box_format="corners"), "bounding_box_format"),
        (lambda: keras.layers.RandomFlip()({"labels": IMAGES}), "images"),
        (lambda: keras.layers.CutMix()({"images": IMAGES, "bounding_boxes": {}}), "segmentation_masks"),
        (lambda: keras.layers.MixUp(alpha=0), "alpha"),
        (lambda: keras.layers.RandomErasing(scale=(0.1, 2.0)), "scale"),
        (lambda: keras.layers.RandAugment(num_ops=0), "num_ops"),
        (lambda: keras.layers.AugMix(chain_depth=0), "chain_depth"),
        (lambda: keras.layers.MaxNumBoundingBoxes(0), "max_number"),
        (lambda: keras.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=8.5), "tile_grid_size"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(make, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}.*Received"):
        make()
