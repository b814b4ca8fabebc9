"""Rearranging the entries of arrays: shape, order of axes, joining, splitting, repeating, padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from polykeras.backends import current
from polykeras.backends.shared.graph_sizes import GraphSize
from polykeras.core import dtypes
from polykeras.ops import _call
from polykeras.ops._call import op

# ----------------------------------------------------------------------- shape


@op
def reshape(x: Any, newshape: Any) -> Any:
    """Return the same entries in another shape.

    Args:
        x: array of any shape.
        newshape: tuple of sizes, which may be arrays; one may be -1 (or None), to be inferred from the others.

    Raises:
        ValueError: for a size below -1, or more than one -1.

    >>> reshape([1, 2, 3, 4], (2, -1))
    array([[1, 2],
           [3, 4]], dtype=int32)
    """
    sizes = _call.sizes(newshape)
    known = [n for n in sizes if isinstance(n, int | np.integer)]
    if any(n < -1 for n in known) or known.count(-1) > 1:
        raise ValueError(f"Expected sizes of at least 0, and -1 once at most. Received newshape: {tuple(newshape)}.")
    x = _call.array(x)
    shape = tuple(current().shape(x))
    if 0 in known and -1 in known and all(isinstance(n, int) for n in (*shape, *sizes)):
        sizes = _sizes_of_nothing(shape, sizes)
    return _call.reshaped(x, sizes)


def _sizes_of_nothing(shape: tuple, sizes: Any) -> tuple:
    """Find the size for -1 from the sizes that are not 0, where any would do: ``(0, -1)`` flattens an empty batch."""
    count, rest = (math.prod(n for n in each if n not in (0, -1)) for each in (shape, sizes))
    return tuple(count // rest if n == -1 else n for n in sizes)


@op
def ravel(x: Any) -> Any:
    """Return the entries as a vector.

    Args:
        x: array of any shape.

    >>> ravel([[1, 2], [3, 4]])
    array([1, 2, 3, 4], dtype=int32)
    """
    return current().reshape(_call.array(x), (-1,))


@op
def expand_dims(x: Any, axis: int | Sequence[int]) -> Any:
    """Return x with new axes of size 1, inserted at indices of the result.

    Args:
        x: array of any shape.
        axis: int or tuple of ints, the indices of the new axes in the result.

    >>> expand_dims([1, 2], 0).shape, expand_dims([1, 2], (0, -1)).shape
    ((1, 2), (1, 2, 1))
    """
    x = _call.array(x)
    sizes = list(current().shape(x))
    count = 1 if isinstance(axis, int) else len(axis)
    for index in sorted(_call.axes_of(axis, len(sizes) + count)):
        sizes.insert(index, 1)
    return _call.reshaped(x, sizes)


@op
def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Return x without axes of size 1: the given ones, or all of them.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes of size 1; default None.

    Raises:
        ValueError: if a given axis has another size.

    >>> squeeze([[[1, 2]]]), squeeze([[[1, 2]]], 0)
    (array([1, 2], dtype=int32), array([[1, 2]], dtype=int32))
    """
    x = _call.array(x)
    sizes = current().shape(x)
    axes = _call.axes_of(axis, len(sizes))
    if axes is None:
        axes = tuple(a for a, n in enumerate(sizes) if n == 1)
    if any(sizes[a] not in (1, None) for a in axes):
        raise ValueError(f"Expected size 1 along axis {axis}. Received shape: {tuple(sizes)}.")
    return _call.reshaped(x, (n for a, n in enumerate(sizes) if a not in axes))


@op
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Return x with its axes permuted, by default reversed.

    Args:
        x: array of any shape.
        axes: tuple of ints, for each axis of the result the index of the axis in ``x``; None for the reverse.

    Raises:
        ValueError: if ``axes`` is not a permutation of all axes.

    >>> transpose([[1, 2], [3, 4]])
    array([[1, 3],
           [2, 4]], dtype=int32)
    """
    x = _call.array(x)
    rank = len(current().shape(x))
    order = tuple(range(rank))[::-1] if axes is None else _call.axes_of(tuple(axes), rank, "axes")
    if len(order) != rank:
        raise ValueError(f"Expected a permutation of {rank} axes. Received: {axes}.")
    return current().transpose(x, order)


@op
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Return x with two axes swapped.

    Args:
        x: array of any shape.
        axis1, axis2: ints, the axes to swap.

    >>> swapaxes([[1, 2, 3]], 0, 1).shape
    (3, 1)
    """
    x = _call.array(x)
    order = list(range(len(current().shape(x))))
    first, second = _call.axis_of(axis1, len(order), "axis1"), _call.axis_of(axis2, len(order), "axis2")
    order[first], order[second] = second, first
    return current().transpose(x, tuple(order))


@op
def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Return x with some axes moved to new indices; the other axes keep their order.

    Args:
        x: array of any shape.
        source, destination: int or tuples of ints, indices of axes in ``x`` and in the result.

    Raises:
        ValueError: if the numbers of sources and destinations differ.

    >>> moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = _call.array(x)
    rank = len(current().shape(x))
    sources, destinations = _call.axes_of(source, rank, "source"), _call.axes_of(destination, rank, "destination")
    if len(sources) != len(destinations):
        raise ValueError(f"Expected as many destinations as sources. Received: {source} and {destination}.")
    order = [a for a in range(rank) if a not in sources]
    for index, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(index, axis)
    return current().transpose(x, tuple(order))


@op
def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """Return x repeated along new axes and axes of size 1.

    Args:
        x: array that broadcasts to ``shape``.
        shape: tuple of ints, the shape of the result.

    >>> broadcast_to([1, 2], (2, 2))
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
    return current().broadcast_to(_call.array(x), _call.sizes(shape))


# --------------------------------------------------------- joining, splitting


@op
def concatenate(xs: Sequence, axis: int = 0) -> Any:
    """Return arrays joined along an axis, in their common dtype.

    Args:
        xs: list of arrays whose shapes differ only along ``axis``.
        axis: int, the axis to join along; default 0.

    Raises:
        ValueError: if axis is None.

    >>> concatenate([[1, 2], [3.5]])
    array([1. , 2. , 3.5], dtype=float32)
    """
    if axis is None:
        raise ValueError("Expected axis to be an int. Received: None. Reshape the arrays to (-1,) to join all entries.")
    xs = _call.same_dtype(*xs)
    return current().concatenate(xs, _call.axis_of(axis, len(current().shape(xs[0]))))


@op
def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """Return two arrays joined along an axis, or flattened and joined if it is None.

    Args:
        x1, x2: arrays whose shapes differ only along ``axis``; of any shapes if it is None.
        axis: int, or None to flatten both; default None.

    >>> append([1, 2], [[3], [4]])
    array([1, 2, 3, 4], dtype=int32)
    """
    return concatenate([ravel(x1), ravel(x2)]) if axis is None else concatenate([x1, x2], axis)


@op
def stack(x: Sequence, axis: int = 0) -> Any:
    """Return arrays of the same shape joined along a new axis.

    Args:
        x: list of arrays of the same shape.
        axis: int, the axis; default 0.

    >>> stack([[1, 2], [3, 4]], -1)
    array([[1, 3],
           [2, 4]], dtype=int32)
    """
    xs = _call.same_dtype(*x)
    return current().stack(xs, _call.axis_of(axis, len(current().shape(xs[0])) + 1))


def _of_rank(xs: Any, rank: int) -> list:
    """Return arrays with leading axes of size 1 added, up to ``rank`` axes."""
    arrays = [_call.array(x) for x in xs]
    shapes = [current().shape(x) for x in arrays]
    pairs = zip(arrays, shapes, strict=True)
    return [_call.reshaped(x, (1,) * (rank - len(s)) + tuple(s)) if len(s) < rank else x for x, s in pairs]


@op
def hstack(xs: Sequence) -> Any:
    """Return arrays joined along axis 1; vectors along axis 0.

    Args:
        xs: list of arrays whose shapes differ only along the joined axis.

    >>> hstack([[1, 2], [3]])
    array([1, 2, 3], dtype=int32)
    """
    xs = _of_rank(xs, 1)
    return concatenate(xs, 0 if len(current().shape(xs[0])) == 1 else 1)


@op
def vstack(xs: Sequence) -> Any:
    """Return arrays joined along axis 0; vectors count as rows.

    Args:
        xs: list of arrays whose shapes differ only along the joined axis.

    >>> vstack([[1, 2], [3, 4]])
    array([[1, 2],
           [3, 4]], dtype=int32)
    """
    return concatenate(_of_rank(xs, 2), 0)


@op
def dstack(xs: Sequence) -> Any:
    """Return arrays joined along axis 2, which is added to vectors and matrices.

    Args:
        xs: list of arrays whose shapes differ only along the joined axis.

    >>> dstack([[1, 2], [3, 4]]).shape
    (1, 2, 2)
    """
    deep = []
    for x in _of_rank(xs, 2):
        sizes = current().shape(x)
        deep.append(_call.reshaped(x, (*sizes, 1)) if len(sizes) == 2 else x)
    return concatenate(deep, 2)


def _part(x: Any, axis: int, *bounds: int | None) -> Any:
    return current().getitem(x, (slice(None),) * axis + (slice(*bounds),))


def _split_at(x: Any, indices: Sequence[int], axis: int) -> list:
    starts = [0, *map(int, indices)]
    parts = [_part(x, axis, start, stop) for start, stop in zip(starts, [*starts[1:], None], strict=True)]
    if current().shape(x)[axis] is None and current().is_symbolic:  # the axis is long enough for its parts
        sizes = [*np.diff(starts).tolist(), None]
        parts = [_call.sized(part, {axis: size}) for part, size in zip(parts, sizes, strict=True)]
    return parts


@op
def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list:
    """Split an array into equal parts, or at given indices.

    Args:
        x: array of any shape.
        indices_or_sections: the number of equal parts, or the indices where parts begin.
        axis: int, the axis to split; default 0.

    Raises:
        ValueError: if the size is not a multiple of the number of parts.

    >>> split([1, 2, 3, 4], 2), split([1, 2, 3], [1])
    ([array([1, 2], dtype=int32), array([3, 4], dtype=int32)], [array([1], dtype=int32), array([2, 3], dtype=int32)])
    """
    x = _call.array(x)
    shape = current().shape(x)
    axis = _call.axis_of(axis, len(shape))
    if not isinstance(indices_or_sections, int):
        return _split_at(x, indices_or_sections, axis)
    count, size = indices_or_sections, shape[axis]
    if size is None:
        return [x] * count
    if size % count:
        raise ValueError(f"Expected a size divisible by {count} along axis {axis}. Received shape: {tuple(shape)}.")
    return _split_at(x, range(size // count, size, size // count), axis) if size else [x] * count


@op
def array_split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list:
    """Split an array into parts like ``split``; the first ones have one entry more if the size is not a multiple.

    Args:
        x: array of any shape.
        indices_or_sections: the number of parts, or the indices where parts begin.
        axis: int, the axis to split; default 0.

    >>> [part.shape for part in array_split([1, 2, 3], 2)]
    [(2,), (1,)]
    """
    x = _call.array(x)
    shape = current().shape(x)
    axis = _call.axis_of(axis, len(shape))
    if not isinstance(indices_or_sections, int):
        return _split_at(x, indices_or_sections, axis)
    count, size = indices_or_sections, shape[axis]
    if size is None:
        return [x] * count
    sizes = [size // count + (n < size % count) for n in range(count)]
    return _split_at(x, np.cumsum(sizes)[:-1].tolist(), axis)


@op
def hsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list:
    """Split an array along axis 1; a vector along axis 0.

    Args:
        x: array of any shape.
        indices_or_sections: the number of equal parts, or the indices where parts begin.

    >>> [part.shape for part in hsplit(np.zeros((2, 4)), 2)]
    [(2, 2), (2, 2)]
    """
    x = _call.array(x)
    return split(x, indices_or_sections, 0 if len(current().shape(x)) == 1 else 1)


@op
def vsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list:
    """Split an array along axis 0.

    Args:
        x: array of any shape.
        indices_or_sections: the number of equal parts, or the indices where parts begin.

    >>> [part.shape for part in vsplit(np.zeros((4, 2)), 2)]
    [(2, 2), (2, 2)]
    """
    return split(x, indices_or_sections, 0)


@op
def dsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list:
    """Split an array along axis 2.

    Args:
        x: array of any shape.
        indices_or_sections: the number of equal parts, or the indices where parts begin.

    >>> [part.shape for part in dsplit(np.zeros((1, 2, 4)), 2)]
    [(1, 2, 2), (1, 2, 2)]
    """
    return split(x, indices_or_sections, 2)


@op
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list:
    """Return the slices along an axis, which is removed.

    Args:
        x: array of any shape.
        num: int, how many; needed if the size is unknown; default None.
        axis: int; default 0.

    Raises:
        ValueError: if the size of the axis is unknown, and ``num`` is None.

    >>> unstack([[1, 2], [3, 4]])
    [array([1, 2], dtype=int32), array([3, 4], dtype=int32)]
    """
    x = _call.array(x)
    shape = current().shape(x)
    axis = _call.axis_of(axis, len(shape))
    count = shape[axis] if num is None else num
    if count is None:
        raise ValueError(f"Expected num, as the size of axis {axis} is unknown. Received shape: {tuple(shape)}.")
    return [current().getitem(x, (slice(None),) * axis + (index,)) for index in range(count)]


# ------------------------------------------------------------------ repeating


@op
def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """Return copies of x placed side by side along each axis.

    Args:
        x: array of any shape.
        repeats: int or tuple of ints, the number of copies along each axis.

    >>> tile([1, 2], (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]], dtype=int32)
    """
    backend = current()
    x = _call.array(x)
    sizes = tuple(backend.shape(x))
    repeats = _call.sizes(repeats)
    rank = max(len(sizes), len(repeats))
    sizes, repeats = (1,) * (rank - len(sizes)) + sizes, (1,) * (rank - len(repeats)) + repeats
    separated = [n for size in sizes for n in (1, size)]
    wide = [n for pair in zip(repeats, sizes, strict=True) for n in pair]
    x = backend.broadcast_to(_call.reshaped(x, separated), tuple(wide))
    return _call.reshaped(x, map(_call.times, sizes, repeats))


@op
def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
    """Return x with every entry repeated in place; flattened if ``axis`` is None.

    Args:
        x: array of any shape.
        repeats: int, or an int for each entry along the axis.
        axis: int, the axis; None to repeat the entries of the flat array.

    Raises:
        ValueError: if the number of repeats does not match the number of entries.

    >>> repeat([1, 2], 2), repeat([1, 2], [1, 3])
    (array([1, 1, 2, 2], dtype=int32), array([1, 2, 2, 2], dtype=int32))
    """
    backend = current()
    x = ravel(x) if axis is None else _call.array(x)
    shape = tuple(backend.shape(x))
    axis = 0 if axis is None else _call.axis_of(axis, len(shape))
    size = shape[axis]
    if backend.is_array(repeats) and not backend.shape(repeats):
        repeats = _call.size(repeats)
    if not isinstance(repeats, int | GraphSize | None):
        counts = np.asarray(repeats) if isinstance(repeats, list | tuple) else backend.to_numpy(_call.array(repeats))
        if counts.size > 1:
            if isinstance(size, int) and len(counts) != size:
                raise ValueError(f"Expected a number of repeats for each of {size} entries. Received: {repeats}.")
            indices = np.repeat(np.arange(len(counts), dtype="int32"), counts)
            return backend.take(x, backend.array(indices), axis)
        repeats = int(counts.reshape(()))
    x = _call.reshaped(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    x = backend.broadcast_to(x, (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
    return _call.reshaped(x, (*shape[:axis], _call.times(size, repeats), *shape[axis + 1 :]))


# ---------------------------------------------------------- reversing, rolling


@op
def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Return x with the order of entries reversed along axes, by default all.

    Args:
        x: array of any shape.
        axis: int, tuple of ints, or None for all axes; default None.

    >>> flip([[1, 2], [3, 4]], 1)
    array([[2, 1],
           [4, 3]], dtype=int32)
    """
    x = _call.array(x)
    rank = len(current().shape(x))
    axes = _call.axes_of(axis, rank)
    return current().flip(x, tuple(range(rank)) if axes is None else axes)


@op
def fliplr(x: Any) -> Any:
    """Return x with the order of entries reversed along axis 1.

    Args:
        x: array of at least two axes, of any shape.

    >>> fliplr([[1, 2]])
    array([[2, 1]], dtype=int32)
    """
    return flip(x, 1)


@op
def flipud(x: Any) -> Any:
    """Return x with the order of entries reversed along axis 0.

    Args:
        x: array of any shape.

    >>> flipud([[1], [2]])
    array([[2],
           [1]], dtype=int32)
    """
    return flip(x, 0)


@op
def rot90(array: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Rotate x by k times 90 degrees, from the first of two axes towards the second.

    Args:
        array: array of at least two axes, of any shape.
        k: int, the number of quarter turns; default 1.
        axes: pair of ints, the plane of rotation; default (0, 1).

    >>> rot90([[1, 2], [3, 4]])
    array([[2, 4],
           [1, 3]], dtype=int32)
    """
    x = _call.array(array)
    first, second = _call.axes_of(tuple(axes), len(current().shape(x)), "axes")
    if k % 4 == 0:
        return x
    if k % 4 == 2:
        return current().flip(x, (first, second))
    swapped = swapaxes(x, first, second)
    return current().flip(swapped, (first if k % 4 == 1 else second,))


@op
def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Any:
    """Return x with entries shifted along axes; those shifted beyond the end reappear at the start.

    Args:
        x: array of any shape.
        shift: int or tuple of ints, by how many entries.
        axis: int or tuple of ints; None to roll the flat array.

    >>> roll([1, 2, 3], 1)
    array([3, 1, 2], dtype=int32)
    """
    x = _call.array(x)
    shape = current().shape(x)
    if axis is None:
        return _call.reshaped(roll(ravel(x), shift, 0), shape)
    axes = [_call.axis_of(a, len(shape)) for a in ((axis,) if isinstance(axis, int) else axis)]
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    for index, steps in zip(axes, shifts, strict=True):
        steps = int(steps) % shape[index] if shape[index] else 0
        if steps:
            parts = _part(x, index, -steps, None), _part(x, index, None, -steps)
            x = current().concatenate(parts, index)
    return x


@op
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Return x with entries added before and after each axis.

    Args:
        x: array of any shape.
        pad_width: (before, after) for each axis, or one pair or int for all.
        mode: "constant", "reflect" (without the edge), "symmetric", "edge" or "wrap".
        constant_values: the value to pad with in mode "constant"; default None, for 0.

    Raises:
        ValueError: for an unknown mode, or a value in a mode other than "constant".

    >>> pad([1, 2], 1), pad([1, 2, 3], (2, 0), "reflect")
    (array([0, 1, 2, 0], dtype=int32), array([3, 2, 1, 2, 3], dtype=int32))
    """
    if mode not in ("constant", "reflect", "symmetric", "edge", "wrap"):
        raise ValueError(
            f'Expected mode to be "constant", "reflect", "symmetric", "edge" or "wrap". Received: {mode!r}.'
        )
    if constant_values is not None and mode != "constant":
        raise ValueError(f'Expected mode="constant" with constant_values. Received: mode={mode!r}.')
    backend = current()
    x = _call.array(x)
    shape = backend.shape(x)
    widths = [(int(before), int(after)) for before, after in np.broadcast_to(np.asarray(pad_width), (len(shape), 2))]
    if mode == "constant":
        kind = float if backend.dtype(x) in dtypes.FLOATS else int
        return backend.pad(x, widths, kind(constant_values or 0))
    for axis, (size, pair) in enumerate(zip(shape, widths, strict=True)):
        if pair != (0, 0) and size is not None:
            indices = np.pad(np.arange(size, dtype="int32"), pair, cast(Any, mode))
            x = backend.take(x, backend.array(indices), axis)
    return x


# ------------------------------------------------------------------- rearrange


@op
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Return x with axes split, merged and reordered according to a pattern of names.

    Args:
        tensor: array.
        pattern: str, names of axes, an arrow, and the names in their new order; names in
            parentheses form one axis. "..." stands for any number of axes, 1 for an axis of size 1.
        **axes_lengths: sizes of named axes that can't be inferred from the shape.

    Raises:
        ValueError: if the pattern does not match the array.

    The notation is from A. Rogozhnikov, "Einops" (ICLR 2022).

    >>> rearrange(np.arange(6), "(rows columns) -> columns rows", rows=2).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    x = _call.array(tensor)
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise ValueError(f'Expected a pattern such as "a b -> b a". Received: {pattern!r}.')
    shape = current().shape(x)
    source, target = _groups(left), _groups(right)
    dots = [f"...{n}" for n in range(len(shape) - sum(group != ["..."] for group in source))]
    source, target = _spell_out(source, dots), _spell_out(target, dots)
    if len(source) != len(shape):
        raise ValueError(f"Expected {len(source)} axes for the pattern {pattern!r}. Received shape: {tuple(shape)}.")
    sizes = dict(axes_lengths)
    for group, size in zip(source, shape, strict=True):
        _solve_sizes(group, size, sizes, pattern)
    names, order = [n for group in source for n in group], [n for group in target for n in group]
    if sorted(names) != sorted(order) or len(set(names)) < len(names):
        raise ValueError(f"Expected the same names, each once, on both sides of the arrow. Received: {pattern!r}.")
    x = _call.reshaped(x, (sizes[n] for n in names))
    x = current().transpose(x, tuple(names.index(n) for n in order))
    return _call.reshaped(x, (_call.times(*(sizes[n] for n in group)) for group in target))


def _groups(side: str) -> list[list[str]]:
    """Parse the axes of one side of a pattern, each as a list of names."""
    groups: list[list[str]] = []
    is_open = False
    for word in side.replace("(", " ( ").replace(")", " ) ").split():
        if word in "()":
            is_open = word == "("
            if is_open:
                groups.append([])
        elif is_open:
            groups[-1].append(word)
        else:
            groups.append([] if word == "1" else [word])
    return [[n for n in group if n != "1"] for group in groups]


def _spell_out(groups: list[list[str]], dots: list[str]) -> list[list[str]]:
    """Replace "..." by generated names, on its own or inside a group."""
    result: list[list[str]] = []
    for group in groups:
        if group == ["..."]:
            result.extend([name] for name in dots)
        else:
            result.append([n for name in group for n in (dots if name == "..." else [name])])
    return result


def _solve_sizes(group: list[str], size: int | None, sizes: dict, pattern: str) -> None:
    """Infer the only unknown size of a group."""
    open_names = [name for name in group if name not in sizes]
    known = math.prod(sizes[name] for name in group if name in sizes)
    if len(open_names) > 1:
        raise ValueError(f"Expected sizes for all but one of {group} in {pattern!r}, as keywords. Received: {sizes}.")
    if open_names:
        sizes[open_names[0]] = None if size is None else size // known
    if size is not None and (size % known if open_names else size != known):
        raise ValueError(f"Expected a multiple of {known} for the axis {group} of {pattern!r}. Received size: {size}.")
