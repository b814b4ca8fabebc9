"""Creating, reading and rearranging tensors and variables, under the names of Keras 2."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from polykeras import config, ops, random
from polykeras.backends import current
from polykeras.backends.shared.graph_sizes import GraphSize
from polykeras.backends.shared.structured import is_structured
from polykeras.compat.keras2.backend.kept import is_keeping, kept
from polykeras.core import dtypes, window_geometry
from polykeras.core.context import context
from polykeras.core.graph import KerasTensor, evaluated
from polykeras.core.sizes import Size
from polykeras.core.variables import Variable
from polykeras.ops._call import op

cast = ops.cast
ndim = ops.ndim
squeeze = ops.squeeze

# ------------------------------------------------------------------ variables


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Callable | None = None) -> Variable:
    """Return a Variable, by default of dtype ``floatx()``.

    Args:
        value: an array, which may be a sparse one, nested list or number.
        dtype: default ``floatx()``.
        name: default ``variable``, ``variable_1``, ...
        constraint: function applied after each update; default None.

    >>> variable([1, 2]).numpy()
    array([1., 2.], dtype=float32)
    """
    dtype = config.floatx() if dtype is None else dtypes.standardize(dtype)
    make = functools.partial(Variable, value, dtype=dtype, name=name, constraint=constraint)
    return kept(make) if is_keeping() else make()


def _variable_where_known(fill: Callable, sizes: Any, dtype: Any, name: str | None) -> Any:
    """Return a Variable, as in Keras 2; inside a layer's call, or for unknown sizes, a plain array."""
    sizes = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    dtype = config.floatx() if dtype is None else dtypes.standardize(dtype)
    if is_keeping():
        return kept(lambda: Variable(fill, sizes, dtype, name=name))
    is_known = all(isinstance(n, int | np.integer) for n in sizes)
    is_computing = (context.entry is not None or current().is_symbolic) and not context.is_building
    if is_computing or not is_known:
        return fill(sizes, dtype)
    return Variable(fill, sizes, dtype, name=name)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return a variable of zeros; inside a layer's call, or if a size is unknown, an array.

    Args:
        shape: tuple of ints.
        dtype: name of the result's dtype; None for ``floatx()``.
        name: name of the variable; default None.

    >>> zeros((2,)).numpy()
    array([0., 0.], dtype=float32)
    """
    return _variable_where_known(ops.zeros, shape, dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return a variable of ones; inside a layer's call, or if a size is unknown, an array.

    Args:
        shape: tuple of ints.
        dtype: name of the result's dtype; None for ``floatx()``.
        name: name of the variable; default None.

    >>> ones((2,)).numpy()
    array([1., 1.], dtype=float32)
    """
    return _variable_where_known(ops.ones, shape, dtype, name)


def eye(size: int | tuple, dtype: Any = None, name: str | None = None) -> Any:
    """Return a variable with ones on the diagonal; inside a layer's call, an array.

    Args:
        size: the number of rows, or (rows, columns).
        dtype: name of the result's dtype; None for ``floatx()``.
        name: name of the variable; default None.

    >>> eye(2).numpy()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    sizes = window_geometry.per_axis(size, 2)
    return _variable_where_known(lambda sizes, dtype: ops.eye(sizes[0], sizes[1], dtype=dtype), sizes, dtype, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: int | None = None
) -> Any:
    """Return a variable of uniformly distributed numbers between ``low`` and ``high``.

    Args:
        shape: tuple of ints.
        low, high: scalars, the bounds.
        dtype: name of the result's dtype; None for ``floatx()``.
        name: name of the variable; default None.
        seed: int; None for a new one each time.

    >>> random_uniform_variable((2, 3), 0, 1).shape
    (2, 3)
    """
    return _variable_where_known(lambda n, dtype: random.uniform(n, low, high, dtype, seed), shape, dtype, name)


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: int | None = None
) -> Any:
    """Return a variable of normally distributed numbers with standard deviation ``scale``.

    Args:
        shape: tuple of ints.
        mean: float, the mean of the distribution.
        scale: float, the standard deviation.
        dtype: name of the result's dtype; None for ``floatx()``.
        name: name of the variable; default None.
        seed: int; None for a new one each time.

    >>> random_normal_variable((2, 3), 0, 1).shape
    (2, 3)
    """
    return _variable_where_known(lambda n, dtype: random.normal(n, mean, scale, dtype, seed), shape, dtype, name)


def get_value(x: Any) -> Any:
    """Return the value of a variable or array as a NumPy array.

    Args:
        x: Variable, array, or symbolic tensor that depends on variables alone, such as a model's losses.

    Raises:
        TypeError: for another symbolic tensor, which has no value.

    >>> get_value(variable(3))
    array(3., dtype=float32)
    """
    x = evaluated(x)
    if isinstance(x, KerasTensor):
        raise TypeError(
            f"Expected a tensor with a value. Received: {x!r}, a symbolic one. Compute it from values of its inputs by "
            f"K.function(inputs, [x])."
        )
    return ops.convert_to_numpy(x)


eval = get_value


def batch_get_value(ops: Sequence) -> list:
    """Return the values of several variables or arrays as NumPy arrays.

    Args:
        ops: list of Variables or arrays.

    >>> batch_get_value([variable(1), variable(2)])
    [array(1., dtype=float32), array(2., dtype=float32)]
    """
    return [get_value(x) for x in ops]


def set_value(x: Variable, value: Any) -> None:
    """Replace the value of a variable.

    Args:
        x: Variable.
        value: array of its shape.

    >>> v = variable(1); set_value(v, 5); float(v)
    5.0
    """
    x.assign(value)


def batch_set_value(tuples: Sequence[tuple]) -> None:
    """Replace the values of several variables, given as pairs (variable, value).

    Args:
        tuples: list of pairs.

    >>> v = variable(1); batch_set_value([(v, 5)]); float(v)
    5.0
    """
    for x, value in tuples:
        x.assign(value)


def update(x: Variable, new_x: Any) -> Any:
    """Replace the value of a variable; for a symbolic ``new_x``, return the pair for ``K.function``'s updates.

    Args:
        x: Variable.
        new_x: array of its shape.

    >>> float(update(variable(1), 5))
    5.0
    """
    if isinstance(new_x, KerasTensor) or is_keeping():
        return x, new_x
    x.assign(new_x)
    return x


def update_add(x: Variable, increment: Any) -> Any:
    """Add to a variable; otherwise like ``update``.

    Args:
        x: Variable.
        increment: array of its shape.

    >>> float(update_add(variable(1), 5))
    6.0
    """
    return update(x, ops.add(x, increment))


def update_sub(x: Variable, decrement: Any) -> Any:
    """Subtract from a variable; otherwise like ``update``.

    Args:
        x: Variable.
        decrement: array of its shape.

    >>> float(update_sub(variable(1), 5))
    -4.0
    """
    return update(x, ops.subtract(x, decrement))


def moving_average_update(x: Variable, value: Any, momentum: Any) -> Any:
    """Set a variable to ``x * momentum + value * (1 - momentum)``; otherwise like ``update``.

    Args:
        x: Variable.
        value: array of its shape.
        momentum: float from 0 to 1.

    >>> float(moving_average_update(variable(1), 3, 0.5))
    2.0
    """
    return update(x, ops.add(ops.multiply(x, momentum), ops.multiply(value, 1 - momentum)))


# ------------------------------------------------------------ making and asking


def placeholder(
    shape: tuple | None = None,
    ndim: int | None = None,
    dtype: Any = None,
    sparse: bool = False,
    name: str | None = None,
) -> KerasTensor:
    """Return a symbolic tensor, for the inputs of ``K.function``.

    Args:
        shape: tuple of sizes including the batch, None where unknown.
        ndim: int, the number of axes, in place of ``shape``; default None.
        dtype: default ``floatx()``.
        sparse: bool, whether values may be sparse; ``K.function`` converts them to dense ones; default False.
        name: name of the variable; default None.

    Raises:
        ValueError: if neither shape nor ndim is given.

    >>> placeholder(ndim=2).shape
    (None, None)
    """
    if shape is None and ndim is None:
        raise ValueError("Expected shape or ndim of the placeholder. Received: neither.")
    shape = (None,) * (ndim or 0) if shape is None else shape
    return KerasTensor(shape, dtype or config.floatx(), sparse, name=name)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """Return an array of ``floatx()``, by default.

    Args:
        value: a number, array or nested list.
        dtype: default ``floatx()``.
        shape: shape of the result: a single number is repeated; several are arranged in it; default None.
        name: for compatibility; default None.

    >>> constant(1, shape=(2,))
    array([1., 1.], dtype=float32)
    """
    value = np.asarray(value)
    if shape is not None:
        value = np.full(shape, value) if value.size == 1 else value.reshape(shape)
    return ops.convert_to_tensor(value, config.floatx() if dtype is None else dtype)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return an array of zeros of the same shape.

    Args:
        x: array of any shape.
        dtype: name of the result's dtype; None for that of ``x``.
        name: for compatibility; default None.

    >>> zeros_like([1.0, 2.0])
    array([0., 0.], dtype=float32)
    """
    return ops.zeros_like(x, dtype)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return an array of ones of the same shape.

    Args:
        x: array of any shape.
        dtype: name of the result's dtype; None for that of ``x``.
        name: for compatibility; default None.

    >>> ones_like([1.0, 2.0])
    array([1., 1.], dtype=float32)
    """
    return ops.ones_like(x, dtype)


def identity(x: Any, name: str | None = None) -> Any:
    """Return an array with the same values.

    Args:
        x: array of any shape.
        name: for compatibility; default None.

    >>> identity([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    return ops.copy(x)


def arange(start: int, stop: int | None = None, step: int = 1, dtype: Any = "int32") -> Any:
    """Return ``start, start + step, ...`` below ``stop``; a single argument is ``stop``, with start 0.

    Args:
        start, stop: ints or floats, the ends; default None for ``stop``.
        step: int or float; default 1.
        dtype: name of the result's dtype; default "int32", which leaves the numbers between floats as they are.

    >>> arange(1, 7, 2)
    array([1, 3, 5], dtype=int32)
    >>> arange(0.0, 1.0, 0.5)
    array([0. , 0.5], dtype=float32)
    """
    has_floats = any(isinstance(x, float) for x in (start, stop, step))
    return ops.arange(start, stop, step, None if has_floats and dtype == "int32" else dtype)


def random_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    """Return normally distributed numbers.

    Args:
        shape: tuple of ints.
        mean: float, the mean of the distribution; default 0.0.
        stddev: float, its standard deviation; default 1.0.
        dtype: name of the result's dtype; None for ``floatx()``.
        seed: int; None for a new one each time.

    >>> random_normal((2, 3)).shape
    (2, 3)
    """
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    """Return uniformly distributed numbers from ``minval`` up to ``maxval``; integers for an integer ``dtype``.

    Args:
        shape: tuple of ints.
        minval: scalar, the lower bound; default 0.0.
        maxval: scalar, the upper bound; default 1.0.
        dtype: name of the result's dtype; None for ``floatx()``.
        seed: int; None for a new one each time.

    >>> random_uniform((2, 3)).shape
    (2, 3)
    """
    if dtype is not None and dtypes.is_integer(dtypes.standardize(dtype)):
        return random.randint(shape, int(minval), int(maxval), dtype, seed)
    return random.uniform(shape, minval, maxval, dtype, seed)


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: int | None = None) -> Any:
    """Return ones with probability ``p``, zeros otherwise.

    Args:
        shape: tuple of ints.
        p: float from 0 to 1; default 0.0.
        dtype: name of the result's dtype; None for ``floatx()``.
        seed: int; None for a new one each time.

    >>> random_binomial((3,), p=1.0)
    array([1., 1., 1.], dtype=float32)
    """
    return ops.cast(ops.less(random.uniform(shape, dtype="float32", seed=seed), p), dtype or config.floatx())


random_bernoulli = random_binomial


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    """Return normally distributed numbers, none further than 2 ``stddev`` from the mean.

    Args:
        shape: tuple of ints.
        mean: float, the mean of the distribution; default 0.0.
        stddev: float, its standard deviation; default 1.0.
        dtype: name of the result's dtype; None for ``floatx()``.
        seed: int; None for a new one each time.

    >>> truncated_normal((2, 3)).shape
    (2, 3)
    """
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def dtype(x: Any) -> str:
    """Return the name of the dtype.

    Args:
        x: array of any shape.

    >>> dtype(constant(1))
    'float32'
    """
    return x.dtype if isinstance(x, KerasTensor | Variable) else ops.dtype(x)


def int_shape(x: Any) -> tuple:
    """Return the shape as a tuple of ints, None where a size is unknown.

    Args:
        x: array of any shape.

    >>> int_shape(placeholder((None, 3)))
    (None, 3)
    """
    sizes = x.shape if hasattr(x, "shape") else ops.shape(x)
    return tuple(None if n is None else int(n) for n in sizes)


get_variable_shape = int_shape


def count_params(x: Any) -> int:
    """Return the number of entries.

    Args:
        x: array of any shape.

    >>> count_params(zeros((2, 3)))
    6
    """
    return int(np.prod(int_shape(x), dtype=np.int64))


def size(x: Any, name: str | None = None) -> Any:
    """Return the number of entries; for a symbolic tensor, a symbolic one if it is unknown.

    Args:
        x: array of any shape.
        name: for compatibility; default None.

    >>> size(constant(1, shape=(2, 3)))
    6
    """
    return ops.size(x)


def cast_to_floatx(x: Any) -> Any:
    """Convert a NumPy array, list or number to a NumPy array of ``floatx()``, and a tensor to a tensor of it.

    Args:
        x: array, list, number or symbolic tensor, of any shape.

    >>> cast_to_floatx([1, 2])
    array([1., 2.], dtype=float32)
    """
    if isinstance(x, KerasTensor | Variable) or (current().is_array(x) and not isinstance(x, np.ndarray)):
        return ops.cast(x, config.floatx())
    return np.asarray(x, dtypes.numpy_dtype(config.floatx()))


def print_tensor(x: Any, message: str = "") -> Any:
    """Print a tensor and return it; while a compiled step is traced, print its shape and dtype only.

    Args:
        x: array of any shape.
        message: str, printed in front; default "".

    >>> _ = print_tensor(constant(1), "x =")
    x = 1.0
    """
    value = current().concrete(ops.reshape(x, (-1,))[0]) if 0 not in ops.shape(x) else 0
    is_known = isinstance(value, bool | int | float | complex)
    print(message, ops.convert_to_numpy(x) if is_known else f"<{dtype(x)} of shape {int_shape(x)}>")
    return ops.copy(x)


# --------------------------------------------------------------------- moving


def reshape(x: Any, shape: Any) -> Any:
    """Return the same entries in another shape, of which one size may be -1.

    Args:
        x: array of any shape.
        shape: tuple of ints.

    >>> int_shape(reshape(constant(0, shape=(4,)), (2, -1)))
    (2, 2)
    """
    return ops.reshape(x, shape)


def flatten(x: Any) -> Any:
    """Return the entries as a vector.

    Args:
        x: array of any shape.

    >>> flatten([[1, 2], [3, 4]])
    array([1, 2, 3, 4], dtype=int32)
    """
    return ops.ravel(x)


def batch_flatten(x: Any) -> Any:
    """Return a matrix with the entries of each sample in a row.

    Args:
        x: array, (batch, ...).

    >>> int_shape(batch_flatten(constant(0, shape=(2, 3, 4))))
    (2, 12)
    """
    if None in int_shape(x)[1:]:
        return _batch_flatten(x)
    return ops.reshape(x, (-1, int(np.prod(int_shape(x)[1:], dtype=np.int64))))


@op
def _batch_flatten(x: Any) -> Any:
    """Flatten samples whose sizes are known when the function runs."""
    batch, *sizes = ops.shape(x)
    return ops.reshape(x, (batch, None if None in sizes else math.prod(sizes)))


def expand_dims(x: Any, axis: int = -1) -> Any:
    """Return x with a new axis of size 1.

    Args:
        x: array of any shape.
        axis: int; default -1.

    >>> int_shape(expand_dims([1, 2]))
    (2, 1)
    """
    return ops.expand_dims(x, axis)


def concatenate(tensors: Sequence, axis: int = -1) -> Any:
    """Return arrays joined along an axis.

    Args:
        tensors: list of arrays whose shapes differ only along ``axis``.
        axis: int; default -1.

    >>> concatenate([[1, 2], [3]])
    array([1, 2, 3], dtype=int32)
    """
    return ops.concatenate(tensors, axis)


def stack(x: Sequence, axis: int = 0) -> Any:
    """Return arrays of the same shape joined along a new axis; sizes of a shape stay numbers, for ``tile``.

    Args:
        x: list of arrays, or of the sizes of a shape, such as ``[K.shape(y)[0], 1]``.
        axis: int, the new axis; default 0.

    >>> stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([[1., 3.],
           [2., 4.]], dtype=float32)
    >>> tile([[5.0]], stack([1, 2]))
    array([[5., 5.]], dtype=float32)
    """
    if all(type(n) is int for n in x):
        return np.asarray(x, "int32")  # a compiled function knows its values, as it needs them in a shape
    if all(isinstance(n, int | Size | GraphSize) for n in x):
        return tuple(x)
    return ops.stack(x, axis)


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """Return x with its axes permuted.

    Args:
        x: array of any shape.
        pattern: tuple of ints, for each axis of the result the index of the axis in ``x``.

    >>> int_shape(permute_dimensions(constant(0, shape=(2, 3, 4)), (2, 0, 1)))
    (4, 2, 3)
    """
    return ops.transpose(x, pattern)


def transpose(x: Any) -> Any:
    """Return x with its axes in reverse order.

    Args:
        x: array of any shape.

    >>> transpose([[1, 2]])
    array([[1],
           [2]], dtype=int32)
    """
    return ops.transpose(x)


def repeat(x: Any, n: int) -> Any:
    """Return each row of a matrix n times: (batch, features) becomes (batch, n, features).

    Args:
        x: array, (batch, features).
        n: int.

    Raises:
        ValueError: if ``x`` is not a matrix.

    >>> repeat([[1, 2]], 2)
    array([[[1, 2],
            [1, 2]]], dtype=int32)
    """
    if ndim(x) != 2:
        raise ValueError(f"Expected a matrix, to repeat its rows. Received shape: {int_shape(x)}.")
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Return every entry repeated ``rep`` times in place along an axis.

    Args:
        x: array of any shape.
        rep, axis: ints.

    >>> repeat_elements([1, 2], 2, axis=0)
    array([1, 1, 2, 2], dtype=int32)
    """
    return ops.repeat(x, rep, axis=axis)


def tile(x: Any, n: int | Sequence[int]) -> Any:
    """Return copies of x placed side by side, n of them along each axis.

    Args:
        x: array of any shape.
        n: int or tuple of ints.

    >>> tile([1, 2], 2)
    array([1, 2, 1, 2], dtype=int32)
    """
    return ops.tile(x, n)


def reverse(x: Any, axes: int | Sequence[int]) -> Any:
    """Return x with the order of entries reversed along axes.

    Args:
        x: array of any shape.
        axes: int or tuple of ints.

    >>> reverse([1, 2, 3], 0)
    array([3, 2, 1], dtype=int32)
    """
    return ops.flip(x, axes)


def slice(x: Any, start: Any, size: Any) -> Any:
    """Return a block given by ``start`` and ``size`` along each axis; a size of -1 reaches to the end.

    Args:
        x: array of any shape.
        start, size: tuples of ints.

    >>> slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, -1))
    array([[2, 3],
           [5, 6]], dtype=int32)
    """
    start, size = ([v] if isinstance(v, int) else list(v) for v in (start, size))
    rests = [None if full is None else full - first for full, first in zip(int_shape(x), start, strict=True)]
    sizes: list[Any] = [rest if n == -1 else n for rest, n in zip(rests, size, strict=True)]
    return ops.slice(x, start, sizes)


def gather(reference: Any, indices: Any) -> Any:
    """Return entries along the first axis at given indices.

    Args:
        reference: array, (n, ...).
        indices: array of integers, of any shape.

    >>> gather([10, 20, 30], [2, 0])
    array([30, 10], dtype=int32)
    """
    return ops.take(reference, ops.cast(indices, "int32"), axis=0)


def one_hot(indices: Any, num_classes: int) -> Any:
    """Return one-hot rows: a 1 at each index and 0 elsewhere.

    Args:
        indices: array of integers, of any shape.
        num_classes: int, the size of the last axis of the result.

    >>> one_hot([1], 3)
    array([[0., 1., 0.]], dtype=float32)
    """
    return ops.one_hot(ops.cast(indices, "int32"), num_classes)


# --------------------------------------------------------------------- sparse


class SparseTensor(NamedTuple):
    """The positions and values of non-zero entries, for ``to_dense``.

    >>> import numpy as np, polykeras as keras
    >>> x = keras.backend.SparseTensor(np.array([[0, 1]]), np.array([5.0]), (2, 2))
    >>> np.asarray(keras.backend.to_dense(x)).tolist()
    [[0.0, 5.0], [0.0, 0.0]]
    """

    indices: Any
    values: Any
    dense_shape: tuple


def is_sparse(tensor: Any) -> bool:
    """True for a ``SparseTensor``, also one of TensorFlow, and for a symbolic tensor made with ``sparse=True``.

    Args:
        tensor: any object.

    >>> is_sparse(constant(1))
    False
    """
    if is_structured(tensor):
        engine = current()
        return engine.as_structured(tensor) is not None and engine.layout(tensor) == "sparse"
    return isinstance(tensor, SparseTensor) or getattr(tensor, "sparse", False) is True


def to_dense(tensor: Any) -> Any:
    """Return a sparse tensor, as told by ``is_sparse``, as an array; an array is returned unchanged.

    Args:
        tensor: SparseTensor, symbolic tensor or array.

    >>> to_dense(SparseTensor([[0, 1]], [5.0], (1, 2)))
    array([[0., 5.]], dtype=float32)
    """
    if not is_sparse(tensor):
        return tensor
    if not isinstance(tensor, SparseTensor):
        return ops.convert_to_tensor(tensor, sparse=False)
    return ops.scatter(tensor.indices, tensor.values, tensor.dense_shape)
