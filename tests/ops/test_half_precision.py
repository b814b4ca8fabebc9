"""Sums of half precision add up in float32: each result is the float64 one, rounded to the type of the arrays."""

import ml_dtypes
import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, losses, metrics, ops
from polykeras.core import dtypes

TYPES = ["float16", "bfloat16"]


def arrays(dtype):
    """Many entries, and entries whose sums or squares pass 65504, the largest float16."""
    generator = np.random.default_rng(3)
    shapes = {"many": generator.uniform(0, 2, (2, 6000)), "large": generator.uniform(100, 300, (40, 60))}
    return [x.astype(dtypes.numpy_dtype(dtype)) for x in shapes.values()]


@np.errstate(over="ignore", invalid="ignore")
def check(function, formula, dtype, steps=1.0):
    """Compare with a formula, to within a number of steps between neighbouring values of the type."""
    step = float(ml_dtypes.finfo(dtype).eps)
    for x in arrays(dtype):
        result = ops.convert_to_numpy(function(ops.convert_to_tensor(x)))
        assert result.dtype == x.dtype
        expected = np.asarray(formula(x.astype("float64"))).astype(x.dtype).astype("float64")
        result = result.astype("float64")
        assert result.shape == expected.shape
        tolerance = steps * step * np.maximum(abs(expected), float(ml_dtypes.finfo(dtype).tiny))
        is_close = (abs(result - expected) <= tolerance) | (result == expected)  # infinities are equal
        assert is_close.all(), (result, expected)


def logsumexp(x, axis=None):
    largest = x.max(axis, keepdims=True)
    return np.squeeze(largest + np.log(np.exp(x - largest).sum(axis, keepdims=True)), axis)


def normed(x):
    return x / np.sqrt((x**2).sum(-1, keepdims=True))


REDUCTIONS = {
    "sum": (ops.sum, np.sum),
    "mean": (ops.mean, np.mean),
    "var": (ops.var, np.var),
    "std": (ops.std, np.std),
    "nansum": (ops.nansum, np.sum),
    "nanmean": (ops.nanmean, np.mean),
    "nanvar": (ops.nanvar, np.var),
    "nanstd": (ops.nanstd, np.std),
    "logsumexp": (ops.logsumexp, logsumexp),
    "weighted average": (
        lambda x, axis: ops.average(x, axis, weights=x),
        lambda x, axis: np.average(x, axis, weights=x),
    ),
    "median": (ops.median, np.median),
}
FUNCTIONS = {
    "norm": (ops.norm, np.linalg.norm),
    "norm of order 3": (lambda x: ops.norm(x, 3, -1), lambda x: (x**3).sum(-1) ** (1 / 3)),
    "moments": (lambda x: ops.moments(x, (0, 1))[1], np.var),
    "cumsum": (lambda x: ops.cumsum(x, -1), lambda x: np.cumsum(x, -1)),
    "product": (
        lambda x: ops.prod(ops.full_like(x[:, :60], 1.0625), -1),
        lambda x: 0 * x[:, 0] + 1.0625**60,
    ),
    "trapezoid": (ops.trapezoid, np.trapezoid),
    "trace": (ops.trace, np.trace),
    "segment_sum": (
        lambda x: ops.segment_sum(ops.transpose(x), np.zeros(x.shape[1], "int32"), 1),
        lambda x: x.sum(1)[None],
    ),
    "einsum": (lambda x: ops.einsum("ij->i", x), lambda x: x.sum(1)),
    "einsum of two": (lambda x: ops.einsum("ij,ij->i", x, 1 / x), lambda x: x[:, 0] * 0 + x.shape[1]),
    "matmul": (lambda x: ops.matmul(x / x, ops.transpose(x)), lambda x: np.ones_like(x) @ x.T),
    "normalize": (ops.normalize, normed),
    "average_pool": (
        lambda x: ops.average_pool(x[None, :, :, None], tuple(x.shape))[0, 0, 0, 0],
        np.mean,
    ),
    "mean_squared_error": (lambda x: losses.mean_squared_error(x * 0, x), lambda x: (x**2).mean(-1)),
    "mean_absolute_error": (lambda x: losses.mean_absolute_error(x * 0, x), lambda x: x.mean(-1)),
    "cosine_similarity": (lambda x: -losses.cosine_similarity(x, x), lambda x: np.ones(len(x))),
    "categorical_crossentropy": (
        lambda x: ops.categorical_crossentropy(ops.cast(x / x, x.dtype) / x.shape[-1], x, from_logits=True),
        lambda x: logsumexp(x, -1) - x.mean(-1),
    ),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_is_that_of_float64_rounded(backend, name, dtype):
    function, formula = REDUCTIONS[name]
    for axis in (None, -1, 0):
        check(lambda x: function(x, axis=axis), lambda x: formula(x, axis=axis), dtype)  # noqa: B023


# Their entries are rounded before they are added: to within a part of a row's sum.
ROUNDED_BEFORE = {"einsum of two": 2, "categorical_crossentropy": 40, "cosine_similarity": 2}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_adds_up_is_that_of_float64_rounded(backend, name, dtype):
    if name == "categorical_crossentropy" and dtype == "bfloat16":
        pytest.skip("its labels don't add up to 1 in bfloat16")
    check(*FUNCTIONS[name], dtype, ROUNDED_BEFORE.get(name, 1))


LAYERS = {
    "GlobalAveragePooling1D": (layers.GlobalAveragePooling1D, lambda x: x.mean(1)),
    "AveragePooling1D": (lambda **o: layers.AveragePooling1D(40, **o), lambda x: x[:, :40].mean(1, keepdims=True)),
    "UnitNormalization": (layers.UnitNormalization, normed),
    "LayerNormalization": (
        layers.LayerNormalization,
        lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3),
    ),
    "RMSNormalization": (layers.RMSNormalization, lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)),
    "Softmax": (layers.Softmax, lambda x: np.exp(x - logsumexp(x, -1)[..., None])),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_half_precision_overflows_nowhere(backend, name, dtype):
    make, formula = LAYERS[name]
    x = np.random.default_rng(1).uniform(100, 300, (1, 40, 70)).astype(dtypes.numpy_dtype(dtype))
    result = ops.convert_to_numpy(make(dtype=dtype)(x))
    assert result.dtype == x.dtype
    step = float(ml_dtypes.finfo(dtype).eps)
    expected = formula(x.astype("float64"))
    np.testing.assert_allclose(result.astype("float64"), expected, rtol=2 * step, atol=4 * step)


@pytest.mark.parametrize("dtype", TYPES)
def test_batch_statistics_of_half_precision(backend, dtype):
    x = np.random.default_rng(1).uniform(100, 300, (4000, 2)).astype(dtypes.numpy_dtype(dtype))
    layer = layers.BatchNormalization(momentum=0, dtype=dtype)
    result = ops.convert_to_numpy(layer(x, training=True)).astype("float64")
    wide = x.astype("float64")
    np.testing.assert_allclose(result, (wide - wide.mean(0)) / wide.std(0), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("dtype", TYPES)
def test_metrics_of_half_precision_add_up_in_single(backend, dtype):
    x = np.full((2000, 4), 300, dtypes.numpy_dtype(dtype))
    for metric, expected in ((metrics.MeanSquaredError(), 90000), (metrics.MeanAbsoluteError(), 300)):
        metric.update_state(ops.convert_to_tensor(x * 0), ops.convert_to_tensor(x))
        assert float(metric.result()) == expected
    mean = metrics.Mean()
    mean.update_state(ops.convert_to_tensor(x))
    assert float(mean.result()) == 300


def test_a_gradient_through_a_sum_of_halves_has_their_type(backend):
    variable = keras.Variable(np.full((70_000,), 2.0), dtype="float16")
    value, (gradient,) = ops.value_and_grad(lambda: ops.mean(variable * 3.0), [variable])()
    assert float(value) == 6.0
    assert ops.dtype(gradient) == "float16"
    np.testing.assert_allclose(ops.convert_to_numpy(gradient).astype("float64"), 3 / 70_000, rtol=0.01)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool", "int16", "uint16"])
def test_sums_of_small_integers_do_not_wrap(backend, dtype):
    x = np.ones((1000,), dtype)
    for function in (ops.sum, ops.nansum):
        result = function(ops.convert_to_tensor(x))
        assert int(result) == 1000
        assert ops.dtype(result) == ("uint32" if dtype.startswith("u") else "int32")
    assert int(ops.count_nonzero(x)) == 1000


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "ij,jk", "ij,kj->ik", "ij,ij->", "ii", "ij->i"])
def test_einsum_of_int8_adds_up_in_int32_as_matmul_does(backend, subscripts):
    x = np.full((4, 4), 100, "int8")
    operands = [x] * (1 + subscripts.count(","))
    result = ops.einsum(subscripts, *operands)
    assert ops.dtype(result) == ops.dtype(ops.matmul(x, x)) == "int32"
    expected = np.einsum(subscripts, *[x.astype("int64") for x in operands])
    np.testing.assert_array_equal(ops.convert_to_numpy(result), expected)


@pytest.mark.parametrize("subscripts", ["ii", "ij", "ji", "iij", "i i j", "...ii", "ij,jk", "ij,kj", "ba,cb"])
def test_einsum_without_an_output_has_the_letters_that_stand_once(backend, subscripts):
    generator = np.random.default_rng(0)
    terms = subscripts.replace(" ", "").split(",")
    operands = [generator.normal(size=(3,) * len(term.replace("...", "z"))).astype("float32") for term in terms]
    expected = np.einsum(subscripts.replace(" ", ""), *operands)
    result = ops.einsum(subscripts, *operands)
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-5, atol=1e-5)
    symbols = [keras.KerasTensor(x.shape) for x in operands]
    assert ops.einsum(subscripts, *symbols).shape == expected.shape
