"""Dense, EinsumDense, Highway, MaxoutDense, ReversibleEmbedding and spatial dropout."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from polykeras.core import masks
from tests.layers.checks import check_layer, compare_with_keras, random_weights, to_numpy

rng = np.random.default_rng(0)
VECTORS = rng.normal(size=(6, 4)).astype("float32")
SEQUENCE = rng.normal(size=(3, 5, 4)).astype("float32")
IMAGE = rng.normal(size=(2, 3, 5, 4)).astype("float32")
TOKENS = rng.integers(0, 7, (3, 5))

CASES = [
    ("Dense", {"units": 3, "activation": "tanh"}, SEQUENCE, {}),
    ("Dense", {"units": 3, "use_bias": False}, VECTORS, {}),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "c"}, VECTORS, {}),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, SEQUENCE, {}),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "e"}, SEQUENCE, {}),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "d"}, SEQUENCE, {}),
    ("EinsumDense", {"equation": "abc,bcd->ad", "output_shape": 6, "activation": "tanh"}, SEQUENCE, {}),
    ("EinsumDense", {"equation": "abc,bcd->abd", "output_shape": (5, 2), "bias_axes": "bd"}, SEQUENCE, {}),
    ("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 3, "bias_axes": "y"}, IMAGE, {}),
    ("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 3}, VECTORS, {}),
    ("EinsumDense", {"equation": "...xy,xyz->...z", "output_shape": 3, "bias_axes": "z"}, IMAGE, {}),
    ("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": 6, "bias_axes": "c"}, IMAGE, {}),
    ("ReversibleEmbedding", {"input_dim": 7, "output_dim": 4}, TOKENS, {}),
    ("ReversibleEmbedding", {"input_dim": 7, "output_dim": 4}, SEQUENCE, {"reverse": True}),
    ("ReversibleEmbedding", {"input_dim": 7, "output_dim": 4, "logit_soft_cap": 0.5}, SEQUENCE, {"reverse": True}),
    ("ReversibleEmbedding", {"input_dim": 7, "output_dim": 4, "tie_weights": False}, SEQUENCE, {"reverse": True}),
]
IDS = [f"{name}-{n}" for n, (name, *_) in enumerate(CASES)]
ONE_OF_EACH = [CASES[0], CASES[3], CASES[11], CASES[12], CASES[13]]


@pytest.mark.parametrize(("name", "arguments", "x", "call"), CASES, ids=IDS)
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments, x, call):
    compare_with_keras(real_keras, name, arguments, (x,), call)


@pytest.mark.parametrize(
    ("name", "arguments", "x", "call"),
    [
        *ONE_OF_EACH,
        ("Highway", {"activation": "tanh"}, SEQUENCE, {}),
        ("MaxoutDense", {"units": 3}, SEQUENCE, {}),
        ("SpatialDropout1D", {"rate": 0.5}, SEQUENCE, {}),
        ("SpatialDropout2D", {"rate": 0.5, "data_format": "channels_first"}, IMAGE, {}),
        ("SpatialDropout3D", {"rate": 0.5}, IMAGE[None], {"training": True}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_layers_do_what_every_layer_must(backend, name, arguments, x, call):
    check_layer(functools.partial(getattr(keras.layers, name), **arguments), x, **call)


# ------------------------------------------------------------------- retired ones


def built(layer, x):
    layer.build(x.shape)
    layer.set_weights(random_weights(layer.weights))
    return layer, layer.get_weights()


@pytest.mark.parametrize("x", [VECTORS, SEQUENCE], ids=["vectors", "sequence"])
def test_highway_mixes_by_a_gate(backend, x):
    layer, (kernel, gate_kernel, bias, gate_bias) = built(keras.layers.Highway("he_normal", "tanh"), x)
    gate = 1 / (1 + np.exp(-(x @ gate_kernel + gate_bias)))
    expected = gate * np.tanh(x @ kernel + bias) + (1 - gate) * x
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-5, atol=1e-6)


def test_the_gate_of_a_highway_starts_open():
    layer = keras.layers.Highway()
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.gate_bias.numpy(), np.ones(3))
    assert len(keras.layers.Highway(bias=False, input_dim=3, W_regularizer="l2").get_config()) > 5


@pytest.mark.parametrize("use_bias", [True, False])
def test_maxout_takes_the_largest_of_its_features(backend, use_bias):
    layer, (kernel, *bias) = built(keras.layers.MaxoutDense(3, nb_feature=5, use_bias=use_bias), VECTORS)
    expected = np.stack([VECTORS @ k for k in kernel]) + (bias[0][:, None] if use_bias else 0)
    np.testing.assert_allclose(to_numpy(layer(VECTORS)), expected.max(0), rtol=1e-5, atol=1e-6)


def test_old_argument_names():
    layer = keras.layers.MaxoutDense(output_dim=3, nb_feature=2, init="zeros", bias=False, input_dim=4)
    assert (layer.units, layer.features, layer.use_bias) == (3, 2, False)
    assert keras.layers.SpatialDropout2D(p=0.3, dim_ordering="th").noise_shape == (None, None, 1, 1)
    assert keras.layers.Dense(output_dim=3, W_regularizer="l2", bias=False).kernel_regularizer is not None


# ----------------------------------------------------------------------- others


@pytest.mark.parametrize(
    ("name", "shape", "arguments", "axes"),
    [
        ("SpatialDropout1D", (4, 6, 5), {}, (1,)),
        ("SpatialDropout2D", (4, 3, 2, 5), {}, (1, 2)),
        ("SpatialDropout2D", (4, 5, 3, 2), {"data_format": "channels_first"}, (2, 3)),
        ("SpatialDropout3D", (4, 3, 2, 2, 5), {}, (1, 2, 3)),
        ("SpatialDropout3D", (4, 5, 3, 2, 2), {"data_format": "channels_first"}, (2, 3, 4)),
    ],
)
def test_spatial_dropout_keeps_or_drops_whole_channels(backend, name, shape, arguments, axes):
    layer = getattr(keras.layers, name)(0.4, seed=3, **arguments)
    x = np.ones(shape, "float32")
    outputs = to_numpy(layer(x, training=True))
    channels = outputs.max(axes)
    np.testing.assert_array_equal(outputs, np.broadcast_to(np.expand_dims(channels, axes), shape))
    assert set(np.round(np.unique(channels), 4)) == {0, np.round(np.float32(1 / 0.6), 4)}
    np.testing.assert_array_equal(to_numpy(layer(x)), x)
    config = layer.get_config()
    assert ("data_format" in config) == (name != "SpatialDropout1D") and "noise_shape" not in config


def test_a_reversible_embedding_masks_on_the_way_there_only(backend):
    layer = keras.layers.ReversibleEmbedding(7, 4, mask_zero=True)
    vectors = layer(TOKENS)
    np.testing.assert_array_equal(to_numpy(masks.get_mask(vectors)), TOKENS != 0)
    masks.set_mask(vectors, None)
    assert masks.get_mask(layer(vectors, reverse=True)) is None
    wide = keras.layers.ReversibleEmbedding(7, 4, reverse_dtype="float64")
    assert to_numpy(wide(SEQUENCE, reverse=True)).dtype.name in ("float64", "float32")


@pytest.mark.parametrize("jit_compile", [False, True])
def test_kernels_much_larger_than_a_batch_train_by_the_gradient_of_their_products(backend, jit_compile):
    model = keras.Sequential([keras.Input((400,)), keras.layers.Dense(500), keras.layers.Dense(300)])
    model.compile(keras.optimizers.SGD(1.0), keras.losses.MeanSquaredError("sum"), jit_compile=jit_compile)
    x, y = rng.normal(size=(3, 400)) * 0.1, rng.normal(size=(3, 300)) * 0.1
    first, second = (layer.kernel.numpy() for layer in model.layers)
    hidden = x @ first
    gradient = 2 * (hidden @ second - y) / 300
    model.train_on_batch(x.astype("float32"), y.astype("float32"))
    expected = (first - x.T @ gradient @ second.T, second - hidden.T @ gradient)
    for layer, kernel in zip(model.layers, expected, strict=True):
        np.testing.assert_allclose(layer.kernel.numpy(), kernel, rtol=1e-4, atol=1e-6)


def test_lora_trains_an_update_of_an_einsum(backend):
    layer = keras.layers.EinsumDense("abc,cde->abde", (None, 2, 3), lora_rank=2, lora_alpha=3.0)
    layer.build(SEQUENCE.shape)
    assert [w.shape for w in layer.trainable_weights] == [(4, 2, 2), (2, 3)]
    layer.set_weights(random_weights(layer.weights))
    a, b = (w.numpy() for w in layer.trainable_weights)
    expected = np.einsum("abc,cde->abde", SEQUENCE, layer._kernel.numpy() + 1.5 * (a @ b))
    np.testing.assert_allclose(to_numpy(layer(SEQUENCE)), expected, rtol=1e-5, atol=1e-5)


def test_the_first_kernel_of_an_einsum_has_the_variance_of_its_fans():
    layer = keras.layers.EinsumDense("abc,cde->abde", (None, 20, 30))
    layer.build((None, 5, 50))
    limit = np.sqrt(6 / (50 + 600))
    assert 0.98 * limit < np.abs(layer.kernel.numpy()).max() <= limit


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.layers.Dense(-1), "units"),
        (lambda: keras.layers.Dense(2).build((None, None)), "known size"),
        (lambda: keras.layers.EinsumDense("ab,bc", 3), "equation"),
        (lambda: keras.layers.EinsumDense("...ab,bc->ac", 3), "equation"),
        (lambda: keras.layers.EinsumDense("ab,bz->ac", 3), "letters"),
        (lambda: keras.layers.EinsumDense("ab,bc->ac", 3, bias_axes="b"), "bias_axes"),
        (lambda: keras.layers.EinsumDense("ab,bc->ac", 3)(SEQUENCE), "2 axes"),
        (lambda: keras.layers.EinsumDense("abc,cd->abd", 3)(SEQUENCE), "2 sizes"),
        (lambda: keras.layers.EinsumDense("abc,cd->abd", (6, 3))(SEQUENCE), "agree"),
        (lambda: keras.layers.EinsumDense("abc,bcd->ad", 3).build((None, None, 4)), "known sizes"),
        (lambda: keras.layers.MaxoutDense(3, 0), "features"),
        (lambda: keras.layers.SpatialDropout1D(1.5), "rate"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(make, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}.*Received"):
        make()
