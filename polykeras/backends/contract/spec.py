"""Shape inference as another engine: arrays are (shape, dtype), and primitives are shape rules.

Composites, losses and every layer's ``call`` run over it unchanged, at about a microsecond per
operation and without a framework. A size is None where it is unknown (batch size, sequence
length); sizes that depend on an unknown size are unknown.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from typing import Any

import numpy as np

from polykeras.backends.contract.backend import Backend
from polykeras.backends.contract.layouts import layout_of
from polykeras.backends.shared import structured
from polykeras.core import dtypes, trees, window_geometry
from polykeras.core.operators import EngineNeeded, Operators, ValueNeeded


class SpecArray(Operators):
    """A shape and a dtype.

    >>> array_of((None, 3), "float32")
    <spec (None, 3) float32>
    """

    __slots__ = ("shape", "dtype", "__weakref__")
    __hash__ = object.__hash__  # by identity; ``==`` compares values

    def __init__(self, shape: tuple, dtype: str) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<spec {self.shape} {self.dtype}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in self.__slots__:  # looked up by Python's protocols, such as copying
            raise AttributeError(name)
        raise EngineNeeded(
            f"Expected what an array without values has: shape, dtype, ndim and operators. Received: {name!r} of "
            f"{self!r}. Use polykeras.ops, or call the code in a layer, loss, metric or step of a model."
        )

    def _needs_value(self) -> Any:
        raise ValueNeeded(f"Expected an array with values. Received: {self!r}, which has a shape and no values.")

    __float__ = __int__ = __index__ = _needs_value


class StructuredSpec(SpecArray):
    """The spec of a sparse or ragged array.

    Args:
        layout: "sparse" or "ragged".
    """

    __slots__ = ("layout",)

    def __init__(self, shape: tuple, dtype: str, layout: str) -> None:
        super().__init__(shape, dtype)
        self.layout = layout


structured.register(StructuredSpec)


def array_of(shape: tuple, dtype: str = "float32") -> SpecArray:
    """Make a spec array; sizes may be None."""
    return SpecArray(tuple(shape), dtype)


def _shape(x: Any) -> tuple:
    return x.shape if isinstance(x, SpecArray) else np.shape(x)


def broadcast_shapes(*shapes: tuple) -> tuple:
    """Return the shape that the given shapes broadcast to.

    Raises:
        ValueError: if they do not broadcast.

    >>> broadcast_shapes((None, 1, 3), (4, 1))
    (None, 4, 3)
    """
    rank = max(map(len, shapes))
    result = []
    for sizes in zip(*((1,) * (rank - len(s)) + tuple(s) for s in shapes), strict=True):
        known = {n for n in sizes if n is not None and n != 1}
        if len(known) > 1:
            raise ValueError(
                f"Expected shapes that broadcast: sizes equal or 1, from the last axis on. "
                f"Received: {' and '.join(map(str, shapes))}."
            )
        # An unknown size may be 1 and broadcast, so a known size other than 1 wins.
        unless_known = None if None in sizes else 1
        result.append(known.pop() if known else unless_known)
    return tuple(result)


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"Expected an axis from {-rank} to {rank - 1}. Received: {axis}.")
    return axis % rank


def _least(rows: int | None, columns: int | None) -> int | None:
    return None if rows is None or columns is None else min(rows, columns)


def _product(sizes: Any) -> int | None:
    sizes = tuple(sizes)
    return None if None in sizes else math.prod(sizes)


def _either(x: SpecArray, y: SpecArray) -> SpecArray:
    """Return the spec of an array that is one of two; a size is None if it is unknown in either."""
    pairs = list(itertools.zip_longest(x.shape, y.shape, fillvalue=-1))
    if any(None not in pair and len(set(pair)) > 1 for pair in pairs):
        raise ValueError(
            f"Expected both functions of cond to return the same shape. Received: {x.shape} and {y.shape}."
        )
    return SpecArray(tuple(n if n == m else None for n, m in pairs), x.dtype)


def _same(self: SpecBackend, x: SpecArray, *_: Any, **__: Any) -> SpecArray:
    return x


def _to_bool(self: SpecBackend, x: SpecArray, *_: Any) -> SpecArray:
    return SpecArray(x.shape, "bool")


def _broadcast(self: SpecBackend, x: Any, y: Any, /) -> SpecArray:
    first, second = _shape(x), _shape(y)
    array = x if isinstance(x, SpecArray) else y
    return array if first == second else SpecArray(broadcast_shapes(first, second), array.dtype)


def _compare(self: SpecBackend, x: Any, y: Any, /) -> SpecArray:
    return SpecArray(broadcast_shapes(_shape(x), _shape(y)), "bool")


def _reduce(self: SpecBackend, x: SpecArray, axes: tuple | None = None, keepdims: bool = False) -> SpecArray:
    rank = len(x.shape)
    gone = set(range(rank)) if axes is None else {_axis(a, rank) for a in axes}
    if keepdims:
        return SpecArray(tuple(1 if a in gone else n for a, n in enumerate(x.shape)), x.dtype)
    return SpecArray(tuple(n for a, n in enumerate(x.shape) if a not in gone), x.dtype)


def _index_of(self: SpecBackend, x: SpecArray, axis: int) -> SpecArray:
    return SpecArray(_reduce(self, x, (axis,)).shape, "int32")


class SpecBackend(Backend):
    """The contract's interface over shapes."""

    name = "spec"
    is_symbolic = True

    # ---------------------------------------------------------------- arrays

    def array(self, x: object, dtype: str | None = None) -> SpecArray:
        if isinstance(x, SpecArray):
            return x if dtype is None else SpecArray(x.shape, dtype)
        if hasattr(x, "shape") and hasattr(x, "dtype"):
            return SpecArray(tuple(x.shape), dtype or dtypes.standardize(x.dtype))
        value = np.asarray(x)
        if value.dtype.kind == "O":
            raise EngineNeeded(f"Expected numbers. Received: {x!r}, in which sizes that are unknown are None.")
        weak = {"i": "int32", "f": dtypes.promote("float"), "b": "bool"}
        return SpecArray(value.shape, dtype or weak[value.dtype.kind])

    def densified(self, x: Any) -> Any:
        if isinstance(x, StructuredSpec):
            return SpecArray(x.shape, x.dtype)
        return x if isinstance(x, SpecArray) else super().densified(x)

    def as_structured(self, x: Any) -> Any:
        return x if isinstance(x, StructuredSpec) else None

    def layout(self, x: StructuredSpec) -> str:
        return x.layout

    def structured(self, function: Any, args: tuple, kwargs: dict) -> Any:
        result = super().structured(function, args, kwargs)
        layout = layout_of(function.__name__, args, kwargs)
        return StructuredSpec(result.shape, result.dtype, layout) if layout else result

    def to_numpy(self, x: SpecArray) -> Any:
        x.__array__()

    def is_array(self, x: object) -> bool:
        return isinstance(x, SpecArray)

    def shape(self, x: SpecArray) -> tuple:
        return x.shape

    def dtype(self, x: SpecArray) -> str:
        return x.dtype

    def cast(self, x: SpecArray, dtype: str) -> SpecArray:
        return x if x.dtype == dtype else SpecArray(x.shape, dtype)

    bitcast = cast

    def copy(self, x: SpecArray) -> SpecArray:
        return copy.copy(x)

    def concrete(self, x: SpecArray) -> SpecArray:
        return x

    def sizes(self, x: SpecArray) -> tuple:
        return (None,) * (x.shape[0] if x.shape else 1)

    def full(self, shape: tuple, value: object, dtype: str) -> SpecArray:
        return SpecArray(tuple(shape), dtype)

    def arange(self, start: float, stop: float | None, step: float, dtype: str) -> SpecArray:
        size = None if stop is None or start is None else max(math.ceil((stop - start) / step), 0)
        return SpecArray((size,), dtype)

    # ------------------------------------------------------------ elementwise

    negative = absolute = sign = exp = expm1 = log = log1p = sqrt = sin = cos = tan = _same
    arcsin = arccos = arctan = sinh = cosh = tanh = arcsinh = arccosh = arctanh = _same
    erf = erfinv = lgamma = digamma = floor = ceil = round = logical_not = bitwise_not = _same
    square = rsqrt = relu = sigmoid = softplus = elu = selu = silu = gelu = softmax = log_softmax = _same
    isfinite = isnan = _to_bool

    add = subtract = multiply = divide = floor_divide = mod = power = _broadcast
    maximum = minimum = arctan2 = logical_and = logical_or = _broadcast
    bitwise_and = bitwise_or = bitwise_xor = left_shift = right_shift = _broadcast
    equal = not_equal = less = less_equal = greater = greater_equal = _compare

    def where(self, condition: Any, x: Any, y: Any, /) -> SpecArray:
        dtype = (x if isinstance(x, SpecArray) else y).dtype
        return SpecArray(broadcast_shapes(_shape(condition), _shape(x), _shape(y)), dtype)

    # -------------------------------------------------------------- reductions

    sum = prod = max = min = any = all = mean = logsumexp = _reduce
    argmax = argmin = _index_of
    cumsum = cumprod = sort = _same

    def argsort(self, x: SpecArray, axis: int) -> SpecArray:
        return SpecArray(x.shape, "int32")

    # ---------------------------------------------------------- linear algebra

    def matmul(self, x: SpecArray, y: SpecArray, /) -> SpecArray:
        left = (1, *x.shape) if len(x.shape) == 1 else x.shape
        right = (*y.shape, 1) if len(y.shape) == 1 else y.shape
        inner, outer = left[-1], right[-2]
        if None not in (inner, outer) and inner != outer:
            raise ValueError(f"Expected matrices whose inner sizes agree. Received: {x.shape} and {y.shape}.")
        shape = broadcast_shapes(left[:-2], right[:-2])
        shape += () if len(x.shape) == 1 else (left[-2],)
        shape += () if len(y.shape) == 1 else (right[-1],)
        return SpecArray(shape, x.dtype)

    def einsum(self, subscripts: str, *operands: SpecArray) -> SpecArray:
        inputs, arrow, output = subscripts.replace(" ", "").partition("->")
        sizes: dict[str, Any] = {}
        batches = []
        for term, operand in zip(inputs.split(","), operands, strict=True):
            head, dots, tail = term.partition("...")
            extra = len(operand.shape) - len(head) - len(tail)
            if extra < 0 or (extra and not dots):
                raise ValueError(
                    f"Expected the operand for {term!r} in einsum {subscripts!r} to have "
                    f"{len(head) + len(tail)} axes. Received shape: {operand.shape}."
                )
            middle = len(head) + extra
            batches.append(operand.shape[len(head) : middle])
            for letter, size in zip(head + tail, operand.shape[: len(head)] + operand.shape[middle:], strict=True):
                known = sizes.get(letter)
                if None not in (known, size) and known != size and 1 not in (known, size):
                    raise ValueError(
                        f"Expected one size for {letter!r} in einsum {subscripts!r}. Received: {known} and {size}."
                    )
                sizes[letter] = size if known in (None, 1) else known
        if not arrow:
            output = "..." + "".join(sorted(c for c in sizes if inputs.count(c) == 1))
        head, _, tail = output.partition("...")
        between = broadcast_shapes(*batches) if "..." in output else ()
        shape = tuple(sizes[c] for c in head) + between + tuple(sizes[c] for c in tail)
        return SpecArray(shape, operands[0].dtype)

    cholesky = inv = _same

    def det(self, x: SpecArray) -> SpecArray:
        return SpecArray(x.shape[:-2], x.dtype)

    def solve(self, a: SpecArray, b: SpecArray) -> SpecArray:
        return SpecArray(broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], b.dtype)

    def solve_triangular(self, a: SpecArray, b: SpecArray, lower: bool = False) -> SpecArray:
        return self.solve(a, b)

    def qr(self, x: SpecArray, mode: str = "reduced") -> tuple:
        *batch, rows, columns = x.shape
        inner = rows if mode == "complete" else _least(rows, columns)
        return SpecArray((*batch, rows, inner), x.dtype), SpecArray((*batch, inner, columns), x.dtype)

    def svd(self, x: SpecArray, full_matrices: bool = True) -> tuple:
        *batch, rows, columns = x.shape
        inner = _least(rows, columns)
        left, right = (rows, columns) if full_matrices else (inner, inner)
        shapes = (*batch, rows, left), (*batch, inner), (*batch, right, columns)
        return tuple(SpecArray(shape, x.dtype) for shape in shapes)

    def eigh(self, x: SpecArray) -> tuple:
        return SpecArray(x.shape[:-1], x.dtype), x

    def eig(self, x: SpecArray, /) -> tuple:
        dtype = dtypes.promote(x.dtype, "complex64")
        return SpecArray(x.shape[:-1], dtype), SpecArray(x.shape, dtype)

    # --------------------------------------------------------- complex numbers

    def complex(self, real: SpecArray, imag: SpecArray, /) -> SpecArray:
        return SpecArray(real.shape, dtypes.promote(real.dtype, "complex64"))

    def real(self, x: SpecArray, /) -> SpecArray:
        return SpecArray(x.shape, "float64" if x.dtype == "complex128" else "float32")

    imag = real

    # ---------------------------------------------------------------- movement

    def reshape(self, x: SpecArray, shape: tuple) -> SpecArray:
        target = [None if n is None else int(n) for n in shape]
        total, asked = _product(x.shape), _product(n for n in target if n != -1)
        # The size -1 can be inferred only if the unknown sizes cancel out.
        if -1 in target:
            target[target.index(-1)] = self._free_size(x.shape, target)
        elif None not in (total, asked) and total != asked:
            raise ValueError(f"Expected a shape of {total} entries, as in {x.shape}. Received: {tuple(shape)}.")
        return SpecArray(tuple(target), x.dtype)

    def _free_size(self, shape: tuple, target: list) -> int | None:
        """Return the size of the single -1 in ``target``."""
        if shape.count(None) != target.count(None):
            return None
        known = math.prod(n for n in shape if n is not None)
        taken = math.prod(n for n in target if n not in (None, -1))
        if taken == 0:
            return 0
        if known % taken:
            raise ValueError(
                f"Expected a shape that {shape} can take. Received: {tuple(target)}: "
                f"{known} entries do not divide by {taken}."
            )
        return known // taken

    def transpose(self, x: SpecArray, axes: tuple) -> SpecArray:
        rank = len(x.shape)
        if sorted(a % rank for a in axes) != list(range(rank)):
            raise ValueError(f"Expected a permutation of {rank} axes. Received: {tuple(axes)}.")
        return SpecArray(tuple(x.shape[a] for a in axes), x.dtype)

    def broadcast_to(self, x: SpecArray, shape: tuple) -> SpecArray:
        broadcast_shapes(x.shape, tuple(shape))
        return SpecArray(tuple(shape), x.dtype)

    def concatenate(self, arrays: Any, axis: int) -> SpecArray:
        shapes = [x.shape for x in arrays]
        rank = len(shapes[0])
        axis = _axis(axis, rank)
        result = []
        for index in range(rank):
            sizes = {s[index] if len(s) == rank else -1 for s in shapes} - {None}
            if index == axis:
                total = [s[index] for s in shapes]
                result.append(None if None in total else sum(total))
            elif len(sizes) > 1 or -1 in sizes:
                raise ValueError(f"Expected arrays of the same shape except along axis {axis}. Received: {shapes}.")
            else:
                result.append(sizes.pop() if sizes else None)
        return SpecArray(tuple(result), arrays[0].dtype)

    def getitem(self, x: SpecArray, index: tuple) -> SpecArray:
        missing = len(x.shape) - sum(i is not None and i is not Ellipsis for i in index)
        if missing < 0:
            raise ValueError(f"Expected at most {len(x.shape)} indices. Received: {index}.")
        if Ellipsis in index:
            ellipsis = index.index(Ellipsis)
            index = index[:ellipsis] + (slice(None),) * missing + index[ellipsis + 1 :]
        else:
            index += (slice(None),) * missing
        sizes = iter(x.shape)
        shape: list[int | None] = []
        for item in index:
            if item is None:
                shape.append(1)
                continue
            size = next(sizes)
            if isinstance(item, slice):
                shape.append(self._slice_size(item, size))
            elif isinstance(item, int) and size is not None and not -size <= item < size:
                raise IndexError(f"Expected an index below {size}, from {-size} on. Received: {item}.")
        return SpecArray(tuple(shape), x.dtype)

    def _slice_size(self, item: slice, size: int | None) -> int | None:
        if size is None:
            return None
        return len(range(*item.indices(size)))

    def pad(self, x: SpecArray, widths: Any, value: float = 0) -> SpecArray:
        columns = zip(x.shape, widths, strict=True)
        shape = tuple(None if n is None else n + before + after for n, (before, after) in columns)
        return SpecArray(shape, x.dtype)

    flip = _same

    def take(self, x: SpecArray, indices: SpecArray, axis: int) -> SpecArray:
        axis = _axis(axis, len(x.shape))
        return SpecArray(x.shape[:axis] + _shape(indices) + x.shape[axis + 1 :], x.dtype)

    def take_along_axis(self, x: SpecArray, indices: SpecArray, axis: int) -> SpecArray:
        axis = _axis(axis, len(x.shape))
        shape = list(broadcast_shapes(x.shape[:axis] + (1,) + x.shape[axis + 1 :], indices.shape))
        shape[axis] = indices.shape[axis]
        return SpecArray(tuple(shape), x.dtype)

    def scatter_add(self, x: SpecArray, indices: SpecArray, updates: SpecArray) -> SpecArray:
        return x

    scatter_set = scatter_add

    def dynamic_slice(self, x: SpecArray, start: Any, sizes: tuple) -> SpecArray:
        return SpecArray(tuple(sizes), x.dtype)

    def dynamic_update(self, x: SpecArray, update: SpecArray, start: Any) -> SpecArray:
        return x

    # ----------------------------------------------------------------- control

    def scan(self, step: Any, carry: Any, xs: Any, length: int | None = None, reverse: bool = False) -> tuple:
        leaves = trees.leaves(xs)
        length = leaves[0].shape[0] if leaves else length
        carry, y = step(carry, trees.map(lambda x: SpecArray(x.shape[1:], x.dtype), xs))
        return carry, trees.map(lambda x: SpecArray((length, *x.shape), x.dtype), y)

    def cond(self, predicate: Any, on_true: Any, on_false: Any) -> Any:
        result, other = on_true(), on_false()
        if trees.structure(result) != trees.structure(other):
            raise ValueError(
                f"Expected both functions of cond to return the same structure. Received: {result} and {other}."
            )
        return trees.map(_either, result, other)

    def while_loop(self, condition: Any, body: Any, values: tuple) -> tuple:
        return tuple(body(*values))

    # -------------------------------------------------------------- transforms

    def value_and_grad(self, function: Any, arrays: list) -> tuple:
        return function(arrays), list(arrays)

    def stop_gradient(self, x: SpecArray) -> SpecArray:
        return x

    def custom_gradient(self, function: Any) -> Any:
        return lambda *arrays: function(*arrays)[0]

    def checkpoint(self, function: Any) -> Any:
        return function

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        return function

    # --------------------------------------------------------------- placement

    def devices(self) -> list[str]:
        return ["cpu:0"]

    def use_device(self, name: str) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()

    def place(self, x: SpecArray, device: str | None = None) -> SpecArray:
        return x

    def version(self) -> str:
        return ""

    # ----------------------------------------------------------------- kernels

    def conv(
        self,
        x: SpecArray,
        kernel: SpecArray,
        strides: tuple,
        padding: str,
        dilation: tuple,
        groups: int = 1,
        channels_last: bool = True,
    ) -> SpecArray:
        *window, width, filters = kernel.shape
        channels = x.shape[-1] if channels_last else x.shape[1]
        if channels is not None and channels != width * groups:
            raise ValueError(
                f"Expected {width * groups} input channels for a kernel of shape {kernel.shape} and "
                f"groups={groups}. Received input shape: {x.shape}."
            )
        sizes = self._spatial(x, channels_last)
        columns = zip(sizes, window, strides, dilation, strict=True)
        counts = [window_geometry.output_size(n, w, s, padding, d) for n, w, s, d in columns]
        return self._from_spatial(x, counts, filters, channels_last, window)

    def conv_transpose(
        self,
        x: SpecArray,
        kernel: SpecArray,
        strides: tuple,
        padding: str,
        output_padding: tuple | None,
        dilation: tuple,
        channels_last: bool = True,
    ) -> SpecArray:
        *window, filters, width = kernel.shape
        channels = x.shape[-1] if channels_last else x.shape[1]
        if None not in (channels, width) and channels != width:
            raise ValueError(
                f"Expected {width} input channels for a transposed kernel of shape {kernel.shape}. "
                f"Received input shape: {x.shape}."
            )
        extra = output_padding or (None,) * len(strides)
        columns = zip(self._spatial(x, channels_last), window, strides, dilation, extra, strict=True)
        sizes = [window_geometry.transposed_size(n, w, s, padding, d, e) for n, w, s, d, e in columns]
        return self._from_spatial(x, sizes, filters, channels_last, window)

    def pool(
        self,
        x: SpecArray,
        mode: str,
        window: tuple,
        strides: tuple,
        padding: str,
        channels_last: bool = True,
    ) -> SpecArray:
        columns = zip(self._spatial(x, channels_last), window, strides, strict=True)
        sizes = [window_geometry.output_size(n, w, s, padding) for n, w, s in columns]
        channels = x.shape[-1] if channels_last else x.shape[1]
        return self._from_spatial(x, sizes, channels, channels_last, window)

    def _spatial(self, x: SpecArray, channels_last: bool) -> tuple:
        return x.shape[1:-1] if channels_last else x.shape[2:]

    def _from_spatial(self, x: SpecArray, sizes: list, channels: int, channels_last: bool, window: Any) -> SpecArray:
        if any(n is not None and n < 1 for n in sizes):
            raise ValueError(
                f"Expected an input at least as large as the window {tuple(window)}, along every "
                f'spatial axis. Received input shape: {x.shape}. Use padding="same" or a smaller window.'
            )
        shape = (*sizes, channels) if channels_last else (channels, *sizes)
        return SpecArray((x.shape[0], *shape), x.dtype)

    def one_hot(self, x: SpecArray, classes: int, dtype: str) -> SpecArray:
        return SpecArray((*x.shape, classes), dtype)

    def top_k(self, x: SpecArray, k: int) -> tuple:
        shape = (*x.shape[:-1], k)
        return SpecArray(shape, x.dtype), SpecArray(shape, "int32")

    def random_bits(self, key: tuple, shape: tuple) -> SpecArray:
        return SpecArray(tuple(shape), "int32")


ADAPTER = SpecBackend

#: The only instance; shape inference has no state.
SPEC = SpecBackend()
