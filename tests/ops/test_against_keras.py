"""Activations, losses, windows and images give what real Keras gives, on every backend."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from op_helpers import LINE_BY_LINE, TRACED, compiled, find, replaced

from polykeras import ops
from polykeras.core.graph import KerasTensor

rng = np.random.default_rng(3)
X = rng.normal(size=(4, 6)).astype("float32") * 2
CUBE = rng.normal(size=(2, 3, 4)).astype("float32")
SHARES = np.abs(rng.normal(size=(4, 6))).astype("float32")
LABELS = np.array([0, 5, 2, 2])
HOT = np.eye(6, dtype="float32")[LABELS]
FLAGS = (X > 0).astype("float32")
ROW = rng.normal(size=6).astype("float32")
SEQUENCE = rng.normal(size=(2, 11, 4)).astype("float32")
IMAGE = rng.uniform(size=(2, 9, 8, 4)).astype("float32")
RGB = rng.uniform(size=(2, 6, 7, 3)).astype("float32")
VOLUME = rng.normal(size=(1, 5, 6, 5, 2)).astype("float32")
HEADS = rng.normal(size=(3, 2, 5, 4, 8)).astype("float32")


def weights(*shape):
    return rng.normal(size=shape).astype("float32")


CASES = [
    *((name, [X], {}) for name in """relu relu6 leaky_relu elu selu celu sigmoid log_sigmoid silu softplus softsign
        squareplus hard_sigmoid hard_silu hard_tanh hard_shrink soft_shrink tanh_shrink sparse_plus sparse_sigmoid glu
        softmax log_softmax sparsemax normalize""".replace("\n", " ").split(" ") if name),
    ("gelu", [X], {"approximate": False}),
    ("gelu", [X], {"approximate": True}),
    ("threshold", [X, 0.5, -1.0], {}),
    ("softmax", [CUBE], {"axis": (0, 2)}),
    ("log_softmax", [CUBE], {"axis": 1}),
    ("glu", [CUBE], {"axis": 2}),
    ("normalize", [CUBE], {"axis": 1, "order": 3}),
    ("moments", [CUBE], {"axes": (0, 1)}),
    ("moments", [CUBE], {"axes": [-1], "keepdims": True}),
    ("batch_normalization", [X, ROW, ROW**2, -1, ROW, ROW], {}),
    ("batch_normalization", [CUBE, ROW[:3], ROW[:3] ** 2], {"axis": 1}),
    ("layer_normalization", [X, ROW, ROW], {"epsilon": 1e-3}),
    ("layer_normalization", [CUBE, weights(3, 4)], {"axis": (1, 2)}),
    ("rms_normalization", [X, ROW], {}),
    ("binary_crossentropy", [FLAGS, np.clip(SHARES, 0, 1)], {}),
    ("binary_crossentropy", [FLAGS, X], {"from_logits": True}),
    ("categorical_crossentropy", [HOT, SHARES], {}),
    ("categorical_crossentropy", [HOT, X], {"from_logits": True}),
    ("categorical_crossentropy", [HOT.T, X.T], {"from_logits": True, "axis": 0}),
    ("sparse_categorical_crossentropy", [LABELS, SHARES], {}),
    ("sparse_categorical_crossentropy", [LABELS[:, None], X], {"from_logits": True}),
    ("one_hot", [LABELS, 6], {}),
    ("one_hot", [LABELS, 6], {"axis": 0, "dtype": "int32"}),
    ("multi_hot", [LABELS.reshape(2, 2), 6], {}),
    ("psnr", [X, X + 0.1, 4.0], {}),
    ("ctc_loss", [np.array([[1, 2, 2], [3, 1, 0]]), SEQUENCE, np.array([3, 2]), np.array([11, 7])], {}),
    ("conv", [SEQUENCE, weights(3, 4, 5)], {"strides": 2, "padding": "same"}),
    ("conv", [IMAGE, weights(3, 2, 4, 6)], {"padding": "valid", "dilation_rate": 2}),
    ("conv", [IMAGE, weights(3, 2, 2, 6)], {"strides": (1, 2), "padding": "same"}),
    ("conv", [IMAGE.transpose(0, 3, 1, 2), weights(3, 3, 4, 2)], {"data_format": "channels_first"}),
    ("conv", [VOLUME, weights(2, 3, 2, 2, 3)], {}),
    ("depthwise_conv", [IMAGE, weights(3, 3, 4, 2)], {"strides": 2, "padding": "same"}),
    ("separable_conv", [IMAGE, weights(3, 3, 4, 2), weights(1, 1, 8, 3)], {"padding": "same"}),
    ("conv_transpose", [SEQUENCE, weights(3, 5, 4)], {"strides": 2, "padding": "same"}),
    ("conv_transpose", [IMAGE, weights(2, 3, 5, 4)], {"strides": (3, 2)}),
    ("max_pool", [IMAGE, 3], {"strides": 2, "padding": "same"}),
    ("max_pool", [SEQUENCE, 2], {}),
    ("average_pool", [IMAGE, (3, 2)], {"strides": 2, "padding": "same"}),
    ("average_pool", [VOLUME, 2], {}),
    ("adaptive_average_pool", [IMAGE, (4, 3)], {}),
    ("adaptive_max_pool", [IMAGE, (4, 3)], {}),
    ("adaptive_average_pool", [SEQUENCE, 3], {"data_format": "channels_first"}),
    ("space_to_depth", [IMAGE[:, :8], 2], {}),
    ("depth_to_space", [IMAGE, 2], {}),
    ("unfold", [IMAGE, (3, 2)], {"padding": 1, "stride": 2, "dilation": 2}),
    ("fold", [weights(2, 12, 16), (5, 6), (2, 3)], {}),
    ("dot_product_attention", [*HEADS], {}),
    ("dot_product_attention", [*HEADS], {"is_causal": True, "scale": 0.3}),
    ("dot_product_attention", [*HEADS, weights(1, 4, 5, 5)], {}),
    ("dot_product_attention", [*HEADS], {"mask": weights(2, 1, 5, 5) > -1}),
    ("image.rgb_to_grayscale", [RGB], {}),
    ("image.rgb_to_hsv", [RGB], {}),
    ("image.hsv_to_rgb", [RGB], {}),
    ("image.rgb_to_hsv", [RGB.transpose(0, 3, 1, 2)], {"data_format": "channels_first"}),
    ("image.resize", [RGB, (4, 11)], {}),
    ("image.resize", [RGB, (4, 11)], {"interpolation": "nearest"}),
    ("image.resize", [RGB, (5, 5)], {"crop_to_aspect_ratio": True}),
    ("image.resize", [RGB, (8, 8)], {"pad_to_aspect_ratio": True}),
    ("image.resize", [RGB, (3, 3)], {"antialias": True}),
    ("image.pad_images", [RGB, 1, 2], {"target_height": 10, "target_width": 11}),
    ("image.crop_images", [RGB, 1, 2], {"target_height": 3, "target_width": 4}),
    ("image.extract_patches", [RGB, (3, 2)], {}),
    ("image.extract_patches", [RGB, 3], {"strides": 2, "padding": "same"}),
    ("image.extract_patches_3d", [VOLUME, 2], {}),
    ("image.sobel_edges", [RGB], {}),
    ("image.ssim", [RGB, RGB**2], {"filter_size": 5}),
    *(
        ("image.map_coordinates", [X, rng.uniform(-4, 9, (2, 30)).astype("float32"), 1], {"fill_mode": mode})
        for mode in ("constant", "nearest", "wrap", "mirror", "reflect")
    ),
    ("image.map_coordinates", [X, rng.uniform(0, 3, (2, 30)).astype("float32"), 0], {}),
    ("image.affine_transform", [RGB, np.array([[0.9, 0.2, 0.4, -0.1, 1.1, 0.3, 0, 0]] * 2, "float32")], {}),
    ("image.affine_transform", [RGB, np.array([[1, 0, 2.0, 0, 1, -1.0, 0, 0]] * 2, "float32")],
     {"interpolation": "nearest", "fill_mode": "reflect"}),
    ("image.perspective_transform",
     [RGB, np.array([[0, 0], [6, 0], [0, 5], [6, 5.0]], "float32"),
      np.array([[0.5, 0], [6, 0.7], [0, 5], [5.3, 4.6]], "float32")], {}),
    ("stft", [weights(2, 40), 8, 3, 16], {}),
    ("stft", [weights(2, 40), 8, 3, 8], {"window": "hamming", "center": False}),
    ("istft", [(weights(2, 9, 9), weights(2, 9, 9)), 16, 4, 16], {}),
]  # fmt: skip
IDS = [f"{n}-{name}" for n, (name, *_) in enumerate(CASES)]


@pytest.fixture(scope="module")
def answers(real_keras):
    """What real Keras says, each case once."""
    known = {}

    def answer(name, arguments, kwargs):
        key = id(arguments)
        if key not in known:
            tensors = [real_keras.ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x for x in arguments]
            result = find(real_keras.ops, name)(*tensors, **kwargs)
            results = result if isinstance(result, tuple | list) else [result]
            known[key] = [real_keras.ops.convert_to_numpy(x) for x in results]
        return known[key]

    return answer


def check(result, expected, name):
    results = result if isinstance(result, tuple | list) else [result]
    assert len(results) == len(expected)
    for got, want in zip(results, expected, strict=True):
        got = ops.convert_to_numpy(got)
        assert got.shape == want.shape, name
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("backend", LINE_BY_LINE, indirect=True)
@pytest.mark.parametrize(("name", "arguments", "kwargs"), CASES, ids=IDS)
def test_value_is_that_of_keras(backend, answers, name, arguments, kwargs):
    check(find(ops, name)(*arguments, **kwargs), answers(name, arguments, kwargs), name)


@pytest.mark.parametrize("backend", TRACED, indirect=True)
@pytest.mark.parametrize("start", range(0, len(CASES), 25))
def test_values_are_those_of_keras_when_compiled(backend, answers, start):
    cases = CASES[start : start + 25]
    for result, case in zip(compiled(backend, cases), cases, strict=True):
        check(result, answers(*case), case[0])


@pytest.mark.parametrize(("name", "arguments", "kwargs"), CASES, ids=IDS)
def test_shape_and_dtype_are_inferred(name, arguments, kwargs):
    def shapes(unknown):
        symbols = replaced(arguments, lambda x: KerasTensor(x.shape, x.dtype))
        if unknown:
            symbols[0] = replaced(arguments[0], lambda x: KerasTensor((None, *x.shape[1:]), x.dtype))
        result = find(ops, name)(*symbols, **kwargs)
        return [(x.shape, x.dtype) for x in (result if isinstance(result, tuple | list) else [result])]

    result = find(ops, name)(*arguments, **kwargs)
    actual = [(ops.shape(x), ops.dtype(x)) for x in (result if isinstance(result, tuple | list) else [result])]
    assert shapes(unknown=False) == actual
    for (loose, loose_dtype), (shape, dtype) in zip(shapes(unknown=True), actual, strict=True):
        assert loose_dtype == dtype and len(loose) == len(shape)
        assert all(a in (None, b) for a, b in zip(loose, shape, strict=True))


def test_sparsemax_runs_along_any_axis(backend):
    middle = ops.convert_to_numpy(ops.sparsemax(CUBE, axis=1))
    last = ops.convert_to_numpy(ops.sparsemax(CUBE.transpose(0, 2, 1)))
    np.testing.assert_allclose(middle, last.transpose(0, 2, 1), atol=1e-6)
    np.testing.assert_allclose(middle.sum(1), 1, atol=1e-5)


def test_one_hot_of_an_index_out_of_range_is_zero(backend):
    assert ops.convert_to_numpy(ops.one_hot([-1, 3, 1], 3)).tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_gaussian_blur_weighs_neighbours_by_a_bell(backend):
    across, down = (np.exp(-0.5 * (np.arange(n) - n // 2) ** 2 / s**2) for n, s in ((3, 1.0), (5, 2.0)))
    kernel = np.outer(down / down.sum(), across / across.sum())
    expected = np.stack([scipy.signal.convolve2d(RGB[1, :, :, c], kernel, "same") for c in range(3)], -1)
    result = ops.convert_to_numpy(ops.image.gaussian_blur(RGB, (3, 5), (1.0, 2.0)))
    np.testing.assert_allclose(result[1], expected, atol=1e-6)


def test_soft_capped_attention_squeezes_the_logits(backend):
    query, key, value = HEADS
    logits = 2 * np.tanh(np.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(8) / 2)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    result = ops.dot_product_attention(query, key, value, attn_logits_soft_cap=2.0)
    expected = np.einsum("bhqk,bkhd->bqhd", shares, value)
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, atol=1e-5)


def test_attention_shares_key_heads_among_groups_of_query_heads(backend):
    query, key, value = HEADS
    grouped = ops.dot_product_attention(query, key[:, :, :2], value[:, :, :2])
    repeated = ops.dot_product_attention(query, key[:, :, [0, 0, 1, 1]], value[:, :, [0, 0, 1, 1]])
    np.testing.assert_allclose(ops.convert_to_numpy(grouped), ops.convert_to_numpy(repeated), atol=1e-6)


def test_elastic_transform_without_strength_changes_nothing(backend):
    result = ops.convert_to_numpy(ops.image.elastic_transform(RGB, alpha=0.0, seed=1))
    np.testing.assert_allclose(result, RGB, atol=1e-6)
    moved = ops.convert_to_numpy(ops.image.elastic_transform(RGB, seed=1))
    assert moved.shape == RGB.shape and np.abs(moved - RGB).max() > 0.01


def test_ctc_decoding_joins_repeats_and_drops_the_mask(backend):
    path = np.array([[1, 1, 0, 1, 2, 2, 0]])
    logits = 9 * np.eye(3, dtype="float32")[path]
    for strategy in ("greedy", "beam_search"):
        labels, _ = ops.ctc_decode(logits, [7], strategy=strategy)
        assert ops.convert_to_numpy(labels)[0].tolist() == [[1, 1, 2, -1, -1, -1, -1]]


def test_beam_search_adds_up_the_ways_to_a_sequence(backend):
    # Graves (2006): the best path is empty, the best sequence is [1].
    shares = np.array([[[0.6, 0.4], [0.6, 0.4]]], "float32")
    labels, scores = ops.ctc_decode(np.log(shares), [2], strategy="beam_search", top_paths=2)
    assert ops.convert_to_numpy(labels)[:, 0].tolist() == [[1, -1], [-1, -1]]
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(scores)[0]), [0.64, 0.36], rtol=1e-5)


@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hanning"])
def test_window_functions_are_those_of_numpy(backend, name):
    np.testing.assert_allclose(ops.convert_to_numpy(getattr(ops, name)(9)), getattr(np, name)(9), atol=1e-6)


def test_every_keras_op_is_here(real_keras):
    modules = [(real_keras.ops, ops)]
    modules += [(getattr(real_keras.ops, name), getattr(ops, name)) for name in ("nn", "numpy", "linalg", "image")]
    for theirs, ours in modules:
        assert {name for name in dir(theirs) if not name.startswith("_") and not hasattr(ours, name)} == set()
