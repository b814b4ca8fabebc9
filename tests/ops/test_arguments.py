"""What ops take: symbols, variables, lists, Python numbers; and what they refuse."""

from __future__ import annotations

import operator

import numpy as np
import pytest
import scipy.sparse

from polykeras import ops
from polykeras.core.graph import KerasTensor, Plan
from polykeras.core.variables import Variable

X = np.array([[3.0, -1.0], [4.0, 2.0]], "float32")
Y = np.array([[1.0, 5.0], [2.0, 2.0]], "float32")
TWO = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lt", "le", "gt", "ge"]


def both_sides(function, left, right):
    return [ops.convert_to_numpy(function(left, right)), ops.convert_to_numpy(function(right, left))]


@pytest.mark.parametrize("name", TWO)
def test_python_operators_of_variables(backend, name):
    function = getattr(operator, name)
    variable = Variable(X)
    for got, want in zip(
        both_sides(function, variable, backend.array(Y)), [function(X, Y), function(Y, X)], strict=False
    ):
        np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float32"])
@pytest.mark.parametrize("name", ["and", "or", "xor"])
def test_and_or_and_xor_of_variables_are_logical_as_in_keras(backend, name, dtype):
    function, logical = getattr(operator, f"{name}_" if name != "xor" else name), getattr(np, f"logical_{name}")
    x, y = np.array([6, 5, 0, 0]).astype(dtype), np.array([2, 0, 2, 0]).astype(dtype)
    for result in (function(Variable(x), Variable(y)), function(Variable(x), y), function(1, Variable(y))):
        assert ops.dtype(result) == "bool"
    assert ops.convert_to_numpy(function(Variable(x), Variable(y))).tolist() == logical(x, y).tolist()
    assert ops.convert_to_numpy(function(Variable(x), 2)).tolist() == logical(x, 2).tolist()
    assert ops.convert_to_numpy(function(2, Variable(x))).tolist() == logical(2, x).tolist()


def test_unary_operators_and_indexing_of_variables(backend):
    variable = Variable(X)
    assert ops.convert_to_numpy(-variable).tolist() == (-X).tolist()
    assert ops.convert_to_numpy(abs(variable)).tolist() == abs(X).tolist()
    assert ops.convert_to_numpy(variable[0, ::-1]).tolist() == X[0, ::-1].tolist()
    assert ops.convert_to_numpy(~Variable(X > 0)).tolist() == (X <= 0).tolist()
    assert variable in {variable} and Variable(X) not in {variable}


def test_numpy_arrays_on_the_left_leave_the_operation_to_us():
    result = Y + KerasTensor((2, 2))
    assert isinstance(result, KerasTensor) and result.shape == (2, 2)


def test_recorded_ops_give_what_they_give_on_arrays(backend):
    x = KerasTensor((None, 2), name="x")
    y = ops.concatenate([ops.relu(x)[:, :1], 2 - x], axis=-1) @ np.ones((3, 1), "float32")
    (result,) = Plan([x], [y]).run([backend.array(X)])
    expected = np.concatenate([np.maximum(X, 0)[:, :1], 2 - X], -1) @ np.ones((3, 1), "float32")
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-6)


def test_lists_may_hold_arrays_and_variables(backend):
    variable, array = Variable([1.0, 2.0]), backend.array(np.array([3.0, 4.0], "float32"))
    result = ops.convert_to_tensor([variable, array, [5, 6]])
    assert ops.convert_to_numpy(result).tolist() == [[1, 2], [3, 4], [5, 6]]
    assert ops.convert_to_numpy(ops.sum([variable, array])) == 10


def test_a_symbol_where_a_value_is_needed_is_refused():
    with pytest.raises(TypeError, match="a symbolic tensor"):
        ops.convert_to_numpy(KerasTensor((2,)))
    with pytest.raises(TypeError, match="ops.where, ops.cond"):
        bool(KerasTensor((2,)) > 0)


def test_axes_are_checked():
    for call in (
        lambda: ops.sum(X, axis=2),
        lambda: ops.softmax(X, axis=-3),
        lambda: ops.expand_dims(X, 4),
        lambda: ops.concatenate([X, X], axis=5),
        lambda: ops.transpose(X, (0, 0)),
    ):
        with pytest.raises(ValueError, match="Expected"):
            call()


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"Received shape: \(2, 2\)"):
        ops.squeeze(X, 0)
    with pytest.raises(ValueError, match="divisible by 3"):
        ops.split(X, 3)
    with pytest.raises(ValueError, match="target and output to have the same shape"):
        ops.categorical_crossentropy(X, X[:1])
    with pytest.raises(ValueError, match=r"target of shape \(2,\)"):
        ops.sparse_categorical_crossentropy([0], X)
    with pytest.raises(ValueError, match="padding"):
        ops.conv(np.ones((1, 4, 1)), np.ones((2, 1, 1)), padding="full")
    with pytest.raises(ValueError, match="reduction"):
        ops.scatter_update(X, [[0]], X[:1], "mean")
    with pytest.raises(ValueError, match="square matrices"):
        ops.inv(np.ones((2, 3)))


def test_shape_of_symbols_and_values(backend):
    assert ops.shape(KerasTensor((None, 3))) == (None, 3)
    assert ops.shape(Variable(X)) == ops.shape(backend.array(X)) == (2, 2)
    assert ops.size(KerasTensor((None, 3))).shape == () and ops.size(X) == 4
    assert ops.ndim(X) == 2 and ops.dtype(Variable(X)) == "float32"
    assert ops.is_tensor(backend.array(X)) and not ops.is_tensor([1.0])


def test_ranges_and_constants(backend):
    for arguments in ((5,), (2, 7), (1, 2, 0.25), (5, 0, -2)):
        assert ops.convert_to_numpy(ops.arange(*arguments)).tolist() == np.arange(*arguments).tolist()
    for name, arguments in {"eye": (3, 4, 1), "tri": (3, 4, -1), "identity": (2,), "ones": ((2, 3),)}.items():
        assert ops.convert_to_numpy(getattr(ops, name)(*arguments)).tolist() == getattr(np, name)(*arguments).tolist()
    assert ops.convert_to_numpy(ops.full((2,), backend.array(np.float32(3)))).tolist() == [3, 3]


def test_view_reads_the_same_bits(backend):
    x = backend.array(np.array([1.0, -2.5], "float32"))
    assert ops.convert_to_numpy(ops.view(ops.view(x, "int32"), "float32")).tolist() == [1.0, -2.5]
    assert int(ops.view(x, "int32")[0]) == 0x3F800000


def test_functional_extremes(backend):
    assert ops.convert_to_numpy(ops.logsumexp(np.full(3, -np.inf, "float32"))) == -np.inf
    assert np.isnan(ops.convert_to_numpy(ops.max(np.array([1.0, np.nan], "float32"))))
    assert float(ops.max(np.zeros((0,), "float32"), initial=2.0)) == 2
    with pytest.raises(ValueError, match="Expected initial"):
        ops.max(np.zeros((0,), "float32"))


def test_ops_take_sparse_arrays_as_dense_ones(backend):
    sparse = scipy.sparse.csr_matrix(np.array([[0.0, 2.0], [3.0, 0.0]], "float32"))
    assert ops.convert_to_numpy(ops.matmul(sparse, X)).tolist() == (sparse @ X).tolist()


@pytest.mark.parametrize("call", [ops.cast, ops.add, ops.full, ops.concatenate, ops.relu, ops.divide])
def test_none_is_no_number(backend, call):
    arguments = {ops.cast: (None, "float32"), ops.full: ((2,), None), ops.concatenate: ([X, None],), ops.relu: (None,)}
    with pytest.raises(ValueError, match="Received: None.*ops.shape returns it"):
        call(*arguments.get(call, (X, None)))


def test_a_list_with_none_is_no_array(backend):
    with pytest.raises(ValueError, match=r"Received: \[1.0, None\]"):
        ops.add([1.0, None], 1.0)


def test_an_unknown_size_is_not_taken_for_a_number(backend):
    x = KerasTensor((None, None, 3))
    with pytest.raises(ValueError, match="A size that is unknown in a graph is None"):
        ops.divide(x, ops.cast(x.shape[1], "float32"))


@pytest.mark.parametrize("axis", [range(1, 3), np.arange(1, 3), np.array(2)])
def test_axes_come_in_any_sequence_of_integers(axis, backend):
    x = np.arange(24.0).reshape(2, 3, 4)
    axes = tuple(np.atleast_1d(axis).tolist())
    np.testing.assert_allclose(ops.convert_to_numpy(ops.sum(x, axis=axis)), x.sum(axes))
