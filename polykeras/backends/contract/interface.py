"""The contract between polykeras and an engine: the primitives.

An adapter is a subclass of ``backend.Backend`` that implements the primitives below for its framework,
and is free to override any kernel of ``kernels.py`` with a native fast path of the same name
and signature. Each docstring is the specification; the conformance suite
(``polykeras.testing``) checks an adapter against it.

Words used throughout:

* *array*: the framework's own array type, also when it stands for a value being traced.
* *dtype*: a name, one of ``polykeras.core.dtypes.ALL``.
* *operand*: an array, or a Python scalar of a kind that the other operand's dtype can hold.
  At least one of two operands is an array, and arrays come with equal dtypes: promotion is
  done before a primitive is called.
* *axis*: an int, negative counts from the end; *axes*: a tuple of them, or None for all.

Differentiable primitives have gradients with respect to every float array.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from polykeras import config
from polykeras.core import dtypes
from polykeras.core.types import Array, Function


def primitive(method: Function) -> Function:
    """Mark a method that every adapter must implement."""
    vars(method)["is_primitive"] = True
    return method


class Primitives:
    """What every adapter implements, and what it may tell of its engine."""

    name: str
    #: Shape inference: arrays are (shape, dtype) and no value exists.
    is_symbolic = False
    #: ``compile`` traces its function once per input shape; else it runs it line by line.
    is_traced = False
    #: What ``compile`` returns may not run its function: all that differs between calls must be passed.
    captures = False
    #: State of a donating call is not of arrays: ``hold`` makes it of one, ``read`` gives it back.
    holds_state = False
    #: Programs in the engine's own way use variables too: what they read goes through ``show``, what is put there
    #: through ``stored``. Steps of polykeras go past both.
    shows = False
    #: Programs of the engine expect datasets of its own kind, such as ``tf.data``'s.
    has_datasets = False
    #: There are arrays of strings.
    has_text = False

    # ---------------------------------------------------------------- arrays

    @primitive
    def array(self, x: object, dtype: str | None = None) -> Array:
        """Make an array of a scalar, nested list, NumPy array or own array, on the device in use.

        Without ``dtype`` a NumPy or own array keeps its type, and Python scalars and lists of
        them have the type of ``host_array``. May share memory with ``x``.
        """

    def share(self, x: object, dtype: str | None = None) -> Array:
        """``array``, of what nobody changes while the result is in use: it may share the memory of x."""
        return self.array(x, dtype)

    def counts_in_python(self) -> bool:
        """Whether loops run their functions step by step now, which need Python's numbers to mix with other dtypes."""
        return False

    def is_value(self, x: object) -> bool:
        """True for arrays with values, where nothing is being traced; NumPy's included."""
        return isinstance(x, np.ndarray) or self.is_array(x)

    def ambient_mode(self) -> str | None:
        """Return the name of a mode around the call in which operations do more, or something else; None for none.

        What is captured outside of it can't stand for a call inside, nor the other way round.
        """
        return None

    def is_tracing(self) -> bool:
        """True while the engine makes a graph out of the operations of this thread."""
        return False

    def on_host(self, function: Any, arrays: list, results: list) -> list:
        """Return arrays of the graph that is being made, which a function of NumPy arrays computes when it runs.

        Args:
            function: returns a list of NumPy arrays.
            arrays: of the graph, which the function gets the values of.
            results: specs of what the function returns; of dtype ``"string"`` for texts.
        """
        raise NotImplementedError(f"Expected an engine with graphs of data. Received: {self.name!r}.")

    def outside_trace(self) -> contextlib.AbstractContextManager:
        """Return a context that leaves what is being traced: arrays made in it have values, and may be kept."""
        return contextlib.nullcontext()

    def over_shapes(self, function: Callable, shapes: list[tuple[tuple, str]]) -> None:
        """Call a function, for the shapes of its results, with a list of arrays of these shapes and dtypes.

        An engine that traces does so; here it runs on values of no meaning, and leaves NumPy's random numbers alone.
        """
        generator = np.random.get_state()
        try:
            with np.errstate(all="ignore"):
                function([self.stand_in(shape, dtype) for shape, dtype in shapes])
        finally:
            np.random.set_state(generator)

    def stand_in(self, shape: tuple, dtype: str) -> Array:
        """Return an array of any values, for ``over_shapes``: here small positive ones, zeros if integers."""
        if dtype in dtypes.INTEGERS:
            return self.array(np.zeros(shape, dtypes.numpy_dtype(dtype)))
        values = np.random.default_rng(0).uniform(0.01, 0.1, 997)
        return self.array(np.resize(values, shape).astype(dtypes.numpy_dtype(dtype)))

    def densified(self, x: Any) -> Any:
        """Return a sparse array, of scipy or of the framework, as a dense one, and anything else as it is.

        Raises:
            ValueError: for a ragged array.
        """
        make = getattr(x, "toarray", None) or getattr(x, "todense", None)
        return x if make is None else make()

    def filled_up(self, x: Any) -> tuple[Any, Any]:
        """Return a ragged array of the framework as (dense array, where its entries are); others with None."""
        return x, None

    def feed(self, x: object) -> object:
        """Return one input of a compiled call: an array, or what the call turns into one faster."""
        return self.array(x)

    def host_array(self, x: object, dtype: str | None = None) -> np.ndarray:
        """Make a NumPy array of anything but the framework's own arrays: the start of ``array``.

        Without ``dtype`` Python numbers, and lists of them, are "bool", "int32" or ``floatx()``.
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
        """Return the value as a NumPy array (bfloat16 by ml_dtypes); may share memory."""

    @primitive
    def is_array(self, x: object) -> bool:
        """True for this framework's arrays, traced ones included."""

    @primitive
    def shape(self, x: Array) -> tuple:
        """Return the shape as a tuple of ints; for a size unknown while tracing None, or a number equal to None."""

    @primitive
    def dtype(self, x: Array) -> str:
        """Return the name of the array's type."""

    @primitive
    def cast(self, x: Array, dtype: str) -> Array:
        """Convert values; floats to integers truncate towards zero, anything to bool is ``!= 0``.

        Returns ``x`` itself when it has that type.
        """

    @primitive
    def bitcast(self, x: Array, dtype: str) -> Array:
        """Read the same bits as another type of the same width."""

    @primitive
    def copy(self, x: Array) -> Array:
        """Return an array of the same values with memory of its own."""

    @primitive
    def concrete(self, x: Array) -> Any:
        """Return a 0-d array as a Python number where its value is known, otherwise ``x`` itself.

        Keeps scalar bookkeeping (step counts, learning rate, keys) off an eager engine.
        """

    @primitive
    def full(self, shape: tuple, value: Any, dtype: str) -> Array:
        """Return an array filled with one scalar, a Python number or a 0-d array."""

    @primitive
    def arange(self, start: float, stop: float | None, step: float, dtype: str) -> Array:
        """Return ``start, start + step, ...`` below ``stop``, which is None only where a size is unknown."""

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
        """Return e**x. Float arrays only, as for all functions down to ``erfinv``."""

    @primitive
    def expm1(self, x: Array, /) -> Array:
        """Return e**x - 1, exact near 0."""

    @primitive
    def log(self, x: Array, /) -> Array:
        """Return the natural logarithm: -inf at 0, NaN below."""

    @primitive
    def log1p(self, x: Array, /) -> Array:
        """Return log(1 + x), exact near 0."""

    @primitive
    def sqrt(self, x: Array, /) -> Array:
        """Return the square root, NaN below 0."""

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
        """True where neither NaN nor infinite (always, for integers)."""

    @primitive
    def isnan(self, x: Array, /) -> Array:
        """True where NaN (never, for integers)."""

    @primitive
    def logical_not(self, x: Array, /) -> Array:
        """Invert a bool array."""

    @primitive
    def bitwise_not(self, x: Array, /) -> Array:
        """Invert every bit of an integer or bool array."""

    # ------------------------------------------------ elementwise, two operands

    @primitive
    def add(self, x: Array, y: Array, /) -> Array:
        """Return x + y with NumPy broadcasting; integers wrap around, bools give or."""

    @primitive
    def subtract(self, x: Array, y: Array, /) -> Array:
        """Return x - y; integers wrap around."""

    @primitive
    def multiply(self, x: Array, y: Array, /) -> Array:
        """Return x * y; integers wrap around, bools give and."""

    @primitive
    def divide(self, x: Array, y: Array, /) -> Array:
        """Return x / y of floats: division by 0 gives an infinity or NaN, and no error."""

    @primitive
    def floor_divide(self, x: Array, y: Array, /) -> Array:
        """Return the floor of x / y. An integer divided by 0 is undefined."""

    @primitive
    def mod(self, x: Array, y: Array, /) -> Array:
        """Return the remainder, which has the sign of y."""

    @primitive
    def power(self, x: Array, y: Array, /) -> Array:
        """Return x to the power y; 0**0 is 1, a negative float to a fraction is NaN."""

    @primitive
    def maximum(self, x: Array, y: Array, /) -> Array:
        """Return the larger value; NaN wins."""

    @primitive
    def minimum(self, x: Array, y: Array, /) -> Array:
        """Return the smaller value; NaN wins."""

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
        """Return the bits set in one of the two only."""

    @primitive
    def left_shift(self, x: Array, y: Array, /) -> Array:
        """Shift bits up by y, which is at least 0 and below the width."""

    @primitive
    def right_shift(self, x: Array, y: Array, /) -> Array:
        """Shift bits down by y; a signed integer's sign bit is copied in."""

    @primitive
    def where(self, condition: Array, x: Array, y: Array, /) -> Array:
        """Return x where the bool condition holds, otherwise y; all three broadcast."""

    # -------------------------------------------------------------- reductions

    @primitive
    def sum(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Sum; the result has x's dtype (never bool). An empty sum is 0."""

    @primitive
    def prod(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Multiply; the result has x's dtype. An empty product is 1."""

    @primitive
    def max(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return the largest value; NaN wins; ties share the gradient evenly."""

    @primitive
    def min(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """Return the smallest value; NaN wins; ties share the gradient evenly."""

    @primitive
    def any(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """True if one value of a bool array is."""

    @primitive
    def all(self, x: Array, axes: tuple | None = None, keepdims: bool = False) -> Array:
        """True if every value of a bool array is."""

    @primitive
    def argmax(self, x: Array, axis: int) -> Array:
        """Return the int32 index of the first largest value along one axis."""

    @primitive
    def argmin(self, x: Array, axis: int) -> Array:
        """Return the int32 index of the first smallest value along one axis."""

    @primitive
    def cumsum(self, x: Array, axis: int) -> Array:
        """Return running sums along one axis, in x's dtype."""

    @primitive
    def cumprod(self, x: Array, axis: int) -> Array:
        """Return running products along one axis, in x's dtype."""

    @primitive
    def sort(self, x: Array, axis: int) -> Array:
        """Sort upwards along one axis; NaN comes last."""

    @primitive
    def argsort(self, x: Array, axis: int) -> Array:
        """Return the int32 indices of a stable upward sort along one axis."""

    # ---------------------------------------------------------- linear algebra

    @primitive
    def matmul(self, x: Array, y: Array, /) -> Array:
        """Multiply matrices as ``numpy.matmul`` does: stacks broadcast, vectors are allowed."""

    @primitive
    def einsum(self, subscripts: str, *operands: Array) -> Array:
        """Sum products as ``numpy.einsum`` does, for lower-case letters, ``...`` and ``->``."""

    @primitive
    def cholesky(self, x: Array) -> Array:
        """Return the lower factor of symmetric positive definite matrices."""

    @primitive
    def solve(self, a: Array, b: Array) -> Array:
        """Return x with ``a @ x == b``, for matrices b of shape (..., n, k)."""

    @primitive
    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        """Return x with ``a @ x == b`` for triangular a and matrices b."""

    @primitive
    def inv(self, x: Array) -> Array:
        """Return inverse matrices."""

    @primitive
    def det(self, x: Array) -> Array:
        """Return determinants."""

    @primitive
    def qr(self, x: Array, mode: str = "reduced") -> tuple[Array, Array]:
        """Return (q, r); ``mode`` is "reduced" or "complete". Signs are the engine's."""

    @primitive
    def svd(self, x: Array, full_matrices: bool = True) -> tuple[Array, Array, Array]:
        """Return (u, s, vh) with singular values from the largest down."""

    @primitive
    def eigh(self, x: Array) -> tuple[Array, Array]:
        """Return (eigenvalues upwards, eigenvectors) of symmetric matrices."""

    @primitive
    def eig(self, x: Array, /) -> tuple[Array, Array]:
        """Return (eigenvalues, eigenvectors of length 1) of square matrices, complex and in any order."""

    # --------------------------------------------------------- complex numbers

    @primitive
    def complex(self, real: Array, imag: Array, /) -> Array:
        """Return complex numbers of float32 (complex64) or float64 (complex128) parts of one shape."""

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
        """Join arrays of one dtype along an axis."""

    @primitive
    def getitem(self, x: Array, index: tuple) -> Array:
        """Index by a tuple of ints, None, Ellipsis and slices of Python ints (any step but 0)."""

    @primitive
    def pad(self, x: Array, widths: Sequence[tuple[int, int]], value: float = 0) -> Array:
        """Add ``widths[i] = (before, after)`` entries of a constant to axis i."""

    @primitive
    def flip(self, x: Array, axes: tuple) -> Array:
        """Reverse the order along axes."""

    @primitive
    def take(self, x: Array, indices: Array, axis: int) -> Array:
        """Pick entries along one axis by an integer array of any shape.

        Indices lie in ``[0, size)``; outside is an error or undefined: the layers check.
        """

    @primitive
    def take_along_axis(self, x: Array, indices: Array, axis: int) -> Array:
        """Pick entries along one axis, an index for each position along the other axes."""

    @primitive
    def scatter_add(self, x: Array, indices: Array, updates: Array) -> Array:
        """Return x with ``updates`` added at ``indices`` of shape (n, k), k leading axes.

        ``updates`` is of shape ``(n, *x.shape[k:])``; repeated indices accumulate.
        """

    @primitive
    def scatter_set(self, x: Array, indices: Array, updates: Array) -> Array:
        """Like ``scatter_add``, but replacing; which of repeated indices wins is undefined."""

    @primitive
    def dynamic_slice(self, x: Array, start: Sequence, sizes: tuple) -> Array:
        """Return ``sizes`` entries from ``start``, ints or 0-d arrays, clamped to fit inside x."""

    @primitive
    def dynamic_update(self, x: Array, update: Array, start: Sequence) -> Array:
        """Return x with the block from ``start`` (clamped to fit) replaced by ``update``."""

    # ----------------------------------------------------------------- control

    @primitive
    def scan(self, step: Callable, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        """Run ``carry, y = step(carry, x)`` over the leading axis; return (carry, stacked ys).

        ``carry``, ``xs``, ``y`` are trees of arrays (None is an empty tree); the carry keeps
        its shapes and dtypes. ``length`` is needed when ``xs`` holds no array. ``reverse`` runs
        from the last entry to the first; each y stays at the index of its x.
        """

    @primitive
    def cond(self, predicate: Array, on_true: Callable, on_false: Callable) -> Any:
        """Return the tree of one of two functions without arguments, by a 0-d bool array."""

    @primitive
    def while_loop(self, condition: Callable, body: Callable, values: tuple) -> tuple:
        """Repeat ``values = body(*values)`` while ``condition(*values)``; shapes are kept."""

    # -------------------------------------------------------------- transforms

    @primitive
    def value_and_grad(self, function: Callable, arrays: list[Array]) -> tuple:
        """Return ((value, aux), gradients) of ``value, aux = function(arrays)``.

        ``value`` is a 0-d float array. Each gradient has its array's shape and dtype, zeros
        where the value does not depend on it. ``aux``, a tree, is cut off from the gradient.
        """

    @primitive
    def stop_gradient(self, x: Array) -> Array:
        """Return x, as a constant to differentiation."""

    @primitive
    def custom_gradient(self, function: Callable) -> Callable:
        """Wrap ``output, backward = function(*arrays)``; ``backward(g)`` gives their gradients.

        ``output`` is an array or a tuple of arrays, with as many arguments to ``backward``.
        """

    @primitive
    def checkpoint(self, function: Callable) -> Callable:
        """Wrap ``function(*arrays)``: its inner values are computed again for the gradient."""

    @primitive
    def compile(self, function: Callable, donate: bool = False, optimize: bool | None = None) -> Callable:
        """Wrap ``state, result = function(state, *inputs)``, all trees, as one fast call.

        Args:
            function: pure: reads nothing that changes and assigns nothing, once traced.
            donate: the call consumes the arrays of ``state``, whose memory it may reuse.
            optimize: True asks for the engine's heavy compiler (XLA, Inductor), None leaves the
                choice to the adapter, and False asks for a fast start.

        Static leaves (Python scalars, strings) don't belong in the inputs. The state that a
        donating call returns is for the next call; ``read`` gives its arrays.
        """

    def hold(self, x: Array, trainable: bool = False) -> Any:
        """Return an array as a piece of state for a donating call, which need not copy it then.

        Args:
            x: the array, or state already.
            trainable: gradients by it are taken by the engine's own means.
        """
        return x

    def is_differentiating(self) -> bool:
        """Whether the program around may want gradients, by the engine's own means, of what is computed now."""
        return False

    def show(self, variable: Any, value: Any) -> Array:
        """Return the array that a program outside of steps gets of a variable, connected to the engine's gradients.

        Args:
            variable: has ``trainable``, and ``leaf`` to keep something of the engine's in.
            value: what is in its slot.
        """
        return self.read(value)

    def stored(self, variable: Any, array: Array) -> Any:
        """Return what to put into the slot of a variable for an array that a program outside of steps assigns.

        None for an array of a transformation under way in the program, which does not outlive it.
        """
        return array

    def join(self, cls: type) -> None:
        """Let the engine's own functions take objects of a class for such of its own.

        The class is that of variables, or has ``_named_parts()``: the variables of an object and what else it owns.
        """

    def is_own_variable(self, x: object) -> bool:
        """True for a variable of the engine's own, which may stand in the slot of a variable."""
        return False

    def handle(self, variable: Any) -> Any:
        """Return what the engine's own tapes know a variable by."""
        raise AttributeError(f"Expected a variable on an engine with tapes. Received: one on {self.name!r}.")

    def native(self, function: Any, optimize: bool | None = None) -> Any:
        """Return a step in the engine's own way, of a batch, ready to run on the variables as they are.

        Raises:
            NotImplementedError: for an engine without such a way.
        """
        raise NotImplementedError(f"Expected an engine with steps of its own. Received: {self.name!r}.")

    def read(self, content: Any) -> Array:
        """Return the array of a piece of state from a compiled call."""
        return content

    # --------------------------------------------------------------- placement

    @primitive
    def devices(self) -> list[str]:
        """Return the device names, such as ``["cpu:0", "cuda:0"]``; the default comes last."""

    @primitive
    def use_device(self, name: str) -> contextlib.AbstractContextManager:
        """Return a context in which new arrays go to a device ("cpu", "cuda:0", "gpu:0").

        Args:
            name: device, one that ``devices`` names or its kind alone.
        """

    @primitive
    def place(self, x: Array, device: str | None = None) -> Array:
        """Move an array to a device, by default the one in use."""

    @primitive
    def version(self) -> str:
        """Return the framework's version."""


def primitives() -> Iterator[str]:
    """Yield the names that every adapter must implement.

    >>> "matmul" in primitives()
    True
    """
    return (name for name, method in vars(Primitives).items() if hasattr(method, "is_primitive"))
