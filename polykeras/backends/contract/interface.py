"""The contract between polykeras and an engine: the primitives.

An adapter is a subclass of ``backend.Backend`` that implements the primitives below for its framework.
It may override any kernel of ``kernels.py`` by a native fast path with the same name
and signature. Each docstring is the specification; the conformance suite
(``polykeras.testing``) checks an adapter against it.

Terms used throughout:

* *array*: the framework's own array type, including tracers.
* *dtype*: a name, one of ``polykeras.core.dtypes.ALL``.
* *operand*: an array, or a Python scalar of a kind that the other operand's dtype can represent.
  At least one of two operands is an array, and two arrays have the same dtype: promotion
  happens before a primitive is called.
* *axis*: an int, negative counts from the end; *axes*: a tuple of them, or None for all.

Differentiable primitives have gradients with respect to every float array.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends.shared.structured import plainly
from polykeras.core import dtypes
from polykeras.core.types import Array, Function


def primitive(method: Function) -> Function:
    """Mark a method that every adapter must implement."""
    vars(method)["is_primitive"] = True
    return method


class Primitives:
    """What every adapter implements, and the properties of its engine."""

    name: str
    #: Whether this is shape inference: arrays are (shape, dtype) and have no values.
    is_symbolic = False
    #: Whether ``compile`` traces its function once per input shape; otherwise it runs the function eagerly.
    is_traced = False
    #: Whether arrays may have unknown sizes while a function is traced, None in their static shapes.
    traces_unknown_sizes = False
    #: Whether what ``compile`` returns may skip its function: everything that differs between calls must be passed.
    captures = False
    #: Whether the state of a donating call is no plain array: ``hold`` wraps an array, ``read`` unwraps it.
    holds_state = False
    #: Whether the engine's native programs use variables too: they read values through ``show``, and assign them
    #: through ``stored``. Steps of polykeras bypass both.
    shows = False
    #: Whether programs of the engine expect datasets of its own kind, such as ``tf.data``'s.
    has_datasets = False
    #: Whether there are arrays of strings.
    has_text = False
    #: Whether there are ragged arrays.
    has_ragged = False
    #: Whether ``spread`` lays arrays out over several devices.
    has_meshes = False
    #: The dtype in which the engine's random functions, and arithmetic on their seeds, take 32-bit words.
    seed_dtype = "uint32"

    # ---------------------------------------------------------------- arrays

    @primitive
    def array(self, x: object, dtype: str | None = None) -> Array:
        """Make an array from a scalar, nested list, NumPy array or own array, on the current device.

        Without ``dtype``, a NumPy or own array keeps its dtype, and Python scalars and lists of
        them get the dtype of ``host_array``. May share memory with ``x``.
        """

    def share(self, x: object, dtype: str | None = None) -> Array:
        """``array``, for data that nobody modifies while the result is in use: it may share the memory of x."""
        return self.array(x, dtype)

    def counts_in_python(self) -> bool:
        """Whether loops currently run eagerly, so that their functions may mix Python numbers with other dtypes."""
        return False

    def is_value(self, x: object) -> bool:
        """True for arrays with values, including NumPy's, while nothing is being traced."""
        return isinstance(x, np.ndarray) or self.is_array(x)

    def ambient_mode(self) -> str | None:
        """Return the name of an active mode that changes what operations do, such as autocast; None for none.

        Steps captured inside such a mode are invalid outside of it, and the other way round.
        """
        return None

    def is_tracing(self) -> bool:
        """True while the engine is building a graph from the operations of this thread."""
        return False

    def on_host(self, function: Any, arrays: list, results: list) -> list:
        """Return arrays of the graph being built that are computed at run time by a function of NumPy arrays.

        Args:
            function: returns a list of NumPy arrays.
            arrays: arrays of the graph, whose values are passed to the function.
            results: specs of the function's results; dtype ``"string"`` for strings.
        """
        raise NotImplementedError(f"Expected an engine with graphs for data pipelines. Received: {self.name!r}.")

    def outside_trace(self) -> contextlib.AbstractContextManager:
        """Return a context that leaves the current trace: arrays made inside have values, and may be kept."""
        return contextlib.nullcontext()

    def over_shapes(self, function: Callable, shapes: list[tuple[tuple, str]]) -> None:
        """Call a function with a list of arrays of these shapes and dtypes, only for the shapes of its results.

        Engines that trace do so. By default the function runs on meaningless values; NumPy's random state is preserved.
        """
        generator = np.random.get_state()
        try:
            with np.errstate(all="ignore"):
                function([self.stand_in(shape, dtype) for shape, dtype in shapes])
        finally:
            np.random.set_state(generator)

    def stand_in(self, shape: tuple, dtype: str) -> Array:
        """Return an array of arbitrary values for ``over_shapes``: by default small and positive, zeros if integers."""
        if dtype in dtypes.INTEGERS:
            return self.array(np.zeros(shape, dtypes.numpy_dtype(dtype)))
        values = np.random.default_rng(0).uniform(0.01, 0.1, 997)
        return self.array(np.resize(values, shape).astype(dtypes.numpy_dtype(dtype)))

    def densified(self, x: Any) -> Any:
        """Return a sparse array of scipy or of the framework as a dense one, and anything else unchanged.

        Raises:
            ValueError: for a ragged array.
        """
        make = getattr(x, "toarray", None) or getattr(x, "todense", None)
        return x if make is None else make()

    def sizes(self, x: Array) -> tuple:
        """Return an array of integers, a vector or a single one, as sizes for shapes.

        Sizes that are known only when a graph runs are what ``shape`` returns for such sizes.
        """
        entries = [self.getitem(x, (index,)) for index in range(self.shape(x)[0])] if len(self.shape(x)) else [x]
        return tuple(map(self.concrete, entries))

    def structured(self, function: Callable, args: tuple, kwargs: dict) -> Any:
        """Compute an op that has sparse or ragged arguments, or that is asked for a sparse result.

        By default its arguments and its result are dense.

        Args:
            function: the op; its name decides whether the result is sparse.
            args, kwargs: its arguments.
        """
        from polykeras.backends import densified  # of all engines: the array may be another one's

        return plainly(function, args, kwargs, lambda x: densified(self.densified(x)))

    def as_structured(self, x: Any) -> Any:
        """Return a sparse array of any library as one of this engine, if it has such arrays; None for anything else."""
        return None

    def layout(self, x: Any) -> str:
        """Return "sparse" or "ragged", for an array for which ``as_structured`` does not return None."""
        raise NotImplementedError(f"Expected an engine with sparse arrays. Received: {self.name!r}.")

    def in_layout(self, x: Array, layout: str) -> Any:
        """Return a dense array as a sparse or ragged one; unchanged on an engine that has none."""
        return x

    def as_rows(self, x: Any) -> Any:
        """Return such an array as an object with ``shape``, ``dtype``, and rows by slices or arrays of indices."""
        raise NotImplementedError(f"Expected an engine with sparse arrays. Received: {self.name!r}.")

    def on_entries(self, function: Callable, x: Any) -> Any:
        """Return an array with the layout of x, whose entries are ``function(entries)``; both are vectors."""
        raise NotImplementedError(f"Expected an engine with sparse arrays. Received: {self.name!r}.")

    def ragged(self, values: np.ndarray, lengths: Sequence[int]) -> Any:
        """Return a ragged array of rows of these lengths, from the values of all rows."""
        raise NotImplementedError(f"Expected an engine with ragged arrays. Received: {self.name!r}.")

    def on_rows(self, function: Callable, gradient: Any, arrays: Sequence[Any]) -> Any:
        """Return ``function(gradient, *arrays)``, computed for the rows alone of a gradient that consists of rows."""
        return function(gradient, *arrays)

    def add_rows(self, x: Array, rows: Any) -> Array:
        """Return x plus an array that consists of rows; x may be updated in place."""
        raise NotImplementedError(f"Expected an engine with sparse arrays. Received: {self.name!r}.")

    def value_and_row_grad(self, function: Callable, arrays: list) -> tuple:
        """Do what ``value_and_grad`` does; a gradient may be one that consists of rows of zeros and a few others."""
        return self.value_and_grad(function, arrays)

    def filled_up(self, x: Any) -> tuple[Any, Any]:
        """Return a ragged array of the framework as (dense array, mask of its entries); anything else with None."""
        return x, None

    def feed(self, x: object) -> object:
        """Return an input of a compiled call: an array, or something that the call converts faster."""
        return self.array(x)

    def host_array(self, x: object, dtype: str | None = None) -> np.ndarray:
        """Make a NumPy array from anything but the framework's own arrays: the first step of ``array``.

        Without ``dtype``, Python numbers and lists of them become "bool", "int32" or ``floatx()``.
        """
        if dtype is not None:
            return np.asarray(x, dtypes.numpy_dtype(dtype))
        result = np.asarray(x)
        if isinstance(x, int | float | list | tuple) and not isinstance(x, np.generic):
            name = {"int64": "int32", "float64": config.floatx()}.get(result.dtype.name)
            return result if name is None else np.asarray(x, dtypes.numpy_dtype(name))
        return result if result.dtype.isnative else result.astype(result.dtype.newbyteorder())

    @primitive
    def to_numpy(self, x: Array) -> Any:
        """Return the value as a NumPy array (bfloat16 through ml_dtypes); may share memory."""

    @primitive
    def is_array(self, x: object) -> bool:
        """True for this framework's arrays, including tracers."""

    @primitive
    def shape(self, x: Array) -> tuple:
        """Return the shape as a tuple of ints; a size unknown during tracing is None, or a number equal to None."""

    @primitive
    def dtype(self, x: Array) -> str:
        """Return the name of the array's dtype."""

    @primitive
    def cast(self, x: Array, dtype: str) -> Array:
        """Convert values; float to integer truncates towards zero, anything to bool is ``!= 0``.

        Returns ``x`` itself if it has that dtype.
        """

    @primitive
    def bitcast(self, x: Array, dtype: str) -> Array:
        """Reinterpret the bits as another dtype of the same width."""

    @primitive
    def copy(self, x: Array) -> Array:
        """Return an array with the same values and its own memory."""

    @primitive
    def concrete(self, x: Array) -> Any:
        """Return a 0-d array as a Python number if its value is known, otherwise ``x`` itself.

        Keeps scalar bookkeeping (step counts, learning rates, keys) off an eager engine.
        """

    @primitive
    def full(self, shape: tuple, value: Any, dtype: str) -> Array:
        """Return an array filled with a scalar, a Python number or a 0-d array."""

    @primitive
    def arange(self, start: float, stop: float | None, step: float, dtype: str) -> Array:
        """Return ``start, start + step, ...`` below ``stop``, which is None only if a size is unknown."""

    # ------------------------------------------------- elementwise, one array

    @primitive
    def negative(self, x: Array, /) -> Array:
        """Return -x."""

    @primitive
    def absolute(self, x: Array, /) -> Array:
        """Return |x|; the gradient at 0 is 0."""

    @primitive
    def sign(self, x: Array, /) -> Array:
        """Return -1, 0 or 1; NaN stays NaN. Unsigned integers give 0 or 1."""

    @primitive
    def exp(self, x: Array, /) -> Array:
        """Return e**x. Only for float arrays, like all functions down to ``erfinv``."""

    @primitive
    def expm1(self, x: Array, /) -> Array:
        """Return e**x - 1, accurate near 0."""

    @primitive
    def log(self, x: Array, /) -> Array:
        """Return the natural logarithm: -inf at 0, NaN below 0."""

    @primitive
    def log1p(self, x: Array, /) -> Array:
        """Return log(1 + x), accurate near 0."""

    @primitive
    def sqrt(self, x: Array, /) -> Array:
        """Return the square root; NaN below 0."""

    @primitive
    def sin(self, x: Array, /) -> Array:
        """Return the sine of radians."""

    @primitive
    def cos(self, x: Array, /) -> Array:
        """Return the cosine of radians."""

    @primitive
    def tan(self, x: Array, /) -> Array:
        """Return the tangent of radians."""

    @primitive
    def arcsin(self, x: Array, /) -> Array:
        """Return the inverse sine in radians."""

    @primitive
    def arccos(self, x: Array, /) -> Array:
        """Return the inverse cosine in radians."""

    @primitive
    def arctan(self, x: Array, /) -> Array:
        """Return the inverse tangent in radians."""

    @primitive
    def sinh(self, x: Array, /) -> Array:
        """Return the hyperbolic sine."""

    @primitive
    def cosh(self, x: Array, /) -> Array:
        """Return the hyperbolic cosine."""

    @primitive
    def tanh(self, x: Array, /) -> Array:
        """Return the hyperbolic tangent."""

    @primitive
    def arcsinh(self, x: Array, /) -> Array:
        """Return the inverse hyperbolic sine."""

    @primitive
    def arccosh(self, x: Array, /) -> Array:
        """Return the inverse hyperbolic cosine."""

    @primitive
    def arctanh(self, x: Array, /) -> Array:
        """Return the inverse hyperbolic tangent."""

    @primitive
    def erf(self, x: Array, /) -> Array:
        """Return the error function."""

    @primitive
    def erfinv(self, x: Array, /) -> Array:
        """Return the inverse of the error function."""

    @primitive
    def lgamma(self, x: Array, /) -> Array:
        """Return log |gamma(x)|."""

    @primitive
    def digamma(self, x: Array, /) -> Array:
        """Return the derivative of ``lgamma``."""

    @primitive
    def floor(self, x: Array, /) -> Array:
        """Round float values down."""

    @primitive
    def ceil(self, x: Array, /) -> Array:
        """Round float values up."""

    @primitive
    def round(self, x: Array, /) -> Array:
        """Round float values to the nearest integer, halves to even."""

    @primitive
    def isfinite(self, x: Array, /) -> Array:
        """True where neither NaN nor infinite (always True for integers)."""

    @primitive
    def isnan(self, x: Array, /) -> Array:
        """True where NaN (always False for integers)."""

    @primitive
    def logical_not(self, x: Array, /) -> Array:
        """Invert a bool array."""

    @primitive
    def bitwise_not(self, x: Array, /) -> Array:
        """Invert every bit of an integer or bool array."""

    # ------------------------------------------------ elementwise, two operands

    @primitive
    def add(self, x: Array, y: Array, /) -> Array:
        """Return x + y with NumPy broadcasting; integers wrap around, bools give ``or``."""

    @primitive
    def subtract(self, x: Array, y: Array, /) -> Array:
        """Return x - y; integers wrap around."""

    @primitive
    def multiply(self, x: Array, y: Array, /) -> Array:
        """Return x * y; integers wrap around, bools give ``and``."""

    @primitive
    def divide(self, x: Array, y: Array, /) -> Array:
        """Return x / y of floats: division by 0 gives an infinity or NaN, not an error."""

    @primitive
    def floor_divide(self, x: Array, y: Array, /) -> Array:
        """Return the floor of x / y. Integer division by 0 is undefined."""

    @primitive
    def mod(self, x: Array, y: Array, /) -> Array:
        """Return the remainder, which has the sign of y."""

    @primitive
    def power(self, x: Array, y: Array, /) -> Array:
        """Return x to the power y; 0**0 is 1, and a negative base with a fractional exponent gives NaN."""

    @primitive
    def maximum(self, x: Array, y: Array, /) -> Array:
        """Return the larger value; NaN propagates."""

    @primitive
    def minimum(self, x: Array, y: Array, /) -> Array:
        """Return the smaller value; NaN propagates."""

    @primitive
    def arctan2(self, x: Array, y: Array, /) -> Array:
        """Return the angle in radians of the point (y, x)."""

    @primitive
    def equal(self, x: Array, y: Array, /) -> Array:
        """Return x == y as bool."""

    @primitive
    def not_equal(self, x: Array, y: Array, /) -> Array:
        """Return x != y as bool."""

    @primitive
    def less(self, x: Array, y: Array, /) -> Array:
        """Return x < y as bool."""

    @primitive
    def less_equal(self, x: Array, y: Array, /) -> Array:
        """Return x <= y as bool."""

    @primitive
    def greater(self, x: Array, y: Array, /) -> Array:
        """Return x > y as bool."""

    @primitive
    def greater_equal(self, x: Array, y: Array, /) -> Array:
        """Return x >= y as bool."""

    @primitive
    def logical_and(self, x: Array, y: Array, /) -> Array:
        """Return x and y of bool arrays."""

    @primitive
    def logical_or(self, x: Array, y: Array, /) -> Array:
        """Return x or y of bool arrays."""

    @primitive
    def bitwise_and(self, x: Array, y: Array, /) -> Array:
        """Return the bits set in both, of integers or bools."""

    @primitive
    def bitwise_or(self, x: Array, y: Array, /) -> Array:
        """Return the bits set in either."""

    @primitive
    def bitwise_xor(self, x: Array, y: Array, /) -> Array:
        """Return the bits set in exactly one of the two."""

    @primitive
    def left_shift(self, x: Array, y: Array, /) -> Array:
        """Shift bits left by y, which is at least 0 and less than the bit width."""

    @primitive
    def right_shift(self, x: Array, y: Array, /) -> Array:
        """Shift bits right by y; the sign bit of a signed integer is replicated."""

    @primitive
    def where(self, condition: Array, x: Array, y: Array, /) -> Array:
        """Return x where the bool condition is True, otherwise y; all three broadcast."""

    # -------------------------------------------------------------- reductions

    @primitive
    def sum(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return the sum in x's dtype (never bool). An empty sum is 0."""

    @primitive
    def prod(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return the product in x's dtype. An empty product is 1."""

    @primitive
    def max(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return the maximum; NaN propagates; tied values share the gradient equally."""

    @primitive
    def min(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return the minimum; NaN propagates; tied values share the gradient equally."""

    @primitive
    def any(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """True if any value of a bool array is True."""

    @primitive
    def all(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """True if every value of a bool array is True."""

    @primitive
    def argmax(self, x: Array, axis: int) -> Array:
        """Return the int32 index of the first maximum along an axis."""

    @primitive
    def argmin(self, x: Array, axis: int) -> Array:
        """Return the int32 index of the first minimum along an axis."""

    @primitive
    def cumsum(self, x: Array, axis: int) -> Array:
        """Return cumulative sums along an axis, in x's dtype."""

    @primitive
    def cumprod(self, x: Array, axis: int) -> Array:
        """Return cumulative products along an axis, in x's dtype."""

    @primitive
    def sort(self, x: Array, axis: int) -> Array:
        """Sort in ascending order along an axis; NaN comes last."""

    @primitive
    def argsort(self, x: Array, axis: int) -> Array:
        """Return the int32 indices of a stable ascending sort along an axis."""

    # ---------------------------------------------------------- linear algebra

    @primitive
    def matmul(self, x: Array, y: Array, /) -> Array:
        """Multiply matrices like ``numpy.matmul``: batch axes broadcast, vectors are allowed."""

    @primitive
    def einsum(self, subscripts: str, *operands: Array) -> Array:
        """Evaluate an Einstein summation like ``numpy.einsum``, for lower-case letters, ``...`` and ``->``."""

    @primitive
    def cholesky(self, x: Array) -> Array:
        """Return the lower Cholesky factors of symmetric positive definite matrices."""

    @primitive
    def solve(self, a: Array, b: Array) -> Array:
        """Return x with ``a @ x == b``, for b of shape (..., n, k)."""

    @primitive
    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        """Return x with ``a @ x == b``, for triangular a and b of shape (..., n, k)."""

    @primitive
    def inv(self, x: Array) -> Array:
        """Return the inverses of matrices."""

    @primitive
    def det(self, x: Array) -> Array:
        """Return the determinants of matrices."""

    @primitive
    def qr(self, x: Array, mode: str = "reduced") -> tuple[Array, Array]:
        """Return (q, r); ``mode`` is "reduced" or "complete". Signs depend on the engine."""

    @primitive
    def svd(self, x: Array, full_matrices: bool = True) -> tuple[Array, Array, Array]:
        """Return (u, s, vh), with singular values in descending order."""

    @primitive
    def eigh(self, x: Array) -> tuple[Array, Array]:
        """Return (eigenvalues in ascending order, eigenvectors) of symmetric matrices."""

    @primitive
    def eig(self, x: Array, /) -> tuple[Array, Array]:
        """Return (eigenvalues, eigenvectors of length 1) of square matrices: complex, in arbitrary order."""

    # --------------------------------------------------------- complex numbers

    @primitive
    def complex(self, real: Array, imag: Array, /) -> Array:
        """Return complex numbers from float32 (complex64) or float64 (complex128) parts of the same shape."""

    @primitive
    def real(self, x: Array, /) -> Array:
        """Return the real parts of complex numbers."""

    @primitive
    def imag(self, x: Array, /) -> Array:
        """Return the imaginary parts of complex numbers."""

    # ---------------------------------------------------------------- movement

    @primitive
    def reshape(self, x: Array, shape: tuple) -> Array:
        """Return the same values in another shape; one size may be -1."""

    @primitive
    def transpose(self, x: Array, axes: tuple) -> Array:
        """Permute all axes."""

    @primitive
    def broadcast_to(self, x: Array, shape: tuple) -> Array:
        """Repeat along new axes and axes of size 1."""

    @primitive
    def concatenate(self, arrays: Sequence[Array], axis: int) -> Array:
        """Join arrays of the same dtype along an axis."""

    @primitive
    def getitem(self, x: Array, index: tuple) -> Array:
        """Index by a tuple of ints, None, Ellipsis, and slices of Python ints (with any step but 0)."""

    @primitive
    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0) -> Array:
        """Pad axis i with ``widths[i] = (before, after)`` entries of a constant."""

    @primitive
    def flip(self, x: Array, axes: tuple) -> Array:
        """Reverse the order of entries along axes."""

    @primitive
    def take(self, x: Array, indices: Array, axis: int) -> Array:
        """Gather entries along an axis by an integer array of any shape.

        Indices are in ``[0, size)``; others raise an error or are undefined, so layers check them.
        """

    @primitive
    def take_along_axis(self, x: Array, indices: Array, axis: int) -> Array:
        """Gather entries along an axis, with an index for each position along the other axes."""

    @primitive
    def scatter_add(self, x: Array, indices: Array, updates: Array) -> Array:
        """Return x with ``updates`` added at ``indices``, of shape (n, k) for k leading axes.

        ``updates`` has the shape ``(n, *x.shape[k:])``; repeated indices accumulate.
        """

    @primitive
    def scatter_set(self, x: Array, indices: Array, updates: Array) -> Array:
        """Like ``scatter_add``, but replace values; for repeated indices the result is undefined."""

    @primitive
    def dynamic_slice(self, x: Array, start: Sequence, sizes: tuple) -> Array:
        """Return a block of ``sizes`` at ``start``, ints or 0-d arrays, which is clamped to fit inside x."""

    @primitive
    def dynamic_update(self, x: Array, update: Array, start: Sequence) -> Array:
        """Return x with the block at ``start`` (clamped to fit) replaced by ``update``."""

    # ----------------------------------------------------------------- control

    @primitive
    def scan(self, step: Callable, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        """Run ``carry, y = step(carry, x)`` over the leading axis; return (carry, stacked ys).

        ``carry``, ``xs`` and ``y`` are trees of arrays (None is an empty tree); the carry keeps
        its shapes and dtypes. ``length`` is needed if ``xs`` contains no array. ``reverse`` runs
        from the last entry to the first; each y has the index of its x.
        """

    @primitive
    def cond(self, predicate: Array, on_true: Callable, on_false: Callable) -> Any:
        """Return the result (a tree) of one of two functions without arguments, chosen by a 0-d bool array."""

    @primitive
    def while_loop(self, condition: Callable, body: Callable, values: tuple) -> tuple:
        """Repeat ``values = body(*values)`` while ``condition(*values)``; shapes stay the same."""

    # -------------------------------------------------------------- transforms

    @primitive
    def value_and_grad(self, function: Callable, arrays: list[Array]) -> tuple:
        """Return ((value, aux), gradients) for ``value, aux = function(arrays)``.

        ``value`` is a 0-d float array. Each gradient has the shape and dtype of its array, with zeros
        where the value does not depend on it. ``aux`` is a tree, and carries no gradient.
        """

    @primitive
    def stop_gradient(self, x: Array) -> Array:
        """Return x, treated as a constant by differentiation."""

    @primitive
    def custom_gradient(self, function: Callable) -> Callable:
        """Wrap ``output, backward = function(*arrays)``; ``backward(g)`` returns the gradients of the arrays.

        ``output`` is an array or a tuple of arrays, with one argument of ``backward`` for each.
        """

    @primitive
    def checkpoint(self, function: Callable) -> Callable:
        """Wrap ``function(*arrays)``: its intermediate values are recomputed for the gradient."""

    @primitive
    def compile(self, function: Callable, donate: bool = False, optimize: bool | None = None) -> Callable:
        """Wrap ``state, result = function(state, *inputs)``, all of them trees, as one fast call.

        Args:
            function: a pure function: it reads nothing that changes, and assigns nothing.
            donate: whether the call consumes the arrays of ``state``, whose memory it may reuse.
            optimize: True requests the engine's optimizing compiler (XLA, Inductor), False a fast start; None leaves
                the choice to the adapter.

        Static leaves (Python scalars, strings) must not be among the inputs. The state that a
        donating call returns is meant for the next call; ``read`` returns its arrays.
        """

    def hold(self, x: Array, trainable: bool = False) -> Any:
        """Wrap an array as state of a donating call, which then need not copy it.

        Args:
            x: an array, or state already wrapped.
            trainable: whether the engine's own means will take gradients with respect to it.
        """
        return x

    def is_differentiating(self) -> bool:
        """Whether the surrounding program may take gradients of current computations by the engine's own means."""
        return False

    def show(self, variable: Any, value: Any) -> Array:
        """Return a variable's array for a program outside of steps, connected to the engine's gradients.

        Args:
            variable: has ``trainable``, and ``leaf`` for the engine's own tensor.
            value: the content of its slot.
        """
        return self.read(value)

    def follow(self, variable: Any) -> None:
        """Put the values into a variable's slot that a program has given to the engine's own tensor for it.

        Args:
            variable: has a ``leaf``.
        """

    def stored(self, variable: Any, array: Array) -> Any:
        """Return what to store in a variable's slot when a program outside of steps assigns an array.

        None for an array of a running transformation, which does not outlive it.
        """
        return array

    def join(self, cls: type) -> None:
        """Let the engine's own functions accept instances of a class as their own.

        The class is that of variables, that of objects with ``_named_parts()`` (their variables and other parts by
        name), or that of layers.
        """

    def is_own_variable(self, x: object) -> bool:
        """True for one of the engine's own variables, which may be the content of a variable's slot."""
        return False

    def share_variable(self, variable: Any, engine_variable: Any) -> None:
        """Make one of the engine's own variables the content of a variable's slot."""
        variable._value = variable.leaf = engine_variable

    def release(self, variable: Any) -> None:
        """Let the engine's own variable ``leaf`` of a variable take part in gradients or not, as ``trainable`` says."""

    def known_as(self, variable: Any, array: Array) -> Any:
        """Return what the engine's programs know a variable by: the engine's own variable, or the array in its slot.

        Args:
            variable: has ``leaf`` for the engine's own variable.
            array: what ``show`` returned.
        """
        return array

    def handle(self, variable: Any) -> Any:
        """Return the tensor by which the engine's gradient tapes identify a variable."""
        raise AttributeError(f"Expected a variable on an engine with gradient tapes. Received: one on {self.name!r}.")

    def native(self, function: Any, optimize: bool | None = None) -> Any:
        """Return a native step of the engine, a function of a batch, ready to run directly on variables.

        Raises:
            NotImplementedError: for an engine without native steps.
        """
        raise NotImplementedError(f"Expected an engine with native steps. Received: {self.name!r}.")

    def iterator_over(self, batch: Any) -> Any:
        """Return an iterator over one batch, a tree of arrays, which the engine's compiled functions may take."""
        return iter([batch])

    def read(self, content: Any) -> Array:
        """Return the array in a piece of state from a compiled call."""
        return content

    # --------------------------------------------------------------- placement

    @primitive
    def devices(self) -> list[str]:
        """Return the device names, such as ``["cpu:0", "cuda:0"]``; the default is the last."""

    @primitive
    def use_device(self, name: str) -> contextlib.AbstractContextManager:
        """Return a context in which new arrays are placed on a device ("cpu", "cuda:0", "gpu:0").

        Args:
            name: one of ``devices``, or only its kind.
        """

    @primitive
    def place(self, x: Array, device: str | None = None) -> Array:
        """Move an array to a device, by default the current one."""

    @primitive
    def version(self) -> str:
        """Return the framework's version."""

    # ---------------------------------------------------------- several devices

    # Optional: these are the methods of an engine that computes on one device. A *mesh* has ``shape``, ``axis_names``
    # and ``devices``, an array of device names; a *layout* has ``axes``, a name or None for each axis of an array, and
    # ``device_mesh``.

    def mesh_devices(self, kind: str | None = None) -> list[str]:
        """Return the names of the devices of a kind ("cpu", "gpu", "tpu") in all processes; by default the fastest."""
        names = [name if ":" in name else f"{name}:0" for name in self.devices()]
        names = [name.lower().replace("cuda", "gpu") for name in names]
        wanted = (kind or names[-1]).lower().partition(":")[0].replace("cuda", "gpu")
        return [name for name in names if name.startswith(f"{wanted}:")]

    def spread(self, x: object, layout: Any, dtype: str | None = None, is_part: bool = False) -> Array:
        """Return an array in a layout; it may share the memory of a NumPy array.

        Args:
            x: array or NumPy array.
            layout: a layout, or one of the engine's own.
            dtype: as for ``array``.
            is_part: whether ``x`` is this process's part of the array, if there are several processes.

        Raises:
            NotImplementedError: for several devices, if the engine computes on one.
        """
        mesh = getattr(layout, "device_mesh", None)
        if mesh is None or mesh.devices.size != 1:
            count = "no mesh" if mesh is None else f"a mesh of {mesh.devices.size} devices"
            raise NotImplementedError(
                f"Expected a distribution over one device, since the backend {self.name!r} computes on one. Received: "
                f"{count}. JAX computes on several: set KERAS_BACKEND=jax before polykeras is imported."
            )
        return self.share(x, dtype)

    def engine_mesh(self, mesh: Any) -> Any:
        """Return a mesh as an object of the engine; itself, if the engine has none."""
        return mesh

    def engine_layout(self, layout: Any) -> Any:
        """Return a layout as an object of the engine; itself, if the engine has none."""
        return layout

    def processes(self) -> tuple[int, int]:
        """Return the number of this process among those that compute together, and how many there are."""
        return 0, 1

    def join_processes(self, addresses: str | None, count: int | None, index: int | None, seed: int) -> int:
        """Join the other processes of a program, and return the seed of the first one.

        Args:
            addresses: host and port of each process, or of the first one, separated by commas; None to find them out.
            count, index: how many processes there are, and which one this is; None to find out.
            seed: int below 2**31, of this process.

        Raises:
            NotImplementedError: for several processes, if the engine computes in one.
        """
        if addresses or (count or 1) > 1:
            raise NotImplementedError(
                f"Expected one process on the backend {self.name!r}. Received: {count} processes at {addresses}. JAX "
                f"computes in several: set KERAS_BACKEND=jax before polykeras is imported."
            )
        return seed


def primitives() -> Iterator[str]:
    """Yield the names that every adapter must implement.

    >>> "matmul" in primitives()
    True
    """
    return (name for name, method in vars(Primitives).items() if hasattr(method, "is_primitive"))
