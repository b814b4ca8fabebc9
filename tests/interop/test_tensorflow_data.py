"""Preprocessing layers in the map functions of ``tf.data``: what they give when called on the same rows."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers

tf = pytest.importorskip("tensorflow")

rng = np.random.default_rng(0)
IMAGES = (rng.random((4, 8, 6, 3)) * 255).astype("float32")
VECTORS = rng.normal(size=(4, 3)).astype("float32")
SIGNALS = rng.normal(size=(4, 64, 1)).astype("float32")
IDS = np.array([[1, 3], [2, 0], [4, 4], [3, 1]])
WORDS = np.array([["ant", "cow"], ["bee", "ant"], ["x", "y"], ["bee", "bee"]])
TEXTS = np.array(["the cat", "a dog the", "", "cat cat"])
NAMES = [name for name in dir(layers) if getattr(getattr(layers, name), "__module__", "").startswith(layers.__name__)]
PUBLIC = [name for name in NAMES if ".preprocessing." in getattr(layers, name).__module__]

FEATURES = [
    ("Rescaling", {"scale": 0.5, "offset": 1.0}, VECTORS),
    ("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 9.0]}, VECTORS),
    ("Normalization", {"adapt": True}, VECTORS),
    ("Discretization", {"bin_boundaries": [-0.5, 0.0, 0.75]}, VECTORS),
    ("Discretization", {"num_bins": 3, "output_mode": "multi_hot", "adapt": True}, VECTORS),
    ("CategoryEncoding", {"num_tokens": 5, "output_mode": "count"}, IDS),
    ("Hashing", {"num_bins": 7}, IDS),
    ("Hashing", {"num_bins": 7}, WORDS),
    ("HashedCrossing", {"num_bins": 5}, (IDS[:, 0], IDS[:, 1])),
    ("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, (WORDS[:, 0], WORDS[:, 1])),
    ("IntegerLookup", {"vocabulary": [1, 3], "output_mode": "multi_hot"}, IDS),
    ("StringLookup", {"vocabulary": ["ant", "bee"]}, WORDS),
    ("StringLookup", {"vocabulary": ["ant", "bee"], "invert": True}, np.minimum(IDS, 2)),
    ("StringLookup", {"output_mode": "count", "adapt": True}, WORDS),
    ("TextVectorization", {"vocabulary": ["the", "cat"]}, TEXTS),
    ("TextVectorization", {"vocabulary": ["the", "cat"], "output_sequence_length": 4}, TEXTS),
    ("TextVectorization", {"output_mode": "tf_idf", "adapt": True}, TEXTS),
    ("STFTSpectrogram", {"frame_length": 16, "frame_step": 8}, SIGNALS),
    (
        "MelSpectrogram",
        {"fft_length": 16, "sequence_stride": 8, "sampling_rate": 100, "min_freq": 5.0},
        SIGNALS[..., 0],
    ),
]
MOVING = {
    "Resizing": {"height": 4, "width": 5, "crop_to_aspect_ratio": True},
    "CenterCrop": {"height": 4, "width": 4},
    "RandomCrop": {"height": 3, "width": 4, "seed": 3},
    "RandomFlip": {"seed": 3},
    "RandomRotation": {"factor": 0.2, "seed": 3},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2, "seed": 3},
    "RandomZoom": {"height_factor": 0.3, "seed": 3},
    "RandomShear": {"x_factor": 0.3, "y_factor": 0.2, "seed": 3},
    "RandomPerspective": {"seed": 3},
    "RandomElasticTransform": {"seed": 3},
    "RandAugment": {"num_ops": 1, "seed": 3},
}
STILL = {
    "AutoContrast": {},
    "Equalization": {},
    "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (2, 2)},
    "MaxNumBoundingBoxes": {"max_number": 3},
    "RandomBrightness": {"factor": 0.2, "seed": 3},
    "RandomContrast": {"factor": 0.5, "seed": 3},
    "RandomSaturation": {"factor": 0.9, "seed": 3},
    "RandomHue": {"factor": 0.5, "seed": 3},
    "RandomColorDegeneration": {"factor": 0.9, "seed": 3},
    "RandomSharpness": {"factor": 0.9, "seed": 3},
    "RandomPosterization": {"factor": (1, 4), "seed": 3},
    "RandomGrayscale": {"factor": 0.5, "seed": 3},
    "RandomInvert": {"factor": (0.5, 0.5), "seed": 3},
    "RandomGaussianBlur": {"factor": (0.5, 0.5), "seed": 3},
    "Solarization": {"addition_factor": 0.3, "threshold_factor": 0.5, "seed": 3},
    "RandomColorJitter": {"contrast_factor": 0.5, "hue_factor": 0.2, "seed": 3},
    "CutMix": {"seed": 3},
    "MixUp": {"alpha": 0.8, "seed": 3},
    "RandomErasing": {"fill_value": 3.0, "seed": 3},
    "AugMix": {"num_chains": 2, "chain_depth": 1, "seed": 3},
}
IMAGE_LAYERS = {**MOVING, **STILL}
#: Each is a choice among the other layers, and takes several seconds to become a graph.
CHOICES = ("RandAugment", "AugMix")
BOXES = {
    "boxes": np.tile(np.array([[[1.0, 1.0, 4.0, 5.0], [0.0, 0.0, 3.0, 3.0]]], "float32"), (4, 1, 1)),
    "labels": np.tile(np.array([[1, 2]]), (4, 1)),
}
PARTS = {
    "images": IMAGES,
    "labels": np.eye(4, dtype="float32"),
    "segmentation_masks": (IMAGES[..., :1] > 100).astype("int32"),
    "bounding_boxes": BOXES,
}


def made(name, arguments, data):
    if name == "Pipeline":
        return layers.Pipeline([layers.RandomFlip(seed=1), layers.RandomBrightness(0.2, seed=2)])
    arguments = dict(arguments)
    adapts = arguments.pop("adapt", False)
    layer = getattr(layers, name)(**arguments)
    if adapts:
        layer.adapt(data)
    return layer


def first(data, batch):
    return keras.tree.map_structure(lambda x: x[:2] if batch else x[0], data)


def check_same(found, expected):
    """Check what a pipeline gave against the values of the layer on NumPy."""

    def check(x, y):
        x, y = np.asarray(x), np.asarray(y)
        if y.dtype == object:
            assert x.astype(str).tolist() == y.astype(str).tolist()
        else:
            assert x.dtype == y.dtype
            np.testing.assert_allclose(x, y, rtol=1e-3, atol=2e-2)

    keras.tree.map_structure(check, found, expected)


CASES = [*FEATURES, *((name, arguments, IMAGES) for name, arguments in IMAGE_LAYERS.items()), ("Pipeline", {}, IMAGES)]


def test_every_preprocessing_layer_has_a_case():
    assert {name for name, _, _ in CASES} == set(PUBLIC)


@pytest.mark.parametrize(("name", "arguments", "data"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_a_layer_in_a_map_function_gives_what_it_gives_outside(backend, name, arguments, data):
    # Rows, batches, and on the engine that computes in the graph batches of a known size.
    for batch in (None, False, True) if backend.name == "tensorflow" and name not in CHOICES else (None, False):
        if batch is None and name in ("STFTSpectrogram", "CutMix", "MixUp"):
            continue
        rows = tf.data.Dataset.from_tensor_slices((data, np.arange(4)))
        pipeline = rows if batch is None else rows.batch(2, drop_remainder=batch)
        layer = made(name, arguments, data)
        found, number = next(iter(pipeline.map(lambda x, number: (layer(x), number))))  # noqa: B023
        with backends.use("numpy"):
            expected = made(name, arguments, data)(first(data, batch is not None))
        check_same((found, number), (expected, first(np.arange(4), batch is not None)))


def parts_for(name):
    """What the layer takes of a batch, and the arguments that it needs for that."""
    arguments = IMAGE_LAYERS[name]
    moves = name in MOVING
    data = {key: x for key, x in PARTS.items() if key != "bounding_boxes" or moves or name == "MaxNumBoundingBoxes"}
    return data, {**arguments, "bounding_box_format": "xyxy"} if moves else arguments


def changed_part_by_part(layer, row):
    change = layer.get_random_transformation(row["images"])
    methods = {
        "images": layer.transform_images,
        "labels": layer.transform_labels,
        "segmentation_masks": layer.transform_segmentation_masks,
        "bounding_boxes": layer.transform_bounding_boxes,
    }
    return {key: methods[key](x, change) for key, x in row.items()}


@pytest.mark.parametrize("name", IMAGE_LAYERS)
@pytest.mark.parametrize("change", [lambda layer, row: layer(row), changed_part_by_part], ids=["dict", "parts"])
def test_all_parts_of_a_row_are_changed_together_in_a_map_function(backend, name, change):
    data, arguments = parts_for(name)
    for is_known in (False, True) if backend.name == "tensorflow" and name not in CHOICES else (False,):
        layer = made(name, arguments, None)
        pipeline = tf.data.Dataset.from_tensor_slices(data).batch(2, drop_remainder=is_known)
        found = next(iter(pipeline.map(lambda row: change(layer, row))))  # noqa: B023
        with backends.use("numpy"):
            expected = change(made(name, arguments, None), first(data, True))
        check_same(found, expected)
