"""Transforms of images against real Keras's legacy ones, normalizations by formula, and flows of batches."""

import numpy as np
import pytest

import polykeras as keras
from polykeras.preprocessing import image

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 255, (10, 6, 8, 3)).astype("float32")
Y = np.arange(10) % 2
LAST = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}


@pytest.fixture
def real_image():
    pytest.importorskip("scipy")
    return pytest.importorskip("keras.src.legacy.preprocessing.image")


TRANSFORMS = [
    {"theta": 30},
    {"tx": 1.5, "ty": -2},
    {"shear": 20, "order": 0},
    {"zx": 0.7, "zy": 1.4, "fill_mode": "reflect"},
    {"theta": -70, "tx": 2, "shear": 10, "zx": 1.2, "fill_mode": "reflect"},
    {"theta": 15, "ty": 1, "order": 3},
]


@pytest.mark.parametrize("options", TRANSFORMS)
def test_an_image_is_moved_as_by_real_keras(real_image, options):
    # After Keras 2.3 rows and columns changed places (keras-preprocessing, pull request 318), the centre's too.
    square = X[0, :, :6]
    own = image.apply_affine_transform(square, **LAST, **options)
    real = real_image.apply_affine_transform(square.transpose(1, 0, 2).copy(), **LAST, **options)
    np.testing.assert_allclose(own, real.transpose(1, 0, 2), atol=0.02)
    first = image.apply_affine_transform(square.transpose(2, 0, 1), **options)
    np.testing.assert_allclose(first.transpose(1, 2, 0), own, atol=1e-4)


def test_an_image_turns_around_its_centre():
    np.testing.assert_allclose(image.apply_affine_transform(X[0], theta=180, **LAST), X[0, ::-1, ::-1], atol=0.01)
    turned = image.apply_affine_transform(X[0], theta=90, **LAST, fill_mode="constant")[:, 1:7]
    assert min(abs(turned - np.rot90(X[0, :, 1:7], times)).max() for times in (1, 3)) < 0.01


@pytest.mark.parametrize(
    "mode, padding", [("wrap", "wrap"), ("reflect", "symmetric"), ("nearest", "edge"), ("constant", "constant")]
)
def test_what_lies_outside_is_filled(mode, padding):
    shifted = image.apply_affine_transform(X[0], tx=3, ty=-2, **LAST, fill_mode=mode, cval=7.0)
    options = {"constant_values": 7.0} if mode == "constant" else {}
    expected = np.pad(X[0], ((0, 3), (2, 0), (0, 0)), mode=padding, **options)[3:, :8]
    np.testing.assert_allclose(shifted, expected, atol=1e-3)


def test_parameters_lie_in_their_ranges_and_repeat_from_the_seed():
    generator = image.ImageDataGenerator(
        rotation_range=20,
        width_shift_range=0.25,
        height_shift_range=[-1, 2],
        brightness_range=(0.5, 1.5),
        shear_range=5,
        zoom_range=0.3,
        channel_shift_range=9,
        horizontal_flip=True,
    )
    drawn = [generator.get_random_transform((6, 8, 3), seed) for seed in range(300)]
    column = {name: [row[name] for row in drawn] for name in drawn[0]}
    for name, low, high in [
        ("theta", -20, 20),
        ("ty", -2, 2),
        ("brightness", 0.5, 1.5),
        ("shear", -5, 5),
        ("zx", 0.7, 1.3),
        ("zy", 0.7, 1.3),
        ("channel_shift_intensity", -9, 9),
    ]:
        values = np.array(column[name])
        assert low <= values.min() < low + 0.1 * (high - low) and high - 0.1 * (high - low) < values.max() <= high
    assert set(column["tx"]) == {-2.0, -1.0, 1.0, 2.0}
    assert 100 < sum(column["flip_horizontal"]) < 200 and not any(column["flip_vertical"])
    assert drawn[5] == generator.get_random_transform((6, 8, 3), 5)
    whole = image.ImageDataGenerator(width_shift_range=3)
    assert {whole.get_random_transform((6, 8, 3), n)["ty"] for n in range(60)} == {-2.0, -1.0, 0.0, 1.0, 2.0}
    pixels = image.ImageDataGenerator(width_shift_range=2.5)
    assert max(abs(pixels.get_random_transform((6, 8, 3), n)["ty"]) for n in range(60)) > 2


OPTIONS = [
    {"rotation_range": 20, "shear_range": 5, "zoom_range": 0.3, "vertical_flip": True},
    {"width_shift_range": 3, "height_shift_range": 0.3, "channel_shift_range": 9.0},
    {"width_shift_range": [-2, 1], "height_shift_range": [0.1, 0.4], "brightness_range": (0.5, 1.5)},
    {"zoom_range": [0.5, 2], "width_shift_range": 2.5, "horizontal_flip": True},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_seed_gives_the_parameters_of_real_keras(real_image, options):
    own, real = image.ImageDataGenerator(**options), real_image.ImageDataGenerator(**options)
    for seed in range(5):
        expected = real.get_random_transform((6, 8, 3), seed)
        assert own.get_random_transform((6, 8, 3), seed) == pytest.approx(expected)
    np.random.seed(3)
    expected = real.get_random_transform((6, 8, 3))
    np.random.seed(3)
    assert own.get_random_transform((6, 8, 3)) == pytest.approx(expected)


def test_a_seed_gives_the_batches_of_real_keras(real_image):
    options = {"horizontal_flip": True, "channel_shift_range": 20.0, "samplewise_center": True}
    own, real = (module.ImageDataGenerator(**options).flow(X, Y, 4, seed=5) for module in (image, real_image))
    for _ in range(7):  # more than two epochs, each with an order of its own
        for mine, expected in zip(next(own), next(real), strict=True):
            np.testing.assert_allclose(mine, expected, atol=1e-4)
    np.testing.assert_array_equal(own.index_array, real.index_array)
    augmented = [module.ImageDataGenerator(featurewise_center=True, **options) for module in (image, real_image)]
    for generator in augmented:
        generator.fit(X, augment=True, rounds=2, seed=3)
    np.testing.assert_allclose(augmented[0].mean, augmented[1].mean, rtol=1e-5)


RANDOM = [("rotation", [20]), ("shift", [0.2, 0.3]), ("shear", [10]), ("zoom", [(0.5, 1)])]


@pytest.mark.parametrize("name, limits", RANDOM)
def test_random_functions_draw_what_real_keras_draws(real_image, name, limits):
    square = X[0, :, :6].transpose(2, 0, 1)
    np.random.seed(1)
    own = getattr(image, f"random_{name}")(square, *limits)
    np.random.seed(1)
    real = getattr(real_image, f"random_{name}")(square.transpose(0, 2, 1).copy(), *limits).transpose(0, 2, 1)
    np.testing.assert_allclose(own, real, atol=0.02)


def test_integers_are_rounded_as_by_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    moved = image.apply_affine_transform(X[0].astype("uint8"), tx=0.6, **LAST, fill_mode="constant", cval=9)
    shift = [ndimage.shift(X[0, ..., n].astype("uint8"), (-0.6, 0), order=1, cval=9) for n in range(3)]
    assert moved.dtype == "uint8"
    np.testing.assert_array_equal(moved, np.stack(shift, -1))


def test_subclasses_in_the_style_of_keras_2_prepare_their_own_batches():
    class Numbers(image.Iterator):
        def next(self):
            with self.lock:
                index_array = next(self.index_generator)
            return self._get_batches_of_transformed_samples(index_array)

        def _get_batches_of_transformed_samples(self, index_array):
            return index_array * 10

    class Tiles(image.ImageDataGenerator):
        def random_transform(self, x):
            return np.tile(super().random_transform(x), 2)[..., : x.shape[self.channel_axis - 1]]

    numbers = Numbers(5, 2, False, None)
    assert [batch.tolist() for batch, _ in zip(numbers, range(4), strict=False)] == [[0, 10], [20, 30], [40], [0, 10]]
    assert numbers[1].tolist() == [20, 30]
    np.testing.assert_array_equal(next(Tiles().flow(X, shuffle=False)), X)


def test_a_transform_does_each_of_its_parts():
    generator = image.ImageDataGenerator()
    apply = lambda **parameters: generator.apply_transform(X[0], parameters)  # noqa: E731
    np.testing.assert_array_equal(apply(flip_horizontal=True), X[0, :, ::-1])
    np.testing.assert_array_equal(apply(flip_vertical=True), X[0, ::-1])
    np.testing.assert_allclose(apply(brightness=1.5), np.clip(X[0] * 1.5, 0, 255), rtol=1e-5)
    np.testing.assert_allclose(apply(channel_shift_intensity=30.0), np.clip(X[0] + 30, X[0].min(), X[0].max()))
    np.testing.assert_array_equal(apply(), X[0])
    signed = image.apply_brightness_shift(np.array([-1.0, 0.0, 1.0]), 0.5, scale=False)
    np.testing.assert_allclose(signed, [-1.0, -0.5, 0.0])
    np.testing.assert_allclose(image.apply_brightness_shift(np.array([0.0, 0.5, 1.0]), 1.5), [0, 191.25, 255])


def test_random_functions_stay_in_their_range_and_follow_the_global_seed():
    for function, *arguments in [
        (image.random_rotation, 40),
        (image.random_shift, 0.3, 0.3),
        (image.random_shear, 20),
        (image.random_zoom, (0.5, 1.5)),
        (image.random_channel_shift, 40),
        (image.random_brightness, (0.2, 0.8)),
    ]:
        keras.utils.set_random_seed(3)
        first, second = (function(X[0].transpose(2, 0, 1), *arguments) for _ in range(2))
        keras.utils.set_random_seed(3)
        np.testing.assert_array_equal(first, function(X[0].transpose(2, 0, 1), *arguments))
        assert first.shape == (3, 6, 8) and not np.array_equal(first, second)
        assert first.min() >= 0 and first.max() <= 255


def test_images_are_normalized_by_statistics_of_the_data_or_their_own():
    generator = image.ImageDataGenerator(featurewise_std_normalization=True, rescale=0.5)
    generator.fit(X)
    mean, std = X.mean((0, 1, 2)), X.std((0, 1, 2))
    np.testing.assert_allclose(generator.standardize(X.copy()), (X - mean) / std, rtol=1e-3, atol=1e-4)
    own = image.ImageDataGenerator(samplewise_std_normalization=True, preprocessing_function=lambda x: x + 1)
    np.testing.assert_allclose(own.standardize(X[0].copy()), (X[0] - X[0].mean()) / X[0].std(), rtol=1e-3, atol=1e-4)
    first = image.ImageDataGenerator(featurewise_center=True, data_format="channels_first")
    first.fit(X.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(first.mean.ravel(), mean, rtol=1e-5)
    with pytest.warns(UserWarning, match="call fit"):
        image.ImageDataGenerator(featurewise_center=True).standardize(X[0].copy())


def test_whitened_images_have_no_correlation_between_pixels():
    data = RNG.normal(size=(300, 2, 2, 1)) @ np.ones((1, 1)) + RNG.normal(size=(300, 1, 1, 1))
    generator = image.ImageDataGenerator(zca_whitening=True, dtype="float64")
    generator.fit(data)
    flat = np.stack([generator.standardize(sample) for sample in data]).reshape(300, 4)
    np.testing.assert_allclose(flat.T @ flat / 300, np.eye(4), atol=1e-3)


def test_statistics_of_augmented_data_differ():
    generator = image.ImageDataGenerator(featurewise_center=True, height_shift_range=0.5, fill_mode="constant")
    generator.fit(X, augment=True, rounds=2, seed=1)
    assert (generator.mean.ravel() < X.mean((0, 1, 2)) - 5).all()


def test_batches_of_an_array_repeat_from_the_seed_whoever_prepares_them():
    generator = image.ImageDataGenerator(rotation_range=30, horizontal_flip=True)
    first, second = (generator.flow(X, Y, batch_size=4, seed=7) for _ in range(2))
    forwards = [first[n] for n in range(3)]
    backwards = [second[n] for n in (2, 1, 0)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
    assert [len(batch[1]) for batch in forwards] == [4, 4, 2]
    third = generator.flow(X, Y, batch_size=4, seed=7)
    drawn = [third.next()[0] for _ in range(4)]
    for a, b in zip(forwards, drawn, strict=False):
        np.testing.assert_array_equal(a[0], b)
    assert third.total_batches_seen == 4 and not np.array_equal(drawn[3], drawn[0])
    third.reset()
    assert len(next(third)[0]) == 4


def test_a_flow_hands_on_weights_further_inputs_and_subsets():
    generator = image.ImageDataGenerator(validation_split=0.4)
    x, y, weights = next(generator.flow(X, Y, sample_weight=np.arange(10.0), shuffle=False, subset="validation"))
    np.testing.assert_array_equal(x, X[:4])
    assert y.tolist() == [0, 1, 0, 1] and weights.tolist() == [0, 1, 2, 3]
    (x, further), y = next(generator.flow((X, Y * 3), Y, shuffle=False, subset="training"))
    np.testing.assert_array_equal(x, X[4:])
    assert further.tolist() == (Y[4:] * 3).tolist()
    assert len(generator.flow(X, batch_size=3)) == 4 and generator.flow(X, batch_size=3)[0].shape == (3, 6, 8, 3)


def test_a_model_trains_on_a_flow(backend):
    model = keras.Sequential([keras.Input((6, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    flow = image.ImageDataGenerator(rescale=1 / 255, horizontal_flip=True).flow(X, Y, batch_size=5, seed=1)
    model.fit(flow, epochs=2, verbose=0)
    assert flow.total_batches_seen == 4
    assert model.predict(flow, verbose=0).shape == (10, 1)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: image.ImageDataGenerator(fill_mode="mirror"), "fill_mode"),
        (lambda: image.ImageDataGenerator(validation_split=1.5), "below 1"),
        (lambda: image.ImageDataGenerator(zoom_range=[1, 2, 3]), "zoom_range"),
        (lambda: image.ImageDataGenerator(brightness_range=1.5), "brightness_range"),
        (lambda: image.ImageDataGenerator().fit(X[0]), "four axes"),
        (lambda: image.ImageDataGenerator().flow(X[0]), "four axes"),
        (lambda: image.ImageDataGenerator().flow(X, Y[:3]), "the same length"),
        (
            lambda: image.ImageDataGenerator(validation_split=0.5).flow(X, np.arange(10), subset="training"),
            "same classes",
        ),
        (lambda: image.ImageDataGenerator().flow(X, subset="test"), "subset"),
        (lambda: image.ImageDataGenerator().flow(X)[1], "below 1"),
        (lambda: image.apply_affine_transform(X[0], order=6), "order to be one of"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises((ValueError, IndexError), match=words):
        call()
