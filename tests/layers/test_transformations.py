"""Transformations of image layers, by the names of Keras 3, and layers in graphs that carry data only."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from tests.layers.checks import to_numpy

rng = np.random.default_rng(0)
L = keras.layers
IMAGES = rng.uniform(0, 255, (3, 6, 8, 3)).astype("float32")
BOXES = {"boxes": np.array([[2.0, 1, 4, 3], [6, 4, 8, 6]], "float32"), "labels": np.array([1, 2])}

NAMED = [
    (lambda: L.RandomFlip(seed=1), {"flips"}),
    (lambda: L.RandomTranslation(0.5, 0.5, seed=1), {"translations"}),
    (lambda: L.RandomZoom(0.5, 0.5, seed=1), {"height_zoom", "width_zoom"}),
    (lambda: L.RandomShear(0.5, 0.5, seed=1), {"shear_factor"}),
    (lambda: L.RandomBrightness(0.5, seed=1), {"rgb_delta"}),
    (lambda: L.RandomContrast(0.5, seed=1), {"contrast_factor"}),
    (lambda: L.RandomHue(0.5, seed=1), {"factor"}),
    (lambda: L.RandomSaturation(0.5, seed=1), {"factor"}),
    (lambda: L.RandomColorDegeneration(0.5, seed=1), {"factor"}),
    (lambda: L.RandomPosterization(4, seed=1), {"shift_factor"}),
    (lambda: L.RandomInvert(0.5, seed=1), {"apply_inversion"}),
    (lambda: L.RandomGaussianBlur(0.5, seed=1), {"should_apply_blur", "blur_factor"}),
    (lambda: L.MixUp(0.5, seed=1), {"permutation_order", "mix_weight"}),
    (lambda: L.CutMix(0.5, seed=1), {"permutation_order", "batch_masks", "mix_weight"}),
]


@pytest.mark.parametrize(("make", "names"), NAMED, ids=range(len(NAMED)))
def test_a_transformation_names_what_a_call_draws(backend, make, names):
    expected = to_numpy(make()(IMAGES))
    layer = make()
    change = layer.get_random_transformation(IMAGES)
    assert set(change) == names | {"input_shape"}
    by_hand = {name: to_numpy(change[name]) for name in names}
    np.testing.assert_allclose(to_numpy(layer.transform_images(IMAGES, change)), expected, atol=1e-3)
    np.testing.assert_allclose(to_numpy(layer.transform_images(IMAGES, by_hand)), expected, atol=1e-3)


def test_numbers_written_by_hand_do_what_their_names_say(backend):
    x = IMAGES[..., :1]
    mean = x.mean((1, 2), keepdims=True)
    factors = np.array([0.5, 1.0, 1.5], "float32")
    changed = L.RandomContrast(0.5).transform_images(x, {"contrast_factor": factors})
    expected = np.clip((x - mean) * factors[:, None, None, None] + mean, 0, 255)
    np.testing.assert_allclose(to_numpy(changed), expected, rtol=1e-5)

    changed = L.RandomFlip("vertical").transform_images(x, {"flips": [[True], [False], [True]]})
    np.testing.assert_array_equal(to_numpy(changed), np.stack([x[0, ::-1], x[1], x[2, ::-1]]))

    changed = L.RandomTranslation(0.5, 0.5, "constant").transform_images(x[:1], {"translations": [[2.0, -1.0]]})
    np.testing.assert_allclose(to_numpy(changed)[0, :-1, 2:], x[0, 1:, :-2], rtol=1e-5)

    order, weight = [1, 2, 0], [0.25, 0.5, 1.0]
    change = {"permutation_order": order, "mix_weight": weight}
    shares = np.array(weight)[:, None]
    labels = L.MixUp().transform_labels(np.eye(3, dtype="float32"), change)
    np.testing.assert_allclose(to_numpy(labels), shares * np.eye(3) + (1 - shares) * np.eye(3)[order], rtol=1e-6)

    points = np.array([[[0.0, 0], [7, 0], [0, 5], [7, 5]]])
    change = {"apply_perspective": [True], "start_points": points, "end_points": points, "input_shape": (1, 6, 8, 1)}
    np.testing.assert_allclose(to_numpy(L.RandomPerspective().transform_images(x[:1], change)), x[:1], atol=1e-2)


def test_a_transformation_without_the_numbers_of_a_layer_is_refused(backend):
    with pytest.raises(ValueError, match="Expected a transformation .* or one with 'flips'. Received: one with"):
        L.RandomFlip().transform_images(IMAGES, {"translations": [[1.0, 1.0]]})
    with pytest.raises(ValueError, match="Expected a transformation with input_shape"):
        L.RandomFlip(bounding_box_format="xyxy").transform_bounding_boxes(BOXES, {"flips": [[True]]})


def test_boxes_move_in_a_pipeline_of_another_engine(backend):
    tf = pytest.importorskip("tensorflow")
    layer = L.RandomTranslation(0.5, 0.5, bounding_box_format="xyxy")
    change = {"translations": np.array([[1.0, -1.0]], "float32"), "input_shape": (10, 8, 3)}
    data = tf.data.Dataset.from_tensors(BOXES).map(lambda x: layer.transform_bounding_boxes(x, change))
    moved = next(iter(data))
    np.testing.assert_allclose(moved["boxes"].numpy(), [[3, 0, 5, 2], [7, 3, 8, 5]], atol=1e-5)

    crop = L.CenterCrop(20, 20, bounding_box_format="xyxy")
    whole = {"boxes": BOXES["boxes"].astype("int64"), "labels": BOXES["labels"]}
    inputs = {"images": np.ones((10, 8, 3), "float32"), "bounding_boxes": whole}
    moved = next(iter(tf.data.Dataset.from_tensors(inputs).map(crop)))["bounding_boxes"]["boxes"]
    np.testing.assert_allclose(moved.numpy(), [[5, 0, 10, 5], [15, 7.5, 20, 12.5]])


def test_columns_are_encoded_in_a_pipeline_of_another_engine(backend):
    tf = pytest.importorskip("tensorflow")
    kinds = {"a": "float", "b": "float_discretized", "c": "integer_categorical", "d": "string_hashed"}
    table = {"a": np.array([1.0, 2]), "b": np.array([3.0, 4]), "c": np.array([5, 6]), "d": np.array(["x", "y"])}
    space = keras.utils.FeatureSpace(kinds, crosses=[("b", "c")])
    space.adapt(table)
    expected = to_numpy(space(table))
    rows = tf.data.Dataset.from_tensor_slices(table)
    np.testing.assert_allclose(next(iter(rows.map(space))), expected[0])
    np.testing.assert_allclose(next(iter(rows.batch(2).map(space))), expected)
    # 1 number, 32 bins, a token and one for others, 32 hashes, 32 crossings: bins without values count too.
    assert expected.shape == (2, 1 + 32 + 3 + 32 + 32)


def test_floats_are_crossed_as_bins_only():
    with pytest.raises(ValueError, match="Received: 'a', of floats. Make it 'float_discretized'"):
        keras.utils.FeatureSpace({"a": "float", "b": "integer_hashed"}, crosses=[("a", "b")])


def test_means_of_a_normalization_broadcast_to_its_inputs(backend):
    given = np.arange(1, 6, dtype="float32")
    layer = L.Normalization(axis=2, mean=given, variance=np.ones(5, "float32"))
    layer.build((2, 4, 5, 3))
    np.testing.assert_array_equal(to_numpy(layer.mean), given[None, None, :, None])
    adapted = L.Normalization(axis=(1, 2))
    adapted.adapt(rng.normal(size=(4, 3, 2, 5)).astype("float32"))
    assert tuple(ops.shape(adapted.mean)) == tuple(ops.shape(adapted.variance)) == (1, 3, 2, 1)
    with pytest.raises(TypeError, match="Expected batches that are arrays, with a shape. Received: 42"):
        L.Normalization().adapt(x for x in [42])


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.RandAugment(seed=1),
        lambda: keras.layers.AugMix(seed=1),
        lambda: keras.layers.RandomZoom(0.2, seed=1),
        lambda: keras.layers.RandomFlip(seed=1),
        lambda: keras.layers.CutMix(seed=1),
    ],
)
def test_transformations_are_drawn_and_applied_in_the_graph_of_a_pipeline(backend, make):
    tf = pytest.importorskip("tensorflow")
    layer, images = make(), np.random.default_rng(0).random((5, 8, 8, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices(images).batch(2)
    data = data.map(lambda x: (x, layer.get_random_transformation(x)))
    for given, change, changed in data.map(lambda x, change: (x, change, layer.transform_images(x, change))):
        change = tf.nest.map_structure(lambda x: x.numpy(), change)
        again = keras.ops.convert_to_numpy(layer.transform_images(given.numpy(), change))
        np.testing.assert_allclose(again, changed.numpy(), atol=1e-4)
        assert tuple(map(int, change["input_shape"])) == given.shape


def test_sparse_columns_are_not_crossed(backend):
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(np.array([[1, 0]]))
    with pytest.raises(ValueError, match="Expected dense inputs"):
        keras.layers.HashedCrossing(num_bins=10)((sparse, sparse))
