"""Ops on arrays of any shape, empty ones too: values and shapes of NumPy or scipy, gradients of finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import polykeras as keras
from polykeras import backends, ops

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=8,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
FULL_SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)
# Values that are exact in few digits, away from kinks, ends and poles.
VALUES = st.sampled_from([-2.25, -1.5, -0.75, -0.25, 0.25, 0.5, 1.25, 2.75])
FRACTIONS = st.sampled_from([-0.75, -0.5, -0.25, 0.25, 0.5, 0.75])

ONE = {
    "abs": (np.abs, VALUES),
    "arcsin": (np.arcsin, FRACTIONS),
    "arctan": (np.arctan, VALUES),
    "ceil": (np.ceil, VALUES),
    "cos": (np.cos, VALUES),
    "erf": (scipy.special.erf, VALUES),
    "exp": (np.exp, VALUES),
    "expm1": (np.expm1, VALUES),
    "floor": (np.floor, VALUES),
    "negative": (np.negative, VALUES),
    "sigmoid": (scipy.special.expit, VALUES),
    "sign": (np.sign, VALUES),
    "sinh": (np.sinh, VALUES),
    "square": (np.square, VALUES),
    "tanh": (np.tanh, VALUES),
}
TWO = {
    "add": np.add,
    "arctan2": np.arctan2,
    "divide": np.divide,
    "greater": np.greater,
    "logical_and": np.logical_and,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "multiply": np.multiply,
    "subtract": np.subtract,
}
REDUCTIONS = {"all": np.all, "any": np.any, "mean": np.mean, "prod": np.prod, "std": np.std, "sum": np.sum}
OF_SOMETHING = {"max": np.max, "min": np.min, "median": np.median, "logsumexp": scipy.special.logsumexp}
ALONG = {
    "argmax": lambda x, axis: np.argmax(x, axis),
    "argsort": lambda x, axis: np.argsort(x, axis, kind="stable"),
    "cumprod": lambda x, axis: np.cumprod(x, axis),
    "cumsum": lambda x, axis: np.cumsum(x, axis),
    "flip": lambda x, axis: np.flip(x, axis),
    "softmax": lambda x, axis: scipy.special.softmax(x, axis),
    "sort": lambda x, axis: np.sort(x, axis),
}
SMOOTH = ["arctan", "cos", "erf", "exp", "sigmoid", "square", "tanh"]


def floats(shape, values=VALUES):
    return arrays.arrays("float32", shape, elements=values)


def check(found, expected, rtol=2e-5):
    """Shape, kind of dtype and values; floats to single precision."""
    found, expected = ops.convert_to_numpy(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert found.dtype.kind == expected.dtype.kind
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol / 20)


def axis_of(data, shape):
    return data.draw(st.integers(-len(shape), len(shape) - 1))


def axes_of(data, shape):
    """None, an axis or several."""
    several = st.sets(st.integers(0, max(len(shape) - 1, 0)), max_size=len(shape)).map(tuple)
    return data.draw(st.one_of(st.none(), *([st.integers(-len(shape), len(shape) - 1), several] if shape else [])))


@pytest.mark.parametrize("name", ONE)
@SETTINGS
@given(data=st.data())
def test_ops_of_one_array_are_those_of_numpy(backend, name, data):
    oracle, values = ONE[name]
    x = data.draw(floats(data.draw(SHAPES), values))
    check(getattr(ops, name)(x), oracle(x))


@pytest.mark.parametrize("name", TWO)
@SETTINGS
@given(data=st.data())
def test_ops_of_two_arrays_broadcast_as_in_numpy(backend, name, data):
    shapes = data.draw(arrays.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3))
    x, y = (data.draw(floats(shape)) for shape in shapes.input_shapes)
    check(getattr(ops, name)(x, y), TWO[name](x, y))


@pytest.mark.parametrize("name", REDUCTIONS)
@SETTINGS
@given(data=st.data())
def test_reductions_take_any_axes_and_empty_arrays(backend, name, data):
    shape = data.draw(SHAPES if name in ("sum", "prod", "all", "any") else FULL_SHAPES)
    x, axis, keepdims = data.draw(floats(shape)), axes_of(data, shape), data.draw(st.booleans())
    check(getattr(ops, name)(x, axis=axis, keepdims=keepdims), REDUCTIONS[name](x, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("name", OF_SOMETHING)
@SETTINGS
@given(data=st.data())
def test_reductions_that_need_an_entry_take_any_axes(backend, name, data):
    shape = data.draw(FULL_SHAPES)
    x, axis = data.draw(floats(shape)), axes_of(data, shape)
    if axis != ():
        check(getattr(ops, name)(x, axis=axis), OF_SOMETHING[name](x, axis=axis))


@pytest.mark.parametrize("name", ALONG)
@SETTINGS
@given(data=st.data())
def test_ops_along_an_axis_are_those_of_numpy(backend, name, data):
    shape = data.draw(FULL_SHAPES)
    x, axis = data.draw(floats(shape)), axis_of(data, shape)
    check(getattr(ops, name)(x, axis=axis), ALONG[name](x, axis))


@SETTINGS
@given(data=st.data())
def test_shapes_change_as_in_numpy(backend, data):
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
    x, axis = data.draw(floats(shape)), axis_of(data, shape)
    order = data.draw(st.permutations(range(len(shape))))
    check(ops.transpose(x, order), np.transpose(x, order))
    check(ops.reshape(x, (-1,)), np.reshape(x, -1))
    check(ops.expand_dims(x, axis), np.expand_dims(x, axis))
    check(ops.concatenate([x, x], axis), np.concatenate([x, x], axis))
    check(ops.stack([x, x], axis), np.stack([x, x], axis))
    check(ops.repeat(x, 2, axis), np.repeat(x, 2, axis))
    check(ops.roll(x, 1, axis), np.roll(x, 1, axis))
    check(ops.moveaxis(x, axis, 0), np.moveaxis(x, axis, 0))


@SETTINGS
@given(data=st.data())
def test_indexing_is_that_of_numpy(backend, data):
    shape = data.draw(FULL_SHAPES)
    x, axis = data.draw(floats(shape)), axis_of(data, shape)
    places = arrays.arrays(
        "int32", arrays.array_shapes(max_dims=2, max_side=3), elements=st.integers(0, shape[axis] - 1)
    )
    indices = data.draw(places)
    check(ops.take(x, indices, axis), np.take(x, indices, axis))
    order = np.argsort(x, axis)
    check(ops.take_along_axis(x, order, axis), np.take_along_axis(x, order, axis))
    check(ops.where(x > 0, x, 0.0), np.where(x > 0, x, np.float32(0)))


@SETTINGS
@given(data=st.data())
def test_keys_of_every_kind_select_what_they_do_in_numpy(backend, data):
    """Slices with any step, ints, new axes and ellipses, and one mask or array of integers; in a model as well."""
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    x = data.draw(floats(shape))
    kinds = arrays.basic_indices(shape, allow_newaxis=True, max_dims=6)
    axis = data.draw(st.integers(0, len(shape) - 1))
    masks = arrays.arrays("bool", shape[axis])
    places = arrays.arrays("int64", st.integers(0, 3), elements=st.integers(-shape[axis], shape[axis] - 1))
    chosen = st.one_of(masks, masks.map(list), places).map(lambda array: (slice(None),) * axis + (array,))
    key = data.draw(st.one_of(kinds, chosen))
    check(ops.get_item(x, key), x[key])
    inputs = keras.Input(shape)
    batch = (slice(None), *key) if isinstance(key, tuple) else (slice(None), key)
    outputs = keras.ops.get_item(inputs, batch)
    expected = np.stack([x, 2 * x])[batch]
    assert outputs.shape[1:] == expected.shape[1:]
    check(keras.Model(inputs, outputs)(np.stack([x, 2 * x])), expected)


@SETTINGS
@given(data=st.data())
def test_products_of_matrices_broadcast_as_in_numpy(backend, data):
    rows, inner, columns = (data.draw(st.integers(0, 3)) for _ in range(3))
    batch = data.draw(arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=1, max_side=2)).input_shapes
    x = data.draw(floats((*batch[0], rows, inner)))
    y = data.draw(floats((*batch[1], inner, columns)))
    check(ops.matmul(x, y), np.matmul(x, y))


@SETTINGS
@given(data=st.data())
def test_solutions_and_factors_are_those_of_the_matrices(backend, data):
    size = data.draw(st.integers(1, 3))
    x = data.draw(floats((size, size)))
    positive = x @ x.T + np.eye(size, dtype="float32")
    wide = positive.astype("float64")
    lost = float(np.finfo("float32").eps * np.linalg.cond(wide)) + 2e-5
    check(ops.solve(positive, x), np.linalg.solve(wide, x), 10 * lost)
    check(ops.cholesky(positive), np.linalg.cholesky(wide), 10 * lost)
    check(ops.det(positive), np.linalg.det(wide), 10 * lost)
    q, r = ops.qr(positive)
    check(ops.matmul(q, r), positive, 10 * lost)


@pytest.mark.parametrize("name", SMOOTH)
@SETTINGS
@given(data=st.data())
def test_gradients_are_slopes(backend, name, data):
    x = data.draw(floats(data.draw(FULL_SHAPES)))
    oracle = ONE[name][0]
    wide = x.astype("float64")
    slopes = (oracle(wide + 1e-6) - oracle(wide - 1e-6)) / 2e-6
    engine = backends.current()
    _, (gradient,) = engine.value_and_grad(
        lambda arrays: (engine.sum(getattr(ops, name)(arrays[0]), None, False), None), [engine.array(x)]
    )
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), slopes, rtol=1e-4, atol=1e-5)
