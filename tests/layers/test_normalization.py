"""Batch, layer, group, root-mean-square, unit and spectral normalization."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from tests.layers.checks import check_layer, compare_with_keras, random_weights, to_numpy

rng = np.random.default_rng(0)
VECTORS = rng.normal(2, 3, size=(6, 4)).astype("float32")
SEQUENCE = rng.normal(2, 3, size=(3, 5, 4)).astype("float32")
IMAGE = rng.normal(2, 3, size=(2, 3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 1, 0, 0]], bool)
TRAIN = {"training": True}
CLIPPING = {"rmin": 0.5, "rmax": 2.0, "dmax": 0.7}

CASES = [
    ("BatchNormalization", {}, VECTORS, {}),
    ("BatchNormalization", {"momentum": 0.9, "epsilon": 1e-2}, VECTORS, TRAIN),
    ("BatchNormalization", {"momentum": 0.9}, IMAGE, TRAIN),
    ("BatchNormalization", {"axis": 1}, IMAGE, TRAIN),
    ("BatchNormalization", {"axis": 2}, IMAGE, {}),
    ("BatchNormalization", {"center": False}, SEQUENCE, TRAIN),
    ("BatchNormalization", {"scale": False}, SEQUENCE, TRAIN),
    ("BatchNormalization", {"momentum": 0.9}, SEQUENCE, {**TRAIN, "mask": MASK}),
    ("BatchNormalization", {"trainable": False}, SEQUENCE, TRAIN),
    ("BatchNormalization", {"renorm": True, "momentum": 0.9, "renorm_momentum": 0.8}, VECTORS, TRAIN),
    ("BatchNormalization", {"renorm": True, "renorm_clipping": CLIPPING, "axis": 1}, IMAGE, TRAIN),
    ("BatchNormalization", {"renorm": True, "center": False, "scale": False}, SEQUENCE, TRAIN),
    ("BatchNormalization", {"renorm": True}, VECTORS, {}),
    ("LayerNormalization", {}, SEQUENCE, {}),
    ("LayerNormalization", {"axis": [2, 1], "center": False, "epsilon": 1e-2}, SEQUENCE, {}),
    ("LayerNormalization", {"scale": False}, VECTORS, {}),
    ("LayerNormalization", {"rms_scaling": True}, SEQUENCE, {}),
    ("GroupNormalization", {"groups": 2}, IMAGE, {}),
    ("GroupNormalization", {"groups": 3, "axis": 1}, IMAGE, {}),
    ("GroupNormalization", {"groups": -1, "center": False}, SEQUENCE, {}),
    ("GroupNormalization", {"groups": 1, "scale": False, "epsilon": 1e-2}, SEQUENCE, {}),
    ("GroupNormalization", {"groups": 2}, VECTORS, {}),
    ("RMSNormalization", {}, SEQUENCE, {}),
    ("RMSNormalization", {"axis": [1, 2], "epsilon": 1e-2}, SEQUENCE, {}),
    ("UnitNormalization", {}, SEQUENCE, {}),
    ("UnitNormalization", {"axis": [1, 2]}, SEQUENCE, {}),
]
IDS = [f"{name}-{n}" for n, (name, *_) in enumerate(CASES)]
ONE_OF_EACH = list({case[0]: case for case in CASES[:9:-1]}.values()) + [CASES[7]]


@pytest.mark.parametrize(("name", "arguments", "x", "call"), CASES, ids=IDS)
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments, x, call):
    compare_with_keras(real_keras, name, arguments, (x,), call, tolerance=2e-5)


@pytest.mark.parametrize(("name", "arguments", "x", "call"), ONE_OF_EACH, ids=[case[0] for case in ONE_OF_EACH])
def test_layers_do_what_every_layer_must(backend, name, arguments, x, call):
    check_layer(functools.partial(getattr(keras.layers, name), **arguments), x, **call)


@pytest.mark.parametrize(("axis", "axes"), [(1, (1,)), ([1, 3], (1, 3)), ([-1, 1], (1, 3)), (-2, (2,))])
def test_layer_normalization_runs_over_any_axes(backend, axis, axes):
    layer = keras.layers.LayerNormalization(axis, epsilon=0.01)
    layer.build(IMAGE.shape)
    layer.set_weights(random_weights(layer.weights))
    shape = [n if a in axes else 1 for a, n in enumerate(IMAGE.shape)]
    gamma, beta = (w.reshape(shape) for w in layer.get_weights())
    mean, variance = IMAGE.mean(axes, keepdims=True), IMAGE.var(axes, keepdims=True)
    expected = (IMAGE - mean) / np.sqrt(variance + 0.01) * gamma + beta
    np.testing.assert_allclose(to_numpy(layer(IMAGE)), expected, rtol=1e-5, atol=1e-5)


def test_group_normalization_takes_images_of_any_size(backend):
    layer = keras.layers.GroupNormalization(2)
    assert layer.compute_output_shape((None, None, None, 4)) == (None, None, None, 4)
    assert tuple(layer(IMAGE).shape) == IMAGE.shape


def test_a_large_offset_keeps_its_digits_in_groups(backend):
    x = IMAGE + 1000
    layer = keras.layers.GroupNormalization(2, epsilon=0.0)
    wide = x.astype("float64").reshape(2, 15, 2, 2)
    expected = (wide - wide.mean((1, 3), keepdims=True)) / wide.std((1, 3), keepdims=True)
    np.testing.assert_allclose(to_numpy(layer(x)), expected.reshape(x.shape), atol=2e-3)


def test_16_bit_statistics_are_taken_in_32_bits(backend):
    x = np.full((4096, 2), 30.0, "float32") + rng.normal(size=(4096, 2))
    layer = keras.layers.BatchNormalization(dtype="mixed_float16", momentum=0.0)
    outputs = to_numpy(layer(x.astype("float32"), training=True))
    assert outputs.dtype == "float16" and np.isfinite(outputs).all()
    np.testing.assert_allclose(layer.moving_variance.numpy(), x.var(0), rtol=0.02)


# -------------------------------------------------------------------- spectral


def power_method(kernel, u, iterations):
    """(kernel / sigma, u) after steps of the power method."""
    matrix = kernel.reshape(-1, kernel.shape[-1]).astype("float64")
    for _ in range(iterations):
        v = u @ matrix.T
        v /= np.linalg.norm(v)
        u = v @ matrix
        u /= np.linalg.norm(u)
    return kernel / (v @ matrix @ u.T), u


@pytest.mark.parametrize(
    ("inner", "x", "iterations"),
    [(keras.layers.Conv2D(3, 2), IMAGE, 3), (keras.layers.Embedding(7, 3), np.array([[1, 2], [6, 1]]), 1)],
    ids=["Conv2D", "Embedding"],
)
def test_spectral_normalization_divides_the_kernel_by_its_largest_singular_value(backend, inner, x, iterations):
    inner = type(inner).from_config(inner.get_config())
    layer = keras.layers.SpectralNormalization(inner, power_iterations=iterations)
    layer.build(x.shape)
    layer.set_weights(random_weights(layer.weights))
    kernel, u = layer.kernel.numpy(), layer.vector_u.numpy()
    before = to_numpy(layer(x))
    np.testing.assert_array_equal(inner.weights[0].numpy(), kernel)
    kernel, u = power_method(kernel, u, iterations)
    after = to_numpy(layer(x, training=True))
    np.testing.assert_allclose(inner.weights[0].numpy(), kernel, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.vector_u.numpy(), u, rtol=1e-5, atol=1e-6)
    assert before.shape == after.shape and not np.allclose(before, after)


@pytest.mark.parametrize(
    ("inner", "x"),
    [
        (lambda k: k.layers.Dense(3), SEQUENCE),
        (lambda k: k.layers.Conv2D(3, 2), IMAGE),
    ],
    ids=["Dense", "Conv2D"],
)
def test_spectral_normalization_agrees_with_real_keras(backend, real_keras, inner, x):
    real = real_keras.layers.SpectralNormalization(inner(real_keras), power_iterations=2)
    own = keras.layers.SpectralNormalization(inner(keras), power_iterations=2)
    real(x)
    own(x)
    assert [tuple(w.shape) for w in real.weights] == [w.shape for w in own.weights]
    values = random_weights(real.weights)
    real.set_weights(values)
    own.set_weights(values)
    expected = real(x, training=True).detach().numpy()
    np.testing.assert_allclose(to_numpy(own(x, training=True)), expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(own.get_weights(), real.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_spectral_normalization_keeps_a_kernel_of_zeros(backend):
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(3, kernel_initializer="zeros"))
    layer(VECTORS, training=True)
    assert not layer.layer.kernel.numpy().any() and layer.vector_u.numpy().any()


def test_spectral_normalization_does_what_every_layer_must(backend):
    check_layer(
        lambda **options: keras.layers.SpectralNormalization(keras.layers.Dense(3, **options), **options), SEQUENCE
    )


# ------------------------------------------------------------------ wrong input


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: keras.layers.BatchNormalization(axis="last"), TypeError),
        (lambda: keras.layers.BatchNormalization(mode=1), ValueError),
        (lambda: keras.layers.BatchNormalization().build((None, None)), ValueError),
        (lambda: keras.layers.BatchNormalization(axis=3).build((None, 4)), ValueError),
        (lambda: keras.layers.BatchNormalization(renorm=True, renorm_clipping={"max": 3}), ValueError),
        (lambda: keras.layers.LayerNormalization(axis=1.5), TypeError),
        (lambda: keras.layers.LayerNormalization(axis=3)(SEQUENCE), ValueError),
        (lambda: keras.layers.GroupNormalization(0), ValueError),
        (lambda: keras.layers.GroupNormalization(3)(SEQUENCE), ValueError),
        (lambda: keras.layers.GroupNormalization(8)(SEQUENCE), ValueError),
        (lambda: keras.layers.SpectralNormalization(keras.layers.Dense(2), power_iterations=0), ValueError),
        (lambda: keras.layers.SpectralNormalization(keras.layers.ReLU())(VECTORS), ValueError),
    ],
)
def test_wrong_input_is_an_error_that_names_it(make, error):
    with pytest.raises(error, match="Expected .*Received"):
        make()
