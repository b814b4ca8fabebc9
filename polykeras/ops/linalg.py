"""Products of vectors and matrices, norms, matrix decompositions and linear systems."""

from __future__ import annotations

import functools
import math
import string
from typing import Any

from polykeras.backends import current
from polykeras.core import dtypes
from polykeras.ops import _call
from polykeras.ops._call import array, axes_of, float_array, op
from polykeras.ops.control import jvp  # noqa: F401
from polykeras.ops.creation import shape
from polykeras.ops.movement import moveaxis, reshape

# Of the axes of an einsum in lists: in alphabetical order, as NumPy orders the axes of an implicit result.
_LETTERS = string.ascii_uppercase + string.ascii_lowercase

# -------------------------------------------------------------------- products


def _product(function: Any, *arrays: Any) -> Any:
    """Multiply arrays in their common dtype; for bools, return whether the sum is not 0."""
    backend = current()
    arrays = _call.same_dtype(*arrays)
    if backend.dtype(arrays[0]) != "bool":
        return function(*arrays)
    return backend.cast(function(*(backend.cast(x, "int32") for x in arrays)), "bool")


def _matmul(x1: Any, x2: Any) -> Any:
    return _product(current().matmul, x1, x2)


@op
def matmul(x1: Any, x2: Any) -> Any:
    """Return the matrix product; leading axes broadcast, and vectors act as a row or a column.

    Products of int8 arrays are accumulated in int32.

    Args:
        x1: array, (..., m, n), or a vector (n,).
        x2: array, (..., n, k), or a vector (n,).

    >>> matmul([[1, 2], [3, 4]], [1, 1])
    array([3, 7], dtype=int32)
    """
    backend = current()
    x1, x2 = array(x1), array(x2)
    if backend.dtype(x1) == backend.dtype(x2) == "int8":
        x1, x2 = backend.cast(x1, "int32"), backend.cast(x2, "int32")
    return _matmul(x1, x2)


@op
def einsum(subscripts: Any, *operands: Any, **kwargs: Any) -> Any:
    """Evaluate an Einstein summation.

    Products of int8 arrays are accumulated in int32.

    Args:
        subscripts: str such as "ij,jk->ik"; "..." stands for any number of axes. Or, as in NumPy, the first array: then
            each array is followed by the list of its axes as ints, and last may come the list of the result's axes.
        *operands: arrays.
        **kwargs: for compatibility; they change nothing.

    >>> einsum("ij->ji", [[1, 2], [3, 4]])
    array([[1, 3],
           [2, 4]], dtype=int32)
    >>> einsum([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]], [0, 1], [1.0, 1.0, 1.0], [1], [0])
    array([3., 3.], dtype=float32)
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists(subscripts, *operands)
    backend = current()
    arrays = _call.same_dtype(*operands)
    if backend.dtype(arrays[0]) == "int8":
        arrays = tuple(backend.cast(x, "int32") for x in arrays)
    function = functools.partial(backend.einsum, _explicit(subscripts))
    # Engines accumulate products in float32, but sum a single array in its own dtype.
    return _call.in_single_precision(function)(*arrays) if len(arrays) == 1 else _product(function, *arrays)


def _from_lists(*arguments: Any) -> tuple[str, tuple]:
    """Return the subscripts, as a string, and the operands of an einsum whose subscripts are lists of ints."""
    paired = len(arguments) // 2 * 2
    arrays, lists = arguments[:paired:2], [*arguments[1::2], *arguments[paired:]]
    letters = ["".join("..." if axis is ... else _LETTERS[axis] for axis in axes) for axes in lists]
    inputs = ",".join(letters[: len(arrays)])
    return (inputs if len(letters) == len(arrays) else f"{inputs}->{letters[-1]}"), arrays


def _explicit(subscripts: str) -> str:
    """Return subscripts with an explicit output: by default, the letters that occur once, in alphabetical order."""
    subscripts = subscripts.replace(" ", "")
    if "->" in subscripts:
        return subscripts
    letters = sorted(c for c in set(subscripts) if c.isalpha() and subscripts.count(c) == 1)
    return f"{subscripts}->{'...' if '...' in subscripts else ''}{''.join(letters)}"


@op
def dot(x1: Any, x2: Any) -> Any:
    """Return the sum of products over the last axis of x1 and the second-to-last of x2.

    Args:
        x1: array, (..., n).
        x2: array, (..., n, m), or a vector (n,).

    >>> dot([1, 2], [3, 4])
    np.int32(11)
    """
    backend = current()
    x1, x2 = _call.same_dtype(x1, x2)
    first, second = len(backend.shape(x1)), len(backend.shape(x2))
    if 0 in (first, second):
        return backend.multiply(x1, x2)
    if second <= 2:
        return _matmul(x1, x2)
    return tensordot(x1, x2, ([first - 1], [second - 2]))


@op
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Return the sum of products over given axes.

    Args:
        x1, x2: arrays whose contracted axes have equal sizes, of any shapes.
        axes: int, the number of last axes of x1 and first axes of x2 to contract; or two lists of axes; default 2.

    >>> tensordot([[1, 2]], [[3], [4]], 1)
    array([[11]], dtype=int32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(x1, x2)
    shape1, shape2 = tuple(backend.shape(x1)), tuple(backend.shape(x2))
    if isinstance(axes, int):
        inner1, inner2 = tuple(range(len(shape1) - axes, len(shape1))), tuple(range(axes))
    else:
        inner1, inner2 = axes_of(axes[0], len(shape1), "axes"), axes_of(axes[1], len(shape2), "axes")
    outer1 = [a for a in range(len(shape1)) if a not in inner1]
    outer2 = [a for a in range(len(shape2)) if a not in inner2]
    size = _call.times(*(shape2[b] if shape1[a] is None else shape1[a] for a, b in zip(inner1, inner2, strict=True)))
    x1 = backend.transpose(x1, (*outer1, *inner1))
    x2 = backend.transpose(x2, (*inner2, *outer2))
    x1 = _call.reshaped(x1, (_call.times(*(shape1[a] for a in outer1)), size))
    x2 = _call.reshaped(x2, (size, _call.times(*(shape2[a] for a in outer2))))
    return _call.reshaped(_matmul(x1, x2), (*(shape1[a] for a in outer1), *(shape2[a] for a in outer2)))


def batch_dot(x1: Any, x2: Any, axis1: int, axis2: int) -> Any:
    """Return each sample's sum of products over one axis of each array, computed as one matrix product.

    Tools that rewrite an engine's graph support matrix products better than Einstein summations.

    Args:
        x1, x2: arrays (batch, ...) whose contracted axes have equal sizes.
        axis1, axis2: ints, the contracted axes, not negative.

    Returns:
        (batch, further axes of x1, further axes of x2); (batch, 1) where neither has any.

    >>> batch_dot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [2.0, 2.0]], 1, 1)
    array([[ 3.],
           [14.]], dtype=float32)
    """
    x1, x2 = moveaxis(x1, axis1, -1), moveaxis(x2, axis2, 1)
    (batch1, *outer1, size), (batch2, _, *outer2) = shape(x1), shape(x2)
    if len(outer1) != 1:
        x1 = reshape(x1, (batch1, math.prod(outer1), size))
    if len(outer2) != 1:
        x2 = reshape(x2, (batch2, size, math.prod(outer2)))
    product = matmul(x1, x2)
    if len(outer1) == len(outer2) == 1:
        return product
    batch = batch1 if isinstance(batch1, int) else batch2
    return reshape(product, (batch, *(outer1 + outer2 or [1])))


@op
def inner(x1: Any, x2: Any) -> Any:
    """Return the sum of products over the last axes of both arrays.

    Args:
        x1, x2: arrays, (..., n).

    >>> inner([1, 2], [3, 4])
    array(11, dtype=int32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(x1, x2)
    first, second = len(backend.shape(x1)), len(backend.shape(x2))
    if 0 in (first, second):
        return backend.multiply(x1, x2)
    return tensordot(x1, x2, ([first - 1], [second - 1]))


@op
def vdot(x1: Any, x2: Any) -> Any:
    """Return the dot product of all entries.

    Args:
        x1, x2: arrays, which are flattened.

    >>> vdot([[1, 2]], [[3, 4]])
    np.int32(11)
    """
    return _matmul(*(current().reshape(x, (-1,)) for x in _call.same_dtype(x1, x2)))


@op
def outer(x1: Any, x2: Any) -> Any:
    """Return the outer product of two vectors.

    Args:
        x1, x2: arrays, which are flattened.

    >>> outer([1, 2], [3, 4])
    array([[3, 4],
           [6, 8]], dtype=int32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(x1, x2)
    return backend.multiply(backend.reshape(x1, (-1, 1)), backend.reshape(x2, (1, -1)))


@op
def kron(x1: Any, x2: Any) -> Any:
    """Return the Kronecker product: blocks of x2, scaled by the entries of x1.

    Args:
        x1, x2: arrays of any shape.

    >>> kron([1, 2], [1, 1])
    array([1, 1, 2, 2], dtype=int32)
    """
    backend = current()
    x1, x2 = _call.same_dtype(x1, x2)
    shape1, shape2 = tuple(backend.shape(x1)), tuple(backend.shape(x2))
    rank = max(len(shape1), len(shape2))
    shape1, shape2 = (1,) * (rank - len(shape1)) + shape1, (1,) * (rank - len(shape2)) + shape2
    x1 = _call.reshaped(x1, (n for size in shape1 for n in (size, 1)))
    x2 = _call.reshaped(x2, (n for size in shape2 for n in (1, size)))
    return _call.reshaped(backend.multiply(x1, x2), map(_call.times, shape1, shape2))


@op
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Return the cross product of vectors of size 2 or 3.

    Args:
        x1, x2: arrays that broadcast together, with 2 or 3 entries along the vector axis.
        axisa, axisb, axisc: ints, the vector axis of x1, of x2, and of the result; default -1.
        axis: int, one axis in place of these three; default None.

    Raises:
        ValueError: for vectors of any other size.

    >>> cross([1, 0, 0], [0, 1, 0])
    array([0, 0, 1], dtype=int32)
    """
    backend = current()
    if axis is not None:
        axisa = axisb = axisc = axis
    parts = []
    for x, own_axis in zip(_call.same_dtype(*_call.number_operands(x1, x2)), (axisa, axisb), strict=True):
        shape = backend.shape(x)
        own_axis = _call.axis_of(own_axis, len(shape))
        if shape[own_axis] not in (2, 3):
            raise ValueError(f"Expected vectors of size 2 or 3. Received shape: {tuple(shape)}, axis: {own_axis}.")
        parts.append([backend.getitem(x, (slice(None),) * own_axis + (n,)) for n in range(shape[own_axis])])
    a, b = parts

    def minor(i: Any, j: Any) -> Any:
        return backend.subtract(  # noqa: E731
            backend.multiply(a[i], b[j]), backend.multiply(a[j], b[i])
        )

    if len(a) == len(b) == 2:
        return minor(0, 1)
    zero = backend.multiply(backend.add(a[0], b[0]), 0)
    a, b = (v if len(v) == 3 else [*v, zero] for v in (a, b))
    product = [minor(1, 2), minor(2, 0), minor(0, 1)]
    return backend.stack(product, _call.axis_of(axisc, len(backend.shape(product[0])) + 1))


@op
def cdist(x: Any, y: Any) -> Any:
    """Return the Euclidean distances between every row of x and every row of y.

    Args:
        x: array, (..., m, d).
        y: array, (..., n, d).

    Raises:
        ValueError: if the rows have different lengths.

    >>> cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])
    array([[5., 1.]], dtype=float32)
    """
    backend = current()
    x, y = _call.same_dtype(*_call.float_operands(x, y))
    sizes = [backend.shape(rows)[-1] for rows in (x, y)]
    if None not in sizes and sizes[0] != sizes[1]:
        raise ValueError(f"Expected rows of equal length. Received: {sizes[0]} and {sizes[1]}.")
    rows = backend.getitem(x, (..., slice(None), None, slice(None)))
    columns = backend.getitem(y, (..., None, slice(None), slice(None)))
    return norm(backend.subtract(rows, columns), axis=-1)


# ----------------------------------------------------------------------- norms


@op
@_call.in_single_precision
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the norm of vectors or matrices.

    Args:
        x: array of any shape.
        ord: for vectors, a number p for ``sum(|x|**p)**(1/p)``, 0 for the number of non-zeros, +-inf for the
            largest or smallest |x|. For matrices "fro", "nuc", 1, -1, inf, -inf (extreme sums of columns and rows),
            2, -2 (extreme singular values). Default None: the square root of the sum of squares.
        axis: int for vectors, pair of ints for matrices; None for all axes; default None.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.

    Raises:
        ValueError: for an unknown ``ord``, or a wrong number of axes.

    >>> norm([3.0, 4.0])
    array(5., dtype=float32)
    """
    backend = current()
    x = float_array(x)
    rank = len(backend.shape(x))
    axes = axes_of(axis, rank)
    if ord is None or (axes is None and rank == 1 and ord == 2):
        return _root_of_squares(x, axes, keepdims)
    axes = tuple(range(rank)) if axes is None else axes
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise _call.WrongArgument(f"Expected one or two axes with ord={ord!r}. Received axis: {axis}, for {rank} axes.")


def _root_of_squares(x: Any, axes: tuple | None, keepdims: bool) -> Any:
    backend = current()
    total = backend.sum(backend.square(x), axes, keepdims)
    # The root has no gradient at 0; that of the norm is defined as 0.
    is_zero = backend.equal(total, 0.0)
    dtype = backend.dtype(x)
    root = backend.sqrt(backend.where(is_zero, backend.full((), 1.0, dtype), total))
    return backend.where(is_zero, backend.full((), 0.0, dtype), root)


def _vector_norm(x: Any, ord: Any, axes: tuple, keepdims: bool) -> Any:
    backend = current()
    if isinstance(ord, str):
        raise _call.WrongArgument(f"Expected a number as ord, for vectors. Received: {ord!r}.")
    size = backend.absolute(x)
    if ord == math.inf:
        return backend.max(size, axes, keepdims)
    if ord == -math.inf:
        return backend.min(size, axes, keepdims)
    if ord == 0:
        return backend.sum(backend.cast(backend.not_equal(x, 0.0), backend.dtype(x)), axes, keepdims)
    if ord == 1:
        return backend.sum(size, axes, keepdims)
    if ord == 2:
        return _root_of_squares(x, axes, keepdims)
    return backend.power(backend.sum(backend.power(size, float(ord)), axes, keepdims), 1.0 / ord)


def _matrix_norm(x: Any, ord: Any, axes: tuple, keepdims: bool) -> Any:
    backend = current()
    if ord == "fro":
        return _root_of_squares(x, axes, keepdims)
    rank = len(backend.shape(x))
    x = backend.transpose(x, (*(a for a in range(rank) if a not in axes), *axes))
    if ord in (1, -1, math.inf, -math.inf):
        sums = backend.sum(backend.absolute(x), (-2,) if abs(ord) == 1 else (-1,))
        result = (backend.max if ord > 0 else backend.min)(sums, (-1,))
    elif ord in ("nuc", 2, -2):
        values = backend.svd(x, False)[1]
        reduce = {"nuc": backend.sum, 2: backend.max, -2: backend.min}[ord]
        result = reduce(values, (-1,))
    else:
        raise _call.WrongArgument(
            f'Expected ord to be "fro", "nuc", 1, 2, inf or a negative of these. Received: {ord!r}.'
        )
    if not keepdims:
        return result
    shape = list(backend.shape(result))
    for axis in sorted(axes):
        shape.insert(axis, 1)
    return _call.reshaped(result, shape)


# -------------------------------------------------------------- decompositions


def _matrices(x: Any) -> Any:
    x = float_array(x)
    shape = tuple(current().shape(x))
    if len(shape) < 2:
        raise ValueError(f"Expected matrices: at least 2 axes. Received shape: {shape}.")
    return x


def _square(x: Any) -> Any:
    x = _matrices(x)
    *_, rows, columns = current().shape(x)
    if rows != columns:
        raise ValueError(f"Expected square matrices. Received shape: {tuple(current().shape(x))}.")
    return x


def _transposed(x: Any) -> Any:
    rank = len(current().shape(x))
    return current().transpose(x, (*range(rank - 2), rank - 1, rank - 2))


@op
def cholesky(x: Any, upper: bool = False) -> Any:
    """Return the lower triangular factors L of symmetric positive definite matrices ``L L^T``.

    Args:
        x: array, (..., n, n).
        upper: bool, whether to return the transpose of L; default False.

    >>> cholesky([[4.0, 0.0], [0.0, 9.0]])
    array([[2., 0.],
           [0., 3.]], dtype=float32)
    """
    factor = current().cholesky(_square(x))
    return _transposed(factor) if upper else factor


@op
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """Return the inverse of ``L L^T``, given the factor L that ``cholesky`` returns.

    Args:
        x: array, (..., n, n).
        upper: bool, whether x is the transpose of L; default False.

    >>> cholesky_inverse([[2.0, 0.0], [0.0, 1.0]])
    array([[0.25, 0.  ],
           [0.  , 1.  ]], dtype=float32)
    """
    backend = current()
    x = _square(x)
    inverse = backend.solve_triangular(x, _identity_like(x), not upper)
    if upper:
        return backend.matmul(inverse, _transposed(inverse))
    return backend.matmul(_transposed(inverse), inverse)


def _identity_like(x: Any) -> Any:
    backend = current()
    shape = tuple(backend.shape(x))
    index = backend.arange(0, shape[-1], 1, "int32")
    ones = backend.equal(_call.reshaped(index, (-1, 1)), index)
    return backend.broadcast_to(backend.cast(ones, backend.dtype(x)), shape)


@op
def det(x: Any) -> Any:
    """Return the determinants of square matrices.

    Args:
        x: array, (..., n, n).

    >>> det([[1.0, 2.0], [3.0, 4.0]]).round(4)
    np.float32(-2.0)
    """
    return current().det(_square(x))


@op
def slogdet(x: Any) -> tuple:
    """Return the signs and the logarithms of the absolute values of determinants, without overflow.

    Args:
        x: array, (..., n, n).

    >>> slogdet([[2.0, 0.0], [0.0, -0.5]])
    (array(-1., dtype=float32), array(0., dtype=float32))
    """
    backend = current()
    x = _square(x)
    size = backend.shape(x)[-1] or 1
    # Scaling by a gradient-free estimate (from QR) brings the determinant to magnitude 1, so that it can't overflow.
    r = backend.qr(backend.stop_gradient(x))[1]
    diagonal = backend.sum(backend.multiply(r, _identity_like(r)), (-1,))
    estimate = backend.sum(backend.log(backend.absolute(diagonal)), (-1,))
    is_singular = backend.equal(estimate, -math.inf)
    zero = backend.full((), 0.0, backend.dtype(x))
    estimate = backend.stop_gradient(backend.where(is_singular, zero, estimate))
    scale = backend.exp(backend.multiply(estimate, -1.0 / size))
    scaled = backend.det(backend.multiply(x, _call.reshaped(scale, (*backend.shape(scale), 1, 1))))
    sign = backend.where(is_singular, zero, backend.sign(scaled))
    log = backend.add(backend.log(backend.absolute(scaled)), estimate)
    return sign, backend.where(is_singular, backend.full((), -math.inf, backend.dtype(x)), log)


@op
def logdet(x: Any) -> Any:
    """Return the logarithms of the absolute values of determinants, without overflow.

    Args:
        x: array, (..., n, n).

    >>> logdet([[2.0, 0.0], [0.0, 0.5]])
    array(0., dtype=float32)
    """
    return slogdet(x)[1]


@op
def inv(x: Any) -> Any:
    """Return the inverses of matrices.

    Args:
        x: array, (..., n, n).

    >>> inv([[2.0, 0.0], [0.0, 4.0]])
    array([[0.5 , 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    return current().inv(_square(x))


@op
def qr(x: Any, mode: str = "reduced") -> tuple:
    """Return the QR decomposition: orthonormal columns q and triangular r with ``q r == x``.

    Args:
        x: array, (..., m, n).
        mode: "reduced" for min(m, n) columns, "complete" for m; default "reduced".

    Raises:
        ValueError: for an unknown mode.

    >>> [part.shape for part in qr([[1.0], [2.0], [3.0]])]
    [(3, 1), (1, 1)]
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f'Expected mode to be "reduced" or "complete". Received: {mode!r}.')
    return tuple(current().qr(_matrices(x), mode))


@op
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Return the singular value decomposition (u, s, vh) with ``u diag(s) vh == x``.

    Args:
        x: array, (..., m, n).
        full_matrices: bool, whether u and vh are square; default True.
        compute_uv: bool, whether to return u and vh, or only s; default True.

    >>> svd([[0.0, 2.0], [3.0, 0.0]], compute_uv=False)
    array([3., 2.], dtype=float32)
    """
    u, s, vh = current().svd(_matrices(x), full_matrices)
    return (u, s, vh) if compute_uv else s


@op
def eigh(x: Any) -> tuple:
    """Return the eigenvalues, in ascending order, and eigenvectors (columns) of symmetric matrices.

    Args:
        x: array of symmetric matrices, (..., n, n).

    >>> eigh([[2.0, 0.0], [0.0, 1.0]])[0]
    array([1., 2.], dtype=float32)
    """
    return tuple(current().eigh(_square(x)))


@op
def eig(x: Any) -> tuple:
    """Return the eigenvalues, in arbitrary order, and eigenvectors (columns) of square matrices, as complex numbers.

    JAX does not support it on a GPU: move the matrix to the CPU.

    Args:
        x: array of floats, (..., n, n).

    >>> eig([[2.0, 0.0], [0.0, 1.0]])[0]
    array([2.+0.j, 1.+0.j], dtype=complex64)
    """
    x = _square(x)
    backend = current()
    return tuple(backend.eig(x if backend.dtype(x) == "float64" else backend.cast(x, "float32")))


@op
def lu_factor(x: Any) -> tuple:
    """Return the LU decomposition with partial pivoting.

    Args:
        x: array, (..., m, n).

    Returns:
        (lu, pivots): U on and above the diagonal, the unit lower triangular factor L below it; row i was
        swapped with row ``pivots[i]``, int32.

    >>> lu_factor([[0.0, 1.0], [2.0, 4.0]])
    (array([[2., 4.],
           [0., 1.]], dtype=float32), array([1, 1], dtype=int32))
    """
    backend = current()
    x = _matrices(x)
    *batch, rows, columns = backend.shape(x)
    index = backend.arange(0, rows, 1, "int32")
    zero = backend.full((), 0.0, backend.dtype(x))
    pivots = []
    for step in range(min(rows, columns)):
        below = (..., slice(step, None))
        size = backend.absolute(backend.getitem(x, (*below, step)))
        pivot = backend.add(backend.argmax(size, len(batch)), step)
        wide = _call.reshaped(pivot, (*batch, 1))
        order = backend.where(backend.equal(index, wide), backend.full((), step, "int32"), index)
        order = backend.where(backend.equal(index, step), wide, order)
        order = backend.broadcast_to(_call.reshaped(order, (*batch, rows, 1)), (*batch, rows, columns))
        x = backend.take_along_axis(x, order, len(batch))
        head = backend.getitem(x, (..., slice(step, step + 1), slice(None)))
        top = backend.getitem(head, (..., slice(step, step + 1)))
        column = backend.getitem(x, (..., slice(step, step + 1)))
        # A column of zeros is left unchanged.
        is_zero = backend.equal(top, 0.0)
        factor = backend.divide(column, backend.where(is_zero, backend.full((), 1.0, backend.dtype(x)), top))
        lower = backend.reshape(backend.greater(index, step), (rows, 1))
        factor = backend.where(lower, factor, zero)
        right = backend.greater(backend.arange(0, columns, 1, "int32"), step)
        x = backend.subtract(x, backend.multiply(factor, backend.where(right, head, zero)))
        on = backend.logical_and(lower, backend.equal(backend.arange(0, columns, 1, "int32"), step))
        x = backend.where(on, factor, x)
        pivots.append(pivot)
    return x, backend.stack(pivots, -1)


# -------------------------------------------------------------- linear systems


def _solved(a: Any, b: Any, solver: Any) -> Any:
    backend = current()
    a, b = _call.same_dtype(*_call.float_operands(a, b))
    a = _square(a)
    shape = tuple(backend.shape(b))
    if not shape:
        raise ValueError(f"Expected b with {backend.shape(a)[-1]} rows, as a has. Received a number: shape ().")
    is_vector = len(shape) == len(backend.shape(a)) - 1
    rows, size = shape[-1 if is_vector else -2], backend.shape(a)[-1]
    if rows != size:
        raise ValueError(f"Expected b with {size} rows, as a has. Received shapes: {backend.shape(a)} and {shape}.")
    if is_vector:
        return backend.getitem(solver(a, _call.reshaped(b, (*shape, 1))), (..., 0))
    return solver(a, b)


@op
def solve(a: Any, b: Any) -> Any:
    """Return x with ``a x == b``.

    Args:
        a: array, (..., n, n).
        b: array, (..., n) or (..., n, k).

    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    array([1. , 0.5], dtype=float32)
    """
    return _solved(a, b, current().solve)


@op
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """Return x with ``a x == b``, for triangular a.

    Args:
        a: array, (..., n, n); its other triangle is not read.
        b: array, (..., n) or (..., n, k).
        lower: bool, whether a is lower triangular; default False.

    >>> solve_triangular([[2.0, 1.0], [0.0, 4.0]], [3.0, 4.0])
    array([1., 1.], dtype=float32)
    """
    return _solved(a, b, lambda a, b: current().solve_triangular(a, b, lower))


@op
def pinv(x: Any, rcond: float | None = None) -> Any:
    """Return the Moore-Penrose pseudo-inverses of matrices.

    Args:
        x: array, (..., m, n).
        rcond: singular values below this fraction of the largest count as 0; default None, for the machine
            epsilon of the dtype times max(m, n).

    >>> pinv([[2.0, 0.0], [0.0, 4.0]])
    array([[0.5 , 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    backend = current()
    x = _matrices(x)
    u, s, vh = backend.svd(x, False)
    relative = _rounding(x) if rcond is None else float(rcond)
    limit = backend.multiply(backend.max(s, (-1,), True), relative)
    is_kept = backend.greater(s, limit)
    safe = backend.where(is_kept, s, backend.full((), 1.0, backend.dtype(s)))
    inverse = backend.where(is_kept, backend.divide(1.0, safe), backend.full((), 0.0, backend.dtype(s)))
    inverse = _call.reshaped(inverse, (*backend.shape(inverse), 1))
    return backend.matmul(_transposed(vh), backend.multiply(inverse, _transposed(u)))


def _rounding(x: Any) -> float:
    sizes = [n or 1 for n in current().shape(x)[-2:]]
    return max(sizes) * float(dtypes.ml_dtypes.finfo(dtypes.numpy_dtype(current().dtype(x))).eps)


@op
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """Return the least-squares solution x of ``a x = b`` with the smallest norm.

    Args:
        a: array, (m, n).
        b: array, (m,) or (m, k).
        rcond: singular values below this fraction of the largest count as 0; default None, for the machine
            epsilon.

    Raises:
        ValueError: if a is not a matrix, or b has a different number of rows.

    >>> lstsq([[1.0], [1.0]], [1.0, 3.0]).round(4)
    array([2.], dtype=float32)
    """
    a, b = _call.same_dtype(*_call.float_operands(a, b))
    of_a, of_b = tuple(current().shape(a)), tuple(current().shape(b))
    if len(of_a) != 2 or len(of_b) not in (1, 2) or (None not in (of_a[0], of_b[0]) and of_a[0] != of_b[0]):
        raise ValueError(f"Expected a matrix a, and b with as many rows. Received shapes: {of_a} and {of_b}.")
    return current().matmul(pinv(a, rcond), b)


@op
def matrix_rank(x: Any, tol: float | None = None) -> Any:
    """Return the int32 ranks of matrices: the numbers of non-zero singular values.

    Args:
        x: array, (..., m, n).
        tol: values up to it count as 0; default None, for the rounding error of the largest.

    >>> matrix_rank([[1.0, 2.0], [2.0, 4.0]])
    np.int32(1)
    """
    backend = current()
    x = _matrices(x)
    s = backend.svd(x, False)[1]
    limit = backend.multiply(backend.max(s, (-1,), True), _rounding(x)) if tol is None else float(tol)
    return backend.sum(backend.cast(backend.greater(s, limit), "int32"), (-1,))


@op
@_call.in_single_precision
def corrcoef(x: Any) -> Any:
    """Return the correlation coefficients of all pairs of rows.

    Args:
        x: array, (variables, observations), or a vector.

    >>> corrcoef([[1.0, 2.0], [2.0, 1.0]]).round(4)
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    backend = current()
    x = float_array(x)
    x = x if len(backend.shape(x)) > 1 else backend.reshape(x, (1, -1))
    x = backend.subtract(x, backend.mean(x, (1,), True))
    x = backend.divide(x, backend.sqrt(backend.sum(backend.square(x), (1,), True)))
    result = backend.minimum(backend.maximum(backend.matmul(x, _transposed(x)), -1.0), 1.0)
    return backend.reshape(result, ()) if tuple(backend.shape(result)) == (1, 1) else result
