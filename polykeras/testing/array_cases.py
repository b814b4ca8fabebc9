"""Cases for reductions, linear algebra and movement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras.core import dtypes
from polykeras.testing.cases import INF, NAN, NUMERIC, REAL, Case, values


def _typed(function: Callable) -> Callable:
    """Return a NumPy reduction that keeps the dtype of integers."""
    return lambda x, axes=None, keepdims=False: function(x, axes, dtype=x.dtype, keepdims=keepdims)


def _extreme(function: Callable) -> Callable:
    return lambda x, axes=None, keepdims=False: function(x, axes, keepdims=keepdims)


REDUCTION = {"sum": _typed(np.sum), "prod": _typed(np.prod), "max": _extreme(np.max), "min": _extreme(np.min)}
TRUTH = {"any": _extreme(np.any), "all": _extreme(np.all)}
INDEX_OF_EXTREME: dict[str, Callable] = {"argmax": np.argmax, "argmin": np.argmin}
RUNNING = {
    "cumsum": lambda x, axis: np.cumsum(x, axis, x.dtype),
    "cumprod": lambda x, axis: np.cumprod(x, axis, x.dtype),
}


def reduction_cases() -> Iterator[Case]:
    """Sums, extreme values, cumulative sums and products, sorting."""
    for name, oracle in REDUCTION.items():
        for dtype in NUMERIC:
            yield Case(name, (values(2, 3, dtype=dtype), (1,)), oracle, dtype, tolerance=4, unknown=(0,))
        yield from _axes_cases(name, oracle, values(2, 3, 4, dtype="float64"), gradient=True)
        nan = np.array([[1.0, NAN], [NAN, 2.0], [3.0, 4.0], [INF, -INF]])
        for dtype in dtypes.FLOATS:
            yield Case(name, (nan.astype(dtypes.numpy_dtype(dtype)), (1,)), oracle, f"NaN, {dtype}")
    for name in ("sum", "prod"):
        for shape, axes in (((0, 3), (0,)), ((0, 3), None), ((3, 0), (1,)), ((0,), (0,))):
            yield Case(name, (np.zeros(shape, "float32"), axes), REDUCTION[name], f"nothing of {shape} over {axes}")
    wide = np.array([100, 100, 100], "int8"), np.array([200, 100], "uint8"), np.array([2**31 - 1, 1], "int32")
    for x in wide:
        yield Case("sum", (x,), REDUCTION["sum"], f"{x.dtype}, full width")
        yield Case("prod", (x,), REDUCTION["prod"], f"{x.dtype}, full width")
        yield Case("cumsum", (x, 0), RUNNING["cumsum"], f"{x.dtype}, full width")
    zeros = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0]])
    yield Case("prod", (zeros, (1,)), REDUCTION["prod"], "zeros", gradient=True)
    yield Case("cumprod", (zeros, 1), RUNNING["cumprod"], "zeros", gradient=True)
    truth = np.array([[True, False, True], [False, False, False], [True, True, True]])
    for name, oracle in TRUTH.items():
        yield from _axes_cases(name, oracle, truth[:, None])
        yield Case(name, (np.zeros((0, 2), bool), (0,)), oracle, "nothing")
    yield from _running_cases()
    yield from _order_cases()


def _axes_cases(name: str, oracle: Callable, x: np.ndarray, gradient: bool = False) -> Iterator[Case]:
    for axes in (None, (0,), (-1,), (0, 2), (1, -1), ()):
        for keepdims in (False, True):
            label = f"axes {axes}, keepdims {keepdims}"
            batched = axes in ((-1,), (1, -1), ())
            yield Case(name, (x, axes, keepdims), oracle, label, None, gradient, (0,) if batched else ())
    yield Case(name, (np.array(x[0, 0, 0]),), oracle, "0-d")
    yield Case(name, (x[:0], (1,)), oracle, "no rows", unknown=(0,))


def _running_cases() -> Iterator[Case]:
    for name, oracle in RUNNING.items():
        for dtype in NUMERIC:
            yield Case(name, (values(2, 4, dtype=dtype), 1), oracle, dtype, tolerance=4, unknown=(0,))
        for axis in (0, 1, -1, -2):
            x = values(2, 5, dtype="float64")
            yield Case(name, (x, axis), oracle, f"axis {axis}", gradient=True)
        yield Case(name, (np.zeros((2, 0)), 1), oracle, "empty")
        yield Case(name, (np.array([1.0, NAN, 2.0]), 0), oracle, "NaN")


def _order_cases() -> Iterator[Case]:
    ties = np.array([[3, 1, 3, 1, 2, 0], [1, 1, 0, 5, 5, 0]])
    for dtype in NUMERIC:
        x = ties.astype(dtypes.numpy_dtype(dtype))
        for name, oracle in INDEX_OF_EXTREME.items():
            yield Case(name, (x, 1), oracle, f"ties, {dtype}", "int32", unknown=(0,))
        yield Case("sort", (x, 1), np.sort, dtype, unknown=(0,))
        yield Case("argsort", (x, 1), _stable_order, f"ties, {dtype}", "int32", unknown=(0,))
    for dtype in dtypes.INTEGERS:
        limits = np.iinfo(dtype)
        x = np.array([1, limits.max, limits.min, 0, limits.max - 1], dtype)
        yield Case("sort", (x, 0), np.sort, f"{dtype}, full width")
        for name, oracle in INDEX_OF_EXTREME.items():
            yield Case(name, (x, 0), oracle, f"{dtype}, full width", "int32")
    cube = values(2, 3, 4, dtype="float64")
    for axis in (0, 1, 2, -1, -3):
        yield Case("sort", (cube, axis), np.sort, f"axis {axis}", gradient=True)
        yield Case("argsort", (cube, axis), _stable_order, f"axis {axis}", "int32")
        for name, oracle in INDEX_OF_EXTREME.items():
            yield Case(name, (cube, axis), oracle, f"axis {axis}", "int32")
    special = np.array([2.0, NAN, -INF, 0.0, INF, -NAN, -1.0, -0.0])
    for dtype in dtypes.FLOATS:
        x = special.astype(dtypes.numpy_dtype(dtype))
        yield Case("sort", (x, 0), np.sort, f"NaN last, {dtype}")
        yield Case("argsort", (x, 0), _stable_order, f"NaN last, {dtype}", "int32")
    yield Case("sort", (np.zeros((2, 0)), 1), np.sort, "empty")
    yield Case("argsort", (np.zeros((2, 0)), 1), _stable_order, "empty", "int32")
    yield Case("sort", (np.zeros((0, 2)), 1), np.sort, "no rows", unknown=(0,))
    yield Case("argsort", (np.zeros((0, 2)), 1), _stable_order, "no rows", "int32", unknown=(0,))


def _stable_order(x: np.ndarray, axis: int) -> np.ndarray:
    return np.argsort(x, axis, kind="stable")


# -------------------------------------------------------------- linear algebra


def linear_algebra_cases() -> Iterator[Case]:
    """Matrix products, decompositions, linear systems."""
    shapes = [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((3,), (5, 3, 2))]
    shapes += [((5, 2, 3), (3,)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3))]
    for left, right in shapes:
        x, y = values(*left, dtype="float64"), values(*right, dtype="float64", seed=1)
        batched = len(left) > 1 and len(right) <= max(len(left), 2) and left[0] != right[0]
        unknown = (0,) if batched else ()
        yield Case("matmul", (x, y), np.matmul, f"{left} and {right}", None, 0 not in left, unknown)
    for dtype in NUMERIC:
        x, y = values(2, 3, dtype=dtype), values(3, 2, dtype=dtype, seed=1)
        yield Case("matmul", (x, y), np.matmul, dtype, tolerance=4)
        yield Case("einsum", ("ij,jk->ik", x, y), _einsum, dtype, tolerance=4)
    yield from _einsum_cases()
    yield from _factor_cases()
    yield from _complex_cases()
    yield from _solution_cases()


def _einsum(subscripts: str, *operands: np.ndarray) -> np.ndarray:
    return np.einsum(subscripts, *operands)


def _einsum_cases() -> Iterator[Case]:
    table = {
        "i,i->": ((3,), (3,)),
        "i,j->ij": ((3,), (2,)),
        "ij->ji": ((2, 3),),
        "ij->j": ((2, 3),),
        "ij->": ((2, 3),),
        "ii->i": ((3, 3),),
        "ii->": ((3, 3),),
        "ij,jk": ((2, 3), (3, 2)),
        "bij,bjk->bik": ((2, 3, 4), (2, 4, 2)),
        "...ij,...jk->...ik": ((2, 2, 3), (3, 2)),
        "b...i,ij->b...j": ((2, 3, 4, 2), (2, 3)),
        "bqhd,bkhd->bhqk": ((2, 3, 2, 2), (2, 4, 2, 2)),
        "ab,bc,cd->ad": ((2, 3), (3, 2), (2, 2)),
        "...gi,igo->...go": ((2, 3, 2, 2), (2, 2, 3)),
        "ij,ij->i": ((2, 0), (2, 0)),
    }
    for subscripts, shapes in table.items():
        operands = (values(*shape, dtype="float64", seed=n) for n, shape in enumerate(shapes))
        gradient = 0 not in shapes[0]
        unknown = (1,) if subscripts.startswith(("b...", "...gi", "ab")) else ()
        yield Case("einsum", (subscripts, *operands), _einsum, subscripts, None, gradient, unknown)


def _definite(*batch: int, dtype: str = "float64") -> np.ndarray:
    x = values(*batch, 3, 3, dtype="float64")
    return (x @ np.swapaxes(x, -1, -2) + 2 * np.eye(3)).astype(dtypes.numpy_dtype(dtype))


def _symmetric(b: Any, x: Any) -> Any:
    """Return the symmetric part of x, so that decompositions depend on every entry."""
    axes = tuple(range(len(b.shape(x))))
    return b.multiply(b.add(x, b.transpose(x, (*axes[:-2], axes[-1], axes[-2]))), 0.5)


def _complex_cases() -> Iterator[Case]:
    def parts(b: Any, real: Any, imag: Any) -> tuple:
        numbers = b.complex(real, imag)
        return b.real(numbers), b.imag(numbers)

    def eigen(b: Any, x: Any) -> tuple:
        """Return the sum of the eigenvalues w, and the residuals of ``x v = w v``."""
        (wr, wi), (vr, vi) = ((b.real(y), b.imag(y)) for y in b.eig(x))

        def times(v: Any, w: Any) -> Any:
            return b.einsum("...ij,...j->...ij", v, w)

        real, imag = b.subtract(times(vr, wr), times(vi, wi)), b.add(times(vr, wi), times(vi, wr))
        return b.sum(wr, (-1,)), b.subtract(b.matmul(x, vr), real), b.subtract(b.matmul(x, vi), imag)

    def eigen_oracle(x: np.ndarray) -> tuple:
        return np.trace(x, axis1=-2, axis2=-1), np.zeros_like(x), np.zeros_like(x)

    for dtype in ("float32", "float64"):
        pair = values(2, 3, dtype=dtype), values(2, 3, dtype=dtype, seed=1)
        yield Case("complex", pair, lambda real, imag: (real, imag), dtype, run=parts)
        for method in ("real", "imag"):
            yield Case(method, pair, lambda real, imag: (real, imag), dtype, run=parts)
        x = values(2, 3, 3, dtype=dtype)
        yield Case("eig", (x,), eigen_oracle, dtype, tolerance=9, run=eigen)


def _rebuild_svd(b: Any, x: Any, full: bool) -> tuple:
    u, s, vh = b.svd(x, full)
    rank = min(b.shape(x)[-2:])
    u, vh = b.getitem(u, (..., slice(0, rank))), b.getitem(vh, (..., slice(0, rank), slice(None)))
    return s, b.einsum("...ij,...j,...jk->...ik", u, s, vh)


def _rebuild_qr(b: Any, x: Any, mode: str) -> tuple:
    q, r = b.qr(x, mode)
    return b.matmul(q, r), b.einsum("...ji,...jk->...ik", q, q)


def _qr_oracle(x: np.ndarray, mode: str) -> tuple:
    size = x.shape[-2] if mode == "complete" else min(x.shape[-2:])
    return x, np.broadcast_to(np.eye(size), (*x.shape[:-2], size, size))


def _svd_oracle(x: np.ndarray, full: bool) -> tuple:
    return np.linalg.svd(x, full)[1], x


def _factor_cases() -> Iterator[Case]:
    def symmetric(x: np.ndarray) -> np.ndarray:
        return (x + np.swapaxes(x, -1, -2)) / 2

    def rebuild_eigh(b: Any, x: Any) -> tuple:
        w, v = b.eigh(_symmetric(b, x))
        return w, b.einsum("...ij,...j,...kj->...ik", v, w, v)

    def eigh_oracle(x: np.ndarray) -> tuple:
        return np.linalg.eigh(symmetric(x))[0], symmetric(x)

    def cholesky(b: Any, x: Any) -> Any:
        return b.cholesky(_symmetric(b, x))

    for batch in ((), (2,)):
        x, label = _definite(*batch), f"batch {batch}"
        yield Case("cholesky", (x,), lambda x: np.linalg.cholesky(symmetric(x)), label, gradient=True, run=cholesky)
        yield Case("inv", (x,), np.linalg.inv, label, gradient=True)
        yield Case("det", (x,), np.linalg.det, label, gradient=True)

        yield Case("eigh", (x,), eigh_oracle, label, gradient=True, run=rebuild_eigh)
        for shape in ((4, 3), (3, 4), (3, 3)):
            x = values(*batch, *shape, dtype="float64")
            for full in (False, True):
                case = f"{x.shape}, full {full}"
                yield Case("svd", (x, full), _svd_oracle, case, gradient=not full, run=_rebuild_svd)
            for mode in ("reduced", "complete"):
                yield Case("qr", (x, mode), _qr_oracle, f"{x.shape}, {mode}", run=_rebuild_qr)
    for dtype in dtypes.FLOATS:
        x = _definite(dtype=dtype)
        yield Case("cholesky", (x,), np.linalg.cholesky, dtype, tolerance=9)
        yield Case("inv", (x,), np.linalg.inv, dtype, tolerance=9)
        yield Case("det", (x,), np.linalg.det, dtype, tolerance=9)
        yield Case("eigh", (x,), lambda x: np.linalg.eigh(x)[0], dtype, tolerance=9, run=lambda b, x: b.eigh(x)[0])
        yield Case("svd", (x,), lambda x: np.linalg.svd(x)[1], dtype, tolerance=9, run=lambda b, x: b.svd(x)[1])
        yield Case("qr", (x, "reduced"), _qr_oracle, dtype, tolerance=9, run=_rebuild_qr)


def _solution_cases() -> Iterator[Case]:
    for left, right in (((), ()), ((2,), (2,)), ((2,), ()), ((), (2,))):
        a, b = _definite(*left), values(*right, 3, 2, dtype="float64")
        label = f"batch {left} and {right}"
        yield Case("solve", (a, b), np.linalg.solve, label, gradient=True)
        for lower, cut in ((True, np.tril), (False, np.triu)):

            def oracle(a: Any, b: Any, lower: Any, cut: Any = cut) -> Any:
                return np.linalg.solve(cut(a), b)

            yield Case("solve_triangular", (a, b, lower), oracle, f"{label}, lower {lower}", gradient=True)
    for dtype in dtypes.FLOATS:
        a, b = _definite(dtype=dtype), values(3, 1, dtype=dtype)
        yield Case("solve", (a, b), np.linalg.solve, dtype, tolerance=9)
        yield Case("solve_triangular", (a, b), lambda a, b: np.linalg.solve(np.triu(a), b), dtype, tolerance=9)


# -------------------------------------------------------------------- movement


def movement_cases() -> Iterator[Case]:
    """Everything that only moves entries, for all dtypes."""
    yield from _reordering_cases()
    yield from _index_cases()
    yield from _picking_cases()
    yield from _writing_cases()


def _reordering_cases() -> Iterator[Case]:
    for dtype in REAL:
        x = values(2, 3, dtype=dtype)
        exact: dict[str, Any] = {"gradient": dtype == "float64"}
        yield Case("reshape", (x, (3, 2)), np.reshape, dtype, dtype, **exact)
        yield Case("reshape", (x, (-1,)), np.reshape, f"{dtype}, flat", dtype, **exact)
        yield Case("transpose", (x, (1, 0)), np.transpose, dtype, dtype, **exact)
        yield Case("broadcast_to", (x, (4, 2, 3)), np.broadcast_to, dtype, dtype, **exact)
        yield Case("concatenate", ([x, x[:1]], 0), np.concatenate, dtype, dtype, **exact)
        yield Case("pad", (x, [(1, 0), (0, 2)]), np.pad, dtype, dtype, **exact)
        one = 1.5 if dtypes.is_float(dtype) else 1

        def oracle(x: Any, widths: Any, value: Any) -> Any:
            return np.pad(x, widths, constant_values=value)

        yield Case("pad", (x, [(1, 1), (0, 0)], one), oracle, f"{dtype}, value", dtype, **exact)
        yield Case("flip", (x, (0, -1)), np.flip, dtype, dtype, **exact)
    x = values(2, 3, 4)
    for shape in ((4, 6), (-1, 4), (2, -1), (2, 3, 2, 2), (1, 24, 1)):
        batched = (0,) if shape[0] == -1 else ()
        yield Case("reshape", (x, shape), np.reshape, f"{x.shape} to {shape}", unknown=batched)
    yield Case("reshape", (values(), (1, 1)), np.reshape, "0-d to (1, 1)")
    yield Case("reshape", (values(1), ()), np.reshape, "(1,) to 0-d")
    yield Case("reshape", (np.zeros((0, 3)), (0, 5)), np.reshape, "empty")
    for order in ((2, 0, 1), (0, 2, 1), (-1, 0, 1)):
        yield Case("transpose", (x, order), np.transpose, f"axes {order}", unknown=(0,) if order[0] == 0 else ())
    yield Case("transpose", (values(), ()), np.transpose, "0-d")
    for start, end in (((), (2, 3)), ((1, 3), (2, 3)), ((2, 1), (4, 2, 3)), ((2, 0), (2, 0)), ((1,), (0,))):
        arguments = (values(*start, dtype="float64"), end)
        yield Case("broadcast_to", arguments, np.broadcast_to, f"{start} to {end}", gradient=True)
    for axis in (0, 1, -1):
        yield Case("concatenate", ([x, x, x], axis), np.concatenate, f"axis {axis}")
    yield Case("concatenate", ((x,), 0), np.concatenate, "one array")
    yield Case("concatenate", ([np.zeros((2, 0)), np.ones((2, 2))], 1), np.concatenate, "with an empty array")
    yield Case("pad", (x, ((0, 0), (1, 1), (2, 0)), -INF), lambda x, w, v: np.pad(x, w, constant_values=v), "-inf")
    yield Case("pad", (np.zeros((0, 2)), ((1, 0), (0, 0))), np.pad, "empty")
    several: tuple[tuple[int, ...], ...] = ((0,), (-1,), (1, 2), ())
    for axes in several:
        yield Case("flip", (x, axes), np.flip, f"axes {axes}", unknown=(0,) if 0 not in axes else ())


def _index_cases() -> Iterator[Case]:
    everything = slice(None)
    indices = {
        "int": (1,),
        "negative int": (-1, -2),
        "slice": (slice(1, 3),),
        "negative slice": (everything, slice(-2, None)),
        "step": (everything, everything, slice(None, None, 2)),
        "step from 1": (everything, everything, slice(1, None, 3)),
        "backwards": (slice(None, None, -1),),
        "backwards in twos": (everything, everything, slice(None, None, -2)),
        "backwards part": (everything, everything, slice(3, 0, -1)),
        "out of range": (slice(1, 99),),
        "nothing": (slice(2, 1),),
        "new axes": (None, ..., None),
        "ellipsis": (..., 0),
        "ellipsis between": (0, ..., slice(0, 2)),
        "all kinds": (slice(0, 2), None, 1, ..., slice(None, None, -1)),
        "empty tuple": (),
        "all ints": (0, 1, 2),
    }
    x = values(3, 2, 5, dtype="float64")
    for label, index in indices.items():
        unknown = (0,) if index[:1] == (everything,) else ()

        def run(b: Any, x: Any, index: Any = index) -> Any:
            return b.getitem(x, index)

        def oracle(x: Any, index: Any = index) -> Any:
            return x[index]

        gradient = label != "nothing"
        yield Case("getitem", (x,), oracle, label, gradient=gradient, unknown=unknown, run=run)
    backwards = (slice(1, None), slice(None, None, -1))
    for dtype in REAL:
        x = values(3, 2, dtype=dtype)
        yield Case("getitem", (x,), lambda x: x[backwards], dtype, dtype, run=lambda b, x: b.getitem(x, backwards))


def _picking_cases() -> Iterator[Case]:
    for dtype in REAL:
        x = values(3, 4, dtype=dtype)
        yield Case("take", (x, np.array([2, 0, 2]), 0), np.take, dtype, dtype)
        index = np.array([[3, 0], [1, 1], [2, 3]])
        yield Case("take_along_axis", (x, index, 1), np.take_along_axis, dtype, dtype)
    x = values(3, 4, 2, dtype="float64")
    for kind in ("uint8", "int8", "int32", "int64"):
        yield Case("take", (x, np.array([1, 2, 1], kind), 0), np.take, f"{kind} indices", "float64")
    for shape in ((), (2, 2), (0,)):
        for axis in (0, 1, -1):
            index = np.ones(shape, "int32")
            gradient = shape != (0,)
            yield Case("take", (x, index, axis), np.take, f"indices {shape}, axis {axis}", "float64", gradient)
    for axis in (0, 1, 2, -1, -2):
        index = np.zeros_like(x[..., :2] if axis in (2, -1) else x, "int32")
        index[..., 0] = 1
        case = ("take_along_axis", (x, index, axis), np.take_along_axis, f"axis {axis}", "float64", True)
        yield Case(*case, unknown=(0, 1) if axis not in (0,) else ())
    index = np.array([[0, 0, 1, 0]])
    yield Case("take_along_axis", (x[..., 0], index, 0), np.take_along_axis, "fewer rows", "float64", True)


def _scatter(change: Callable) -> Callable:
    def oracle(x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        result = x.copy()
        for index, update in zip(indices, updates, strict=True):
            result[tuple(index)] = change(result[tuple(index)], update)
        return result

    return oracle


def _clamped(x: np.ndarray, start: Any, sizes: tuple) -> tuple:
    starts = (min(max(int(s), 0), n - size) for s, n, size in zip(start, x.shape, sizes, strict=True))
    return tuple(slice(s, s + size) for s, size in zip(starts, sizes, strict=True))


def _dynamic_update(x: np.ndarray, update: np.ndarray, start: Any) -> np.ndarray:
    result = x.copy()
    result[_clamped(x, start, update.shape)] = update
    return result


def _writing_cases() -> Iterator[Case]:
    add, replace = _scatter(np.add), _scatter(lambda old, new: new)
    for dtype in REAL:
        x, updates = values(4, 2, dtype=dtype), values(3, 2, dtype=dtype, seed=1)
        gradient = dtype == "float64"
        if dtype != "bool":
            repeated = np.array([[1], [3], [1]])
            yield Case("scatter_add", (x, repeated, updates), add, dtype, dtype, gradient, tolerance=2)
        yield Case("scatter_set", (x, np.array([[1], [3], [0]]), updates), replace, dtype, dtype, gradient)
        yield Case("dynamic_slice", (x, (1, 0), (2, 1)), lambda x, s, n: x[_clamped(x, s, n)], dtype, dtype, gradient)
        yield Case("dynamic_update", (x, updates, (1, 0)), _dynamic_update, dtype, dtype, gradient)
    x = values(3, 4, dtype="float64")
    for name, oracle in (("scatter_add", add), ("scatter_set", replace)):
        pairs = np.array([[0, 1], [2, 3]], "int32")
        yield Case(name, (x, pairs, np.array([5.0, 6.0])), oracle, "two axes", None, True)
        yield Case(name, (x, np.zeros((0, 1), "int32"), np.zeros((0, 4))), oracle, "no updates")
        yield Case(name, (x[:, 0], np.array([[2]], "int32"), np.array([5.0])), oracle, "vector", None, True)
    starts: list[tuple[Any, Any]] = [(-5, 0), (1, 99), (np.array(2, "int32"), 1)]
    starts.append((np.array(-1, "int32"), np.array(9, "int32")))

    def cut(x: np.ndarray, s: Any, n: Any) -> np.ndarray:
        return x[_clamped(x, s, n)]

    for start in starts:
        label = f"start {tuple(map(int, start))} {'dynamic' if isinstance(start[0], np.ndarray) else ''}".strip()
        yield Case("dynamic_slice", (x, start, (2, 2)), cut, label, "float64", True)
        update = values(2, 3, dtype="float64", seed=2)
        yield Case("dynamic_update", (x, update, start), _dynamic_update, label, "float64", True)
