"""Every op gives what NumPy gives, on every backend; and its shape and dtype are known before."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras import ops
from polykeras.core import trees
from polykeras.core.graph import KerasTensor
from op_cases import CASES, MASK

IDS = [f"{n}-{name}" for n, (name, *_) in enumerate(CASES)]


def symbolic(tree):
    """The arrays of a tree as symbolic tensors."""
    if isinstance(tree, list | tuple):
        return type(tree)(map(symbolic, tree))
    return KerasTensor(tree.shape, tree.dtype) if isinstance(tree, np.ndarray) else tree


def leaves(tree) -> list:
    return trees.leaves(list(tree) if isinstance(tree, tuple | list) else tree)


def is_known_before(name, arguments, kwargs, oracle) -> bool:
    """Whether the shape follows from shapes, of arrays among the arguments."""
    if name in ("nonzero", "unique", "bincount", "histogram") or arguments[1:] and arguments[1] is MASK:
        return False
    if name.startswith("segment") and "num_segments" not in kwargs:
        return False
    return any(isinstance(x, KerasTensor) for x in leaves(symbolic(arguments)))


SHAPED = [(name, *rest) for name, *rest in CASES if is_known_before(name, *rest)]


@pytest.mark.parametrize(("name", "arguments", "kwargs", "oracle"), CASES, ids=IDS)
def test_value_is_that_of_numpy(backend, name, arguments, kwargs, oracle):
    with np.errstate(all="ignore"):
        expected = oracle(*arguments, **({"d": "uint8"} if name == "saturate_cast" else {}))
    result = getattr(ops, name)(*arguments, **kwargs)
    if isinstance(result, tuple | list):
        assert len(result) == len(expected)
    else:
        result, expected = [result], [expected]
    for got, want in zip(result, expected, strict=True):
        got, want = ops.convert_to_numpy(got), np.asarray(want)
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("name", "arguments", "kwargs", "oracle"), SHAPED, ids=[name for name, *_ in SHAPED])
def test_shape_and_dtype_are_inferred(name, arguments, kwargs, oracle):
    inferred = leaves(getattr(ops, name)(*symbolic(arguments), **kwargs))
    actual = leaves(getattr(ops, name)(*arguments, **kwargs))
    assert [x.shape for x in inferred] == [tuple(ops.shape(x)) for x in actual]
    assert [x.dtype for x in inferred] == [ops.dtype(x) for x in actual]


# Diagonals, decompositions and parts of an axis need its size; so does squeezing all axes of size 1.
SIZE_DECIDES = {"diag", "trace", "unstack", "lstsq", "lu_factor", "squeeze"}
LOOSE = [c for c in SHAPED if c[0] not in SIZE_DECIDES and not (c[0] == "norm" and c[2].get("ord") in ("nuc", 2, -2))]


def loose(tree):
    """The arrays of a tree as symbolic tensors whose first size is unknown."""
    if isinstance(tree, list | tuple):
        return type(tree)(map(loose, tree))
    is_array = isinstance(tree, np.ndarray) and tree.ndim
    return KerasTensor((None, *tree.shape[1:]), tree.dtype) if is_array else tree


@pytest.mark.parametrize(("name", "arguments", "kwargs", "oracle"), LOOSE, ids=[name for name, *_ in LOOSE])
def test_shape_is_inferred_with_an_unknown_batch(name, arguments, kwargs, oracle):
    actual = leaves(getattr(ops, name)(*arguments, **kwargs))
    inferred = leaves(getattr(ops, name)(*loose(arguments), **kwargs))
    assert len(inferred) == len(actual)
    for symbol, value in zip(inferred, actual, strict=True):
        shape = tuple(ops.shape(value))
        assert len(symbol.shape) == len(shape)
        assert all(a in (None, b) for a, b in zip(symbol.shape, shape, strict=True)), (symbol.shape, shape)
        assert symbol.dtype == ops.dtype(value)
