"""NumPy: the reference engine, and the default where no framework is installed.

Gradients come from autograd (https://github.com/HIPS/autograd), whose wrapped functions this
adapter calls. Half precision is stored in 16 bits and multiplied in 32.
"""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import threading
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from autograd.core import VJPNode, add_outgrads
from autograd.extend import defvjp, defvjp_argnum, defvjp_argnums, primitive
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vjps import unbroadcast_f
from autograd.tracer import Box, new_box, trace_stack
from autograd.util import toposort

from polykeras.backends.contract.backend import Backend
from polykeras.backends.contract.kernels import in_single_precision
from polykeras.backends.shared.host_memory import keep_freed_memory
from polykeras.capture.tape import as_one, is_recording, refuse_recording
from polykeras.core import dtypes, trees, window_geometry
from polykeras.core.operators import Operators
from polykeras.core.types import Array

keep_freed_memory()


class ReferableBox(ArrayBox):
    """autograd's traced array, which also accepts weak references (the table of masks holds some)."""

    __slots__ = ("__weakref__",)

    def __array_function__(self, function: Any, types: Any, arguments: tuple, options: dict) -> Any:
        """Route NumPy's functions in a user's code to autograd's function of the same name, which has a gradient."""
        module = function.__module__.removeprefix("numpy").lstrip(".")
        namespace = getattr(anp, module) if module else anp
        return getattr(namespace, function.__name__)(*arguments, **options)


def _deferring(name: str) -> Any:
    """Return autograd's operator, changed to defer to a variable on its right instead of treating it as a constant."""
    plain = getattr(ArrayBox, name)
    return lambda self, other: NotImplemented if isinstance(other, Operators) else plain(self, other)


for _name in ("add", "sub", "mul", "truediv", "mod", "pow", "matmul", "lt", "le", "gt", "ge"):
    setattr(ReferableBox, f"__{_name}__", _deferring(f"__{_name}__"))

for _type in (np.ndarray, np.float16, np.float32, np.float64, dtypes.numpy_dtype("bfloat16").type):
    ReferableBox.register(_type)

# Infinities and NaN are ordinary results, as on every other engine, and raise no warnings.
_quiet = np.errstate(all="ignore")
_HALF = ("float16", "bfloat16")
_BFLOAT16 = dtypes.numpy_dtype("bfloat16")
_gradient_lock = threading.RLock()  # autograd has a single trace stack per process


# ``dtype.name`` builds its string on every access: 3 µs, against 0.05 µs for this table.
_NAMES = {dtypes.numpy_dtype(name): name for name in dtypes.ALL}


def _value(x: Any) -> Any:
    while isinstance(x, Box):
        x = x._value
    return x


def _method(function: Any, quiet: bool = False) -> Any:
    """Return a function as a static method of the adapter."""
    return staticmethod(_quiet(function) if quiet else function)


def _binary(function: Any) -> Any:
    """Return a function of two operands as a static method that keeps bfloat16 next to a Python float.

    ml_dtypes would promote the pair to float32.
    """

    def method(x: Any, y: Any, /) -> Array:
        if y.__class__ is float and x.dtype == _BFLOAT16:
            y = np.array(y, _BFLOAT16)
        elif x.__class__ is float and y.dtype == _BFLOAT16:
            x = np.array(x, _BFLOAT16)
        return function(x, y)

    return _method(method, quiet=True)


def _in_single_precision(function: Any) -> Any:
    """Compute on half-precision arrays in float32, and round the results."""

    @functools.wraps(function)
    def method(self: NumpyBackend, *arguments: Any) -> Array:
        array = next(a for a in arguments if self.is_array(a))
        dtype = array.dtype
        if dtype.itemsize > 2 or dtype.name not in _HALF:
            return function(*arguments)
        wide = [a.astype(np.float32) if self.is_array(a) else a for a in arguments]
        return trees.map(lambda x: x.astype(dtype), function(*wide))

    return method


# ------------------------------------------------------------ special functions


@functools.cache
def _erfc_series() -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev coefficients of erfc(x) exp(x^2) in t = 4 / (2 + x) - 1, and Taylor coefficients of erf."""
    from numpy.polynomial import chebyshev

    def scaled(t: Any) -> Any:
        x = 4.0 / (t + 1.0) - 2.0
        # Beyond 26, erfc underflows, and its asymptotic series is exact to double precision.
        tail = (1 - 0.5 / x**2 + 0.75 / x**4 - 1.875 / x**6) / (np.maximum(x, 1) * math.sqrt(math.pi))
        near = np.minimum(x, 26.0)
        exact = np.array([math.erfc(v) * math.exp(v * v) for v in near])
        return np.where(x > 26.0, tail, exact)

    with np.errstate(all="ignore"):
        cheb = chebyshev.chebinterpolate(scaled, 40)
    taylor = [(-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(16)]
    return cheb, np.array(taylor) * 2 / math.sqrt(math.pi)


def _erf_float64(x: np.ndarray) -> np.ndarray:
    from numpy.polynomial import chebyshev, polynomial

    cheb, taylor = _erfc_series()
    size = np.abs(x)
    with np.errstate(all="ignore"):
        far = 1 - np.exp(-size * size) * chebyshev.chebval(4.0 / (2.0 + size) - 1.0, cheb)
        near = size * polynomial.polyval(np.minimum(size, 1.0) ** 2, taylor)
    return np.copysign(np.where(size < 0.7, near, far), x)


def _erfinv_float64(y: np.ndarray) -> np.ndarray:
    """Winitzki's approximation (2008), refined by four Newton steps."""
    with np.errstate(all="ignore"):
        log = np.log1p(-y * y)
        half = 2 / (math.pi * 0.147) + log / 2
        x = np.copysign(np.sqrt(np.sqrt(half * half - log / 0.147) - half), y)
        for _ in range(4):
            error = _erf_float64(x) - y
            x = x - error * np.exp(x * x) * (math.sqrt(math.pi) / 2)
        x = np.where(np.abs(y) == 1, np.copysign(np.inf, y), x)
    return np.where(y == 0, y, x)


def _digamma_float64(x: np.ndarray) -> np.ndarray:
    """Recurrence up to 6, then the asymptotic series (Abramowitz and Stegun, 6.3.18)."""
    with np.errstate(all="ignore"):
        reflected = x < 0.5
        z = np.where(reflected, 1 - x, x)
        result = np.zeros_like(z)
        for _ in range(8):
            small = z < 8
            result = result - np.where(small, 1 / z, 0)
            z = np.where(small, z + 1, z)
        inverse = 1 / (z * z)
        tail = 1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132)))
        result = result + np.log(z) - 0.5 / z - inverse * tail
        return np.where(reflected, result - math.pi / np.tan(math.pi * x), result)


def _trigamma_float64(x: np.ndarray) -> np.ndarray:
    """The derivative of digamma, from the derivatives of its formulas."""
    with np.errstate(all="ignore"):
        reflected = x < 0.5
        z = np.where(reflected, 1 - x, x)
        result = np.zeros_like(z)
        for _ in range(8):
            small = z < 8
            result = result + np.where(small, 1 / (z * z), 0)
            z = np.where(small, z + 1, z)
        inverse = 1 / (z * z)
        tail = 1 / 6 - inverse * (1 / 30 - inverse * (1 / 42 - inverse * (1 / 30 - inverse * 5 / 66)))
        result = result + 1 / z + inverse / 2 + inverse / z * tail
        return np.where(reflected, (math.pi / np.sin(math.pi * x)) ** 2 - result, result)


_lgamma_float64 = np.frompyfunc(lambda v: math.inf if v <= 0 and v == int(v) else math.lgamma(v), 1, 1)


def _special(function: Any) -> Any:
    """Return a traced function of float arrays that computes in float64 and rounds to x's dtype."""

    @primitive
    @as_one
    def call(x: np.ndarray) -> np.ndarray:
        result = np.asarray(function(np.asarray(x, np.float64)))
        return result.astype(np.float64).astype(x.dtype)

    return call


_erf, _erfinv = _special(_erf_float64), _special(_erfinv_float64)
_lgamma, _digamma = _special(_lgamma_float64), _special(_digamma_float64)
_trigamma = _special(_trigamma_float64)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
defvjp(_erf, lambda ans, x: lambda g: g * _TWO_OVER_ROOT_PI * anp.exp(-x * x))
defvjp(_erfinv, lambda ans, x: lambda g: g / _TWO_OVER_ROOT_PI * anp.exp(ans * ans))
defvjp(_lgamma, lambda ans, x: lambda g: g * _digamma(x))
defvjp(_digamma, lambda ans, x: lambda g: g * _trigamma(x))


# --------------------------------------------------------------- broadcasting
#
# autograd's own gradients of these two do not sum over all broadcast axes.

_where, _broadcast_to = primitive(np.where), primitive(np.broadcast_to)
defvjp(
    _where,
    None,
    lambda ans, condition, x, y: unbroadcast_f(x, lambda g: _where(condition, g, np.zeros((), g.dtype))),
    lambda ans, condition, x, y: unbroadcast_f(y, lambda g: _where(condition, np.zeros((), g.dtype), g)),
)
defvjp(_broadcast_to, lambda ans, x, shape: unbroadcast_f(x, lambda g: g), None)


# --------------------------------------------------------- scattering, windows


@primitive
@as_one
def _scatter_add(x: np.ndarray, index: tuple, updates: np.ndarray) -> np.ndarray:
    result = x.copy()
    np.add.at(result, index, updates)
    return result


@primitive
@as_one
def _scatter_set(x: np.ndarray, index: tuple, updates: np.ndarray) -> np.ndarray:
    result = x.copy()
    result[index] = updates
    return result


defvjp(
    _scatter_add,
    lambda ans, x, index, updates: lambda g: g,
    None,
    lambda ans, x, index, updates: lambda g: _gather(g, index),
)
defvjp(
    _scatter_set,
    lambda ans, x, index, updates: lambda g: _scatter_set(g, index, np.zeros(updates.shape, g.dtype)),
    None,
    lambda ans, x, index, updates: lambda g: _gather(g, index),
)


@primitive
@as_one
def _gather(x: np.ndarray, index: tuple) -> np.ndarray:
    return x[index]


@primitive
@as_one
def _add_gathered(g: np.ndarray, index: tuple, shape: tuple) -> np.ndarray:
    result = np.zeros(shape, g.dtype)
    np.add.at(result, index, g)
    return result


defvjp(_gather, lambda ans, x, index: lambda g: _add_gathered(g, index, x.shape), None)
defvjp(_add_gathered, lambda ans, g, index, shape: lambda v: _gather(v, index), None, None)


# One primitive for all functions: autograd keeps each primitive, and all that its function refers to, forever.


class _Backward:
    """A function ``(*arrays) -> (outputs, backward)`` of one call, and the ``backward`` that it returned."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.backward: Any = None


@primitive
def _with_own_gradient(call: _Backward, *arrays: Array) -> Any:
    output, call.backward = call.function(*arrays)
    return tuple(output) if isinstance(output, list) else output


def _pull_back(argnums: tuple, ans: Any, arguments: tuple, keywords: dict) -> Any:
    call, *arrays = arguments
    # A gradient of the gradient has to see what ``backward`` computes from the arguments.
    nested = any(isinstance(x, Box) for x in arrays)
    pull = call.function(*arrays)[1] if nested else call.backward

    def run(g: Any) -> Any:
        gradients = pull(*g) if isinstance(g, tuple) else pull(g)
        gradients = gradients if isinstance(gradients, tuple | list) else (gradients,)
        return tuple(gradients[n - 1] for n in argnums)

    return run


defvjp_argnums(_with_own_gradient, _pull_back)


@primitive
def _recomputed(function: Any, *arguments: Any, **keywords: Any) -> Any:
    return function(*arguments, **keywords)


defvjp_argnum(
    _recomputed,
    lambda n, ans, arguments, keywords: make_vjp(arguments[0], n - 1)(*arguments[1:], **keywords)[0],
)


def _windows(x: np.ndarray, window: tuple, strides: tuple, dilation: tuple) -> np.ndarray:
    """Return a view (batch, *positions, channels, *window) of a (batch, *spatial, channels) array."""
    axes = tuple(range(1, 1 + len(window)))
    covered = tuple(map(window_geometry.spread, window, dilation))
    view = np.lib.stride_tricks.sliding_window_view(x, covered, axes)
    starts = tuple(slice(None, None, s) for s in strides)
    return view[(slice(None), *starts, slice(None), *(slice(None, None, d) for d in dilation))]


@primitive
@as_one
def _columns(x: np.ndarray, window: tuple, strides: tuple, dilation: tuple) -> np.ndarray:
    """Copy every window into a row, of shape (batch, *positions, prod(window) * channels)."""
    view = _windows(x, window, strides, dilation)
    rank = len(window)
    order = (*range(rank + 1), *range(rank + 2, 2 * rank + 2), rank + 1)
    view = view.transpose(order)
    return view.reshape(*view.shape[: rank + 1], math.prod(view.shape[rank + 1 :]))


def _columns_vjp(ans: Any, x: Any, window: tuple, strides: tuple, dilation: tuple) -> Any:
    shape = x.shape
    return lambda g: _add_columns(g, shape, window, strides, dilation)


@primitive
@as_one
def _add_columns(g: np.ndarray, shape: tuple, window: tuple, strides: tuple, dilation: tuple) -> np.ndarray:
    """Add every row back to the entries from which its window was copied."""
    result = np.zeros(shape, g.dtype)
    rank = len(window)
    g = g.reshape(*g.shape[: rank + 1], *window, shape[-1])
    for offset in np.ndindex(*window):
        index = [slice(None)]
        for shift, count, stride, step in zip(offset, g.shape[1:], strides, dilation, strict=False):
            start = shift * step
            index.append(slice(start, start + (count - 1) * stride + 1, stride))
        result[tuple(index)] += g[(slice(None),) * (rank + 1) + offset]
    return result


defvjp(_columns, _columns_vjp, None, None, None)
defvjp(
    _add_columns,
    lambda ans, g, shape, window, strides, dilation: lambda v: _columns(v, window, strides, dilation),
    None,
    None,
    None,
    None,
)


class NumpyBackend(Backend):
    """The contract's interface on NumPy."""

    name = "numpy"
    captures = True

    # ---------------------------------------------------------------- arrays

    def array(self, x: object, dtype: str | None = None) -> Array:
        if isinstance(x, Box):
            return x if dtype is None else self.cast(x, dtype)
        return self.host_array(x, dtype)

    def to_numpy(self, x: Array) -> np.ndarray:
        refuse_recording("a value as NumPy array")
        return np.asarray(_value(x))

    def is_array(self, x: object) -> bool:
        return isinstance(x, np.ndarray | Box | np.generic)

    def shape(self, x: Array) -> tuple:
        return x.shape

    def dtype(self, x: Array) -> str:
        return _NAMES.get(x.dtype) or x.dtype.name

    def cast(self, x: Array, dtype: str) -> Array:
        target = dtypes.numpy_dtype(dtype)
        if x.dtype == target:
            return x
        if target.kind in "iub" and isinstance(x, Box):
            x = _value(x)
        with np.errstate(all="ignore"):
            return x.astype(target)

    def bitcast(self, x: Array, dtype: str) -> Array:
        return _value(x).view(dtypes.numpy_dtype(dtype))

    def copy(self, x: Array) -> Array:
        return x * 1 if isinstance(x, Box) else x.copy()

    def concrete(self, x: Array) -> Any:
        return x.item() if isinstance(x, np.ndarray | np.generic) and not is_recording() else x

    def full(self, shape: tuple, value: Any, dtype: str) -> Array:
        if isinstance(value, Box):
            return anp.full(shape, value, dtypes.numpy_dtype(dtype))
        return np.full(shape, value, dtypes.numpy_dtype(dtype))

    def arange(self, start: float, stop: Any, step: float, dtype: str) -> Array:
        return np.arange(start, stop, step).astype(dtypes.numpy_dtype(dtype))

    # ------------------------------------------------------------ elementwise

    negative = _method(operator.neg)
    absolute = _method(anp.abs)
    sign = _method(anp.sign)
    exp = _method(anp.exp, quiet=True)
    expm1 = _method(anp.expm1, quiet=True)
    log = _method(anp.log, quiet=True)
    log1p = _method(anp.log1p, quiet=True)
    sqrt = _method(anp.sqrt, quiet=True)
    sin = _method(anp.sin, quiet=True)
    cos = _method(anp.cos, quiet=True)
    tan = _method(anp.tan, quiet=True)
    arcsin = _method(anp.arcsin, quiet=True)
    arccos = _method(anp.arccos, quiet=True)
    arctan = _method(anp.arctan)
    sinh = _method(anp.sinh, quiet=True)
    cosh = _method(anp.cosh, quiet=True)
    tanh = _method(anp.tanh)
    arcsinh = _method(anp.arcsinh)
    arccosh = _method(anp.arccosh, quiet=True)
    arctanh = _method(anp.arctanh, quiet=True)
    erf = _method(_erf, quiet=True)
    erfinv = _method(_erfinv, quiet=True)
    lgamma = _method(_lgamma, quiet=True)
    digamma = _method(_digamma, quiet=True)
    floor = _method(anp.floor)
    ceil = _method(anp.ceil)
    round = _method(anp.rint)
    isfinite = _method(anp.isfinite)
    isnan = _method(anp.isnan)
    logical_not = _method(anp.logical_not)
    bitwise_not = _method(np.invert)

    add = _binary(operator.add)
    subtract = _binary(operator.sub)
    multiply = _binary(operator.mul)
    divide = _binary(operator.truediv)
    floor_divide = _binary(np.floor_divide)
    mod = _binary(operator.mod)
    power = _binary(operator.pow)
    maximum = _binary(anp.maximum)
    minimum = _binary(anp.minimum)
    arctan2 = _binary(anp.arctan2)
    equal = _method(anp.equal, quiet=True)
    not_equal = _method(anp.not_equal, quiet=True)
    less = _method(anp.less, quiet=True)
    less_equal = _method(anp.less_equal, quiet=True)
    greater = _method(anp.greater, quiet=True)
    greater_equal = _method(anp.greater_equal, quiet=True)
    logical_and = _method(anp.logical_and)
    logical_or = _method(anp.logical_or)
    bitwise_and = _method(np.bitwise_and)
    bitwise_or = _method(np.bitwise_or)
    bitwise_xor = _method(np.bitwise_xor)
    left_shift = _method(np.left_shift)
    right_shift = _method(np.right_shift)

    def where(self, condition: Array, x: Array, y: Array, /) -> Array:
        if not self.is_array(x):
            x = np.array(x, y.dtype)
        elif not self.is_array(y):
            y = np.array(y, x.dtype)
        return _where(_value(condition), x, y)

    # -------------------------------------------------------------- reductions

    @_quiet
    def sum(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        if x.dtype.kind in "iu":
            return np.sum(_value(x), axes, x.dtype, keepdims=keepdims)
        return _single_sum(self, x, axes, keepdims)

    @_quiet
    @in_single_precision
    def prod(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        rank = x.ndim
        axes = tuple(range(rank)) if axes is None else tuple(a % rank for a in axes)
        kept = tuple(a for a in range(rank) if a not in axes)
        sizes = tuple(x.shape[a] for a in kept)
        flat = anp.reshape(anp.transpose(x, (*kept, *axes)), (*sizes, math.prod(x.shape[a] for a in axes)))
        flat = self._halve_product(flat, sizes)
        shape = tuple(1 if a in axes else x.shape[a] for a in range(rank)) if keepdims else sizes
        return anp.reshape(flat, shape)

    def _halve_product(self, x: Array, sizes: tuple) -> Array:
        """Multiply pairs until one factor is left: unlike np.prod's, this gradient is correct at zeros."""
        if x.shape[-1] == 0:
            return np.ones(sizes, x.dtype)
        while x.shape[-1] > 1:
            half = x.shape[-1] // 2
            product = x[..., :half] * x[..., half : 2 * half]
            rest = x[..., 2 * half :]
            x = anp.concatenate([product, rest], -1) if rest.shape[-1] else product
        return anp.reshape(x, sizes)

    @_quiet
    def max(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return anp.max(x, axis=axes, keepdims=keepdims)

    @_quiet
    def min(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return anp.min(x, axis=axes, keepdims=keepdims)

    def any(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return np.any(_value(x), axes, keepdims=keepdims)

    def all(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        return np.all(_value(x), axes, keepdims=keepdims)

    def argmax(self, x: Array, axis: int) -> Array:
        return np.argmax(_value(x), axis).astype(np.int32)

    def argmin(self, x: Array, axis: int) -> Array:
        return np.argmin(_value(x), axis).astype(np.int32)

    @in_single_precision
    def cumsum(self, x: Array, axis: int) -> Array:
        return anp.cumsum(x, axis) if isinstance(x, Box) else np.cumsum(x, axis, x.dtype)

    @in_single_precision
    def cumprod(self, x: Array, axis: int) -> Array:
        if not isinstance(x, Box):
            return np.cumprod(x, axis, x.dtype)
        before = (slice(None),) * (axis % x.ndim)
        running = [x[(*before, slice(0, 1))]]
        for index in range(1, x.shape[axis]):
            running.append(running[-1] * x[(*before, slice(index, index + 1))])
        return anp.concatenate(running, axis)

    def sort(self, x: Array, axis: int) -> Array:
        return self.take_along_axis(x, self.argsort(x, axis), axis)

    def argsort(self, x: Array, axis: int) -> Array:
        x = _value(x)
        # ml_dtypes does not sort NaN last.
        x = x.astype(np.float32) if x.dtype == _BFLOAT16 else x
        return np.argsort(x, axis, kind="stable").astype(np.int32)

    # ---------------------------------------------------------- linear algebra

    matmul = _in_single_precision(anp.matmul)
    einsum = _in_single_precision(lambda subscripts, *operands: anp.einsum(*_diagonals(subscripts, operands)))
    cholesky = _in_single_precision(anp.linalg.cholesky)
    inv = _in_single_precision(anp.linalg.inv)
    det = _in_single_precision(anp.linalg.det)

    def solve(self, a: Array, b: Array) -> Array:
        # autograd requires equal batch shapes.
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return self._solve(*(_broadcast_to(m, batch + m.shape[-2:]) for m in (a, b)))

    _solve = _in_single_precision(anp.linalg.solve)

    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        return self.solve(anp.tril(a) if lower else anp.triu(a), b)

    def qr(self, x: Array, mode: str = "reduced") -> tuple[Array, Array]:
        return self._qr(_value(x), mode)

    def svd(self, x: Array, full_matrices: bool = True) -> tuple[Array, Array, Array]:
        return self._svd(x, full_matrices)

    eigh = _in_single_precision(lambda x: tuple(anp.linalg.eigh(x)))
    real = _method(anp.real)
    imag = _method(anp.imag)

    def eig(self, x: Array, /) -> tuple[Array, Array]:
        values, vectors = np.linalg.eig(_value(x))
        dtype = dtypes.numpy_dtype(dtypes.promote(self.dtype(x), "complex64"))
        return values.astype(dtype), vectors.astype(dtype)

    def complex(self, real: Array, imag: Array, /) -> Array:
        return anp.add(real, anp.multiply(imag, 1j))

    _qr = _in_single_precision(lambda x, mode: tuple(np.linalg.qr(x, mode)))
    _svd = _in_single_precision(lambda x, full: tuple(anp.linalg.svd(x, full_matrices=full)))

    # ---------------------------------------------------------------- movement

    reshape = _method(anp.reshape)
    transpose = _method(anp.transpose)
    broadcast_to = _method(_broadcast_to)

    def concatenate(self, arrays: Any, axis: int) -> Array:
        return anp.concatenate(list(arrays), axis)

    def getitem(self, x: Array, index: tuple) -> Array:
        return x[index]

    def pad(self, x: Array, widths: Any, value: float = 0) -> Array:
        widths = [tuple(pair) for pair in widths]
        if isinstance(x, Box):
            return anp.pad(x, widths, "constant", constant_values=value)
        return np.pad(x, widths, constant_values=value)

    def flip(self, x: Array, axes: tuple) -> Array:
        # autograd has no gradient for np.flip.
        flipped = {axis % x.ndim for axis in axes}
        return x[tuple(slice(None, None, -1 if axis in flipped else None) for axis in range(x.ndim))]

    def take(self, x: Array, indices: Array, axis: int) -> Array:
        return _gather(x, (slice(None),) * (axis % x.ndim) + (_value(indices),))

    def take_along_axis(self, x: Array, indices: Array, axis: int) -> Array:
        indices = _value(indices)
        index = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
        index[axis] = indices
        return _gather(x, tuple(index))

    def scatter_add(self, x: Array, indices: Array, updates: Array) -> Array:
        return _scatter_add(x, _columns_of(_value(indices)), updates)

    def scatter_set(self, x: Array, indices: Array, updates: Array) -> Array:
        return _scatter_set(x, _columns_of(_value(indices)), updates)

    def _clamped(self, shape: tuple, start: Any, sizes: tuple) -> tuple:
        columns = zip(start, shape, sizes, strict=True)
        return tuple(int(np.clip(_value(s), 0, n - size)) for s, n, size in columns)

    def dynamic_slice(self, x: Array, start: Any, sizes: tuple) -> Array:
        start = self._clamped(x.shape, start, sizes)
        return x[tuple(slice(s, s + n) for s, n in zip(start, sizes, strict=True))]

    def dynamic_update(self, x: Array, update: Array, start: Any) -> Array:
        start = self._clamped(x.shape, start, update.shape)
        columns = zip(start, x.shape, update.shape, strict=True)
        widths = [(s, n - s - size) for s, n, size in columns]
        inside = np.pad(np.ones(update.shape, bool), widths)
        return anp.where(inside, self.pad(update, widths), x)

    # ----------------------------------------------------------------- control

    def scan(self, step: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        leaves = trees.leaves(xs)
        length = len(leaves[0]) if leaves else length or 0
        order = range(length - 1, -1, -1) if reverse else range(length)
        ys = []
        for index in order:
            carry, y = step(carry, trees.map(lambda a: a[index], xs))  # noqa: B023
            ys.append(y)
        ys = ys[::-1] if reverse else ys
        return carry, trees.map(lambda *values: anp.stack(values), *ys) if ys else None

    def cond(self, predicate: Array, on_true: Any, on_false: Any) -> Any:
        return on_true() if _value(predicate) else on_false()

    def while_loop(self, condition: Any, body: Any, values: tuple) -> tuple:
        while _value(condition(*values)):
            values = tuple(body(*values))
        return values

    # -------------------------------------------------------------- transforms

    def value_and_grad(self, function: Any, arrays: list) -> tuple:
        with _gradient_lock, np.errstate(all="ignore"), trace_stack.new_trace() as trace:
            nodes = [VJPNode.new_root() for _ in arrays]
            boxes = [new_box(x, trace, n) for x, n in zip(arrays, nodes, strict=True)]
            value, aux = function(boxes)
            gradients = self._pull_back(value, nodes, arrays, trace)
            aux = trees.map(lambda x: x._value if _is_box_of(x, trace) else x, aux)
        return (value._value if _is_box_of(value, trace) else value, aux), gradients

    def _pull_back(self, value: Any, nodes: list, arrays: list, trace: int) -> list:
        wanted = {id(node) for node in nodes}
        found = {}
        if _is_box_of(value, trace):
            pending = {value._node: (anp.ones(value.shape, value.dtype), False)}
            for node in toposort(value._node):
                gradient = pending.pop(node)
                if id(node) in wanted:
                    found[id(node)] = gradient[0]
                for parent, part in zip(node.parents, node.vjp(gradient[0]), strict=True):
                    pending[parent] = add_outgrads(pending.get(parent), part)
        return [
            self.cast(found[id(n)], x.dtype.name) if id(n) in found else np.zeros_like(_value(x))
            for n, x in zip(nodes, arrays, strict=True)
        ]

    def stop_gradient(self, x: Array) -> Array:
        return _value(x)

    def custom_gradient(self, function: Any) -> Any:
        return lambda *arrays: _with_own_gradient(_Backward(function), *arrays)

    def checkpoint(self, function: Any) -> Any:
        return functools.partial(_recomputed, function)

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return _quiet(function)

    # --------------------------------------------------------------- placement

    def devices(self) -> list[str]:
        return ["cpu:0"]

    def use_device(self, name: str) -> contextlib.AbstractContextManager:
        if name.split(":")[0].lower() != "cpu":
            raise ValueError(f"Expected one of the devices {self.devices()} of NumPy. Received: {name!r}.")
        return contextlib.nullcontext()

    def place(self, x: Array, device: str | None = None) -> Array:
        return x

    def version(self) -> str:
        return np.__version__

    # ----------------------------------------------------------------- kernels

    def conv(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        dilation: tuple,
        groups: int = 1,
        channels_last: bool = True,
    ) -> Array:
        # One matrix product over copied windows is 4 to 9 times as fast as a sum over offsets.
        if groups != 1 or not channels_last:
            return super().conv(x, kernel, strides, padding, dilation, groups, channels_last)
        window = kernel.shape[:-2]
        x = self._pad_spatial(x, window, strides, padding, dilation, 0)
        rows = _columns(x, window, strides, dilation)
        return self.matmul(rows, anp.reshape(kernel, (-1, kernel.shape[-1])))

    def random_bits(self, key: tuple, shape: tuple) -> Array:
        first, second = map(_word, key)
        bits = np.arange(math.prod(shape), dtype=np.uint32) ^ first
        self._mix_in_place(bits)
        bits += second
        self._mix_in_place(bits)
        return bits.view(np.int32).reshape(shape)

    def _mix_in_place(self, bits: np.ndarray) -> None:
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            bits ^= bits >> np.uint32(shift)
            bits *= np.uint32(factor)
        bits ^= bits >> np.uint32(16)


def _columns_of(indices: np.ndarray) -> tuple:
    """Return rows of indices as a tuple with an index array for each axis."""
    return tuple([indices[:, index] for index in range(indices.shape[-1])])


def _word(x: Any) -> Any:
    """Return one part of a random key as 32 bits."""
    x = _value(x)
    return np.uint32(x & 0xFFFFFFFF) if isinstance(x, int) else x.astype(np.uint32)


def _diagonals(subscripts: str, operands: tuple) -> tuple:
    """Take the diagonal where an operand repeats a letter, because autograd can't differentiate such an einsum."""
    inputs, arrow, output = subscripts.partition("->")
    terms, arrays = inputs.split(","), list(operands)
    for index, term in enumerate(terms):
        for letter in {c for c in term if c.isalpha() and term.count(c) > 1}:
            before, _, after = term.partition("...")
            first, second = (n if n < len(before) else n - len(term) for n, c in enumerate(term) if c == letter)
            axes = [a % arrays[index].ndim for a in (first, second)]
            kept = [a for a in range(arrays[index].ndim) if a not in axes]
            arrays[index] = anp.diagonal(anp.transpose(arrays[index], (*kept, *axes)), 0, -1, -2)
            term = terms[index] = term.replace(letter, "") + letter
    return ",".join(terms) + arrow + output, *arrays


def _is_box_of(x: Any, trace: int) -> bool:
    return isinstance(x, Box) and x._trace == trace


def _single_sum(backend: NumpyBackend, x: Array, axes: tuple | None, keepdims: bool) -> Array:
    dtype = x.dtype
    if dtype.itemsize > 2 or dtype.name not in _HALF:
        return anp.sum(x, axis=axes, keepdims=keepdims)
    return anp.sum(x.astype(np.float32), axis=axes, keepdims=keepdims).astype(dtype)


ADAPTER = NumpyBackend
