"""Decisions that rounding turned, or could."""

import numpy as np

from polykeras.parity.decisions import flips, near_ties
from polykeras.parity.observing import OpRecord


def relu(values, layer="net/relu"):
    x = np.array(values, "float32")
    return OpRecord(layer, "relu", (x,), {}, [np.maximum(x, 0)])


def test_a_relu_that_went_another_way_is_a_flip_with_its_margin():
    [flip] = flips([relu([1.0, 2e-6, -3.0])], [relu([1.0, -1e-6, -3.0])])
    assert (flip.index, flip.count, flip.size) == ((1,), 1, 3.0)
    np.testing.assert_allclose([flip.margin, flip.gap], [2e-6, 3e-6], rtol=1e-6)


def test_a_relu_that_both_decided_alike_by_less_than_they_differ_is_a_near_tie():
    ours = [relu([5.0, 1e-3], "net/far"), relu([2e-6, 1.0, -4e-6], "net/near")]
    theirs = [relu([5.0 + 1e-5, 1e-3], "net/far"), relu([2e-6, 1.0 + 1e-5, -4e-6], "net/near")]
    assert flips(ours, theirs) == []
    [tie] = near_ties(ours, theirs)
    assert (tie.layer, tie.index, tie.count) == ("net/near", (0,), 1)
    np.testing.assert_allclose([tie.margin, tie.gap], [2e-6, 1e-5], rtol=0.1)


def test_nothing_is_a_near_tie_where_inputs_agree_to_the_bit_or_shapes_differ():
    assert near_ties([relu([0.0, 1.0])], [relu([0.0, 1.0])]) == []
    assert near_ties([relu([])], [relu([])]) == []
    assert near_ties([relu([1e-7, 1.0])], [relu([[1e-7, 1.0]])]) == []


def test_what_comes_after_runs_part_is_not_compared():
    ours = [relu([1.0], "net/a"), relu([1e-6], "net/b")]
    theirs = [relu([1.0 + 1e-6], "net/other"), relu([-1e-6], "net/b")]
    assert flips(ours, theirs) == [] and near_ties(ours, theirs) == []
