"""Names of arguments and methods, and static shapes, as users of Keras 3 know them."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, ops


@pytest.mark.parametrize("layer", [keras.layers.Add(), keras.layers.Attention(), keras.layers.Masking()])
def test_masks_are_given_by_the_name_mask(layer):
    x = np.array([[[1.0], [0.0]]], "float32")
    mask = np.array([[True, False]])
    inputs, given = (x, None) if isinstance(layer, keras.layers.Masking) else ([x, x], [mask, mask])
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.compute_mask(inputs, mask=given)), mask)


def test_flash_attention_is_a_setting_that_changes_no_value():
    query = np.random.default_rng(0).normal(size=(1, 4, 2, 8)).astype("float32")
    for name in backends.available():
        with backends.use(name):
            expected = ops.convert_to_numpy(ops.dot_product_attention(query, query, query))
            keras.config.disable_flash_attention()
            try:
                assert keras.config.is_flash_attention_enabled() is False
                actual = ops.convert_to_numpy(ops.dot_product_attention(query, query, query))
            finally:
                keras.config.enable_flash_attention()
            np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_take_along_axis_broadcasts_as_numpy_does():
    x, indices = np.arange(6.0).reshape(1, 2, 3), np.array([[[0]], [[1]], [[0]]])
    for name in backends.available():
        with backends.use(name):
            actual = ops.convert_to_numpy(ops.take_along_axis(x, indices, 1))
            np.testing.assert_array_equal(actual, np.take_along_axis(x, indices, 1))


def test_view_changes_the_last_size_with_the_width():
    x = np.array([[1, 2, 3, 4]], "int32")
    for name in backends.available():
        with backends.use(name):
            for dtype in ("int16", "uint8", "float32"):
                actual = ops.convert_to_numpy(ops.view(x, dtype))
                np.testing.assert_array_equal(actual.view("uint8"), x.view(dtype).view("uint8"))
            np.testing.assert_array_equal(
                ops.convert_to_numpy(ops.view(x.astype("int16"), "int32")), [[131073, 262147]]
            )


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x: ops.split(x, [1, 3], 0), [(1, 3), (2, 3), (None, 3)]),
        (lambda x: ops.slice(x, (0, 0), (2, 2)), [(2, 2)]),
        (lambda x: ops.diag(x), [(None,)]),
        (lambda x: ops.trace(x), [()]),
        (lambda x: ops.view(x, "int16"), [(None, 6)]),
        (lambda x: ops.unique(x, return_inverse=True, size=4), [(4,), (None, 3)]),
    ],
)
def test_static_shapes_with_unknown_sizes(function, shapes):
    assert [x.shape for x in keras.tree.flatten(function(keras.KerasTensor((None, 3))))] == shapes


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: ops.solve(keras.KerasTensor((2, 3, 3)), keras.KerasTensor((2, 4, 1))),
        lambda: ops.segment_sum(np.ones(4), np.zeros((2, 2))),
        lambda: ops.stft(np.ones(8), 2, 0, 4),
        lambda: ops.image.resize(np.ones((4, 4, 3)), (0, 2)),
        lambda: keras.layers.Dropout(0.5, noise_shape=(2, -1)),
        lambda: keras.layers.InputLayer(shape=(2,), batch_shape=(1, 2)),
    ],
)
def test_misuse_is_refused(misuse):
    with pytest.raises(ValueError, match="Expected"):
        misuse()


def test_an_image_layer_shows_its_change_and_applies_it_to_all_parts():
    layer = keras.layers.RandomFlip("horizontal", seed=1, bounding_box_format="xyxy")
    images = np.arange(24.0, dtype="float32").reshape(2, 3, 4, 1)
    change = layer.get_random_transformation(images, seed=3)
    changed = ops.convert_to_numpy(layer.transform_images(images, change))
    masks = ops.convert_to_numpy(layer.transform_segmentation_masks(images, change))
    np.testing.assert_array_equal(masks, changed)
    assert all(any(np.array_equal(y, z) for z in (x, x[:, ::-1])) for x, y in zip(images, changed, strict=True))
    assert layer.get_random_transformation(images, training=False) is None


def test_sizes_may_be_integers_of_numpy_and_normalization_shows_its_mean():
    assert keras.Input((np.int64(3),)).shape == (None, 3)
    layer = keras.layers.Normalization()
    layer.adapt(np.array([[1.0], [3.0]], "float32"))
    assert [ops.convert_to_numpy(values).tolist() for values in (layer.mean, layer.variance)] == [[[2.0]], [[1.0]]]


def test_a_list_of_one_output_gives_the_output():
    x = keras.Input((3,))
    model = keras.Model(x, [keras.layers.Dense(2)(x)])
    model.compile("sgd", "mse")
    data = np.ones((4, 3), "float32")
    model.fit(data, np.ones((4, 2)), verbose=0)
    assert model.predict(data, verbose=0).shape == (4, 2) and tuple(model(data).shape) == (4, 2)
    assert isinstance(model.get_config()["output_layers"], list) and isinstance(
        model.evaluate(data, data[:, :2]), float
    )


@pytest.mark.parametrize("name", backends.available())
def test_variables_are_combined_by_their_truth(name):
    with backends.use(name):
        variable = keras.Variable([0.0, 2.0])
        for function, expected in (("and", [False, True]), ("or", [True, True]), ("xor", [True, False])):
            actual = getattr(variable, f"__{function}__")(np.ones(2, "float32"))
            assert ops.convert_to_numpy(actual).tolist() == expected
        assert ops.convert_to_numpy(keras.Variable([6], dtype="int32") & 3).tolist() == [True]
