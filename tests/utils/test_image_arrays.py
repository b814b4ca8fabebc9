"""Images as arrays and files, compared with real Keras."""

import io

import numpy as np
import pytest

import polykeras as keras
from polykeras.utils import array_to_img, img_to_array, load_img, save_img
from polykeras.utils.image_arrays import resize_on_host, smart_resize

PIL = pytest.importorskip("PIL.Image")
GENERATOR = np.random.default_rng(0)
COLORS = GENERATOR.uniform(-3, 200, size=(5, 7, 3))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    PIL.fromarray(GENERATOR.integers(0, 255, (9, 14, 4)).astype("uint8")).save(path)
    return path


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (COLORS, {}),
        (COLORS, {"scale": False}),
        (COLORS[..., :1] * 4, {"scale": False}),
        (COLORS[..., :1], {}),
        (np.concatenate([COLORS, COLORS[..., :1]], -1), {"dtype": "float64"}),
        (COLORS.transpose(2, 0, 1), {"data_format": "channels_first"}),
        (np.full((2, 2, 3), 7.0), {}),
    ],
)
def test_arrays_become_the_images_of_keras(real_keras, x, options):
    expected, found = real_keras.utils.array_to_img(x.clip(0), **options), array_to_img(x.clip(0), **options)
    assert found.mode == expected.mode and found.size == expected.size
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_images_become_arrays_with_channels():
    gray = PIL.fromarray(np.arange(6, dtype="uint8").reshape(2, 3))
    np.testing.assert_array_equal(img_to_array(gray)[..., 0], [[0, 1, 2], [3, 4, 5]])
    first = img_to_array(array_to_img(COLORS, scale=False), "channels_first", "uint8")
    assert first.shape == (3, 5, 7) and first.dtype == "uint8"
    keras.config.set_image_data_format("channels_first")
    try:
        assert img_to_array(gray).shape == (1, 2, 3)
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"color_mode": "grayscale"},
        {"color_mode": "rgba"},
        {"target_size": (4, 5)},
        {"target_size": (20, 30), "interpolation": "bicubic"},
        {"target_size": (4, 4), "interpolation": "hamming"},
        {"target_size": (4, 4), "interpolation": "bilinear", "keep_aspect_ratio": True},
        {"target_size": (8, 3), "interpolation": "box", "keep_aspect_ratio": True},
    ],
    ids=str,
)
def test_files_become_the_images_of_keras(real_keras, photo, options):
    expected, found = real_keras.utils.load_img(photo, **options), load_img(photo, **options)
    assert found.mode == expected.mode
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_saved_images_are_loaded_again(tmp_path, photo):
    x = GENERATOR.integers(0, 255, (4, 6, 3)).astype("float32")
    save_img(tmp_path / "a.png", x, scale=False)
    np.testing.assert_array_equal(img_to_array(load_img(str(tmp_path / "a.png"))), x)
    save_img(tmp_path / "a.dat", x.transpose(2, 0, 1), "channels_first", "bmp", scale=False)
    np.testing.assert_array_equal(img_to_array(load_img(io.BytesIO((tmp_path / "a.dat").read_bytes()))), x)
    with pytest.warns(UserWarning, match="not support an alpha"):
        save_img(tmp_path / "a.jpg", np.ones((4, 4, 4)), quality=90)
    assert load_img(tmp_path / "a.jpg").size == (4, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: array_to_img(np.zeros((2, 2))), ValueError, "rank 3"),
        (lambda: array_to_img(np.zeros((2, 2, 2))), ValueError, "1, 3 or 4 channels"),
        (lambda: array_to_img(COLORS, data_format="last"), ValueError, "data_format"),
        (lambda: img_to_array(np.zeros(2)), ValueError, "rank 2 or 3"),
        (lambda: load_img("x.png", color_mode="cmyk"), ValueError, "color_mode.*'cmyk'"),
        (lambda: load_img("x.png", interpolation="best"), ValueError, "interpolation.*'best'"),
        (lambda: load_img(5), TypeError, "path"),
        (lambda: load_img("/no/such.png"), FileNotFoundError, "such.png"),
        (lambda: smart_resize(COLORS, (4,)), ValueError, "size"),
        (lambda: smart_resize(COLORS[0], (4, 4)), ValueError, "rank 3"),
    ],
)
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("size", [(4, 4), (3, 6), (10, 2)])
def test_smart_resize_cuts_borders_as_keras_does(real_keras, size):
    resize = real_keras.preprocessing.image.smart_resize
    np.testing.assert_allclose(smart_resize(COLORS, size), resize(COLORS, size), rtol=1e-5, atol=1e-4)
    batch = np.stack([COLORS, COLORS + 1]).astype("float32")
    np.testing.assert_allclose(
        smart_resize(batch, size, "nearest"), resize(batch, size, interpolation="nearest"), rtol=1e-6
    )


def test_smart_resize_returns_the_kind_of_array_it_gets(backend):
    found = smart_resize(backend.array(COLORS.astype("float32")), (2, 2))
    assert backend.is_array(found)
    np.testing.assert_allclose(backend.to_numpy(found), smart_resize(COLORS.astype("float32"), (2, 2)), rtol=1e-5)


@pytest.mark.parametrize("size", [(3, 4), (11, 20)])
@pytest.mark.parametrize("interpolation", ["area", "gaussian", "mitchellcubic", "lanczos5"])
def test_interpolations_for_folders_are_those_of_tensorflow(interpolation, size):
    tensorflow = pytest.importorskip("tensorflow")
    x = COLORS.astype("float32")
    with keras.backends.use("numpy"):
        found = resize_on_host(x, size, interpolation)
    expected = tensorflow.image.resize(x, size, interpolation).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
