"""Layers that mix, erase and choose: by what they may do to images; and augmentation inside a compiled fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.layers.checks import to_numpy

rng = np.random.default_rng(0)
COUNT, HEIGHT, WIDTH = 8, 10, 20
# Each image is of one value, its number: mixtures show what they are made of.
PLAIN = np.arange(COUNT, dtype="float32")[:, None, None, None] * np.ones((COUNT, HEIGHT, WIDTH, 1), "float32")
ONE_HOT = np.eye(COUNT, dtype="float32")


def test_pieces_of_others_are_pasted_and_count_by_their_area(backend):
    layer = keras.layers.CutMix(seed=3)
    shares = set()
    for _ in range(3):
        data = {"images": PLAIN.astype("uint8"), "labels": ONE_HOT, "segmentation_masks": PLAIN.astype("int32")}
        result = to_numpy(layer(data))
        images = result["images"][..., 0]
        np.testing.assert_array_equal(result["segmentation_masks"][..., 0], images)
        for n, image in enumerate(images):
            is_pasted = image != n
            rows, columns = is_pasted.any(1).sum(), is_pasted.any(0).sum()
            assert is_pasted.sum() == rows * columns and len(np.unique(image[is_pasted])) <= 1
            expected = [(image == other).mean() for other in range(COUNT)]
            np.testing.assert_allclose(result["labels"][n], expected, atol=1e-6)
            shares.add(is_pasted.mean())
            if is_pasted.any():
                assert abs(rows / HEIGHT - columns / WIDTH) <= 0.5 / HEIGHT + 0.5 / WIDTH
    assert len(shares) > 8


def test_blends_have_the_same_shares_of_images_labels_and_masks(backend):
    layer = keras.layers.MixUp(alpha=0.7, seed=3)
    corners = rng.uniform(0, 9, (COUNT, 2, 4)).astype("float32")
    given = {"boxes": corners, "labels": np.arange(2 * COUNT).reshape(COUNT, 2)}
    data = {"images": PLAIN, "labels": ONE_HOT, "segmentation_masks": PLAIN * 2, "bounding_boxes": given}
    result = to_numpy(layer(data))
    np.testing.assert_allclose(result["images"][..., 0].mean((1, 2)), result["labels"] @ np.arange(COUNT), rtol=1e-5)
    np.testing.assert_allclose(result["segmentation_masks"], result["images"] * 2, rtol=1e-5)
    np.testing.assert_allclose(result["labels"].sum(1), 1, rtol=1e-5)
    assert ((result["labels"] > 0).sum(1) <= 2).all() and ((result["labels"] > 0.02).sum(1) == 2).any()
    order = result["bounding_boxes"]["labels"][:, 2] // 2
    assert sorted(order) == list(range(COUNT))
    for key, value in given.items():
        expected = np.concatenate([value, value[order]], 1)
        np.testing.assert_array_equal(result["bounding_boxes"][key], expected)
    assert (result["labels"][np.arange(COUNT), order] > 0).all()


@pytest.mark.parametrize(
    ("make", "mean"), [(keras.layers.CutMix, 0.5), (lambda **k: keras.layers.MixUp(2.0, **k), 0.5)]
)
def test_shares_are_spread_around_one_half(make, mean):
    layer = make(seed=2)
    labels = np.concatenate([layer({"images": PLAIN, "labels": ONE_HOT})["labels"].diagonal() for _ in range(60)])
    assert abs(labels.mean() - mean - 0.5 / COUNT) < 0.06  # one image in eight is mixed with itself


def test_a_single_image_has_no_other_to_mix_with():
    for layer in (keras.layers.CutMix(), keras.layers.MixUp()):
        result = layer({"images": PLAIN[3], "labels": ONE_HOT[3], "segmentation_masks": PLAIN[3]})
        np.testing.assert_array_equal(result["images"], PLAIN[3])
        np.testing.assert_array_equal(result["labels"], ONE_HOT[3])
        assert result["segmentation_masks"].shape == PLAIN[3].shape


def test_rectangles_of_drawn_sizes_are_erased_at_drawn_places(backend):
    images = rng.uniform(1, 9, (64, 20, 40, 3)).astype("float32")
    layer = keras.layers.RandomErasing((0.5, 0.5), scale=(0.04, 0.25), fill_value=99.0, seed=1)
    result = to_numpy(layer({"images": images, "segmentation_masks": images[..., :1]}))
    np.testing.assert_array_equal(result["segmentation_masks"], images[..., :1])
    is_erased = (result["images"] == 99).all(-1)
    np.testing.assert_array_equal(result["images"][~is_erased], images[~is_erased])
    found = [n for n in range(64) if is_erased[n].any()]
    assert 20 < len(found) < 44
    rows, columns = is_erased[found].any(2), is_erased[found].any(1)
    np.testing.assert_array_equal(is_erased[found], rows[:, :, None] & columns[:, None])
    heights, widths = rows.sum(1), columns.sum(1)
    assert 4 <= heights.min() < 6 and 9 <= heights.max() <= 10 and 8 <= widths.min() < 11 and 17 < widths.max() <= 20
    assert len(set(rows.argmax(1))) > 6 and len(set(columns.argmax(1))) > 8


def test_erased_places_are_filled_with_noise_in_the_value_range():
    layer = keras.layers.RandomErasing((1.0, 1.0), scale=(1.0, 1.0), value_range=(-1, 1), seed=1)
    noise = layer(np.zeros((4, 32, 32, 3)))
    # A normal number held between -1 and 1 is 1 or -1 with probability 0.317; its variance is 0.516.
    assert abs((np.abs(noise) == 1).mean() - 0.317) < 0.02 and abs(noise.var() - 0.516) < 0.02
    assert abs(noise.mean()) < 0.03


def test_number_of_boxes_is_fixed_by_cutting_or_filling(backend):
    given = {"boxes": rng.uniform(size=(2, 3, 4)), "labels": np.arange(6).reshape(2, 3), "confidences": np.ones((2, 3))}
    data = {"images": PLAIN[:2], "bounding_boxes": given}
    less = to_numpy(keras.layers.MaxNumBoundingBoxes(2)(data, training=False)["bounding_boxes"])
    more = to_numpy(keras.layers.MaxNumBoundingBoxes(5, fill_value=-7)(data, training=False)["bounding_boxes"])
    for key, value in given.items():
        np.testing.assert_allclose(less[key], value[:, :2], rtol=1e-6)
        np.testing.assert_allclose(more[key][:, :3], value, rtol=1e-6)
        assert more[key].shape[1] == 5 and (more[key][:, 3:] == -7).all()


# ------------------------------------------------------------- chosen at random

STRENGTH = 0.3


def candidates(images):
    """What the layers that leave nothing to chance make of images, with factors of equal limits."""
    pair, layers = (STRENGTH, STRENGTH), keras.layers
    steps = {
        "translation": layers.RandomTranslation(pair, pair),
        "rotation": layers.RandomRotation(pair),
        "solarization": layers.Solarization(pair, pair),
        "contrast": layers.AutoContrast(),
        "equalization": layers.Equalization(),
        "brightness": layers.RandomBrightness(pair),
        "degeneration": layers.RandomColorDegeneration(pair),
        "sharpness": layers.RandomSharpness(pair),
    }
    return {name: layer(images, training=True) for name, layer in steps.items()}


def test_a_random_one_of_eleven_layers_is_applied():
    images = rng.uniform(20, 200, (2, 8, 8, 3)).astype("float32")
    known = candidates(images)
    layer = keras.layers.RandAugment(num_ops=1, factor=(STRENGTH, STRENGTH), seed=1)
    counts = dict.fromkeys([*known, "another"], 0)
    for _ in range(220):
        result = layer(images)
        found = [name for name, expected in known.items() if np.allclose(result, expected, atol=1e-2)]
        assert len(found) <= 1
        counts[found[0] if found else "another"] += 1
    # Shear, posterization and contrast are the others. 20 of each are expected, with a deviation of 4.3.
    assert all(5 < counts[name] < 40 for name in known) and 35 < counts["another"] < 85


def test_layers_follow_one_another():
    images = rng.uniform(20, 200, (2, 8, 8, 3)).astype("float32")
    pairs = [other for result in candidates(images).values() for other in candidates(result).values()]
    layer = keras.layers.RandAugment(num_ops=2, factor=(STRENGTH, STRENGTH), seed=2)
    found = sum(
        any(np.allclose(result, pair, atol=1e-2) for pair in pairs) for result in (layer(images) for _ in range(40))
    )
    assert 11 < found < 32  # (8 / 11)**2 of 40 are 21


def test_chains_are_mixed_with_the_image():
    images = rng.uniform(20, 200, (2, 8, 8, 3)).astype("float32")
    known = candidates(images)
    layer = keras.layers.AugMix(num_chains=1, chain_depth=1, factor=(STRENGTH, STRENGTH), seed=1)
    still, found = 0, []
    for _ in range(80):
        change = layer(images) - images
        if np.abs(change).max() < 1e-3:
            still += 1
            continue
        for name, result in known.items():
            step = result - images
            share = (change * step).sum((1, 2, 3)) / (step * step).sum((1, 2, 3))
            if np.allclose(change, share[:, None, None, None] * step, atol=1e-2):
                assert (share >= 0).all() and (share <= 1).all() and share[0] != share[1]
                found.append((name, *share))
    assert 25 < still < 55  # no layer or one: half of the chains are empty
    assert len({name for name, *_ in found}) >= 6
    shares = np.array([share for _, *pair in found for share in pair])
    assert abs(shares.mean() - 0.5) < 0.15 and shares.std() > 0.2  # evenly from 0 to 1


def test_without_all_ops_colours_and_sharpness_are_left_alone():
    names = [type(layer).__name__ for layer in keras.layers.AugMix(all_ops=False).candidates]
    others = {type(layer).__name__ for layer in keras.layers.AugMix().candidates} - set(names)
    assert others == {"RandomBrightness", "RandomColorDegeneration", "RandomContrast", "RandomSharpness"}


# --------------------------------------------------------------- inside a model


def pipeline(layers):
    return layers.Pipeline(
        [
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.1, seed=2),
            layers.RandomZoom(0.2, seed=3),
            layers.RandomBrightness(0.2, seed=4),
            layers.CutMix(seed=5),
            layers.MixUp(seed=6),
            layers.RandomErasing(seed=7),
            layers.RandAugment(num_ops=1, seed=8),
        ]
    )


def test_a_pipeline_is_its_layers_in_a_row_and_comes_back_from_its_config():
    images = rng.uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    layer = pipeline(keras.layers)
    again = keras.layers.deserialize(json.loads(json.dumps(keras.layers.serialize(layer))))
    alone, x = pipeline(keras.layers).layers, images
    for step in alone:
        x = step(x, training=True)
    result = layer(images, training=True)
    np.testing.assert_array_equal(result, x)
    np.testing.assert_array_equal(again(images, training=True), result)
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(layer(images, training=False), images)


class EachLoss(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.losses = []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


def check_fit(make, **arguments):
    """Train on equal batches, which only augmentation makes different; return the losses of epochs."""
    images = np.repeat(np.random.default_rng(1).integers(0, 255, (1, 4, 8, 8, 3)), 4, 0).reshape(16, 8, 8, 3)
    images, targets = images.astype("uint8"), np.zeros((16, 8, 8, 3), "float32")
    scale = keras.layers.Dense(3, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((8, 8, 3), dtype="uint8"), make(keras.layers), scale])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    history = model.fit(images, targets, batch_size=4, shuffle=False, verbose=0, **arguments)
    still = model.evaluate(images, targets, batch_size=4, verbose=0)
    np.testing.assert_allclose(still, (images.astype("float64") ** 2).mean(), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(model.predict(images, verbose=0)), images, atol=1e-3)
    return history.history["loss"]


def test_compiled_training_draws_anew_for_each_batch_and_the_same_on_every_backend():
    results = {}
    for adapter in backends.available():
        with backends.use(adapter):
            each = EachLoss()
            check_fit(pipeline, callbacks=[each])
            results[adapter] = each.losses
    for losses in results.values():
        assert len(losses) == 4
        np.testing.assert_allclose(losses, results["numpy"], rtol=1e-4)
        assert len(np.unique(np.round(losses, 1))) == 4


def test_chains_run_inside_of_several_steps_at_once():
    results = {}
    for adapter in backends.available():
        with backends.use(adapter):
            results[adapter] = check_fit(lambda layers: layers.AugMix(num_chains=1, chain_depth=1, seed=3), epochs=3)
    for losses in results.values():
        np.testing.assert_allclose(losses, results["numpy"], rtol=1e-4)
    assert len(np.unique(np.round(results["numpy"], 1))) == 3
