"""Ops on TensorFlow's sparse and ragged tensors: the numbers of dense ones, and sparse results where Keras has them."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, ops

tf = pytest.importorskip("tensorflow")

KEEP_ZEROS = [
    "abs",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "ceil",
    "conj",
    "copy",
    "deg2rad",
    "expm1",
    "fabs",
    "floor",
    "imag",
    "log1p",
    "negative",
    "rad2deg",
    "real",
    "round",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
]
DENSE = ["arccos", "cos", "cosh", "exp", "isfinite", "log2", "reciprocal", "sigmoid", "relu"]
RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def on_tensorflow():
    with backends.use("tensorflow"):
        ops.zeros(())  # loads the engine
        yield


def sparse_array(shape, density=0.3, low=-0.9):
    values = RANDOM.uniform(low, 0.9, shape) * (RANDOM.random(shape) < density)
    return values.astype("float32")


def slices(dense, repeated=False):
    """The rows of a table that are not zero, in any order; ``repeated`` as two halves of each."""
    rows = np.flatnonzero(np.abs(dense).sum(tuple(range(1, dense.ndim))))[::-1]
    values = dense[rows]
    if repeated:
        rows, values = np.concatenate([rows, rows]), np.concatenate([values, values]) / 2
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant(dense.shape))


def kind(x):
    kinds = {tf.SparseTensor: "sparse", tf.IndexedSlices: "slices", tf.RaggedTensor: "ragged"}
    return next((name for cls, name in kinds.items() if isinstance(x, cls)), "dense")


def check(result, expected, layout):
    assert kind(result) == layout
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KEEP_ZEROS)
def test_functions_that_keep_zeros_return_what_they_get(name):
    function = getattr(ops, name)
    dense = sparse_array((5, 4), low=0.1)
    dense[3] = 0
    expected = ops.convert_to_numpy(function(dense))
    check(function(tf.sparse.from_dense(dense)), expected, "sparse")
    check(function(slices(dense)), expected, "slices")
    check(function(slices(dense, repeated=True)), expected, "slices")
    assert function(keras.KerasTensor((None, 4), sparse=True)).sparse
    assert not function(keras.KerasTensor((None, 4))).sparse


@pytest.mark.parametrize("name", DENSE)
def test_other_functions_return_dense_arrays(name):
    function, dense = getattr(ops, name), sparse_array((5, 4), low=0.1)
    with np.errstate(divide="ignore"):
        expected = ops.convert_to_numpy(function(dense))
    check(function(tf.sparse.from_dense(dense)), expected, "dense")
    check(function(slices(dense)), expected, "dense")
    assert not function(keras.KerasTensor((None, 4), sparse=True)).sparse


#: The results for two sparse operands, a sparse and a dense one, a dense and a sparse one, a sparse one and a number.
PAIRS = {
    "add": "sparse dense dense dense",
    "subtract": "sparse dense dense dense",
    "maximum": "sparse dense dense dense",
    "minimum": "sparse dense dense dense",
    "multiply": "sparse sparse sparse sparse",
    "divide": "dense sparse dense sparse",
    "true_divide": "dense sparse dense sparse",
    "power": "dense dense dense dense",
    "equal": "dense dense dense dense",
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("make", [tf.sparse.from_dense, slices])
def test_pairs_of_arrays_are_sparse_where_zeros_allow_it(name, make):
    function, numpy = getattr(ops, name), getattr(np, name)
    x, y = sparse_array((6, 4), low=0.1), sparse_array((6, 4), low=0.1)
    x[2], y[5] = 0, 0
    dense = RANDOM.uniform(0.5, 2, (6, 4)).astype("float32")
    dense[1, 2], dense[3, 3] = 0, np.nan
    own = "sparse" if make is tf.sparse.from_dense else "slices"
    layouts = [own if layout == "sparse" else layout for layout in PAIRS[name].split()]
    cases = [(x, y), (x, dense), (dense, x), (x, 2.0)]
    for (left, right), layout, is_sparse in zip(cases, layouts, [(1, 1), (1, 0), (0, 1), (1, 0)], strict=True):
        arguments = [make(each) if sparse else each for each, sparse in zip((left, right), is_sparse, strict=True)]
        result = function(*arguments)
        absent = (numpy(left, right) if name != "multiply" else np.nan_to_num(numpy(left, right))).astype("float32")
        assert kind(result) == layout
        found = ops.convert_to_numpy(result)
        np.testing.assert_allclose(np.nan_to_num(found) if name == "multiply" else found, absent, rtol=1e-5)
        if own == "sparse" and np.ndim(right):
            symbols = [keras.KerasTensor((None, 4), sparse=bool(sparse)) for sparse in is_sparse]
            assert function(*symbols).sparse == (layout == "sparse")


def test_a_dense_factor_broadcasts_to_a_sparse_one():
    x = sparse_array((3, 4, 5))
    for shape in [(5,), (4, 1), (1, 4, 5), (3, 1, 1)]:
        factor = RANDOM.normal(size=shape).astype("float32")
        check(ops.multiply(tf.sparse.from_dense(x), factor), x * factor, "sparse")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
@pytest.mark.parametrize(
    ("left", "right"), [((4, 6), (6, 3)), ((2, 4, 6), (6, 3)), ((2, 4, 6), (2, 6, 3)), ((2, 3, 4, 6), (2, 3, 6, 5))]
)
def test_products_with_sparse_matrices(left, right, dtype):
    x, y = ((sparse_array(shape, 0.5) * 8).astype(dtype) for shape in (left, right))
    sparse_x, sparse_y = (tf.cast(tf.sparse.from_dense(each), dtype) for each in (x, y))
    expected = x.astype("float64") @ y.astype("float64")
    tolerance = {"rtol": 1e-2, "atol": 1e-2} if dtype == "float16" else {"rtol": 1e-5, "atol": 1e-5}
    for arguments, layout in [((sparse_x, y), "dense"), ((x, sparse_y), "dense"), ((sparse_x, sparse_y), "sparse")]:
        result = ops.matmul(*arguments)
        assert kind(result) == layout and result.dtype == dtype and tuple(result.shape) == expected.shape
        np.testing.assert_allclose(ops.convert_to_numpy(result), expected, **tolerance)


def test_the_gradient_of_a_product_consists_of_the_rows_that_count():
    x = sparse_array((4, 1000), 0.002)
    x[0, [3, 900]] = 1.0
    kernel = tf.Variable(RANDOM.normal(size=(1000, 2)).astype("float32"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(ops.square(ops.dense(tf.sparse.from_dense(x), kernel.value(), np.ones(2, "float32"))))
    gradient = tape.gradient(loss, kernel)
    assert isinstance(gradient, tf.IndexedSlices)
    assert sorted(gradient.indices.numpy()) == sorted(np.flatnonzero(x.any(0)))
    expected = x.T @ (2 * (x @ kernel.numpy() + 1))
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, rtol=1e-4, atol=1e-5)


MOVES = [
    ("reshape", ((4, 6),)),
    ("reshape", ((4, 3, -1),)),
    ("transpose", ()),
    ("transpose", ((0, 2, 1, 3),)),
    ("squeeze", ()),
    ("squeeze", (2,)),
    ("squeeze", (-2,)),
    ("expand_dims", (0,)),
    ("expand_dims", ((1, -1),)),
    ("sum", ()),
    ("sum", (1,)),
    ("sum", ((0, 3), True)),
    ("cast", ("float64",)),
    ("convert_to_tensor", ("float64",)),
]


@pytest.mark.parametrize(("name", "arguments"), MOVES)
def test_moves_of_entries_stay_sparse(name, arguments):
    dense = sparse_array((4, 3, 1, 2))
    expected = ops.convert_to_numpy(getattr(ops, name)(dense, *arguments))
    result = getattr(ops, name)(tf.sparse.from_dense(dense), *arguments)
    check(result, expected, "sparse")
    assert tuple(result.shape) == expected.shape
    symbolic = getattr(ops, name)(keras.KerasTensor((4, 3, 1, 2), sparse=True), *arguments)
    assert symbolic.sparse and symbolic.shape == expected.shape


def test_concatenations_of_sparse_arrays_alone_are_sparse():
    x, y = sparse_array((3, 2)), sparse_array((3, 4))
    sparse_x, sparse_y = tf.sparse.from_dense(x), tf.sparse.from_dense(y)
    expected = np.concatenate([x, y], 1)
    check(ops.concatenate([sparse_x, sparse_y], axis=1), expected, "sparse")
    check(ops.concatenate([sparse_x, y], axis=1), expected, "dense")


def test_conversion_makes_dense_arrays_on_request():
    dense = sparse_array((3, 2))
    sparse = tf.sparse.from_dense(dense)
    for result, layout in [
        (ops.convert_to_tensor(sparse), "sparse"),
        (ops.convert_to_tensor(sparse, sparse=True), "sparse"),
        (ops.convert_to_tensor(sparse, sparse=False), "dense"),
    ]:
        check(result, dense, layout)
        assert ops.is_tensor(result) and ops.shape(result) == (3, 2) and ops.dtype(result) == "float32"
    assert isinstance(ops.convert_to_numpy(sparse), np.ndarray)


@pytest.mark.parametrize("name", ["one_hot", "multi_hot", "bincount"])
def test_encodings_are_sparse_on_request(name):
    x = np.array([[0, 3, 3], [5, 1, 0]])
    arguments = {"minlength": 7} if name == "bincount" else {"num_classes": 7}
    expected = ops.convert_to_numpy(getattr(ops, name)(x, **arguments))
    check(getattr(ops, name)(x, **arguments, sparse=True), expected, "sparse")
    check(getattr(ops, name)(x, **arguments), expected, "dense")


def test_one_hot_vectors_out_of_range_are_zero_along_any_axis():
    x = np.array([[1, -1], [4, 2]])
    for axis in (-1, 0, 1):
        expected = ops.convert_to_numpy(ops.one_hot(x, 3, axis))
        check(ops.one_hot(x, 3, axis, sparse=True), expected, "sparse")


def test_counts_of_a_sparse_array_leave_out_what_it_leaves_out():
    x = tf.SparseTensor([[1], [3], [5]], [2, 0, 2], (9,))
    check(ops.bincount(x), [1, 0, 2], "sparse")


@pytest.mark.parametrize("name", ["one_hot", "multi_hot"])
def test_symbolic_results_are_marked_on_every_engine(backend, name):
    assert getattr(ops, name)(keras.KerasTensor((None, 3), "int32"), 4, sparse=True).sparse
    assert not getattr(ops, name)(keras.KerasTensor((None, 3), "int32"), 4).sparse
    dense = getattr(ops, name)(np.array([[0, 2]]), 4)
    result = ops.convert_to_numpy(getattr(ops, name)(np.array([[0, 2]]), 4, sparse=True))
    np.testing.assert_array_equal(result, ops.convert_to_numpy(dense))


def test_other_engines_compute_with_dense_copies(backend):
    """A sparse tensor of TensorFlow in a program on another engine."""
    dense = sparse_array((3, 4))
    result = ops.sqrt(ops.square(tf.sparse.from_dense(dense)))
    np.testing.assert_allclose(ops.convert_to_numpy(result), np.abs(dense), rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.add(tf.sparse.from_dense(dense), dense)), 2 * dense, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda x: ops.sum(x, 0), (5,)),
        (lambda x: ops.sum(x, -1, keepdims=True), (None, 1)),
        (lambda x: ops.reshape(x, (-1, 5, 1)), (None, 5, 1)),
        (lambda x: ops.transpose(x, (1, 0)), (5, None)),
        (lambda x: ops.concatenate([x, x], 1), (None, 10)),
        (lambda x: ops.squeeze(ops.expand_dims(x, 1), 1), (None, 5)),
        (lambda x: ops.matmul(ops.sum(ops.reshape(x, (-1, 5, 1)), -1), np.ones((5, 2), "float32")), (None, 2)),
    ],
)
def test_sparse_results_keep_the_sizes_that_are_known_in_a_graph(call, expected):
    found = []

    @tf.function(input_signature=[tf.SparseTensorSpec((None, 5), tf.float32)], autograph=False)
    def traced(x):
        found.append(call(x).shape)

    traced.get_concrete_function()
    assert found == [expected]


@pytest.mark.parametrize("mode", ["count", "multi_hot"])
def test_sparse_encodings_feed_other_layers_in_a_model(mode):
    inputs = keras.Input((2,), dtype="int32")
    encoded = keras.layers.CategoryEncoding(4, output_mode=mode, sparse=True)(inputs)
    outputs = keras.layers.Dense(1, kernel_initializer=lambda shape, dtype: np.arange(4.0).reshape(shape))(encoded)
    found = keras.Model(inputs, outputs).predict(np.array([[0, 1], [3, 3]]), verbose=0)
    np.testing.assert_allclose(found, [[1.0], [6.0 if mode == "count" else 3.0]])


# ---------------------------------------------------------------------- ragged


def test_ragged_arrays_are_computed_entry_by_entry():
    x = tf.ragged.constant([[1.0, -2.0], [], [3.0]])
    for result, expected in [
        (ops.relu(x), [[1.0, 0.0], [], [3.0]]),
        (ops.square(x), [[1.0, 4.0], [], [9.0]]),
        (ops.multiply(x, 2), [[2.0, -4.0], [], [6.0]]),
        (ops.add(x, x), [[2.0, -4.0], [], [6.0]]),
        (ops.greater(x, 0.0), [[True, False], [], [True]]),
        (ops.cast(x, "int32"), [[1, -2], [], [3]]),
    ]:
        assert kind(result) == "ragged" and result.to_list() == expected


def test_sums_and_means_of_ragged_arrays_count_no_padding():
    x = tf.ragged.constant([[1.0, 2.0], [6.0]])
    assert float(ops.mean(x)) == 3.0 and float(ops.sum(x)) == 9.0 and float(ops.max(x)) == 6.0
    np.testing.assert_array_equal(ops.mean(x, axis=1), [1.5, 6.0])


def test_ops_along_a_ragged_axis_are_refused():
    x = tf.ragged.constant([[1.0, 2.0], [3.0]])
    for call in (lambda: ops.softmax(x), lambda: ops.matmul(x, np.ones((2, 2))), lambda: ops.add(x, np.ones((2, 2)))):
        with pytest.raises(ValueError, match=r"RaggedTensor .*to_tensor\(\)"):
            call()


def test_rows_of_a_table_at_ragged_indices():
    table, indices = np.arange(8.0, dtype="float32").reshape(4, 2), tf.ragged.constant([[3, -1], [0]])
    result = ops.take(table, indices, axis=0)
    assert kind(result) == "ragged" and result.to_list() == [[[6.0, 7.0], [6.0, 7.0]], [[0.0, 1.0]]]
