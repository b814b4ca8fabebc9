"""Every op gives what NumPy gives, on every backend; and its shape and dtype are known before."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from op_cases import CASES, MASK
from op_helpers import LINE_BY_LINE, TRACED, compiled, find, replaced

from polykeras import backends, ops
from polykeras.core import trees
from polykeras.core.graph import KerasTensor

IDS = [f"{n}-{name}" for n, (name, *_) in enumerate(CASES)]


def as_symbol(array):
    return KerasTensor(array.shape, array.dtype)


def leaves(tree) -> list:
    return trees.leaves(list(tree) if isinstance(tree, tuple | list) else tree)


def is_known_before(name, arguments, kwargs, oracle) -> bool:
    """Whether the shape follows from shapes, of arrays among the arguments."""
    if name in ("nonzero", "unique", "bincount", "histogram") or (arguments[1:] and arguments[1] is MASK):
        return False
    if name.startswith("segment") and "num_segments" not in kwargs:
        return False
    return any(isinstance(x, KerasTensor) for x in leaves(replaced(arguments, as_symbol)))


SHAPED = [case for case in CASES if is_known_before(*case)]
SHAPED_IDS = [name for name, *_ in SHAPED]
# Compiling takes long: two cases of each op.
SOME = [case for n, case in enumerate(SHAPED) if SHAPED_IDS[:n].count(case[0]) < 2]


def check(result, name, arguments, oracle):
    with np.errstate(all="ignore"):
        expected = oracle(*arguments, **({"d": "uint8"} if name == "saturate_cast" else {}))
    if isinstance(result, tuple | list):
        assert len(result) == len(expected)
    else:
        result, expected = [result], [expected]
    for got, want in zip(result, expected, strict=True):
        got, want = ops.convert_to_numpy(got), np.asarray(want)
        assert got.shape == want.shape, name
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5, err_msg=name)


BY_ITSELF = [
    pytest.param(engine, *case, id=f"{engine}-{name}")
    for engine in backends.available()
    for case, name in zip(CASES, IDS, strict=True)
    if engine in LINE_BY_LINE or not is_known_before(*case)
]


@pytest.mark.parametrize(("backend", "name", "arguments", "kwargs", "oracle"), BY_ITSELF, indirect=["backend"])
def test_value_is_that_of_numpy(backend, name, arguments, kwargs, oracle):
    check(getattr(ops, name)(*arguments, **kwargs), name, arguments, oracle)


@pytest.mark.parametrize("backend", TRACED, indirect=True)
@pytest.mark.parametrize("start", range(0, len(SOME), 50))
def test_values_are_those_of_numpy_when_compiled(backend, start):
    cases = SOME[start : start + 50]
    results = compiled(backend, [(name, arguments, kwargs) for name, arguments, kwargs, _ in cases])
    for result, (name, arguments, _, oracle) in zip(results, cases, strict=True):
        check(result, name, arguments, oracle)


@pytest.mark.parametrize(("name", "arguments", "kwargs", "oracle"), SHAPED, ids=SHAPED_IDS)
def test_shape_and_dtype_are_inferred(name, arguments, kwargs, oracle):
    inferred = leaves(getattr(ops, name)(*replaced(arguments, as_symbol), **kwargs))
    actual = leaves(getattr(ops, name)(*arguments, **kwargs))
    assert [x.shape for x in inferred] == [tuple(ops.shape(x)) for x in actual]
    assert [x.dtype for x in inferred] == [ops.dtype(x) for x in actual]


# Diagonals, decompositions and parts of an axis need its size; so does squeezing all axes of size 1, and a matrix that
# has to be square.
SIZE_DECIDES = {"diag", "trace", "unstack", "lstsq", "lu_factor", "squeeze", "solve", "solve_triangular"}
LOOSE = [c for c in SHAPED if c[0] not in SIZE_DECIDES and not (c[0] == "norm" and c[2].get("ord") in ("nuc", 2, -2))]


@pytest.mark.parametrize(("name", "arguments", "kwargs", "oracle"), LOOSE, ids=[name for name, *_ in LOOSE])
def test_shape_is_inferred_with_an_unknown_batch(name, arguments, kwargs, oracle):
    loose = lambda x: KerasTensor((None, *x.shape[1:]), x.dtype) if x.ndim else x  # noqa: E731
    inferred = leaves(getattr(ops, name)(*replaced(arguments, loose), **kwargs))
    actual = leaves(getattr(ops, name)(*arguments, **kwargs))
    assert len(inferred) == len(actual)
    for symbol, value in zip(inferred, actual, strict=True):
        shape = tuple(ops.shape(value))
        assert len(symbol.shape) == len(shape)
        assert all(a in (None, b) for a, b in zip(symbol.shape, shape, strict=True)), (symbol.shape, shape)
        assert symbol.dtype == ops.dtype(value)


def in_graph(tf, run):
    return tf.function(lambda: run(), autograph=False)  # noqa: PLW0108 - a partial's arguments would become inputs


VALUES_ONLY = ("nonzero", "unique", "bincount")
OF_FLOATS = [case for case in CASES if any(getattr(x, "dtype", None) == np.float32 for x in case[1])]


@pytest.mark.parametrize("as_function", [False, True])
def test_ops_take_variables_of_tensorflow_and_pass_gradients_to_them(as_function):
    tf = pytest.importorskip("tensorflow")
    with backends.use("tensorflow"):
        for name, arguments, kwargs, _ in OF_FLOATS[::15] if as_function else OF_FLOATS:
            call = find(ops, name)
            if as_function and (name in VALUES_ONLY or name.startswith("segment")):
                continue
            gradients = []
            for make in (tf.Variable, tf.constant):
                given = replaced(arguments, lambda x, make=make: make(x) if x.dtype == np.float32 else x)
                sources = [x for x in leaves(given) if isinstance(x, tf.Variable | tf.Tensor)]
                run = functools.partial(call, *given, **kwargs)
                with tf.GradientTape() as tape:
                    tape.watch(sources)
                    result = (in_graph(tf, run) if as_function else run)()
                    result = [x for x in leaves(result) if x.dtype.is_floating]
                gradients.append(tape.gradient(result, sources) if result else [])
            for ours, theirs in zip(*gradients, strict=True):
                assert (ours is None) == (theirs is None), name
                if ours is not None:
                    np.testing.assert_allclose(*map(tf.convert_to_tensor, (ours, theirs)), rtol=1e-5, err_msg=name)
