"""What has no result is refused where a graph is made, and what has one has the shape that it will have."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.ops.linalg import norm


def symbol(*shape, dtype="float32"):
    return keras.KerasTensor(shape, dtype)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.average(symbol(None, 3, 3), weights=symbol(None, 4)),
        lambda: ops.concatenate([symbol(None, 3), symbol(None, 3)], axis=None),
        lambda: ops.diagonal(symbol(2, 3, 4), axis1=-1, axis2=2),
        lambda: ops.repeat(symbol(None, 3), [1, 2], axis=1),
        lambda: ops.cdist(symbol(2, 1), symbol(1, 5)),
        lambda: ops.lstsq(symbol(2, 3, 3), symbol(2, 3)),
        lambda: ops.lstsq(symbol(4, 3), symbol(5)),
        lambda: ops.solve(symbol(20, 20), symbol()),
        lambda: ops.vander(symbol(2, 3)),
        lambda: ops.space_to_depth(symbol(None, 7, 8, 3), 2),
        lambda: ops.depth_to_space(symbol(None, 8, 8, 3), 2),
        lambda: ops.conv_transpose(symbol(None, 8, 8, 3), symbol(3, 3, 4, 5), 2),
        lambda: ops.image.crop_images(symbol(None, 8, 8, 3), 4, 1, 4, 1),
        lambda: ops.image.extract_patches(symbol(None, 8, 8, 3), (2, 2, 2, 2)),
        lambda: ops.layer_normalization(symbol(2, 8, 16), gamma=symbol(2, 16)),
        lambda: ops.argpartition(symbol(None, 3), (1, 2)),
        lambda: ops.reshape(symbol(None, 4), (-2, 4)),
        lambda: ops.reshape(symbol(None, 4), (-1, -1, 4)),
        lambda: ops.cond(symbol(dtype="bool"), lambda: ops.ones((3,)), lambda: ops.zeros((4,))),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_a_graph(call):
    with pytest.raises(ValueError, match="Expected .* Received"):
        call()


SQUARE = ("inv", "det", "slogdet", "cholesky", "cholesky_inverse", "eigh", "eig")


@pytest.mark.parametrize("name", SQUARE)
def test_matrices_must_be_seen_to_be_square(name):
    function = getattr(ops, name, None) or getattr(ops.linalg, name)
    for unknown in (symbol(None, 3), symbol(2, None, 3), symbol(2, 3, None)):
        with pytest.raises(ValueError, match="Expected square matrices. Received"):
            function(unknown)
    assert function(symbol(None, 3, 3)) is not None
    assert function(symbol(2, None, None)) is not None  # of one size, as far as a graph can tell


@pytest.mark.parametrize("name", ["solve", "solve_triangular"])
def test_rows_of_linear_systems_must_be_seen_to_match(name):
    function = getattr(ops, name)
    for a, b in [
        ((None, 3, 3), (None, None, 5)),
        ((3, 3), (None,)),
        ((None, 3), (None, 2)),
        ((2, None, None), (2, 3, 1)),
    ]:
        with pytest.raises(ValueError, match="Expected .* Received"):
            function(symbol(*a), symbol(*b))
    assert function(symbol(None, 3, 3), symbol(None, 3, 5)).shape == (None, 3, 5)


def test_sizes_of_another_kind_are_type_errors():
    with pytest.raises(TypeError, match="size"):
        ops.image.extract_patches(symbol(None, 8, 8, 3), "5")
    with pytest.raises(TypeError, match="size"):
        ops.image.extract_patches_3d(symbol(None, 8, 8, 8, 3), (2, 2))


def test_repeats_that_do_not_fit_are_refused_with_values(backend):
    with pytest.raises(ValueError, match="repeats for each of 3"):
        ops.repeat(np.arange(3), [1, 2])


def test_what_one_operand_knows_of_an_axis_is_known():
    x, y = symbol(None, 3, 4), symbol(3, 4)
    assert ops.tensordot(x, y, axes=[[0, 1], [1, 0]]).shape == (4,)


def test_either_of_two_branches_has_the_sizes_that_both_have():
    branches = (lambda: ops.ones((3, 2)), lambda: ops.ones((3, 2)))
    assert ops.cond(symbol(dtype="bool"), *branches).shape == (3, 2)


def test_the_size_of_a_symbolic_tensor_is_one_too(backend):
    x = keras.Input((3,))
    size = ops.size(x)
    assert (size.shape, size.dtype) == ((), "int32")
    assert int(keras.Function(x, size + 0)(np.ones((2, 3), "float32"))) == 6
    assert ops.size(np.ones((2, 3))) == 6


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "nancumsum", "nancumprod"])
def test_running_totals_along_axes_in_a_tuple(backend, name):
    x = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    for axis, expected in [((1,), getattr(np, name)(x, 1)), ((), x)]:
        assert ops.convert_to_numpy(getattr(ops, name)(x, axis=axis)).tolist() == expected.tolist()
    assert getattr(ops, name)(symbol(None, 3, 3), axis=(1,)).shape == (None, 3, 3)


@pytest.mark.parametrize("name", ["median", "nanmedian"])
def test_medians_over_no_axes_are_the_entries(backend, name):
    x = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    assert ops.convert_to_numpy(getattr(ops, name)(x, axis=())).tolist() == x.tolist()


def test_softmax_over_all_axes_together(backend):
    x = np.arange(6, dtype="float32").reshape(2, 3)
    expected = np.exp(x) / np.exp(x).sum()
    np.testing.assert_allclose(ops.convert_to_numpy(ops.softmax(x, axis=None)), expected, rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.log_softmax(x, axis=None)), np.log(expected), rtol=1e-5)


def test_softmax_of_single_entries_warns(backend):
    with pytest.warns(UserWarning, match="size 1 along axis 1"):
        assert ops.convert_to_numpy(ops.softmax(np.ones((2, 1)), axis=1)).tolist() == [[1.0], [1.0]]


def test_scaling_by_the_deviation_warns_and_does_not_move(backend):
    x = np.array([[1.0, 3.0, 8.0]], "float32")
    with pytest.warns(UserWarning, match="rms_normalization"):
        result = ops.layer_normalization(x, gamma=np.float32([1, 2, 3]), rms_scaling=True, epsilon=0.0)
    np.testing.assert_allclose(ops.convert_to_numpy(result), x / x.std() * [1, 2, 3], rtol=1e-5)


def test_the_order_of_a_number_is_that_of_numpy(backend):
    assert ops.convert_to_numpy(ops.argsort(np.array(3))).tolist() == np.argsort(np.array(3)).tolist()


def test_sizes_of_a_new_shape_may_be_arrays(backend):
    x = np.arange(6)
    for shape in (ops.convert_to_tensor([2, 3]), np.array([2, -1]), (ops.convert_to_tensor(2), 3)):
        assert ops.convert_to_numpy(ops.reshape(x, shape)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert ops.reshape(symbol(None, 20), symbol(2, dtype="int32")).shape == (None, None)
    assert ops.reshape(symbol(None, 20), (None, symbol(dtype="int32"))).shape == (None, None)


def test_directional_derivatives_of_symbolic_tensors(backend):
    x, direction = keras.Input((2,)), keras.Input((2,))
    outputs = ops.jvp(lambda x: (ops.sin(x), x), (x,), (direction,), has_aux=True)
    assert [y.shape for y in outputs] == [(None, 2)] * 3
    points, along = np.array([[0.5, 1.0]], "float32"), np.array([[2.0, 3.0]], "float32")
    results = keras.Function([x, direction], list(outputs))([points, along])
    expected = [np.sin(points), np.cos(points) * along, points]
    for result, oracle in zip(results, expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(result), oracle, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {"axis": 1}),
        ((5,), {"ord": 1, "axis": (0, 1)}),
        ((5,), {"ord": "fro"}),
        ((5, 6), {"ord": 3}),
        ((5, 6), {"ord": 0, "axis": (0, 1)}),
        ((5, 6), {"ord": "nuc", "axis": 1}),
    ],
)
@pytest.mark.parametrize("error", [ValueError, IndexError, RuntimeError])
def test_norms_that_are_not_raise_what_each_engine_raises(backend, shape, options, error):
    with pytest.raises(error, match="Expected"):
        norm(np.ones(shape, "float32"), **options)


def test_the_type_none_stands_for_floatx():
    from polykeras.core.dtypes import result_type

    assert result_type(None, int) == result_type(None) == "float32"
    assert result_type(None, "float64") == "float64"
