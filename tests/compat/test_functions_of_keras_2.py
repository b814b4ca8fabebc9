"""K's functions against NumPy formulas, on every backend."""

import itertools
import re

import numpy as np
import pytest

from polykeras import backend as K

RNG = np.random.default_rng(0)
A = RNG.normal(size=(2, 3)).astype("float32")
B = RNG.normal(size=(2, 3)).astype("float32")
T = RNG.normal(size=(2, 3, 4)).astype("float32")
P = RNG.dirichlet(np.ones(4), (2, 5)).astype("float32")
IMAGE = RNG.normal(size=(2, 5, 6, 3)).astype("float32")
SEQUENCE = RNG.normal(size=(2, 5, 3)).astype("float32")
VOLUME = RNG.normal(size=(1, 3, 4, 3, 2)).astype("float32")
KERNEL = RNG.normal(size=(3, 2, 3, 4)).astype("float32")
KERNEL_1D = RNG.normal(size=(2, 3, 4)).astype("float32")
KERNEL_3D = RNG.normal(size=(2, 2, 2, 2, 3)).astype("float32")
POINTWISE = RNG.normal(size=(1, 1, 12, 2)).astype("float32")
FIRST = (0, 3, 1, 2)


def windows(x, size, steps=None, dilation=1):
    """Windows of (batch, *spatial, channels), as (batch, *places, channels, *window)."""
    axes = tuple(range(1, x.ndim - 1))
    wide = tuple((n - 1) * dilation + 1 for n in size)
    view = np.lib.stride_tricks.sliding_window_view(x, wide, axes)
    if steps is not None:
        view = view[(slice(None), *(slice(None, None, n) for n in steps))]
    return view[(..., *(slice(None, None, dilation) for _ in size))]


def correlate(x, kernel, steps=None, dilation=1):
    letters = "xyz"[: x.ndim - 2]
    view = windows(x, kernel.shape[:-2], steps, dilation)
    return np.einsum(f"b{'hwd'[: x.ndim - 2]}c{letters},{letters}cf->b{'hwd'[: x.ndim - 2]}f", view, kernel)


def transposed(x, kernel, steps, shape):
    """The gradient of ``correlate`` by its input, entry by entry."""
    out = np.zeros((x.shape[0], *shape, kernel.shape[2]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            patch = np.einsum("bi,xyoi->bxyo", x[:, i, j], kernel)
            row, column = i * steps[0], j * steps[1]
            out[:, row : row + kernel.shape[0], column : column + kernel.shape[1]] += patch
    return out


def local(x, kernel, size, steps):
    view = np.moveaxis(windows(x, size, steps), x.ndim - 1, -1)  # (batch, *places, *window, channels)
    counts = view.shape[1 : x.ndim - 1]
    flat = view.reshape(len(x), int(np.prod(counts)), -1)
    return np.einsum("bpi,pif->bpf", flat, kernel).reshape(len(x), *counts, -1)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def focal(x):
    """Focal losses of logits for the classes that they predict."""
    p = sigmoid(np.abs(x))
    return -((1 - p) ** 2) * np.log(p)


def pad(x, *pairs):
    return np.pad(x, [(0, 0), *pairs, (0, 0)])


LOCAL_1D = RNG.normal(size=(2, 6, 2)).astype("float32")
LOCAL_2D = RNG.normal(size=(6, 18, 2)).astype("float32")
DEPTHWISE = RNG.normal(size=(3, 2, 3, 4)).astype("float32")
TRANSPOSE = RNG.normal(size=(3, 2, 4, 3)).astype("float32")
POSITIVE = np.abs(A) + 0.1
depthwise = np.einsum("bhwcxy,xycm->bhwcm", windows(IMAGE, (3, 2)), DEPTHWISE).reshape(2, 3, 5, 12)
last_axes = np.moveaxis(IMAGE, 3, 1)

# name, call, expected
CASES = [
    ("abs", lambda: K.abs(A), np.abs(A)),
    ("all", lambda: K.all(A > 0, axis=1, keepdims=True), (A > 0).all(1, keepdims=True)),
    ("any", lambda: K.any(A > 0, axis=0), (A > 0).any(0)),
    ("arange", lambda: K.arange(2, 9, 3), np.array([2, 5, 8])),
    ("arange", lambda: K.arange(3), np.array([0, 1, 2])),
    ("argmax", lambda: K.argmax(A), A.argmax(-1)),
    ("argmin", lambda: K.argmin(A, axis=0), A.argmin(0)),
    ("batch_dot", lambda: K.batch_dot(A, B, axes=1), (A * B).sum(1, keepdims=True)),
    ("batch_dot", lambda: K.batch_dot(T, T, axes=2), np.einsum("bij,bkj->bik", T, T)),
    ("batch_dot", lambda: K.batch_dot(T, A, axes=(1, 1)), np.einsum("bij,bi->bj", T, A)),
    ("batch_dot", lambda: K.batch_dot(A, T), np.einsum("bi,bij->bj", A, T)),
    ("batch_dot", lambda: K.batch_dot(T, np.moveaxis(T, 1, 2)), T @ np.moveaxis(T, 1, 2)),
    ("batch_dot", lambda: K.batch_dot(T[:, :, None], T, axes=(-1, -1)), np.einsum("bixj,bkj->bixk", T[:, :, None], T)),
    ("batch_flatten", lambda: K.batch_flatten(T), T.reshape(2, 12)),
    ("bias_add", lambda: K.bias_add(IMAGE, IMAGE[0, 0, 0], "channels_last"), IMAGE + IMAGE[0, 0, 0]),
    (
        "bias_add",
        lambda: K.bias_add(last_axes, IMAGE[0, 0, 0], "channels_first"),
        np.moveaxis(IMAGE + IMAGE[0, 0, 0], 3, 1),
    ),
    ("bias_add", lambda: K.bias_add(last_axes, IMAGE[0], "channels_first"), last_axes + IMAGE[0].reshape(3, 5, 6)),
    ("binary_focal_crossentropy", lambda: K.binary_focal_crossentropy(np.float32(A > 0), sigmoid(A)), focal(A)),
    (
        "binary_focal_crossentropy",
        lambda: K.binary_focal_crossentropy(np.float32(A > 0), A, True, 0.3, from_logits=True),
        np.where(A > 0, 0.3, 0.7) * focal(A),
    ),
    (
        "categorical_focal_crossentropy",
        lambda: K.categorical_focal_crossentropy(P[0], P[1], gamma=1.0),
        -0.25 * (P[0] * (1 - P[1]) * np.log(P[1])).sum(-1),
    ),
    ("cast", lambda: K.cast(A, "int32"), A.astype("int32")),
    ("clip", lambda: K.clip(A, -0.2, 0.3), A.clip(-0.2, 0.3)),
    ("clip", lambda: K.clip(A, 0.5, 0.1), np.full_like(A, 0.5)),
    ("concatenate", lambda: K.concatenate([A, B]), np.concatenate([A, B], -1)),
    ("constant", lambda: K.constant([1, 2, 3, 4], shape=(2, 2)), np.array([[1.0, 2], [3, 4]])),
    ("conv1d", lambda: K.conv1d(SEQUENCE, KERNEL_1D, strides=2), correlate(SEQUENCE, KERNEL_1D, (2,))),
    (
        "conv1d",
        lambda: K.conv1d(SEQUENCE, KERNEL_1D, padding="causal", dilation_rate=2),
        correlate(pad(SEQUENCE, (2, 0)), KERNEL_1D, None, 2),
    ),
    ("conv2d", lambda: K.conv2d(IMAGE, KERNEL, (2, 1)), correlate(IMAGE, KERNEL, (2, 1))),
    (
        "conv2d",
        lambda: K.conv2d(IMAGE.transpose(FIRST), KERNEL, padding="same", data_format="channels_first"),
        correlate(pad(IMAGE, (1, 1), (0, 1)), KERNEL).transpose(FIRST),
    ),
    ("conv3d", lambda: K.conv3d(VOLUME, KERNEL_3D), correlate(VOLUME, KERNEL_3D)),
    (
        "conv2d_transpose",
        lambda: K.conv2d_transpose(IMAGE, TRANSPOSE, (2, 11, 13, 4), (2, 2)),
        transposed(IMAGE, TRANSPOSE, (2, 2), (11, 13)),
    ),
    (
        "conv2d_transpose",
        lambda: K.conv2d_transpose(IMAGE, TRANSPOSE, (None, None, None, 4), (2, 2)),
        transposed(IMAGE, TRANSPOSE, (2, 2), (11, 12)),
    ),
    (
        "conv3d_transpose",
        lambda: K.conv3d_transpose(VOLUME[:, :, :, :1], np.ones((1, 1, 1, 2, 2), "float32"), (1, 3, 4, 1, 2)),
        np.repeat(VOLUME[:, :, :, :1].sum(-1, keepdims=True), 2, -1),
    ),
    ("cos", lambda: K.cos(A), np.cos(A)),
    ("cumprod", lambda: K.cumprod(A), A.cumprod(0)),
    ("cumsum", lambda: K.cumsum(A, axis=1), A.cumsum(1)),
    ("depthwise_conv2d", lambda: K.depthwise_conv2d(IMAGE, DEPTHWISE), depthwise),
    ("dot", lambda: K.dot(T, T[0].T), T @ T[0].T),
    ("elu", lambda: K.elu(A, 0.5), np.where(A > 0, A, 0.5 * np.expm1(A))),
    ("equal", lambda: K.equal(x=A, y=A), np.ones((2, 3), bool)),
    ("exp", lambda: K.exp(A), np.exp(A)),
    ("expand_dims", lambda: K.expand_dims(A), A[..., None]),
    ("eye", lambda: K.eye((2, 3)), np.eye(2, 3)),
    ("flatten", lambda: K.flatten(A), A.ravel()),
    ("foldl", lambda: K.foldl(lambda total, x: total * 2 + x, A), 2 * A[0] + A[1]),
    ("foldr", lambda: K.foldr(lambda total, x: total * 2 + x, A, A[0]), (A[0] * 2 + A[1]) * 2 + A[0]),
    ("gather", lambda: K.gather(A, [[1], [0]]), A[[[1], [0]]]),
    ("greater", lambda: K.greater(A, B), A > B),
    ("greater_equal", lambda: K.greater_equal(A, A), A >= A),
    ("hard_sigmoid", lambda: K.hard_sigmoid(A * 4), (A * 4 * 0.2 + 0.5).clip(0, 1)),
    ("identity", lambda: K.identity(A), A),
    ("in_top_k", lambda: K.in_top_k(P[0], [0, 1, 2, 3, 0], 2), np.argsort(-P[0])[:, :2] == [[0], [1], [2], [3], [0]]),
    ("l2_normalize", lambda: K.l2_normalize(A, axis=1), A / np.linalg.norm(A, axis=1, keepdims=True)),
    ("l2_normalize", lambda: K.l2_normalize(A), A / np.linalg.norm(A)),
    ("less", lambda: K.less(A, B), A < B),
    ("less_equal", lambda: K.less_equal(A, B), A <= B),
    (
        "local_conv1d",
        lambda: K.local_conv1d(SEQUENCE, LOCAL_1D, (2,), (3,)),
        local(SEQUENCE, LOCAL_1D, (2,), (3,)),
    ),
    (
        "local_conv2d",
        lambda: K.local_conv2d(IMAGE, LOCAL_2D[:4], (2, 3), (2, 2), (2, 2)),
        local(IMAGE, LOCAL_2D[:4], (2, 3), (2, 2)),
    ),
    ("log", lambda: K.log(POSITIVE), np.log(POSITIVE)),
    ("logsumexp", lambda: K.logsumexp(A, axis=1), np.log(np.exp(A).sum(1))),
    ("map_fn", lambda: K.map_fn(lambda x: x * 2, A, dtype="float64"), (A * 2).astype("float64")),
    ("map_fn", lambda: K.map_fn(lambda x: x[0] + x[1], (A, B)), A + B),
    ("map_fn", lambda: K.map_fn(lambda x: x[0] + x[1], [A, B]), A + B),
    ("map_fn", lambda: K.map_fn(lambda x: (x * 2, K.sum(x)), A)[1], A.sum(1)),
    ("map_fn", lambda: K.map_fn(lambda x: (x > 0, x), A, dtype=("int32", "float32"))[0], np.int32(A > 0)),
    ("max", lambda: K.max(A, axis=(0, 1)), A.max()),
    ("maximum", lambda: K.maximum(A, B), np.maximum(A, B)),
    ("mean", lambda: K.mean(A, axis=-1, keepdims=True), A.mean(-1, keepdims=True)),
    ("mean", lambda: K.mean(A > 0), (A > 0).mean(dtype="float32")),
    ("min", lambda: K.min(A, axis=0), A.min(0)),
    ("minimum", lambda: K.minimum(A, 0.0), np.minimum(A, 0)),
    ("not_equal", lambda: K.not_equal(A, B), A != B),
    ("one_hot", lambda: K.one_hot(np.array([2, 0]), 3), np.eye(3, dtype="float32")[[2, 0]]),
    ("ones", lambda: K.ones((2, 3)), np.ones((2, 3), "float32")),
    ("ones_like", lambda: K.ones_like(A, "int32"), np.ones((2, 3), "int32")),
    ("permute_dimensions", lambda: K.permute_dimensions(T, (2, 0, 1)), T.transpose(2, 0, 1)),
    ("pool2d", lambda: K.pool2d(IMAGE, (2, 3), (2, 2)), windows(IMAGE, (2, 3), (2, 2)).max((-1, -2))),
    (
        "pool2d",
        lambda: K.pool2d(IMAGE.transpose(FIRST), (2, 2), data_format="channels_first", pool_mode="avg"),
        windows(IMAGE, (2, 2)).mean((-1, -2)).transpose(FIRST),
    ),
    ("pool3d", lambda: K.pool3d(VOLUME, (2, 2, 2), pool_mode="avg"), windows(VOLUME, (2, 2, 2)).mean((-1, -2, -3))),
    ("pow", lambda: K.pow(A, 3), A**3),
    ("prod", lambda: K.prod(A, axis=1), A.prod(1)),
    ("relu", lambda: K.relu(A * 3, 0.2, 1.0, 0.5), np.where(A * 3 >= 0.5, np.minimum(A * 3, 1), 0.2 * (A * 3 - 0.5))),
    ("repeat", lambda: K.repeat(A, 2), A[:, None].repeat(2, 1)),
    ("repeat_elements", lambda: K.repeat_elements(A, 2, 1), A.repeat(2, 1)),
    ("reshape", lambda: K.reshape(A, (3, -1)), A.reshape(3, -1)),
    ("resize_images", lambda: K.resize_images(IMAGE, 2, 3, "channels_last"), IMAGE.repeat(2, 1).repeat(3, 2)),
    (
        "resize_images",
        lambda: K.resize_images(IMAGE[:, :, :1], 2, 1, "channels_last", "bilinear")[:, 1:-1:2],
        0.75 * IMAGE[:, :-1, :1] + 0.25 * IMAGE[:, 1:, :1],
    ),
    (
        "resize_volumes",
        lambda: K.resize_volumes(VOLUME, 2, 1, 2, "channels_last"),
        VOLUME.repeat(2, 1).repeat(2, 3),
    ),
    ("reverse", lambda: K.reverse(A, [0, 1]), A[::-1, ::-1]),
    ("round", lambda: K.round(A * 3), np.round(A * 3)),
    (
        "separable_conv1d",
        lambda: K.separable_conv1d(SEQUENCE, KERNEL_1D, POINTWISE[0]),
        np.einsum("bhcx,xcm->bhcm", windows(SEQUENCE, (2,)), KERNEL_1D).reshape(2, 4, 12) @ POINTWISE[0, 0],
    ),
    ("separable_conv2d", lambda: K.separable_conv2d(IMAGE, DEPTHWISE, POINTWISE), depthwise @ POINTWISE[0, 0]),
    ("sigmoid", lambda: K.sigmoid(A), 1 / (1 + np.exp(-A))),
    ("sign", lambda: K.sign(A), np.sign(A)),
    ("sin", lambda: K.sin(A), np.sin(A)),
    ("slice", lambda: K.slice(T, (0, 1, 1), (2, -1, 2)), T[0:2, 1:, 1:3]),
    ("softmax", lambda: K.softmax(A), softmax(A)),
    ("softplus", lambda: K.softplus(A), np.log1p(np.exp(A))),
    ("softsign", lambda: K.softsign(A), A / (1 + np.abs(A))),
    ("spatial_2d_padding", lambda: K.spatial_2d_padding(IMAGE, ((1, 0), (2, 1))), pad(IMAGE, (1, 0), (2, 1))),
    ("spatial_3d_padding", lambda: K.spatial_3d_padding(VOLUME), pad(VOLUME, (1, 1), (1, 1), (1, 1))),
    ("sqrt", lambda: K.sqrt(A), np.sqrt(np.maximum(A, 0))),
    ("square", lambda: K.square(A), A**2),
    ("squeeze", lambda: K.squeeze(A[:, None], 1), A),
    ("stack", lambda: K.stack([A, B], axis=1), np.stack([A, B], 1)),
    ("std", lambda: K.std(A, axis=0), A.std(0)),
    ("sum", lambda: K.sum(T, axis=[0, 2]), T.sum((0, 2))),
    ("switch", lambda: K.switch(A[:, 0] > 0, T, T * 2), np.where(A[:, :1, None] > 0, T, T * 2)),
    ("switch", lambda: K.switch(K.constant(0), lambda: A, lambda: B), B),
    ("tanh", lambda: K.tanh(A), np.tanh(A)),
    ("temporal_padding", lambda: K.temporal_padding(SEQUENCE, (2, 1)), pad(SEQUENCE, (2, 1))),
    ("tile", lambda: K.tile(A, [2, 1]), np.tile(A, [2, 1])),
    ("tile", lambda: K.tile(A, K.stack([K.shape(A)[0], 1])), np.tile(A, [2, 1])),
    ("transpose", lambda: K.transpose(T), T.T),
    ("var", lambda: K.var(A, axis=1), A.var(1)),
    ("zeros_like", lambda: K.zeros_like(A), np.zeros_like(A)),
    (
        "binary_crossentropy",
        lambda: K.binary_crossentropy(np.float32(A > 0), B, from_logits=True),
        np.log1p(np.exp(B)) - B * (A > 0),
    ),
    ("categorical_crossentropy", lambda: K.categorical_crossentropy(P[0], P[1]), -(P[0] * np.log(P[1])).sum(-1)),
    (
        "sparse_categorical_crossentropy",
        lambda: K.sparse_categorical_crossentropy([0, 3, 1, 2, 2], P[1]),
        -np.log(P[1])[np.arange(5), [0, 3, 1, 2, 2]],
    ),
    (
        "batch_normalization",
        lambda: K.batch_normalization(IMAGE.transpose(FIRST), A[0], POSITIVE[0], B[0], B[1], axis=1, epsilon=0.1),
        ((IMAGE - A[0]) / np.sqrt(POSITIVE[0] + 0.1) * B[1] + B[0]).transpose(FIRST),
    ),
    ("to_dense", lambda: K.to_dense(K.ctc_label_dense_to_sparse([[5, 6], [7, 8]], [2, 1])), np.array([[5, 6], [7, 0]])),
]


@pytest.mark.parametrize("name, call, expected", CASES, ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)])
def test_against_numpy(backend, name, call, expected):
    result = K.get_value(call())
    expected = np.asarray(expected)
    if name == "in_top_k":
        expected = expected.any(1)
    assert result.shape == expected.shape
    if expected.dtype.kind == "b":
        assert result.dtype == bool
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_normalizing_a_batch_by_its_own_statistics(backend):
    result, mean, variance = K.normalize_batch_in_training(IMAGE, A[0], B[0], [0, 1, 2], epsilon=0.1)
    own = IMAGE.mean((0, 1, 2)), IMAGE.var((0, 1, 2))
    np.testing.assert_allclose(K.get_value(mean), own[0], atol=1e-5)
    np.testing.assert_allclose(K.get_value(variance), own[1], atol=1e-5)
    expected = (IMAGE - own[0]) / np.sqrt(own[1] + 0.1) * A[0] + B[0]
    np.testing.assert_allclose(K.get_value(result), expected, atol=1e-5)


def all_paths(probabilities, blank):
    """Probability of each label sequence, by summing over every path."""
    totals = {}
    for path in itertools.product(range(probabilities.shape[1]), repeat=len(probabilities)):
        labels = tuple(c for c, _ in itertools.groupby(path) if c != blank)
        totals[labels] = totals.get(labels, 0) + np.prod(probabilities[range(len(path)), path])
    return totals


def test_ctc_cost_and_decoding_agree_with_summing_over_all_paths(backend):
    totals = [all_paths(P[row, :length], 3) for row, length in enumerate((5, 4))]
    targets = np.array([[1, 2], [0, 0]])
    cost = K.get_value(K.ctc_batch_cost(targets, P, np.array([[5], [4]]), np.array([[2], [1]])))
    expected = [[-np.log(totals[0][1, 2])], [-np.log(totals[1][0,])]]
    np.testing.assert_allclose(cost, expected, rtol=1e-4)
    paths, scores = K.ctc_decode(P, np.array([5, 4]), greedy=False, beam_width=200, top_paths=2)
    for row, total in enumerate(totals):
        best = sorted(total, key=total.get, reverse=True)[:2]
        for rank, labels in enumerate(best):
            assert [c for c in K.get_value(paths[rank])[row] if c >= 0] == list(labels)
            np.testing.assert_allclose(K.get_value(scores)[row, rank], np.log(total[labels]), rtol=1e-4)


def test_merging_what_the_search_found_repeated():
    probabilities = np.full((1, 3, 2), 0.01)
    probabilities[0, [0, 1, 2], [0, 1, 0]] = 0.99  # 0, blank, 0
    for merge, expected in ((False, [0, 0, -1]), (True, [0, -1, -1])):
        paths, _ = K.ctc_decode(probabilities, [3], greedy=False, merge_repeated=merge)
        assert K.get_value(paths[0])[0].tolist() == expected


OPTIONS = [
    {},
    {"go_backwards": True},
    {"masked": True},
    {"unroll": True},
    {"unroll": True, "masked": True},
    {"unroll": True, "masked": True, "go_backwards": True},
    {"masked": True, "zero_output_for_mask": True},
    {"time_major": True},
    {"time_major": True, "masked": True, "go_backwards": True, "zero_output_for_mask": True},
    {"return_all_outputs": False},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_rnn_against_a_loop(backend, options):
    options = dict(options)
    mask = np.array([[False, True, True, False, True], [True, True, False, False, False]])
    mask = mask if options.pop("masked", False) else None

    def step(x, states):
        h, scale = states
        h = K.tanh(x * scale + h)
        return h * 2, [h]

    h = np.zeros((2, 3), "float32")
    held, outputs = np.zeros((2, 3)), []
    for time in reversed(range(5)) if options.get("go_backwards") else range(5):
        fresh = np.tanh(SEQUENCE[:, time] * B[0] + h)
        counts = np.ones((2, 1), bool) if mask is None else mask[:, time, None]
        h = np.where(counts, fresh, h)
        held = np.where(counts, fresh * 2, 0 if options.get("zero_output_for_mask") else held)
        outputs.append(held)
    major = options.get("time_major", False)
    turn = lambda x: x if x is None or not major else np.swapaxes(x, 0, 1)  # noqa: E731
    start = [np.zeros((2, 3), "float32")]
    last, every, states = K.rnn(step, turn(SEQUENCE), start, mask=turn(mask), constants=[B[0]], **options)
    outputs = outputs if options.get("return_all_outputs", True) else outputs[-1:]
    np.testing.assert_allclose(K.get_value(every), np.stack(outputs, 0 if major else 1), atol=1e-5)
    np.testing.assert_allclose(K.get_value(last), outputs[-1], atol=1e-5)
    np.testing.assert_allclose(K.get_value(states[0]), h, atol=1e-5)


@pytest.mark.parametrize("unroll", [False, True])
def test_steps_of_rnn_may_have_several_inputs_and_outputs(backend, unroll):
    step = lambda x, states: ((x[0] + states[0], x[1]), [x[0] + states[0]])  # noqa: E731
    inputs, mask = [SEQUENCE, SEQUENCE * 2], np.array([[True] * 5, [True, True, False, False, False]])
    last, (first, second), _ = K.rnn(step, inputs, [np.zeros((2, 3), "float32")], mask=mask, unroll=unroll)
    expected = SEQUENCE.cumsum(1)
    expected[1, 2:] = expected[1, 1]
    np.testing.assert_allclose(K.get_value(first), expected, atol=1e-5)
    np.testing.assert_allclose(K.get_value(second)[0], SEQUENCE[0] * 2, atol=1e-5)
    np.testing.assert_allclose(K.get_value(last[0]), expected[:, -1], atol=1e-5)


def test_variables_are_made_read_and_updated(backend):
    v = K.variable([[1, 2]], name="v", constraint=abs)
    assert (K.dtype(v), K.int_shape(v), K.count_params(v), v.name) == ("float32", (1, 2), 2, "v")
    assert K.is_variable(v) and v.constraint is abs
    K.set_value(v, [[3, 4]])
    K.update_add(v, 1.0)
    K.update_sub(v, [[2.0, 0.0]])
    assert K.batch_get_value([v])[0].tolist() == [[2.0, 5.0]]
    K.moving_average_update(v, K.constant([[0.0, 1.0]]), 0.5)
    K.batch_set_value([(w := K.zeros((2,)), [7, 8])])
    assert K.eval(v).tolist() == [[1.0, 3.0]] and K.get_value(w).tolist() == [7.0, 8.0]
    assert K.is_tensor(K.constant(1)) and not K.is_tensor([1]) and not K.is_sparse(v)
    assert K.cast_to_floatx(np.array([1])).dtype == "float32"


def test_random_tensors_have_their_distributions(backend):
    normal = K.get_value(K.random_normal((4000,), 2.0, 0.5, seed=1))
    uniform = K.get_value(K.random_uniform((4000,), -1.0, 3.0, seed=1))
    ones = K.get_value(K.random_binomial((4000,), 0.3, seed=1))
    cut = K.get_value(K.truncated_normal((4000,), 0.0, 1.0, seed=1))
    assert abs(normal.mean() - 2) < 0.05 and abs(normal.std() - 0.5) < 0.03
    assert abs(uniform.mean() - 1) < 0.1 and uniform.min() >= -1 and uniform.max() < 3
    assert set(ones.tolist()) == {0.0, 1.0} and abs(ones.mean() - 0.3) < 0.04
    assert abs(cut).max() <= 2 and abs(cut.std() - 0.88) < 0.04
    whole = K.get_value(K.random_uniform((50,), 0, 3, dtype="int32", seed=1))
    assert whole.dtype == "int32" and set(whole.tolist()) == {0, 1, 2}
    kept = K.get_value(K.dropout(np.ones((1000, 2), "float32"), 0.25, noise_shape=(None, 1), seed=1))
    assert (kept[:, 0] == kept[:, 1]).all() and abs(kept.mean() - 1) < 0.06
    assert isinstance(K.random_normal_variable((2,), 0, 1), K.Variable)
    assert K.get_value(K.random_uniform_variable((50,), 3, 4)).min() >= 3


def test_mistakes_are_named():
    for call, error, words in [
        (lambda: K.batch_dot(A, T[0, 0]), ValueError, "two axes"),
        (lambda: K.batch_dot(A, T, axes=(1, 2)), ValueError, "the same size"),
        (lambda: K.batch_dot(A, B, axes=0), ValueError, "other than the batch axis"),
        (lambda: K.repeat(T, 2), ValueError, "a matrix"),
        (lambda: K.bias_add(T, A[0, 0]), ValueError, "bias of 1 or 2"),
        (lambda: K.pool2d(IMAGE, (2, 2), pool_mode="mean"), ValueError, "'max' or 'avg'"),
        (lambda: K.resize_images(IMAGE, 2, 2, None, "cubic"), ValueError, "'bilinear'"),
        (lambda: K.local_conv2d(IMAGE, LOCAL_2D[:4], (2, 3), (2, 2), (3, 3)), ValueError, "output_shape"),
        (lambda: K.placeholder(), ValueError, "shape or ndim"),
        (lambda: K.get_value(K.placeholder(ndim=1)), TypeError, "K.function"),
        (lambda: K.get_session(), RuntimeError, "without sessions"),
        (lambda: K.set_learning_phase(2), ValueError, "0 or 1"),
        (lambda: K.set_image_dim_ordering("x"), ValueError, "'tf' or 'th'"),
        (lambda: K.switch(A > 0, A[0], A[0]), ValueError, "at most 1"),
        (lambda: K.rnn(lambda x, s: (x, s), A, []), ValueError, "time"),
        (lambda: K.gradients(K.constant(1), K.variable(1)), TypeError, "value_and_grad"),
    ]:
        with pytest.raises(error, match=re.escape(words)):
            call()
