"""Arrays as small integers with scales, and pairs of 4-bit integers in bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.core import dtypes

INT4_RANGE = (-8, 7)
_LOW_BITS = 0x0F


def abs_max_quantize(
    inputs: Any,
    axis: Any,
    value_range: tuple[int, int] = (-127, 127),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any]:
    """Quantize an array symmetrically: its largest magnitude along some axes becomes the largest integer.

    Args:
        inputs: array of floats, any shape.
        axis: int or tuple of ints, axes that share a scale.
        value_range: smallest and largest integer; default (-127, 127).
        dtype: dtype of the integers; default "int8".
        epsilon: float, added to the largest magnitude, so that arrays of zeros have a scale; default 1e-7.
        to_numpy: bool, whether to compute with NumPy, which needs no memory of the device; default False.

    Returns:
        The integers, in the shape of ``inputs``, and the scale, with sizes of 1 for ``axis``: ``inputs`` is about
        ``integers / scale``.

    >>> integers, scale = abs_max_quantize([[1.0, -2.0]], axis=-1)
    >>> integers.tolist(), float(scale[0, 0])
    ([[64, -127]], 63.5)
    """
    if to_numpy:
        return _on_host(abs_max_quantize, inputs, axis, value_range, dtype, epsilon)
    inputs = ops.convert_to_tensor(inputs)
    axis = tuple(axis) if isinstance(axis, list) else axis
    scale = value_range[1] / (ops.max(ops.abs(inputs), axis=axis, keepdims=True) + epsilon)
    scale = ops.cast(scale, inputs.dtype)
    return ops.cast(ops.clip(ops.round(inputs * scale), *value_range), dtype), scale


def _on_host(function: Callable, inputs: Any, *options: Any) -> tuple:
    """Return what a function computes with NumPy, as arrays of the current backend."""
    values = ops.convert_to_numpy(inputs)
    with backends.use("numpy"):
        results = function(values, *options)
    return tuple(map(ops.convert_to_tensor, results))


def abs_max_quantize_grouped_with_zero_point(
    inputs: Any,
    block_size: int,
    value_range: tuple[int, int] = INT4_RANGE,
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any, Any]:
    """Quantize a matrix by blocks of rows: the range of each block and column becomes the range of the integers.

    Args:
        inputs: array of floats (rows, columns).
        block_size: int, number of rows that share a scale; the last block is filled up with zeros.
        value_range: smallest and largest integer; default (-8, 7).
        dtype: dtype of the integers; default "int8".
        epsilon: float, added to the range of a block; default 1e-7.
        to_numpy: bool, whether to compute with NumPy, which needs no memory of the device; default False.

    Returns:
        The integers (rows, columns), the scale and the zero point (blocks, columns): ``inputs`` is about
        ``(integers - zero_point) * scale``. The zero point is "int8".

    Raises:
        ValueError: unless ``inputs`` is a matrix.

    >>> integers, scale, zero_point = abs_max_quantize_grouped_with_zero_point([[0.0], [1.5]], block_size=2)
    >>> integers.tolist(), zero_point.tolist(), round(float(scale[0, 0]), 3)
    ([[-8], [7]], [[-8]], 0.1)
    """
    if to_numpy:
        return _on_host(abs_max_quantize_grouped_with_zero_point, inputs, block_size, value_range, dtype, epsilon)
    inputs = ops.convert_to_tensor(inputs)
    if len(inputs.shape) != 2:
        raise ValueError(f"Expected inputs to be a matrix. Received shape: {tuple(inputs.shape)}.")
    rows, columns = inputs.shape
    missing = -rows % block_size
    blocks = ops.reshape(ops.pad(inputs, [(0, missing), (0, 0)]), (-1, block_size, columns))
    # The zero point is one of the integers, so the range of a block with one sign begins or ends at 0.
    low = ops.minimum(ops.min(blocks, axis=1, keepdims=True), 0.0)
    high = ops.maximum(ops.max(blocks, axis=1, keepdims=True), 0.0)
    lowest, highest = value_range
    scale = ops.cast((high - low + epsilon) / (highest - lowest), inputs.dtype)
    zero_point = ops.clip(ops.round(-low / scale) + lowest, lowest, highest)
    integers = ops.clip(ops.round(blocks / scale) + zero_point, lowest, highest)
    integers = ops.reshape(integers, (rows + missing, columns))[:rows]
    return ops.cast(integers, dtype), ops.squeeze(scale, axis=1), ops.cast(ops.squeeze(zero_point, axis=1), "int8")


def pack_int4(arr: Any, axis: int = 0, dtype: str = "int8") -> tuple[Any, tuple[int, ...], int]:
    """Put each two neighbours of an array of 4-bit integers into one byte: the first into its lower half.

    Args:
        arr: array of ``dtype``, from -8 to 7.
        axis: int, the axis along which neighbours are packed; an odd size is filled up with a zero; default 0.
        dtype: "int8" or "uint8"; default "int8".

    Returns:
        The bytes, their shape, and the size of ``axis`` before.

    Raises:
        ValueError: for another ``dtype``.
        TypeError: if the array is of another dtype.

    >>> import numpy as np
    >>> packed, shape, size = pack_int4(np.array([[-3, 7], [2, -8], [1, 0]], "int8"))
    >>> packed.tolist(), shape, size
    ([[45, -121], [1, 0]], (2, 2), 3)
    """
    _check_byte(dtype)
    received = dtypes.standardize(arr.dtype)
    if received != dtype:
        raise TypeError(f"Expected arr to be of dtype {dtype!r}. Received: {received!r}.")
    values = np.moveaxis(ops.convert_to_numpy(arr), axis, 0)
    size = len(values)
    values = np.pad(values, [(0, size % 2)] + [(0, 0)] * (values.ndim - 1)).view("uint8")
    packed = np.moveaxis((values[::2] & _LOW_BITS) | (values[1::2] << 4), 0, axis).astype(dtype)
    return ops.convert_to_tensor(packed), packed.shape, size


def unpack_int4(packed: Any, orig_len: int, axis: int = 0, dtype: str = "int8") -> Any:
    """Return the 4-bit integers that ``pack_int4`` packed.

    Args:
        packed: array of bytes.
        orig_len: int, the size of ``axis`` before it was packed.
        axis: int, the axis along which neighbours are packed; default 0.
        dtype: "int8", for integers from -8 to 7, or "uint8", for 0 to 15; default "int8".

    Raises:
        ValueError: for another ``dtype``.
        TypeError: if the array is of another dtype.

    >>> import numpy as np
    >>> unpack_int4(np.array([[45, -121], [1, 0]], "int8"), 3).tolist()
    [[-3, 7], [2, -8], [1, 0]]
    """
    _check_byte(dtype)
    packed = ops.convert_to_tensor(packed)
    received = dtypes.standardize(packed.dtype)
    if received not in ("int8", "uint8"):
        raise TypeError(f"Expected packed to be of dtype 'int8' or 'uint8'. Received: {received!r}.")
    axis = axis % len(packed.shape)
    values = ops.cast(packed, "int32")
    halves = ops.bitwise_and(ops.stack([values, ops.right_shift(values, 4)], axis=axis + 1), _LOW_BITS)
    if dtype == "int8":
        halves = ops.bitwise_xor(halves, 8) - 8  # the upper of four bits is the sign
    shape = list(ops.shape(packed))
    shape[axis] = -1 if shape[axis] is None else 2 * shape[axis]
    pairs = ops.reshape(halves, shape)
    return ops.cast(ops.take(pairs, np.arange(orig_len), axis=axis) if orig_len % 2 else pairs, dtype)


def _check_byte(dtype: str) -> None:
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"Expected dtype to be 'int8' or 'uint8'. Received: {dtype!r}.")
