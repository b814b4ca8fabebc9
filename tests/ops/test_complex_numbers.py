"""Complex numbers: their parts, views, polar form and the eigenvalues of matrices, with NumPy as the oracle."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

NUMBERS = np.array([1 + 1j, -1 + 0j, 4.5, -2j, 3 - 4j], "complex64")


def values(x):
    return np.asarray(ops.convert_to_numpy(x))


@pytest.mark.parametrize("name", ["real", "imag", "conjugate", "conj", "isreal", "angle", "absolute"])
@pytest.mark.parametrize("numbers", [NUMBERS, NUMBERS.real], ids=["complex", "real"])
def test_parts_of_numbers_are_those_of_numpy(backend, name, numbers):
    expected = getattr(np, name)(numbers)
    result = values(getattr(ops, name)(numbers))
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)
    assert result.dtype == expected.dtype


def test_complex_numbers_and_pairs_of_real_ones_are_views_of_each_other(backend):
    pairs = np.stack([NUMBERS.real, NUMBERS.imag], -1)
    numbers = ops.view_as_complex(pairs)
    assert values(numbers).tolist() == NUMBERS.tolist() and values(numbers).dtype == "complex64"
    assert values(ops.view_as_real(numbers)).tolist() == pairs.tolist()
    with pytest.raises(ValueError, match="axis of size 2"):
        ops.view_as_complex(np.ones((2, 3), "float32"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_of_a_size_and_an_angle(backend, dtype):
    size, angle = np.array([2.0, 0.5], dtype), np.array([[0.0], [2.5]], dtype)
    expected = size * np.exp(1j * angle.astype("float64"))
    np.testing.assert_allclose(values(ops.polar(size, angle)), expected, rtol=1e-6, atol=1e-6)


def test_eigenvectors_of_matrices_without_symmetry(backend):
    turn = np.array([[0.0, -1.0], [1.0, 0.0]], "float32")
    matrices = np.stack([turn, turn + np.eye(2, dtype="float32"), np.diag([2.0, 3.0]).astype("float32")])
    eigenvalues, vectors = map(values, ops.eig(matrices))
    assert eigenvalues.dtype == vectors.dtype == "complex64"
    np.testing.assert_allclose(matrices @ vectors, vectors * eigenvalues[:, None], atol=1e-5)
    expected = np.linalg.eigvals(matrices)
    np.testing.assert_allclose(np.sort_complex(eigenvalues), np.sort_complex(expected), atol=1e-5)
    with pytest.raises(ValueError, match="square"):
        ops.eig(np.ones((2, 3), "float32"))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "matmul"])
@pytest.mark.parametrize("dtype", ["complex64", "float32", "int32"])
def test_arithmetic_of_complex_numbers_is_that_of_numpy(backend, name, dtype):
    x, y = NUMBERS[:4].reshape(2, 2), np.array([[2, 1], [3, 2]], dtype)
    result = values(getattr(ops, name)(x, y))
    np.testing.assert_allclose(result, getattr(np, name)(x, y), rtol=1e-5, atol=1e-5)
    assert result.dtype == "complex64"


def test_variables_of_complex_numbers(backend):
    variable = keras.Variable(NUMBERS)
    assert variable.dtype == "complex64"
    assert values(variable - NUMBERS).tolist() == [0] * 5
    assert values(variable & True).dtype == bool


def test_functions_of_complex_numbers_are_those_of_numpy(backend):
    for name in ("exp", "sqrt", "sin", "square", "negative"):
        result = values(getattr(ops, name)(NUMBERS))
        np.testing.assert_allclose(result, getattr(np, name)(NUMBERS), rtol=1e-5, atol=1e-5)


def test_a_graph_model_of_complex_numbers(backend):
    x = keras.Input((4, 2))
    numbers = ops.view_as_complex(x)
    assert numbers.shape == (None, 4) and numbers.dtype == "complex64"
    model = keras.Model(x, ops.view_as_real(ops.conj(numbers)))
    pairs = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
    np.testing.assert_allclose(model.predict(pairs, verbose=0), pairs * [1, -1])
    eigenvalues, vectors = ops.eig(keras.KerasTensor((None, 3, 3)))
    assert (eigenvalues.shape, vectors.shape) == ((None, 3), (None, 3, 3))
