"""What every op is asked, and what NumPy or SciPy answers.

A case is (name of the op, arguments, keyword arguments, oracle). The oracle is called with the
same arguments and returns an array or a list of arrays; dtypes aren't compared with it.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.special

rng = np.random.default_rng(7)
A = rng.normal(size=(3, 4)).astype("float32")
B = rng.normal(size=(3, 4)).astype("float32")
ROW = rng.normal(size=4).astype("float32")
POSITIVE = (np.abs(A) + 0.5).astype("float32")
UNIT = rng.uniform(-0.9, 0.9, (3, 4)).astype("float32")
CUBE = rng.normal(size=(2, 3, 4)).astype("float32")
INTS = np.array([[3, -1, 4], [1, -5, 9]], "int32")
COUNTS = np.array([[3, 1, 4], [1, 5, 9]], "int32")
BOOLS = np.array([[True, False, True], [False, False, True]])
NANS = np.array([[1.0, np.nan, 3.0, -2.0], [np.nan, np.nan, 0.5, 7.0]], "float32")
EDGES = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan], "float32")
SQUARE = (rng.normal(size=(2, 3, 3)) + 3 * np.eye(3)).astype("float32")
SYMMETRIC = (SQUARE @ SQUARE.transpose(0, 2, 1)).astype("float32")
SIGNAL = rng.normal(size=(2, 30)).astype("float32")
SCORES = rng.normal(size=(2, 5, 3)).astype("float32")

CASES: list[tuple] = []


def words(text: str) -> list[str]:
    return text.split()


def given(function, **options):
    """A function with options filled in."""
    return lambda *arrays: function(*arrays, **options)


def case(name: str, arguments: list, oracle, **kwargs) -> None:
    """Add one case."""
    CASES.append((name, arguments, kwargs, oracle))


# ------------------------------------------------------------- one array, entrywise

for _name in words("""absolute negative square exp expm1 exp2 sin cos tan arctan sinh cosh tanh arcsinh
    floor ceil trunc sign reciprocal deg2rad rad2deg cbrt sinc isfinite isnan isinf
    isposinf isneginf signbit"""):
    case(_name, [A], getattr(np, _name))
for _name in words("log log2 log10 log1p sqrt"):
    case(_name, [POSITIVE], getattr(np, _name))
for _name in words("arcsin arccos arctanh"):
    case(_name, [UNIT], getattr(np, _name))
for _name in words("absolute negative sign isfinite isnan isinf isposinf isneginf signbit trunc floor"):
    case(_name, [EDGES], getattr(np, _name))
for _name in words("absolute negative square sign trunc signbit isfinite isnan"):
    case(_name, [INTS], getattr(np, _name))
case("arccosh", [POSITIVE + 1], np.arccosh)
case("rsqrt", [POSITIVE], lambda x: 1 / np.sqrt(x))
case("fabs", [INTS], np.fabs)
case("sqrt", [COUNTS], np.sqrt)
case("erf", [A], scipy.special.erf)
case("erfc", [3 * A], scipy.special.erfc)
case("erfinv", [UNIT], scipy.special.erfinv)
case("i0", [4 * A], scipy.special.i0)
case("clip", [A, -0.5, 0.5], np.clip)
case("clip", [INTS, 0, 4], np.clip)
case("nan_to_num", [EDGES], np.nan_to_num)
case("nan_to_num", [EDGES], lambda x: np.nan_to_num(x, nan=1, posinf=2, neginf=3), nan=1, posinf=2, neginf=3)
case("round", [10 * A], lambda x: np.round(x, 1), decimals=1)
case("round", [10 * INTS + 7], lambda x: np.round(x, -1), decimals=-1)
case("logical_not", [BOOLS], np.logical_not)
case("bitwise_not", [INTS], np.invert)
case("real", [A], np.real)
case("imag", [A], np.imag)
case("conj", [A], np.conj)
case("angle", [A], np.angle)
case("isreal", [A], np.isreal)

# ------------------------------------------------------------ two arrays, entrywise

for _name in words("""add subtract multiply divide floor_divide mod fmod maximum minimum fmax fmin arctan2
    hypot logaddexp logaddexp2 heaviside equal not_equal less less_equal greater
    greater_equal"""):
    case(_name, [A, B], getattr(np, _name))
    case(_name, [A, ROW], getattr(np, _name))
for _name in words("add subtract multiply divide floor_divide mod fmod maximum minimum power less equal gcd lcm"):
    case(_name, [INTS, COUNTS], getattr(np, _name))
for _name in words("bitwise_and bitwise_or bitwise_xor left_shift right_shift"):
    case(_name, [INTS, COUNTS], getattr(np, _name))
for _name in words("logical_and logical_or logical_xor"):
    case(_name, [BOOLS, ~BOOLS[::-1]], getattr(np, _name))
case("fmax", [EDGES, EDGES[::-1].copy()], np.fmax)
case("fmin", [EDGES, EDGES[::-1].copy()], np.fmin)
case("logaddexp", [EDGES, EDGES], np.logaddexp)
case("power", [POSITIVE, A], np.power)
case("nextafter", [EDGES, EDGES[::-1].copy()], np.nextafter)
case("nextafter", [A, B], np.nextafter)
case("ldexp", [A, COUNTS[0, :1]], np.ldexp)
case("divide_no_nan", [A, np.where(A > 0, A, 0)], lambda x, y: (x > 0) * 1.0)
case("isclose", [A, A + 1e-7], np.isclose)
case("isclose", [EDGES, EDGES], lambda x, y: np.isclose(x, y, equal_nan=True), equal_nan=True)
case("allclose", [A, B], np.allclose)
case("add", [A, 2], np.add)
case("subtract", [1.5, INTS], np.subtract)

# --------------------------------------------------------------------- reductions

for _name in words("sum prod mean var std max min ptp median any all"):
    case(_name, [A], getattr(np, _name))
    for _axis in (0, -1, (0, 2)):
        case(_name, [CUBE], given(getattr(np, _name), axis=_axis), axis=_axis)
    case(_name, [CUBE], given(getattr(np, _name), axis=(1, 2), keepdims=True), axis=(1, 2), keepdims=True)
for _name in words("sum prod mean var max min any all argmax argmin ptp count_nonzero cumsum cumprod median"):
    case(_name, [INTS], getattr(np, _name))
for _name in words("sum prod mean any all count_nonzero cumsum max min"):
    case(_name, [BOOLS], getattr(np, _name))
for _name in words("argmax argmin"):
    case(_name, [A], getattr(np, _name))
    case(_name, [CUBE], given(getattr(np, _name), axis=1, keepdims=True), axis=1, keepdims=True)
for _name in words("cumsum cumprod"):
    case(_name, [CUBE], given(getattr(np, _name), axis=1), axis=1)
for _name in words("""nansum nanprod nanmean nanvar nanstd nanmax nanmin nanmedian nancumsum nancumprod"""):
    case(_name, [NANS], getattr(np, _name))
    case(_name, [NANS], given(getattr(np, _name), axis=1), axis=1)
case("nanargmax", [NANS], lambda x: np.nanargmax(x, axis=1), axis=1)
case("nanargmin", [NANS], lambda x: np.nanargmin(x, axis=1), axis=1)
for _method in ("linear", "lower", "higher", "nearest", "midpoint"):
    case("quantile", [A, [0.1, 0.6]], lambda x, q, m=_method: np.quantile(x, q, 1, method=m), axis=1, method=_method)
case("quantile", [CUBE, 0.3], lambda x, q: np.quantile(x, q, (0, 2), keepdims=True), axis=(0, 2), keepdims=True)
case("quantile", [NANS, 0.3], lambda x, q: np.quantile(x, q, axis=0), axis=0)
case("nanquantile", [NANS, 0.3], lambda x, q: np.nanquantile(x, q, axis=1), axis=1)
case("percentile", [A, 30], np.percentile)
case("nanpercentile", [NANS, [10, 90]], np.nanpercentile)
case("max", [A], lambda x: np.max(x, initial=9), initial=9.0)
case("average", [A, 1], lambda x, a: np.average(x, a, ROW), weights=ROW)
case("average", [INTS], np.average)
case("logsumexp", [A], lambda x: scipy.special.logsumexp(x, axis=1), axis=1)
case("trapezoid", [A], lambda x: np.trapezoid(x, dx=2.0), dx=2.0)
case("trapezoid", [A, np.sort(ROW)], np.trapezoid)
case("diff", [A], lambda x: np.diff(x, 2, 0), n=2, axis=0)
case("corrcoef", [A], np.corrcoef)

# ----------------------------------------------------------------- making arrays

case("full_like", [A, 7], np.full_like)
case("zeros_like", [INTS], np.zeros_like)
case("ones_like", [INTS], np.ones_like)
case("linspace", [0, 5], lambda a, b: np.linspace(a, b, 7), num=7)
case("linspace", [A, B], lambda a, b: np.linspace(a, b, 5, endpoint=False, axis=1), num=5, endpoint=False, axis=1)
case("logspace", [0, 2], lambda a, b: np.logspace(a, b, 5, base=2), num=5, base=2)
case("geomspace", [-1, -16], lambda a, b: np.geomspace(a, b, 5), num=5)
for _k in (-1, 0, 2):
    case("tril", [CUBE], lambda x, k=_k: np.tril(x, k), k=_k)
    case("triu", [CUBE], lambda x, k=_k: np.triu(x, k), k=_k)
    case("diag", [ROW], lambda x, k=_k: np.diag(x, k), k=_k)
    case("diag", [A], lambda x, k=_k: np.diag(x, k), k=_k)
    case("diagflat", [A], lambda x, k=_k: np.diagflat(x, k), k=_k)
    case("diagonal", [CUBE], lambda x, k=_k: np.diagonal(x, k, 1, 2), offset=_k, axis1=1, axis2=2)
    case("trace", [CUBE], lambda x, k=_k: np.trace(x, k, 0, 2), offset=_k, axis1=0, axis2=2)
case("vander", [ROW], np.vander)
case("vander", [ROW], lambda x: np.vander(x, 3, increasing=True), N=3, increasing=True)
case("meshgrid", [ROW, INTS[0], ROW[:2]], lambda *x: list(np.meshgrid(*x)))
case("meshgrid", [ROW, INTS[0]], lambda *x: list(np.meshgrid(*x, indexing="ij")), indexing="ij")
case("saturate_cast", [300 * A], lambda x, d: np.clip(x, 0, 255).astype(d), dtype="uint8")

# --------------------------------------------------------------------- movement

case("reshape", [CUBE, (4, -1)], np.reshape)
case("ravel", [CUBE], np.ravel)
case("transpose", [CUBE], np.transpose)
case("transpose", [CUBE, (1, 0, 2)], np.transpose)
case("swapaxes", [CUBE, 0, -1], np.swapaxes)
case("moveaxis", [CUBE, 0, -1], np.moveaxis)
case("moveaxis", [CUBE, (0, 1), (-1, 0)], np.moveaxis)
case("expand_dims", [CUBE, (0, -2)], np.expand_dims)
case("squeeze", [CUBE[:1, :, None]], np.squeeze)
case("squeeze", [CUBE[:1, :, None], 0], np.squeeze)
case("broadcast_to", [A, (2, 3, 4)], np.broadcast_to)
case("concatenate", [[A, B], 1], np.concatenate)
case("concatenate", [[A, INTS.reshape(2, 3)[:, :1].repeat(4, 1)], 0], np.concatenate)
case("append", [A, INTS], np.append)
case("stack", [[A, B], 1], np.stack)
for _name in words("hstack vstack dstack"):
    case(_name, [[A, B]], getattr(np, _name))
    case(_name, [[ROW, ROW]], getattr(np, _name))
case("split", [A, 2, 1], np.split)
case("split", [CUBE, [1, 3], 2], np.split)
case("array_split", [CUBE, 3, 2], np.array_split)
case("hsplit", [A, 2], np.hsplit)
case("vsplit", [A, [1]], np.vsplit)
case("dsplit", [CUBE, 2], np.dsplit)
case("unstack", [A], list)
case("tile", [A, (2, 1, 3)], np.tile)
case("tile", [CUBE, 2], np.tile)
case("repeat", [A, 2], np.repeat)
case("repeat", [A, [1, 0, 2], 0], np.repeat)
case("repeat", [CUBE, 3, 1], np.repeat)
case("flip", [CUBE], np.flip)
case("flip", [CUBE, (0, 2)], np.flip)
case("fliplr", [A], np.fliplr)
case("flipud", [A], np.flipud)
for _k in range(4):
    case("rot90", [CUBE], lambda x, k=_k: np.rot90(x, k, (1, 2)), k=_k, axes=(1, 2))
case("roll", [CUBE, 5], np.roll)
case("roll", [CUBE, (1, -2), (0, 2)], np.roll)
case("pad", [A, 1], np.pad)
case("pad", [A, ((1, 0), (0, 2))], lambda x, w: np.pad(x, w, constant_values=5), constant_values=5)
for _mode in ("reflect", "symmetric", "edge", "wrap"):
    case("pad", [A, ((1, 2), (0, 3))], lambda x, w, m=_mode: np.pad(x, w, m), mode=_mode)
case("rearrange", [CUBE, "a b c -> c (a b)"], lambda x, p: x.transpose(2, 0, 1).reshape(4, 6))
case("rearrange", [A, "... (c d) -> d ... c"], lambda x, p: x.reshape(3, 2, 2).transpose(2, 0, 1), c=2)

# --------------------------------------------------------------------- indexing

case("take", [A, [2, 0, -1], 0], np.take)
case("take", [CUBE, np.array([[0, 1], [-1, 2]]), 1], np.take)
case("take", [A, 5], np.take)
case("take_along_axis", [A, np.argsort(A, 1), 1], np.take_along_axis)
case("take_along_axis", [A, np.array([[-1]] * 3), 1], np.take_along_axis)
for _key in (
    (slice(None), 0), (..., slice(None, None, -1)), (None, 1, slice(1, 3)), (0, ..., 1), slice(-1, None),
    [1, 0], (slice(None), [0, 2]), ([0, 1], [2, 0]), ([0, 1], slice(None), [3, 1]), (1, [0, 2], None),
):  # fmt: skip
    case("get_item", [CUBE, _key], lambda x, k: x[k])
MASK = A > 0
case("get_item", [A, MASK], lambda x, k: x[k])
case("slice", [CUBE, (0, 1, 2), (2, 2, -1)], lambda x, *_: x[:, 1:3, 2:])
case("slice_update", [A, (1, 2), -B[:2, :2]], lambda x, s, u: np.block([[x[:1, :]], [x[1:, :2], u]]))
case("scatter", [[[0, 1], [2, 3], [0, 1]], ROW[:3], (3, 4)],
     lambda i, v, s: np.array([[0, v[0] + v[2], 0, 0], [0] * 4, [0, 0, 0, v[1]]]))  # fmt: skip


def _scattered(function):
    def oracle(x, indices, updates, **_):
        x = np.array(x)
        function(x, tuple(np.asarray(indices).T), updates)
        return x

    return oracle


PLACES = np.array([[0], [2], [0], [-1]])
case("scatter_update", [A, PLACES[:2], B[:2]], _scattered(lambda x, i, u: x.__setitem__(i, u)))
for _reduction, _ufunc in {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}.items():
    case("scatter_update", [A, PLACES, CUBE[0][[0, 1, 2, 0]]], _scattered(_ufunc.at), reduction=_reduction)
case("where", [A > 0, A, B], np.where)
case("where", [A > 0, A, 0.0], np.where)
case("select", [[A > 1, A > 0], [A, B], 9.0], np.select)
case("nonzero", [INTS > 0], lambda x: list(np.nonzero(x)))
for _axis in (0, 1, -1):
    case("sort", [CUBE], lambda x, a=_axis: np.sort(x, a), axis=_axis)
    case("argsort", [CUBE], lambda x, a=_axis: np.argsort(x, a), axis=_axis)
case("top_k", [CUBE, 2], lambda x, k: [-np.sort(-x)[..., :2], np.argsort(-x)[..., :2]])
case("in_top_k", [np.array([0, 3, 1]), A, 2], lambda t, p, k: [t[n] in np.argsort(-p[n])[:2] for n in range(3)])
for _side in ("left", "right"):
    case("searchsorted", [np.array([1, 2, 2, 5]), INTS], lambda s, v, d=_side: np.searchsorted(s, v, d), side=_side)
case("digitize", [A, np.array([-1.0, 0.0, 0.5], "float32")], np.digitize)
case("isin", [INTS, [9, 1, 2]], np.isin)
case("isin", [INTS, [9, 1, 2]], lambda x, y: np.isin(x, y, invert=True), invert=True)
case("unique", [INTS % 3], lambda x: list(np.unique(x, return_counts=True)), return_counts=True)
case("bincount", [np.array([1, 4, 1, 0])], np.bincount)
case("bincount", [np.array([1, 4, 1, 0])], lambda x: np.bincount(x, ROW, 9), weights=ROW, minlength=9)
case("bincount", [COUNTS], lambda x: [np.bincount(row, minlength=10) for row in x])
case("histogram", [A], lambda x: list(np.histogram(x, 5)), bins=5)
case("histogram", [A, [-1.0, 0.0, 0.5, 3.0]], lambda x, b: list(np.histogram(x, b)))
case("unravel_index", [[5, 11], (3, 4)], lambda i, s: list(np.unravel_index(i, s)))
SEGMENTS = np.array([2, 0, 2])
case("segment_sum", [A, SEGMENTS], lambda x, i: [x[1], 0 * x[0], x[0] + x[2]])
case("segment_sum", [A, [0, 7, -1]], lambda x, i: [x[0], 0 * x[0]], num_segments=2)
case("segment_prod", [A, SEGMENTS], lambda x, i: [x[1], 0 * x[0] + 1, x[0] * x[2]])
case("segment_max", [A, SEGMENTS], lambda x, i: [x[1], 0 * x[0] - np.inf, np.maximum(x[0], x[2])])
case("segment_min", [A, SEGMENTS], lambda x, i: [x[1], 0 * x[0] + np.inf, np.minimum(x[0], x[2])])

# ------------------------------------------------------------------ linear algebra

case("matmul", [CUBE, CUBE.transpose(0, 2, 1)], np.matmul)
case("matmul", [A, ROW], np.matmul)
case("einsum", ["abc,bc->ab", CUBE, A], np.einsum)
for _lists in (
    [CUBE, [0, 5, 2], A, [5, 2], [5, 0]],
    [CUBE, [2, 0, 30]],
    [CUBE, [..., 1], A, [0, 1]],
    [CUBE, [0, ...], [..., 0]],
):
    case("einsum", _lists, np.einsum)
for _name in words("dot inner"):
    case(_name, [A, ROW], getattr(np, _name))
case("dot", [CUBE, CUBE.transpose(0, 2, 1)], np.dot)
case("inner", [CUBE, A], np.inner)
case("tensordot", [CUBE, A, ([1, 2], [0, 1])], np.tensordot)
case("tensordot", [CUBE, A.T, 1], np.tensordot)
case("vdot", [A, B], np.vdot)
case("outer", [A, ROW], np.outer)
case("kron", [CUBE, A], np.kron)
case("cross", [A[:, :3], B[:, :3]], np.cross)
case("cdist", [A, B[:2]], lambda x, y: np.linalg.norm(x[:, None] - y, axis=-1))
for _order in (None, 1, 2, 3, 0, math.inf, -math.inf):
    case("norm", [A], lambda x, o=_order: np.linalg.norm(x, o, axis=1), ord=_order, axis=1)
for _order in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
    case(
        "norm", [CUBE], lambda x, o=_order: np.linalg.norm(x, o, (0, 2), keepdims=True),
        ord=_order, axis=(0, 2), keepdims=True,
    )  # fmt: skip
case("norm", [CUBE], np.linalg.norm)
case("cholesky", [SYMMETRIC], np.linalg.cholesky)
case("cholesky", [SYMMETRIC], lambda x: np.linalg.cholesky(x, upper=True), upper=True)
case("cholesky_inverse", [np.linalg.cholesky(SYMMETRIC)], lambda x: np.linalg.inv(SYMMETRIC))
case("det", [SQUARE], np.linalg.det)
case("slogdet", [-SQUARE], lambda x: list(np.linalg.slogdet(x)))
case("logdet", [SQUARE], lambda x: np.linalg.slogdet(x)[1])
case("inv", [SQUARE], np.linalg.inv)
case("svd", [CUBE], lambda x: np.linalg.svd(x, compute_uv=False), compute_uv=False)
case("solve", [SQUARE, CUBE[:, :3]], np.linalg.solve)
case("solve", [SQUARE[0], ROW[:3]], np.linalg.solve)
case("solve_triangular", [SQUARE[0], A], lambda a, b: scipy.linalg.solve_triangular(a, b))
case("solve_triangular", [SQUARE[0], ROW[:3]],
     lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True), lower=True)  # fmt: skip
case("pinv", [CUBE], np.linalg.pinv)
case("lstsq", [A.T, ROW], lambda a, b: np.linalg.lstsq(a, b)[0])
case("matrix_rank", [np.stack([A, np.outer(A[:, 0], ROW)])], np.linalg.matrix_rank)
case("lu_factor", [SQUARE[0]], lambda x: list(scipy.linalg.lu_factor(x)))
case("lu_factor", [A], lambda x: list(scipy.linalg.lu_factor(x)))

# ------------------------------------------------------------------------- signals


def _parts(x) -> list:
    return [np.real(x), np.imag(x)]


for _length in (5, 12, 67, 128, 210):
    _x = rng.normal(size=(2, 2, _length)).astype("float32")
    case("fft", [(_x[0], _x[1])], lambda x: _parts(np.fft.fft(x[0] + 1j * x[1])))
    case("rfft", [_x[0]], lambda x: _parts(np.fft.rfft(x)))
case("rfft", [SIGNAL], lambda x: _parts(np.fft.rfft(x, 40)), fft_length=40)
case("irfft", [(A, B)], lambda x: np.fft.irfft(x[0] + 1j * x[1]))
case("irfft", [(A, B)], lambda x: np.fft.irfft(x[0] + 1j * x[1], 9), fft_length=9)
case("fft2", [(A, B)], lambda x: _parts(np.fft.fft2(x[0] + 1j * x[1])))
case("ifft2", [(A, B)], lambda x: _parts(np.fft.ifft2(x[0] + 1j * x[1])))
case("extract_sequences", [SIGNAL, 7, 3], lambda x, n, s: np.stack([x[:, i : i + 7] for i in range(0, 24, 3)], 1))
for _mode in ("valid", "same", "full"):
    for _sizes in ((4, 3), (3, 4), (4, 4), (2, 4)):
        case(
            "correlate", [ROW[: _sizes[0]], A[0, : _sizes[1]]],
            lambda x, y, m=_mode: np.correlate(x, y, m), mode=_mode,
        )  # fmt: skip
