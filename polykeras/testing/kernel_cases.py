"""Cases for the kernels: each is compared with a plain formula, and an override with its composite too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras.core import dtypes
from polykeras.testing import oracles
from polykeras.testing.cases import INF, NAN, Case, values


def kernel_cases() -> Iterator[Case]:
    """All kernels, with the options that matter."""
    yield from _activation_cases()
    yield from _entropy_cases()
    yield from _selection_cases()
    yield from _dense_cases()
    yield from _conv_cases()
    yield from _conv_transpose_cases()
    yield from _pool_cases()
    yield from _normalization_cases()
    yield from _attention_cases()
    yield from _recurrence_cases()
    yield from _random_bits_cases()
    yield from _update_cases()


ACTIVATION: dict[str, Callable] = {
    "square": np.square,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: np.exp(-np.logaddexp(0, -x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "silu": lambda x: x * np.exp(-np.logaddexp(0, -x)),
    "gelu": oracles.gelu,
}


def _activation_cases() -> Iterator[Case]:
    for name, oracle in ACTIVATION.items():
        low = 0.2 if name == "rsqrt" else -4.0
        for dtype in dtypes.FLOATS:
            x = values(2, 3, dtype=dtype, low=low, high=4.0)
            yield Case(name, (x,), oracle, dtype, None, dtype == "float64", (0,), tolerance=4)
        yield Case(name, (values(low=low),), oracle, "0-d")
        yield Case(name, (np.zeros((0, 3)),), oracle, "empty", unknown=(0,))
    zero = np.zeros(1)
    for name in ("square", "sigmoid", "softplus", "silu", "gelu"):
        yield Case(name, (zero,), ACTIVATION[name], "at 0", gradient=True)
    for target in (0.0, 0.3, 1.0):
        arguments = np.array([target]), zero
        yield Case("sigmoid_cross_entropy", arguments, oracles.sigmoid_cross_entropy, f"{target} at 0", gradient=True)
    large = np.array([-1000.0, -50.0, 0.0, 50.0, 1000.0], "float32")
    for name in ("relu", "sigmoid", "softplus", "elu", "selu", "silu", "gelu"):
        yield Case(name, (large,), ACTIVATION[name], "large values")
    x = values(2, 3, dtype="float64", low=-4.0, high=4.0)
    yield Case("gelu", (x, True), oracles.gelu, "approximate", gradient=True, unknown=(0,))
    for name in ("softmax", "log_softmax"):
        oracle = getattr(oracles, name)
        for dtype in dtypes.FLOATS:
            x = values(2, 5, dtype=dtype)
            yield Case(name, (x, -1), oracle, dtype, None, dtype == "float64", (0,), tolerance=4)
        for axis in (0, 1, 2, -1, -2):
            x = values(2, 3, 4, dtype="float64")
            yield Case(name, (x, axis), oracle, f"axis {axis}", gradient=True, unknown=(0,))
        yield Case(name, (np.array([[1000.0, 0.0, -1000.0], [500.0, 500.0, 499.0]]),), oracle, "large values")
        yield Case(name, (np.array([[1.0, -INF, 2.0]]),), oracle, "-inf")
    x = values(2, 3, 4, dtype="float64")
    for axes, keepdims in itertools.product((None, (1,), (0, -1)), (False, True)):
        label = f"axes {axes}, keepdims {keepdims}"
        yield Case("logsumexp", (x, axes, keepdims), oracles.logsumexp, label, gradient=True)
    extreme = np.array([[1000.0, 1000.0], [-INF, -INF], [-INF, 1.0]])
    yield Case("logsumexp", (extreme, (1,)), oracles.logsumexp, "extreme values", unknown=(0,))


def _entropy_cases() -> Iterator[Case]:
    for dtype in dtypes.FLOATS:
        gradient = dtype == "float64"
        labels, logits = values(2, 5, dtype=dtype, low=0.0, high=0.9), values(2, 5, dtype=dtype, low=-3.0, high=3.0)
        case = (dtype, None, gradient, (0, 1))
        yield Case("sigmoid_cross_entropy", (labels, logits), oracles.sigmoid_cross_entropy, *case, tolerance=4)
        probabilities = (labels, values(2, 5, dtype=dtype, low=0.05, high=0.95), 1e-3)
        yield Case("binary_cross_entropy", probabilities, oracles.binary_cross_entropy, *case, tolerance=4)
        # These labels don't sum to 1, because weights and masks may be part of them.
        yield Case("softmax_cross_entropy", (labels, logits), oracles.softmax_cross_entropy, *case, tolerance=9)
        arguments = np.array([4, 0], "int32"), logits
        oracle = oracles.sparse_softmax_cross_entropy
        yield Case("sparse_softmax_cross_entropy", arguments, oracle, dtype, dtype, gradient, (0, 1), tolerance=4)
    labels, logits = values(2, 3, 4, dtype="float64", low=0.0), values(2, 3, 4, dtype="float64", seed=1)
    yield Case("softmax_cross_entropy", (labels, logits, 1), oracles.softmax_cross_entropy, "axis 1", gradient=True)
    probabilities = labels / labels.sum(-1, keepdims=True)
    yield Case("softmax_cross_entropy", (probabilities, logits), oracles.softmax_cross_entropy, "sum 1", gradient=True)
    for kind in ("uint8", "int32", "int64"):
        index = np.array([[0, 1, 3], [2, 2, 0]], kind)
        oracle = oracles.sparse_softmax_cross_entropy
        yield Case("sparse_softmax_cross_entropy", (index, logits), oracle, f"{kind} labels", "float64", True)
    sure = np.eye(2, dtype="float32"), np.array([[0.0, 1.0], [1.0, 0.0]], "float32"), 1e-3
    yield Case("binary_cross_entropy", sure, oracles.binary_cross_entropy, "sure")
    large = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]], "float32")
    yield Case("sigmoid_cross_entropy", (np.eye(2, dtype="float32"), large), oracles.sigmoid_cross_entropy, "large")
    yield Case("softmax_cross_entropy", (np.eye(2, dtype="float32"), large), oracles.softmax_cross_entropy, "large")


def _selection_cases() -> Iterator[Case]:
    def moments(x: np.ndarray, axes: tuple, keepdims: bool) -> tuple:
        return x.mean(axes, keepdims=keepdims), x.var(axes, keepdims=keepdims)

    x = values(2, 3, 4, dtype="float64")
    for axes, keepdims in itertools.product((None, (0,), (-1, 1), ()), (False, True)):
        label = f"axes {axes}, keepdims {keepdims}"
        yield Case("mean", (x, axes, keepdims), lambda x, a, k: x.mean(a, keepdims=k), label, gradient=True)
        if axes:
            yield Case("moments", (x, axes, keepdims), moments, label, gradient=True)
    yield Case("mean", (np.zeros((0, 3)), (0,)), lambda x, _: np.full(3, NAN), "nothing")
    for dtype in dtypes.FLOATS:
        x = values(3, 8, dtype=dtype)
        yield Case("mean", (x, (1,)), lambda x, a: x.mean(a), dtype, unknown=(0,), tolerance=4)
        yield Case("moments", (x, (1,)), lambda x, a: (x.mean(a), x.var(a)), dtype, unknown=(0,), tolerance=4)
        yield Case("stack", ([x, x, x],), np.stack, dtype, gradient=dtype == "float64")
    yield from _top_k_cases()
    for dtype in ("bool", "int32", "float16", "bfloat16", "float32", "float64"):
        index = np.array([[0, 2], [-1, 3]])
        yield Case("one_hot", (index, 3, dtype), _one_hot, f"of {dtype}", dtype, unknown=(0,))
    for kind in ("uint8", "int32", "int64"):
        yield Case("one_hot", (np.array([0, 2], kind), 3, "float32"), _one_hot, f"from {kind}", "float32")
    yield Case("one_hot", (np.array(1), 3, "float32"), lambda *_: np.array([0, 1, 0]), "0-d", "float32")
    for axis in (0, 1, -1):
        x = values(2, 3, dtype="float64")
        yield Case("stack", ([x, 2 * x], axis), np.stack, f"axis {axis}", gradient=True)
    yield Case("stack", ((values(), values()),), np.stack, "0-d")


def _one_hot(index: np.ndarray, classes: int, _: str) -> np.ndarray:
    return index[..., None] == np.arange(classes)


def _top_k_cases() -> Iterator[Case]:
    def values_only(b: Any, x: Any, k: int) -> Any:
        return b.top_k(x, k)[0]

    for dtype in dtypes.FLOATS:
        x = values(2, 5, dtype=dtype)
        yield Case("top_k", (x, 3), oracles.top_k, dtype, None, dtype == "float64", (0,), values_only)
    ties = np.array([[1.0, 3.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 5.0, 5.0]])
    yield Case("top_k", (ties, 4), oracles.top_k, "ties", run=values_only)

    def picked(b: Any, x: Any, k: int) -> Any:
        return b.take_along_axis(x, b.top_k(x, k)[1], -1)

    yield Case("top_k", (ties, 4), oracles.top_k, "ties, picked by index", run=picked)

    def index_only(b: Any, x: Any, k: int) -> Any:
        return b.top_k(x, k)[1]

    def oracle(x: np.ndarray, k: int) -> np.ndarray:
        return np.argsort(-x)[..., :k]

    yield Case("top_k", (values(2, 5), 3), oracle, "index", "int32", run=index_only, smooth=False)


def _dense_cases() -> Iterator[Case]:
    def oracle(x: np.ndarray, kernel: np.ndarray, bias: Any) -> np.ndarray:
        return x @ kernel if bias is None else x @ kernel + bias

    kernel, bias = values(3, 4, dtype="float64"), values(4, dtype="float64")
    for shape in ((3,), (2, 3), (2, 5, 3), (2, 1, 5, 3), (0, 3)):
        unknown = (0,) if len(shape) > 1 else ()
        for b in (bias, None):
            label = f"{shape}, {'no bias' if b is None else 'bias'}"
            x = values(*shape, dtype="float64", seed=1)
            yield Case("dense", (x, kernel, b), oracle, label, None, 0 not in shape, unknown)
    for dtype in dtypes.FLOATS:
        arrays = tuple(values(*shape, dtype=dtype, seed=1) for shape in ((2, 3), (3, 4), (4,)))
        yield Case("dense", arrays, oracle, dtype, tolerance=4)
    kernels = [values(3, n, dtype="float64", seed=n) for n in (4, 1)]
    for biases in ([values(4, dtype="float64"), values(1, dtype="float64")], [None, None]):
        x = values(2, 5, 3, dtype="float64", seed=1)
        label = f"{'no bias' if biases[0] is None else 'bias'}"
        yield Case("dense_together", (x, kernels, biases), lambda x, k, b: list(map(oracle, [x, x], k, b)), label)
    table = values(4, 2, dtype="float64")
    for index in (np.array([1, 3, 1], "int32"), np.array([[1, 3, 1], [1, 3, 1]], "int32"), np.array(1, "int32")):
        yield Case("embedding", (table, index), lambda t, i: t[i], f"indices {index.shape}", "float64", True, ())


# --------------------------------------------------------- convolution and pooling


_SIZES = (5, 6, 4)
_WINDOW = (3, 2, 2)


def _image(rank: int, channels: int, channels_last: bool, dtype: str = "float32", batch: int = 2) -> np.ndarray:
    sizes = _SIZES[:rank]
    shape = (batch, *sizes, channels) if channels_last else (batch, channels, *sizes)
    return values(*shape, dtype=dtype, seed=3)


def _conv_options() -> Iterator[tuple]:
    yield from itertools.product((1, 2), (1, 2), ("same", "valid"), (1, 2), (1, 2, 4), (True,))
    yield from itertools.product((1, 2), (1, 2), ("same", "valid"), (1,), (1, 4), (False,))
    yield from itertools.product((3,), (1, 2), ("same", "valid"), (1,), (1, 2), (True,))
    yield from itertools.product((3,), (1,), ("same", "valid"), (2,), (1,), (True, False))


def _conv_cases() -> Iterator[Case]:
    for rank, stride, padding, dilation, groups, channels_last in _conv_options():
        x = _image(rank, 4, channels_last, batch=1 if rank == 3 else 2)
        kernel = values(*_WINDOW[:rank], 4 // groups, 4, low=-1.0, high=1.0, seed=4)
        arguments = (x, kernel, (stride,) * rank, padding, (dilation,) * rank, groups, channels_last)
        layout = "last" if channels_last else "first"
        label = f"{rank}-d, stride {stride}, {padding}, dilation {dilation}, groups {groups}, channels {layout}"
        yield Case("conv", arguments, oracles.conv, label, unknown=(0,), tolerance=20)
    uneven = (_image(2, 2, True), values(3, 2, 2, 3, seed=4), (2, 1), "same", (1, 1), 1, True)
    yield Case("conv", uneven, oracles.conv, "uneven strides", unknown=(0,), tolerance=20)
    uneven = (_image(2, 2, True), values(2, 2, 2, 3, seed=4), (1, 1), "same", (1, 2), 1, True)
    yield Case("conv", uneven, oracles.conv, "uneven dilation", unknown=(0,), tolerance=20)
    wide = (_image(2, 2, True), values(3, 2, 1, 6, seed=4), (1, 2), "same", (1, 1), 2, True)
    yield Case("conv", wide, oracles.conv, "depthwise, several filters a channel, uneven strides", tolerance=20)
    for dtype in dtypes.FLOATS:
        x, kernel = _image(2, 2, True, dtype), values(2, 2, 2, 2, dtype=dtype, seed=4)
        yield Case("conv", (x, kernel, (1, 1), "same", (1, 1), 1, True), oracles.conv, dtype, tolerance=4)
        x, kernel = _image(1, 2, True, dtype), values(2, 1, 2, dtype=dtype, seed=4)
        yield Case("conv", (x, kernel, (1,), "valid", (1,), 2, True), oracles.conv, f"depthwise, {dtype}", tolerance=4)
    for rank, padding, groups in itertools.product((1, 2), ("same", "valid"), (1, 2)):
        x = values(1, *(4, 3)[:rank], 2, dtype="float64")
        kernel = values(*(2, 2)[:rank], 2 // groups, 2, dtype="float64", seed=1)
        arguments = (x, kernel, (1,) * rank, padding, (1,) * rank, groups, True)
        yield Case("conv", arguments, oracles.conv, f"small {rank}-d, {padding}, groups {groups}", gradient=True)


def _conv_transpose_cases() -> Iterator[Case]:
    options = itertools.product((1, 2), (1, 2, 3), ("same", "valid"), (None, 0, 1), (1, 2), (True,))
    more = itertools.product((2,), (1, 2), ("same", "valid"), (None,), (1,), (False,))
    deep = itertools.product((3,), (1, 2), ("same", "valid"), (None,), (1,), (True,))
    for rank, stride, padding, extra, dilation, channels_last in itertools.chain(options, more, deep):
        if (extra or 0) >= max(stride, dilation):
            continue
        x = _image(rank, 2, channels_last, batch=1)
        kernel = values(*_WINDOW[:rank], 3, 2, low=-1.0, high=1.0, seed=4)
        output_padding = None if extra is None else (extra,) * rank
        arguments = (x, kernel, (stride,) * rank, padding, output_padding, (dilation,) * rank, channels_last)
        layout = "last" if channels_last else "first"
        label = f"{rank}-d, stride {stride}, {padding}, extra {extra}, dilation {dilation}, channels {layout}"
        yield Case("conv_transpose", arguments, oracles.conv_transpose, label, unknown=(0,), tolerance=20)
    for padding in ("same", "valid"):
        x, kernel = values(1, 3, 2, dtype="float64"), values(3, 1, 2, dtype="float64", seed=1)
        arguments = (x, kernel, (2,), padding, None, (1,), True)
        yield Case("conv_transpose", arguments, oracles.conv_transpose, f"small, {padding}", gradient=True)


def _pool_cases() -> Iterator[Case]:
    options = itertools.product((1, 2), ("max", "average"), (1, 2), ("same", "valid"), (True, False))
    deep = itertools.product((3,), ("max", "average"), (2,), ("same", "valid"), (True,))
    for rank, mode, stride, padding, channels_last in itertools.chain(options, deep):
        arguments = (_image(rank, 2, channels_last), mode, _WINDOW[:rank], (stride,) * rank, padding, channels_last)
        label = f"{rank}-d, {mode}, stride {stride}, {padding}, channels {'last' if channels_last else 'first'}"
        yield Case("pool", arguments, oracles.pool, label, unknown=(0,))
    for mode, dtype in itertools.product(("max", "average"), dtypes.FLOATS):
        for rank in (2, 3):
            arguments = (_image(rank, 1, True, dtype), mode, (2,) * rank, (2,) * rank, "same", True)
            yield Case("pool", arguments, oracles.pool, f"{rank}-d, {mode}, {dtype}")
    for mode in ("max", "average"):
        x = values(1, 4, 3, 1, dtype="float64")
        arguments = (x, mode, (2, 3), (1, 2), "same", True)
        yield Case("pool", arguments, oracles.pool, f"small, {mode}", gradient=True)
        for rank in (1, 2, 3):
            ones = np.ones((1, *(4, 4, 4)[:rank], 1), "float32")
            arguments = (ones, mode, (2,) * rank, (2,) * rank, "valid", True)
            yield Case("pool", arguments, oracles.pool, f"{rank}-d, {mode}, equal values")


# ------------------------------------------------------- normalization, attention


def _normalization_cases() -> Iterator[Case]:
    gamma, beta = values(3, dtype="float64", seed=1), values(3, dtype="float64", seed=2)
    mean, variance = values(3, dtype="float64", seed=3), values(3, dtype="float64", low=0.2, seed=4)

    def result(*arguments: Any) -> np.ndarray:
        return oracles.batch_norm(*arguments)[0]

    def result_only(b: Any, *arguments: Any) -> Any:
        return b.batch_norm(*arguments)[0]

    for scale, shift in itertools.product((gamma, None), (beta, None)):
        given = f"{'no ' if scale is None else ''}gamma, {'no ' if shift is None else ''}beta"
        x = values(4, 3, dtype="float64")
        yield Case(
            "normalize", (x, mean, variance, scale, shift, 1e-3), oracles.normalize, given, gradient=True, unknown=(0,)
        )
        yield Case("layer_norm", (x, scale, shift, (-1,), 1e-3), oracles.layer_norm, given, None, True, (0,))
        for shape, axis in (((4, 3), -1), ((2, 2, 3), 2), ((2, 3, 2), 1), ((2, 2, 2, 3), -1), ((2, 3, 2, 2), 1)):
            x = values(*shape, dtype="float64")
            arguments: tuple = (x, scale, shift, axis, 1e-3)
            label = f"{shape}, axis {axis}, {given}"
            yield Case("batch_norm", arguments, oracles.batch_norm, label, smooth=False)
            yield Case("batch_norm", arguments, result, f"result of {label}", None, True, (0,), result_only)
    for epsilon, dtype in itertools.product((1e-3, 1e-7), ("float32", "float64")):
        arrays = (a.astype(dtype) for a in (values(2, 3, 4, 3, dtype="float64"), gamma, beta))
        arguments, label = (*arrays, -1, epsilon), f"images, epsilon {epsilon}, {dtype}"
        yield Case("batch_norm", arguments, oracles.batch_norm, label, tolerance=9, smooth=False)
        yield Case("batch_norm", arguments, result, f"result of {label}", run=result_only, tolerance=9)
    x = values(2, 3, 4, dtype="float64")
    gamma, beta = values(3, 4, dtype="float64", seed=1), values(3, 4, dtype="float64", seed=2)
    yield Case("layer_norm", (x, gamma, beta, (1, 2), 1e-3), oracles.layer_norm, "two axes", gradient=True)
    for dtype in dtypes.FLOATS:
        x, gamma, beta = (values(*s, dtype=dtype, seed=n) for n, s in enumerate(((2, 3), (3,), (3,))))
        yield Case("layer_norm", (x, gamma, beta, (-1,), 1e-3), oracles.layer_norm, dtype, tolerance=9)


def _attention_cases() -> Iterator[Case]:
    query = values(2, 3, 2, 2, dtype="float64")
    key, value = values(2, 4, 2, 2, dtype="float64", seed=1), values(2, 4, 2, 3, dtype="float64", seed=2)
    full = values(2, 2, 3, 4, dtype="bool", seed=1)
    full[0, 1, 1] = False
    masks = {"no mask": None, "mask": full, "mask of keys": full[:, :1, :1], "mask of positions": full[:1, :1]}
    biases = {"no bias": None, "bias": values(2, 2, 3, 4, dtype="float64", seed=3)}
    for (m, mask), (b, bias), causal in itertools.product(masks.items(), biases.items(), (False, True)):
        label = f"{m}, {b}, {'causal' if causal else 'not causal'}"
        arguments: tuple = (query, key, value, mask, bias, 0.7, causal)
        yield Case("attention", arguments, oracles.attention, label, gradient=m in ("no mask", "mask"))
    for dtype in dtypes.FLOATS:
        arrays = (values(2, 3, 2, 4, dtype=dtype, seed=n) for n in range(3))
        arguments = (*arrays, None, None, 0.5, True)
        yield Case("attention", arguments, oracles.attention, dtype, tolerance=9, unknown=(0, 1, 2))


def _recurrence_cases() -> Iterator[Case]:
    mask = np.array([[True, True, False, True], [False, True, True, False]])
    masks = {"no mask": None, "mask": mask}
    for (label, mask), with_bias, dtype in itertools.product(masks.items(), (True, False), ("float32", "float64")):
        x, h, c = (values(*s, dtype=dtype, seed=n) for n, s in enumerate(((2, 4, 3), (2, 2), (2, 2))))
        label = f"{label}, {'bias' if with_bias else 'no bias'}, {dtype}"
        options = {"gradient": dtype == "float64", "tolerance": 9}
        weights = [values(*s, dtype=dtype, low=-1.0, high=1.0, seed=5) for s in ((3, 8), (2, 8), (8,))]
        arguments = (x, h, c, *weights[:2], weights[2] if with_bias else None, mask)
        yield Case("lstm", arguments, oracles.lstm, label, **options)
        weights = [values(*s, dtype=dtype, low=-1.0, high=1.0, seed=5) for s in ((3, 6), (2, 6), (2, 6))]
        arguments = (x, h, *weights[:2], weights[2] if with_bias else None, mask)
        yield Case("gru", arguments, oracles.gru, label, **options)


# ------------------------------------------------------------ random bits, updates


def _random_bits_cases() -> Iterator[Case]:
    keys = {"0": (0, 0), "words": (0x9E3779B9, 0xDEADBEEF), "signed words": (-5, 2**31 - 1)}
    for label, key in keys.items():
        for shape in ((), (7,), (2, 3), (0, 2), (40, 50)):
            yield Case("random_bits", (key, shape), oracles.random_bits, f"key {label}, shape {shape}", "int32")
    arrays = (np.array(-5, "int32"), np.array(2**31 - 1, "int32"))
    yield Case("random_bits", (arrays, (3, 4)), oracles.random_bits, "key of arrays", "int32")
    answers = [-889199728, -787275391, -726475646, -238177609]
    yield Case("random_bits", ((1, 2), (4,)), lambda *_: np.array(answers), "known answers", "int32")
    for x in (values(5, dtype="int32"), np.array([-(2**31), 2**31 - 1], "int32")):
        yield Case("mix_bits", (x,), lambda x: np.array([_mix(int(word)) for word in x]), f"of {x.size}")


def _mix(word: int) -> int:
    """Return the hash of one signed word, from the formula for ``random_bits``: a zero key adds nothing after it."""
    word %= 2**32
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        word = (word ^ word >> shift) * factor % 2**32
    return word - 2**32 if word >> 31 else word


def _update_cases() -> Iterator[Case]:
    def arrays(seed: int, dtype: str, low: float = -2.0) -> list:
        return [values(3, dtype=dtype, low=low, seed=seed), values(2, 2, dtype=dtype, low=low, seed=seed + 1)]

    for dtype in ("float32", "float64"):
        weights, gradients, first = arrays(0, dtype), arrays(2, dtype), arrays(4, dtype)
        second, top = arrays(6, dtype, 0.1), arrays(8, dtype, 0.1)
        for kind, rate in (("number", 0.125), ("array", np.array(0.125, "float32"))):
            for velocities, momentum, nesterov in ((None, 0.0, False), (first, 0.9, False), (first, 0.9, True)):
                arguments: tuple = (weights, gradients, velocities, rate, momentum, nesterov)
                label = f"{dtype}, momentum {momentum}, nesterov {nesterov}, rate a {kind}"
                yield Case("sgd_update", arguments, oracles.sgd_update, label, tolerance=4, smooth=False)
            for largest in (None, top):
                arguments = (weights, gradients, first, second, largest, rate, 0.9, 0.99, 1e-7)
                label = f"{dtype}, {'plain' if largest is None else 'amsgrad'}, rate a {kind}"
                yield Case("adam_update", arguments, oracles.adam_update, label, tolerance=9, smooth=False)
    yield Case("sgd_update", ([], [], None, 0.1, 0.0, False), oracles.sgd_update, "nothing")
