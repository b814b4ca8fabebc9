"""Loops, branches and differentiation, on every backend, line by line and compiled."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras import ops
from polykeras.core.graph import KerasTensor
from polykeras.core.variables import Variable

X = np.array([1.0, 2.0, 3.0, 4.0], "float32")


def both_ways(backend, function, *arrays):
    """The result of a function, which has to be the same when compiled."""
    arrays = [backend.array(x) for x in arrays]
    plain = ops.convert_to_numpy(function(*arrays))
    _, traced = backend.compile(lambda state, *inputs: (state, function(*inputs)))([], *arrays)
    np.testing.assert_allclose(ops.convert_to_numpy(traced), plain, rtol=1e-6)
    return plain


def test_cond_takes_one_branch(backend):
    choose = lambda x: ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: x - 1)  # noqa: E731
    assert both_ways(backend, choose, X).tolist() == [2, 4, 6, 8]
    assert both_ways(backend, choose, -X).tolist() == [-2, -3, -4, -5]


@pytest.mark.parametrize(("index", "expected"), [(-3, 1.0), (0, 1.0), (1, 10.0), (2, 100.0), (9, 100.0)])
def test_switch_takes_the_branch_of_the_index(backend, index, expected):
    branches = [lambda x: x, lambda x: x * 10, lambda x: x * 100]
    assert both_ways(backend, lambda i: ops.switch(i, branches, ops.ones(())), np.int32(index)) == expected


def test_while_loop_goes_on_while_the_condition_holds(backend):
    def collatz(n):
        halve = lambda n, steps: (ops.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1)  # noqa: E731
        return ops.while_loop(lambda n, steps: n > 1, halve, (n, ops.zeros((), "int32")))[1]

    assert both_ways(backend, collatz, np.int32(6)) == 8
    assert int(ops.while_loop(lambda n: n > 0, lambda n: n + 1, ops.ones(()), maximum_iterations=5)) == 6


def test_fori_loop_counts(backend):
    total = lambda n: ops.fori_loop(2, n, lambda i, v: v + i, ops.zeros((), "int32"))  # noqa: E731
    assert both_ways(backend, total, np.int32(5)) == 9
    assert int(total(5)) == 9


def test_scan_carries_and_stacks(backend):
    step = lambda total, x: (total + x, total * x)  # noqa: E731
    assert both_ways(backend, lambda x: ops.scan(step, ops.zeros(()), x)[1], X).tolist() == [0, 2, 9, 24]
    last, stacked = ops.scan(step, ops.zeros(()), backend.array(X), reverse=True)
    assert float(last) == 10 and ops.convert_to_numpy(stacked).tolist() == [9, 14, 12, 0]


def test_associative_scan_keeps_the_order(backend):
    # Products of matrices don't commute.
    matrices = np.random.default_rng(0).normal(size=(5, 2, 2)).astype("float32")
    expected = [matrices[0]]
    for matrix in matrices[1:]:
        expected.append(expected[-1] @ matrix)
    result = both_ways(backend, lambda x: ops.associative_scan(ops.matmul, x), matrices)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)
    turned = ops.convert_to_numpy(ops.associative_scan(ops.add, backend.array(X), reverse=True))
    assert turned.tolist() == [10, 9, 7, 4]


def test_map_and_vectorized_map_stack_results(backend):
    for name in ("map", "vectorized_map"):
        assert both_ways(backend, lambda x, f=name: getattr(ops, f)(lambda v: v * v, x), X).tolist() == [1, 4, 9, 16]


def test_vectorize_broadcasts_over_the_axes_outside_of_the_signature(backend):
    matrices, vectors = np.ones((3, 1, 2, 4), "float32"), np.arange(8, dtype="float32").reshape(2, 4)
    product = ops.vectorize(ops.matmul, signature="(m,n),(n)->(m)")
    result = ops.convert_to_numpy(product(backend.array(matrices), backend.array(vectors)))
    np.testing.assert_allclose(result, np.einsum("abmn,bn->abm", np.broadcast_to(matrices, (3, 2, 2, 4)), vectors))


def test_grad_of_the_first_argument(backend):
    slope = ops.grad(lambda x, power: ops.sum(x**power))
    assert both_ways(backend, lambda x: slope(x, 3.0), X).tolist() == [3, 12, 27, 48]


def test_grad_of_a_tree(backend):
    tree = {"a": backend.array(X), "b": [backend.array(X)]}
    gradients = ops.grad(lambda t: ops.sum(t["a"] * 2 * t["b"][0]))(tree)
    assert ops.convert_to_numpy(gradients["b"][0]).tolist() == [2, 4, 6, 8]


def test_value_and_grad_hands_on_further_results(backend):
    (loss, count), gradient = ops.value_and_grad(lambda x: (ops.sum(x * x), 7), has_aux=True)(backend.array(X))
    assert (float(loss), count) == (30.0, 7) and ops.convert_to_numpy(gradient).tolist() == [2, 4, 6, 8]
    gradient, count = ops.grad(lambda x: (ops.sum(x), 7), has_aux=True)(backend.array(X))
    assert count == 7 and ops.convert_to_numpy(gradient).tolist() == [1] * 4


def test_value_and_grad_of_variables(backend):
    weight, seen = Variable(X), Variable(0.0, trainable=False)

    def loss(x):
        seen.assign(seen + 1)
        return ops.sum(weight * weight * x)

    value, gradients = ops.value_and_grad(loss, [weight])(2.0)
    assert float(value) == 60 and ops.convert_to_numpy(gradients[0]).tolist() == [4, 8, 12, 16]
    assert float(seen.numpy()) == 1


def test_a_loss_of_many_values_is_refused(backend):
    with pytest.raises(ValueError, match="scalar loss"):
        ops.grad(lambda x: x * 2)(backend.array(X))


def test_stop_gradient_makes_a_constant(backend):
    slope = ops.grad(lambda x: ops.sum(x * ops.stop_gradient(x)))
    assert ops.convert_to_numpy(slope(backend.array(X))).tolist() == X.tolist()


def test_custom_gradient_replaces_the_own(backend):
    @ops.custom_gradient
    def scaled(x):
        return x * 2, lambda upstream: upstream * 100

    slope = ops.grad(lambda x: ops.sum(scaled(x)))
    assert ops.convert_to_numpy(slope(backend.array(X))).tolist() == [100] * 4
    assert ops.convert_to_numpy(scaled(backend.array(X))).tolist() == [2, 4, 6, 8]


def test_jvp_is_the_derivative_in_a_direction(backend):
    function = lambda x, y: ops.sin(x) * y  # noqa: E731
    direction = np.array([1.0, 0.0, -1.0, 0.5], "float32")
    value, derivative = ops.jvp(function, (backend.array(X), backend.array(X)), (backend.array(direction),) * 2)
    np.testing.assert_allclose(ops.convert_to_numpy(value), np.sin(X) * X, rtol=1e-5)
    expected = (np.cos(X) * X + np.sin(X)) * direction
    np.testing.assert_allclose(ops.convert_to_numpy(derivative), expected, rtol=1e-5, atol=1e-6)


def test_logdet_has_the_inverse_as_gradient(backend):
    matrix = np.array([[3.0, 1.0], [0.5, -2.0]], "float32")
    slope = ops.convert_to_numpy(ops.grad(ops.logdet)(backend.array(matrix)))
    np.testing.assert_allclose(slope, np.linalg.inv(matrix).T, rtol=1e-4, atol=1e-6)


def test_norm_has_gradient_zero_at_zero(backend):
    slope = ops.grad(ops.norm)(backend.array(np.zeros(3, "float32")))
    assert ops.convert_to_numpy(slope).tolist() == [0, 0, 0]


def test_control_is_recorded_on_symbolic_tensors():
    x = KerasTensor((5, 3))
    carry, stacked = ops.scan(lambda c, v: (c + v, c), KerasTensor((3,)), x)
    assert carry.shape == (3,) and stacked.shape == (5, 3)
    assert ops.map(lambda v: ops.sum(v), x).shape == (5,)
    assert ops.associative_scan(ops.add, x).shape == (5, 3)
